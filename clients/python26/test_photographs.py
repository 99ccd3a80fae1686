"""The main job through PyPI `clarifai` 2.6.2, the client of the 2018 API: REST with short paths and an API key."""
import base64
import os
import time
import uuid

import pytest
from clarifai.errors import ApiError
from clarifai.rest import ClarifaiApp, Geo, GeoLimit, GeoPoint, Image

import harness
import photographs

URL = os.environ["OCELLUS_TEST_URL"]
PHOTOS_URL = os.environ["OCELLUS_TEST_PHOTOS_URL"]


@pytest.fixture(scope="module")
def app():
    return ClarifaiApp(api_key=os.environ["OCELLUS_TEST_API_KEY"], base_url=URL)


@pytest.fixture(scope="module")
def collection(app):
    """Every recognisable photograph and every near pair, added by URL, file and base64 in turn."""
    added = {}
    for number, name in enumerate(photographs.collection()):
        path = photographs.path(name)
        if number % 3 == 0:
            image = app.inputs.create_image_from_url(f"{PHOTOS_URL}/{name}", image_id=name)
        elif number % 3 == 1:
            image = app.inputs.create_image_from_filename(str(path), image_id=name)
        else:
            image = app.inputs.create_image_from_base64(base64.b64encode(path.read_bytes()), image_id=name)
        added[name] = image
    assert wait_for_inputs(app).errors == 0
    return added


def wait_for_inputs(app):
    """The client's own `wait_until_inputs_upload_finish` of 2.6.2 returns at once (it waits while elapsed > max_wait)."""
    n_inputs = sum(1 for _ in app.inputs.get_all())

    def settled():
        counts = app.inputs.check_status()
        return counts if counts.processed + counts.errors == n_inputs else None
    return harness.wait_until(settled, "every input processed")


def concepts(answer):
    output = answer["outputs"][0]
    assert output["status"]["code"] == 10000
    return [c["name"] for c in output["data"]["concepts"]]


@pytest.mark.parametrize("name,names", photographs.recognisable())
def test_the_right_concept_is_among_the_top_five(app, name, names):
    answer = app.public_models.general_model.predict_by_filename(str(photographs.path(name)))
    top = concepts(answer)[:5]
    assert set(top) & set(names), f"{name}: {top} has none of {names}"


def test_url_base64_and_file_give_the_same_concepts(app):
    name = photographs.recognisable()[0][0]
    model = app.public_models.general_model
    by_file = model.predict_by_filename(str(photographs.path(name)))
    by_url = model.predict_by_url(f"{PHOTOS_URL}/{name}")
    by_base64 = model.predict_by_base64(base64.b64encode(photographs.path(name).read_bytes()))
    assert concepts(by_file) == concepts(by_url) == concepts(by_base64)


def test_options_limit_the_answer(app):
    name = photographs.recognisable()[0][0]
    model = app.public_models.general_model
    few = model.predict_by_filename(str(photographs.path(name)), max_concepts=3)
    assert len(concepts(few)) == 3
    sure = model.predict_by_filename(str(photographs.path(name)), min_value=0.2)
    assert all(c["value"] >= 0.2 for c in sure["outputs"][0]["data"]["concepts"])


def test_colours_cover_the_picture_and_have_w3c_names(app):
    name = photographs.recognisable()[0][0]
    answer = app.public_models.color_model.predict_by_filename(str(photographs.path(name)))
    colors = answer["outputs"][0]["data"]["colors"]
    assert colors and sum(c["value"] for c in colors) == pytest.approx(1.0, abs=0.01)
    for color in colors:
        assert color["raw_hex"].startswith("#") and color["w3c"]["hex"].startswith("#") and color["w3c"]["name"]


def test_the_embedding_is_a_vector_of_its_stated_length(app):
    name = photographs.recognisable()[0][0]
    answer = app.public_models.general_embedding_model.predict_by_filename(str(photographs.path(name)))
    embedding = answer["outputs"][0]["data"]["embeddings"][0]
    assert len(embedding["vector"]) == embedding["num_dimensions"] > 100


@pytest.mark.parametrize("how", ["id", "url", "file"])
def test_search_by_image_finds_the_photograph_then_its_neighbour_then_the_rest(app, collection, how):
    for first, second in photographs.near_pairs():
        if how == "id":
            hits = app.inputs.search_by_image(image_id=first, per_page=100)
        elif how == "url":
            hits = app.inputs.search_by_image(url=f"{PHOTOS_URL}/{first}", per_page=100)
        else:
            hits = app.inputs.search_by_image(filename=str(photographs.path(first)), per_page=100)
        ids = [h.input_id for h in hits]
        assert ids[0] == first, f"{first}: {ids[:3]}"
        assert ids[1] == second, f"{first}: {ids[:3]}"
        assert hits[0].score == pytest.approx(1.0, abs=1e-3)
        scores = [h.score for h in hits]
        assert scores == sorted(scores, reverse=True)
        assert len(ids) == len(collection), "every photograph is ranked"


