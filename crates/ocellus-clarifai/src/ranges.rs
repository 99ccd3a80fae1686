//! Parts of a file, as players ask for them: one range of bytes (RFC 9110, section 14).

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, IF_RANGE, RANGE};

/// What a request wants of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it; also for several ranges at once, and for what is no range of bytes.
    All,
    /// From the first byte through the last.
    Part(usize, usize),
    /// What the file does not have.
    Nothing,
}

/// Reads the headers of a request for a file with this length and version.
pub fn wanted(headers: &HeaderMap, n_bytes: usize, etag: &HeaderValue) -> Wanted {
    if headers.get(IF_RANGE).is_some_and(|version| version != etag) {
        return Wanted::All;
    }
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
    let Some(range) = range.strip_prefix("bytes=").filter(|range| !range.contains(',')) else {
        return Wanted::All;
    };
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::All };
    match (first.parse::<usize>(), last.parse::<usize>()) {
        // The last so many bytes.
        (Err(_), Ok(0)) if first.is_empty() => Wanted::Nothing,
        (Err(_), Ok(n)) if first.is_empty() && n_bytes > 0 => {
            Wanted::Part(n_bytes.saturating_sub(n), n_bytes - 1)
        }
        (Ok(first), _) if first >= n_bytes => Wanted::Nothing,
        (Ok(first), Err(_)) if last.is_empty() => Wanted::Part(first, n_bytes - 1),
        (Ok(first), Ok(last)) if first <= last => Wanted::Part(first, last.min(n_bytes - 1)),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => Wanted::All,
    }
}

/// The value of `Content-Range` for a part, and its bytes.
pub fn cut(bytes: &Bytes, first: usize, last: usize) -> (String, Bytes) {
    (format!("bytes {first}-{last}/{}", bytes.len()), bytes.slice(first..=last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_understood_and_anything_else_means_all() {
        let etag = HeaderValue::from_static("\"e\"");
        for (range, expected) in [
            ("bytes=0-3", Wanted::Part(0, 3)),
            ("bytes=4-", Wanted::Part(4, 9)),
            ("bytes=4-400", Wanted::Part(4, 9)),
            ("bytes=-3", Wanted::Part(7, 9)),
            ("bytes=-300", Wanted::Part(0, 9)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=3-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=x-", Wanted::All),
            ("pages=0-1", Wanted::All),
            ("", Wanted::All),
        ] {
            let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))]);
            assert_eq!(wanted(&headers, 10, &etag), expected, "{range}");
        }
        let mut headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-3"))]);
        headers.insert(IF_RANGE, HeaderValue::from_static("\"older\""));
        assert_eq!(wanted(&headers, 10, &etag), Wanted::All);
        headers.insert(IF_RANGE, etag.clone());
        assert_eq!(wanted(&headers, 10, &etag), Wanted::Part(0, 3));
        assert_eq!(
            wanted(&HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=-1"))]), 0, &etag),
            Wanted::All
        );
        let (content_range, part) = cut(&Bytes::from_static(b"0123456789"), 2, 4);
        assert_eq!((content_range.as_str(), &part[..]), ("bytes 2-4/10", &b"234"[..]));
    }
}
