//! How patches of inputs change what is said of their parts.

use std::cell::Cell;

use proptest::prelude::*;

use super::super::{Said, Segment, Shape};
use super::*;
use crate::annotations::Region;
use crate::annotations::tests::text;
use crate::inputs::{self, Input, InputPatch};
use crate::testing::TestPlatform;
use crate::{AppCtx, CropBox};

fn said(id: &str, value: f32) -> Said {
    Said { concept_id: id.to_owned(), name: String::new(), value }
}

fn region(id: &str, top: f32, concepts: Vec<Said>) -> Region {
    let shape = Some(Shape::Box(CropBox { top, left: 0.2, bottom: 0.9, right: 0.6 }));
    Region { id: id.to_owned(), shape, concepts, ..Region::default() }
}

fn regions(list: Vec<Region>) -> Data {
    Data { regions: list, ..Data::default() }
}

/// Applies a patch as a transaction would: what is new becomes annotations of the caller's own, with ids.
fn patched(places: &[Place], given: &Data, action: PatchAction) -> Vec<Place> {
    let mut places = places.to_vec();
    let mut new = change(&mut places, given.clone(), action);
    let n_named = Cell::new(0);
    new.name_parts(|| {
        n_named.set(n_named.get() + 1);
        format!("new-{}", n_named.get())
    });
    places.retain(|place| !place.is_changed || !place.data.is_empty());
    let each = |data| Place { data, is_own: true, is_changed: true };
    places.extend(new.regions.into_iter().map(|region| each(regions(vec![region]))));
    let frames = new.frames.into_iter().map(|frame| Data { frames: vec![frame], ..Data::default() });
    places.extend(frames.map(each));
    let segments = new.segments.into_iter().map(|part| Data { segments: vec![part], ..Data::default() });
    places.extend(segments.map(each));
    places
}

fn data_of(places: &[Place]) -> Vec<Data> {
    places.iter().map(|place| place.data.clone()).collect()
}

fn some_said() -> impl Strategy<Value = Vec<Said>> {
    let ids = prop::collection::btree_map("[a-c]", prop_oneof![Just(0.0_f32), Just(1.0)], 0..3);
    ids.prop_map(|ids| ids.into_iter().map(|(id, value)| said(&id, value)).collect())
}

fn some_regions(ids: &'static str) -> impl Strategy<Value = Vec<Region>> {
    let region =
        (ids, 0..3_u8, some_said()).prop_map(|(id, top, said)| region(&id, f32::from(top) / 8.0, said));
    prop::collection::vec(region, 0..4).prop_map(|list| {
        let mut unlike: Vec<Region> = Vec::new();
        list.into_iter().for_each(|new| {
            if !unlike.iter().any(|old| old.same(&new)) {
                unlike.push(new);
            }
        });
        unlike
    })
}

fn some_data(ids: &'static str) -> impl Strategy<Value = Data> {
    let frames = prop::collection::btree_map(0..3_u32, (some_said(), some_regions(ids)), 0..3);
    let segments = prop::collection::btree_map("[s-u]", some_said(), 0..2);
    (some_regions(ids), frames, segments).prop_map(|(regions, frames, segments)| Data {
        regions,
        frames: frames
            .into_iter()
            .map(|(number, (concepts, regions))| Frame { number, concepts, regions, ..Frame::default() })
            .collect(),
        segments: segments
            .into_iter()
            .map(|(id, concepts)| Segment { id, begin_s: 1.0, end_s: 2.0, concepts })
            .collect(),
        ..Data::default()
    })
}

fn some_places() -> impl Strategy<Value = Vec<Place>> {
    let place = (some_data("[p-r]"), any::<bool>());
    let place = place.prop_map(|(data, is_own)| Place { data, is_own, is_changed: false });
    prop::collection::vec(place, 0..4)
        .prop_map(|list| list.into_iter().filter(|place| !place.data.is_empty()).collect())
}

