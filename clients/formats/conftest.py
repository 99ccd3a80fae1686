"""A dataset of photographs with labels, boxes and splits, frozen and exported in every format once for the whole suite."""
import base64
import io
import os
import zipfile

import PIL.Image
import pytest
import requests

import harness
import photographs

FORMATS = {"CLARIFAI_DATA_PROTOBUF": 1, "CLARIFAI_DATA_JSON": 3, "COCO": 2, "PASCAL_VOC": 9001, "YOLO": 9002}
READY, BEING_MADE = 64200, (64201, 64203)


class Client:
    """The first app of a server, over REST."""

    def __init__(self, url, key):
        self.url, self.headers = url, {"Authorization": f"Key {key}"}

    def call(self, method, path, body=None):
        answer = requests.request(method, self.url + path, json=body, headers=self.headers, timeout=120)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        return answer.json()

    def add(self, inputs):
        for start in range(0, len(inputs), 8):
            self.call("POST", "/v2/inputs", {"inputs": inputs[start : start + 8]})

    def wait_until_processed(self):
        def is_done():
            counts = self.call("GET", "/v2/inputs/status")["counts"]
            return not counts.get("to_process", 0) + counts.get("processing", 0)
        harness.wait_until(is_done, "every input is processed")

    def freeze(self, dataset, version):
        self.call("POST", f"/v2/datasets/{dataset}/versions", {"dataset_versions": [{"id": version}]})
        path = f"/v2/datasets/{dataset}/versions/{version}"
        harness.wait_until(lambda: self.call("GET", path)["dataset_version"]["status"]["code"] == 64015, "the version is ready")

    def ask(self, dataset, version, formats=tuple(FORMATS)):
        """How far the exports are, by format."""
        body = {"exports": [{"format": name} for name in formats]}
        exports = self.call("PUT", f"/v2/datasets/{dataset}/versions/{version}/exports", body)["exports"]
        assert [export["format"] for export in exports] == [FORMATS[name] for name in formats]
        return dict(zip(formats, exports))

    def export(self, dataset, version, formats=tuple(FORMATS)):
        """The bytes of the archives, by format."""
        def ready():
            exports = self.ask(dataset, version, formats)
            codes = [export["status"]["code"] for export in exports.values()]
            assert all(code in (READY, *BEING_MADE) for code in codes), exports
            return exports if all(code == READY for code in codes) else None
        found = harness.wait_until(ready, "every archive is ready")
        # The address needs no key.
        archives = {name: requests.get(export["url"], timeout=120).content for name, export in found.items()}
        assert {name: len(bytes) for name, bytes in archives.items()} == {name: int(e["size"]) for name, e in found.items()}
        return archives


def photo(input_id, name, dataset, **data):
    image = {"base64": base64.b64encode(photographs.path(name).read_bytes()).decode()}
    return {"id": input_id, "dataset_ids": [dataset], "data": {"image": image, **data}}


@pytest.fixture(scope="session")
def pictures():
    """What is in the dataset: by input id the file, its size, its split, and its boxes in pixels with their concepts."""
    known = {}
    for number, (name, _) in enumerate(photographs.recognisable()):
        width, height = PIL.Image.open(photographs.path(name)).size
        boxes = [("left half", (0, 0, width // 2, height)), ("middle", (width // 4, height // 5, width - 7, height - 3))]
        known[f"photo-{number}"] = {
            "file": name, "size": (width, height), "split": "val" if number % 3 == 0 else "train",
            "concept": f"kind {number % 2}", "boxes": boxes[: number % 3]}
    return known


@pytest.fixture(scope="session")
def archives(pictures):
    """The archives of a version of that dataset, by format."""
    client = Client(os.environ["OCELLUS_TEST_URL"], os.environ["OCELLUS_TEST_API_KEY"])
    client.call("POST", "/v2/datasets", {"datasets": [{"id": "photos"}]})
    client.add([photo(one, it["file"], "photos", concepts=[{"id": it["concept"]}],
                      metadata={"filename": it["file"], "split": it["split"]}) for one, it in pictures.items()])
    client.wait_until_processed()
    annotations = []
    for one, it in pictures.items():
        width, height = it["size"]
        for concept, (left, top, right, bottom) in it["boxes"]:
            box = {"left_col": left / width, "top_row": top / height, "right_col": right / width, "bottom_row": bottom / height}
            region = {"region_info": {"bounding_box": box}, "data": {"concepts": [{"id": concept}]}}
            annotations.append({"input_id": one, "data": {"regions": [region]}})
    client.call("POST", "/v2/annotations", {"annotations": annotations})
    client.freeze("photos", "v")
    return client.export("photos", "v")


@pytest.fixture
def unpacked(archives, tmp_path):
    """Unpacks an archive with Python's own reader, which checks every checksum."""
    def unpack(name):
        with zipfile.ZipFile(io.BytesIO(archives[name])) as archive:
            assert archive.testzip() is None
            archive.extractall(tmp_path)
        return tmp_path
    return unpack
