//! Searches for annotations and by the parts that they mark: against a naive evaluation over made-up vectors, and over
//! photographs whose parts are really described.

use ocellus_algo::embed::{cosine, l2_normalize};
use ocellus_store as store;
use ocellus_store::testing::TestStore;

use super::*;
use crate::annotations::{
    self, AnnotationPatch, Data, Frame, NewAnnotation, Region, Said, Shape, Status, parts,
};
use crate::indexes::IndexConfig;
use crate::inputs::NewInput;
use crate::search::{ConceptTerm, Rank, RankBy};
use crate::testing::{TestPlatform, cache_dir};
use crate::{CropBox, JsonMap, MediaKind, Page, PatchAction, Source};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn vector(&mut self) -> Vec<f32> {
        let mut vector: Vec<f32> = (0..1280).map(|_| self.below(1 << 20) as f32 - (1 << 19) as f32).collect();
        l2_normalize(&mut vector);
        vector
    }
}

/// An annotation that was made up: its concept, status, and the vectors of the parts it marks.
#[derive(Clone)]
struct MadeUp {
    id: String,
    input_id: String,
    concept: &'static str,
    status: Status,
    parts: Vec<Vec<f32>>,
}

fn made_up(inputs: &[(String, Vec<f32>)], from: usize, n: usize, dice: &mut Dice) -> Vec<MadeUp> {
    (from..from + n)
        .map(|i| MadeUp {
            id: format!("an{i:03}"),
            input_id: inputs[dice.below(inputs.len() as u64) as usize].0.clone(),
            concept: ["dog", "cat"][dice.below(2) as usize],
            status: Status::ALL[dice.below(3) as usize],
            parts: (0..dice.below(3)).map(|_| dice.vector()).collect(),
        })
        .collect()
}

fn row(uid: &str, made: &MadeUp, now_us: i64) -> store::Annotation {
    let said = |concept_id: &str| Said { concept_id: concept_id.to_owned(), name: String::new(), value: 1.0 };
    let sides = CropBox { top: 0.0, left: 0.0, bottom: 0.5, right: 0.5 };
    let regions = (0..made.parts.len()).map(|n| Region {
        id: n.to_string(),
        shape: Some(Shape::Box(sides)),
        concepts: vec![said(made.concept)],
        ..Region::default()
    });
    let regions: Vec<Region> = regions.collect();
    let concepts = if regions.is_empty() { vec![said(made.concept)] } else { Vec::new() };
    let data = serde_json::to_value(Data { concepts, regions, ..Data::default() }).unwrap();
    store::Annotation {
        app_uid: uid.to_owned(),
        id: made.id.clone(),
        input_id: made.input_id.clone(),
        account_id: "a".to_owned(),
        status: made.status.name().to_owned(),
        doc: JsonMap::from_iter([("data".to_owned(), data)]),
        created_at_us: now_us,
        modified_at_us: now_us,
        ..store::Annotation::default()
    }
}

