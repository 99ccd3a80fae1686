//! `ocellus routes`: every method and path of the server, with the dialect and function behind it.

use ocellus_http::RouteInfo;

use crate::{output, serve};

/// The routes of one dialect.
pub struct Dialect {
    pub name: &'static str,
    pub routes: Vec<RouteInfo>,
}

/// All dialects, and the server's own routes.
pub fn dialects() -> Vec<Dialect> {
    vec![
        Dialect { name: "clarifai", routes: ocellus_clarifai::routes() },
        Dialect { name: "inference", routes: ocellus_inference::routes() },
        Dialect { name: "hacarus", routes: ocellus_hacarus::routes() },
        Dialect { name: "luna", routes: ocellus_luna::routes() },
        Dialect { name: "console", routes: ocellus_console::routes() },
        Dialect { name: "ocellus", routes: serve::pages::routes() },
    ]
}

pub fn run() {
    let mut rows = Vec::new();
    for dialect in dialects() {
        for route in dialect.routes {
            let state = if route.implemented { "" } else { "not implemented" };
            rows.push(vec![
                route.method,
                route.path,
                format!("{}::{}", dialect.name, route.rpc),
                state.to_owned(),
            ]);
        }
    }
    output::table(&["method", "path", "answered by", ""], rows);
}
