//! Looking up what is known about a status code.

use crate::STATUS_CODES;

/// One status code as it appears in the answers of both eras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusCodeInfo {
    /// The number on the wire; the same in all eras.
    pub number: i32,
    /// Name of the enum value today (or the last it had).
    pub name: &'static str,
    /// Name in the clients of 2018 and 2019, if they knew the code.
    pub name_2018: Option<&'static str>,
    /// `status.description` today.
    pub description: &'static str,
    /// `status.description` as sent to the clients of 2018 and 2019.
    pub description_2018: &'static str,
    /// HTTP status of an answer with this code at the top, where it is known (100 to 599).
    pub http_status: Option<u16>,
}

/// What is known about `number`, or `None` for a number no generation defines.
pub fn status_code(number: i32) -> Option<&'static StatusCodeInfo> {
    STATUS_CODES.binary_search_by_key(&number, |info| info.number).ok().map(|at| &STATUS_CODES[at])
}

#[cfg(test)]
mod tests {
    use super::status_code;

    #[test]
    fn a_code_has_the_texts_of_both_eras() {
        let failed = status_code(30002).unwrap();
        assert_eq!(failed.name, "INPUT_FAILED");
        assert_eq!(failed.name_2018, Some("INPUT_IMAGE_DOWNLOAD_FAILED"));
        assert_eq!(failed.description_2018, "Download failed; check URL");
        assert_ne!(failed.description, failed.description_2018);
        assert_eq!(status_code(10000).unwrap().description, "Ok");
        assert_eq!(status_code(11008).unwrap().http_status, Some(401));
    }

    #[test]
    fn a_code_that_only_2018_knew_is_found_by_number() {
        assert_eq!(status_code(42000).unwrap().name, "VISUALIZATION_SUCCESS");
        assert_eq!(status_code(12345), None);
    }

    #[test]
    fn every_enum_value_has_its_row_in_the_table() {
        let codes = crate::pool().get_enum_by_name("clarifai.api.status.StatusCode").unwrap();
        for value in codes.values() {
            let info = status_code(value.number()).unwrap_or_else(|| panic!("no row for {}", value.name()));
            assert!(!info.description.is_empty());
        }
    }
}
