//! What is stored with an input beyond its columns, as one JSON document.

use ocellus_algo::color::DominantColor;
use serde::{Deserialize, Serialize};

use crate::video::VideoAbout;
use crate::{CropBox, Error, JsonMap, Result};

/// The document of an input. Fields may be added; an absent one means its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct InputDoc {
    /// The part that is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<CropBox>,
    /// The words of a text input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether the user gave the place, so that the photograph's own does not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub geo_given: bool,
    /// What the camera wrote into the file.
    #[serde(skip_serializing_if = "JsonMap::is_empty")]
    pub exif: JsonMap,
    /// The dominant colours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub colors: Vec<ColorDoc>,
    /// What the file of a video says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoAbout>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<f32>,
    /// Why the default workflow of the app failed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_failure: Option<String>,
}

/// A dominant colour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ColorDoc {
    hex: String,
    w3c_hex: String,
    w3c_name: String,
    fraction: f32,
}

impl InputDoc {
    /// Reads a stored document.
    pub(crate) fn read(map: &JsonMap) -> Result<Self> {
        serde_json::from_value(serde_json::Value::Object(map.clone())).map_err(Error::internal)
    }

    /// The document as it is stored.
    pub(crate) fn write(&self) -> JsonMap {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map,
            Ok(_) | Err(_) => JsonMap::new(),
        }
    }
}

impl From<&DominantColor> for ColorDoc {
    fn from(color: &DominantColor) -> Self {
        Self {
            hex: color.hex.clone(),
            w3c_hex: color.w3c_hex.clone(),
            w3c_name: color.w3c_name.clone(),
            fraction: color.fraction,
        }
    }
}

impl From<ColorDoc> for DominantColor {
    fn from(color: ColorDoc) -> Self {
        Self { hex: color.hex, w3c_hex: color.w3c_hex, w3c_name: color.w3c_name, fraction: color.fraction }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_reads_back_as_written_and_an_empty_one_as_the_default() {
        let doc = InputDoc {
            crop: Some(CropBox { top: 0.1, left: 0.2, bottom: 0.9, right: 1.0 }),
            geo_given: true,
            sharpness: Some(0.5),
            ..InputDoc::default()
        };
        assert_eq!(InputDoc::read(&doc.write()).expect("it was written so"), doc);
        assert_eq!(InputDoc::read(&JsonMap::new()).expect("every field has a default"), InputDoc::default());
        assert!(InputDoc::default().write().is_empty());
    }
}
