"""The main job through PyPI `clarifai-grpc`: gRPC in the clear and over TLS, and its JSON channel."""
import os
import uuid

import grpc
import pytest
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf import struct_pb2

import harness
import photographs

URL = os.environ["OCELLUS_TEST_URL"]
HOST, PORT = URL.removeprefix("http://").split(":")
PHOTOS_URL = os.environ["OCELLUS_TEST_PHOTOS_URL"]
PAT = (("authorization", f"Key {os.environ['OCELLUS_TEST_PAT']}"),)
GENERAL, EMBED, COLOR = "general-image-recognition", "general-image-embedding", "color-recognition"
PUBLIC = resources_pb2.UserAppIDSet(user_id="clarifai", app_id="main")


def channels():
    yield "grpc", lambda: ClarifaiChannel.get_insecure_grpc_channel(base=HOST, port=int(PORT))
    yield "grpc-tls", lambda: ClarifaiChannel.get_grpc_channel(
        base=os.environ["OCELLUS_TEST_TLS"], root_certificates_path=os.environ["OCELLUS_TEST_CERT"])
    yield "json", lambda: ClarifaiChannel.get_json_channel(URL)


@pytest.fixture(params=[pytest.param(make, id=name) for name, make in channels()])
def stub(request):
    return service_pb2_grpc.V2Stub(request.param())


@pytest.fixture(scope="module")
def plain():
    return service_pb2_grpc.V2Stub(ClarifaiChannel.get_insecure_grpc_channel(base=HOST, port=int(PORT)))


@pytest.fixture
def app(plain):
    """A new app, gone after the test."""
    app_id = f"app-{uuid.uuid4().hex[:12]}"
    me = resources_pb2.UserAppIDSet(user_id="me")
    made = plain.PostApps(service_pb2.PostAppsRequest(user_app_id=me, apps=[resources_pb2.App(id=app_id)]), metadata=PAT)
    ok(made)
    ids = resources_pb2.UserAppIDSet(user_id="me", app_id=app_id)
    yield ids
    ok(plain.DeleteApp(service_pb2.DeleteAppRequest(user_app_id=ids), metadata=PAT))


def ok(answer):
    assert answer.status.code == status_code_pb2.SUCCESS, answer.status
    return answer


def image(name, by="bytes"):
    if by == "url":
        return resources_pb2.Data(image=resources_pb2.Image(url=f"{PHOTOS_URL}/{name}"))
    return resources_pb2.Data(image=resources_pb2.Image(base64=photographs.path(name).read_bytes()))


def predict(stub, model, names, by="bytes", **config):
    inputs = [resources_pb2.Input(data=image(name, by)) for name in names]
    options = resources_pb2.Model(output_info=resources_pb2.OutputInfo(output_config=resources_pb2.OutputConfig(**config)))
    return stub.PostModelOutputs(
        service_pb2.PostModelOutputsRequest(user_app_id=PUBLIC, model_id=model, inputs=inputs, model=options), metadata=PAT)


def wait_for_inputs(stub, app):
    def settled():
        counts = ok(stub.GetInputCount(service_pb2.GetInputCountRequest(user_app_id=app), metadata=PAT)).counts
        return counts if counts.to_process == 0 and counts.processing == 0 else None
    return harness.wait_until(settled, "every input processed")


def test_concepts_of_every_recognisable_photograph(stub):
    names = [name for name, _ in photographs.recognisable()]
    answer = ok(predict(stub, GENERAL, names))
    assert len(answer.outputs) == len(names)
    for (name, wanted), output in zip(photographs.recognisable(), answer.outputs):
        top = [c.name for c in output.data.concepts[:5]]
        assert set(top) & set(wanted), f"{name}: {top} has none of {wanted}"
        values = [c.value for c in output.data.concepts]
        assert values == sorted(values, reverse=True) and 0 <= values[-1] and values[0] <= 1


def test_url_and_bytes_agree_and_options_are_honoured(stub):
    name = photographs.recognisable()[0][0]
    by_bytes = ok(predict(stub, GENERAL, [name], max_concepts=4)).outputs[0].data.concepts
    by_url = ok(predict(stub, GENERAL, [name], by="url", max_concepts=4)).outputs[0].data.concepts
    assert [(c.id, c.value) for c in by_bytes] == [(c.id, c.value) for c in by_url]
    assert len(by_bytes) == 4
    chosen = by_bytes[2]
    only = ok(predict(stub, GENERAL, [name], select_concepts=[resources_pb2.Concept(id=chosen.id)])).outputs[0].data.concepts
    assert [c.id for c in only] == [chosen.id] and only[0].value == pytest.approx(chosen.value, abs=1e-6)


def test_embeddings_and_colours(stub):
    name = photographs.recognisable()[0][0]
    embedding = ok(predict(stub, EMBED, [name])).outputs[0].data.embeddings[0]
    assert len(embedding.vector) == embedding.num_dimensions > 100
    colors = ok(predict(stub, COLOR, [name])).outputs[0].data.colors
    assert sum(c.value for c in colors) == pytest.approx(1.0, abs=0.01)
    assert all(c.w3c.name for c in colors)


