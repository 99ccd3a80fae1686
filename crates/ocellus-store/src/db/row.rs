//! Values on their way into and out of a database, limited to the five types both know.

use std::borrow::Cow;

use crate::JsonMap;
use crate::error::Error;

/// A value of one of the five types that both databases share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Val<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Val<'a> {
    /// A JSON document as text.
    pub(crate) fn json<T: serde::Serialize>(value: &T) -> Val<'a> {
        let text = serde_json::to_string(value);
        Val::Text(Cow::Owned(text.expect("maps with string keys and lists always serialise")))
    }

    /// A flag as 0 or 1.
    pub(crate) fn flag(value: bool) -> Val<'a> {
        Val::Int(i64::from(value))
    }
}

impl<'a> From<&'a str> for Val<'a> {
    fn from(value: &'a str) -> Self {
        Val::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a String> for Val<'a> {
    fn from(value: &'a String) -> Self {
        Val::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Val<'_> {
    fn from(value: String) -> Self {
        Val::Text(Cow::Owned(value))
    }
}

impl From<i64> for Val<'_> {
    fn from(value: i64) -> Self {
        Val::Int(value)
    }
}

impl From<f64> for Val<'_> {
    fn from(value: f64) -> Self {
        Val::Real(value)
    }
}

impl<'a> From<&'a [u8]> for Val<'a> {
    fn from(value: &'a [u8]) -> Self {
        Val::Bytes(Cow::Borrowed(value))
    }
}

impl From<Vec<u8>> for Val<'_> {
    fn from(value: Vec<u8>) -> Self {
        Val::Bytes(Cow::Owned(value))
    }
}

impl<'a> From<&'a Option<String>> for Val<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_ref().map_or(Val::Null, Val::from)
    }
}

impl<'a, T: Into<Val<'a>>> From<Option<T>> for Val<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Val::Null, Into::into)
    }
}

/// The number of the column that does not hold what it should.
pub(crate) struct BadColumn(usize);

/// A row that is read column by column, in the order of the statement.
pub(crate) struct Row {
    vals: Vec<Val<'static>>,
    at: usize,
}

impl Row {
    pub(crate) fn new(vals: Vec<Val<'static>>) -> Self {
        Row { vals, at: 0 }
    }

    /// All values in order, for the test kit.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn into_vals(self) -> Vec<Val<'static>> {
        self.vals
    }

    fn next(&mut self) -> Val<'static> {
        self.at += 1;
        match self.vals.get_mut(self.at - 1) {
            // Keys are short and name the row in an error, so they stay; the rest moves out.
            Some(Val::Text(text)) if self.at <= 2 => Val::Text(text.clone()),
            Some(val) => std::mem::replace(val, Val::Null),
            None => Val::Null,
        }
    }

    fn bad<T>(&self) -> Result<T, BadColumn> {
        Err(BadColumn(self.at - 1))
    }

    /// The error for a row whose column is not what it should be; names it by its leading texts.
    pub(crate) fn corrupt(&self, table: &str, bad: BadColumn) -> Error {
        let keys = self.vals.iter().take(2).filter_map(|v| match v {
            Val::Text(text) => Some(text.to_string()),
            Val::Null | Val::Int(_) | Val::Real(_) | Val::Bytes(_) => None,
        });
        let id = format!("{} (column {})", keys.collect::<Vec<_>>().join("/"), bad.0 + 1);
        Error::Corrupt { table: table.to_owned(), id }
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>, BadColumn> {
        match self.next() {
            Val::Null => Ok(None),
            Val::Text(text) => Ok(Some(text.into_owned())),
            Val::Int(_) | Val::Real(_) | Val::Bytes(_) => self.bad(),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, BadColumn> {
        self.opt_text()?.map_or_else(|| self.bad(), Ok)
    }

    pub(crate) fn opt_int(&mut self) -> Result<Option<i64>, BadColumn> {
        match self.next() {
            Val::Null => Ok(None),
            Val::Int(number) => Ok(Some(number)),
            Val::Real(_) | Val::Text(_) | Val::Bytes(_) => self.bad(),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64, BadColumn> {
        self.opt_int()?.map_or_else(|| self.bad(), Ok)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, BadColumn> {
        Ok(self.int()? != 0)
    }

    pub(crate) fn opt_real(&mut self) -> Result<Option<f64>, BadColumn> {
        match self.next() {
            Val::Null => Ok(None),
            Val::Real(number) => Ok(Some(number)),
            Val::Int(_) | Val::Text(_) | Val::Bytes(_) => self.bad(),
        }
    }

    pub(crate) fn real(&mut self) -> Result<f64, BadColumn> {
        self.opt_real()?.map_or_else(|| self.bad(), Ok)
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, BadColumn> {
        match self.next() {
            Val::Bytes(bytes) => Ok(bytes.into_owned()),
            Val::Null | Val::Int(_) | Val::Real(_) | Val::Text(_) => self.bad(),
        }
    }

    /// Little-endian 32-bit floats.
    pub(crate) fn floats(&mut self) -> Result<Vec<f32>, BadColumn> {
        let bytes = self.bytes()?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return self.bad();
        }
        Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
    }

    /// A JSON document of any shape that serde can read.
    pub(crate) fn document<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, BadColumn> {
        let text = self.text()?;
        serde_json::from_str(&text).or_else(|_| self.bad())
    }

    pub(crate) fn json(&mut self) -> Result<JsonMap, BadColumn> {
        self.document()
    }
}
