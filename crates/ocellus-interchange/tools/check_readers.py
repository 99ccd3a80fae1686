"""Opens what our writers wrote in readers that other people wrote.

    cargo run -p ocellus-interchange --example write_samples -- FOLDER
    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt
    VENV/bin/python check_readers.py FOLDER

The numbers below are the ground truth of `examples/write_samples.rs`.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np

WIDTH, HEIGHT = 200, 100
NAMES = ["dog", "cat & <co>"]
BOXES = [[20, 20, 100, 80], [100, 0, 200, 100]]  # left, top, right, bottom of picture 1, dog and cat
TRIANGLE_AREA = 0.5 * (0.5 * WIDTH) * (0.7 * HEIGHT)
YS, XS = np.mgrid[0:HEIGHT, 0:WIDTH]
DISC = (XS - 150) ** 2 + (YS - 50) ** 2 < 400


def check_coco(folder):
    from pycocotools.coco import COCO

    train = COCO(folder / "annotations/instances_train.json")
    assert [c["name"] for c in train.loadCats(train.getCatIds())] == NAMES
    assert sorted(train.getImgIds()) == [1, 3]
    boxes = [a["bbox"] for a in train.loadAnns(train.getAnnIds(imgIds=[1]))]
    assert np.allclose(boxes, [[l, t, r - l, b - t] for l, t, r, b in BOXES]), boxes
    test = COCO(folder / "annotations/instances_test.json")
    polygon, mask = test.loadAnns(test.getAnnIds())
    assert abs(polygon["area"] - TRIANGLE_AREA) < 1e-6
    # Drawing on pixels loses the half pixels along the edges.
    assert abs(test.annToMask(polygon).sum() - TRIANGLE_AREA) < 0.05 * TRIANGLE_AREA
    assert (test.annToMask(mask) == DISC).all()
    assert mask["area"] == DISC.sum()
    ys, xs = np.where(DISC)
    assert mask["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1], mask["bbox"]

    import supervision

    dataset = supervision.DetectionDataset.from_coco(
        str(folder / "images/train"), str(folder / "annotations/instances_train.json")
    )
    assert len(dataset) == 2 and sorted(dataset.classes) == sorted(NAMES)


def detections_of(dataset, name):
    """The boxes of a picture, with the names of their classes."""
    for path, _image, detections in dataset:
        if pathlib.Path(path).name == name:
            return sorted((dataset.classes[c], *map(float, box)) for c, box in zip(detections.class_id, detections.xyxy))
    raise AssertionError(f"{name} is not in the dataset")


def check_voc(folder):
    import supervision

    for path in sorted((folder / "Annotations").glob("*.xml")):
        root = ElementTree.parse(path).getroot()
        assert root.tag == "annotation"
        assert (folder / "JPEGImages" / root.findtext("filename")).is_file()
        assert [root.findtext(f"size/{side}") for side in ("width", "height", "depth")] == ["200", "100", "3"]
        # The order of the development kit's own files, which some readers rely on.
        for found in root.iter("object"):
            assert [child.tag for child in found] == ["name", "pose", "truncated", "difficult", "bndbox"]
            corners = [int(found.findtext(f"bndbox/{c}")) for c in ("xmin", "ymin", "xmax", "ymax")]
            assert 1 <= corners[0] <= corners[2] <= 200 and 1 <= corners[1] <= corners[3] <= 100
    assert (folder / "ImageSets/Main/train.txt").read_text().split() == ["picture-1", "picture-3"]
    dataset = supervision.DetectionDataset.from_pascal_voc(str(folder / "JPEGImages"), str(folder / "Annotations"))
    wanted = sorted((name, *map(float, box)) for name, box in zip(NAMES, BOXES))
    assert detections_of(dataset, "picture-1.png") == wanted, detections_of(dataset, "picture-1.png")


def check_yolo(folder):
    import supervision
    import yaml

    data = yaml.safe_load((folder / "data.yaml").read_text())
    assert [data["names"][i] for i in range(data["nc"])] == NAMES
    assert (folder / data["train"]).is_dir() and (folder / data["val"]).is_dir() and (folder / data["test"]).is_dir()

    def load(split, **options):
        return supervision.DetectionDataset.from_yolo(
            str(folder / "images" / split), str(folder / "labels" / split), str(folder / "data.yaml"), **options
        )

    got = detections_of(load("train"), "picture-1.png")
    wanted = sorted((name, *map(float, box)) for name, box in zip(NAMES, BOXES))
    assert [g[0] for g in got] == [w[0] for w in wanted]
    assert np.allclose([g[1:] for g in got], [w[1:] for w in wanted]), got
    (_path, _image, detections), = load("test", force_masks=True)
    assert abs(detections.mask[0].sum() - TRIANGLE_AREA) < 0.05 * TRIANGLE_AREA


def check_csv(folder):
    import csv

    with open(folder / "inputs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["inputid"] for row in rows] == ["1", "2", "3"]
    assert all((folder / row["input"]).is_file() for row in rows)
    # The vendor's own reader, which wants the files beside its working directory.
    import os

    from clarifai.client.input import Inputs

    os.chdir(folder)
    protos = Inputs.get_inputs_from_csv("inputs.csv", input_type="image", csv_type="file_path")
    assert [p.data.concepts[0].name for p in protos] == ["dog", "dog", "cat & <co>"]
    assert dict(protos[2].data.metadata) == {} and abs(protos[2].data.geo.geo_point.longitude - 139.5) < 1e-4
    assert protos[0].data.image.base64 == (folder / rows[0]["input"]).read_bytes()


def check_label_studio(folder):
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.converter.brush import decode_rle

    tasks = json.loads((folder / "tasks.json").read_text())
    brush = next(r for t in tasks for a in t["annotations"] for r in a["result"] if r["type"] == "brushlabels")
    pixels = decode_rle(brush["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)
    assert ((pixels[:, :, 3] > 0) == DISC).all()

    out = folder / "converted"
    converter = Converter(str(folder / "label_config.xml"), str(folder), download_resources=False)
    # The converter to COCO takes boxes and polygons.
    for task in tasks:
        for annotation in task["annotations"]:
            annotation["result"] = [r for r in annotation["result"] if r["type"] in ("rectanglelabels", "polygonlabels")]
    (folder / "shapes.json").write_text(json.dumps(tasks))
    converter.convert_to_coco(str(folder / "shapes.json"), str(out), is_dir=False)
    coco = json.loads((out / "result.json").read_text())
    names = {c["id"]: c["name"] for c in coco["categories"]}
    boxes = sorted((names[a["category_id"]], *a["bbox"]) for a in coco["annotations"] if not a["segmentation"])
    wanted = sorted((name, l, t, r - l, b - t) for name, (l, t, r, b) in zip(NAMES, BOXES))
    assert [b[0] for b in boxes] == [w[0] for w in wanted], boxes
    assert np.allclose([b[1:] for b in boxes], [w[1:] for w in wanted]), boxes
    assert sum(1 for a in coco["annotations"] if a["segmentation"]) == 1


def check_cvat(folder):
    root = ElementTree.parse(folder / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert [label.findtext("name") for label in root.iter("label")] == NAMES
    images = {image.get("id"): image for image in root.iter("image")}
    assert list(images) == ["1", "2", "3"]
    corners = [[float(b.get(k)) for k in ("xtl", "ytl", "xbr", "ybr")] for b in images["1"].iter("box")]
    assert corners == BOXES, corners
    assert [t.get("label") for t in images["3"].iter("tag")] == [NAMES[1]]
    # As CVAT's own `rle2mask` does it: run lengths over the box, outside first.
    mask = images["2"].find("mask")
    left, top, width, height = (int(mask.get(k)) for k in ("left", "top", "width", "height"))
    runs = [int(run) for run in mask.get("rle").split(",")]
    flat = np.concatenate([np.full(run, i % 2, bool) for i, run in enumerate(runs)])
    whole = np.zeros((HEIGHT, WIDTH), bool)
    whole[top : top + height, left : left + width] = flat.reshape(height, width)
    assert (whole == DISC).all()


def check_mvtec(folder):
    import cv2

    # The rule of the usual loaders: same name below ground_truth, with `_mask`.
    for path in sorted(folder.glob("test/*/*.png")):
        mask = cv2.imread(str(folder / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"), cv2.IMREAD_GRAYSCALE)
        assert ((mask > 0) == DISC).all()
    assert len(list(folder.glob("train/*/*.png"))) == 2


def check_folder(folder):
    import supervision

    dataset = supervision.ClassificationDataset.from_folder_structure(str(folder / "train"))
    assert len(dataset) == 2 and sorted(dataset.classes) == ["cat & _co_", "dog"], dataset.classes


def check_manifests(folder):
    for line in (folder / "ground-truth/output.manifest").read_text().splitlines():
        row = json.loads(line)
        assert (folder / "ground-truth" / row["source-ref"]).is_file()
        for key in [key for key in row if f"{key}-metadata" in row]:
            assert row[f"{key}-metadata"]["type"].startswith("groundtruth/")
        for found in row["boxes"]["annotations"]:
            assert row["boxes-metadata"]["class-map"][str(found["class_id"])] in NAMES
    for line in (folder / "vertex/import.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert (folder / "vertex" / row["imageGcsUri"]).is_file()
        for found in row.get("boundingBoxAnnotations", []):
            assert found["displayName"] in NAMES and 0 <= found["xMin"] < found["xMax"] <= 1


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    checks = {
        "coco": check_coco,
        "voc": check_voc,
        "yolo": check_yolo,
        "csv": check_csv,
        "label-studio": check_label_studio,
        "cvat": check_cvat,
        "mvtec": check_mvtec,
        "folder": check_folder,
    }
    failed = []
    for name, check in [*checks.items(), ("manifests", check_manifests)]:
        try:
            check(root if name == "manifests" else root / name)
            print(f"ok      {name}")
        except Exception as error:
            failed.append(name)
            print(f"FAILED  {name}: {type(error).__name__}: {error}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
