//! Refuses annotations that make no sense: values and places out of range, shapes that are none, masks that are no image.

use super::data::{Point, Region, Said, Shape};
use crate::accounts::check_id;
use crate::{Error, Result};

/// The largest picture of a mask, in characters of base64.
const MAX_MASK: usize = 2 * 1024 * 1024;

pub(super) fn check_said(said: &[Said], field: &str) -> Result<()> {
    for (idx, said) in said.iter().enumerate() {
        let word = [&said.concept_id, &said.name].into_iter().find(|word| !word.is_empty());
        let word =
            word.ok_or_else(|| Error::invalid(format!("{field}[{idx}]"), "must have an id or a name"))?;
        check_id(&format!("{field}[{idx}].id"), word)?;
        if !(0.0..=1.0).contains(&said.value) {
            return Err(Error::invalid(format!("{field}[{idx}].value"), "must be 0 to 1"));
        }
    }
    Ok(())
}

pub(super) fn check_regions(regions: &[Region], field: &str) -> Result<()> {
    for (idx, region) in regions.iter().enumerate() {
        let field = format!("{field}[{idx}]");
        check_said(&region.concepts, &format!("{field}.data.concepts"))?;
        if !region.id.is_empty() {
            check_id(&format!("{field}.id"), &region.id)?;
            if regions[..idx].iter().any(|other| other.id == region.id) {
                return Err(Error::invalid(format!("{field}.id"), "comes twice"));
            }
        }
        if let Some(shape) = &region.shape {
            shape.check(&format!("{field}.region_info"))?;
        }
    }
    Ok(())
}

impl Shape {
    fn check(&self, field: &str) -> Result<()> {
        match self {
            Self::Box(sides) => sides.check(&format!("{field}.bounding_box")).map(|_| ()),
            Self::Polygon { points } if points.len() < 3 => {
                Err(Error::invalid(format!("{field}.polygon.points"), "must have at least 3 points"))
            }
            Self::Polygon { points } => check_points(points, &format!("{field}.polygon.points")),
            Self::Point(point) => check_points(&[*point], &format!("{field}.point")),
            Self::Keypoints { points } => check_points(points, &format!("{field}.keypoint_locations")),
            Self::Mask { base64, url, .. } => check_mask(base64, url, &format!("{field}.mask.image")),
            Self::Span(span) | Self::Token(span) if span.end <= span.start => {
                Err(Error::invalid(format!("{field}.span"), "must end after it starts"))
            }
            Self::Span(_) | Self::Token(_) => Ok(()),
        }
    }
}

fn check_points(points: &[Point], field: &str) -> Result<()> {
    let inside = |n: f32| (0.0..=1.0).contains(&n);
    match points.iter().all(|point| inside(point.row) && inside(point.col) && point.z.is_finite()) {
        true => Ok(()),
        false => Err(Error::invalid(field, "must have rows and columns within 0 to 1")),
    }
}

fn check_mask(base64: &str, url: &str, field: &str) -> Result<()> {
    use base64::Engine;
    if base64.len() > MAX_MASK {
        return Err(Error::invalid(field, format!("must have at most {MAX_MASK} characters of base64")));
    }
    match (base64.is_empty(), url.is_empty()) {
        (true, true) => Err(Error::invalid(field, "must have a url or base64")),
        (true, false) => Ok(()),
        (false, _) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(base64);
            let known = bytes.ok().and_then(|bytes| ocellus_algo::image::probe(&bytes).ok());
            known.map(|_| ()).ok_or_else(|| Error::invalid(field, "is no image"))
        }
    }
}
