//! Search against a naive evaluation of the same query over the same made-up inputs, on both databases, by scan and by
//! the approximate index; and the rules that random queries do not reach.

use std::collections::BTreeMap;

use ocellus_algo::embed::{cosine, l2_normalize};
use ocellus_store as store;
use ocellus_store::testing::TestStore;
use serde_json::json;

use super::geo::distance_km;
use super::*;
use crate::indexes::IndexConfig;
use crate::testing::TestPlatform;

const DIM: usize = 1280;
const DOG: &str = "ai_8S2Vq3cR";

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn unit(&mut self) -> f64 {
        self.below(1 << 24) as f64 / f64::from(1 << 24)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn vector(&mut self) -> Vec<f32> {
        let mut vector: Vec<f32> = (0..DIM).map(|_| self.unit() as f32 - 0.5).collect();
        l2_normalize(&mut vector);
        vector
    }
}

/// What is known about a made-up input.
#[derive(Clone, Debug)]
struct Known {
    id: String,
    vector: Vec<f32>,
    /// Concept "red" said to be there, or not there.
    red: Option<f64>,
    dog: Option<f64>,
    shelf: i64,
    place: Option<GeoPoint>,
    url: Option<String>,
}

fn made_up(n: usize, dice: &mut Dice) -> Vec<Known> {
    (0..n)
        .map(|i| Known {
            id: format!("in{i:04}"),
            vector: dice.vector(),
            red: (!dice.one_in(3)).then(|| f64::from(u8::from(dice.one_in(2)))),
            dog: dice.one_in(3).then(|| dice.unit()),
            shelf: dice.below(40) as i64,
            place: (!dice.one_in(4))
                .then(|| GeoPoint { latitude: dice.unit() * 20.0 + 40.0, longitude: dice.unit() * 20.0 }),
            url: dice.one_in(2).then(|| format!("http://example.com/{}", i / 2)),
        })
        .collect()
}

async fn fill(test: &TestPlatform, known: &[Known]) -> AppCtx {
    let app = test.app().await;
    let uid = app.uid().to_owned();
    let concept = move |tx: &mut Tx<'_>| {
        let concept = store::Concept { id: "c-red".into(), name: "Red".into(), ..concept_row(&uid) };
        Ok::<_, Error>(tx.insert_concept(&concept)?)
    };
    test.platform.store().write(concept).await.unwrap();
    add(&app, known).await;
    app
}

