"""Datasets through PyPI `clarifai` 12.x: uploads from folders, CSV files and the SDK's loaders, versions, exports."""
import json
import os
import shutil
import zipfile

import pytest
from clarifai.datasets.upload.base import ClarifaiDataLoader
from clarifai.datasets.upload.features import (
    MultiModalFeatures, TextFeatures, VisualDetectionFeatures, VisualSegmentationFeatures)
from clarifai.datasets.upload.loaders.imagenet_classification import ImageNetDataLoader

import photographs

PHOTOS_URL = os.environ["OCELLUS_TEST_PHOTOS_URL"]


class Rows(ClarifaiDataLoader):
    """A loader over rows in memory."""

    def __init__(self, task, rows):
        self._task, self.rows = task, rows

    @property
    def task(self):
        return self._task

    def load_data(self):
        pass

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def ids(dataset):
    return sorted(one.id for one in dataset.list_inputs())


def concepts_of(inputs, input_id):
    return sorted(c.id for c in inputs.get_input(input_id).data.concepts)


def boxes_of(inputs, input_id):
    found = inputs.list_annotations(batch_input=[inputs.get_input(input_id)])
    return [(region.data.concepts[0].id, region.region_info) for a in found for region in a.data.regions]


def write_csv(path, head, rows):
    path.write_text("\n".join([head, *rows]) + "\n")
    return str(path)


def test_a_folder_of_photographs_is_uploaded_with_its_name_as_label(inputs, dataset, pictures, tmp_path):
    folder = tmp_path / "things"
    folder.mkdir()
    for number, name in enumerate(pictures):
        shutil.copy(photographs.path(name), folder / f"Photo {number}{photographs.path(name).suffix}")
    dataset.upload_from_folder(str(folder), input_type="image", labels=True, batch_size=2)
    assert ids(dataset) == [f"photo_{n}" for n in range(len(pictures))]
    assert concepts_of(inputs, "photo_0") == ["things"]


def test_a_folder_of_texts_is_uploaded(dataset, tmp_path):
    for number in range(3):
        (tmp_path / f"text{number}.txt").write_text(f"sentence number {number}")
    dataset.upload_from_folder(str(tmp_path), input_type="text")
    assert ids(dataset) == ["text0", "text1", "text2"]


@pytest.mark.parametrize("csv_type", ["url", "file_path"])
def test_photographs_named_in_a_csv_file_are_uploaded(inputs, dataset, pictures, tmp_path, csv_type):
    where = (lambda name: f"{PHOTOS_URL}/{name}") if csv_type == "url" else (lambda name: str(photographs.path(name)))
    rows = [f'"row-{n}","{where(name)}","{thing},all","{{\'n\': {n}}}","{n}.5,45.25"' for n, (name, thing) in enumerate(pictures.items())]
    path = write_csv(tmp_path / "rows.csv", '"inputid","input","concepts","metadata","geopoints"', rows)
    dataset.upload_from_csv(path, input_type="image", csv_type=csv_type, labels=True, batch_size=3)
    assert ids(dataset) == [f"row-{n}" for n in range(len(pictures))]
    one = inputs.get_input("row-1")
    assert sorted(c.id for c in one.data.concepts) == sorted([list(pictures.values())[1], "all"])
    assert dict(one.data.metadata) == {"n": 1.0}
    assert (one.data.geo.geo_point.longitude, one.data.geo.geo_point.latitude) == (1.5, 45.25)


def test_texts_in_a_csv_file_are_uploaded(inputs, dataset, tmp_path):
    path = write_csv(tmp_path / "texts.csv", '"inputid","input","concepts"', ['"t-1","good, really","praise"', '"t-2","bad","blame"'])
    dataset.upload_from_csv(path, input_type="text", csv_type="raw", labels=True)
    assert ids(dataset) == ["t-1", "t-2"]
    assert concepts_of(inputs, "t-1") == ["praise"]


def test_a_csv_row_that_cannot_be_fetched_does_not_stop_the_others(dataset, pictures, tmp_path):
    good = next(iter(pictures))
    rows = [f'"good","{PHOTOS_URL}/{good}"', f'"bad","{PHOTOS_URL}/there-is-no-such.jpg"']
    path = write_csv(tmp_path / "rows.csv", '"inputid","input"', rows)
    dataset.upload_from_csv(path, input_type="image", csv_type="url", labels=False)
    assert ids(dataset) == ["good"]


def test_the_imagenet_loader(inputs, dataset, pictures, tmp_path):
    (tmp_path / "LOC_synset_mapping.txt").write_text("n001 first thing\nn002 other\n")
    for synset, name in zip(("n001", "n002"), pictures):
        folder = tmp_path / "train" / synset
        folder.mkdir(parents=True)
        shutil.copy(photographs.path(name), folder / f"{synset}_7{photographs.path(name).suffix}")
    dataset.upload_dataset(ImageNetDataLoader(str(tmp_path)))
    assert ids(dataset) == ["collection-n001_7", "collection-n002_7"]
    assert concepts_of(inputs, "collection-n001_7") == ["firstthing"]


