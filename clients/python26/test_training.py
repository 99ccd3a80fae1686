"""Training through PyPI `clarifai` 2.6.2: labelled photographs, a model, its training as the client waits for it, its predictions."""
import photographs

TRAINED = 21100
CARS, ANIMALS = ["motorcycle_left.png", "motorcycle_right.png", "double_decker_bus.jpg"], ["cat.png", "dog.png", "squirrel.jpg"]


def test_a_model_learns_from_labelled_photographs_and_predicts(app):
    for name in CARS + ANIMALS:
        said, other = ("vehicle", "animal") if name in CARS else ("animal", "vehicle")
        path = str(photographs.path(name))
        app.inputs.create_image_from_filename(path, image_id=name, concepts=[said], not_concepts=[other])
    model = app.models.create("things", concepts=["vehicle", "animal"], concepts_mutually_exclusive=True)
    # The client asks until the model is trained; the inputs may still be on their way when it begins.
    model = model.train()
    assert model.model_status_code == TRAINED
    assert model.get_info()["model"]["model_version"]["id"] == model.model_version
    for name, expected in (("motorcycle_left.png", "vehicle"), ("dog.png", "animal")):
        answer = model.predict_by_filename(str(photographs.path(name)))
        found = answer["outputs"][0]["data"]["concepts"]
        assert found[0]["id"] == expected and found[0]["value"] > found[1]["value"], (name, found)
    only = model.predict_by_filename(str(photographs.path("cat.png")), max_concepts=1, min_value=0.1)
    assert [concept["id"] for concept in only["outputs"][0]["data"]["concepts"]] == ["animal"]
    assert len(model.list_versions()["model_versions"]) == 2


def test_a_training_may_be_asked_for_without_waiting_and_ends_well_without_data(app):
    model = app.models.create("nothing", concepts=["unicorn"])
    asked = model.train(sync=False)
    assert asked["model"]["model_version"]["status"]["code"] in (21103, 21101, TRAINED)
    assert app.models.get(model_id="nothing").train().model_status_code == TRAINED
