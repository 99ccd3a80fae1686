"""What the suites of the Python client of 2019 share: the client on an app of its own."""
import os
import uuid

import pytest
import requests
from clarifai.rest import ClarifaiApp

URL, USER = os.environ["OCELLUS_TEST_URL"], os.environ["OCELLUS_TEST_USER"]
PAT = {"Authorization": f"Key {os.environ['OCELLUS_TEST_PAT']}"}


@pytest.fixture(scope="module")
def app():
    """The client with the key of a new app."""
    app_id = f"app-{uuid.uuid4().hex[:12]}"
    requests.post(f"{URL}/v2/users/{USER}/apps", json={"apps": [{"id": app_id}]}, headers=PAT).raise_for_status()
    key = {"description": "python 2.6.2", "scopes": ["All"], "apps": [{"id": app_id, "user_id": USER}]}
    made = requests.post(f"{URL}/v2/users/{USER}/keys", json={"keys": [key]}, headers=PAT)
    made.raise_for_status()
    yield ClarifaiApp(api_key=made.json()["keys"][0]["id"], base_url=URL)
    requests.delete(f"{URL}/v2/users/{USER}/apps/{app_id}", headers=PAT).raise_for_status()
