//! The document of the API, as people and generators of clients read it.

use axum::response::IntoResponse;
use http::header;

pub(crate) const PATH: &str = "/console/api/v1/openapi.json";

/// The document itself.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

pub(crate) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn the_document_has_the_routes_that_there_are() {
        let document: serde_json::Value = serde_json::from_str(super::DOCUMENT).unwrap();
        let described: BTreeSet<&str> =
            document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let routes = crate::routes();
        let there: BTreeSet<&str> = routes.iter().map(|route| route.path.as_str()).collect();
        assert_eq!(described, there);
    }
}
