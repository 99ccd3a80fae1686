//! The table of the dialect: every method and path of Luna Tasks 3.8.8.

use ocellus_http::Route;

/// In the order of the vendor's document.
pub(crate) const ALL: &[Route] = &[
    Route::done("GET", "/version", "get_version"),
    Route::gap("GET", "/2/tasks", "get_tasks"),
    Route::gap("GET", "/2/tasks/count", "get_tasks_count"),
    Route::gap("GET", "/2/tasks/{task_id}", "get_task"),
    Route::gap("PATCH", "/2/tasks/{task_id}", "cancel_task"),
    Route::gap("DELETE", "/2/tasks/{task_id}", "delete_task"),
    Route::gap("GET", "/2/tasks/{task_id}/result", "get_task_result"),
    Route::gap("GET", "/2/tasks/{task_id}/errors", "get_task_errors"),
    Route::gap("GET", "/2/tasks/{task_id}/errors/count", "get_task_errors_count"),
    Route::gap("GET", "/2/tasks/{task_id}/subtasks", "get_sub_tasks"),
    Route::gap("POST", "/2/tasks/clustering", "create_clustering_task"),
    Route::gap("GET", "/2/tasks/errors", "get_errors"),
    Route::gap("GET", "/2/tasks/errors/count", "get_errors_count"),
    Route::gap("GET", "/2/tasks/errors/{error_id}", "get_task_error"),
    Route::gap("POST", "/2/tasks/exporter", "create_exporter_task"),
    Route::gap("POST", "/2/tasks/linker", "create_linker_task"),
    Route::gap("POST", "/2/tasks/gc", "create_gc_task"),
    Route::gap("POST", "/2/tasks/reporter", "create_reporter_task"),
    Route::gap("POST", "/2/tasks/additional_extract", "create_additional_extract_task"),
    Route::gap("POST", "/2/tasks/cross_match", "create_cross_match_task"),
    Route::gap("POST", "/2/tasks/roc", "create_roc_task"),
    Route::gap("POST", "/2/tasks/estimator", "create_estimator_task"),
    Route::gap("GET", "/2/docs/spec", "get_spec"),
    Route::gap("GET", "/2/docs/dev", "get_dev_manual"),
    Route::gap("GET", "/2/config", "get_config"),
    Route::done("GET", "/healthcheck", "healthcheck"),
];
