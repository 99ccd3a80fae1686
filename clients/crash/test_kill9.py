"""`kill -9` while 200 images are taken in: afterwards every accepted input ends processed or failed, none twice, none lost."""
import base64
import os
import pathlib
import shutil
import tempfile
import threading

import pytest
import requests

import harness
import photographs

BINARY = os.environ["OCELLUS_BINARY"]
N_IMAGES, BATCH, N_BAD = 200, 10, 5

# (moment, accepted inputs to wait for, processed inputs to wait for)
MOMENTS = [
    ("at the first batch", 0, 0),
    ("after 50 accepted", 50, 0),
    ("after 120 accepted and 20 processed", 120, 20),
    ("when all are accepted", N_IMAGES, 0),
    ("when 100 of all are processed", N_IMAGES, 100),
]


def payloads():
    """200 inputs: real photographs, each under many ids, and five files that are no image."""
    files = [base64.b64encode(photographs.path(name).read_bytes()).decode() for name in photographs.collection()]
    broken = base64.b64encode(b"\xff\xd8\xff\xe0 this is not a picture").decode()
    for number in range(N_IMAGES):
        bad = number % (N_IMAGES // N_BAD) == 7
        image = {"base64": broken if bad else files[number % len(files)]}
        yield {"id": f"{'bad' if bad else 'good'}-{number}", "data": {"image": image}}


class Client:
    def __init__(self, server):
        self.server = server
        self.headers = {"Authorization": f"Key {server.keys()['api_key']}"}

    def call(self, method, path, body=None):
        return requests.request(method, self.server.url + path, json=body, headers=self.headers, timeout=60)

    def post(self, inputs):
        """Returns the ids that the server said it had accepted."""
        answer = self.call("POST", "/v2/inputs", {"inputs": inputs})
        assert answer.status_code == 200, answer.text
        return [i["id"] for i in answer.json()["inputs"]]

    def counts(self):
        return self.call("GET", "/v2/inputs/status").json()["counts"]

    def inputs(self):
        found, page = [], 1
        while True:
            answer = self.call("GET", f"/v2/inputs?page={page}&per_page=100").json()["inputs"]
            if not answer:
                return found
            found += answer
            page += 1


def upload(client, accepted):
    """Posts batch after batch until the server is gone."""
    everything = list(payloads())
    for start in range(0, N_IMAGES, BATCH):
        try:
            accepted += client.post(everything[start:start + BATCH])
        except requests.RequestException:
            return


@pytest.mark.parametrize("moment,n_accepted,n_processed", MOMENTS, ids=[m[0] for m in MOMENTS])
def test_nothing_is_lost_or_done_twice(moment, n_accepted, n_processed):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ocellus-crash-"))
    server = harness.Server(BINARY, folder / "data").start()
    try:
        client, accepted = Client(server), []
        uploader = threading.Thread(target=upload, args=(client, accepted))
        uploader.start()
        harness.wait_until(lambda: len(accepted) >= n_accepted, f"{n_accepted} accepted")
        harness.wait_until(lambda: n_processed == 0 or client.counts().get("processed", 0) >= n_processed, f"{n_processed} processed")
        server.kill()
        uploader.join()
        server.start()
        check_everything_settles(client, accepted)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def check_everything_settles(client, accepted):
    def settled():
        counts = client.counts()
        return counts if counts.get("to_process", 0) == 0 and counts.get("processing", 0) == 0 else None
    harness.wait_until(settled, "every input processed or failed", deadline_s=180)
    stored = client.inputs()
    ids = [i["id"] for i in stored]
    assert len(ids) == len(set(ids)), "an input is there twice"
    assert set(accepted) <= set(ids), f"lost: {sorted(set(accepted) - set(ids))}"
    for one in stored:
        code, text = one["status"]["code"], one["status"]["description"]
        if one["id"].startswith("good"):
            assert code == 30000, (one["id"], one["status"])
        else:
            assert code not in (30000, 30001, 30003) and text, (one["id"], one["status"])
    good = [i for i in ids if i.startswith("good")]
    if good:
        query = {"query": {"ands": [{"output": {"input": {"id": good[0]}}}]}, "pagination": {"page": 1, "per_page": 1000}}
        hits = [h["input"]["id"] for h in client.call("POST", "/v2/searches", query).json()["hits"]]
        assert sorted(hits) == sorted(good), "each processed input is found exactly once"
