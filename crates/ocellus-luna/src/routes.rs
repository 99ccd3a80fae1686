//! The table of the dialect: every method and path of Luna Tasks 3.8.8.

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

/// In the order of the vendor's document.
pub(crate) const ALL: &[Route] = &[
    done("GET", "/version", "get_version"),
    gap("GET", "/2/tasks", "get_tasks"),
    gap("GET", "/2/tasks/count", "get_tasks_count"),
    gap("GET", "/2/tasks/{task_id}", "get_task"),
    gap("PATCH", "/2/tasks/{task_id}", "cancel_task"),
    gap("DELETE", "/2/tasks/{task_id}", "delete_task"),
    gap("GET", "/2/tasks/{task_id}/result", "get_task_result"),
    gap("GET", "/2/tasks/{task_id}/errors", "get_task_errors"),
    gap("GET", "/2/tasks/{task_id}/errors/count", "get_task_errors_count"),
    gap("GET", "/2/tasks/{task_id}/subtasks", "get_sub_tasks"),
    gap("POST", "/2/tasks/clustering", "create_clustering_task"),
    gap("GET", "/2/tasks/errors", "get_errors"),
    gap("GET", "/2/tasks/errors/count", "get_errors_count"),
    gap("GET", "/2/tasks/errors/{error_id}", "get_task_error"),
    gap("POST", "/2/tasks/exporter", "create_exporter_task"),
    gap("POST", "/2/tasks/linker", "create_linker_task"),
    gap("POST", "/2/tasks/gc", "create_gc_task"),
    gap("POST", "/2/tasks/reporter", "create_reporter_task"),
    gap("POST", "/2/tasks/additional_extract", "create_additional_extract_task"),
    gap("POST", "/2/tasks/cross_match", "create_cross_match_task"),
    gap("POST", "/2/tasks/roc", "create_roc_task"),
    gap("POST", "/2/tasks/estimator", "create_estimator_task"),
    gap("GET", "/2/docs/spec", "get_spec"),
    gap("GET", "/2/docs/dev", "get_dev_manual"),
    gap("GET", "/2/config", "get_config"),
    done("GET", "/healthcheck", "healthcheck"),
];