def test_a_gps_photograph_is_found_by_place(app, collection):
    name, longitude, latitude = photographs.geotagged()[0]
    here = Geo(geo_point=GeoPoint(longitude, latitude), geo_limit=GeoLimit(limit_type="kilometer", limit_range=1))
    assert name in [h.input_id for h in app.inputs.search_by_geo(here.geo_point, here.geo_limit)]
    far = app.inputs.search_by_geo(GeoPoint(longitude + 20, latitude), GeoLimit(limit_type="kilometer", limit_range=1))
    assert name not in [h.input_id for h in far]


def test_predicted_concepts_find_the_photograph(app, collection):
    name, names = photographs.recognisable()[0]
    for concept in names:
        hits = [h.input_id for h in app.inputs.search_by_predicted_concepts(concept=concept)]
        if name in hits[:5]:
            return
    pytest.fail(f"{name} is not among the first five for any of {names}")


def test_labels_and_metadata_are_kept_searched_and_patched(app, collection):
    name = photographs.recognisable()[1][0]
    mark = uuid.uuid4().hex
    image = Image(filename=str(photographs.path(name)), image_id=f"labelled-{mark}", concepts=["kept"],
                  not_concepts=["refused"], metadata={"mark": mark, "nested": {"deep": [1, 2]}})
    made = app.inputs.create_image(image)
    assert made.input_id == f"labelled-{mark}"
    wait_for_inputs(app)
    assert [h.input_id for h in app.inputs.search_by_metadata({"mark": mark})] == [made.input_id]
    assert made.input_id in [h.input_id for h in app.inputs.search_by_annotated_concepts(concept="kept")]
    assert made.input_id in [h.input_id for h in app.inputs.search_by_annotated_concepts(concept="refused", value=False)]
    app.inputs.merge_metadata(made.input_id, {"more": True})
    again = app.inputs.get(made.input_id)
    assert again.metadata == {"mark": mark, "nested": {"deep": [1, 2]}, "more": True}
    assert sorted(again.concepts) == ["kept"] and sorted(again.not_concepts) == ["refused"]
    app.inputs.delete_concepts(made.input_id, ["kept"])
    assert not app.inputs.get(made.input_id).concepts
    app.inputs.delete(made.input_id)
    with pytest.raises(ApiError) as gone:
        app.inputs.get(made.input_id)
    assert gone.value.error_code == 11101


def test_a_duplicate_id_and_a_duplicate_url_are_refused(app, collection):
    name = photographs.collection()[0]
    with pytest.raises(ApiError):
        app.inputs.create_image_from_filename(str(photographs.path(name)), image_id=name)
    with pytest.raises(ApiError) as twice:
        app.inputs.create_image_from_url(f"{PHOTOS_URL}/{name}")
    assert twice.value.error_code in (10020, 30100)
    again = app.inputs.create_image_from_url(f"{PHOTOS_URL}/{name}", image_id=f"again-{time.time_ns()}", allow_duplicate_url=True)
    wait_for_inputs(app)
    app.inputs.delete(again.input_id)


def test_a_url_that_is_no_image_fails_with_a_reason(app):
    with pytest.raises(ApiError) as error:
        app.public_models.general_model.predict_by_url(f"{PHOTOS_URL}/there-is-no-such.jpg")
    assert error.value.error_code in (10020, 30002)
    assert "404" in str(error.value.response.json()["outputs"][0]["status"])


def test_a_bad_key_is_told_so():
    with pytest.raises(ApiError) as error:
        ClarifaiApp(api_key="0" * 32, base_url=URL).inputs.check_status()
    assert error.value.error_code in (11009, 11008)
    assert error.value.response.status_code == 401


def test_models_are_listed_and_found_by_name(app):
    assert "general-v1.3" in [m.model_name for m in app.models.search("general*")]
    ids = [m.model_id for m in app.models.get_all(public_only=True)]
    assert "aaa03c23b3724a16a56b629203edc62c" in ids and "eeed0b6733a644cea07cf4c60f87ebb7" in ids


def test_concepts_are_made_listed_and_searched(app):
    name = f"concept {uuid.uuid4().hex[:8]}"
    made = app.concepts.create(name, concept_name=name)
    assert made.concept_name == name
    assert app.concepts.get(name).concept_id == name
    assert name in [c.concept_id for c in app.concepts.get_all()]
    assert name in [c.concept_id for c in app.concepts.search(name[:-4] + "*")]
    with pytest.raises(ApiError) as twice:
        app.concepts.create(name, concept_name=name)
    assert "duplicate" in twice.value.error_details.lower() or twice.value.error_code == 40003
