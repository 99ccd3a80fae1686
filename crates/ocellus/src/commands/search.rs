//! `ocellus search`: the photographs of the local collection that look like a given one.

use ocellus_core::search::{self, Hit, Query, Rank, RankBy};
use ocellus_core::{Page, Source};
use serde_json::json;

use super::{index, local};
use crate::cli::Search;
use crate::config::Config;
use crate::output;

pub async fn run(config: Config, args: Search) -> anyhow::Result<()> {
    let source: Source = local::photo(&args.photo)?;
    let platform = local::open(&config).await?;
    let app = local::local_app(&platform, false).await?;
    let query = Query {
        filters: Vec::new(),
        ranks: vec![Rank { negate: false, by: RankBy::Image { source, crop: None } }],
        min_score: 0.0,
        page: Page::first(args.limit),
        ..Query::default()
    };
    let hits = search::run(&app, query).await.map_err(local::explain)?.hits;
    if args.json {
        for hit in &hits {
            output::line(&json!({"score": hit.score, "path": path(hit), "id": hit.input.id}).to_string());
        }
    } else if hits.is_empty() {
        output::complaint("nothing is indexed yet; run `ocellus index FOLDER` first");
    } else {
        let row = |hit: &Hit| vec![format!("{:.4}", hit.score), path(hit)];
        output::table(&["score", "path"], hits.iter().map(row).collect());
    }
    // So that the next search need not read every vector again.
    platform.indexes().snapshot_all().await;
    Ok(())
}

fn path(hit: &Hit) -> String {
    index::path_of(&hit.input.metadata).unwrap_or_else(|| hit.input.id.clone())
}
