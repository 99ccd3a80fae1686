//! What annotations say: between `data` messages and the core's terms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_core::annotations::{
    Data as CoreData, Frame as CoreFrame, Point as CorePoint, Region as CoreRegion, Said, Segment, Shape,
    Span as CoreSpan,
};
use ocellus_core::{CropBox, Error, Result};

use crate::documents;
use crate::pb::*;

/// What a `data` message says; `field` names it in errors.
pub fn read(data: Data, field: &str) -> Result<CoreData> {
    refuse(&data, field)?;
    let mut said = parts(&data, field)?;
    said.concepts = concepts(data.concepts);
    said.text = data.text.map(|text| text.raw);
    said.metadata = data.metadata.map(documents::from_struct).unwrap_or_default();
    Ok(said)
}

/// The regions, frames and stretches of time of a `data` message, without the rest.
pub fn parts(data: &Data, field: &str) -> Result<CoreData> {
    let frame = |(idx, frame): (usize, &Frame)| read_frame(frame, &format!("{field}.frames[{idx}]"));
    Ok(CoreData {
        regions: regions(&data.regions, &format!("{field}.regions"))?,
        frames: data.frames.iter().enumerate().map(frame).collect::<Result<_>>()?,
        segments: data.time_segments.iter().map(read_segment).collect(),
        ..CoreData::default()
    })
}

/// What an annotation cannot hold here must not be lost in silence.
fn refuse(data: &Data, field: &str) -> Result<()> {
    let media = data.video.is_some() || data.audio.is_some();
    let given = [
        ("geo", data.geo.is_some()),
        ("embeddings", !data.embeddings.is_empty()),
        ("clusters", !data.clusters.is_empty()),
        ("colors", !data.colors.is_empty()),
        ("tracks", !data.tracks.is_empty()),
        ("hits", !data.hits.is_empty()),
        ("heatmaps", !data.heatmaps.is_empty()),
        ("parts", !data.parts.is_empty()),
        ("video", media),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            Err(Error::invalid(format!("{field}.{name}"), "is nothing that an annotation can hold"))
        }
        None => Ok(()),
    }
}

fn concepts(list: Vec<Concept>) -> Vec<Said> {
    list.into_iter().map(|c| Said { concept_id: c.id, name: c.name, value: c.value }).collect()
}

fn regions(list: &[Region], field: &str) -> Result<Vec<CoreRegion>> {
    list.iter()
        .enumerate()
        .map(|(idx, region)| {
            let data = region.data.clone().unwrap_or_default();
            Ok(CoreRegion {
                id: region.id.clone(),
                shape: shape(region, &format!("{field}[{idx}].region_info"))?,
                concepts: concepts(data.concepts),
                value: (region.value != 0.0).then_some(region.value),
                track_id: region.track_id.clone(),
                text: data.text.map(|text| text.raw),
            })
        })
        .collect()
}

fn shape(region: &Region, field: &str) -> Result<Option<Shape>> {
    let Some(info) = &region.region_info else { return Ok(None) };
    let mut shapes = Vec::new();
    if let Some(b) = &info.bounding_box {
        let sides = CropBox { top: b.top_row, left: b.left_col, bottom: b.bottom_row, right: b.right_col };
        shapes.push(Shape::Box(sides));
    }
    shapes.extend(info.polygon.as_ref().map(|polygon| Shape::Polygon { points: points(&polygon.points) }));
    shapes.extend(info.point.as_ref().map(|at| Shape::Point(point(at))));
    if !info.keypoint_locations.is_empty() {
        shapes.push(Shape::Keypoints { points: points(&info.keypoint_locations) });
    }
    if let Some(mask) = &info.mask {
        let image = mask.image.clone().unwrap_or_default();
        shapes.push(Shape::Mask {
            base64: STANDARD.encode(&image.base64),
            url: image.url,
            color: mask.color.as_ref().map(|color| color.raw_hex.clone()).unwrap_or_default(),
        });
    }
    let span = |start: u32, end: u32, raw: &str| CoreSpan { start, end, raw: raw.to_owned() };
    shapes.extend(info.span.as_ref().map(|s| Shape::Span(span(s.char_start, s.char_end, &s.raw_text))));
    shapes.extend(info.token.as_ref().map(|t| Shape::Token(span(t.char_start, t.char_end, &t.raw_text))));
    // A box around another shape is drawn from it, not said.
    if shapes.len() == 2 && matches!(shapes[0], Shape::Box(_)) {
        shapes.remove(0);
    }
    match shapes.len() {
        0 | 1 => Ok(shapes.pop()),
        _ => Err(Error::invalid(field, "must have one shape")),
    }
}

