"""Exports opened with the formats' own readers: as many pictures and boxes as there are, to the pixel, with their concepts."""
import io
import pathlib
import xml.etree.ElementTree
import zipfile

import PIL.Image
import pytest
import requests
import yaml
from clarifai.datasets.export.inputs_annotations import DatasetExportReader, InputAnnotationDownloader
from clarifai_grpc.grpc.api import resources_pb2
from globox import AnnotationSet
from google.protobuf import json_format
from pycocotools.coco import COCO

import photographs


def splits(pictures):
    return sorted({it["split"] for it in pictures.values()})


def of_split(pictures, split):
    return {it["file"]: it for it in pictures.values() if it["split"] == split}


def said(it):
    return sorted((concept, box) for concept, box in it["boxes"])


def test_coco_is_read_by_pycocotools(unpacked, pictures):
    folder = unpacked("COCO")
    for split in splits(pictures):
        expected = of_split(pictures, split)
        coco = COCO(folder / "annotations" / f"instances_{split}.json")
        assert sorted(image["file_name"] for image in coco.imgs.values()) == sorted(expected)
        assert len(coco.anns) == sum(len(it["boxes"]) for it in expected.values())
        for image in coco.loadImgs(coco.getImgIds()):
            it = expected[image["file_name"]]
            assert (image["width"], image["height"]) == it["size"]
            found = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
            boxes = [(a["bbox"][0], a["bbox"][1], a["bbox"][0] + a["bbox"][2], a["bbox"][1] + a["bbox"][3]) for a in found]
            assert all(abs(side - round(side)) < 0.01 for box in boxes for side in box), boxes
            names = [coco.loadCats(a["category_id"])[0]["name"] for a in found]
            assert sorted(zip(names, [tuple(round(side) for side in box) for box in boxes])) == said(it)
            assert all(a["area"] == pytest.approx(a["bbox"][2] * a["bbox"][3]) and a["iscrowd"] == 0 for a in found)
            picture = folder / "images" / split / image["file_name"]
            assert picture.read_bytes() == photographs.path(it["file"]).read_bytes()


