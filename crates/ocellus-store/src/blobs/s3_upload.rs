//! Objects that are put together from pieces and never held whole: in parts, as S3 takes large objects.

use bytes::{Bytes, BytesMut};
use reqwest::header::{ETAG, HeaderValue};
use rusty_s3::S3Action;
use rusty_s3::actions::{CompleteMultipartUploadResponse, CreateMultipartUpload};
use sha2::{Digest, Sha256};

use super::s3::{S3, SIGNED_FOR, describe};
use super::{Piece, blocking, read_file_at};
use crate::{Error, Result};

/// How much of a piece is read at once. In bytes.
const READ: u64 = 8 << 20;
/// The size of a part, and of the largest object that is put in one request. S3 wants at least 5 MiB. In bytes.
const PART: u64 = 16 << 20;
/// More parts than this S3 does not take.
const MAX_PARTS: u64 = 10_000;

impl S3 {
    /// Puts the pieces together as one object; returns its key and its size. They are read twice: once for the key.
    pub(super) async fn put_joined(&self, pieces: &[Piece]) -> Result<(String, u64)> {
        let (mut hasher, mut size_bytes) = (Sha256::new(), 0);
        let mut reader = Joined { s3: self, pieces, at: 0, offset: 0, hasher: Sha256::new() };
        while let Some(bytes) = reader.next(READ).await? {
            size_bytes += bytes.len() as u64;
            hasher = blocking(move || Ok(hasher.chain_update(&bytes))).await?;
        }
        let hash = hex::encode(hasher.finalize());
        let mut reader = Joined { s3: self, pieces, at: 0, offset: 0, hasher: Sha256::new() };
        if size_bytes <= PART {
            let whole = reader.part(PART).await?;
            self.put(&hash, whole).await?;
        } else {
            self.put_parts(&hash, reader, PART.max(size_bytes.div_ceil(MAX_PARTS))).await?;
        }
        Ok((hash, size_bytes))
    }

    async fn put_parts(&self, hash: &str, mut reader: Joined<'_>, part_bytes: u64) -> Result<()> {
        let key = self.key(hash);
        let send = |client: &reqwest::Client| {
            let action = self.bucket.create_multipart_upload(self.credentials.as_ref(), &key);
            client.post(action.sign(SIGNED_FOR))
        };
        let response = self.send("the start of an upload", send).await?.ok_or_else(|| self.no_bucket())?;
        let text = response.text().await.map_err(|e| Error::Blob(describe(e)))?;
        let begun = CreateMultipartUpload::parse_response(&text)
            .map_err(|e| Error::Blob(format!("S3 answered the start of an upload unreadably: {e}")))?;
        let upload_id = begun.upload_id();
        let ended = async {
            let mut etags = Vec::new();
            for number in 1.. {
                let part = reader.part(part_bytes).await?;
                if part.is_empty() {
                    break;
                }
                etags.push(self.put_part(&key, upload_id, number, part).await?);
            }
            self.complete(hash, upload_id, &etags).await
        };
        let ended = ended.await;
        if ended.is_err() {
            let send = |client: &reqwest::Client| {
                let action = self.bucket.abort_multipart_upload(self.credentials.as_ref(), &key, upload_id);
                client.delete(action.sign(SIGNED_FOR))
            };
            // What went wrong first is what is told.
            drop(self.send("the end of an upload", send).await);
        }
        ended
    }

    async fn put_part(&self, key: &str, upload_id: &str, number: u16, part: Bytes) -> Result<String> {
        let send = |client: &reqwest::Client| {
            let action = self.bucket.upload_part(self.credentials.as_ref(), key, number, upload_id);
            client.put(action.sign(SIGNED_FOR)).body(part.clone())
        };
        let gone = || Error::Blob("S3 no longer knows an upload that is under way".to_owned());
        let response = self.send("a part of an upload", send).await?.ok_or_else(gone)?;
        let etag = response.headers().get(ETAG).map(HeaderValue::to_str);
        match etag {
            Some(Ok(etag)) => Ok(etag.to_owned()),
            Some(Err(_)) | None => Err(Error::Blob("S3 answered a part without its ETag".to_owned())),
        }
    }

    async fn complete(&self, hash: &str, upload_id: &str, etags: &[String]) -> Result<()> {
        let key = self.key(hash);
        let action = || {
            let etags = etags.iter().map(String::as_str);
            self.bucket.complete_multipart_upload(self.credentials.as_ref(), &key, upload_id, etags)
        };
        let send = |client: &reqwest::Client| client.post(action().sign(SIGNED_FOR)).body(action().body());
        let Some(response) = self.send("the end of an upload", send).await? else {
            // The answer to an earlier try may have been lost.
            let is_there = self.exists(hash).await?;
            return if is_there { Ok(()) } else { Err(Error::Blob("S3 lost an upload".to_owned())) };
        };
        let text = response.text().await.map_err(|e| Error::Blob(describe(e)))?;
        // A failure of putting the parts together is told in the body of a success.
        CompleteMultipartUploadResponse::parse(&text)
            .map_err(|_| Error::Blob("S3 could not put the parts of an upload together".to_owned()))?;
        Ok(())
    }
}

/// Pieces one after the other, as they are read.
struct Joined<'a> {
    s3: &'a S3,
    pieces: &'a [Piece],
    at: usize,
    offset: u64,
    /// Of the piece that is being read.
    hasher: Sha256,
}

impl Joined<'_> {
    /// At most this many more bytes; `None` at the end. Fails when a piece is not what it was.
    async fn next(&mut self, limit: u64) -> Result<Option<Bytes>> {
        let n_bytes = limit.min(READ);
        while let Some(piece) = self.pieces.get(self.at) {
            let bytes = match piece {
                Piece::Blob(hash) => {
                    let found = self.s3.read_at(hash, self.offset, n_bytes).await?;
                    found.ok_or_else(|| Error::Blob(format!("there is no blob {hash}")))?
                }
                Piece::File(path) => {
                    let (path, offset) = (path.clone(), self.offset);
                    let read = blocking(move || read_file_at(&path, offset, n_bytes)).await?;
                    read.ok_or_else(|| Error::Blob("a file of this machine is gone".to_owned()))?
                }
            };
            if !bytes.is_empty() {
                self.offset += bytes.len() as u64;
                let (hasher, to_hash) = (std::mem::take(&mut self.hasher), bytes.clone());
                self.hasher = blocking(move || Ok(hasher.chain_update(&to_hash))).await?;
                return Ok(Some(bytes));
            }
            let found = hex::encode(std::mem::take(&mut self.hasher).finalize());
            if let Piece::Blob(hash) = piece
                && *hash != found
            {
                return Err(Error::Blob(format!("blob {hash} is damaged")));
            }
            (self.at, self.offset) = (self.at + 1, 0);
        }
        Ok(None)
    }

    /// As many bytes as a part has; fewer only at the end.
    async fn part(&mut self, part_bytes: u64) -> Result<Bytes> {
        let mut part = BytesMut::new();
        loop {
            let room = part_bytes - part.len() as u64;
            match self.next(room).await? {
                Some(bytes) => part.extend_from_slice(&bytes),
                None => return Ok(part.freeze()),
            }
            if part.len() as u64 == part_bytes {
                return Ok(part.freeze());
            }
        }
    }
}