fn points(list: &[Point]) -> Vec<CorePoint> {
    list.iter().map(point).collect()
}

fn point(at: &Point) -> CorePoint {
    let visibility = u8::try_from(at.visibility).unwrap_or_default();
    CorePoint { row: at.row, col: at.col, z: at.z, visibility }
}

fn read_frame(frame: &Frame, field: &str) -> Result<CoreFrame> {
    let info = frame.frame_info.unwrap_or_default();
    let data = frame.data.clone().unwrap_or_default();
    Ok(CoreFrame {
        id: frame.id.clone(),
        number: info.number,
        index: info.index,
        time_ms: info.time,
        regions: regions(&data.regions, &format!("{field}.data.regions"))?,
        concepts: concepts(data.concepts),
    })
}

fn read_segment(segment: &TimeSegment) -> Segment {
    let info = segment.time_info.unwrap_or_default();
    Segment {
        id: segment.id.clone(),
        begin_s: info.begin_time,
        end_s: info.end_time,
        concepts: concepts(segment.data.clone().unwrap_or_default().concepts),
    }
}

/// A `data` message of what an annotation says.
pub fn to_wire(said: &CoreData, app_id: &str, user_id: &str) -> Data {
    let to = ToWire { app_id, user_id };
    Data {
        concepts: to.concepts(&said.concepts),
        regions: to.regions(&said.regions),
        frames: said.frames.iter().map(|frame| to.frame(frame)).collect(),
        time_segments: said.segments.iter().map(|segment| to.segment(segment)).collect(),
        text: said.text.clone().map(|raw| Text { raw, ..Default::default() }),
        metadata: documents::to_struct(&said.metadata),
        ..Default::default()
    }
}

/// Whose concepts they are.
struct ToWire<'a> {
    app_id: &'a str,
    user_id: &'a str,
}

impl ToWire<'_> {
    fn concepts(&self, list: &[Said]) -> Vec<Concept> {
        let concept = |said: &Said| Concept {
            id: said.concept_id.clone(),
            name: said.name.clone(),
            value: said.value,
            app_id: self.app_id.to_owned(),
            user_id: self.user_id.to_owned(),
            ..Default::default()
        };
        list.iter().map(concept).collect()
    }

    fn regions(&self, list: &[CoreRegion]) -> Vec<Region> {
        let region = |region: &CoreRegion| Region {
            id: region.id.clone(),
            region_info: region.shape.as_ref().map(region_info),
            data: Some(Data {
                concepts: self.concepts(&region.concepts),
                text: region.text.clone().map(|raw| Text { raw, ..Default::default() }),
                ..Default::default()
            }),
            value: region.value.unwrap_or_default(),
            track_id: region.track_id.clone(),
        };
        list.iter().map(region).collect()
    }

    fn frame(&self, frame: &CoreFrame) -> Frame {
        Frame {
            id: frame.id.clone(),
            frame_info: Some(FrameInfo { time: frame.time_ms, number: frame.number, index: frame.index }),
            data: Some(Data {
                concepts: self.concepts(&frame.concepts),
                regions: self.regions(&frame.regions),
                ..Default::default()
            }),
        }
    }

    fn segment(&self, segment: &Segment) -> TimeSegment {
        TimeSegment {
            id: segment.id.clone(),
            data: Some(Data { concepts: self.concepts(&segment.concepts), ..Default::default() }),
            time_info: Some(TimeInfo {
                begin_time: segment.begin_s,
                end_time: segment.end_s,
                ..Default::default()
            }),
        }
    }
}

