//! Reading search queries: the `ands` of 2018 and the filters and ranks of today, in the core's terms.

use ocellus_core::annotations::{AnnotationTerm, Status as AnnotationStatus};
use ocellus_core::inputs::StateFilter;
use ocellus_core::search::{
    ConceptTerm, Filter as CoreFilter, Query as CoreQuery, Rank as CoreRank, RankBy, Test,
};
use ocellus_core::{AppCtx, CropBox, Error, MediaKind, Page, Result, Source};

use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::{annotation_terms, annotations, documents, input_data};

const KM_PER_MILE: f64 = 1.609_344;
const EARTH_RADIUS_KM: f64 = 6_371.008_8;
/// A predicted concept without a value counts from here on.
const DEFAULT_PREDICTED_MIN: f32 = 0.5;

/// All inputs in order of creation.
pub fn everything(page: Page) -> CoreQuery {
    CoreQuery { page, ..CoreQuery::default() }
}

/// What a query is to find. What it says of annotations is a condition on each of them, or on inputs having one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Inputs,
    Annotations,
}

/// A query for inputs in either form; both may be mixed.
pub fn read(query: Query, min_score: f32, page: Page) -> Result<CoreQuery> {
    read_of(Of::Inputs, query, min_score, page)
}

/// A query for inputs or annotations.
pub fn read_of(of: Of, query: Query, min_score: f32, page: Page) -> Result<CoreQuery> {
    let language = (!query.language.is_empty()).then_some(query.language);
    let mut found = CoreQuery { min_score, language, ..everything(page) };
    for (i, and) in query.ands.into_iter().enumerate() {
        self::and(and, &format!("query.ands[{i}]"), &mut found)?;
    }
    for (i, filter) in query.filters.into_iter().enumerate() {
        self::filter(of, filter, &format!("query.filters[{i}]"), &mut found.filters)?;
    }
    for (i, rank) in query.ranks.into_iter().enumerate() {
        self::rank(rank, &format!("query.ranks[{i}]"), &mut found.ranks)?;
    }
    Ok(found)
}

/// The same query with the caller's own name in place of "me".
pub fn as_caller(app: &AppCtx, mut query: CoreQuery) -> CoreQuery {
    for filter in &mut query.filters {
        if let Test::Annotated(term) = &mut filter.test {
            term.account_id = annotations::own_name(app, std::mem::take(&mut term.account_id));
        }
    }
    query
}

/// One term of 2018: `input` speaks of what users said, `output` of what models saw.
fn and(and: And, field: &str, found: &mut CoreQuery) -> Result<()> {
    let negate = and.negate;
    if let Some(input) = and.input {
        about_input(input, negate, &format!("{field}.input"), &mut found.filters)?;
    }
    if let Some(annotation) = and.annotation {
        let data = annotation.data.unwrap_or_default();
        about_data(data, negate, &format!("{field}.annotation.data"), &mut found.filters)?;
    }
    let Some(output) = and.output else { return Ok(()) };
    if let Some(input) = output.input {
        let data = &mut input.data.unwrap_or_default();
        let by = likeness(&input.id, data, &format!("{field}.output.input"))?;
        found.ranks.extend(by.map(|by| CoreRank { negate, by }));
    }
    let concepts = output.data.unwrap_or_default().concepts;
    predicted(concepts, negate, found);
    Ok(())
}

/// A predicted concept both filters and orders: what the model saw clearest comes first.
fn predicted(concepts: Vec<Concept>, negate: bool, found: &mut CoreQuery) {
    for concept in &concepts {
        if !negate && concept.value > 0.0 {
            let by = RankBy::Predicted { concept: term(concept.clone()) };
            found.ranks.push(CoreRank { negate: false, by });
        }
    }
    if !concepts.is_empty() {
        let any = concepts.into_iter().map(term).collect();
        found.filters.push(CoreFilter { negate, test: Test::Predicted { any, min: DEFAULT_PREDICTED_MIN } });
    }
}

