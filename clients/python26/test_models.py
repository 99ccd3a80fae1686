"""What PyPI `clarifai` 2.6.2 does with models of one's own, training apart: made, found, changed, listed, deleted."""
import pytest
from clarifai.errors import ApiError

UNTRAINED = 21102


def test_a_model_is_made_changed_and_deleted(app):
    model = app.models.create("pets", model_name="Pets", concepts=["cat", "dog"], concepts_mutually_exclusive=True)
    assert (model.model_id, model.model_name, model.concepts_mutually_exclusive) == ("pets", "Pets", True)
    assert model.get_concept_ids() == ["cat", "dog"]
    model = model.add_concepts(["bird", "cat"])
    assert model.get_concept_ids() == ["cat", "dog", "bird"]
    model = model.delete_concepts(["dog"])
    assert model.get_concept_ids() == ["cat", "bird"]
    model = model.merge_concepts(["cow"], overwrite=True)
    assert model.get_concept_ids() == ["cow"]
    model = model.update(model_name="Animals", closed_environment=True)
    assert (model.model_name, model.concepts_mutually_exclusive, model.closed_environment) == ("Animals", True, True)
    info = model.get_info(verbose=True)["model"]
    assert info["model_version"]["status"]["code"] == UNTRAINED
    assert [c["id"] for c in info["output_info"]["data"]["concepts"]] == ["cow"]
    versions = model.list_versions()["model_versions"]
    assert [v["active_concept_count"] for v in versions] == [1]
    version = versions[0]["id"]
    assert model.get_version(version)["model_version"]["id"] == version
    model.delete_version(version)
    with pytest.raises(ApiError) as gone:
        model.get_version(version)
    assert gone.value.error_code == 11101
    app.models.delete("pets")
    with pytest.raises(ApiError):
        app.models.get(model_id="pets").get_info()


def test_own_models_are_listed_and_found_with_the_public_ones(app):
    for name in ("first", "second", "third"):
        app.models.create(name)
    ids = [model.model_id for model in app.models.get_all()]
    assert ids[:3] == ["first", "second", "third"] and len(ids) > 3
    assert [m.model_id for m in app.models.get_by_page(page=1, per_page=2)] == ["first", "second"]
    assert [m.model_id for m in app.models.search("*ir*")] == ["first", "third"]
    assert {m.model_name for m in app.models.search("general*")} >= {"general-v1.3"}
    with pytest.raises(ApiError) as untrained:
        app.models.get(model_id="first").predict_by_url("https://example.com/a.jpg")
    assert untrained.value.error_code == UNTRAINED
    with pytest.raises(ApiError) as twice:
        app.models.create("first")
    assert twice.value.error_code == 21202
    app.models.bulk_delete(["first", "second"])
    app.models.delete_all()
    assert all(model.app_id in ("", "main") for model in app.models.get_all())
