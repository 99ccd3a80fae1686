//! The table of every RPC this server answers, and the context a handler gets.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::HeaderMap;
use ocellus_core::{AccountCtx, AppCtx, Caller, Error, Platform, Result, Scope};
use prost::Message;

use crate::audit::Touched;
pub use crate::era::Era;
use crate::pb::status::{BaseResponse, Status, StatusCode};
use crate::pb::*;
use crate::status as statuses;

/// Answers one RPC: encoded request in, encoded answer out.
pub type Handler = fn(Cx, Bytes) -> BoxFuture<'static, Result<Reply>>;

/// An encoded answer with the code of its status, which decides the HTTP status.
pub struct Reply {
    pub code: i32,
    pub body: Bytes,
}

/// What a handler knows of its call besides the request.
#[derive(Clone)]
pub struct Cx {
    pub platform: Platform,
    /// Absent only for RPCs open to everybody.
    pub caller: Option<Caller>,
    /// Scopes the RPC asks for, from the proto.
    pub needs: std::sync::Arc<[Scope]>,
    pub era: Era,
    /// How this caller reaches the server, such as `http://127.0.0.1:8080`; no slash at the end.
    pub base_url: String,
    pub headers: HeaderMap,
    pub request_id: String,
    /// The name of the RPC.
    pub rpc: String,
    /// Where the call comes from; empty where that is unknown.
    pub address: String,
    /// What the call touched, for the audit log.
    pub touched: Touched,
}

impl Cx {
    /// Opens the app that the request names, or the key's own.
    pub async fn app(&self, ids: Option<UserAppIdSet>) -> Result<AppCtx> {
        let ids = ids.unwrap_or_default();
        let app = self.platform.app(self.caller()?, &ids.user_id, &ids.app_id, &self.needs).await?;
        self.touched.app(&app);
        Ok(app)
    }

    /// Opens the app that the request names, or the key's own, to use a model; that of somebody else too, if they
    /// published the model.
    pub async fn app_with_model(&self, ids: Option<UserAppIdSet>, model_id: &str) -> Result<AppCtx> {
        let ids = ids.unwrap_or_default();
        let place = (ids.user_id.as_str(), ids.app_id.as_str());
        let app = self.platform.app_with_model(self.caller()?, place, model_id, &self.needs).await?;
        self.touched.app(&app);
        Ok(app)
    }

    /// Opens the account that the request names, or the key's own.
    pub async fn account(&self, ids: Option<UserAppIdSet>) -> Result<AccountCtx> {
        let ids = ids.unwrap_or_default();
        let account = self.platform.account(self.caller()?, &ids.user_id, &self.needs).await?;
        self.touched.account(&account);
        Ok(account)
    }

    pub fn caller(&self) -> Result<&Caller> {
        self.caller.as_ref().ok_or_else(|| Error::unauthenticated("no key came with the request"))
    }

    /// A status in the words of the client's generation.
    pub fn status(&self, code: StatusCode) -> Status {
        statuses::of(self.era, code)
    }
}

