//! stub
use bytes::Bytes;
use crate::{Result, StoreConfig};
/// Blobs.
#[derive(Clone)]
pub struct Blobs;
/// One blob in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobEntry {
    /// The blob's key: SHA-256 of its bytes, in hex.
    pub hash: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was last put, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}
impl Blobs {
    pub(crate) async fn open(_c: &StoreConfig) -> Result<Blobs> { todo!() }
    /// Stores.
    pub async fn put(&self, _b: Bytes) -> Result<String> { todo!() }
    /// Gets.
    pub async fn get(&self, _h: &str) -> Result<Option<Bytes>> { todo!() }
    /// Is there.
    pub async fn exists(&self, _h: &str) -> Result<bool> { todo!() }
    /// Deletes.
    pub async fn delete(&self, _h: &str) -> Result<bool> { todo!() }
    /// Lists.
    pub async fn list(&self, _after: &str, _limit: usize) -> Result<Vec<BlobEntry>> { todo!() }
    /// Where.
    pub fn path(&self, _h: &str) -> Option<std::path::PathBuf> { todo!() }
}
