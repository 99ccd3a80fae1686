"""Inputs and annotations through PyPI `clarifai` 12.x: every way of putting them in, patching, listing, taking out."""
import os

import pytest
from google.protobuf.struct_pb2 import Struct

import photographs

PHOTOS_URL = os.environ["OCELLUS_TEST_PHOTOS_URL"]


def struct(**values):
    made = Struct()
    made.update(values)
    return made


@pytest.fixture
def one(inputs, pictures, wait_for):
    """An image input, processed."""
    name = next(iter(pictures))
    inputs.upload_from_file("one", image_file=str(photographs.path(name)), labels=["kept"])
    wait_for("one")
    return name


def test_urls_files_bytes_and_texts_become_inputs(app, inputs, pictures, wait_for):
    by_url, by_file, by_bytes = list(pictures)[:3]
    job_id, answer = inputs.upload_from_url("by-url", image_url=f"{PHOTOS_URL}/{by_url}", geo_info=[13.5, 52.25])
    assert job_id and [i.id for i in answer.inputs] == ["by-url"]
    inputs.upload_from_file("by-file", image_file=str(photographs.path(by_file)), labels=["red", "round"], label_ids=["r-1", "r-2"])
    inputs.upload_from_bytes("by-bytes", image_bytes=photographs.path(by_bytes).read_bytes(), metadata=struct(lens="50 mm", n=3))
    inputs.upload_text("by-text", raw_text="a short sentence", labels=["remark"])
    wait_for("by-url", "by-file", "by-bytes", "by-text")
    place = inputs.get_input("by-url").data.geo.geo_point
    assert (place.longitude, place.latitude) == (13.5, 52.25)
    assert {c.id: (c.name, c.value) for c in inputs.get_input("by-file").data.concepts} == {"r-1": ("red", 1.0), "r-2": ("round", 1.0)}
    assert dict(inputs.get_input("by-bytes").data.metadata) == {"lens": "50 mm", "n": 3.0}
    assert [c.id for c in inputs.get_input("by-text").data.concepts] == ["remark"]
    assert app.get_input_count() == 4


def test_a_job_counts_what_became_of_its_inputs(inputs, pictures):
    good = inputs.get_input_from_file("good", image_file=str(photographs.path(next(iter(pictures)))))
    bad = inputs.get_input_from_bytes("bad", image_bytes=b"this is no picture at all")
    job_id, _ = inputs.upload_inputs([good, bad], show_log=False)
    assert inputs._wait_for_inputs(job_id)
    assert inputs.get_input("good").status.code == 30000
    assert inputs.get_input("bad").status.code not in (30000, 30001)


def test_a_failed_upload_is_told_and_put_aside(inputs, pictures):
    good = inputs.get_input_from_file("good", image_file=str(photographs.path(next(iter(pictures)))))
    bad = inputs.get_input_from_bytes("bad", image_bytes=b"this is no picture at all")
    assert [one.id for one in inputs._upload_batch([good, bad])] == ["bad"]
    assert [one.id for one in inputs.list_inputs()] == ["good"]


def test_inputs_are_patched_listed_by_kind_and_deleted(inputs, one, wait_for):
    inputs.upload_text("text", raw_text="words")
    wait_for("text")
    patch = inputs.get_input_from_url("one", image_url="http://unused.invalid", labels=["more"], metadata=struct(seen=True))
    patch.data.ClearField("image")
    inputs.patch_inputs([patch], action="merge")
    assert sorted(c.id for c in inputs.get_input("one").data.concepts) == ["kept", "more"]
    assert dict(inputs.get_input("one").data.metadata) == {"seen": True}
    inputs.patch_inputs([patch], action="overwrite")
    assert [c.id for c in inputs.get_input("one").data.concepts] == ["more"]
    patch.data.ClearField("metadata")
    inputs.patch_inputs([patch], action="remove")
    assert not inputs.get_input("one").data.concepts
    assert [i.id for i in inputs.list_inputs(input_type="image")] == ["one"]
    assert [i.id for i in inputs.list_inputs(input_type="text")] == ["text"]
    assert len(list(inputs.list_inputs(page_no=2, per_page=1))) == 1
    inputs.delete_inputs(list(inputs.list_inputs(input_type="text")))
    assert [i.id for i in inputs.list_inputs()] == ["one"]


def test_what_was_put_in_comes_back_byte_for_byte(inputs, one):
    assert inputs.download_inputs([inputs.get_input("one")]) == [photographs.path(one).read_bytes()]


def test_boxes_and_polygons_are_kept_patched_and_deleted(inputs, one):
    box = inputs.get_bbox_proto("one", "Wheel", [0.125, 0.25, 0.5, 0.75], label_id="wheel", annot_id="a-box")
    mask = inputs.get_mask_proto("one", "sky", [[0.0, 0.0], [1.0, 0.0], [1.0, 0.5]], annot_id="a-mask")
    assert inputs.upload_annotations([box, mask], show_log=False) == []
    found = {a.id: a for a in inputs.list_annotations(batch_input=[inputs.get_input("one")])}
    assert {"a-box", "a-mask"} <= set(found)
    corners = found["a-box"].data.regions[0].region_info.bounding_box
    assert (corners.left_col, corners.top_row, corners.right_col, corners.bottom_row) == (0.125, 0.25, 0.5, 0.75)
    assert found["a-box"].data.regions[0].data.concepts[0].id == "wheel"
    assert [(p.col, p.row) for p in found["a-mask"].data.regions[0].region_info.polygon.points] == [(0, 0), (1, 0), (1, 0.5)]
    moved = inputs.get_bbox_proto("one", "Wheel", [0.25, 0.25, 0.5, 0.75], label_id="wheel", annot_id="a-box")
    inputs.patch_annotations([moved], action="overwrite")
    found = {a.id: a for a in inputs.list_annotations()}
    assert found["a-box"].data.regions[0].region_info.bounding_box.left_col == 0.25
    inputs.delete_annotations(["one", "one"], ["a-box", "a-mask"])
    assert not {"a-box", "a-mask"} & {a.id for a in inputs.list_annotations()}


def test_an_annotation_of_an_unknown_input_is_handed_back_for_a_retry(inputs):
    box = inputs.get_bbox_proto("nobody", "wheel", [0.1, 0.1, 0.5, 0.5])
    assert inputs.upload_annotations([box], show_log=False) == [box]
