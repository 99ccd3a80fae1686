"""Requests that the vendor's document of 2018 allows, and some that it does not, by the hundred: none may end in a 5xx, and
every answer is what the document says, as corrected by fixtures/spec/overlay-2018.json.

The draws are the same at every run. OCELLUS_FUZZ_EXAMPLES sets how many each operation gets.
"""
import functools
import json
import os
import uuid
import zlib

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode

import harness
import photographs

URL, USER = os.environ["OCELLUS_TEST_URL"], os.environ["OCELLUS_TEST_USER"]
SPEC = harness.ROOT / "fixtures" / "spec"
N_EXAMPLES = int(os.environ.get("OCELLUS_FUZZ_EXAMPLES", "12"))
PAT = {"Authorization": f"Key {os.environ['OCELLUS_TEST_PAT']}"}
APP = f"fuzz-{uuid.uuid4().hex[:8]}"
GENERAL = "aaa03c23b3724a16a56b629203edc62c"
# "Not implemented": what is not built says so, and nothing else does.
NOT_BUILT = 501

# What the variables of paths are replaced by three times out of four, so that most requests reach something.
KNOWN = {
    "user_app_id_user_id": [USER, "me"], "user_app_id_app_id": [APP], "input_id": ["one", "two"], "concept_id": ["cat", "dog"],
    "model_id": [GENERAL], "version_id": ["aa9ca48295b37401f8af92ad1af0d91d"], "vocab_id": ["words"], "language": ["en", "ja"],
    "predicate": ["hypernyms", "synonyms", "relations"], "status_code_id": ["10000"], "workflow_id": ["General"],
}

document = json.loads((SPEC / "requests-2018.json").read_text())
overlay = json.loads((SPEC / "overlay-2018.json").read_text())
# What is an object of any form in an answer is one in a request.
document["components"]["schemas"]["protobufStruct"] = overlay["protobufStruct"]["schema"]
document["components"]["schemas"]["protobufDuration"] = overlay["protobufDuration"]["schema"]
schema = schemathesis.openapi.from_dict(document)
schema.config.update(base_url=URL)
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE], with_security_parameters=False)
# Its own list of borderline values takes minutes over so many fields.
schema.config.phases.coverage.enabled = False
schema.config.phases.examples.enabled = False


@functools.cache
def answers():
    """Validators by route of the document."""
    answered = json.loads((SPEC / "responses-2018.json").read_text())
    schemas = {**answered["$defs"], **{name: correction["schema"] for name, correction in overlay.items()}}
    return {route: jsonschema_rs.validator_for({**of_route, "$defs": schemas}, validate_formats=True)
            for route, of_route in answered["operations"].items()}


@pytest.fixture(scope="session", autouse=True)
def app_key():
    """An app with two inputs, two concepts and a vocabulary, and a key of its own for the paths that name no app."""
    def post(path, body, headers=PAT):
        answer = requests.post(f"{URL}/v2/{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()
    post(f"users/{USER}/apps", {"apps": [{"id": APP}]})
    key = post(f"users/{USER}/keys", {"keys": [{"scopes": ["All"], "apps": [{"id": APP, "user_id": USER}]}]})["keys"][0]["id"]
    own = {"Authorization": f"Key {key}"}
    photo = os.environ["OCELLUS_TEST_PHOTOS_URL"] + "/" + photographs.collection()[0]
    image = {"url": photo, "allow_duplicate_url": True}
    post("inputs", {"inputs": [{"id": name, "data": {"image": image, "concepts": [{"id": "cat"}]}} for name in ("one", "two")]}, own)
    post("concepts", {"concepts": [{"id": "dog"}]}, own)
    post("vocabs", {"vocabs": [{"id": "words", "name": "words"}]}, own)
    yield own
    requests.delete(f"{URL}/v2/users/{USER}/apps/{APP}", headers=PAT, timeout=60)


def is_known(value):
    return zlib.crc32(repr(value).encode()) % 4 != 0


@schema.hook
def map_path_parameters(context, values):
    # Without the app, or what lies in it, everything after would only be told so: what is deleted is made up.
    deletes = context.operation.method.upper() == "DELETE"
    deletes_app = deletes and context.operation.path.endswith("{user_app_id_app_id}")

    def known(name, value):
        made_up = deletes_app if name == "user_app_id_app_id" else deletes and name != "user_app_id_user_id"
        names = None if made_up else KNOWN.get(name)
        return names[zlib.crc32(repr(value).encode()) // 4 % len(names)] if names and is_known(value) else value
    return {name: known(name, value) for name, value in values.items()} if values else values


@schema.hook
def map_body(_context, body):
    # The path or the key says which app is meant; whoever is named in the body would only be nobody.
    if isinstance(body, dict) and is_known(sorted(body)):
        body.pop("user_app_id", None)
    return body


@schema.parametrize()
@settings(max_examples=N_EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate],
          suppress_health_check=list(HealthCheck))
def test_no_request_breaks_the_server_or_the_form_of_answers(case, app_key):
    of_app = "user_app_id_user_id" in (case.path_parameters or {})
    answer = case.call(headers=PAT if of_app else app_key, timeout=30)
    route = f"{case.method.upper()} {case.operation.definition.raw['x-route']}"
    told = f"{route}\n{case.as_curl_command()}\n{answer.status_code}: {answer.text[:2000]}"
    assert answer.status_code < 500 or answer.status_code == NOT_BUILT, f"a server error: {told}"
    body = json.loads(answer.text)
    assert isinstance(body["status"]["code"], int), f"no status code: {told}"
    problems = [f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in answers()[route].iter_errors(body)]
    assert not problems, f"not what the document describes: {problems[:5]}\n{told}"
