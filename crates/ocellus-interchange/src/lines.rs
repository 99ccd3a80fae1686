//! The lines of a text file, each of bounded length.

use std::io::{BufRead, BufReader, Read};

use crate::error::{Error, Place, Result};
use crate::reading::Reading;

impl Reading<'_> {
    /// Calls `each` with the number (from 1) and the text of every line that is not empty. Lines that are too long
    /// or not UTF-8 are reported and passed over.
    pub fn lines(
        &mut self,
        path: &str,
        each: &mut dyn FnMut(&mut Self, u64, &str) -> Result<()>,
    ) -> Result<()> {
        let files = self.files;
        let limit = files.limits().max_record_bytes as u64;
        let mut reader = BufReader::with_capacity(1 << 16, files.open(path)?);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let n = (&mut reader).take(limit).read_until(b'\n', &mut line).map_err(|e| Error::io(path, e))?;
            if n == 0 {
                break;
            }
            if n as u64 == limit && line.last() != Some(&b'\n') {
                self.report.skip(Place::line(path, number), format!("the line is longer than {limit} bytes"));
                reader.skip_until(b'\n').map_err(|e| Error::io(path, e))?;
                continue;
            }
            match std::str::from_utf8(&line) {
                Ok(text) => {
                    let text = text.trim_start_matches('\u{feff}').trim();
                    if !text.is_empty() {
                        each(self, number, text)?;
                    }
                }
                Err(_) => self.report.skip(Place::line(path, number), "the line is not UTF-8"),
            }
        }
        Ok(())
    }
}
