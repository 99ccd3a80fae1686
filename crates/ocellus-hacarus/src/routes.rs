//! The table of both dialects: every method and path of the vendor's documents.

use ocellus_http::RouteInfo;

/// One operation.
pub(crate) struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// The name in the vendor's document, in snake case.
    pub operation: &'static str,
    pub implemented: bool,
}

impl Route {
    pub fn info(&self) -> RouteInfo {
        RouteInfo {
            method: self.method.to_owned(),
            path: self.path.to_owned(),
            rpc: self.operation.to_owned(),
            implemented: self.implemented,
        }
    }
}

/// What is mounted but not answered yet.
pub(crate) fn gaps() -> impl Iterator<Item = &'static Route> {
    ALL.iter().filter(|route| !route.implemented)
}

const fn done(method: &'static str, path: &'static str, operation: &'static str) -> Route {
    Route { method, path, operation, implemented: true }
}

const fn gap(method: &'static str, path: &'static str, operation: &'static str) -> Route {
    Route { method, path, operation, implemented: false }
}

/// The SDK's operations, then those of the SaaS; signing in is the same for both.
pub(crate) const ALL: &[Route] = &[
    done("POST", "/api/auth/token", "login"),
    done("GET", "/api/auth/app_version", "get_version"),
    gap("GET", "/api/v1/algorithms", "get_algorithms"),
    gap("GET", "/api/v1/items", "get_items"),
    gap("GET", "/api/v1/item/{item_id}", "get_item"),
    gap("POST", "/api/v1/upload", "upload_item"),
    gap("POST", "/api/v1/train", "train"),
    gap("GET", "/api/v1/models", "get_models"),
    gap("DELETE", "/api/v1/model", "delete_models"),
    gap("POST", "/api/v1/serve", "predict"),
    gap("POST", "/api/v1/license", "upload_license"),
    gap("POST", "/api/v1/image/{image_id}/annotation", "annotate"),
    gap("POST", "/api/v1/export_models", "export_models"),
    gap("POST", "/api/v1/import_models", "import_models"),
    gap("GET", "/api/v1/workers", "get_workers"),
    gap("GET", "/api/v1/targets/", "get_inspection_targets"),
    gap("GET", "/api/v1/targets/{target_id}", "get_inspection_target_by_id"),
    gap("POST", "/api/v1/targets/{target_id}", "set_inspection_target_by_id"),
    gap("POST", "/api/v1/targets/model/results", "get_model_results"),
    gap("GET", "/api/v1/algorithms/", "get_algorithms"),
    gap("GET", "/api/v1/algorithms/{algorithm_id}", "get_algorithm_by_id"),
    gap("POST", "/api/v1/algorithms/{algorithm_id}/train", "train"),
    gap("GET", "/api/v1/models/", "get_models"),
    gap("DELETE", "/api/v1/models/", "delete_models"),
    gap("GET", "/api/v1/models/{model_id}", "get_model_by_id"),
    gap("POST", "/api/v1/models/export", "export_models_with_id"),
    gap("POST", "/api/v1/models/import", "import_models"),
    gap("POST", "/api/v1/models/{model_id}/predict", "predict_items"),
    gap("GET", "/api/v1/items/", "get_items_by_type"),
    gap("POST", "/api/v1/items/", "add_item"),
    gap("GET", "/api/v1/items/{item_id}", "get_item_by_id"),
    gap("PATCH", "/api/v1/items/{item_id}", "annotate"),
    gap("POST", "/api/v1/utils/", "set_license"),
    gap("POST", "/api/v1/utils/debug", "get_logs"),
    gap("POST", "/api/v1/utils/node_hash", "get_hash_id"),
];