/// One filter of today: concepts in one filter are alternatives, filters must all hold.
fn filter(of: Of, filter: Filter, field: &str, found: &mut Vec<CoreFilter>) -> Result<()> {
    let negate = filter.negate;
    let mut changed = filter.last_updated_time_range.map(|range| span(&range, field)).transpose()?;
    if let Some(mut annotation) = filter.annotation {
        if !annotation.input_id.is_empty() {
            let test = Test::Ids(vec![std::mem::take(&mut annotation.input_id)]);
            found.push(CoreFilter { negate, test });
        }
        let mut data = annotation.data.take().unwrap_or_default();
        let mut term = annotation_terms::read(of, annotation, &mut data, &format!("{field}.annotation"))?;
        if of == Of::Annotations {
            term.changed_us = changed.take();
        }
        found.extend(about_annotations(of, term).map(|test| CoreFilter { negate, test }));
        about_data(data, negate, &format!("{field}.annotation.data"), found)?;
    }
    if let Some((from_us, to_us)) = changed {
        found.push(CoreFilter { negate, test: Test::Changed { from_us, to_us } });
    }
    match filter.input {
        Some(input) => about_input(input, negate, &format!("{field}.input"), found),
        None => Ok(()),
    }
}

/// Concepts alone are those that inputs show. In a search for inputs annotations count if they are not asked to stand
/// elsewhere in review.
fn about_annotations(of: Of, term: AnnotationTerm) -> Option<Test> {
    if term.is_empty() {
        return None;
    }
    Some(match of {
        Of::Annotations => Test::Annotated(term),
        Of::Inputs if !term.is_about_more_than_concepts() => Test::Labelled { any: term.concepts },
        Of::Inputs if term.statuses.is_empty() => {
            Test::Annotated(AnnotationTerm { statuses: vec![AnnotationStatus::Success], ..term })
        }
        Of::Inputs => Test::Annotated(term),
    })
}

/// A span of time in microseconds since the epoch; a missing end is open.
fn span(range: &TimeRange, field: &str) -> Result<(i64, i64)> {
    let from_us = range.start_time.as_ref().map_or(i64::MIN, documents::micros);
    let to_us = range.end_time.as_ref().map_or(i64::MAX, documents::micros);
    if from_us > to_us {
        let field = format!("{field}.last_updated_time_range");
        return Err(Error::invalid(field, "must not end before it begins"));
    }
    Ok((from_us, to_us))
}

fn input_state(code: i32, field: &str) -> Result<StateFilter> {
    match Code::try_from(code) {
        Ok(Code::InputSuccess) => Ok(StateFilter::Ready),
        Ok(Code::InputPending) => Ok(StateFilter::Pending),
        Ok(Code::InputFailed) => Ok(StateFilter::Failed),
        Ok(Code::InputInProgress) => Ok(StateFilter::Processing),
        _ => Err(Error::invalid(format!("{field}.status.code"), "must be 30000, 30001, 30002 or 30003")),
    }
}

fn about_input(input: Input, negate: bool, field: &str, found: &mut Vec<CoreFilter>) -> Result<()> {
    if !input.id.is_empty() {
        found.push(CoreFilter { negate, test: Test::Ids(vec![input.id]) });
    }
    if let Some(status) = input.status.filter(|status| status.code != 0) {
        let test = Test::InState(vec![input_state(status.code, field)?]);
        found.push(CoreFilter { negate, test });
    }
    if !input.dataset_ids.is_empty() {
        found.push(CoreFilter { negate, test: Test::InDatasets(input.dataset_ids) });
    }
    about_data(input.data.unwrap_or_default(), negate, &format!("{field}.data"), found)
}

/// What a `data` message asks for: labels, the image itself, metadata, a place.
fn about_data(data: Data, negate: bool, field: &str, found: &mut Vec<CoreFilter>) -> Result<()> {
    let mut add = |test| found.push(CoreFilter { negate, test });
    // An empty medium only says which kind is meant; several are alternatives.
    let mut kinds = Vec::new();
    if !data.concepts.is_empty() {
        add(Test::Labelled { any: data.concepts.into_iter().map(term).collect() });
    }
    if let Some(image) = data.image {
        if !image.base64.is_empty() {
            add(Test::SameImage(Source::Bytes(image.base64)));
        } else if !image.url.is_empty() {
            add(Test::SourceUrl(image.url));
        } else {
            kinds.push(MediaKind::Image);
        }
    }
    if let Some(text) = data.text {
        match text.raw.is_empty() {
            // What is said of an input in words counts where annotations are asked about.
            false => add(Test::Words { text: text.raw, said_too: field.contains(".annotation.") }),
            true => about_url(text.url, MediaKind::Text, &mut kinds, &mut add),
        }
    }
    if let Some(video) = data.video {
        about_url(video.url, MediaKind::Video, &mut kinds, &mut add);
    }
    if let Some(audio) = data.audio {
        about_url(audio.url, MediaKind::Audio, &mut kinds, &mut add);
    }
    if !kinds.is_empty() {
        add(Test::Kinds(kinds));
    }
    if let Some(metadata) = data.metadata {
        let metadata = documents::from_struct(metadata);
        if !metadata.is_empty() {
            add(Test::Metadata(metadata));
        }
    }
    if let Some(geo) = data.geo {
        add(place(&geo, &format!("{field}.geo"))?);
    }
    Ok(())
}

