"""Everything that PyPI `clarifai` 2.6.2 can do with data: inputs, concepts, every search, feedback, lists by iterator and page."""
import base64
import io
import os
import uuid

import pytest
from clarifai.errors import ApiError
from clarifai.rest import (
    Concept, FeedbackInfo, FeedbackType, Geo, GeoBox, GeoLimit, GeoPoint, Image, InputSearchTerm, OutputSearchTerm,
    Region, RegionInfo, BoundingBox, SearchQueryBuilder)

import harness
import photographs

PHOTOS_URL = os.environ["OCELLUS_TEST_PHOTOS_URL"]


@pytest.fixture(scope="module")
def collection(app):
    """A dozen photographs: numbered, labelled odd and not even (or the reverse), each on a place of its own."""
    names = photographs.collection()[:12]
    images = [
        Image(filename=str(photographs.path(name)), image_id=name, concepts=["odd" if n % 2 else "even", f"number {n}"],
              not_concepts=["even" if n % 2 else "odd"], metadata={"n": n, "deep": {"list": [n, "x"]}}, geo=Geo(GeoPoint(n * 10, 40)))
        for n, name in enumerate(names)]
    made = app.inputs.bulk_create_images(images)
    assert [one.input_id for one in made] == names
    harness.wait_until(lambda: app.inputs.check_status().processed >= len(names), "every input processed")
    return names


def ids(images):
    return [image.input_id for image in images]


@pytest.fixture
def one(app, collection):
    """An input to change."""
    made = app.inputs.create_image(Image(filename=str(photographs.path(collection[0])), image_id=f"one-{uuid.uuid4().hex[:8]}"))
    yield made.input_id
    app.inputs.delete(made.input_id)


# Inputs

