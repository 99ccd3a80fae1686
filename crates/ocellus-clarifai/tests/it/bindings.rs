//! Which RPC a request of a test reaches, by the table of routes.

use std::sync::LazyLock;

use ocellus_clarifai::{RouteInfo, routes};

static ROUTES: LazyLock<Vec<RouteInfo>> = LazyLock::new(routes);

/// The route of a raw path without its query: of those that fit, the one with most literal segments from the left.
pub fn route(method: &str, path: &str) -> Option<&'static RouteInfo> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let fits = ROUTES.iter().filter(|route| route.method == method && fits(&route.path, &segments));
    fits.max_by_key(|route| literals(&route.path))
}

/// Names of the RPCs that are built, each once, in the vendor's order.
pub fn built() -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for route in ROUTES.iter().filter(|route| route.implemented) {
        if !names.contains(&route.rpc.as_str()) {
            names.push(&route.rpc);
        }
    }
    names
}

fn fits(template: &str, segments: &[&str]) -> bool {
    let template: Vec<&str> = template.trim_matches('/').split('/').collect();
    template.len() == segments.len()
        && template
            .iter()
            .zip(segments)
            .all(|(wanted, found)| if wanted.starts_with('{') { !found.is_empty() } else { wanted == found })
}

fn literals(template: &str) -> Vec<bool> {
    template.trim_matches('/').split('/').map(|segment| !segment.starts_with('{')).collect()
}

#[test]
fn a_literal_segment_wins_over_a_variable() {
    for (method, path, rpc) in [
        ("GET", "/v2/inputs/status", "GetInputCount"),
        ("GET", "/v2/inputs/x", "GetInput"),
        ("GET", "/v2/users/me/apps/a/concepts/relations", "ListConceptRelations"),
        ("GET", "/v2/users/me/apps/a/concepts/x", "GetConcept"),
    ] {
        assert_eq!(route(method, path).map(|route| route.rpc.as_str()), Some(rpc), "{method} {path}");
    }
    assert_eq!(route("GET", "/v2/nowhere/at/all/x/y/z/w"), None);
}
