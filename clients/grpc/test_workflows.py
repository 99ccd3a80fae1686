"""Workflows through PyPI `clarifai-grpc` over gRPC, gRPC with TLS, and its JSON channel."""
from clarifai_grpc.grpc.api import resources_pb2 as r, service_pb2 as s
from google.protobuf import struct_pb2

import photographs
from test_photographs import PAT, app, image, ok, plain, stub  # noqa: F401  (fixtures are found by name)

NAME = photographs.collection()[0]


def operator(node_id, model_type_id, after, **params):
    told = struct_pb2.Struct()
    told.update(params)
    version = r.ModelVersion(output_info=r.OutputInfo(params=told))
    inputs = [r.NodeInput(node_id=name) for name in after]
    return r.WorkflowNode(id=node_id, model=r.Model(model_type_id=model_type_id, model_version=version), node_inputs=inputs)


def test_a_workflow_is_made_run_by_its_version_changed_and_deleted(stub, app):
    def call(rpc, request):
        return ok(getattr(stub, rpc)(request, metadata=PAT))

    see = r.WorkflowNode(id="see", model=r.Model(id="aaa03c23b3724a16a56b629203edc62c"))
    nodes = [see, operator("sure", "concept-thresholder", ["see"], threshold=0.1)]
    made = call("PostWorkflows", s.PostWorkflowsRequest(user_app_id=app, workflows=[r.Workflow(id="w", nodes=nodes)]))
    first = made.workflows[0].version.id
    cut = r.Workflow(id="w", nodes=[operator("sure", "concept-thresholder", ["see"])])
    call("PatchWorkflows", s.PatchWorkflowsRequest(user_app_id=app, action="remove", workflows=[cut]))
    for version, n_outputs in (("", 1), (first, 2)):
        request = s.PostWorkflowResultsRequest(user_app_id=app, workflow_id="w", version_id=version, inputs=[r.Input(data=image(NAME))])
        answer = call("PostWorkflowResults", request)
        assert len(answer.results[0].outputs) == n_outputs
    assert all(concept.value >= 0.1 for concept in answer.results[0].outputs[1].data.concepts)
    versions = call("ListWorkflowVersions", s.ListWorkflowVersionsRequest(user_app_id=app, workflow_id="w"))
    assert len(versions.workflow_versions) == 2
    call("DeleteWorkflows", s.DeleteWorkflowsRequest(user_app_id=app, ids=["w"]))
    assert not call("ListWorkflows", s.ListWorkflowsRequest(user_app_id=app)).workflows
