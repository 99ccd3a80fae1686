"""Models that run in a process of their own: predictions go through it, survive its death, and end without it."""
import contextlib
import os
import pathlib
import subprocess
import sys
import threading
import time
import uuid

import pytest
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from clarifai_grpc.grpc.api.status import status_code_pb2
from PIL import Image, ImageStat

import harness
import photographs

WORKER = pathlib.Path(__file__).with_name("worker.py")
LEASE_S, TIMEOUT_S = 2, 8


@pytest.fixture(scope="module")
def server():
    settings = {"OCELLUS__RUNNERS__LEASE_S": str(LEASE_S), "OCELLUS__RUNNERS__POLL_S": "2",
                "OCELLUS__RUNNERS__PREDICT_TIMEOUT_S": str(TIMEOUT_S)}
    with harness.Server(os.environ["OCELLUS_BINARY"], settings=settings) as server:
        yield server
        print(server.log_tail())


class Account:
    """What the tests ask of the server, by its first token."""

    def __init__(self, server):
        self.url, keys = server.url, server.keys()
        self.pat, self.user, self.app = keys["pat"], keys["user_id"], keys["app_id"]
        host, port = server.url.removeprefix("http://").split(":")
        self.stub = service_pb2_grpc.V2Stub(ClarifaiChannel.get_insecure_grpc_channel(base=host, port=int(port)))
        self.ids = resources_pb2.UserAppIDSet(user_id=self.user, app_id=self.app)

    def call(self, rpc, request):
        return getattr(self.stub, rpc)(request, metadata=(("authorization", f"Key {self.pat}"),))

    def predict(self, model, inputs, **config):
        info = resources_pb2.OutputInfo(output_config=resources_pb2.OutputConfig(**config))
        version = resources_pb2.ModelVersion(output_info=info)
        return self.call("PostModelOutputs", service_pb2.PostModelOutputsRequest(
            user_app_id=self.ids, model_id=model, inputs=inputs, model=resources_pb2.Model(model_version=version)))

    def delete_runner(self, runner):
        return self.call("DeleteRunners", service_pb2.DeleteRunnersRequest(user_app_id=self.ids, ids=[runner]))


@pytest.fixture(scope="module")
def account(server):
    return Account(server)


@pytest.fixture
def model(account):
    """A model that nobody serves yet; the runner that shall do so has the same id."""
    model_id = f"measure-{uuid.uuid4().hex[:8]}"
    made = account.call("PostModels", service_pb2.PostModelsRequest(
        user_app_id=account.ids, models=[resources_pb2.Model(id=model_id, model_type_id="visual-classifier")]))
    assert made.status.code == status_code_pb2.SUCCESS, made.status
    return model_id


class Process:
    """A worker in a process of its own, and what it says."""

    def __init__(self, account, model, *options):
        argv = [sys.executable, str(WORKER), "--url", account.url, "--user", account.user, "--app", account.app,
                "--model", model, "--runner", model, *options]
        env = dict(os.environ, CLARIFAI_PAT=account.pat)
        self.process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def says(self, start):
        """Waits for lines that begin so, and returns what follows."""
        found = harness.wait_until(lambda: [line for line in self.lines if line.startswith(start)], f"a worker that says {start!r}", 30)
        return [line[len(start):].strip() for line in found]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(10)


@contextlib.contextmanager
def worker(account, model, *options):
    process = Process(account, model, *options)
    try:
        process.says("ready")
        yield process
    finally:
        process.kill()


class Asking(threading.Thread):
    """A prediction that waits for its answer."""

    def __init__(self, account, model, inputs):
        super().__init__(daemon=True)
        self.ask, self.answer = (lambda: account.predict(model, inputs)), None
        self.start()

    def run(self):
        self.answer = self.ask()

    def result(self):
        self.join(60)
        assert self.answer is not None, "the prediction was never answered"
        return self.answer


def picture(name, by="bytes"):
    if by == "url":
        url = f"{os.environ['OCELLUS_TEST_PHOTOS_URL']}/{name}"
        return resources_pb2.Input(data=resources_pb2.Data(image=resources_pb2.Image(url=url)))
    data = photographs.path(name).read_bytes()
    return resources_pb2.Input(data=resources_pb2.Data(image=resources_pb2.Image(base64=data)))


def expected(name):
    """What the model says of a photograph, measured by hand here."""
    with Image.open(photographs.path(name)) as image:
        red, green, blue = (mean / 255 for mean in ImageStat.Stat(image.convert("RGB")).mean)
        grey = ImageStat.Stat(image.convert("L"))
    return {"red": red, "green": green, "blue": blue, "bright": grey.mean[0] / 255, "varied": min(1.0, grey.stddev[0] / 128)}


def concepts(output):
    assert output.status.code == status_code_pb2.SUCCESS, output.status
    return {c.id: c.value for c in output.data.concepts}


NAMES = [name for name, _ in photographs.recognisable()][:3]


