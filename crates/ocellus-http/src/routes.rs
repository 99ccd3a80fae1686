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