proptest! {
    #[test]
    fn merging_twice_is_merging_once(places in some_places(), patch in some_data("[p-t]?")) {
        let once = patched(&places, &patch, PatchAction::Merge);
        let twice = patched(&once, &patch, PatchAction::Merge);
        prop_assert_eq!(data_of(&once), data_of(&twice));
    }

    #[test]
    fn overwriting_twice_is_overwriting_once(places in some_places(), patch in some_data("[p-t]")) {
        let once = patched(&places, &patch, PatchAction::Overwrite);
        let twice = patched(&once, &patch, PatchAction::Overwrite);
        prop_assert_eq!(data_of(&once), data_of(&twice));
    }

    #[test]
    fn removing_undoes_the_merging_of_what_is_new(places in some_places(), new in some_regions("x[a-d]")) {
        let patch = regions(new);
        let merged = patched(&places, &patch, PatchAction::Merge);
        let n_new = patch.regions.len();
        prop_assert_eq!(merged.len(), places.len() + n_new);
        let removed = patched(&merged, &patch, PatchAction::Remove);
        prop_assert_eq!(data_of(&places), data_of(&removed));
    }

    #[test]
    fn after_overwriting_the_caller_has_the_given_regions_and_others_keep_theirs(
        places in some_places(), given in some_regions("[p-t]"),
    ) {
        prop_assume!(!given.is_empty());
        let after = patched(&places, &regions(given.clone()), PatchAction::Overwrite);
        for region in after.iter().filter(|place| place.is_own).flat_map(|place| &place.data.regions) {
            prop_assert!(given.contains(region));
        }
        for region in &given {
            prop_assert!(after.iter().any(|place| place.data.regions.contains(region)));
        }
        let others = |places: &[Place]| -> Vec<String> {
            let others = places.iter().filter(|place| !place.is_own);
            others.flat_map(|place| place.data.regions.iter().map(|region| region.id.clone())).collect()
        };
        prop_assert_eq!(others(&places), others(&after));
    }

    #[test]
    fn an_empty_patch_changes_nothing(places in some_places()) {
        for action in [PatchAction::Merge, PatchAction::Overwrite, PatchAction::Remove] {
            prop_assert_eq!(data_of(&places), data_of(&patched(&places, &Data::default(), action)));
        }
    }
}

async fn patch(test: &TestPlatform, app: &AppCtx, parts: Data, action: PatchAction) -> Input {
    // What is said later stands behind what was said earlier.
    test.clock.advance_us(1);
    let patch = InputPatch { id: "a".to_owned(), parts, ..InputPatch::default() };
    inputs::patch(app, vec![patch], action).await.unwrap().remove(0)
}

fn ids(input: &Input) -> Vec<&str> {
    input.parts.regions.iter().map(|region| region.id.as_str()).collect()
}

fn by_name(id: &str, name: &str) -> Region {
    let concepts = vec![Said { name: name.to_owned(), value: 1.0, ..Said::default() }];
    region(id, 0.1, concepts)
}

#[tokio::test]
async fn regions_of_an_input_are_merged_overwritten_and_removed_through_the_input() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let new = inputs::NewInput { parts: regions(vec![by_name("r", "cat")]), ..text("a", &[]) };
        inputs::create(&app, vec![new]).await.unwrap();
        // A new region without an id gets one; said again it is the same.
        for _ in 0..2 {
            let input = patch(&test, &app, regions(vec![by_name("", "dog")]), PatchAction::Merge).await;
            assert_eq!(input.parts.regions.len(), 2);
            assert_eq!(input.parts.regions[1].concepts[0].name, "dog");
        }
        // A known region gets another concept and another place.
        let moved = region("r", 0.3, vec![said("lynx", 0.5)]);
        let input = patch(&test, &app, regions(vec![moved.clone()]), PatchAction::Merge).await;
        assert_eq!((input.parts.regions[0].id.as_str(), &input.parts.regions[0].shape), ("r", &moved.shape));
        let concepts: Vec<_> =
            input.parts.regions[0].concepts.iter().map(|s| s.concept_id.as_str()).collect();
        assert_eq!(concepts, ["cat", "lynx"]);
        let input =
            patch(&test, &app, regions(vec![region("s", 0.5, vec![]), moved]), PatchAction::Overwrite).await;
        assert_eq!(ids(&input), ["r", "s"]);
        assert_eq!(input.parts.regions[0].concepts.len(), 1);
        let input = patch(
            &test,
            &app,
            regions(vec![Region { id: "r".to_owned(), ..Region::default() }]),
            PatchAction::Remove,
        );
        assert_eq!(ids(&input.await), ["s"]);
        let annotations = super::super::list(&app, Default::default()).await;
        let left = annotations.unwrap();
        assert_eq!(left.len(), 1, "an annotation of which nothing is left goes");
        assert_eq!(left[0].modified_by, left[0].account_id.clone() + "/" + &left[0].key_id);
    }
}
