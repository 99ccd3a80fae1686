//! How many inputs each concept was put on, and on how many it was said not to be.

use ocellus_store as store;

use crate::inputs::{STATE_FAILED, STATE_PENDING, STATE_PROCESSING};
use crate::{AppCtx, Error, Page, Result};

/// Inputs that say yes, and inputs that say no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct YesNo {
    /// Said to be there.
    pub positive: u64,
    /// Said not to be there.
    pub negative: u64,
}

/// The counts of one concept, by what became of the inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConceptCounts {
    /// The concept.
    pub concept_id: String,
    /// Its name.
    pub name: String,
    /// Inputs that are ready.
    pub ready: YesNo,
    /// Inputs that wait for their processing.
    pub pending: YesNo,
    /// Inputs that are being processed.
    pub processing: YesNo,
    /// Inputs whose processing failed.
    pub failed: YesNo,
}

impl ConceptCounts {
    /// Over all inputs.
    pub fn total(&self) -> YesNo {
        let all = [self.ready, self.pending, self.processing, self.failed];
        YesNo {
            positive: all.iter().map(|one| one.positive).sum(),
            negative: all.iter().map(|one| one.negative).sum(),
        }
    }
}

/// The counts of the app's concepts, in order of creation. A public app has none.
pub async fn list(app: &AppCtx, page: Page) -> Result<Vec<ConceptCounts>> {
    let page = page.check()?;
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let concepts = tx.concepts_page(&uid, page.limit(), page.offset())?;
        let ids: Vec<&String> = concepts.iter().map(|concept| &concept.id).collect();
        let counts = tx.concept_counts(&uid, &ids)?;
        let mut found = Vec::with_capacity(concepts.len());
        for concept in &concepts {
            let mut one = ConceptCounts {
                concept_id: concept.id.clone(),
                name: concept.name.clone(),
                ..ConceptCounts::default()
            };
            counts
                .iter()
                .filter(|count| count.concept_id == concept.id)
                .for_each(|count| add(&mut one, count));
            found.push(one);
        }
        Ok::<_, Error>(found)
    };
    app.platform().store().read(read).await
}

fn add(to: &mut ConceptCounts, count: &store::ConceptCount) {
    let counts = match count.state {
        STATE_PENDING => &mut to.pending,
        STATE_PROCESSING => &mut to.processing,
        STATE_FAILED => &mut to.failed,
        _ => &mut to.ready,
    };
    let n = u64::try_from(count.n).unwrap_or(0);
    if count.positive { counts.positive += n } else { counts.negative += n }
}
