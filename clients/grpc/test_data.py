"""The data side through PyPI `clarifai-grpc` over gRPC, gRPC with TLS, and its JSON channel: the same calls, the same answers."""
import io
import os
import ssl
import urllib.request
import uuid
import zipfile

import pytest
from clarifai_grpc.grpc.api import resources_pb2 as r, service_pb2 as s
from clarifai_grpc.grpc.api.status import status_code_pb2 as codes
from google.protobuf import struct_pb2

import harness
import photographs
from test_photographs import PAT, app, image, ok, plain, stub, wait_for_inputs  # noqa: F401  (fixtures are found by name)

USER = os.environ["OCELLUS_TEST_USER"]
NAMES = photographs.collection()[:4]


@pytest.fixture
def call(stub):
    """`call("ListInputs", ...)`: the answer of an RPC that must succeed."""
    return lambda rpc, request: ok(getattr(stub, rpc)(request, metadata=PAT))


@pytest.fixture
def filled(plain, app):
    """An app with four photographs, labelled in turn even and odd."""
    inputs = []
    for number, name in enumerate(NAMES):
        data = image(name)
        data.concepts.append(r.Concept(id="odd" if number % 2 else "even", value=1))
        inputs.append(r.Input(id=name, data=data))
    ok(plain.PostInputs(s.PostInputsRequest(user_app_id=app, inputs=inputs), metadata=PAT))
    wait_for_inputs(plain, app)
    return app


def struct(**values):
    made = struct_pb2.Struct()
    made.update(values)
    return made


def status_of(answer):
    return answer.status.code


def me():
    return r.UserAppIDSet(user_id="me")


def box(input_id, concept, **more):
    corners = r.BoundingBox(top_row=0.25, left_col=0.0, bottom_row=0.5, right_col=0.75)
    region = r.Region(region_info=r.RegionInfo(bounding_box=corners), data=r.Data(concepts=[r.Concept(id=concept, value=1)]))
    return r.Annotation(input_id=input_id, data=r.Data(regions=[region]), **more)


def fetched(url):
    """What lies at an address of the server, which is its TLS one where the call came that way."""
    trusted = ssl.create_default_context(cafile=os.environ["OCELLUS_TEST_CERT"])
    request = urllib.request.Request(url, headers={"Authorization": dict(PAT)["authorization"]})
    with urllib.request.urlopen(request, context=trusted, timeout=30) as answer:
        return answer.read()


def search(filters=(), ranks=()):
    return r.Search(query=r.Query(filters=filters, ranks=ranks))


def by_label(concept):
    return r.Filter(annotation=r.Annotation(data=r.Data(concepts=[r.Concept(id=concept, value=1)])))


def test_inputs_are_patched_streamed_counted_and_deleted(call, stub, filled):
    patched = call("PatchInputs", s.PatchInputsRequest(user_app_id=filled, action="merge", inputs=[
        r.Input(id=NAMES[0], data=r.Data(metadata=struct(a=1), concepts=[r.Concept(id="more", value=0)]))])).inputs[0]
    assert {c.id: c.value for c in patched.data.concepts} == {"even": 1.0, "more": 0.0}
    assert patched.status.code == codes.INPUT_DOWNLOAD_SUCCESS or patched.status.code == 30200
    again = call("GetInput", s.GetInputRequest(user_app_id=filled, input_id=NAMES[0])).input
    assert dict(again.data.metadata) == {"a": 1.0}
    first = call("StreamInputs", s.StreamInputsRequest(user_app_id=filled, per_page=3)).inputs
    rest = call("StreamInputs", s.StreamInputsRequest(user_app_id=filled, per_page=3, last_id=first[-1].id)).inputs
    assert [i.id for i in [*first, *rest]] == NAMES
    assert call("GetInputCount", s.GetInputCountRequest(user_app_id=filled)).counts.processed == 4
    call("DeleteInput", s.DeleteInputRequest(user_app_id=filled, input_id=NAMES[0]))
    call("DeleteInputs", s.DeleteInputsRequest(user_app_id=filled, ids=NAMES[1:3]))
    assert [i.id for i in call("ListInputs", s.ListInputsRequest(user_app_id=filled)).inputs] == NAMES[3:]
    assert status_of(stub.GetInput(s.GetInputRequest(user_app_id=filled, input_id=NAMES[0]), metadata=PAT)) == codes.CONN_DOES_NOT_EXIST


