#!/usr/bin/env python3
"""A worker that serves a model from a process of its own: it registers a runner, takes work, and answers.

usage: CLARIFAI_PAT=... worker.py --url http://HOST:PORT --user USER --app APP --model MODEL --runner RUNNER [--stream]

The model is a measurement of the picture with Pillow: how red, green, blue, bright and varied it is, each 0 to 1.
It stops when its runner is deleted. With --stream it takes its work over one stream instead of asking again and again.
"""
import argparse
import io
import os
import queue
import sys
import time
import urllib.request

from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2
from PIL import Image, ImageStat


def measure(image):
    """What the model says of a picture: {name: value from 0 to 1}."""
    rgb = ImageStat.Stat(image.convert("RGB"))
    grey = ImageStat.Stat(image.convert("L"))
    shares = {name: mean / 255 for name, mean in zip(("red", "green", "blue"), rgb.mean)}
    return {**shares, "bright": grey.mean[0] / 255, "varied": min(1.0, grey.stddev[0] / 128)}


def open_image(data):
    if data.image.base64:
        return Image.open(io.BytesIO(data.image.base64))
    if data.image.url:
        with urllib.request.urlopen(data.image.url, timeout=10) as answer:
            return Image.open(io.BytesIO(answer.read()))
    raise ValueError("the input has no image")


def config_of(request):
    """The caller's wishes: the newest clients put them into the version of the model."""
    version = request.model.model_version.output_info.output_config
    return version if version.ByteSize() else request.model.output_info.output_config


def run_input(given, config):
    try:
        values = measure(open_image(given.data))
    except (OSError, ValueError) as error:
        status = status_pb2.Status(code=status_code_pb2.MODEL_PREDICTION_FAILED, details=str(error))
        return resources_pb2.Output(status=status)
    ranked = sorted(values.items(), key=lambda pair: -pair[1])
    ranked = [pair for pair in ranked if pair[1] >= config.min_value][:config.max_concepts or None]
    concepts = [resources_pb2.Concept(id=name, name=name, value=value) for name, value in ranked]
    return resources_pb2.Output(status=status_pb2.Status(code=status_code_pb2.SUCCESS),
                                data=resources_pb2.Data(concepts=concepts))


class Worker:
    def __init__(self, args):
        host, port = args.url.removeprefix("http://").split(":")
        self.stub = service_pb2_grpc.V2Stub(ClarifaiChannel.get_insecure_grpc_channel(base=host, port=int(port)))
        self.key = (("authorization", f"Key {os.environ['CLARIFAI_PAT']}"),)
        self.account = resources_pb2.UserAppIDSet(user_id=args.user)
        self.args = args

    def register(self):
        model = resources_pb2.Model(id=self.args.model, app_id=self.args.app, user_id=self.args.user)
        runner = resources_pb2.Runner(id=self.args.runner, worker=resources_pb2.Worker(model=model))
        known = self.stub.GetRunner(
            service_pb2.GetRunnerRequest(user_app_id=self.account, runner_id=self.args.runner), metadata=self.key)
        if known.status.code == status_code_pb2.SUCCESS:
            return
        made = self.stub.PostRunners(
            service_pb2.PostRunnersRequest(user_app_id=self.account, runners=[runner]), metadata=self.key)
        # Another worker of the same runner may have been faster.
        if made.status.code not in (status_code_pb2.SUCCESS, status_code_pb2.DATABASE_DUPLICATE_KEY):
            sys.exit(f"the runner cannot be registered: {made.status.code} {made.status.details}")

    def answer(self, item):
        """Works on an item; what it says is seen by whoever watches the worker."""
        print(f"taken {item.id}", flush=True)
        started = time.monotonic()
        request = item.post_model_outputs_request
        outputs = [run_input(given, config_of(request)) for given in request.inputs]
        time.sleep(max(0.0, self.args.at_least_s - (time.monotonic() - started)))
        response = service_pb2.MultiOutputResponse(outputs=outputs)
        return service_pb2.PostRunnerItemOutputsRequest(
            user_app_id=self.account, runner_id=self.args.runner, runner_item_id=item.id,
            runner_item_outputs=[service_pb2.RunnerItemOutput(multi_output_response=response)])

    def poll(self):
        ask = service_pb2.ListRunnerItemsRequest(user_app_id=self.account, runner_id=self.args.runner)
        while True:
            work = self.stub.ListRunnerItems(ask, metadata=self.key)
            if work.status.code == status_code_pb2.RUNNER_NEEDS_RETRY:
                continue
            self.check(work.status)
            for item in work.runner_items:
                done = self.stub.PostRunnerItemOutputs(self.answer(item), metadata=self.key)
                print(f"answered {item.id} {done.status.code}", flush=True)

    def stream(self):
        messages = queue.SimpleQueue()
        messages.put(service_pb2.PostRunnerItemOutputsRequest(user_app_id=self.account, runner_id=self.args.runner))
        for work in self.stub.ProcessRunnerItems(iter(messages.get, None), metadata=self.key):
            self.check(work.status)
            for item in work.runner_items:
                messages.put(self.answer(item))
                print(f"answered {item.id}", flush=True)

    def check(self, status):
        if status.code == status_code_pb2.RUNNER_DOES_NOT_EXIST:
            print("the runner was deleted", flush=True)
            sys.exit(3)
        if status.code != status_code_pb2.SUCCESS:
            print(f"no work: {status.code} {status.details}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("url", "user", "app", "model", "runner"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--stream", action="store_true", help="take the work over one stream")
    parser.add_argument("--at-least-s", type=float, default=0.0, help="how long to work on each item at least")
    worker = Worker(parser.parse_args())
    worker.register()
    print("ready", flush=True)
    worker.stream() if worker.args.stream else worker.poll()


if __name__ == "__main__":
    main()