@pytest.mark.parametrize("options", [[], ["--stream"]], ids=["polling", "stream"])
def test_predictions_are_what_the_worker_measures(account, model, options):
    with worker(account, model, *options):
        answer = account.predict(model, [picture(NAMES[0]), picture(NAMES[1], by="url"), picture(NAMES[2])])
        assert answer.status.code == status_code_pb2.SUCCESS, answer.status
        for name, output in zip(NAMES, answer.outputs):
            assert concepts(output) == pytest.approx(expected(name), abs=1e-6)
            assert output.model.id == model and output.input.id and output.id
        best = max(expected(NAMES[0]).items(), key=lambda pair: pair[1])
        only = account.predict(model, [picture(NAMES[0])], max_concepts=1)
        assert concepts(only.outputs[0]) == pytest.approx(dict([best]), abs=1e-6)
        broken = resources_pb2.Input(data=resources_pb2.Data(image=resources_pb2.Image(base64=b"no image")))
        mixed = account.predict(model, [picture(NAMES[0]), broken])
        assert mixed.status.code == status_code_pb2.MIXED_STATUS
        assert mixed.outputs[1].status.code == status_code_pb2.MODEL_PREDICTION_FAILED


def test_a_stored_input_reaches_the_worker(account, model):
    """By its id alone: the server tells the worker where the picture is."""
    input_id = uuid.uuid4().hex
    stored = picture(NAMES[0])
    stored.id = input_id
    made = account.call("PostInputs", service_pb2.PostInputsRequest(user_app_id=account.ids, inputs=[stored]))
    assert made.status.code == status_code_pb2.SUCCESS, made.status

    def ready():
        found = account.call("GetInput", service_pb2.GetInputRequest(user_app_id=account.ids, input_id=input_id))
        return found.input.status.code == status_code_pb2.INPUT_DOWNLOAD_SUCCESS
    harness.wait_until(ready, "the input is processed")
    with worker(account, model):
        answer = account.predict(model, [resources_pb2.Input(id=input_id)])
        assert concepts(answer.outputs[0]) == pytest.approx(expected(NAMES[0]), abs=1e-6)


@pytest.mark.parametrize("options", [[], ["--stream"]], ids=["polling", "stream"])
def test_a_worker_killed_in_mid_item_is_replaced_once(account, model, options):
    with worker(account, model, "--at-least-s", "60", *options) as first:
        asking = Asking(account, model, [picture(NAMES[0])])
        taken = first.says("taken")
        first.kill()
        with worker(account, model, *options) as second:
            answer = asking.result()
            assert concepts(answer.outputs[0]) == pytest.approx(expected(NAMES[0]), abs=1e-6)
            # One more prediction shows that nothing else was waiting.
            assert account.predict(model, [picture(NAMES[1])]).status.code == status_code_pb2.SUCCESS
            again = second.says("taken")
    assert len(taken) == 1 and again[0] == taken[0]
    assert len(again) == 2 and again[1] != taken[0]
    assert not any(line.startswith("answered") for line in first.lines)


def test_an_item_that_kills_two_workers_fails(account, model):
    asking = None
    for _ in range(2):
        with worker(account, model, "--at-least-s", "60") as doomed:
            asking = asking or Asking(account, model, [picture(NAMES[0])])
            doomed.says("taken")
    assert asking.result().status.code == status_code_pb2.RUNNER_PROCESSING_FAILED
    with worker(account, model) as third:
        assert account.predict(model, [picture(NAMES[1])]).status.code == status_code_pb2.SUCCESS
        assert len(third.says("taken")) == 1


def test_without_a_worker_a_prediction_ends_with_the_timeout(account, model):
    with worker(account, model):
        pass
    started = time.monotonic()
    answer = account.predict(model, [picture(NAMES[0])])
    assert answer.status.code == status_code_pb2.RPC_REQUEST_TIMEOUT, answer.status
    assert TIMEOUT_S - 1 < time.monotonic() - started < TIMEOUT_S + 10
    # What nobody waits for is not worked on by whoever comes too late.
    with worker(account, model) as late:
        assert account.predict(model, [picture(NAMES[0])]).status.code == status_code_pb2.SUCCESS
        assert len(late.says("taken")) == 1


@pytest.mark.parametrize("options", [[], ["--stream"]], ids=["polling", "stream"])
def test_a_deleted_runner_gets_no_more_work(account, model, options):
    with worker(account, model, *options) as serving:
        assert account.delete_runner(model).status.code == status_code_pb2.SUCCESS
        assert serving.process.wait(timeout=30) == 3
        serving.says("the runner was deleted")
        answer = account.predict(model, [picture(NAMES[0])])
        assert answer.status.code == status_code_pb2.MODEL_UNTRAINED, answer.status
    assert account.delete_runner(model).status.code == status_code_pb2.RUNNER_DOES_NOT_EXIST


def test_several_workers_share_the_work(account, model):
    with worker(account, model, "--at-least-s", "0.2") as one, worker(account, model, "--at-least-s", "0.2") as two:
        asked = [Asking(account, model, [picture(NAMES[n % 3])]) for n in range(12)]
        for n, asking in enumerate(asked):
            assert concepts(asking.result().outputs[0]) == pytest.approx(expected(NAMES[n % 3]), abs=1e-6)
        taken = [one.says("taken"), two.says("taken")]
    assert sum(map(len, taken)) == 12 and not set(taken[0]) & set(taken[1])
