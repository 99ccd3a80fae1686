//! The bytes of what was learned: a magic, a version, numbers in little-endian order, and a checksum over all of it.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const CHECKSUM_LEN: usize = 32;

/// Puts numbers behind each other.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// `magic` has eight letters, of which the last is the version.
    pub fn new(magic: &[u8; 8]) -> Writer {
        Writer(magic.to_vec())
    }

    pub fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn count(&mut self, value: usize) {
        self.0.extend_from_slice(&(value as u64).to_le_bytes());
    }

    pub fn numbers(&mut self, values: &[f32]) {
        self.count(values.len());
        values.iter().for_each(|x| self.0.extend_from_slice(&x.to_le_bytes()));
    }

    pub fn finish(mut self) -> Vec<u8> {
        let hash = Sha256::digest(&self.0);
        self.0.extend_from_slice(&hash);
        self.0
    }
}

/// Takes numbers off the front; every method fails where the bytes end early.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Fails unless the checksum is right and the bytes are of this kind and version.
    pub fn new(bytes: &'a [u8], magic: &[u8; 8]) -> Result<Reader<'a>> {
        let Some((payload, hash)) = bytes.len().checked_sub(CHECKSUM_LEN).map(|len| bytes.split_at(len))
        else {
            return Err(damaged());
        };
        let Some(rest) = payload.strip_prefix(magic) else {
            return match payload.starts_with(&magic[..7]) {
                true => {
                    Err(Error::Unsupported("what was learned is of a version that is not known".to_owned()))
                }
                false => Err(damaged()),
            };
        };
        if Sha256::digest(payload).as_slice() != hash {
            return Err(damaged());
        }
        Ok(Reader(rest))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(len).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(front)
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub fn count(&mut self) -> Result<usize> {
        let bytes = self.take(8)?.try_into().map_err(|_| damaged())?;
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| damaged())
    }

    /// Finite numbers.
    pub fn numbers(&mut self) -> Result<Vec<f32>> {
        let len = self.count()?;
        let bytes = self.take(len.checked_mul(4).ok_or_else(damaged)?)?;
        let (quads, _) = bytes.as_chunks::<4>();
        let values: Vec<f32> = quads.iter().map(|quad| f32::from_le_bytes(*quad)).collect();
        match values.iter().all(|x| x.is_finite()) {
            true => Ok(values),
            false => Err(damaged()),
        }
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(damaged()),
        }
    }
}

/// What is said of bytes that are no whole artefact.
pub(super) fn damaged() -> Error {
    Error::BadInput("what was learned is damaged or of another kind".to_owned())
}
