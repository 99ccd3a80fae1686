"""Training through PyPI `clarifai` 12.x: settings as the client reads and writes them, its polling, and predictions."""
import pytest

import harness
import photographs

TRAINED, WAITING = 21100, (21103, 21101)


@pytest.fixture
def labelled(app, inputs):
    """An app with four photographs, two of each concept."""
    known = {"cat.png": "animal", "dog.png": "animal", "motorcycle_left.png": "vehicle", "double_decker_bus.jpg": "vehicle"}
    for name, concept in known.items():
        inputs.upload_from_file(name.split(".")[0], image_file=str(photographs.path(name)), labels=[concept])
    return app


def ended(model, version_id):
    def status():
        found = model.training_status(version_id=version_id)
        return None if found.code in WAITING else found
    return harness.wait_until(status, "the end of the training")


@pytest.mark.parametrize("model_type, template", [("visual-classifier", "frozen-features"), ("embedding-classifier", None)])
def test_a_model_is_trained_with_its_settings_and_predicts(labelled, tmp_path, model_type, template):
    model = labelled.create_model(f"m-{model_type}", model_type_id=model_type)
    if template:
        assert model.list_training_templates() == [template]
    params = model.get_params(template=template, save_to=str(tmp_path / "params.yaml"))
    assert "seed" in params["train_params"]
    model.update_params(concepts=["animal", "vehicle"], concepts_mutually_exclusive=True, seed=7)
    assert model.get_param_info("n_folds")["param"] == "n_folds"
    version_id = model.train()
    assert ended(model, version_id).code == TRAINED
    for name, expected in (("dog.png", "animal"), ("motorcycle_right.png", "vehicle")):
        answer = model.predict_by_bytes(photographs.path(name).read_bytes(), input_type="image")
        assert answer.outputs[0].data.concepts[0].id == expected, answer.outputs[0].data
    with pytest.raises(Exception, match="(?i)params"):
        model.update_params(learning_rate=1)
