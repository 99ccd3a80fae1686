//! What a dialect tells about its routes; `docs/routes.md` and the compatibility tables are generated from it.

/// One method and path that a dialect answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteInfo {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The template, with parameters in braces: `/v2/inputs/{input_id}`.
    pub path: String,
    /// The RPC or operation behind it; the name of the function that answers.
    pub rpc: String,
    /// False when the answer is the vendor's "not implemented".
    pub implemented: bool,
}

/// One line of a dialect's own table of operations.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST` and so on.
    pub method: &'static str,
    /// The template, with parameters in braces.
    pub path: &'static str,
    /// The name in the vendor's document, in snake case.
    pub operation: &'static str,
    /// False when the answer is the vendor's "not implemented".
    pub implemented: bool,
}

impl Route {
    /// An operation that is built.
    pub const fn done(method: &'static str, path: &'static str, operation: &'static str) -> Self {
        Self { method, path, operation, implemented: true }
    }

    /// An operation that is mounted but not answered yet.
    pub const fn gap(method: &'static str, path: &'static str, operation: &'static str) -> Self {
        Self { method, path, operation, implemented: false }
    }

    /// The line as the documents list it.
    pub fn info(&self) -> RouteInfo {
        RouteInfo {
            method: self.method.to_owned(),
            path: self.path.to_owned(),
            rpc: self.operation.to_owned(),
            implemented: self.implemented,
        }
    }
}