def test_concepts_languages_relations_and_counts(call, filled):
    call("PostConcepts", s.PostConceptsRequest(user_app_id=filled, concepts=[r.Concept(id="dog", name="dog"), r.Concept(id="animal", name="animal")]))
    assert call("GetConcept", s.GetConceptRequest(user_app_id=filled, concept_id="dog")).concept.name == "dog"
    call("PatchConcepts", s.PatchConceptsRequest(user_app_id=filled, action="overwrite", concepts=[r.Concept(id="dog", name="hound")]))
    found = call("PostConceptsSearches", s.PostConceptsSearchesRequest(user_app_id=filled, concept_query=r.ConceptQuery(name="houn*"))).concepts
    assert "dog" in [c.id for c in found]
    call("PostConceptLanguages", s.PostConceptLanguagesRequest(user_app_id=filled, concept_id="dog", concept_languages=[r.ConceptLanguage(id="ja", name="犬")]))
    assert call("GetConceptLanguage", s.GetConceptLanguageRequest(user_app_id=filled, concept_id="dog", language="ja")).concept_language.name == "犬"
    call("PostConceptRelations", s.PostConceptRelationsRequest(user_app_id=filled, concept_id="dog", concept_relations=[
        r.ConceptRelation(object_concept=r.Concept(id="animal"), predicate="hypernym")]))
    (relation,) = call("ListConceptRelations", s.ListConceptRelationsRequest(user_app_id=filled, concept_id="dog")).concept_relations
    assert (relation.subject_concept.id, relation.object_concept.id, relation.predicate) == ("dog", "animal", "hypernym")
    call("DeleteConceptRelations", s.DeleteConceptRelationsRequest(user_app_id=filled, concept_id="dog", ids=[relation.id]))
    assert not call("ListConceptRelations", s.ListConceptRelationsRequest(user_app_id=filled, concept_id="dog")).concept_relations
    call("PostKnowledgeGraphs", s.PostKnowledgeGraphsRequest(user_app_id=filled, knowledge_graphs=[r.KnowledgeGraph(id="kinds", name="kinds")]))
    assert [g.id for g in call("ListKnowledgeGraphs", s.ListKnowledgeGraphsRequest(user_app_id=filled)).knowledge_graphs] == ["kinds"]
    counts = {c.id: c.concept_type_count.positive for c in call("GetConceptCounts", s.GetConceptCountsRequest(user_app_id=filled)).concept_counts}
    assert (counts["odd"], counts["even"]) == (2, 2)


def test_annotations_are_made_reviewed_searched_and_deleted(call, filled):
    made = call("PostAnnotations", s.PostAnnotationsRequest(user_app_id=filled, annotations=[
        box(NAMES[0], "wheel", id="one"), box(NAMES[1], "wheel", id="two")])).annotations
    assert [a.id for a in made] == ["one", "two"] and made[0].user_id == USER
    listed = call("ListAnnotations", s.ListAnnotationsRequest(user_app_id=filled, input_ids=[NAMES[0]], list_all_annotations=True)).annotations
    corners = next(a for a in listed if a.id == "one").data.regions[0].region_info.bounding_box
    assert (corners.top_row, corners.left_col, corners.bottom_row, corners.right_col) == (0.25, 0.0, 0.5, 0.75)
    call("PatchAnnotations", s.PatchAnnotationsRequest(user_app_id=filled, action="merge", annotations=[
        r.Annotation(id="two", input_id=NAMES[1], data=made[1].data, status={"code": codes.ANNOTATION_PENDING})]))
    two = call("GetAnnotation", s.GetAnnotationRequest(user_app_id=filled, input_id=NAMES[1], annotation_id="two")).annotation
    assert two.status.code == codes.ANNOTATION_PENDING
    found = call("PostAnnotationsSearches", s.PostAnnotationsSearchesRequest(user_app_id=filled, searches=[search([by_label("wheel")])])).hits
    assert "one" in [h.annotation.id for h in found]
    workers = call("ListAnnotationWorkers", s.ListAnnotationWorkersRequest(user_app_id=filled)).workers
    assert USER in [w.user.id for w in workers]
    call("DeleteAnnotation", s.DeleteAnnotationRequest(user_app_id=filled, input_id=NAMES[0], annotation_id="one"))
    call("DeleteAnnotations", s.DeleteAnnotationsRequest(user_app_id=filled, input_ids=[NAMES[1]], ids=["two"]))
    left = call("ListAnnotations", s.ListAnnotationsRequest(user_app_id=filled, list_all_annotations=True)).annotations
    assert not {"one", "two"} & {a.id for a in left}


