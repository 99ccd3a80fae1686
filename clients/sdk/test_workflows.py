"""Workflows through PyPI `clarifai` 12.x: made from a file, listed, run, changed, exported and deleted."""
import os

import pytest

PHOTOS = os.environ["OCELLUS_TEST_PHOTOS_URL"]

CONFIG = """
workflow:
  id: sure
  nodes:
    - id: see
      model:
        model_id: aaa03c23b3724a16a56b629203edc62c
        user_id: clarifai
        app_id: main
    - id: threshold
      model:
        model_id: likely
        model_type_id: concept-thresholder
        output_info:
          params:
            threshold: 0.3
      node_inputs:
        - node_id: see
"""


def test_a_workflow_is_made_from_a_file_run_changed_and_deleted(app, tmp_path):
    config = tmp_path / "sure.yml"
    config.write_text(CONFIG)
    made = app.create_workflow(str(config), display=False)
    assert made.id == "sure"
    assert [workflow.id for workflow in app.list_workflows()] == ["sure"]
    workflow = app.workflow("sure")
    answer = workflow.predict_by_url(f"{PHOTOS}/dog.png", input_type="image")
    see, likely = answer.results[0].outputs
    assert len(see.data.concepts) == 20
    assert likely.data.concepts and all(concept.value >= 0.3 for concept in likely.data.concepts)
    assert len(list(workflow.list_versions())) == 1
    exported = tmp_path / "exported.yml"
    workflow.export(str(exported))
    assert "likely" in exported.read_text()
    app.patch_workflow("sure", action="overwrite", description="what is sure")
    assert app.workflow("sure").description == "what is sure"
    app.delete_workflow("sure")
    with pytest.raises(Exception, match="(?i)not exist|not found"):
        app.workflow("sure")
