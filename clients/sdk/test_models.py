"""Models of one's own through PyPI `clarifai` 12.x, training apart."""
import pytest


def test_a_model_is_made_patched_listed_and_deleted(app):
    made = app.create_model("boxes", model_type_id="visual-detector", description="finds boxes")
    assert (made.id, made.model_info.model_type_id) == ("boxes", "visual-detector")
    app.patch_model("boxes", action="merge", notes="written down", toolkits=["own"])
    again = app.model("boxes")
    again.load_info()
    assert (again.model_info.description, again.model_info.notes, list(again.model_info.toolkits)) == ("finds boxes", "written down", ["own"])
    app.create_model("words")
    assert [model.id for model in app.list_models()] == ["boxes", "words"]
    assert [model.id for model in app.list_models(filter_by={"model_type_id": "visual-detector"})] == ["boxes"]
    assert any(model.app_id == "main" for model in app.list_models(only_in_app=False))
    app.delete_model("boxes")
    with pytest.raises(Exception, match="(?i)not exist|not found"):
        app.model("boxes").load_info()


def test_versions_are_listed_patched_and_deleted(app):
    model = app.create_model("m")
    versions = list(model.list_versions())
    assert len(versions) == 1
    version = versions[0].model_info.model_version
    assert version.status.code == 21102
    model.patch_version(version.id, description="not yet")
    assert next(iter(model.list_versions())).model_info.model_version.description == "not yet"
    model.delete_version(version.id)
    assert next(iter(model.list_versions())).model_info.model_version.id != version.id


def test_an_untrained_model_says_so(app):
    model = app.create_model("m")
    with pytest.raises(Exception, match="(?i)not yet trained|not trained"):
        model.predict_by_bytes(b"x", input_type="image")