def test_datasets_versions_and_archives(call, plain, filled):
    call("PostDatasets", s.PostDatasetsRequest(user_app_id=filled, datasets=[r.Dataset(id="d", description="before")]))
    call("PatchDatasets", s.PatchDatasetsRequest(user_app_id=filled, action="merge", datasets=[r.Dataset(id="d", description="after")]))
    assert call("GetDataset", s.GetDatasetRequest(user_app_id=filled, dataset_id="d")).dataset.description == "after"
    added = plain.PostDatasetInputs(s.PostDatasetInputsRequest(user_app_id=filled, dataset_id="d", dataset_inputs=[
        r.DatasetInput(input=r.Input(id=name)) for name in [*NAMES[:3], "nobody"]]), metadata=PAT)
    assert status_of(added) == codes.MIXED_STATUS
    assert [i.input.id for i in call("ListDatasetInputs", s.ListDatasetInputsRequest(user_app_id=filled, dataset_id="d")).dataset_inputs] == NAMES[:3]
    call("PostDatasetVersions", s.PostDatasetVersionsRequest(user_app_id=filled, dataset_id="d", dataset_versions=[r.DatasetVersion(id="v")]))
    get = s.GetDatasetVersionRequest(user_app_id=filled, dataset_id="d", dataset_version_id="v")
    harness.wait_until(lambda: call("GetDatasetVersion", get).dataset_version.status.code == codes.DATASET_VERSION_READY, "the version ready")
    call("DeleteDatasetInputs", s.DeleteDatasetInputsRequest(user_app_id=filled, dataset_id="d", input_ids=NAMES[:1]))
    assert call("GetDatasetVersion", get).dataset_version.metrics["total"].inputs_count.value == 3
    groups = call("ListDatasetVersionMetricsGroups", s.ListDatasetVersionMetricsGroupsRequest(user_app_id=filled, dataset_id="d", dataset_version_id="v"))
    assert groups.dataset_version_metrics_groups[0].metrics.inputs_count.value == 3
    put = s.PutDatasetVersionExportsRequest(user_app_id=filled, dataset_id="d", dataset_version_id="v", exports=[
        r.DatasetVersionExport(format=r.CLARIFAI_DATA_PROTOBUF), r.DatasetVersionExport(format=r.COCO)])
    done = lambda: [e for e in call("PutDatasetVersionExports", put).exports if e.status.code == codes.DATASET_VERSION_EXPORT_SUCCESS]
    own, coco = harness.wait_until(lambda: len(done()) == 2 and done(), "both archives made")
    archives = [zipfile.ZipFile(io.BytesIO(fetched(export.url))) for export in (own, coco)]
    batches = [r.InputBatch.FromString(archives[0].read(name)) for name in archives[0].namelist() if name != "mimetype"]
    assert sorted(i.id for batch in batches for i in batch.inputs) == sorted(NAMES[:3])
    assert any(name.endswith(".json") for name in archives[1].namelist())
    call("DeleteDatasetVersions", s.DeleteDatasetVersionsRequest(user_app_id=filled, dataset_id="d", dataset_version_ids=["v"]))
    call("DeleteDatasets", s.DeleteDatasetsRequest(user_app_id=filled, dataset_ids=["d"]))
    assert not call("ListDatasets", s.ListDatasetsRequest(user_app_id=filled)).datasets


