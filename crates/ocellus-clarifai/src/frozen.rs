//! The wire form of an input as a version of a dataset keeps it.

use ocellus_core::datasets::exports::ExportAbout;
use ocellus_core::datasets::frozen::Frozen;
use ocellus_interchange::{Bitmap, ConceptValue, Content, Region as FrozenRegion, Shape};

use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::rpc::Era;
use crate::{documents, hosted, status};

/// An input as archives hold it.
pub fn to_wire(about: &ExportAbout, frozen: &Frozen) -> Input {
    let code = match frozen.state.as_str() {
        "ready" => Code::InputSuccess,
        "pending" => Code::InputPending,
        "processing" => Code::InputInProgress,
        _ => Code::InputFailed,
    };
    Input {
        id: frozen.item.id.clone(),
        data: Some(data(about, frozen)),
        created_at: documents::time(frozen.created_at_us),
        modified_at: documents::time(frozen.modified_at_us),
        status: Some(status::of(Era::Current, code)),
        dataset_ids: vec![about.dataset_id.clone()],
        ..Default::default()
    }
}

/// The concepts of the whole input.
pub fn concepts(frozen: &Frozen) -> Vec<Concept> {
    frozen.item.concepts.iter().map(concept).collect()
}

/// The regions, and the spans of a text.
pub fn regions(frozen: &Frozen) -> Vec<Region> {
    let whole = frozen.item.regions.iter().filter(|region| region.track.is_none()).filter_map(region);
    let spans = frozen.item.spans.iter().map(|span| {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let at = Span { char_start: number(span.start), char_end: number(span.end), ..Default::default() };
        let info = RegionInfo { span: Some(at), ..Default::default() };
        part(span.id.as_ref(), info, &span.concepts)
    });
    whole.chain(spans).collect()
}

fn frames(frozen: &Frozen) -> Vec<Frame> {
    let of_frame = |found: &FrozenRegion| Some((found.track.clone()?, region(found)?));
    let frame = |(track, mut region): (ocellus_interchange::Track, Region)| {
        region.track_id = track.id;
        let number = u32::try_from(track.frame).unwrap_or(u32::MAX);
        let info = FrameInfo { number, index: number, ..Default::default() };
        let data = Data { regions: vec![region], ..Default::default() };
        Frame { frame_info: Some(info), data: Some(data), ..Default::default() }
    };
    frozen.item.regions.iter().filter_map(of_frame).map(frame).collect()
}

fn concept(tag: &ConceptValue) -> Concept {
    Concept { id: tag.id.clone(), name: tag.name.clone(), value: tag.value, ..Default::default() }
}

fn part(id: Option<&String>, info: RegionInfo, concepts: &[ConceptValue]) -> Region {
    let data = Data { concepts: concepts.iter().map(concept).collect(), ..Default::default() };
    Region {
        id: id.cloned().unwrap_or_default(),
        region_info: Some(info),
        data: Some(data),
        value: 1.0,
        ..Default::default()
    }
}

/// A polygon of several outlines is shown by its first, which is all that the message has room for.
fn region(region: &FrozenRegion) -> Option<Region> {
    let point = |x: f64, y: f64| Point { row: y as f32, col: x as f32, ..Default::default() };
    let mut info = RegionInfo::default();
    match &region.shape {
        Shape::Box { left, top, right, bottom } => {
            info.bounding_box = Some(BoundingBox {
                top_row: *top as f32,
                left_col: *left as f32,
                bottom_row: *bottom as f32,
                right_col: *right as f32,
            });
        }
        Shape::Polygon { rings } => {
            let points = rings.first()?.iter().map(|at| point(at.x, at.y)).collect();
            info.polygon = Some(Polygon { points });
        }
        Shape::Point { x, y } => info.point = Some(point(*x, *y)),
        Shape::MaskPng { png } => info.mask = Some(mask(png.clone())),
        Shape::MaskRle { width, height, runs } => {
            let png = Bitmap::from_rows(*width, *height, runs).and_then(|bitmap| bitmap.to_png()).ok()?;
            info.mask = Some(mask(png));
        }
    }
    Some(part(region.id.as_ref(), info, &region.concepts))
}

fn mask(png: Vec<u8>) -> Mask {
    Mask { image: Some(Image { base64: png.into(), ..Default::default() }), color: None }
}

fn embedding(vector: &[f32]) -> Embedding {
    let num_dimensions = u32::try_from(vector.len()).unwrap_or(u32::MAX);
    Embedding { vector: vector.to_vec(), num_dimensions }
}

fn data(about: &ExportAbout, frozen: &Frozen) -> Data {
    let item = &frozen.item;
    let mut data = Data {
        concepts: concepts(frozen),
        regions: regions(frozen),
        frames: frames(frozen),
        metadata: documents::to_struct(&frozen.metadata),
        geo: item.geo.map(|at| Geo {
            geo_point: Some(GeoPoint { longitude: at.longitude as f32, latitude: at.latitude as f32 }),
            ..Default::default()
        }),
        embeddings: frozen.vector.iter().map(|vector| embedding(vector)).collect(),
        ..Default::default()
    };
    let hosted = frozen.hash.as_ref().map(|hash| {
        let app = (about.app_uid.as_str(), about.user_id.as_str(), about.app_id.as_str());
        hosted::address_of(&about.base_url, app, (&item.id, hash), frozen.has_thumb)
    });
    let url = match &item.content {
        Content::Url(url) => url.clone(),
        Content::File(_) | Content::Text(_) | Content::Absent => String::new(),
    };
    let own = hosted.as_ref().map(|at| format!("{}/orig/{}", at.prefix, at.suffix));
    let url = if url.is_empty() { own.unwrap_or_default() } else { url };
    match frozen.kind.as_str() {
        "video" => data.video = Some(Video { url, hosted, ..Default::default() }),
        "audio" => data.audio = Some(Audio { url, hosted, ..Default::default() }),
        "text" => {
            let raw = match &item.content {
                Content::Text(text) => text.clone(),
                Content::File(_) | Content::Url(_) | Content::Absent => String::new(),
            };
            data.text = Some(Text { raw, url, hosted, ..Default::default() });
        }
        _ => data.image = Some(image(frozen, url, hosted)),
    }
    data
}

fn image(frozen: &Frozen, url: String, hosted: Option<HostedUrl>) -> Image {
    let side = |n: Option<u32>| n.and_then(|n| i32::try_from(n).ok()).unwrap_or_default();
    let format = frozen.mime.as_deref().and_then(|mime| mime.strip_prefix("image/")).unwrap_or_default();
    Image {
        url,
        hosted,
        image_info: frozen.item.width.map(|_| ImageInfo {
            width: side(frozen.item.width),
            height: side(frozen.item.height),
            format: format.to_ascii_uppercase(),
            ..Default::default()
        }),
        crop: frozen.crop.map(|c| vec![c.top, c.left, c.bottom, c.right]).unwrap_or_default(),
        ..Default::default()
    }
}
