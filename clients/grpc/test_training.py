"""Training through PyPI `clarifai-grpc` over every channel: made, trained, asked until ready, predicted with."""
import uuid

from clarifai_grpc.grpc.api import resources_pb2 as r, service_pb2 as s
from clarifai_grpc.grpc.api.status import status_code_pb2 as codes

import harness
from test_photographs import PAT, app, image, ok, plain, stub, wait_for_inputs  # noqa: F401  (fixtures are found by name)

WAITING = (codes.MODEL_QUEUED_FOR_TRAINING, codes.MODEL_TRAINING)


def ask(stub, rpc, request):
    return ok(getattr(stub, rpc)(request, metadata=PAT))


def trained(stub, app, model_id, version_id):
    """The version when its training has ended, whatever came of it."""
    request = s.GetModelVersionRequest(user_app_id=app, model_id=model_id, version_id=version_id)

    def ended():
        version = ask(stub, "GetModelVersion", request).model_version
        return None if version.status.code in WAITING else version
    return harness.wait_until(ended, "the end of the training")


def make(stub, app, concepts):
    data = r.Data(concepts=[r.Concept(id=one, value=1) for one in concepts])
    model = r.Model(id=f"m-{uuid.uuid4().hex[:8]}", output_info=r.OutputInfo(data=data))
    return ask(stub, "PostModels", s.PostModelsRequest(user_app_id=app, models=[model])).model.id


def test_a_model_is_trained_and_predicts(stub, app):
    suffix = uuid.uuid4().hex[:6]
    cats, cars = f"animal-{suffix}", f"vehicle-{suffix}"
    inputs = []
    for name, concept in (("cat.png", cats), ("dog.png", cats), ("motorcycle_left.png", cars), ("double_decker_bus.jpg", cars)):
        data = image(name)
        data.concepts.extend([r.Concept(id=one, value=float(one == concept)) for one in (cats, cars)])
        inputs.append(r.Input(id=f"{name}-{suffix}", data=data))
    ask(stub, "PostInputs", s.PostInputsRequest(user_app_id=app, inputs=inputs))
    model_id = make(stub, app, [cats, cars])
    made = ask(stub, "PostModelVersions", s.PostModelVersionsRequest(user_app_id=app, model_id=model_id)).model.model_version
    assert made.status.code in WAITING + (codes.MODEL_TRAINED,)
    version = trained(stub, app, model_id, made.id)
    assert version.status.code == codes.MODEL_TRAINED and version.active_concept_count == 2, version.status
    wanted = [r.Input(id=f"cat.png-{suffix}"), r.Input(data=image("motorcycle_right.png"))]
    request = s.PostModelOutputsRequest(user_app_id=app, model_id=model_id, version_id=version.id, inputs=wanted)
    outputs = ask(stub, "PostModelOutputs", request).outputs
    assert [output.data.concepts[0].id for output in outputs] == [cats, cars]
    learned_from = ask(stub, "ListModelInputs", s.ListModelInputsRequest(user_app_id=app, model_id=model_id, per_page=10)).inputs
    assert len(learned_from) == 4


def test_negatives_alone_are_enough_and_nothing_at_all_is_not(stub, app):
    concept = f"no-{uuid.uuid4().hex[:6]}"
    model_id = make(stub, app, [concept])
    request = s.PostModelVersionsRequest(user_app_id=app, model_id=model_id)
    nothing = ask(stub, "PostModelVersions", request).model.model_version
    assert trained(stub, app, model_id, nothing.id).status.code == codes.MODEL_TRAINING_NO_DATA
    data = image("apple.jpg")
    data.concepts.append(r.Concept(id=concept, value=0))
    ask(stub, "PostInputs", s.PostInputsRequest(user_app_id=app, inputs=[r.Input(data=data)]))
    negatives = ask(stub, "PostModelVersions", request).model.model_version
    assert trained(stub, app, model_id, negatives.id).status.code == codes.MODEL_TRAINED