async fn put(app: &AppCtx, made: &[MadeUp]) {
    let (uid, made, now_us) = (app.uid().to_owned(), made.to_vec(), app.platform().clock().now_us());
    let space = parts::space_of_parts(app.platform().catalog().embedding().version_id());
    let write = move |tx: &mut Tx<'_>| {
        for made in &made {
            tx.insert_annotation(&row(&uid, made, now_us))?;
            for (n, data) in made.parts.iter().enumerate() {
                let region = AnnotationRegion {
                    app_uid: uid.clone(),
                    annotation_id: made.id.clone(),
                    region_id: n.to_string(),
                    input_id: made.input_id.clone(),
                    outline: "any".to_owned(),
                };
                tx.put_annotation_regions(std::slice::from_ref(&region))?;
                assert!(tx.end_region(&region, true)?);
                tx.put_vectors(&[vector(&uid, &space, &region.key(), data)])?;
            }
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await.unwrap();
}

fn vector(uid: &str, space: &str, key: &str, data: &[f32]) -> store::Vector {
    store::Vector {
        app_uid: uid.to_owned(),
        space: space.to_owned(),
        input_id: key.to_owned(),
        seq: 0,
        deleted: false,
        data: data.to_vec(),
    }
}

async fn put_inputs(app: &AppCtx, n: usize, dice: &mut Dice) -> Vec<(String, Vec<f32>)> {
    let made: Vec<(String, Vec<f32>)> = (0..n).map(|i| (format!("in{i:02}"), dice.vector())).collect();
    let (uid, space) = (app.uid().to_owned(), app.platform().catalog().embedding().version_id().to_owned());
    let rows = made.clone();
    let write = move |tx: &mut Tx<'_>| {
        for (id, data) in &rows {
            tx.insert_input(&super::super::tests::plain_input(&uid, id))?;
            tx.put_vectors(&[vector(&uid, &space, id, data)])?;
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await.unwrap();
    made
}

fn term(concept: &str, statuses: &[Status], of_parts: bool) -> AnnotationTerm {
    let concepts = match concept {
        "" => Vec::new(),
        id => vec![ConceptTerm { id: id.to_owned(), name: String::new(), value: 1.0 }],
    };
    AnnotationTerm { concepts, statuses: statuses.to_vec(), of_parts, ..AnnotationTerm::default() }
}

fn query(terms: &[(bool, AnnotationTerm)], rank: Option<RankBy>, page: Page) -> Query {
    let filters =
        terms.iter().map(|(negate, term)| Filter { negate: *negate, test: Test::Annotated(term.clone()) });
    Query {
        filters: filters.collect(),
        ranks: rank.into_iter().map(|by| Rank { negate: false, by }).collect(),
        page,
        ..Query::default()
    }
}

fn name(hit: &AnnotationHit) -> String {
    hit.annotation.as_ref().map_or_else(|| hit.input.id.clone(), |annotation| annotation.id.clone())
}

/// What a child would do: every annotation that fits, by its best part or else by its input.
fn naive(
    inputs: &[(String, Vec<f32>)],
    made: &[MadeUp],
    terms: &[(bool, AnnotationTerm)],
    wanted: &[f32],
) -> Vec<(String, f32)> {
    let fits = |made: &MadeUp, term: &AnnotationTerm| {
        (term.concepts.is_empty() || term.concepts[0].id == made.concept)
            && (term.statuses.is_empty() || term.statuses.contains(&made.status))
            && (!term.of_parts || !made.parts.is_empty())
    };
    let score = |vector: &[f32]| (1.0 + cosine(vector, wanted)) / 2.0;
    let of_input = |id: &str| score(&inputs.iter().find(|(other, _)| other == id).unwrap().1);
    let mut found: Vec<(String, f32)> = made
        .iter()
        .filter(|made| terms.iter().all(|(negate, term)| fits(made, term) != *negate))
        .map(|made| {
            let best = made.parts.iter().map(|part| score(part)).reduce(f32::max);
            (made.id.clone(), best.unwrap_or_else(|| of_input(&made.input_id)))
        })
        .collect();
    if terms.is_empty() {
        let unsaid = inputs.iter().filter(|(id, _)| made.iter().all(|made| made.input_id != *id));
        found.extend(unsaid.map(|(id, _)| (id.clone(), of_input(id))));
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}

#[tokio::test]
async fn annotations_are_found_as_a_naive_evaluation_finds_them() {
    for db in TestStore::all().await {
        let small = IndexConfig { snapshot_above: usize::MAX, ..IndexConfig::default() };
        let test = TestPlatform::on(db, |config| config.indexes = small).await;
        let app = test.app().await;
        let mut dice = Dice(3);
        let inputs = put_inputs(&app, 12, &mut dice).await;
        let made = made_up(&inputs, 0, 40, &mut dice);
        put(&app, &made).await;
        let tables: [&[(bool, AnnotationTerm)]; 6] = [
            &[],
            &[(false, term("dog", &[], false))],
            &[(false, term("dog", &[Status::Pending, Status::InProgress], false))],
            &[(true, term("dog", &[], false)), (false, term("", &[Status::Success], false))],
            &[(false, term("cat", &[], true))],
            &[(false, term("cow", &[], false))],
        ];
        for terms in tables {
            let wanted = dice.vector();
            let expected = naive(&inputs, &made, terms, &wanted);
            let by = RankBy::Vector(wanted.clone());
            let mut found = Vec::new();
            for page in 1..=6 {
                let page = Page { page, per_page: 10 };
                found.extend(search(&app, query(terms, Some(by.clone()), page)).await.unwrap());
            }
            assert_eq!(found.len(), expected.len(), "{terms:?}");
            for (hit, (id, score)) in found.iter().zip(&expected) {
                assert_eq!(name(hit), *id, "{terms:?}");
                assert!((hit.score - score).abs() < 1e-4, "{} {score}", hit.score);
            }
            // In no order they are the same ones.
            let all = search(&app, query(terms, None, Page::first(100))).await.unwrap();
            let places: Vec<(&str, String)> =
                all.iter().map(|hit| (hit.input.id.as_str(), name(hit))).collect();
            assert!(places.is_sorted(), "in the order of their inputs and then of creation: {places:?}");
            let mut pages = Vec::new();
            for page in 1..=8 {
                pages.extend(search(&app, query(terms, None, Page { page, per_page: 7 })).await.unwrap());
            }
            assert_eq!(pages, all, "{terms:?}");
            let mut ids: Vec<String> = all.iter().map(name).collect();
            let mut wanted_ids: Vec<String> = expected.iter().map(|(id, _)| id.clone()).collect();
            ids.sort();
            wanted_ids.sort();
            assert_eq!(ids, wanted_ids);
        }
        // Inputs by the best of their parts that fit.
        let wanted = dice.vector();
        let terms = [(false, term("dog", &[Status::Success], true))];
        let mut expected: Vec<(String, f32)> = Vec::new();
        for (id, score) in naive(&inputs, &made, &terms, &wanted) {
            let input_id = &made.iter().find(|made| made.id == id).unwrap().input_id;
            if !expected.iter().any(|(known, _)| known == input_id) {
                expected.push((input_id.clone(), score));
            }
        }
        let by = RankBy::Vector(wanted);
        let found = super::super::run(&app, query(&terms, Some(by), Page::first(50))).await.unwrap();
        let ids: Vec<&str> = found.hits.iter().map(|hit| hit.input.id.as_str()).collect();
        assert_eq!(ids, expected.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>());
        assert!(found.hits.iter().zip(&expected).all(|(hit, (_, score))| (hit.score - score).abs() < 1e-4));
    }
}

#[tokio::test]
async fn pages_fit_together_while_annotations_are_added() {
    for db in TestStore::all().await {
        let test = TestPlatform::on(db, |_| {}).await;
        let app = test.app().await;
        let mut dice = Dice(5);
        let inputs = put_inputs(&app, 6, &mut dice).await;
        put(&app, &made_up(&inputs, 0, 30, &mut dice)).await;
        let by = RankBy::Vector(dice.vector());
        let terms = [(false, term("dog", &[], false))];
        for (terms, by) in [(&terms[..], Some(by.clone())), (&[], Some(by)), (&terms, None), (&[], None)] {
            let page = async |page| {
                let found = search(&app, query(terms, by.clone(), Page { page, per_page: 4 })).await.unwrap();
                found.iter().map(name).collect::<Vec<_>>()
            };
            let whole = search(&app, query(terms, by.clone(), Page::first(100))).await.unwrap();
            let mut found = page(1).await;
            test.clock.advance_us(1_000);
            let n_before = whole.len();
            put(&app, &made_up(&inputs, 100 + n_before * 10, 9, &mut dice)).await;
            for n in 2..=20 {
                found.extend(page(n).await);
            }
            assert_eq!(found, whole.iter().map(name).collect::<Vec<_>>());
            let again = search(&app, query(terms, by.clone(), Page::first(100))).await.unwrap();
            assert!(again.len() > n_before);
            // The names of those that were added differ from round to round.
            remove_added(&app).await;
        }
    }
}

async fn remove_added(app: &AppCtx) {
    let uid = app.uid().to_owned();
    let write = move |tx: &mut Tx<'_>| {
        let rows = tx.annotations_passing(&uid, &store::AnnotationTest::default(), "an099", 1_000)?;
        let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
        Ok::<_, Error>(tx.delete_annotations(&uid, &ids)?)
    };
    assert!(app.platform().store().write(write).await.unwrap() > 0);
}

fn photo(name: &str) -> Source {
    let path = cache_dir().join("photos").join(name);
    Source::Bytes(std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display())).into())
}

