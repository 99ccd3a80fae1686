//! Generations of clients: which one a caller belongs to.

use http::HeaderMap;

/// The generation of a client, where generations expect different things of the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// The Python 2.x and JavaScript 2.x clients of 2018 and 2019.
    Y2019,
    /// Everything since 2020.
    Current,
}

impl Era {
    /// The old clients name themselves in a header; newer ones use other headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let client = headers.get("x-clarifai-client").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let old = ["python:2.", "js:2."].iter().any(|prefix| client.starts_with(prefix));
        if old { Self::Y2019 } else { Self::Current }
    }
}