def test_a_task_hands_out_takes_back_and_is_reviewed(call, filled):
    worker = r.TaskWorker(strategy=r.TaskWorker.FULL, workers=[r.Worker(user=r.User(id=USER))])
    review = r.TaskReview(strategy=r.TaskReview.MANUAL, users=[r.User(id=USER)])
    call("PostTasks", s.PostTasksRequest(user_app_id=filled, tasks=[r.Task(
        id="t", name="Label", type=r.Task.CONCEPTS_CLASSIFICATION, worker=worker, review=review,
        input_source=r.TaskInputSource(type=r.TaskInputSource.ALL_INPUTS))]))
    assert call("GetTask", s.GetTaskRequest(user_app_id=filled, task_id="t")).task.name == "Label"
    step = lambda action, **config: call("PutTaskAssignments", s.PutTaskAssignmentsRequest(user_app_id=filled, task_id="t", action=action, **config)).task_assignments
    handed = step(s.LABEL_START)
    assert [a.input.id for a in handed] == NAMES
    assert [i.id for i in call("ListNextTaskAssignments", s.ListNextTaskAssignmentsRequest(user_app_id=filled, task_id="t")).inputs] == NAMES
    one = [r.TaskAssignment(id=handed[0].id)]
    submitted = step(s.LABEL_SUBMIT, label_submit_config=s.LabelSubmitConfig(task_assignments=one))
    assert [a.id for a in submitted] == [handed[0].id]
    step(s.REVIEW_START)
    (approved,) = step(s.REVIEW_APPROVE, review_approve_config=s.ReviewApproveConfig(task_assignments=one))
    assert approved.status.code == codes.TASK_ASSIGNMENT_SUCCESS
    counts = call("GetTaskInputCount", s.GetTaskCountRequest(user_app_id=filled, task_id="t")).counts
    assert counts[0].success == 1 and counts[0].pending == 3
    call("DeleteTasks", s.DeleteTasksRequest(user_app_id=filled, ids=["t"]))
    assert not call("ListTasks", s.ListTasksRequest(user_app_id=filled)).tasks


def test_regions_change_through_their_input(call, filled):
    first = NAMES[0]
    region = lambda concept, **more: r.Region(data=r.Data(concepts=[r.Concept(id=concept, value=1)]), **more)
    def patch(action, *regions):
        changed = r.Input(id=first, data=r.Data(regions=regions))
        (answer,) = call("PatchInputs", s.PatchInputsRequest(user_app_id=filled, action=action, inputs=[changed])).inputs
        return [(region.id, [c.id for c in region.data.concepts]) for region in answer.data.regions]
    corners = r.RegionInfo(bounding_box=r.BoundingBox(top_row=0.25, left_col=0.0, bottom_row=0.5, right_col=0.75))
    ((made, concepts),) = patch("merge", region("dog", region_info=corners))
    assert concepts == ["dog"]
    assert patch("merge", region("puppy", id=made)) == [(made, ["dog", "puppy"])]
    assert patch("overwrite", region("cat", id="other", region_info=corners)) == [("other", ["cat"])]
    found = call("ListAnnotations", s.ListAnnotationsRequest(user_app_id=filled, input_ids=[first])).annotations
    assert sum(len(a.data.regions) for a in found) == 1
    assert patch("remove", r.Region(id="other")) == []


def test_a_label_order_comes_with_a_task_of_what_a_search_finds(call, stub, filled):
    odd = search([by_label("odd")])
    odd.id, odd.save = "odd-ones", True
    call("PostInputsSearches", s.PostInputsSearchesRequest(user_app_id=filled, searches=[odd]))
    worker = r.TaskWorker(strategy=r.TaskWorker.FULL, workers=[r.Worker(user=r.User(id=USER))])
    source = r.TaskInputSource(type=r.TaskInputSource.SAVED_SEARCH, id="odd-ones")
    task = r.Task(id="ordered", name="Label", worker=worker, input_source=source)
    order = r.LabelOrder(id="o", name="Please", task=task)
    (made,) = call("PostLabelOrders", s.PostLabelOrdersRequest(user_app_id=filled, label_orders=[order])).label_orders
    assert (made.status.code, made.task.id) == (codes.LABEL_ORDER_PENDING, "ordered")
    counts = call("GetTaskInputCount", s.GetTaskCountRequest(user_app_id=filled, task_id="ordered")).counts
    assert counts[0].pending == len(NAMES[1::2])
    order = r.LabelOrder(id="o", name="Done")
    (changed,) = call("PatchLabelOrders", s.PatchLabelOrdersRequest(user_app_id=filled, action="overwrite", label_orders=[order])).label_orders
    assert changed.name == "Done"
    assert call("GetLabelOrder", s.GetLabelOrderRequest(user_app_id=filled, label_order_id="o")).label_order.task.name == "Label"
    assert [x.id for x in call("ListLabelOrders", s.ListLabelOrdersRequest(user_app_id=filled)).label_orders] == ["o"]
    call("DeleteLabelOrders", s.DeleteLabelOrdersRequest(user_app_id=filled, ids=["o"]))
    gone = stub.GetLabelOrder(s.GetLabelOrderRequest(user_app_id=filled, label_order_id="o"), metadata=PAT)
    assert status_of(gone) == codes.CONN_DOES_NOT_EXIST