fn image(id: &str, name: &str) -> NewInput {
    NewInput {
        id: Some(id.to_owned()),
        source: photo(name),
        kind: MediaKind::Image,
        allow_duplicate_url: true,
        crop: None,
        labels: Vec::new(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Data::default(),
    }
}

fn boxed(id: &str, sides: CropBox) -> Data {
    let region = Region { id: id.to_owned(), shape: Some(Shape::Box(sides)), ..Region::default() };
    Data { regions: vec![region], ..Data::default() }
}

const LEFT: CropBox = CropBox { top: 0.1, left: 0.0, bottom: 0.9, right: 0.5 };
const RIGHT: CropBox = CropBox { top: 0.1, left: 0.5, bottom: 0.9, right: 1.0 };

async fn by_part(app: &AppCtx, part: CropBox) -> Vec<(String, f32)> {
    let by = RankBy::PartOfInput { input_id: "dog".to_owned(), part };
    let found = search(app, query(&[(false, term("", &[], true))], Some(by), Page::first(10))).await.unwrap();
    found.iter().map(|hit| (name(hit), hit.score)).collect()
}

#[tokio::test]
async fn a_marked_part_is_described_and_follows_its_annotation_and_input() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let new = vec![
            NewInput { parts: boxed("early", LEFT), ..image("dog", "dog.png") },
            image("cat", "cat.png"),
        ];
        inputs::create(&app, new).await.unwrap();
        test.settle().await;
        let early = annotations::of_inputs(&app, &["dog".to_owned()]).await.unwrap()[0].id.clone();
        let marked = |id: &str, input_id: &str, data| NewAnnotation {
            id: Some(id.to_owned()),
            input_id: input_id.to_owned(),
            data,
            ..NewAnnotation::default()
        };
        let new = vec![
            marked("right", "dog", boxed("r", RIGHT)),
            marked("cat", "cat", boxed("r", LEFT)),
            marked("point", "cat", Data::default()),
        ];
        annotations::create(&app, new).await.unwrap().into_iter().for_each(|made| drop(made.unwrap()));
        test.settle().await;
        let found = by_part(&app, RIGHT).await;
        assert_eq!(found[0].0, "right");
        assert!((found[0].1 - 1.0).abs() < 1e-3, "{found:?}");
        assert_eq!(found.len(), 3, "{found:?}");
        let found = by_part(&app, LEFT).await;
        assert!(
            found[0].0 == early && (found[0].1 - 1.0).abs() < 1e-3,
            "described with its input: {found:?}"
        );
        // Another outline means another vector; until it is there the old one is not used.
        let patch = AnnotationPatch {
            id: "right".to_owned(),
            data: Some(boxed("r", LEFT)),
            ..AnnotationPatch::default()
        };
        annotations::patch(&app, vec![patch], PatchAction::Merge, false).await.unwrap();
        assert!(by_part(&app, RIGHT).await.iter().all(|(_, score)| *score < 0.999));
        test.settle().await;
        let best: Vec<f32> = by_part(&app, LEFT).await.into_iter().take(2).map(|(_, score)| score).collect();
        assert!(best.iter().all(|score| (score - 1.0).abs() < 1e-3), "{best:?}");
        // By an annotation: its own part.
        let by = RankBy::Annotation("right".to_owned());
        let found = search(&app, query(&[], Some(by), Page::first(10))).await.unwrap();
        assert!((found[0].score - 1.0).abs() < 1e-3);
        annotations::delete(&app, &["right".to_owned()], &[]).await.unwrap();
        assert_eq!(by_part(&app, LEFT).await.len(), 2);
        inputs::delete(&app, &["dog".to_owned()]).await.unwrap();
        let (uid, n_left) =
            (app.uid().to_owned(), |tx: &Tx<'_>, uid: &str| tx.regions_of_inputs(uid, &["dog", "cat"]));
        let left = test.platform.store().read(move |tx| Ok::<_, Error>(n_left(tx, &uid)?)).await.unwrap();
        assert_eq!(left.into_iter().map(|row| row.annotation_id).collect::<Vec<_>>(), ["cat"]);
        assert_eq!(inputs::get(&app, "cat").await.unwrap().state, inputs::InputState::Ready);
    }
}

