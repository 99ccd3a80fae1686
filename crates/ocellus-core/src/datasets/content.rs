//! The bytes of an input for an archive, fetched piece by piece as they are read, so that no file is held whole.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use ocellus_interchange::Content;
use ocellus_store::{self as store, Blobs};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::frozen::Frozen;
use crate::Result;

/// How much is fetched at once. In bytes.
const PIECE: u64 = 8 << 20;

/// The bytes of one input; for threads that may wait.
pub struct ContentReader {
    blobs: Blobs,
    handle: Handle,
    hash: String,
    piece: Bytes,
    offset: u64,
    hasher: Sha256,
    is_whole: bool,
}

impl ContentReader {
    /// `None` if the input has no bytes here, or they are gone. Reading fails at the end if they are not what they were.
    pub fn open(blobs: &Blobs, handle: &Handle, frozen: &Frozen) -> Result<Option<Self>> {
        let Some(hash) = frozen.hash.clone().filter(|_| Self::is_expected(frozen)) else { return Ok(None) };
        let (blobs, handle, hasher) = (blobs.clone(), handle.clone(), Sha256::new());
        let mut content =
            Self { blobs, handle, hash, piece: Bytes::new(), offset: 0, hasher, is_whole: false };
        Ok(content.fetch()?.then_some(content))
    }

    /// Whether an input has bytes here, if they are not gone. Words are part of its record and no bytes.
    pub fn is_expected(frozen: &Frozen) -> bool {
        frozen.hash.is_some() && !matches!(frozen.item.content, Content::Text(_))
    }

    /// Fetches the next piece, empty at the end; false if there is no such blob.
    fn fetch(&mut self) -> store::Result<bool> {
        if self.is_whole {
            return Ok(true);
        }
        let read = self.blobs.read_at(&self.hash, self.offset, PIECE);
        let Some(piece) = self.handle.block_on(read)? else { return Ok(false) };
        self.offset += piece.len() as u64;
        self.hasher.update(&piece);
        if (piece.len() as u64) < PIECE {
            if hex::encode(self.hasher.clone().finalize()) != self.hash {
                return Err(store::Error::Blob(format!("blob {} is damaged", self.hash)));
            }
            self.is_whole = true;
        }
        self.piece = piece;
        Ok(true)
    }
}

impl Read for ContentReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.fetch().map_err(io::Error::other)? {
            return Err(io::Error::other(store::Error::Blob(format!("blob {} is gone", self.hash))));
        }
        let n = buf.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buf[..n]);
        Ok(n)
    }
}