def test_searches_rank_filter_and_are_saved(call, filled):
    rank = r.Rank(annotation=r.Annotation(data=image(NAMES[0])))
    find = lambda **query: [h.input.id for h in call("PostInputsSearches", s.PostInputsSearchesRequest(user_app_id=filled, searches=[search(**query)])).hits]
    assert find(ranks=[rank])[0] == NAMES[0]
    assert sorted(find(filters=[by_label("odd")])) == sorted(NAMES[1::2])
    assert find(filters=[by_label("odd"), by_label("even")]) == []
    negated = by_label("odd")
    negated.negate = True
    assert sorted(find(filters=[negated])) == sorted(NAMES[::2])
    kept = search([by_label("odd")])
    kept.id, kept.name, kept.save = "odd-ones", "odd ones", True
    call("PostInputsSearches", s.PostInputsSearchesRequest(user_app_id=filled, searches=[kept]))
    assert [x.id for x in call("ListSearches", s.ListSearchesRequest(user_app_id=filled)).searches] == ["odd-ones"]
    again = call("PostSearchesByID", s.PostSearchesByIDRequest(user_app_id=filled, id="odd-ones")).hits
    assert sorted(h.input.id for h in again) == sorted(NAMES[1::2])
    call("DeleteSearch", s.DeleteSearchRequest(user_app_id=filled, id="odd-ones"))
    assert not call("ListSearches", s.ListSearchesRequest(user_app_id=filled)).searches
    of_2018 = r.Query(ands=[r.And(input=r.Input(data=r.Data(concepts=[r.Concept(id="even", value=1)])))])
    assert sorted(h.input.id for h in call("PostSearches", s.PostSearchesRequest(user_app_id=filled, query=of_2018)).hits) == sorted(NAMES[::2])


def test_bulk_operations_change_many_inputs(call, filled):
    (bulk,) = call("PostBulkOperations", s.PostBulkOperationsRequest(user_app_id=filled, bulk_operations=[r.BulkOperation(
        input_ids=r.InputIDs(input_ids=NAMES), operation=r.Operation(add_concepts=r.AddConcepts(concepts=[r.Concept(id="bulk", value=1)])))])).bulk_operation
    get = s.GetBulkOperationRequest(user_app_id=filled, id=bulk.id)
    harness.wait_until(lambda: call("GetBulkOperation", get).bulk_operation.progress.processed == 4, "the operation done")
    for one in call("ListInputs", s.ListInputsRequest(user_app_id=filled)).inputs:
        assert "bulk" in [c.id for c in one.data.concepts]
    assert [b.id for b in call("ListBulkOperations", s.ListBulkOperationsRequest(user_app_id=filled)).bulk_operation] == [bulk.id]


def test_uploads_in_parts_become_whole(call, app):
    content = photographs.path(NAMES[0]).read_bytes()
    middle = len(content) // 2
    call("PostUploads", s.PostUploadsRequest(user_app_id=app, uploads=[r.Upload(id="u", content_name="photo.png", content_length=len(content))]))
    part = lambda number, start, data: call("PutUploadContentParts", s.PutUploadContentPartsRequest(
        user_app_id=app, upload_id="u", content_parts=[r.UploadContentPart(range_start=start, part_number=number, data=data)])).upload
    assert part(2, middle, content[middle:]).status.code == codes.UPLOAD_IN_PROGRESS
    done = part(1, 0, content[:middle])
    assert done.status.code == codes.UPLOAD_DONE and done.content_length == len(content)
    assert call("GetUpload", s.GetUploadRequest(user_app_id=app, upload_id="u")).upload.content_name == "photo.png"
    call("DeleteUploads", s.DeleteUploadsRequest(user_app_id=app, ids=["u"]))
    assert not call("ListUploads", s.ListUploadsRequest(user_app_id=app)).uploads


