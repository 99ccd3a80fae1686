//! Inputs: what users put into an app, described in the background and visible at once.

pub(crate) mod create;
mod delete;
pub(crate) mod doc;
mod hosted;
mod ids;
pub(crate) mod labels;
mod list;
mod manifest;
mod parts;
pub(crate) mod patch;
mod rows;
#[cfg(test)]
mod tests;

pub use create::{create, create_in, create_with};
pub use delete::{delete, delete_all};
pub(crate) use hosted::TEXT;
pub use hosted::image;
pub use list::{count, get, get_many, get_many_in, list, stream, stream_by};
pub use manifest::{prepare_manifest, video_fragments, video_manifest};
pub use patch::patch;
pub(crate) use rows::{STATE_FAILED, STATE_PENDING, STATE_PROCESSING, STATE_READY, load};

use ocellus_algo::color::DominantColor;
use serde::{Deserialize, Serialize};

use crate::annotations::Data;
use crate::video::VideoAbout;
use crate::{CropBox, GeoPoint, JsonMap, MediaKind, Page, Source};

/// The most inputs one call may add, patch or delete by id.
pub const MAX_PER_CALL: usize = 128;

/// An input to add.
#[derive(Clone, Debug)]
pub struct NewInput {
    /// Chosen by the user; made up if absent.
    pub id: Option<String>,
    /// The content.
    pub source: Source,
    /// What the content is.
    pub kind: MediaKind,
    /// Whether another input of the app may have the same address.
    pub allow_duplicate_url: bool,
    /// The part of the image to look at.
    pub crop: Option<CropBox>,
    /// The user's own concepts on it.
    pub labels: Vec<NewLabel>,
    /// Any JSON object.
    pub metadata: JsonMap,
    /// Where it was taken.
    pub geo: Option<GeoPoint>,
    /// What the caller says of regions and frames of it; nothing but those is looked at.
    pub parts: Data,
}

/// How the inputs of a call are added.
#[derive(Clone, Debug, Default)]
pub struct Adding {
    /// The datasets that each input goes into; the last ones may be left out.
    pub dataset_ids: Vec<Vec<String>>,
    /// The add job they belong to, made if it does not exist.
    pub add_job_id: Option<String>,
    /// What happens with an input whose id is taken.
    pub on_conflict: IdConflict,
}

/// What happens with an input whose id is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdConflict {
    /// It is refused.
    #[default]
    Refuse,
    /// It is passed over, and the one that is there stays as it is.
    Skip,
    /// It gets the first free id that ends with `_` and a number.
    Suffix,
}

/// A concept to put on an input; a missing concept is made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewLabel {
    /// Its id; if absent, the name finds the concept or becomes its id.
    pub concept_id: Option<String>,
    /// Its readable name.
    pub name: Option<String>,
    /// 1 for "is one", 0 for "is none".
    pub value: f32,
}

/// A concept that a user put on an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The concept's id.
    pub concept_id: String,
    /// The concept's readable name.
    pub name: String,
    /// 1 for "is one", 0 for "is none".
    pub value: f32,
}

/// An input as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The id within the app.
    pub id: String,
    /// Its place in the app's order of creation.
    pub seq: i64,
    /// How far its description has got.
    pub state: InputState,
    /// What the content is.
    pub kind: MediaKind,
    /// Where it came from, if by address.
    pub url: Option<String>,
    /// The copy held here, once there is one.
    pub hosted: Option<Hosted>,
    /// The words of a text input.
    pub text: Option<String>,
    /// In pixels, after EXIF orientation and before the crop.
    pub width: Option<u32>,
    /// In pixels, after EXIF orientation and before the crop.
    pub height: Option<u32>,
    /// What the file of a video says of itself, once it was looked at.
    pub video: Option<VideoAbout>,
    /// The part that is looked at.
    pub crop: Option<CropBox>,
    /// The user's own concepts, in the order they were put.
    pub labels: Vec<Label>,
    /// What people say of regions, frames and stretches of time; nothing but those.
    pub parts: Data,
    /// The user's own data.
    pub metadata: JsonMap,
    /// The datasets it is in, in the order in which it was put into them.
    pub dataset_ids: Vec<String>,
    /// Given by the user, or else read from the photograph.
    pub geo: Option<GeoPoint>,
    /// What the camera wrote into the file.
    pub exif: JsonMap,
    /// The dominant colours.
    pub colors: Vec<DominantColor>,
    /// Why the default workflow of the app failed for it, in words.
    pub workflow_failure: Option<String>,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