def test_pascal_voc_is_read_by_globox_and_keeps_the_rules_of_the_development_kit(unpacked, pictures):
    folder = unpacked("PASCAL_VOC")
    found = {a.image_id: a for a in AnnotationSet.from_pascal_voc(folder / "Annotations")}
    expected = {it["file"]: it for it in pictures.values()}
    assert sorted(found) == sorted(expected)
    for name, annotation in found.items():
        assert annotation.image_size == expected[name]["size"]
        # The kit counts pixels from 1, and right and bottom are inside.
        boxes = [(box.label, tuple(round(side) for side in box.ltrb)) for box in annotation.boxes]
        assert sorted(boxes) == sorted((c, (left + 1, top + 1, right, bottom)) for c, (left, top, right, bottom) in expected[name]["boxes"])
    for path in (folder / "Annotations").iterdir():
        root = xml.etree.ElementTree.parse(path).getroot()
        picture = folder / root.findtext("folder") / root.findtext("filename")
        assert PIL.Image.open(picture).size == expected[picture.name]["size"]
        assert picture.stem == path.stem
        width, height = (int(root.findtext(f"size/{side}")) for side in ("width", "height"))
        for thing in root.iter("object"):
            assert {thing.findtext("truncated"), thing.findtext("difficult")} <= {"0", "1"} and thing.findtext("pose")
            left, top, right, bottom = (int(thing.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
            assert 1 <= left <= right <= width and 1 <= top <= bottom <= height
    for split in splits(pictures):
        listed = (folder / "ImageSets" / "Main" / f"{split}.txt").read_text().split("\n")
        assert sorted(filter(None, listed)) == sorted(pathlib.Path(name).stem for name in of_split(pictures, split))


def test_yolo_is_read_by_globox_with_the_names_of_its_data_file(unpacked, pictures):
    folder = unpacked("YOLO")
    data = yaml.safe_load((folder / "data.yaml").read_text())
    names = data["names"] if isinstance(data["names"], dict) else dict(enumerate(data["names"]))
    assert sorted(names) == list(range(len(names)))
    for split in splits(pictures):
        images = folder / data.get("path", ".") / data[split]
        labels = pathlib.Path(*["labels" if part == "images" else part for part in images.relative_to(folder).parts])
        expected = of_split(pictures, split)
        assert sorted(p.name for p in images.iterdir()) == sorted(expected)
        for name, it in expected.items():
            # The reader finds a picture by one extension, so it is given one picture at a time.
            alone = folder / "alone" / name
            alone.mkdir(parents=True)
            label = (folder / labels / name).with_suffix(".txt")
            (alone / label.name).write_bytes(label.read_bytes())
            (one,) = AnnotationSet.from_yolo_v5(alone, image_folder=images, image_extension=pathlib.Path(name).suffix)
            assert one.image_size == it["size"]
            found = [(names[int(box.label)], tuple(round(side, 2) for side in box.ltrb)) for box in one.boxes]
            assert sorted(found) == said(it)


def check_inputs(inputs, pictures):
    assert sorted(one.id for one in inputs) == sorted(pictures)
    for one in inputs:
        it = pictures[one.id]
        width, height = it["size"]
        assert [(c.id, c.value) for c in one.data.concepts] == [(it["concept"], 1.0)]
        assert one.data.metadata["split"] == it["split"]
        assert (one.data.image.image_info.width, one.data.image.image_info.height) == (width, height)
        found = []
        for region in one.data.regions:
            box = region.region_info.bounding_box
            sides = (box.left_col * width, box.top_row * height, box.right_col * width, box.bottom_row * height)
            assert all(abs(side - round(side)) < 0.01 for side in sides)
            found.append((region.data.concepts[0].id, tuple(round(side) for side in sides)))
        assert sorted(found) == said(it)
        url = one.data.image.hosted.prefix + "/orig/" + one.data.image.hosted.suffix if not one.data.image.url else one.data.image.url
        assert requests.get(url, timeout=60).content == photographs.path(it["file"]).read_bytes()


def test_the_vendors_protobuf_is_read_by_its_sdk(archives, pictures, tmp_path):
    path = tmp_path / "archive.zip"
    path.write_bytes(archives["CLARIFAI_DATA_PROTOBUF"])
    with DatasetExportReader(local_archive_path=str(path)) as reader:
        assert len(reader) == len(pictures)
        check_inputs(list(reader), pictures)


def test_the_sdk_unpacks_pictures_and_annotations_from_the_protobuf(archives, pictures, tmp_path):
    path = tmp_path / "archive.zip"
    path.write_bytes(archives["CLARIFAI_DATA_PROTOBUF"])
    with DatasetExportReader(local_archive_path=str(path)) as reader:
        InputAnnotationDownloader(requests.Session(), reader, 2).download_archive(str(tmp_path / "unpacked.zip"), split="all")
    with zipfile.ZipFile(tmp_path / "unpacked.zip") as archive:
        names = archive.namelist()
    assert sorted(n for n in names if "/inputs/" in n) == sorted(f"all/inputs/{one}.png" for one in pictures)
    assert sum("/annotations/" in n for n in names) == len(pictures)


def test_the_vendors_json_is_read_by_its_published_messages(archives, pictures):
    inputs = []
    with zipfile.ZipFile(io.BytesIO(archives["CLARIFAI_DATA_JSON"])) as archive:
        assert archive.read("mimetype") == b"application/x.clarifai-data+json"
        for name in archive.namelist():
            if name != "mimetype":
                batch = json_format.Parse(archive.read(name), resources_pb2.InputBatch())
                assert int(name.rsplit("_n", 1)[1]) == len(batch.inputs)
                inputs.extend(batch.inputs)
    check_inputs(inputs, pictures)