def test_inputs_are_listed_by_iterator_and_by_page(app, collection):
    assert sorted(ids(app.inputs.get_all())) == sorted(collection)
    pages = [ids(app.inputs.get_by_page(page=n, per_page=5)) for n in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [5, 5, 2, 0]
    assert sorted(sum(pages, [])) == sorted(collection)


def test_an_input_is_what_was_said_of_it(app, collection):
    image = app.inputs.get(collection[3])
    assert sorted(image.concepts) == ["number 3", "odd"] and image.not_concepts == ["even"]
    assert image.metadata == {"n": 3, "deep": {"list": [3, "x"]}}
    assert (image.geo.geo_point.longitude, image.geo.geo_point.latitude) == (30, 40)
    assert image.url


@pytest.mark.parametrize("how", ["bytes", "file object", "base64", "crop", "no id"])
def test_every_way_to_add_an_image(app, collection, how):
    path = photographs.path(collection[1])
    if how == "bytes":
        made = app.inputs.create_image_from_bytes(path.read_bytes(), concepts=["added"])
    elif how == "file object":
        made = app.inputs.create_image(Image(file_obj=io.BytesIO(path.read_bytes()), concepts=["added"]))
    elif how == "base64":
        made = app.inputs.create_image_from_base64(base64.b64encode(path.read_bytes()), concepts=["added"])
    elif how == "crop":
        made = app.inputs.create_image_from_filename(str(path), crop=[0.1, 0.2, 0.9, 0.8], concepts=["added"])
    else:
        made = app.inputs.create_image_from_url(f"{PHOTOS_URL}/{collection[1]}", concepts=["added"], allow_duplicate_url=True)
    assert made.input_id and made.concepts == ["added"]
    app.inputs.delete(made.input_id)
    with pytest.raises(ApiError) as gone:
        app.inputs.get(made.input_id)
    assert gone.value.error_code == 11101


def test_concepts_are_added_merged_overwritten_and_taken_away(app, one):
    added = app.inputs.add_concepts(one, ["a", "b"], ["c"])
    assert (sorted(added.concepts), added.not_concepts) == (["a", "b"], ["c"])
    merged = app.inputs.merge_concepts(one, ["d"], ["a"])
    assert (sorted(merged.concepts), sorted(merged.not_concepts)) == (["b", "d"], ["a", "c"])
    assert app.inputs.merge_concepts(one, ["e"], overwrite=True).concepts == ["e"]
    assert not app.inputs.delete_concepts(one, ["e"]).concepts
    (both,) = app.inputs.bulk_merge_concepts([one], [[("f", True), ("g", False)]])
    assert (both.concepts, both.not_concepts) == (["f"], ["g"])
    (fewer,) = app.inputs.bulk_delete_concepts([one], [["f", "g"]])
    assert not fewer.concepts and not fewer.not_concepts


def test_metadata_is_merged_and_overwritten(app, one):
    assert app.inputs.merge_metadata(one, {"a": 1, "b": {"c": 2}}).metadata == {"a": 1, "b": {"c": 2}}
    assert app.inputs.merge_metadata(one, {"b": {"d": 3}}).metadata == {"a": 1, "b": {"c": 2, "d": 3}}
    assert app.inputs.update(Image(image_id=one, metadata={"e": 5}), action="overwrite").metadata == {"e": 5}


def test_regions_of_a_new_input_are_shown(app, collection):
    region = Region(RegionInfo(bbox=BoundingBox(0.25, 0.125, 0.5, 0.75)), concepts=[Concept(concept_id="spot")])
    app.inputs.create_image(Image(filename=str(photographs.path(collection[0])), image_id="with-region", regions=[region]))
    # The client's own reading of an answer leaves the concepts of a region out.
    (stored,) = app.api.get_input("with-region")["input"]["data"]["regions"]
    assert stored["data"]["concepts"][0]["id"] == "spot"
    assert app.inputs.get("with-region").regions[0].region_info.bbox.top_row == 0.25
    assert stored["region_info"]["bounding_box"] == {"top_row": 0.25, "left_col": 0.125, "bottom_row": 0.5, "right_col": 0.75}
    app.inputs.delete("with-region")


def test_a_batch_with_one_bad_input_keeps_the_good_one(app, collection):
    name = collection[2]
    good, bad = app.inputs.bulk_create_images([Image(filename=str(photographs.path(name)), image_id="batch-good"),
                                               Image(filename=str(photographs.path(name)), image_id=name)])
    assert good.status.code in (30000, 30001) and bad.status.code == 30100
    assert app.inputs.get("batch-good").input_id == "batch-good"
    app.inputs.delete("batch-good")


# Concepts

def test_concepts_are_made_renamed_and_listed(app, collection):
    made = app.concepts.bulk_create(["c-1", "c-2"], ["first", "second"])
    assert [(c.concept_id, c.concept_name) for c in made] == [("c-1", "first"), ("c-2", "second")]
    assert app.concepts.update("c-1", "third").concept_name == "third"
    assert [c.concept_name for c in app.concepts.bulk_update(["c-1", "c-2"], ["x", "y"])] == ["x", "y"]
    everything = {c.concept_id: c.concept_name for c in app.concepts.get_all()}
    assert (everything["c-1"], everything["odd"]) == ("x", "odd")
    assert len(app.concepts.get_by_page(page=1, per_page=3)) == 3
    with pytest.raises(ApiError) as unknown:
        app.concepts.get("there is no such")
    assert unknown.value.response.status_code == 404
    with pytest.raises(ApiError) as public:
        app.concepts.update("ai_98Xb0K3q", "mine now")
    assert public.value.response.status_code in (400, 404)


def test_concepts_are_searched_by_pattern_and_language(app, collection):
    found = [c.concept_name for c in app.concepts.search("numb*")]
    assert {f"number {n}" for n in range(12)} <= set(found)
    assert "dog" in [c.concept_name for c in app.concepts.search("dog")]
    assert "train" in [c.concept_name for c in app.concepts.search("tra*")] + [c.concept_name for c in app.concepts.search("train*")]
    japanese = [c.concept_name for c in app.concepts.search("犬*", lang="ja")]
    assert all(name.startswith("犬") for name in japanese)


# Searches

def test_searches_by_what_users_said(app, collection):
    odd = sorted(collection[1::2])
    said = app.inputs.search_by_annotated_concepts
    assert sorted(ids(said(concept="odd"))) == odd
    assert sorted(ids(said(concept_id="odd", value=True))) == odd
    assert sorted(ids(said(concept="even", value=False))) == odd
    assert ids(said(concepts=["odd", "number 3"], values=[True, True])) == [collection[3]]
    assert ids(said(concept_ids=["odd", "number 2"], values=[True, True])) == []
    assert all(hit.score == pytest.approx(1.0) for hit in said(concept="odd"))
    assert [len(said(concept="odd", page=n, per_page=4)) for n in (1, 2, 3)] == [4, 2, 0]
    raw = said(concept="odd", raw=True)
    assert raw["status"]["code"] == 10000 and len(raw["hits"]) == 6


def test_searches_by_what_the_model_saw(app, collection):
    name, names = photographs.recognisable()[0]
    assert any(name in ids(app.inputs.search_by_predicted_concepts(concept=word))[:5] for word in names)
    seen = app.inputs.get_by_page() and app.public_models.general_model.predict_by_filename(str(photographs.path(name)))
    best = seen["outputs"][0]["data"]["concepts"][0]
    assert name in ids(app.inputs.search_by_predicted_concepts(concept_id=best["id"]))
    assert name not in ids(app.inputs.search_by_predicted_concepts(concept=best["name"], value=False))


def test_searches_by_metadata_address_and_place(app, collection):
    assert ids(app.inputs.search_by_metadata({"n": 4})) == [collection[4]]
    assert ids(app.inputs.search_by_metadata({"deep": {"list": [5]}})) == [collection[5]]
    assert len(app.inputs.search_by_metadata({"deep": {"list": ["x"]}})) == 12
    before = app.inputs.check_status().processed
    by_url = app.inputs.create_image_from_url(f"{PHOTOS_URL}/{collection[6]}", allow_duplicate_url=True)
    harness.wait_until(lambda: app.inputs.check_status().processed > before, "the input processed")
    assert ids(app.inputs.search_by_original_url(f"{PHOTOS_URL}/{collection[6]}")) == [by_url.input_id]
    app.inputs.delete(by_url.input_id)
    near = app.inputs.search_by_geo
    assert ids(near(GeoPoint(30.1, 40), GeoLimit("mile", 10))) == [collection[3]]
    assert ids(near(GeoPoint(30.1, 40), GeoLimit("kilometer", 5))) == []
    assert ids(near(GeoPoint(30.1, 40), GeoLimit("degree", 1))) == [collection[3]]
    assert sorted(ids(near(GeoPoint(30, 40), GeoLimit("radian", 0.14)))) == sorted(collection[2:5])
    assert sorted(ids(near(geo_box=GeoBox(GeoPoint(15, 30), GeoPoint(45, 50))))) == sorted(collection[2:5])


@pytest.mark.parametrize("how", ["image", "imgbytes", "fileobj", "crop"])
def test_searches_by_likeness(app, collection, how):
    name = collection[0]
    content = photographs.path(name).read_bytes()
    found = app.inputs.search_by_image(
        **{"image": {"image": Image(base64=base64.b64encode(content))}, "imgbytes": {"imgbytes": content},
           "fileobj": {"fileobj": io.BytesIO(content)}, "crop": {"imgbytes": content, "crop": [0.0, 0.0, 1.0, 1.0]}}[how])
    assert found[0].input_id == name and len(found) == 12


def test_a_query_of_many_terms(app, collection):
    query = SearchQueryBuilder()
    query.add_term(OutputSearchTerm(input_id=collection[0]))
    query.add_term(InputSearchTerm(concept="odd"))
    query.add_term(InputSearchTerm(metadata={"deep": {"list": ["x"]}}))
    query.add_term(InputSearchTerm(geo=Geo(geo_box=GeoBox(GeoPoint(-5, 30), GeoPoint(65, 50)))))
    hits = app.inputs.search(query)
    assert sorted(ids(hits)) == sorted([collection[1], collection[3], collection[5]])
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    query = SearchQueryBuilder()
    query.add_term(InputSearchTerm(input_id=collection[7]))
    assert ids(app.inputs.search(query)) == [collection[7]]
    query = SearchQueryBuilder(language="xx-unknown")
    query.add_term(InputSearchTerm(concept_id="odd"))
    assert len(app.inputs.search(query)) == 6


def test_a_search_of_nothing_sensible_is_refused(app):
    with pytest.raises(ApiError) as refused:
        app.inputs.search_by_geo(GeoPoint(0, 95), GeoLimit("mile", 1))
    assert refused.value.response.status_code == 400


# Feedback

def test_feedback_on_a_search_and_on_predictions_is_taken(app, collection):
    raw = app.inputs.search_by_image(image_id=collection[0], raw=True)
    click = FeedbackInfo(end_user_id="reader", session_id="s", event_type="search_click", search_id=raw["id"])
    assert app.inputs.send_search_feedback(collection[0], click)["status"]["code"] == 10000
    model = app.public_models.general_model
    output = model.predict_by_url(f"{PHOTOS_URL}/{collection[0]}")["outputs"][0]
    info = FeedbackInfo(end_user_id="reader", session_id="s", event_type="annotation", output_id=output["id"])
    told = model.send_concept_feedback(input_id=collection[0], url=f"{PHOTOS_URL}/{collection[0]}", concepts=["tree"],
                                       not_concepts=["sky"], feedback_info=info)
    assert told["status"]["code"] == 10000
    region = Region(RegionInfo(BoundingBox(0.3, 0.1, 0.5, 0.4), FeedbackType.not_detected), concepts=[Concept(concept_id="freeman")])
    told = model.send_region_feedback(input_id=collection[0], url=f"{PHOTOS_URL}/{collection[0]}", regions=[region], feedback_info=info)
    assert told["status"]["code"] == 10000


# Models

def test_models_are_listed_by_page_read_and_searched(app):
    public = list(app.models.get_all(public_only=True))
    assert len(public) >= 3 and not list(app.models.get_all(private_only=True))
    assert len(list(app.models.get_by_page(page=1, per_page=2))) == 2
    general = app.models.get("general-v1.3")
    assert general.model_id == "aaa03c23b3724a16a56b629203edc62c"
    assert app.models.get(model_id=general.model_id).get_info()["model"]["name"] == "general-v1.3"
    info = general.get_info(verbose=True)
    assert len(info["model"]["output_info"]["data"]["concepts"]) > 500
    assert {m.model_id for m in app.models.search("*general*")} >= {general.model_id}
    assert app.models.search("general*", "embed")
    versions = general.list_versions()["model_versions"]
    assert general.get_version(versions[0]["id"])["model_version"]["id"] == versions[0]["id"]
    with pytest.raises(ApiError) as unknown:
        app.models.get(model_id="0" * 32).get_info()
    assert unknown.value.response.status_code == 404


def test_public_workflows_are_listed(app):
    assert isinstance([w.wf_id for w in app.workflows.get_all(public_only=True)], list)


def test_images_are_tagged_as_in_the_oldest_scripts(app, collection):
    answer = app.tag_urls([f"{PHOTOS_URL}/{collection[0]}"])
    assert answer["outputs"][0]["data"]["concepts"]
    answer = app.tag_files([str(photographs.path(collection[0]))])
    assert answer["outputs"][0]["status"]["code"] == 10000


# At the end: it empties the app

def test_everything_is_deleted_at_once(app, collection):
    assert app.inputs.delete(collection[:3]).code == 10000
    assert len(app.inputs.get_by_page(per_page=100)) == 9
    app.inputs.delete_all()
    app.wait_until_inputs_delete_finish()
    assert list(app.inputs.get_all()) == []
