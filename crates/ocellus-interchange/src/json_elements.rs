//! The elements of one array in a large JSON document, one after the other, without holding the document.

use std::io::{BufReader, Read};

use crate::error::{Error, Place, Result};

/// Which array of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Array<'a> {
    /// The document itself is the array.
    Root,
    /// The value of that key of the document, an object.
    Key(&'a str),
}

/// Splits a byte stream into the elements of the wanted array.
struct Scanner<R> {
    bytes: std::io::Bytes<BufReader<R>>,
    file: String,
    max_record_bytes: usize,
    peeked: Option<u8>,
}

/// Calls `each` with the number (from 0) and the text of every element of the array; gives whether the array is
/// there. Reading stops behind the array.
pub(crate) fn for_each_element(
    reader: impl Read,
    (file, max_record_bytes): (&str, usize),
    array: Array<'_>,
    each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
) -> Result<bool> {
    let bytes = BufReader::with_capacity(1 << 16, reader).bytes();
    let mut scanner = Scanner { bytes, file: file.to_owned(), max_record_bytes, peeked: None };
    let mut first = scanner.next_significant()?;
    if first == 0xef {
        // A byte order mark of three bytes.
        scanner.next()?;
        scanner.next()?;
        first = scanner.next_significant()?;
    }
    match array {
        Array::Root if first == b'[' => scanner.elements(each).map(|()| true),
        Array::Key(key) if first == b'{' => scanner.find_key(key, each),
        Array::Root | Array::Key(_) => Ok(false),
    }
}

impl<R: Read> Scanner<R> {
    fn broken(&self, reason: &str) -> Error {
        Error::format(Place::file(&self.file), format!("broken JSON: {reason}"))
    }

    fn next(&mut self) -> Result<u8> {
        if let Some(byte) = self.peeked.take() {
            return Ok(byte);
        }
        match self.bytes.next() {
            Some(byte) => byte.map_err(|e| Error::io(&self.file, e)),
            None => Err(self.broken("it is cut off")),
        }
    }

    fn next_significant(&mut self) -> Result<u8> {
        loop {
            let byte = self.next()?;
            if !byte.is_ascii_whitespace() {
                return Ok(byte);
            }
        }
    }

    fn find_key(&mut self, key: &str, each: &mut dyn FnMut(u64, &[u8]) -> Result<()>) -> Result<bool> {
        loop {
            let byte = self.next_significant()?;
            match byte {
                b'}' => return Ok(false),
                b',' => continue,
                b'"' => {}
                _ => return Err(self.broken("a key was expected")),
            }
            let mut name = Vec::new();
            self.value(byte, Some(&mut name))?;
            if self.next_significant()? != b':' {
                return Err(self.broken("a colon was expected"));
            }
            let start = self.next_significant()?;
            let is_wanted = serde_json::from_slice::<String>(&name).is_ok_and(|name| name == key);
            if is_wanted && start == b'[' {
                return self.elements(each).map(|()| true);
            }
            self.value(start, None)?;
        }
    }

    fn elements(&mut self, each: &mut dyn FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let mut element = Vec::new();
        let mut n = 0;
        loop {
            match self.next_significant()? {
                b']' => return Ok(()),
                b',' => {}
                start => {
                    element.clear();
                    self.value(start, Some(&mut element))?;
                    each(n, &element)?;
                    n += 1;
                }
            }
        }
    }

    /// Passes one value whose first byte was read already; keeps its text if asked to.
    fn value(&mut self, start: u8, mut keep: Option<&mut Vec<u8>>) -> Result<()> {
        let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
        let mut byte = start;
        let mut is_first = true;
        loop {
            let is_end_of_scalar = depth == 0 && !in_string && !is_first;
            if is_end_of_scalar && (byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}')) {
                self.peeked = Some(byte);
                return Ok(());
            }
            is_first = false;
            if let Some(kept) = keep.as_deref_mut() {
                kept.push(byte);
                if kept.len() > self.max_record_bytes {
                    let limit = self.max_record_bytes as u64;
                    return Err(Error::Limit {
                        about: self.file.clone(),
                        what: "the bytes of one element",
                        limit,
                    });
                }
            }
            let mut closed = false;
            if in_string {
                if escaped {
                    escaped = false;
                } else if byte == b'\\' {
                    escaped = true;
                } else if byte == b'"' {
                    in_string = false;
                    closed = true;
                }
            } else {
                match byte {
                    b'"' => in_string = true,
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' if depth == 0 => return Err(self.broken("a bracket closes nothing")),
                    b']' | b'}' => {
                        depth -= 1;
                        closed = true;
                    }
                    _ => {}
                }
            }
            if closed && depth == 0 {
                return Ok(());
            }
            byte = self.next()?;
        }
    }
}
