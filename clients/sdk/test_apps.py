"""Users, apps and concepts through PyPI `clarifai` 12.x."""
import os
import uuid

import pytest
from clarifai.client.app import App
from clarifai.client.user import User

URL, USER = os.environ["OCELLUS_TEST_URL"], os.environ["OCELLUS_TEST_USER"]


def test_the_environment_alone_points_the_sdk_here(user, monkeypatch):
    monkeypatch.setenv("CLARIFAI_API_BASE", URL)
    monkeypatch.setenv("CLARIFAI_PAT", os.environ["OCELLUS_TEST_PAT"])
    monkeypatch.setenv("CLARIFAI_USER_ID", USER)
    by_environment = User(base_url="")
    assert [a.id for a in by_environment.list_apps()] == [a.id for a in user.list_apps()]


def test_tls_with_a_certificate_of_ones_own():
    secure = User(user_id=USER, pat=os.environ["OCELLUS_TEST_PAT"], base_url=f"https://{os.environ['OCELLUS_TEST_TLS']}",
                  root_certificates_path=os.environ["OCELLUS_TEST_CERT"])
    assert secure.get_user_info().user.id == USER


def test_a_user_reads_who_they_are(user):
    assert user.get_user_info().user.id == USER
    assert user.get_user_info("clarifai").user.id == "clarifai"
    with pytest.raises(Exception, match="does not exist"):
        user.get_user_info("nobody-at-all")


def test_an_app_is_made_read_patched_listed_and_deleted(user):
    app_id = f"app-{uuid.uuid4().hex[:12]}"
    made = user.create_app(app_id, description="before")
    assert made.id == app_id and made.user_id == USER
    assert user.app(app_id).description == "before"
    user.patch_app(app_id, description="after", notes="written down")
    again = user.app(app_id)
    assert (again.description, again.notes) == ("after", "written down")
    assert app_id in [one.id for one in user.list_apps()]
    assert len(list(user.list_apps(page_no=1, per_page=1))) == 1
    user.delete_app(app_id)
    with pytest.raises(Exception, match="does not exist"):
        user.app(app_id)


def test_a_second_app_of_the_same_id_is_refused(user, app):
    with pytest.raises(Exception, match="(?i)duplicate|exist"):
        user.create_app(app.id)


def test_another_users_app_cannot_be_written(user):
    with pytest.raises(Exception):
        User(user_id="clarifai", pat=user.pat, base_url=URL).create_app("mine")
    with pytest.raises(Exception):
        App(user_id="clarifai", app_id="main", pat=user.pat, base_url=URL).create_concepts(["mine"])


def test_a_wrong_key_is_told_so():
    with pytest.raises(Exception, match="(?i)invalid api key"):
        User(user_id=USER, pat="f" * 32, base_url=URL).get_user_info()


def test_concepts_and_their_relations(app, inputs):
    app.create_concepts(["cat", "feline", "tom"], ["Cat", "Feline", "Tom"])
    assert {c.id: c.name for c in app.list_concepts()} == {"cat": "Cat", "feline": "Feline", "tom": "Tom"}
    assert len(list(app.list_concepts(page_no=2, per_page=2))) == 1
    inputs.patch_concepts(["tom"], ["Tomcat"])
    assert {c.id: c.name for c in app.list_concepts()}["tom"] == "Tomcat"
    app.create_concept_relations("cat", ["feline", "tom"], ["hypernym", "synonym"])
    found = {(r.object_concept.id, r.predicate) for r in app.search_concept_relations(concept_id="cat")}
    assert found == {("feline", "hypernym"), ("tom", "synonym")}
    only = list(app.search_concept_relations(concept_id="cat", predicate="hypernym"))
    assert [r.object_concept.id for r in only] == ["feline"]
    app.delete_concept_relations("cat", [only[0].id])
    assert [r.object_concept.id for r in app.search_concept_relations(concept_id="cat")] == ["tom"]
    app.delete_concept_relations("cat")
    assert list(app.search_concept_relations(concept_id="cat")) == []
    with pytest.raises(Exception, match="(?i)duplicate"):
        app.create_concepts(["cat"])


def test_the_vendors_models_are_listed(user):
    models = user.list_models(user_id="clarifai", app_id="main", show=False)
    kinds = {m["id"]: m["model_type"] for m in models}
    assert kinds["aaa03c23b3724a16a56b629203edc62c"] == "visual-classifier"
    assert "visual-embedder" in kinds.values()