#[tokio::test]
async fn a_marked_part_of_a_frame_is_described_and_words_find_parts() {
    let video = crate::video::tests::colours("mp4", &["red", "lime", "blue"]);
    for store in TestStore::all().await {
        let pair = crate::testing::image_text(false);
        let test = TestPlatform::on(store, |config| config.image_text = Some(pair.clone())).await;
        let app = test.app().await;
        let frame = |id: &str, time_ms: u64, number: u32| Data {
            frames: vec![Frame { time_ms, number, regions: boxed(id, LEFT).regions, ..Frame::default() }],
            ..Data::default()
        };
        let source = Source::Bytes(video.clone());
        let early = NewInput {
            source: source.clone(),
            kind: MediaKind::Video,
            parts: frame("red", 500, 5),
            ..image("clip", "dog.png")
        };
        inputs::create(&app, vec![early]).await.unwrap().remove(0).unwrap();
        test.settle().await;
        let new = |id: &str, time_ms, number| NewAnnotation {
            id: Some(id.to_owned()),
            input_id: "clip".to_owned(),
            data: frame("r", time_ms, number),
            ..NewAnnotation::default()
        };
        // One is told by its number alone, and one lies behind the end.
        let late = vec![new("green", 1500, 15), new("blue", 0, 25), new("after", 9000, 90)];
        annotations::create(&app, late).await.unwrap().into_iter().for_each(|made| drop(made.unwrap()));
        test.settle().await;
        for (words, id) in [("green", "green"), ("blue", "blue")] {
            let by = RankBy::Text(words.to_owned());
            let terms = [(false, term("", &[], true))];
            let found = search(&app, query(&terms, Some(by), Page::first(10))).await.unwrap();
            let found: Vec<_> = found.iter().map(|hit| (name(hit), hit.score)).collect();
            assert_eq!((found[0].0.as_str(), found.len()), (id, 4), "{found:?}");
            assert!(found[0].1 > 0.97 && found[1].1 < 0.96, "{found:?}");
        }
        let early = annotations::of_inputs(&app, &["clip".to_owned()]).await.unwrap();
        let early = early.iter().find(|one| !["green", "blue", "after"].contains(&one.id.as_str())).unwrap();
        let found = search(&app, query(&[], Some(RankBy::Annotation(early.id.clone())), Page::first(10)));
        let found = found.await.unwrap();
        assert_eq!(name(&found[0]), early.id, "described together with its input");
        assert!((found[0].score - 1.0).abs() < 1e-3 && found[1].score < 0.99);
    }
}

#[tokio::test]
async fn parts_that_are_older_than_the_pair_are_described_in_its_space_too() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    inputs::create(&app, vec![NewInput { parts: boxed("p", LEFT), ..image("dog", "dog.png") }])
        .await
        .unwrap();
    test.settle().await;
    let pair = crate::testing::image_text(false);
    let later = test.another_with(|config| config.image_text = Some(pair));
    later.describe_older_inputs().await.unwrap();
    later.run_until_idle().await.unwrap();
    let space = parts::space_of_parts(later.image_text().unwrap().space());
    let old = parts::space_of_parts(later.catalog().embedding().version_id());
    let uid = app.uid().to_owned();
    let count = move |tx: &mut Tx<'_>| {
        Ok::<_, Error>((tx.count_vectors(&uid, &space)?, tx.count_vectors(&uid, &old)?))
    };
    assert_eq!(test.platform.store().read(count).await.unwrap(), (1, 1));
}