fn about_url(url: String, kind: MediaKind, kinds: &mut Vec<MediaKind>, add: &mut impl FnMut(Test)) {
    if url.is_empty() { kinds.push(kind) } else { add(Test::SourceUrl(url)) }
}

fn place(geo: &Geo, field: &str) -> Result<Test> {
    let corners: Vec<_> =
        geo.geo_box.iter().filter_map(|c| c.geo_point.as_ref()).map(input_data::point).collect();
    match (&corners[..], &geo.geo_point) {
        ([a, b], _) => Ok(Test::GeoBox {
            a: a.check(&format!("{field}.geo_box"))?,
            b: b.check(&format!("{field}.geo_box"))?,
        }),
        ([], Some(point)) => {
            let center = input_data::point(point).check(&format!("{field}.geo_point"))?;
            let limit = geo.geo_limit.clone().unwrap_or_default();
            Ok(Test::GeoWithin { center, limit_km: limit_km(&limit, field)? })
        }
        _ => Err(Error::invalid(field, "must have a geo_point with a geo_limit, or a geo_box of two points")),
    }
}

fn limit_km(limit: &GeoLimit, field: &str) -> Result<f64> {
    let value = f64::from(limit.value);
    let km = match limit.r#type.as_str() {
        "withinMiles" | "mile" => value * KM_PER_MILE,
        "withinKilometers" | "kilometer" => value,
        "withinRadians" | "radian" => value * EARTH_RADIUS_KM,
        "withinDegrees" | "degree" => value.to_radians() * EARTH_RADIUS_KM,
        other => {
            let message = format!(
                "must be withinMiles, withinKilometers, withinRadians or withinDegrees, not '{other}'"
            );
            return Err(Error::invalid(format!("{field}.geo_limit.type"), message));
        }
    };
    if km.is_nan() || km < 0.0 {
        return Err(Error::invalid(format!("{field}.geo_limit.value"), "must not be below 0"));
    }
    Ok(km)
}

/// One rank of today: likeness to an image, an input, a part of one, an annotation or a vector, or the value of a concept.
fn rank(rank: Rank, field: &str, found: &mut Vec<CoreRank>) -> Result<()> {
    let Some(annotation) = rank.annotation else { return Ok(()) };
    let mut data = annotation.data.unwrap_or_default();
    let negate = rank.negate;
    let by = match part(&annotation.input_id, &mut data, &format!("{field}.annotation"))? {
        Some(by) => Some(by),
        None => likeness(&annotation.input_id, &mut data, &format!("{field}.annotation"))?,
    };
    let by = by.or_else(|| (!annotation.id.is_empty()).then(|| RankBy::Annotation(annotation.id)));
    found.extend(by.map(|by| CoreRank { negate, by }));
    if let Some(text) = data.text {
        if text.raw.is_empty() {
            return Err(Error::invalid(
                format!("{field}.annotation.data.text.raw"),
                "must hold the text to rank by",
            ));
        }
        found.push(CoreRank { negate, by: RankBy::Text(text.raw) });
    }
    for concept in data.concepts {
        found.push(CoreRank { negate, by: RankBy::Predicted { concept: term(concept) } });
    }
    Ok(())
}

/// Likeness to the part in a region's box: of the image that is given, or of the input of this id.
fn part(id: &str, data: &mut Data, field: &str) -> Result<Option<RankBy>> {
    let field = format!("{field}.data.regions");
    let boxes = data.regions.iter().map(|region| region.region_info.as_ref()?.bounding_box);
    let part = match &boxes.collect::<Vec<_>>()[..] {
        [] => return Ok(None),
        [Some(b)] => CropBox { top: b.top_row, left: b.left_col, bottom: b.bottom_row, right: b.right_col },
        _ => return Err(Error::invalid(field, "must hold one region with a bounding_box to rank by")),
    };
    let part = part.check(&format!("{field}[0].region_info.bounding_box"))?;
    if let Some(image) = data.image.as_mut().filter(|i| !i.url.is_empty() || !i.base64.is_empty()) {
        if !image.crop.is_empty() {
            return Err(Error::invalid(field, "and a crop exclude each other"));
        }
        let source = input_data::image_source(image, &field)?;
        return Ok(Some(RankBy::Image { source, crop: Some(part) }));
    }
    match id.is_empty() {
        true => Err(Error::invalid(field, "must come with an input_id or an image")),
        false => Ok(Some(RankBy::PartOfInput { input_id: id.to_owned(), part })),
    }
}