async fn add(app: &AppCtx, known: &[Known]) {
    let catalog = app.platform().catalog();
    let (general, space) =
        (catalog.general().version_id().to_owned(), catalog.embedding().version_id().to_owned());
    let (uid, rows) = (app.uid().to_owned(), known.to_vec());
    let write = move |tx: &mut Tx<'_>| {
        for known in &rows {
            tx.insert_input(&input_row(&uid, known))?;
            let label = |value: f64| store::Label {
                app_uid: uid.clone(),
                input_id: known.id.clone(),
                annotation_id: String::new(),
                concept_id: "c-red".into(),
                value,
                account_id: "a".into(),
                created_at_us: 1,
            };
            tx.put_labels(&known.red.map(label).into_iter().collect::<Vec<_>>())?;
            let dog: Vec<(String, f64)> = known.dog.map(|p| (DOG.to_owned(), p)).into_iter().collect();
            tx.put_predictions(&uid, &known.id, &general, &dog)?;
            tx.put_vectors(&[store::Vector {
                app_uid: uid.clone(),
                space: space.clone(),
                input_id: known.id.clone(),
                seq: 0,
                deleted: false,
                data: known.vector.clone(),
            }])?;
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await.unwrap();
}

fn concept_row(uid: &str) -> store::Concept {
    store::Concept {
        app_uid: uid.into(),
        id: String::new(),
        name: String::new(),
        language: "en".into(),
        definition: String::new(),
        metadata: JsonMap::new(),
        created_at_us: 1,
        modified_at_us: 1,
    }
}

/// An input that is ready and of which nothing else is known.
pub(super) fn plain_input(uid: &str, id: &str) -> store::Input {
    let known = Known {
        id: id.to_owned(),
        vector: Vec::new(),
        red: None,
        dog: None,
        shelf: 0,
        place: None,
        url: None,
    };
    input_row(uid, &known)
}

fn input_row(uid: &str, known: &Known) -> store::Input {
    store::Input {
        app_uid: uid.into(),
        id: known.id.clone(),
        seq: 0,
        state: STATE_READY,
        failure_code: String::new(),
        failure: String::new(),
        kind: "image".into(),
        source_url: known.url.clone(),
        blob: None,
        thumb: None,
        content_hash: None,
        phash: None,
        width: None,
        height: None,
        mime: None,
        lat: known.place.map(|place| place.latitude),
        lon: known.place.map(|place| place.longitude),
        metadata: object(json!({"at": {"shelf": known.shelf}, "id": known.id})),
        doc: JsonMap::new(),
        created_at_us: 1,
        modified_at_us: 1,
    }
}

fn object(value: serde_json::Value) -> JsonMap {
    let serde_json::Value::Object(map) = value else { unreachable!("an object") };
    map
}

fn term(id: &str, name: &str, value: f32) -> ConceptTerm {
    ConceptTerm { id: id.into(), name: name.into(), value }
}

/// What a filter means.
type Holds = Box<dyn Fn(&Known) -> bool>;
/// What ranks score.
type Scores = Box<dyn Fn(&Known) -> f32>;

/// A random filter with its meaning.
fn random_filter(dice: &mut Dice, known: &[Known]) -> (Filter, Holds) {
    let negate = dice.one_in(3);
    let (test, meaning): (Test, Holds) = match dice.below(8) {
        0 => {
            let positive = dice.one_in(2);
            let any = vec![term("", "red", f32::from(u8::from(positive)))];
            (Test::Labelled { any }, Box::new(move |k| k.red == Some(f64::from(u8::from(positive)))))
        }
        1 => {
            let min = dice.unit() as f32;
            let any = vec![term("", "DOG", 1.0)];
            (Test::Predicted { any, min }, Box::new(move |k| k.dog.is_some_and(|p| p >= f64::from(min))))
        }
        2 => {
            let any = vec![term(DOG, "", 0.0)];
            (Test::Predicted { any, min: 0.0 }, Box::new(|k| k.dog.is_none_or(|p| p < 0.5)))
        }
        3 => {
            let shelf = dice.below(40) as i64;
            let wanted = object(json!({"at": {"shelf": shelf}}));
            (Test::Metadata(wanted), Box::new(move |k| k.shelf == shelf))
        }
        4 => {
            let center = GeoPoint { latitude: dice.unit() * 20.0 + 40.0, longitude: dice.unit() * 20.0 };
            let limit_km = dice.unit() * 1_500.0;
            let near = move |k: &Known| k.place.is_some_and(|place| distance_km(center, place) <= limit_km);
            (Test::GeoWithin { center, limit_km }, Box::new(near))
        }
        5 => {
            let a = GeoPoint { latitude: dice.unit() * 20.0 + 40.0, longitude: dice.unit() * 20.0 };
            let b = GeoPoint { latitude: dice.unit() * 20.0 + 40.0, longitude: dice.unit() * 20.0 };
            let within = move |x: f64, p: f64, q: f64| x >= p.min(q) && x <= p.max(q);
            let inside = move |k: &Known| {
                k.place.is_some_and(|place| {
                    within(place.latitude, a.latitude, b.latitude)
                        && within(place.longitude, a.longitude, b.longitude)
                })
            };
            (Test::GeoBox { a, b }, Box::new(inside))
        }
        6 => {
            let ids: Vec<String> = known.iter().filter(|_| dice.one_in(5)).map(|k| k.id.clone()).collect();
            (Test::Ids(ids.clone()), Box::new(move |k| ids.contains(&k.id)))
        }
        _ => {
            let url = format!("http://example.com/{}", dice.below(known.len() as u64 / 2));
            (Test::SourceUrl(url.clone()), Box::new(move |k| k.url.as_deref() == Some(url.as_str())))
        }
    };
    (Filter { negate, test }, Box::new(move |k| meaning(k) != negate))
}

/// Random ranks with what they score.
fn random_ranks(dice: &mut Dice, known: &[Known]) -> (Vec<Rank>, Scores) {
    let n = 1 + dice.below(3);
    let mut ranks = Vec::new();
    let mut scores: Vec<Scores> = Vec::new();
    for i in 0..n {
        let negate = dice.one_in(3);
        let query = if dice.one_in(2) {
            dice.vector()
        } else {
            known[dice.below(known.len() as u64) as usize].vector.clone()
        };
        // The first is always a picture, so that every input is a candidate.
        let (by, score): (RankBy, Scores) = if i > 0 && dice.one_in(4) {
            (RankBy::Predicted { concept: term(DOG, "", 1.0) }, Box::new(|k| k.dog.unwrap_or(0.0) as f32))
        } else {
            (RankBy::Vector(query.clone()), Box::new(move |k| f32::midpoint(1.0, cosine(&k.vector, &query))))
        };
        ranks.push(Rank { negate, by });
        scores.push(Box::new(move |k| if negate { 1.0 - score(k) } else { score(k) }));
    }
    (ranks, Box::new(move |k| scores.iter().map(|score| score(k)).sum::<f32>() / n as f32))
}

fn small(ann_above: usize) -> IndexConfig {
    IndexConfig { ann_above, exact_below: 30, snapshot_above: usize::MAX, ..IndexConfig::default() }
}

async fn until_built(app: &AppCtx) {
    let platform = app.platform();
    let space = platform.catalog().embedding().version_id();
    let index = platform.indexes().current(platform.store(), app.uid(), space).await.unwrap();
    while index.is_building() {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn any_query_finds_what_a_naive_evaluation_finds() {
    for (ann_above, least_found) in [(usize::MAX, 1.0), (100, 0.9)] {
        for db in TestStore::all().await {
            let test = TestPlatform::on(db, |config| config.indexes = small(ann_above)).await;
            let mut dice = Dice(41);
            let known = made_up(240, &mut dice);
            let app = fill(&test, &known).await;
            until_built(&app).await;
            let (mut n_expected, mut n_found) = (0, 0);
            for round in 0..60 {
                let filters: Vec<_> = (0..dice.below(4)).map(|_| random_filter(&mut dice, &known)).collect();
                let (ranks, score) = random_ranks(&mut dice, &known);
                let min_score = if dice.one_in(4) { 0.5 } else { 0.0 };
                let page = Page { page: 1 + dice.below(3) as u32, per_page: 1 + dice.below(40) as u32 };
                let mut fitting: Vec<(f32, &Known)> = known
                    .iter()
                    .filter(|k| filters.iter().all(|(_, holds)| holds(k)))
                    .map(|k| (score(k), k))
                    .collect();
                fitting.retain(|(score, _)| *score >= min_score);
                fitting.sort_by(|a, b| b.0.total_cmp(&a.0));
                let n_fitting = fitting.len();
                let expected: Vec<(f32, &Known)> =
                    fitting.into_iter().skip(page.offset() as usize).take(page.per_page as usize).collect();
                let filters: Vec<Filter> = filters.into_iter().map(|(filter, _)| filter).collect();
                let query = Query { filters, ranks, min_score, page, ..Query::default() };
                let hits = run(&app, query.clone()).await.unwrap();
                let at = format!("round {round}: {:?}, {} ranks", query.filters, query.ranks.len());
                assert_eq!(hits.hits.len(), expected.len(), "{at}");
                assert!(hits.total.is_none_or(|total| total == n_fitting as u64), "{at}");
                let scores: BTreeMap<&str, f32> = known.iter().map(|k| (k.id.as_str(), score(k))).collect();
                for pair in hits.hits.windows(2) {
                    assert!(pair[0].score >= pair[1].score, "best first, {at}");
                }
                for hit in &hits.hits {
                    assert!((hit.score - scores[hit.input.id.as_str()]).abs() < 1e-4, "{at}");
                }
                let ids: Vec<&str> = hits.hits.iter().map(|hit| hit.input.id.as_str()).collect();
                n_expected += expected.len();
                n_found += expected.iter().filter(|(_, k)| ids.contains(&k.id.as_str())).count();
            }
            assert!(n_found as f64 >= n_expected as f64 * least_found, "{n_found} of {n_expected}");
        }
    }
}

#[tokio::test]
async fn filters_alone_find_in_the_order_of_creation_with_score_one() {
    for db in TestStore::all().await {
        let test = TestPlatform::on(db, |_| {}).await;
        let mut dice = Dice(43);
        let known = made_up(60, &mut dice);
        let app = fill(&test, &known).await;
        for _ in 0..40 {
            let filters: Vec<_> = (0..dice.below(3)).map(|_| random_filter(&mut dice, &known)).collect();
            let fitting: Vec<&str> = known
                .iter()
                .filter(|k| filters.iter().all(|(_, holds)| holds(k)))
                .map(|k| k.id.as_str())
                .collect();
            let filters: Vec<Filter> = filters.into_iter().map(|(filter, _)| filter).collect();
            let mut found = Vec::new();
            for page in 1..=8 {
                let query = Query {
                    filters: filters.clone(),
                    ranks: vec![],
                    min_score: 0.0,
                    page: Page { page, per_page: 10 },
                    ..Query::default()
                };
                let hits = run(&app, query.clone()).await.unwrap();
                // Pages do not look further than they go, unless that is wanted.
                assert!(hits.total.is_none_or(|total| total == fitting.len() as u64), "{filters:?}");
                let counted = run(&app, Query { counted: true, ..query }).await.unwrap();
                assert_eq!(counted.total, Some(fitting.len() as u64), "{filters:?}");
                assert_eq!(counted.hits, hits.hits, "{filters:?}");
                assert!(hits.hits.iter().all(|hit| hit.score == 1.0));
                found.extend(hits.hits.into_iter().map(|hit| hit.input.id));
            }
            assert_eq!(found, fitting, "{filters:?}");
        }
    }
}

#[tokio::test]
async fn pages_ranked_by_one_concept_are_those_of_a_naive_evaluation() {
    for db in TestStore::all().await {
        let test = TestPlatform::on(db, |_| {}).await;
        let mut dice = Dice(44);
        let mut known = made_up(70, &mut dice);
        // Some are as probable as others.
        known.iter_mut().for_each(|k| k.dog = k.dog.map(|p| if p > 0.7 { 0.75 } else { p }));
        let app = fill(&test, &known).await;
        for round in 0..50 {
            let mut filters: Vec<_> = (0..dice.below(3)).map(|_| random_filter(&mut dice, &known)).collect();
            let (by, score): (RankBy, fn(&Known) -> Option<f32>) = match dice.below(3) {
                0 => (RankBy::Labelled { concept: term("c-red", "", 1.0) }, |k| {
                    k.red.filter(|said| *said == 1.0).map(|_| 1.0)
                }),
                1 => {
                    // As the searches of 2018 say it: what is seen clearly, the clearest first.
                    let test = Test::Predicted { any: vec![term(DOG, "", 1.0)], min: 0.5 };
                    let holds: Holds = Box::new(|k| k.dog.is_some_and(|p| p >= 0.5));
                    filters.push((Filter { negate: false, test }, holds));
                    (RankBy::Predicted { concept: term(DOG, "", 1.0) }, |k| k.dog.map(|p| p as f32))
                }
                _ => (RankBy::Predicted { concept: term("", "dog", 1.0) }, |k| k.dog.map(|p| p as f32)),
            };
            let min_score = if dice.one_in(3) { 0.4 } else { 0.0 };
            let mut fitting: Vec<(f32, &str)> = known
                .iter()
                .filter(|k| filters.iter().all(|(_, holds)| holds(k)))
                .filter_map(|k| Some((score(k)?, k.id.as_str())))
                .filter(|(score, _)| *score >= min_score)
                .collect();
            fitting.sort_by(|a, b| b.0.total_cmp(&a.0));
            let filters: Vec<Filter> = filters.into_iter().map(|(filter, _)| filter).collect();
            let ranks = vec![Rank { negate: false, by }];
            let mut found = Vec::new();
            for page in 1..=8 {
                let page = Page { page, per_page: 10 };
                let query = Query {
                    filters: filters.clone(),
                    ranks: ranks.clone(),
                    min_score,
                    page,
                    ..Query::default()
                };
                found.extend(run(&app, query).await.unwrap().hits);
            }
            let found: Vec<(f32, &str)> =
                found.iter().map(|hit| (hit.score, hit.input.id.as_str())).collect();
            assert_eq!(found, fitting, "round {round}: {filters:?} {ranks:?}");
        }
    }
}

#[tokio::test]
async fn ranked_by_a_concept_alone_only_inputs_that_have_it_are_found() {
    let test = TestPlatform::new().await;
    let known = made_up(40, &mut Dice(47));
    let app = fill(&test, &known).await;
    let by = |negate, by| Query {
        filters: vec![],
        ranks: vec![Rank { negate, by }],
        min_score: 0.0,
        page: Page::first(100),
        ..Query::default()
    };
    let dog = || RankBy::Predicted { concept: term("", "dog", 1.0) };
    let hits = run(&app, by(false, dog())).await.unwrap();
    assert_eq!(hits.hits.len(), known.iter().filter(|k| k.dog.is_some()).count());
    assert!(hits.hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
    assert_eq!(run(&app, by(true, dog())).await.unwrap().hits.len(), known.len());
    let red = run(&app, by(false, RankBy::Labelled { concept: term("", "RED", 1.0) })).await.unwrap();
    assert_eq!(red.hits.len(), known.iter().filter(|k| k.red == Some(1.0)).count());
    let none =
        run(&app, by(false, RankBy::Predicted { concept: term("", "no such thing", 1.0) })).await.unwrap();
    assert!(none.hits.is_empty());
}

#[tokio::test]
async fn an_input_is_nearest_to_itself_and_gone_once_deleted() {
    let test = TestPlatform::new().await;
    let known = made_up(30, &mut Dice(53));
    let app = fill(&test, &known).await;
    let like = |id: &str| Query {
        filters: vec![],
        ranks: vec![Rank { negate: false, by: RankBy::InputId(id.into()) }],
        min_score: 0.0,
        page: Page::first(5),
        ..Query::default()
    };
    let hits = run(&app, like("in0007")).await.unwrap();
    assert_eq!(hits.hits[0].input.id, "in0007");
    assert!((hits.hits[0].score - 1.0).abs() < 1e-5);
    inputs::delete(&app, &["in0007".to_owned()]).await.unwrap();
    assert_eq!(
        run(&app, like("in0007")).await.unwrap_err(),
        Error::not_found(Resource::Input("in0007".into()))
    );
    let again = Query {
        ranks: vec![Rank { negate: false, by: RankBy::Vector(known[7].vector.clone()) }],
        ..like("")
    };
    assert!(run(&app, again).await.unwrap().hits.iter().all(|hit| hit.input.id != "in0007"));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_in_words() {
    let test = TestPlatform::new().await;
    let app = fill(&test, &made_up(3, &mut Dice(59))).await;
    let plain = Query::default();
    let filter = |test| vec![Filter { negate: false, test }];
    let nowhere = GeoPoint { latitude: 91.0, longitude: 0.0 };
    let table = [
        (
            Query { page: Page { page: 11, per_page: 1000 }, ..plain.clone() },
            "page * perPage cannot exceed 10000",
        ),
        (Query { page: Page { page: 0, per_page: 10 }, ..plain.clone() }, "page must be 1 or more"),
        (Query { min_score: 1.5, ..plain.clone() }, "min_score must be 0 to 1"),
        (
            Query { ranks: vec![Rank { negate: false, by: RankBy::Vector(vec![1.0; 3]) }], ..plain.clone() },
            "vector must be 1280 finite numbers",
        ),
        (
            Query { filters: filter(Test::GeoWithin { center: nowhere, limit_km: 1.0 }), ..plain.clone() },
            "geo_point must have a latitude of -90 to 90",
        ),
    ];
    for (query, message) in table {
        let err = run(&app, query).await.unwrap_err();
        assert_eq!((err.kind, err.message.as_str()), (Kind::Invalid, message));
    }
    let beyond = run(&app, Query { page: Page { page: 10, per_page: 1000 }, ..plain }).await.unwrap();
    assert!(beyond.hits.is_empty(), "a page beyond the end is empty");
}

#[tokio::test]
async fn recall_is_measured_against_the_scan() {
    let test = TestPlatform::with(|config| config.indexes = small(100)).await;
    let known = made_up(200, &mut Dice(61));
    let app = fill(&test, &known).await;
    until_built(&app).await;
    let report = recall(&test.platform, app.uid(), 10, 50).await.unwrap();
    assert_eq!((report.n_vectors, report.n_samples, report.k), (200, 50, 10));
    assert!(report.approximate && report.recall > 0.9 && report.recall <= 1.0, "{report:?}");
}

fn ids(hits: &Hits) -> Vec<&str> {
    hits.hits.iter().map(|hit| hit.input.id.as_str()).collect()
}

#[tokio::test]
async fn pages_fit_together_while_inputs_are_added() {
    for db in TestStore::all().await {
        let test = TestPlatform::on(db, |_| {}).await;
        let mut dice = Dice(67);
        let known = made_up(60, &mut dice);
        let app = fill(&test, &known[..40]).await;
        let by = RankBy::Vector(dice.vector());
        let queries = [
            Query::default(),
            Query { ranks: vec![Rank { negate: false, by }], ..Query::default() },
            Query {
                filters: vec![Filter { negate: true, test: Test::Ids(vec!["in0003".into()]) }],
                ..Query::default()
            },
        ];
        let page = async |query: &Query, page| {
            run(&app, Query { page: Page { page, per_page: 10 }, ..query.clone() }).await.unwrap()
        };
        let mut before = Vec::new();
        for query in &queries {
            let whole = run(&app, Query { page: Page::first(100), ..query.clone() }).await.unwrap();
            let first = page(query, 1).await;
            before.push((ids(&whole).iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), first));
        }
        add(&app, &known[40..]).await;
        for (query, (whole, first)) in queries.iter().zip(&before) {
            let mut found: Vec<String> = ids(first).iter().map(|id| (*id).to_owned()).collect();
            for n in 2..=5 {
                found.extend(page(query, n).await.hits.into_iter().map(|hit| hit.input.id));
            }
            assert_eq!(&found, whole, "later pages show what was there at the first");
            let now = run(&app, Query { page: Page::first(100), ..query.clone() }).await.unwrap();
            assert_eq!(now.hits.len(), whole.len() + 20, "a new first page shows everything");
        }
        // A quarter of an hour later the first page is forgotten.
        test.clock.advance_us(16 * 60 * 1_000_000);
        assert_eq!(page(&queries[0], 6).await.hits.len(), 10);
    }
}

#[tokio::test]
async fn inputs_are_found_by_time_and_by_state() {
    for db in TestStore::all().await {
        let test = TestPlatform::on(db, |_| {}).await;
        let app = fill(&test, &made_up(4, &mut Dice(71))).await;
        let (uid, now_us) = (app.uid().to_owned(), 1_000);
        let change = move |tx: &mut Tx<'_>| {
            tx.set_input_state(&uid, "in0001", 3, ("internal", "broken"), now_us)?;
            tx.set_input_state(&uid, "in0002", STATE_READY, ("", ""), now_us)?;
            Ok::<_, Error>(())
        };
        test.platform.store().write(change).await.unwrap();
        let find = async |negate, test| {
            let found = run(&app, Query { filters: vec![Filter { negate, test }], ..Query::default() })
                .await
                .unwrap();
            ids(&found).join(" ")
        };
        assert_eq!(find(false, Test::Changed { from_us: 1_000, to_us: 1_000 }).await, "in0002");
        assert_eq!(find(true, Test::Changed { from_us: 1_000, to_us: i64::MAX }).await, "in0000 in0003");
        assert_eq!(find(false, Test::Changed { from_us: 2, to_us: 999 }).await, "");
        assert_eq!(find(false, Test::InState(vec![StateFilter::Failed])).await, "in0001");
        assert_eq!(find(true, Test::InState(vec![StateFilter::Ready])).await, "in0001");
        let all = run(&app, Query { as_of_us: Some(0), ..Query::default() }).await.unwrap();
        assert_eq!((all.hits.len(), all.total), (0, Some(0)), "all were created later");
    }
}

#[tokio::test]
async fn both_metrics_order_alike_and_count_what_is_good_enough() {
    let test = TestPlatform::new().await;
    let known = made_up(40, &mut Dice(73));
    let app = fill(&test, &known).await;
    let by = RankBy::Vector(known[5].vector.clone());
    let query = Query { ranks: vec![Rank { negate: false, by }], page: Page::first(40), ..Query::default() };
    let cosines = run(&app, query.clone()).await.unwrap();
    let distances = run(&app, Query { metric: Metric::Euclidean, ..query.clone() }).await.unwrap();
    assert_eq!(ids(&cosines), ids(&distances));
    for (a, b) in cosines.hits.iter().zip(&distances.hits) {
        let distance = (2.0 - 2.0 * (2.0 * a.score - 1.0)).max(0.0).sqrt();
        assert!((b.score - (1.0 - distance / 2.0)).abs() < 1e-3, "{} {}", a.score, b.score);
    }
    let least = cosines.hits[9].score;
    let counted = Query { min_score: least, counted: true, page: Page::first(1), ..query };
    assert_eq!(run(&app, counted).await.unwrap().total, Some(10));
}

#[tokio::test]
async fn texts_find_by_name_by_another_word_and_by_meaning() {
    for db in TestStore::all().await {
        let test = TestPlatform::on(db, |_| {}).await;
        let known = made_up(40, &mut Dice(79));
        let app = fill(&test, &known).await;
        let find = async |text: &str, language: Option<&str>| {
            let by = RankBy::Text(text.to_owned());
            let ranks = vec![Rank { negate: false, by }];
            let language = language.map(str::to_owned);
            let query = Query { ranks, language, page: Page::first(100), ..Query::default() };
            let found = run(&app, query).await.unwrap();
            ids(&found).iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()
        };
        let mut dogs: Vec<&Known> = known.iter().filter(|k| k.dog.is_some()).collect();
        dogs.sort_by(|a, b| b.dog.unwrap().total_cmp(&a.dog.unwrap()));
        let dogs: Vec<&str> = dogs.into_iter().map(|k| k.id.as_str()).collect();
        let reds = known.iter().filter(|k| k.red == Some(1.0)).count();
        assert_eq!(find("a dog", None).await, dogs);
        assert_eq!(find("Dogs!", None).await, dogs);
        assert_eq!(find("一只狗", Some("zh")).await, dogs);
        assert_eq!(find("puppies and other canines", None).await, dogs, "by meaning");
        assert_eq!(find("red", None).await.len(), reds);
        assert!(find("xyzzy qwertz", None).await.is_empty(), "what means nothing is not found");
    }
}
