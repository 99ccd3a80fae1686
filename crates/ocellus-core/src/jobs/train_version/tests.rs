//! A training that is killed begins again by itself and ends with the same model.

#![expect(clippy::large_futures, reason = "each test has a stack of its own")]

use crate::AppCtx;
use crate::learning::tests::{add, model};
use crate::learning::{NewTraining, train};
use crate::testing::TestPlatform;
use crate::user_models::{self, UserModelVersion, VersionState};

async fn version(app: &AppCtx, id: &str) -> UserModelVersion {
    let model = user_models::get(app, "pets").await.unwrap();
    user_models::version(app, &model, id).await.unwrap()
}

// A killed worker may leave a transaction that another thread has to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_training_begins_again_and_ends_with_the_same_model() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        model(&app, "pets", "embedding-classifier", &["cat", "dog"]).await;
        add(&app, "c", 0, 40, &[("cat", 1.0), ("dog", 0.0)]).await;
        add(&app, "d", 1, 40, &[("cat", 0.0), ("dog", 1.0)]).await;
        let (_, in_peace) = train(&app, "pets", NewTraining::default()).await.unwrap();
        test.settle().await;
        let in_peace = version(&app, &in_peace.id).await;
        assert_eq!(in_peace.state, VersionState::Trained, "{:?}", in_peace.doc.failure);

        let (_, cut) = train(&app, "pets", NewTraining::default()).await.unwrap();
        let workers = test.platform.start_workers().await.unwrap();
        while version(&app, &cut.id).await.state == VersionState::Queued {
            tokio::task::yield_now().await;
        }
        workers.kill().await;
        test.clock.advance_us(30_000_001);
        test.another().run_until_idle().await.unwrap();
        let cut = version(&app, &cut.id).await;
        assert_eq!(cut.state, VersionState::Trained, "{:?}", cut.doc.failure);
        assert_eq!((&cut.doc.artefact, &cut.doc.held_out), (&in_peace.doc.artefact, &in_peace.doc.held_out));
        assert_eq!(cut.doc.trained_on, in_peace.doc.trained_on);
    }
}
