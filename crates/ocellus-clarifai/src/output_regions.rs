//! Regions of an output in both generations' words: boxes with what each shows.

use ocellus_core::predict::{RegionPrediction, Scored};

use crate::pb::*;
use crate::rpc::Era;

/// Regions as data of an output; `concept` gives a concept its wire form.
pub fn to_wire(era: Era, regions: Vec<RegionPrediction>, concept: impl Fn(Scored) -> Concept) -> Data {
    let regions = regions.into_iter().map(|region| Region {
        id: region.id.clone(),
        region_info: Some(RegionInfo {
            bounding_box: Some(BoundingBox {
                top_row: region.bbox.top,
                left_col: region.bbox.left,
                bottom_row: region.bbox.bottom,
                right_col: region.bbox.right,
            }),
            ..Default::default()
        }),
        value: region.probability,
        data: Some(data(era, region, &concept)),
        ..Default::default()
    });
    Data { regions: regions.collect(), ..Default::default() }
}

/// The first generation has a place of its own for how a face looks; later ones list concepts.
fn data(era: Era, region: RegionPrediction, concept: &impl Fn(Scored) -> Concept) -> Data {
    let all = |scored: Vec<Scored>| scored.into_iter().map(concept).collect::<Vec<Concept>>();
    let vector = region.embedding.map(|vector| {
        let num_dimensions = u32::try_from(vector.len()).unwrap_or(u32::MAX);
        Embedding { vector, num_dimensions }
    });
    let (face, concepts) = match (era, region.appearance) {
        (Era::Y2019, Some(looks)) => {
            let age_appearance = Some(FaceAge { concepts: all(looks.age) });
            let gender_appearance = Some(FaceGenderIdentity { concepts: all(looks.gender) });
            (Some(Face { age_appearance, gender_appearance, ..Default::default() }), Vec::new())
        }
        (Era::Current | Era::Y2019, _) => (None, all(region.concepts)),
    };
    Data { concepts, face, embeddings: vector.into_iter().collect(), ..Default::default() }
}