/// Answers an RPC that is a stream in one direction or both: encoded requests in, encoded answers out.
pub type StreamHandler = fn(Cx, BoxStream<'static, Bytes>) -> BoxStream<'static, Bytes>;

/// The handler of such a stream, if it is built.
pub fn stream_handler(rpc: &str) -> Option<StreamHandler> {
    match rpc {
        "ProcessRunnerItems" => Some(crate::runner_items::process_runner_items),
        "GenerateModelOutputs" => Some(crate::output_streams::generate_model_outputs),
        "PostModelVersionsUpload" => Some(crate::model_uploads::post_model_versions_upload),
        "StreamModelOutputs" => Some(crate::output_streams::stream_model_outputs),
        "StreamAnnotations" => Some(crate::annotation_streams::stream_annotations),
        _ => None,
    }
}

/// Whether an RPC is built, over gRPC at least.
pub fn is_built(rpc: &str) -> bool {
    handler(rpc).is_some() || stream_handler(rpc).is_some()
}

macro_rules! rpcs {
    ($($rpc:ident($req:ty) -> $resp:ty = $module:ident::$function:ident;)*) => {
        /// The handler of an RPC, if it is built.
        pub fn handler(rpc: &str) -> Option<Handler> {
            match rpc {
                $(stringify!($rpc) => Some(|cx, body| {
                    Box::pin(async move {
                        let request = <$req>::decode(body)
                            .map_err(|e| Error::new(ocellus_core::Kind::Invalid, format!("the request is not a valid message: {e}")))?;
                        let request_id = cx.request_id.clone();
                        let mut answer: $resp = crate::$module::$function(cx, request).await?;
                        let status = answer.status.get_or_insert_default();
                        status.req_id = request_id;
                        Ok(Reply { code: status.code, body: answer.encode_to_vec().into() })
                    })
                }),)*
                _ => None,
            }
        }
    };
}

// One line per RPC, in the vendor's order. REST and gRPC both end here.
rpcs! {
    ListConceptRelations(ListConceptRelationsRequest) -> MultiConceptRelationResponse = concept_relations::list_concept_relations;
    PostConceptRelations(PostConceptRelationsRequest) -> MultiConceptRelationResponse = concept_relations::post_concept_relations;
    DeleteConceptRelations(DeleteConceptRelationsRequest) -> BaseResponse = concept_relations::delete_concept_relations;
    GetConceptCounts(GetConceptCountsRequest) -> MultiConceptCountResponse = concepts::get_concept_counts;
    GetConcept(GetConceptRequest) -> SingleConceptResponse = concepts::get_concept;
    ListConcepts(ListConceptsRequest) -> MultiConceptResponse = concepts::list_concepts;
    ListModelConcepts(ListModelConceptsRequest) -> MultiConceptResponse = models::list_model_concepts;
    PostConceptsSearches(PostConceptsSearchesRequest) -> MultiConceptResponse = concepts::post_concepts_searches;
    PostConcepts(PostConceptsRequest) -> MultiConceptResponse = concepts::post_concepts;
    PatchConcepts(PatchConceptsRequest) -> MultiConceptResponse = concepts::patch_concepts;
    GetConceptLanguage(GetConceptLanguageRequest) -> SingleConceptLanguageResponse = concept_languages::get_concept_language;
    ListConceptLanguages(ListConceptLanguagesRequest) -> MultiConceptLanguageResponse = concept_languages::list_concept_languages;
    PostConceptLanguages(PostConceptLanguagesRequest) -> MultiConceptLanguageResponse = concept_languages::post_concept_languages;
    PatchConceptLanguages(PatchConceptLanguagesRequest) -> MultiConceptLanguageResponse = concept_languages::patch_concept_languages;
    PostConceptMappingJobs(PostConceptMappingJobsRequest) -> MultiConceptMappingJobResponse = concept_mappings::post_concept_mapping_jobs;
    ListKnowledgeGraphs(ListKnowledgeGraphsRequest) -> MultiKnowledgeGraphResponse = knowledge_graphs::list_knowledge_graphs;
    PostKnowledgeGraphs(PostKnowledgeGraphsRequest) -> MultiKnowledgeGraphResponse = knowledge_graphs::post_knowledge_graphs;
    GetInputCount(GetInputCountRequest) -> SingleInputCountResponse = inputs::get_input_count;
    GetInputSamples(GetInputSamplesRequest) -> MultiInputAnnotationResponse = input_samples::get_input_samples;
    StreamInputs(StreamInputsRequest) -> MultiInputResponse = inputs::stream_inputs;
    GetInput(GetInputRequest) -> SingleInputResponse = inputs::get_input;
    ListInputs(ListInputsRequest) -> MultiInputResponse = inputs::list_inputs;
    GetInputVideoManifest(GetVideoManifestRequest) -> GetVideoManifestResponse = video_manifests::get_input_video_manifest;
    PostInputs(PostInputsRequest) -> MultiInputResponse = inputs::post_inputs;
    PatchInputs(PatchInputsRequest) -> MultiInputResponse = inputs::patch_inputs;
    DeleteInput(DeleteInputRequest) -> BaseResponse = inputs::delete_input;
    DeleteInputs(DeleteInputsRequest) -> BaseResponse = inputs::delete_inputs;
    PostInputsSearches(PostInputsSearchesRequest) -> MultiSearchResponse = searches::post_inputs_searches;
    PostModelOutputs(PostModelOutputsRequest) -> MultiOutputResponse = outputs::post_model_outputs;
    PostAnnotationsSearches(PostAnnotationsSearchesRequest) -> MultiSearchResponse = annotation_searches::post_annotations_searches;
    ListDatasets(ListDatasetsRequest) -> MultiDatasetResponse = datasets::list_datasets;
    GetDataset(GetDatasetRequest) -> SingleDatasetResponse = datasets::get_dataset;
    PostDatasets(PostDatasetsRequest) -> MultiDatasetResponse = datasets::post_datasets;
    PatchDatasets(PatchDatasetsRequest) -> MultiDatasetResponse = datasets::patch_datasets;
    DeleteDatasets(DeleteDatasetsRequest) -> BaseResponse = datasets::delete_datasets;
    ListDatasetInputs(ListDatasetInputsRequest) -> MultiDatasetInputResponse = datasets::list_dataset_inputs;
    GetDatasetInput(GetDatasetInputRequest) -> SingleDatasetInputResponse = datasets::get_dataset_input;
    PostDatasetInputs(PostDatasetInputsRequest) -> MultiDatasetInputResponse = datasets::post_dataset_inputs;
    DeleteDatasetInputs(DeleteDatasetInputsRequest) -> BaseResponse = datasets::delete_dataset_inputs;
    ListDatasetVersions(ListDatasetVersionsRequest) -> MultiDatasetVersionResponse = dataset_versions::list_dataset_versions;
    GetDatasetVersion(GetDatasetVersionRequest) -> SingleDatasetVersionResponse = dataset_versions::get_dataset_version;
    ListDatasetVersionMetricsGroups(ListDatasetVersionMetricsGroupsRequest) -> MultiDatasetVersionMetricsGroupResponse = dataset_versions::list_dataset_version_metrics_groups;
    PostDatasetVersions(PostDatasetVersionsRequest) -> MultiDatasetVersionResponse = dataset_versions::post_dataset_versions;
    PatchDatasetVersions(PatchDatasetVersionsRequest) -> MultiDatasetVersionResponse = dataset_versions::patch_dataset_versions;
    DeleteDatasetVersions(DeleteDatasetVersionsRequest) -> BaseResponse = dataset_versions::delete_dataset_versions;
    PutDatasetVersionExports(PutDatasetVersionExportsRequest) -> MultiDatasetVersionExportResponse = dataset_exports::put_dataset_version_exports;
    GetDatasetVersionDiff(GetDatasetVersionDiffRequest) -> SingleDatasetVersionDiffResponse = dataset_versions::get_dataset_version_diff;
    GetAnnotation(GetAnnotationRequest) -> SingleAnnotationResponse = annotations::get_annotation;
    ListAnnotations(ListAnnotationsRequest) -> MultiAnnotationResponse = annotations::list_annotations;
    PostTrackAnnotationsSearches(PostTrackAnnotationsSearchesRequest) -> MultiAnnotationResponse = annotations::post_track_annotations_searches;
    PostAnnotations(PostAnnotationsRequest) -> MultiAnnotationResponse = annotations::post_annotations;
    PatchAnnotations(PatchAnnotationsRequest) -> MultiAnnotationResponse = annotations::patch_annotations;
    PatchAnnotationsStatus(PatchAnnotationsStatusRequest) -> PatchAnnotationsStatusResponse = annotations::patch_annotations_status;
    DeleteAnnotation(DeleteAnnotationRequest) -> BaseResponse = annotations::delete_annotation;
    DeleteAnnotations(DeleteAnnotationsRequest) -> BaseResponse = annotations::delete_annotations;
    ListAnnotationTracks(ListAnnotationTracksRequest) -> MultiAnnotationTrackResponse = annotation_tracks::list_annotation_tracks;
    PostAnnotationTracks(PostAnnotationTracksRequest) -> MultiAnnotationTrackResponse = annotation_tracks::post_annotation_tracks;
    PatchAnnotationTracks(PatchAnnotationTracksRequest) -> MultiAnnotationTrackResponse = annotation_tracks::patch_annotation_tracks;
    DeleteAnnotationTracks(DeleteAnnotationTracksRequest) -> BaseResponse = annotation_tracks::delete_annotation_tracks;
    ListAnnotationWorkers(ListAnnotationWorkersRequest) -> MultiWorkerResponse = annotations::list_annotation_workers;
    PostTasks(PostTasksRequest) -> MultiTaskResponse = tasks::post_tasks;
    GetTaskAnnotationCount(GetTaskCountRequest) -> SingleTaskCountResponse = tasks::get_task_annotation_count;
    GetTaskInputCount(GetTaskCountRequest) -> SingleTaskCountResponse = tasks::get_task_input_count;
    GetTask(GetTaskRequest) -> SingleTaskResponse = tasks::get_task;
    ListTasks(ListTasksRequest) -> MultiTaskResponse = tasks::list_tasks;
    PatchTasks(PatchTasksRequest) -> MultiTaskResponse = tasks::patch_tasks;
    DeleteTasks(DeleteTasksRequest) -> BaseResponse = tasks::delete_tasks;
    ListNextTaskAssignments(ListNextTaskAssignmentsRequest) -> MultiInputResponse = task_assignments::list_next_task_assignments;
    PutTaskAssignments(PutTaskAssignmentsRequest) -> MultiTaskAssignmentResponse = task_assignments::put_task_assignments;
    ListAnnotationFilters(ListAnnotationFiltersRequest) -> MultiAnnotationFilterResponse = annotation_filters::list_annotation_filters;
    GetAnnotationFilter(GetAnnotationFilterRequest) -> SingleAnnotationFilterResponse = annotation_filters::get_annotation_filter;
    PostAnnotationFilters(PostAnnotationFiltersRequest) -> MultiAnnotationFilterResponse = annotation_filters::post_annotation_filters;
    PatchAnnotationFilters(PatchAnnotationFiltersRequest) -> MultiAnnotationFilterResponse = annotation_filters::patch_annotation_filters;
    DeleteAnnotationFilters(DeleteAnnotationFiltersRequest) -> BaseResponse = annotation_filters::delete_annotation_filters;
    PostLabelOrders(PostLabelOrdersRequest) -> MultiLabelOrderResponse = label_orders::post_label_orders;
    GetLabelOrder(GetLabelOrderRequest) -> SingleLabelOrderResponse = label_orders::get_label_order;
    ListLabelOrders(ListLabelOrdersRequest) -> MultiLabelOrderResponse = label_orders::list_label_orders;
    PatchLabelOrders(PatchLabelOrdersRequest) -> MultiLabelOrderResponse = label_orders::patch_label_orders;
    DeleteLabelOrders(DeleteLabelOrdersRequest) -> BaseResponse = label_orders::delete_label_orders;
    PostBulkOperations(PostBulkOperationsRequest) -> MultiBulkOperationsResponse = bulk_operations::post_bulk_operations;
    ListBulkOperations(ListBulkOperationsRequest) -> MultiBulkOperationsResponse = bulk_operations::list_bulk_operations;
    GetBulkOperation(GetBulkOperationRequest) -> SingleBulkOperationsResponse = bulk_operations::get_bulk_operation;
    CancelBulkOperations(CancelBulkOperationRequest) -> MultiBulkOperationsResponse = bulk_operations::cancel_bulk_operations;
    DeleteBulkOperations(DeleteBulkOperationRequest) -> BaseResponse = bulk_operations::delete_bulk_operations;
    GetModel(GetModelRequest) -> SingleModelResponse = models::get_model;
    GetModelOutputInfo(GetModelRequest) -> SingleModelResponse = models::get_model_output_info;
    ListModels(ListModelsRequest) -> MultiModelResponse = models::list_models;
    PostModelsSearches(PostModelsSearchesRequest) -> MultiModelResponse = models::post_models_searches;
    PostModels(PostModelsRequest) -> SingleModelResponse = user_models::post_models;
    PatchModels(PatchModelsRequest) -> MultiModelResponse = user_models::patch_models;
    PatchModelIds(PatchModelIdsRequest) -> MultiModelResponse = user_models::patch_model_ids;
    DeleteModel(DeleteModelRequest) -> BaseResponse = user_models::delete_model;
    DeleteModels(DeleteModelsRequest) -> BaseResponse = user_models::delete_models;
    PatchModelCheckConsents(PatchModelCheckConsentsRequest) -> MultiModelCheckConsentResponse = user_models::patch_model_check_consents;
    PatchModelToolkits(PatchModelToolkitsRequest) -> MultiModelToolkitResponse = user_models::patch_model_toolkits;
    PatchModelUseCases(PatchModelUseCasesRequest) -> MultiModelUseCaseResponse = user_models::patch_model_use_cases;
    PatchModelLanguages(PatchModelLanguagesRequest) -> MultiModelLanguageResponse = user_models::patch_model_languages;
    GetModelVersion(GetModelVersionRequest) -> SingleModelVersionResponse = model_versions::get_model_version;
    ListModelVersions(ListModelVersionsRequest) -> MultiModelVersionResponse = model_versions::list_model_versions;
    PatchModelVersions(PatchModelVersionsRequest) -> MultiModelVersionResponse = model_versions::patch_model_versions;
    PostModelVersions(PostModelVersionsRequest) -> SingleModelResponse = trainings::post_model_versions;
    PostModelVersionsTrainingTimeEstimate(PostModelVersionsTrainingTimeEstimateRequest) -> MultiTrainingTimeEstimateResponse = trainings::post_model_versions_training_time_estimate;
    ListModelInputs(ListModelInputsRequest) -> MultiInputResponse = trainings::list_model_inputs;
    ListModelReferences(ListModelReferencesRequest) -> MultiModelReferenceResponse = trainings::list_model_references;
    ListModelVersionInputExamples(ListModelVersionInputExamplesRequest) -> MultiModelVersionInputExampleResponse = trainings::list_model_version_input_examples;
    GetModelVersionInputExample(GetModelVersionInputExampleRequest) -> SingleModelVersionInputExampleResponse = trainings::get_model_version_input_example;
    PostModelVersionsPublish(PostModelVersionsPublishRequest) -> BaseResponse = trainings::post_model_versions_publish;
    PostModelVersionsUnPublish(PostModelVersionsUnPublishRequest) -> BaseResponse = trainings::post_model_versions_un_publish;
    GetModelWeight(GetModelWeightRequest) -> SingleModelWeightResponse = trainings::get_model_weight;
    PostModelVersionMetrics(PostModelVersionMetricsRequest) -> SingleModelVersionResponse = evaluations::post_model_version_metrics;
    GetModelVersionMetrics(GetModelVersionMetricsRequest) -> SingleModelVersionResponse = evaluations::get_model_version_metrics;
    PostModelVersionEvaluations(PostModelVersionEvaluationsRequest) -> MultiEvalMetricsResponse = evaluations::post_model_version_evaluations;
    ListModelVersionEvaluations(ListModelVersionEvaluationsRequest) -> MultiEvalMetricsResponse = evaluations::list_model_version_evaluations;
    GetModelVersionEvaluation(GetModelVersionEvaluationRequest) -> SingleEvalMetricsResponse = evaluations::get_model_version_evaluation;
    PostEvaluations(PostEvaluationsRequest) -> MultiEvalMetricsResponse = evaluations::post_evaluations;
    ListEvaluations(ListEvaluationsRequest) -> MultiEvalMetricsResponse = evaluations::list_evaluations;
    GetEvaluation(GetEvaluationRequest) -> SingleEvalMetricsResponse = evaluations::get_evaluation;
    DeleteModelVersion(DeleteModelVersionRequest) -> BaseResponse = model_versions::delete_model_version;
    GetWorkflow(GetWorkflowRequest) -> SingleWorkflowResponse = workflows::get_workflow;
    ListWorkflows(ListWorkflowsRequest) -> MultiWorkflowResponse = workflows::list_workflows;
    PostWorkflows(PostWorkflowsRequest) -> MultiWorkflowResponse = workflows::post_workflows;
    PatchWorkflows(PatchWorkflowsRequest) -> MultiWorkflowResponse = workflows::patch_workflows;
    PatchWorkflowIds(PatchWorkflowIdsRequest) -> MultiWorkflowResponse = workflows::patch_workflow_ids;
    DeleteWorkflow(DeleteWorkflowRequest) -> BaseResponse = workflows::delete_workflow;
    DeleteWorkflows(DeleteWorkflowsRequest) -> BaseResponse = workflows::delete_workflows;
    PostWorkflowResults(PostWorkflowResultsRequest) -> PostWorkflowResultsResponse = workflow_results::post_workflow_results;
    ListWorkflowVersions(ListWorkflowVersionsRequest) -> MultiWorkflowVersionResponse = workflow_versions::list_workflow_versions;
    GetWorkflowVersion(GetWorkflowVersionRequest) -> SingleWorkflowVersionResponse = workflow_versions::get_workflow_version;
    DeleteWorkflowVersions(DeleteWorkflowVersionsRequest) -> BaseResponse = workflow_versions::delete_workflow_versions;
    PatchWorkflowVersions(PatchWorkflowVersionsRequest) -> MultiWorkflowVersionResponse = workflow_versions::patch_workflow_versions;
    PostWorkflowVersionsUnPublish(PostWorkflowVersionsUnPublishRequest) -> BaseResponse = workflow_versions::post_workflow_versions_un_publish;
    PostWorkflowVersionsPublish(PostWorkflowVersionsPublishRequest) -> BaseResponse = workflow_versions::post_workflow_versions_publish;
    PostWorkflowResultsSimilarity(PostWorkflowResultsSimilarityRequest) -> PostWorkflowResultsSimilarityResponse = workflow_results::post_workflow_results_similarity;
    PutModelVersionExports(PutModelVersionExportsRequest) -> SingleModelVersionExportResponse = model_exports::put_model_version_exports;
    GetModelVersionExport(GetModelVersionExportRequest) -> SingleModelVersionExportResponse = model_exports::get_model_version_export;
    GetKey(GetKeyRequest) -> SingleKeyResponse = keys::get_key;
    ListKeys(ListKeysRequest) -> MultiKeyResponse = keys::list_keys;
    ListAppKeys(ListAppKeysRequest) -> MultiKeyResponse = keys::list_app_keys;
    DeleteKey(DeleteKeyRequest) -> BaseResponse = keys::delete_key;
    PostKeys(PostKeysRequest) -> MultiKeyResponse = keys::post_keys;
    PatchKeys(PatchKeysRequest) -> MultiKeyResponse = keys::patch_keys;
    MyScopes(MyScopesRequest) -> MultiScopeResponse = scopes::my_scopes;
    MyScopesUser(MyScopesUserRequest) -> MultiScopeUserResponse = scopes::my_scopes_user;
    MyScopesRoot(MyScopesRootRequest) -> MultiScopeRootResponse = scopes::my_scopes_root;
    ListScopes(ListScopesRequest) -> MultiScopeDepsResponse = scopes::list_scopes;
    GetApp(GetAppRequest) -> SingleAppResponse = apps::get_app;
    ListApps(ListAppsRequest) -> MultiAppResponse = apps::list_apps;
    DeleteApp(DeleteAppRequest) -> BaseResponse = apps::delete_app;
    PostApps(PostAppsRequest) -> MultiAppResponse = apps::post_apps;
    PatchApps(PatchAppsRequest) -> MultiAppResponse = apps::patch_apps;
    PatchAppsDetails(PatchAppsDetailsRequest) -> MultiAppResponse = apps::patch_apps_details;
    PatchApp(PatchAppRequest) -> SingleAppResponse = apps::patch_app;
    GetUser(GetUserRequest) -> SingleUserResponse = users::get_user;
    PostValidatePassword(PostValidatePasswordRequest) -> SinglePasswordValidationResponse = users::post_validate_password;
    PostSearchesByID(PostSearchesByIdRequest) -> MultiSearchResponse = saved_searches::post_searches_by_id;
    GetSearch(GetSearchRequest) -> SingleSearchResponse = saved_searches::get_search;
    ListSearches(ListSearchesRequest) -> MultiSearchResponse = saved_searches::list_searches;
    PatchSearches(PatchSearchesRequest) -> MultiSearchResponse = saved_searches::patch_searches;
    DeleteSearch(DeleteSearchRequest) -> BaseResponse = saved_searches::delete_search;
    PatchInputsSearches(PatchInputsSearchesRequest) -> MultiSearchResponse = saved_searches::patch_inputs_searches;
    PatchAnnotationsSearches(PatchAnnotationsSearchesRequest) -> MultiSearchResponse = saved_searches::patch_annotations_searches;
    PostSearches(PostSearchesRequest) -> MultiSearchResponse = searches::post_searches;
    PostUploads(PostUploadsRequest) -> MultiUploadResponse = uploads::post_uploads;
    PostInputsUploads(PostInputsUploadsRequest) -> MultiInputsAddJobResponse = add_jobs::post_inputs_uploads;
    PostInputsDataSources(PostInputsDataSourcesRequest) -> MultiInputsAddJobResponse = add_jobs::post_inputs_data_sources;
    ListInputsAddJobs(ListInputsAddJobsRequest) -> MultiInputsAddJobResponse = add_jobs::list_inputs_add_jobs;
    GetInputsAddJob(GetInputsAddJobRequest) -> SingleInputsAddJobResponse = add_jobs::get_inputs_add_job;
    CancelInputsAddJob(CancelInputsAddJobRequest) -> SingleInputsAddJobResponse = add_jobs::cancel_inputs_add_job;
    ListInputsExtractionJobs(ListInputsExtractionJobsRequest) -> MultiInputsExtractionJobResponse = extractions::list_inputs_extraction_jobs;
    GetInputsExtractionJob(GetInputsExtractionJobRequest) -> SingleInputsExtractionJobResponse = extractions::get_inputs_extraction_job;
    CancelInputsExtractionJobs(CancelInputsExtractionJobsRequest) -> MultiInputsExtractionJobResponse = extractions::cancel_inputs_extraction_jobs;
    PutUploadContentParts(PutUploadContentPartsRequest) -> SingleUploadResponse = uploads::put_upload_content_parts;
    GetUpload(GetUploadRequest) -> SingleUploadResponse = uploads::get_upload;
    ListUploads(ListUploadsRequest) -> MultiUploadResponse = uploads::list_uploads;
    DeleteUploads(DeleteUploadsRequest) -> BaseResponse = uploads::delete_uploads;
    ListStatusCodes(ListStatusCodesRequest) -> MultiStatusCodeResponse = status_codes::list_status_codes;
    GetStatusCode(GetStatusCodeRequest) -> SingleStatusCodeResponse = status_codes::get_status_code;
    ListCollaborators(ListCollaboratorsRequest) -> MultiCollaboratorsResponse = collaborators::list_collaborators;
    PostCollaborators(PostCollaboratorsRequest) -> MultiCollaboratorsResponse = collaborators::post_collaborators;
    PatchCollaborators(PatchCollaboratorsRequest) -> MultiCollaboratorsResponse = collaborators::patch_collaborators;
    DeleteCollaborators(DeleteCollaboratorsRequest) -> BaseResponse = collaborators::delete_collaborators;
    ListCollaborations(ListCollaborationsRequest) -> MultiCollaborationsResponse = collaborators::list_collaborations;
    PostAuditLogSearches(PostAuditLogSearchesRequest) -> MultiAuditLogEntryResponse = audit::post_audit_log_searches;
    GetSubscription(GetSubscriptionRequest) -> SingleSubscriptionResponse = usage::get_subscription;
    PostSubscription(PostSubscriptionRequest) -> SingleSubscriptionResponse = usage::post_subscription;
    GetBillingUsage(GetBillingUsageRequest) -> GetBillingUsageResponse = usage::get_billing_usage;
    ListUserBillingCycles(ListUserBillingCyclesRequest) -> ListUserBillingCyclesResponse = usage::list_user_billing_cycles;
    PostHistoricalUsage(PostHistoricalUsageRequest) -> PostHistoricalUsageResponse = usage::post_historical_usage;
    GetRealtimeUsage(GetRealtimeUsageRequest) -> GetRealtimeUsageResponse = usage::get_realtime_usage;
    ListUsageIntervals(ListUsageIntervalsRequest) -> ListUsageIntervalsResponse = usage::list_usage_intervals;
    PostLogin(PostLoginRequest) -> SingleLoginResponse = logins::post_login;
    PostSignup(PostSignupRequest) -> SingleLoginResponse = logins::post_signup;
    PostVerifyEmail(PostVerifyEmailRequest) -> SingleVerifyEmailResponse = logins::post_verify_email;
    PostToken(PostTokenRequest) -> SingleTokenResponse = tokens::post_token;
    PatchUsers(PatchUsersRequest) -> MultiUserResponse = users::patch_users;
    PostUserConsent(PostUserConsentRequest) -> SingleUserResponse = users::post_user_consent;
    ListModelTypes(ListModelTypesRequest) -> MultiModelTypeResponse = model_types::list_model_types;
    GetModelType(GetModelTypeRequest) -> SingleModelTypeResponse = model_types::get_model_type;
    ListOpenSourceLicenses(ListOpenSourceLicensesRequest) -> ListOpenSourceLicensesResponse = licences::list_open_source_licenses;
    PostStatValues(PostStatValuesRequest) -> MultiStatValueResponse = stats::post_stat_values;
    PostStatValuesAggregate(PostStatValuesAggregateRequest) -> MultiStatValueAggregateResponse = stats::post_stat_values_aggregate;
    PostTrendingMetricsView(PostTrendingMetricsViewRequest) -> BaseResponse = trending_metrics::post_trending_metrics_view;
    ListTrendingMetricsViews(ListTrendingMetricsViewsRequest) -> MultiTrendingMetricsViewResponse = trending_metrics::list_trending_metrics_views;
    GetModule(GetModuleRequest) -> SingleModuleResponse = modules::get_module;
    ListModules(ListModulesRequest) -> MultiModuleResponse = modules::list_modules;
    PostModules(PostModulesRequest) -> MultiModuleResponse = modules::post_modules;
    PatchModules(PatchModulesRequest) -> MultiModuleResponse = modules::patch_modules;
    DeleteModules(DeleteModulesRequest) -> BaseResponse = modules::delete_modules;
    GetModuleVersion(GetModuleVersionRequest) -> SingleModuleVersionResponse = modules::get_module_version;
    ListModuleVersions(ListModuleVersionsRequest) -> MultiModuleVersionResponse = modules::list_module_versions;
    PostModuleVersions(PostModuleVersionsRequest) -> MultiModuleVersionResponse = modules::post_module_versions;
    DeleteModuleVersions(DeleteModuleVersionsRequest) -> BaseResponse = modules::delete_module_versions;
    GetModuleVersionUsageCount(GetModuleVersionUsageCountRequest) -> SingleModuleVersionUsageCountResponse = modules::get_module_version_usage_count;
    GetInstalledModuleVersion(GetInstalledModuleVersionRequest) -> SingleInstalledModuleVersionResponse = installed_modules::get_installed_module_version;
    ListInstalledModuleVersions(ListInstalledModuleVersionsRequest) -> MultiInstalledModuleVersionResponse = installed_modules::list_installed_module_versions;
    PostInstalledModuleVersions(PostInstalledModuleVersionsRequest) -> MultiInstalledModuleVersionResponse = installed_modules::post_installed_module_versions;
    DeleteInstalledModuleVersions(DeleteInstalledModuleVersionsRequest) -> BaseResponse = installed_modules::delete_installed_module_versions;
    PostInstalledModuleVersionsKey(PostInstalledModuleVersionsKeyRequest) -> SingleKeyResponse = installed_modules::post_installed_module_versions_key;
    PostAppsSearches(PostAppsSearchesRequest) -> MultiAppResponse = apps::post_apps_searches;
    PatchAppsIds(PatchAppsIdsRequest) -> MultiAppResponse = apps::patch_apps_ids;
    GetResourceCounts(GetResourceCountsRequest) -> GetResourceCountsResponse = resource_counts::get_resource_counts;
    PostAppDuplications(PostAppDuplicationsRequest) -> MultiAppDuplicationsResponse = duplications::post_app_duplications;
    ListAppDuplications(ListAppDuplicationsRequest) -> MultiAppDuplicationsResponse = duplications::list_app_duplications;
    GetAppDuplication(GetAppDuplicationRequest) -> SingleAppDuplicationResponse = duplications::get_app_duplication;
    PostAnnotationSearchMetrics(PostAnnotationSearchMetricsRequest) -> MultiAnnotationSearchMetricsResponse = annotation_metrics::post_annotation_search_metrics;
    GetAnnotationSearchMetrics(GetAnnotationSearchMetricsRequest) -> MultiAnnotationSearchMetricsResponse = annotation_metrics::get_annotation_search_metrics;
    ListAnnotationSearchMetrics(ListAnnotationSearchMetricsRequest) -> MultiAnnotationSearchMetricsResponse = annotation_metrics::list_annotation_search_metrics;
    DeleteAnnotationSearchMetrics(DeleteAnnotationSearchMetricsRequest) -> BaseResponse = annotation_metrics::delete_annotation_search_metrics;
    PostCollectors(PostCollectorsRequest) -> MultiCollectorResponse = collectors::post_collectors;
    GetCollector(GetCollectorRequest) -> SingleCollectorResponse = collectors::get_collector;
    ListCollectors(ListCollectorsRequest) -> MultiCollectorResponse = collectors::list_collectors;
    PatchCollectors(PatchCollectorsRequest) -> MultiCollectorResponse = collectors::patch_collectors;
    DeleteCollectors(DeleteCollectorsRequest) -> BaseResponse = collectors::delete_collectors;
    GetRunner(GetRunnerRequest) -> SingleRunnerResponse = runners::get_runner;
    ListRunners(ListRunnersRequest) -> MultiRunnerResponse = runners::list_runners;
    PostRunners(PostRunnersRequest) -> MultiRunnerResponse = runners::post_runners;
    DeleteRunners(DeleteRunnersRequest) -> BaseResponse = runners::delete_runners;
    ListRunnerItems(ListRunnerItemsRequest) -> MultiRunnerItemResponse = runner_items::list_runner_items;
    PostRunnerItemOutputs(PostRunnerItemOutputsRequest) -> MultiRunnerItemOutputResponse = runner_items::post_runner_item_outputs;
    ListConceptReferences(ListConceptReferencesRequest) -> MultiConceptReferenceResponse = concept_references::list_concept_references;
    GetAppVisualization(GetAppVisualizationRequest) -> SingleVisualizationResponse = visualizations::get_app_visualization;
    GetVisualization(GetVisualizationRequest) -> SingleVisualizationResponse = visualizations::get_visualization;
    PostVisualization(PostVisualizationRequest) -> SingleVisualizationResponse = visualizations::post_visualization;
    GetVocab(GetVocabRequest) -> SingleVocabResponse = vocabs::get_vocab;
    ListVocabs(ListVocabsRequest) -> MultiVocabResponse = vocabs::list_vocabs;
    PostVocabs(PostVocabsRequest) -> MultiVocabResponse = vocabs::post_vocabs;
    PatchVocabs(PatchVocabsRequest) -> MultiVocabResponse = vocabs::patch_vocabs;
    DeleteVocab(DeleteVocabRequest) -> BaseResponse = vocabs::delete_vocab;
    DeleteVocabs(DeleteVocabsRequest) -> BaseResponse = vocabs::delete_vocabs;
    ListVocabConcepts(ListVocabConceptsRequest) -> MultiConceptResponse = vocabs::list_vocab_concepts;
    PostVocabConcepts(PostVocabConceptsRequest) -> MultiConceptResponse = vocabs::post_vocab_concepts;
    DeleteVocabConcept(DeleteVocabConceptRequest) -> BaseResponse = vocabs::delete_vocab_concept;
    DeleteVocabConcepts(DeleteVocabConceptsRequest) -> BaseResponse = vocabs::delete_vocab_concepts;
    PostModelFeedback(PostModelFeedbackRequest) -> BaseResponse = feedback::post_model_feedback;
    PostSearchFeedback(PostSearchFeedbackRequest) -> BaseResponse = feedback::post_search_feedback;
    ListPublicWorkflows(ListPublicWorkflowsRequest) -> MultiWorkflowResponse = workflows::list_public_workflows;
    Echo(TestMessage) -> TestMessage = echo::echo;
    GetHealthz(GetHealthzRequest) -> GetHealthzResponse = health::get_healthz;
}