def test_annotation_filters_are_kept(call, filled):
    kept = r.AnnotationFilter(id="odd", search=r.Search(query=r.Query(filters=[by_label("odd")])))
    call("PostAnnotationFilters", s.PostAnnotationFiltersRequest(user_app_id=filled, annotation_filters=[kept]))
    assert [f.id for f in call("ListAnnotationFilters", s.ListAnnotationFiltersRequest(user_app_id=filled)).annotation_filters] == ["odd"]
    call("DeleteAnnotationFilters", s.DeleteAnnotationFiltersRequest(user_app_id=filled, annotation_filter_ids=["odd"]))
    assert not call("ListAnnotationFilters", s.ListAnnotationFiltersRequest(user_app_id=filled)).annotation_filters


def test_users_keys_scopes_and_what_an_app_holds(call, stub, filled):
    assert call("GetUser", s.GetUserRequest(user_app_id=r.UserAppIDSet(user_id=USER))).user.id == USER
    call("PatchApp", s.PatchAppRequest(user_app_id=filled, action="overwrite", app=r.App(id=filled.app_id, description="read me")))
    assert call("GetApp", s.GetAppRequest(user_app_id=filled)).app.description == "read me"
    found = call("PostAppsSearches", s.PostAppsSearchesRequest(user_app_id=me(), app_query=r.AppQuery(name=filled.app_id))).apps
    assert filled.app_id in [a.id for a in found]
    counts = call("GetResourceCounts", s.GetResourceCountsRequest(user_app_id=filled))
    assert counts.inputs == 4
    scopes = call("ListScopes", s.ListScopesRequest(user_app_id=me(), key_type="api_key")).scope_deps
    assert "Inputs_Get" in [one.scope for one in scopes]
    key = call("PostKeys", s.PostKeysRequest(user_app_id=me(), keys=[r.Key(
        description="reader", scopes=["Inputs_Get"], apps=[r.App(id=filled.app_id, user_id=USER)])])).keys[0]
    reader = (("authorization", f"Key {key.id}"),)
    mine = ok(stub.MyScopes(s.MyScopesRequest(user_app_id=filled), metadata=reader))
    assert "Inputs_Get" in mine.scopes and "Inputs_Add" not in mine.scopes
    assert key.description in [k.description for k in call("ListAppKeys", s.ListAppKeysRequest(user_app_id=filled)).keys]
    call("DeleteKey", s.DeleteKeyRequest(user_app_id=me(), key_id=key.id))
    assert status_of(stub.ListInputs(s.ListInputsRequest(user_app_id=filled), metadata=reader)) == codes.CONN_KEY_INVALID


def test_an_app_is_copied_and_the_audit_log_says_so(call, filled):
    new_id = f"copy-{uuid.uuid4().hex[:8]}"
    (copy,) = call("PostAppDuplications", s.PostAppDuplicationsRequest(user_app_id=filled, app_duplications=[
        r.AppDuplication(destination_app=r.App(id=new_id, user_id=USER), filter=r.AppDuplicationFilters(copy_inputs=True, copy_concepts=True))])).app_duplications
    get = s.GetAppDuplicationRequest(user_app_id=me(), app_duplication_id=copy.id)
    harness.wait_until(lambda: call("GetAppDuplication", get).app_duplication.status.code == codes.APP_DUPLICATION_SUCCESS, "the copy made")
    ids = r.UserAppIDSet(user_id="me", app_id=new_id)
    assert sorted(i.id for i in call("ListInputs", s.ListInputsRequest(user_app_id=ids)).inputs) == sorted(NAMES)
    call("DeleteApp", s.DeleteAppRequest(user_app_id=ids))
    entries = call("PostAuditLogSearches", s.PostAuditLogSearchesRequest(user_app_id=me(), pagination=s.Pagination(page=1, per_page=20))).entries
    assert any(new_id in str(entry) for entry in entries)


def test_another_account_is_closed(stub, filled):
    other = r.UserAppIDSet(user_id="somebody-else", app_id=filled.app_id)
    for rpc, request in [("ListInputs", s.ListInputsRequest(user_app_id=other)), ("ListDatasets", s.ListDatasetsRequest(user_app_id=other)),
                         ("PostConcepts", s.PostConceptsRequest(user_app_id=other, concepts=[r.Concept(id="mine")]))]:
        assert status_of(getattr(stub, rpc)(request, metadata=PAT)) != codes.SUCCESS, rpc
