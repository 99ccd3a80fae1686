//! What a request says about an image and its data, in the core's terms.

use bytes::Bytes;
use ocellus_core::inputs::{InputPatch, NewInput, NewLabel};
use ocellus_core::{CropBox, Error, GeoPoint, MediaKind, Result, Source};

use crate::pb::{self, Data, Image, Input};
use crate::{annotation_data, documents};

/// An input to add; `field` names it in errors, such as `inputs[3]`.
pub fn new_input(input: Input, field: &str) -> Result<NewInput> {
    let mut data = input.data.unwrap_or_default();
    let media = media(&mut data, &format!("{field}.data"))?;
    let parts = annotation_data::parts(&data, &format!("{field}.data"))?;
    Ok(NewInput {
        id: (!input.id.is_empty()).then_some(input.id),
        source: media.source,
        kind: media.kind,
        allow_duplicate_url: media.allow_duplicate_url,
        crop: media.crop,
        labels: data.concepts.into_iter().map(label).collect(),
        geo: data.geo.as_ref().and_then(geo_point),
        metadata: data.metadata.map(documents::from_struct).unwrap_or_default(),
        parts,
    })
}

/// A change to an input; `field` names it in errors. Empty lists and absent documents change nothing.
pub fn patch(input: Input, field: &str) -> Result<InputPatch> {
    let data = input.data.unwrap_or_default();
    let parts = annotation_data::parts(&data, &format!("{field}.data"))?;
    Ok(InputPatch {
        id: input.id,
        labels: (!data.concepts.is_empty()).then(|| data.concepts.into_iter().map(label).collect()),
        geo: data.geo.as_ref().and_then(geo_point),
        metadata: data.metadata.map(documents::from_struct),
        parts,
    })
}

fn label(concept: pb::Concept) -> NewLabel {
    NewLabel {
        concept_id: (!concept.id.is_empty()).then_some(concept.id),
        name: (!concept.name.is_empty()).then_some(concept.name),
        value: concept.value,
    }
}

/// Where the content of a request lies and what it is.
pub struct Media {
    pub source: Source,
    pub kind: MediaKind,
    pub allow_duplicate_url: bool,
    pub crop: Option<CropBox>,
}

/// Finds the content in a `data` message: an image, or one of the other kinds. Bytes are taken out.
pub fn media(data: &mut Data, field: &str) -> Result<Media> {
    let simple = |kind: MediaKind, url: &str, bytes: &mut Bytes, allow_duplicate_url| {
        let source = source(url, bytes, &format!("{field}.{}", kind.name()))?;
        Ok(Media { source, kind, allow_duplicate_url, crop: None })
    };
    if let Some(image) = &mut data.image {
        let crop = crop(&image.crop, &format!("{field}.image.crop"))?;
        let media = simple(MediaKind::Image, &image.url, &mut image.base64, image.allow_duplicate_url)?;
        return Ok(Media { crop, ..media });
    }
    if let Some(video) = &mut data.video {
        return simple(MediaKind::Video, &video.url, &mut video.base64, video.allow_duplicate_url);
    }
    if let Some(audio) = &mut data.audio {
        return simple(MediaKind::Audio, &audio.url, &mut audio.base64, audio.allow_duplicate_url);
    }
    if let Some(text) = &data.text {
        if !text.raw.is_empty() {
            let source = Source::Text(text.raw.clone());
            return Ok(Media { source, kind: MediaKind::Text, allow_duplicate_url: true, crop: None });
        }
        return simple(MediaKind::Text, &text.url, &mut Bytes::new(), text.allow_duplicate_url);
    }
    Err(Error::invalid(format!("{field}.image"), "must have a url or base64"))
}

/// Where an image lies: its bytes if there are any, else its address.
pub fn image_source(image: &mut Image, field: &str) -> Result<Source> {
    source(&image.url, &mut image.base64, field)
}

fn source(url: &str, bytes: &mut Bytes, field: &str) -> Result<Source> {
    match (bytes.is_empty(), url.trim()) {
        (false, _) => Ok(Source::Bytes(std::mem::take(bytes))),
        (true, "") => Err(Error::invalid(field, "must have a url or base64")),
        (true, url) => Ok(Source::Url(url.to_owned())),
    }
}

/// `[top, left, bottom, right]` in fractions of the sides.
pub fn crop(sides: &[f32], field: &str) -> Result<Option<CropBox>> {
    match *sides {
        [] => Ok(None),
        [top, left, bottom, right] => CropBox { top, left, bottom, right }.check(field).map(Some),
        _ => Err(Error::invalid(field, "must be four numbers: top, left, bottom, right")),
    }
}

/// The point of a `geo` message, if it has one.
pub fn geo_point(geo: &pb::Geo) -> Option<GeoPoint> {
    geo.geo_point.as_ref().map(point)
}

/// A point on Earth. Single precision becomes the shortest decimal that means the same, so that
/// 12.3 does not turn into 12.300000190734863.
pub fn point(point: &pb::GeoPoint) -> GeoPoint {
    let exact = |n: f32| n.to_string().parse().unwrap_or(f64::from(n));
    GeoPoint { longitude: exact(point.longitude), latitude: exact(point.latitude) }
}