def test_loaders_of_boxes_polygons_and_texts(app, inputs, pictures):
    first, second = [str(photographs.path(name)) for name in list(pictures)[:2]]
    boxed = app.create_dataset("boxed")
    boxed.upload_dataset(Rows("visual_detection", [
        VisualDetectionFeatures(first, ["a", "b"], [[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 1.0, 1.0]], id=1),
        VisualDetectionFeatures(second, ["a"], [[0.5, 0.5, 0.75, 1.0]], id=2, metadata={"kind": "second"})]))
    assert ids(boxed) == ["boxed-1", "boxed-2"]
    assert sorted(concept for concept, _ in boxes_of(inputs, "boxed-1")) == ["a", "b"]
    (_, info), = boxes_of(inputs, "boxed-2")
    assert (info.bounding_box.left_col, info.bounding_box.right_col) == (0.5, 0.75)
    outlined = app.create_dataset("outlined")
    outlined.upload_dataset(Rows("visual_segmentation", [
        VisualSegmentationFeatures(first, ["a"], [[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]], id=1)]))
    (_, info), = boxes_of(inputs, "outlined-1")
    assert len(info.polygon.points) == 3
    said = app.create_dataset("said")
    said.upload_dataset(Rows("text_classification", [TextFeatures("fine words", ["kind"], id=1)]))
    assert concepts_of(inputs, "said-1") == ["kind"]
    mixed = app.create_dataset("mixed")
    mixed.upload_dataset(Rows("multimodal_dataset", [
        MultiModalFeatures("words only", None, ["w"], id=1), MultiModalFeatures(None, photographs.path(list(pictures)[2]).read_bytes(), ["p"], id=2)]))
    assert ids(mixed) == ["mixed-1", "mixed-2"]
    assert sorted(one.id for one in app.list_datasets()) == ["boxed", "mixed", "outlined", "said"]


def filled(dataset, pictures):
    """Three photographs: labelled, boxed and with metadata."""
    files = [str(photographs.path(name)) for name in pictures]
    dataset.upload_dataset(Rows("visual_detection", [
        VisualDetectionFeatures(files[0], ["a"], [[0.0, 0.25, 0.5, 0.5]], id=1),
        VisualDetectionFeatures(files[1], [], [], id=2, metadata={"kind": "second"}),
        VisualDetectionFeatures(files[2], ["b"], [[0.0, 0.0, 1.0, 1.0]], id=3)]))
    return ["collection-1", "collection-2", "collection-3"]


def test_datasets_are_patched_merged_and_deleted(app, dataset, pictures):
    everything = filled(dataset, pictures)
    app.patch_dataset("collection", notes="read me")
    assert app.dataset("collection").dataset_info.id == "collection"
    other = app.create_dataset("other")
    other.merge_dataset("collection")
    assert ids(other) == everything
    app.delete_dataset("other")
    assert [one.id for one in app.list_datasets()] == ["collection"]
    with pytest.raises(Exception, match="does not exist"):
        app.dataset("other")


def test_a_version_stays_as_it_was_and_is_exported(inputs, dataset, pictures, tmp_path):
    everything = filled(dataset, pictures)
    version = dataset.create_version(description="the first")
    inputs.delete_inputs([inputs.get_input("collection-3")])
    assert ids(dataset) == everything[:2]
    assert [one.version.id for one in dataset.list_versions()] == [version.version.id]
    by_id = {one.id: one for one in version}
    assert sorted(by_id) == everything, "an iteration over a version reads its exported archive"
    (region,) = by_id["collection-1"].data.regions
    assert region.data.concepts[0].id == "a"
    assert region.region_info.bounding_box.bottom_row == 0.5
    assert by_id["collection-2"].data.metadata["kind"] == "second"
    dataset.delete_version(version.version.id)
    assert list(dataset.list_versions()) == []


def test_an_export_lies_on_disk_as_pictures_and_labels(dataset, pictures, tmp_path):
    everything = filled(dataset, pictures)
    version = dataset.create_version()
    target = tmp_path / "export.zip"
    version.export(str(target), split="train")
    with zipfile.ZipFile(target) as archive:
        names = archive.namelist()
        assert sorted(n for n in names if "/inputs/" in n) == [f"train/inputs/{one}.png" for one in everything]
        labels = json.loads(archive.read("train/annotations/collection-1.json"))
    assert any(entry.get("regionInfo", {}).get("boundingBox", {}).get("topRow") == 0.25 for entry in labels), labels