fn region_info(shape: &Shape) -> RegionInfo {
    let wire_point =
        |at: &CorePoint| Point { row: at.row, col: at.col, z: at.z, visibility: i32::from(at.visibility) };
    let wire_points = |list: &[CorePoint]| list.iter().map(wire_point).collect::<Vec<_>>();
    let mut info = RegionInfo::default();
    match shape {
        Shape::Box(b) => {
            info.bounding_box = Some(BoundingBox {
                top_row: b.top,
                left_col: b.left,
                bottom_row: b.bottom,
                right_col: b.right,
            });
        }
        Shape::Polygon { points } => info.polygon = Some(Polygon { points: wire_points(points) }),
        Shape::Point(at) => info.point = Some(wire_point(at)),
        Shape::Keypoints { points } => info.keypoint_locations = wire_points(points),
        Shape::Mask { base64, url, color } => {
            // What was stored was checked to be base64.
            let bytes = STANDARD.decode(base64).unwrap_or_default();
            let image = Image { url: url.clone(), base64: bytes.into(), ..Default::default() };
            let color = (!color.is_empty()).then(|| Color { raw_hex: color.clone(), ..Default::default() });
            info.mask = Some(Mask { image: Some(image), color });
        }
        Shape::Span(span) => {
            let (char_start, char_end, raw_text) = (span.start, span.end, span.raw.clone());
            info.span = Some(Span { char_start, char_end, raw_text });
        }
        Shape::Token(span) => {
            let (char_start, char_end, raw_text) = (span.start, span.end, span.raw.clone());
            info.token = Some(Token { char_start, char_end, raw_text });
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_region_survives_the_way_there_and_back() {
        let at = |row: f32, col: f32| CorePoint { row, col, z: 0.25, visibility: 2 };
        let span = CoreSpan { start: 1, end: 5, raw: "text".to_owned() };
        for shape in [
            Shape::Box(CropBox { top: 0.1, left: 0.2, bottom: 0.3, right: 0.4 }),
            Shape::Polygon { points: vec![at(0.0, 0.0), at(0.5, 0.0), at(0.5, 0.5)] },
            Shape::Point(at(0.5, 0.75)),
            Shape::Keypoints { points: vec![at(0.5, 0.75)] },
            Shape::Mask { base64: "AQID".to_owned(), url: String::new(), color: "#ff0000".to_owned() },
            Shape::Span(span.clone()),
            Shape::Token(span),
        ] {
            let said = Said { concept_id: "dog".to_owned(), name: "Dog".to_owned(), value: 1.0 };
            let region = CoreRegion {
                id: "r".to_owned(),
                shape: Some(shape),
                concepts: vec![said.clone()],
                value: Some(0.5),
                track_id: "t".to_owned(),
                text: Some("words".to_owned()),
            };
            let frame = CoreFrame {
                number: 3,
                index: 1,
                time_ms: 120,
                concepts: vec![said.clone()],
                regions: vec![region.clone()],
                ..CoreFrame::default()
            };
            let segment =
                Segment { id: "s".to_owned(), begin_s: 1.0, end_s: 2.5, concepts: vec![said.clone()] };
            let data = CoreData {
                concepts: vec![said],
                regions: vec![region],
                frames: vec![frame],
                segments: vec![segment],
                text: Some("caption".to_owned()),
                ..CoreData::default()
            };
            assert_eq!(read(to_wire(&data, "app", "user"), "data").unwrap(), data);
        }
    }

    #[test]
    fn a_region_has_one_shape_and_data_that_would_be_lost_is_refused() {
        let point = Some(Point::default());
        let info = RegionInfo { point, span: Some(Span::default()), ..Default::default() };
        let region = Region { region_info: Some(info), ..Default::default() };
        assert!(read(Data { regions: vec![region], ..Default::default() }, "data").is_err());
        let embeddings = vec![Embedding::default()];
        assert!(read(Data { embeddings, ..Default::default() }, "data").is_err());
    }
}
