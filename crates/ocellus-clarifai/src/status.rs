//! The status message that begins every answer, with the vendor's texts of the client's generation.

use http::StatusCode as Http;
use ocellus_clarifai_proto::status_code;

use crate::pb::status::{Status, StatusCode as Code};
use crate::rpc::Era;

/// A status with the description that clients of this generation know.
pub fn of(era: Era, code: Code) -> Status {
    Status { code: code as i32, description: description(era, code as i32), ..Status::default() }
}

/// Everything went well; the text is the same in every generation.
#[expect(clippy::unnecessary_wraps, reason = "every answer holds its status as an option")]
pub fn success() -> Option<Status> {
    Some(of(Era::Current, Code::Success))
}

/// The status over several items of which some may have failed: all well, mixed, or none well.
/// With none well the details are those of the first item, as old clients show no others.
pub fn of_items<'a>(era: Era, items: impl IntoIterator<Item = Option<&'a Status>>, good: &[Code]) -> Status {
    let (mut n_good, mut bad) = (0, Vec::new());
    for item in items.into_iter().flatten() {
        if good.iter().any(|code| *code as i32 == item.code) {
            n_good += 1;
        } else {
            bad.push(item);
        }
    }
    match (n_good, bad.first()) {
        (_, None) => of(era, Code::Success),
        (0, Some(first)) => Status { details: first.details.clone(), ..of(era, Code::Failure) },
        (_, Some(_)) => of(era, Code::MixedStatus),
    }
}

/// What the vendor says about a code.
pub fn description(era: Era, code: i32) -> String {
    status_code(code).map_or_else(String::new, |info| match era {
        Era::Y2019 => info.description_2018.to_owned(),
        Era::Current => info.description.to_owned(),
    })
}

/// The HTTP status of an answer with this code at the top.
pub fn http(code: i32) -> Http {
    // To be told to ask again for work is no failure.
    if code == Code::Success as i32 || code == Code::RunnerNeedsRetry as i32 {
        return Http::OK;
    }
    let known = status_code(code).and_then(|info| info.http_status);
    known.and_then(|n| Http::from_u16(n).ok()).unwrap_or(Http::BAD_REQUEST)
}
