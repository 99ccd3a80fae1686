//! Older inputs get their vectors, whatever happens meanwhile, and another pair gives them others.

use ocellus_algo::image::{RgbImage, encode_jpeg};

use super::*;
use crate::inputs::{self, NewInput};
use crate::search::{self, Query, Rank, RankBy};
use crate::testing::{TestPlatform, image_text};
use crate::{JsonMap, Source};

/// More than are described in one go.
const N_INPUTS: usize = AT_ONCE as usize + 3;

fn plain(idx: usize) -> NewInput {
    // The last one is red, the others are more or less green.
    let color = if idx + 1 == N_INPUTS { [230, 10, 10] } else { [10, 120 + idx as u8, 30] };
    let bytes = encode_jpeg(&RgbImage::from_pixel(16, 16, color.into()), 90).unwrap();
    NewInput {
        id: Some(format!("in{idx:02}")),
        source: Source::Bytes(bytes.into()),
        kind: MediaKind::Image,
        allow_duplicate_url: true,
        crop: None,
        labels: Vec::new(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    }
}

async fn first_by(platform: &Platform, test: &TestPlatform, text: &str) -> Option<String> {
    let app = platform.app(&test.caller().await, "", "", &[]).await.unwrap();
    let ranks = vec![Rank { negate: false, by: RankBy::Text(text.to_owned()) }];
    let found = search::run(&app, Query { ranks, ..Query::default() }).await.unwrap();
    found.hits.into_iter().next().map(|hit| hit.input.id)
}

async fn count(platform: &Platform, test: &TestPlatform) -> usize {
    let app = platform.app(&test.caller().await, "", "", &[]).await.unwrap();
    let (uid, space) = (app.uid().to_owned(), platform.image_text().unwrap().space().to_owned());
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.count_vectors(&uid, &space)?);
    usize::try_from(platform.store().read(read).await.unwrap()).unwrap()
}

// A killed worker may leave a transaction that another thread has to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_inputs_are_described_once_there_is_a_pair_and_anew_for_another() {
    for test in TestPlatform::all().await {
        let batch = (0..N_INPUTS).map(plain).collect();
        let added = inputs::create(&test.app().await, batch).await.unwrap();
        assert!(added.iter().all(Result::is_ok));
        test.settle().await;
        let last = format!("in{:02}", N_INPUTS - 1);

        let killed = test.another_with(|config| config.image_text = Some(image_text(false)));
        killed.start_workers().await.unwrap().kill().await;
        test.clock.advance_us(60_000_000);
        let paired = test.another_with(|config| config.image_text = Some(image_text(false)));
        paired.describe_older_inputs().await.unwrap();
        paired.run_until_idle().await.unwrap();
        assert_eq!(count(&paired, &test).await, N_INPUTS);
        assert_eq!(first_by(&paired, &test, "red").await.as_ref(), Some(&last));
        // Nothing is left to be done.
        paired.describe_older_inputs().await.unwrap();
        assert_eq!(paired.count_open_jobs().await.unwrap(), 0);

        let turned = test.another_with(|config| config.image_text = Some(image_text(true)));
        assert_eq!(first_by(&turned, &test, "red").await, None);
        turned.describe_older_inputs().await.unwrap();
        turned.describe_older_inputs().await.unwrap();
        assert_eq!(turned.count_open_jobs().await.unwrap(), 1, "once is enough");
        turned.run_until_idle().await.unwrap();
        assert_eq!(count(&turned, &test).await, N_INPUTS);
        assert_eq!(first_by(&turned, &test, "red").await.as_ref(), Some(&last));
    }
}
