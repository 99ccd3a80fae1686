//! The Clarifai dialect: the vendor's REST and gRPC API over the platform, driven by its own proto.
//!
//! `rpc.rs` is the table of what is built; a line there and a function in the file of its resource
//! are all that an RPC needs, for both transports.

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use ocellus_clarifai_proto as proto;
use ocellus_clarifai_proto::pb;
use ocellus_core::Platform;
pub use ocellus_http::RouteInfo;

mod add_jobs;
mod annotation_data;
mod annotation_filters;
mod annotation_metrics;
mod annotation_searches;
mod annotation_streams;
mod annotation_terms;
mod annotation_tracks;
mod annotations;
mod apps;
mod audit;
mod auth;
mod bulk_operations;
mod call;
mod collaborators;
mod collecting;
mod collectors;
mod concept_languages;
mod concept_mappings;
mod concept_references;
mod concept_relations;
mod concepts;
pub mod coverage;
mod dataset_exports;
mod dataset_versions;
mod datasets;
mod documents;
mod duplications;
mod echo;
mod era;
mod error;
mod eval_extras;
mod eval_metrics;
mod evaluations;
mod extractions;
mod feedback;
mod frozen;
mod grpc;
mod grpc_stream;
mod grpc_web;
mod health;
mod hosted;
mod input_data;
mod input_samples;
mod inputs;
mod installed_modules;
mod items;
mod keys;
mod knowledge_graphs;
mod label_orders;
mod licences;
mod logins;
mod metering;
mod model_about;
mod model_exports;
mod model_types;
mod model_uploads;
mod model_versions;
mod models;
mod modules;
mod numbers_2023;
mod operator_types;
mod operator_versions;
mod output_regions;
mod output_streams;
mod outputs;
mod paging;
mod patches;
mod paths;
mod queries;
mod ranges;
mod resource_counts;
mod rest;
mod rpc;
mod runner_items;
mod runner_outputs;
mod runners;
mod saved_searches;
mod scopes;
mod searches;
mod service;
mod stats;
mod status;
mod status_codes;
mod stream_metering;
mod task_answers;
mod task_assignments;
mod tasks;
mod tokens;
mod trainable_types;
mod trainings;
mod transcode;
mod trending_metrics;
mod uploads;
mod usage;
mod user_models;
mod users;
mod video_manifests;
mod visualizations;
mod vocabs;
mod workflow_nodes;
mod workflow_results;
mod workflow_versions;
mod workflows;

/// Settings of the dialect.
#[derive(Clone, Debug)]
pub struct ClarifaiConfig {
    /// Requests with a larger body are refused. In bytes.
    pub max_body_bytes: usize,
    /// How clients reach the server, such as `https://images.example.org`, for links in answers.
    /// Absent: what each request says in its `Host` header.
    pub public_url: Option<String>,
}

impl Default for ClarifaiConfig {
    fn default() -> Self {
        Self { max_body_bytes: 128 << 20, public_url: None }
    }
}

/// REST below `/v2`, hosted images below `/hosted`, and gRPC and grpc-web under their usual paths.
pub fn router(platform: Platform, config: ClarifaiConfig) -> Router {
    let plans = Arc::new(transcode::Plans::new(proto::pool()));
    dataset_exports::register(platform.exporters(), plans.clone());
    extractions::register(platform.call_backs(), plans);
    let api = Arc::new(service::Api { platform, config, service: service::Service::new() });
    Router::new()
        .route("/v2", any(rest::rest))
        .route("/v2/{*path}", any(rest::rest))
        .route("/hosted/{size}/{user_id}/{app_id}/{input_id}/{signature}", get(hosted::image))
        .route("/maps/{user_id}/{app_id}/{map_id}/{signature}", get(visualizations::points))
        .route(
            "/exports/{user_id}/{app_id}/{dataset}/{version}/{format}/{signature}",
            get(dataset_exports::archive),
        )
        .route("/bundles/{user_id}/{app_id}/{model_id}/{version_id}/{signature}", get(model_exports::bundle))
        .route("/clarifai.api.V2/{rpc}", post(grpc::call))
        .route("/grpc.health.v1.Health/Check", post(grpc::health))
        .layer(ocellus_http::panic::layer(rest::panicked))
        .with_state(api)
}

/// Every REST binding of the proto, and whether its RPC is built.
pub fn routes() -> Vec<RouteInfo> {
    proto::operations()
        .into_iter()
        .map(|operation| {
            let rpc = operation.answered_by.map_or(operation.rpc, str::to_owned);
            RouteInfo {
                implemented: rpc::handler(&rpc).is_some(),
                method: operation.method,
                path: operation.path,
                rpc,
            }
        })
        .collect()
}

/// Names of the RPCs that answer "not implemented", in the order of the proto.
pub fn not_implemented() -> Vec<String> {
    let service =
        proto::pool().get_service_by_name(proto::SERVICE).expect("the pool was built around this service");
    let names = service.methods().map(|m| m.name().to_owned());
    names.filter(|name| !rpc::is_built(name)).collect()
}