/// What to be like: the image or vector that is given, else the input of this id.
fn likeness(id: &str, data: &mut Data, field: &str) -> Result<Option<RankBy>> {
    if let Some(embedding) = data.embeddings.first_mut().filter(|e| !e.vector.is_empty()) {
        return Ok(Some(RankBy::Vector(std::mem::take(&mut embedding.vector))));
    }
    match data.image.as_mut().filter(|i| !i.url.is_empty() || !i.base64.is_empty()) {
        Some(image) => {
            let crop = input_data::crop(&image.crop, &format!("{field}.data.image.crop"))?;
            let source = input_data::image_source(image, &format!("{field}.data.image"))?;
            Ok(Some(RankBy::Image { source, crop }))
        }
        None => Ok((!id.is_empty()).then(|| RankBy::InputId(id.to_owned()))),
    }
}

pub fn term(concept: Concept) -> ConceptTerm {
    ConceptTerm { id: concept.id, name: concept.name, value: concept.value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(json: &str) -> CoreQuery {
        let service = crate::service::Service::new();
        let plan = service.plans.get(service.plans.index("clarifai.api.Query").unwrap());
        let mut bytes = Vec::new();
        crate::transcode::read(&service.plans, plan, json.as_bytes(), &mut bytes).unwrap();
        let query = <Query as prost::Message>::decode(&bytes[..]).unwrap();
        read(query, 0.0, Page::first(20)).unwrap()
    }

    #[test]
    fn the_terms_of_2018_become_filters_and_ranks() {
        let dog = ConceptTerm { id: "dog".to_owned(), name: String::new(), value: 1.0 };
        let found = query(
            r#"{"ands":[
                {"input":{"data":{"concepts":[{"id":"dog"}]}},"negate":true},
                {"output":{"input":{"data":{"image":{"url":"http://x/a.jpg"}}}}},
                {"output":{"data":{"concepts":[{"id":"dog","value":true}]}}},
                {"input":{"data":{"geo":{"geo_point":{"longitude":-30,"latitude":40},"geo_limit":{"type":"withinMiles","value":1}}}}}
            ]}"#,
        );
        assert_eq!(
            found.filters[0],
            CoreFilter { negate: true, test: Test::Labelled { any: vec![dog.clone()] } }
        );
        assert!(matches!(&found.filters[1].test, Test::Predicted { any, .. } if any[0] == dog));
        assert!(
            matches!(found.filters[2].test, Test::GeoWithin { limit_km, .. } if (limit_km - 1.609).abs() < 0.001)
        );
        assert!(
            matches!(&found.ranks[0].by, RankBy::Image { source: Source::Url(url), .. } if url == "http://x/a.jpg")
        );
        assert!(matches!(&found.ranks[1].by, RankBy::Predicted { .. }));
    }

    #[test]
    fn the_filters_and_ranks_of_today_are_read() {
        let found = query(
            r#"{"filters":[{"annotation":{"data":{"concepts":[{"id":"a","value":1},{"id":"b","value":1}]}}},
                           {"input":{"data":{"metadata":{"k":{"l":1}}}},"negate":true}],
                "ranks":[{"annotation":{"input_id":"i"}},{"negate":true,"annotation":{"data":{"image":{"base64":"dHJ1ZQ=="}}}}]}"#,
        );
        assert!(matches!(&found.filters[0].test, Test::Labelled { any } if any.len() == 2));
        assert!(found.filters[1].negate && matches!(&found.filters[1].test, Test::Metadata(_)));
        assert_eq!(found.ranks[0].by, RankBy::InputId("i".to_owned()));
        assert!(found.ranks[1].negate);
    }

    #[test]
    fn kinds_of_one_filter_are_alternatives_and_datasets_count() {
        let found = query(r#"{"filters":[{"input":{"data":{"image":{},"text":{}},"dataset_ids":["d"]}}]}"#);
        let tests: Vec<_> = found.filters.into_iter().map(|filter| filter.test).collect();
        let kinds = Test::Kinds(vec![MediaKind::Image, MediaKind::Text]);
        assert_eq!(tests, [Test::InDatasets(vec!["d".to_owned()]), kinds]);
    }

    #[test]
    fn a_place_without_a_known_limit_is_refused() {
        let geo = Geo { geo_point: Some(GeoPoint::default()), ..Default::default() };
        assert!(place(&geo, "geo").is_err());
        assert!(place(&Geo::default(), "geo").is_err());
    }
}
