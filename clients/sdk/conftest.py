"""What every test of the SDK needs: the user whose key it is, and an app of its own."""
import os
import uuid

import pytest
from clarifai.client.user import User

import harness
import photographs

URL = os.environ["OCELLUS_TEST_URL"]


@pytest.fixture(scope="session")
def user():
    """The SDK is pointed at the server by `base_url` alone; `http://` makes it speak plaintext gRPC."""
    return User(user_id=os.environ["OCELLUS_TEST_USER"], pat=os.environ["OCELLUS_TEST_PAT"], base_url=URL)


@pytest.fixture
def app(user):
    """A new app, gone after the test."""
    app_id = f"app-{uuid.uuid4().hex[:12]}"
    yield user.create_app(app_id)
    user.delete_app(app_id)
    assert app_id not in [one.id for one in user.list_apps()]


@pytest.fixture
def inputs(app):
    return app.inputs()


@pytest.fixture
def dataset(app):
    return app.create_dataset("collection")


@pytest.fixture(scope="session")
def pictures():
    """Names of a few photographs that show different things, with one thing that each shows."""
    return {name: names[0] for name, names in photographs.recognisable()[:4]}


@pytest.fixture
def wait_for(inputs):
    """Waits until every named input is processed, as the SDK does for its own uploads."""
    def waiting(*input_ids):
        def settled():
            return all(inputs.get_input(one).status.code == 30000 for one in input_ids)
        return harness.wait_until(settled, f"{input_ids} processed")
    return waiting