/// The copy of an input's content held by this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosted {
    /// SHA-256 of the content, in hex.
    pub hash: String,
    /// SHA-256 of the thumbnail (JPEG), in hex.
    pub thumb: Option<String>,
    /// The media type, once known.
    pub mime: Option<String>,
}

/// How far an input's description has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputState {
    /// Waiting.
    Pending,
    /// Being described.
    Processing,
    /// Described and searchable.
    Ready,
    /// Given up, with the reason.
    Failed {
        /// What a program branches on.
        code: FailureCode,
        /// A sentence for people.
        message: String,
    },
}

/// Why an input was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The address did not answer with content.
    DownloadFailed,
    /// The address did not answer in time.
    DownloadTimeout,
    /// The address lies in a network that must not be reached.
    AddressForbidden,
    /// The bytes are not a whole image.
    InvalidImage,
    /// More bytes or pixels than allowed.
    TooLarge,
    /// A kind of content that is not handled.
    Unsupported,
    /// Somebody stopped the job that added it.
    Cancelled,
    /// A fault of the server.
    Internal,
}

impl FailureCode {
    const ALL: [Self; 8] = [
        Self::DownloadFailed,
        Self::DownloadTimeout,
        Self::AddressForbidden,
        Self::InvalidImage,
        Self::TooLarge,
        Self::Unsupported,
        Self::Cancelled,
        Self::Internal,
    ];

    /// The name used in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::DownloadFailed => "download_failed",
            Self::DownloadTimeout => "download_timeout",
            Self::AddressForbidden => "address_forbidden",
            Self::InvalidImage => "invalid_image",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }

    /// The code with this name; anything unknown is a fault of ours.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|code| code.name() == name).unwrap_or(Self::Internal)
    }
}

/// Which inputs to list.
#[derive(Clone, Debug)]
pub struct InputListing {
    /// The page.
    pub page: Page,
    /// Only these states; empty means all.
    pub states: Vec<StateFilter>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
}

/// The order of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamOrder {
    /// By creation, the oldest first.
    #[default]
    Oldest,
    /// By creation, the newest first.
    Newest,
    /// By id.
    Id,
    /// By id, the last first.
    IdDescending,
}

/// A state to list by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateFilter {
    /// Waiting.
    Pending,
    /// Being described.
    Processing,
    /// Described.
    Ready,
    /// Given up.
    Failed,
}

/// How many inputs an app has, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputCounts {
    /// Waiting.
    pub pending: u64,
    /// Being described.
    pub processing: u64,
    /// Described.
    pub ready: u64,
    /// Given up.
    pub failed: u64,
}

/// A change to an input; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct InputPatch {
    /// The input to change.
    pub id: String,
    /// The user's own concepts.
    pub labels: Option<Vec<NewLabel>>,
    /// The user's own data.
    pub metadata: Option<JsonMap>,
    /// Where it was taken.
    pub geo: Option<GeoPoint>,
    /// What is said of regions, frames and stretches of time; nothing but those is looked at, and an empty list changes
    /// nothing.
    pub parts: Data,
}

/// Which picture of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendition {
    /// As it came.
    Original,
    /// A JPEG of at most 96 pixels a side.
    Tiny,
    /// A JPEG of at most 320 pixels a side.
    Thumbnail,
    /// A JPEG of at most 1024 pixels a side.
    Large,
}