def test_a_batch_with_one_bad_image_keeps_the_good_ones(stub):
    name = photographs.recognisable()[0][0]
    inputs = [resources_pb2.Input(data=image(name)), resources_pb2.Input(data=resources_pb2.Data(image=resources_pb2.Image(base64=b"no image at all")))]
    answer = stub.PostModelOutputs(service_pb2.PostModelOutputsRequest(user_app_id=PUBLIC, model_id=GENERAL, inputs=inputs), metadata=PAT)
    assert answer.status.code == status_code_pb2.MIXED_STATUS
    assert answer.outputs[0].status.code == status_code_pb2.SUCCESS
    assert answer.outputs[1].status.code not in (status_code_pb2.SUCCESS, 0)
    assert answer.outputs[1].status.description


def test_photographs_are_stored_and_found_again(stub, plain, app):
    names = photographs.collection()
    inputs = []
    for number, name in enumerate(names):
        meta = struct_pb2.Struct()
        meta.update({"number": number})
        data = image(name, by="url" if number % 2 else "bytes")
        data.metadata.CopyFrom(meta)
        inputs.append(resources_pb2.Input(id=name, data=data))
    made = ok(stub.PostInputs(service_pb2.PostInputsRequest(user_app_id=app, inputs=inputs), metadata=PAT))
    assert [i.id for i in made.inputs] == names
    counts = wait_for_inputs(plain, app)
    assert counts.processed == len(names) and counts.errors == 0
    for first, second in photographs.near_pairs():
        rank = resources_pb2.Rank(annotation=resources_pb2.Annotation(data=image(first)))
        search = resources_pb2.Search(query=resources_pb2.Query(ranks=[rank]))
        answer = ok(stub.PostInputsSearches(
            service_pb2.PostInputsSearchesRequest(user_app_id=app, searches=[search],
                                                  pagination=service_pb2.Pagination(page=1, per_page=100)), metadata=PAT))
        ids = [hit.input.id for hit in answer.hits]
        assert ids[:2] == [first, second], f"{first}: {ids[:3]}"
        assert len(ids) == len(names)
    meta = struct_pb2.Struct()
    meta.update({"number": 3})
    filter_ = resources_pb2.Filter(input=resources_pb2.Input(data=resources_pb2.Data(metadata=meta)))
    search = resources_pb2.Search(query=resources_pb2.Query(filters=[filter_]))
    answer = ok(stub.PostInputsSearches(service_pb2.PostInputsSearchesRequest(user_app_id=app, searches=[search]), metadata=PAT))
    assert [hit.input.id for hit in answer.hits] == [names[3]]
    listed, page = [], 1
    while True:
        answer = ok(stub.ListInputs(service_pb2.ListInputsRequest(user_app_id=app, page=page, per_page=10), metadata=PAT))
        if not answer.inputs:
            break
        listed += [i.id for i in answer.inputs]
        page += 1
    assert sorted(listed) == sorted(names)


def test_an_api_error_is_an_ok_call_whose_status_says_so(plain):
    answer = plain.GetInput(service_pb2.GetInputRequest(user_app_id=resources_pb2.UserAppIDSet(user_id="me", app_id=os.environ["OCELLUS_TEST_APP"]), input_id="nobody"), metadata=PAT)
    assert answer.status.code == status_code_pb2.CONN_DOES_NOT_EXIST
    answer = plain.ListApps(service_pb2.ListAppsRequest(), metadata=(("authorization", "Key nonsense"),))
    assert answer.status.code == status_code_pb2.CONN_KEY_INVALID


def test_what_is_not_built_says_so(plain):
    """An RPC without an implementation is a transport-level UNIMPLEMENTED, as the vendor answers."""
    with pytest.raises(grpc.RpcError) as error:
        plain.ListComputeClusters(service_pb2.ListComputeClustersRequest(user_app_id=resources_pb2.UserAppIDSet(user_id="me")), metadata=PAT)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_key_without_the_scope_is_refused(plain, app):
    request = service_pb2.PostKeysRequest(
        user_app_id=resources_pb2.UserAppIDSet(user_id="me"),
        keys=[resources_pb2.Key(description="reader", scopes=["Apps_Get", "Annotations_Get", "Inputs_Get", "Concepts_Get", "Models_Get"], apps=[resources_pb2.App(id=app.app_id, user_id="me")])])
    key = ok(plain.PostKeys(request, metadata=PAT)).keys[0]
    reader = (("authorization", f"Key {key.id}"),)
    ok(plain.ListInputs(service_pb2.ListInputsRequest(user_app_id=app), metadata=reader))
    refused = plain.PostInputs(service_pb2.PostInputsRequest(user_app_id=app, inputs=[resources_pb2.Input(data=image(photographs.collection()[0]))]), metadata=reader)
    assert refused.status.code == status_code_pb2.CONN_INSUFFICIENT_SCOPES
    ok(plain.DeleteKey(service_pb2.DeleteKeyRequest(user_app_id=resources_pb2.UserAppIDSet(user_id="me"), key_id=key.id), metadata=PAT))
    gone = plain.ListInputs(service_pb2.ListInputsRequest(user_app_id=app), metadata=reader)
    assert gone.status.code == status_code_pb2.CONN_KEY_INVALID
