"""What PyPI `clarifai` 2.6.2 does with workflows: lists them, gets them, and runs them over images."""
import os

PHOTOS = os.environ["OCELLUS_TEST_PHOTOS_URL"]


def test_public_workflows_are_listed_with_their_models(app):
    public = {workflow.wf_id: workflow for workflow in app.workflows.get_all(public_only=True)}
    assert {"General", "Universal", "Empty"} <= public.keys()
    general = public["General"].dict()
    assert general["nodes"][0]["model"]["id"] == "aaa03c23b3724a16a56b629203edc62c"
    assert list(app.workflows.get_all()) == []
    assert app.workflows.get("General").wf_id == "General"


def test_a_workflow_answers_for_each_image_with_each_node(app):
    workflow = app.workflows.get("General")
    answer = workflow.predict_by_url(f"{PHOTOS}/dog.png", max_concepts=3)
    assert answer["status"]["code"] == 10000
    concepts, vector = answer["results"][0]["outputs"]
    assert len(concepts["data"]["concepts"]) == 3
    assert len(vector["data"]["embeddings"]) == 1
