//! `ocellus predict`: what photographs show, without a server and without a data folder.

use anyhow::{Context, bail};
use ocellus_core::predict::{self, PredictOptions, Prediction};
use ocellus_core::{Platform, models};
use serde_json::{Value, json};

use super::local;
use crate::cli::Predict;
use crate::config::Config;
use crate::output;

pub async fn run(config: Config, args: Predict) -> anyhow::Result<()> {
    // Prediction keeps nothing, so its store lives in a folder that goes away with the command.
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let mut config = config;
    config.server.data_dir = scratch.path().to_owned();
    config.store.database = String::new();
    config.blobs.url = String::new();
    let platform = Platform::open(config.platform()?).await.map_err(local::explain)?;
    let model = models::get(&platform, &args.model, None).map_err(local::explain)?;
    let options = PredictOptions {
        max_concepts: args.max_concepts,
        min_value: args.min_value,
        ..PredictOptions::default()
    };
    let mut n_failed = 0;
    for (idx, name) in args.photos.iter().enumerate() {
        let result = match local::photo(name) {
            Ok(source) => {
                let prediction = predict::source(&platform, &model, &source, None, &options).await;
                prediction.map_err(local::explain)
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(prediction) if args.json => output::line(&as_json(name, &prediction).to_string()),
            Ok(prediction) => as_table(name, &prediction, idx > 0, args.photos.len() > 1),
            Err(error) => {
                n_failed += 1;
                report(name, &error, args.json);
            }
        }
    }
    if n_failed > 0 {
        bail!("{n_failed} of {} photographs could not be looked at", args.photos.len());
    }
    Ok(())
}

fn report(name: &str, error: &anyhow::Error, json: bool) {
    if json {
        output::line(&json!({"photo": name, "error": output::chain(error)}).to_string());
    } else {
        output::complaint(&format!("{name}: {}", output::chain(error)));
    }
}

fn as_json(name: &str, prediction: &Prediction) -> Value {
    let (key, value) = match prediction {
        Prediction::Concepts(concepts) => {
            let one =
                |c: &predict::Scored| json!({"id": c.concept_id, "name": c.name, "value": c.probability});
            ("concepts", concepts.iter().map(one).collect())
        }
        Prediction::Embedding(vector) => ("embedding", json!(vector)),
        Prediction::Colors(colors) => {
            let one = |c: &ocellus_algo::color::DominantColor| json!({"hex": c.hex, "w3c_hex": c.w3c_hex, "w3c_name": c.w3c_name, "value": c.fraction});
            ("colors", colors.iter().map(one).collect())
        }
        Prediction::Focus(focus) => {
            ("focus", json!({"value": focus.sharpness, "laplacian_variance": focus.laplacian_variance}))
        }
        Prediction::Fingerprint(hash) => ("fingerprint", json!(format!("{hash:016x}"))),
        Prediction::Regions(regions) => ("regions", regions.iter().map(region_as_json).collect()),
        Prediction::Frames(frames) => {
            let one = |f: &predict::FramePrediction| {
                let mut frame = as_json(name, &f.prediction);
                frame["time_ms"] = f.time_ms.into();
                frame
            };
            ("frames", frames.iter().map(one).collect())
        }
    };
    json!({"photo": name, key: value})
}

fn region_as_json(region: &predict::RegionPrediction) -> Value {
    let one = |c: &predict::Scored| json!({"id": c.concept_id, "name": c.name, "value": c.probability});
    let of = |concepts: &[predict::Scored]| concepts.iter().map(one).collect::<Vec<_>>();
    let at = &region.bbox;
    let mut said = json!({
        "value": region.probability,
        "bounding_box": {"top_row": at.top, "left_col": at.left, "bottom_row": at.bottom, "right_col": at.right},
        "concepts": of(&region.concepts),
    });
    if let Some(appearance) = &region.appearance {
        said["age"] = json!(of(&appearance.age));
        said["gender"] = json!(of(&appearance.gender));
    }
    if let Some(embedding) = &region.embedding {
        said["embedding"] = json!(embedding);
    }
    said
}

fn as_table(name: &str, prediction: &Prediction, blank_before: bool, with_name: bool) {
    if blank_before {
        output::line("");
    }
    if with_name {
        output::line(name);
    }
    match prediction {
        Prediction::Concepts(concepts) => {
            let row =
                |c: &predict::Scored| vec![c.name.clone(), percent(c.probability), c.concept_id.clone()];
            output::table(&["concept", "probability", "id"], concepts.iter().map(row).collect());
        }
        Prediction::Embedding(vector) => {
            let head: Vec<String> = vector.iter().take(8).map(|value| format!("{value:.4}")).collect();
            let more = if vector.len() > 8 { " …" } else { "" };
            output::line(&format!("{} numbers: {}{more}  (--json prints all)", vector.len(), head.join(" ")));
        }
        Prediction::Colors(colors) => {
            let row = |c: &ocellus_algo::color::DominantColor| {
                vec![c.hex.clone(), percent(c.fraction), c.w3c_name.clone(), c.w3c_hex.clone()]
            };
            output::table(&["colour", "share", "nearest name", "of it"], colors.iter().map(row).collect());
        }
        Prediction::Focus(focus) => output::line(&format!("sharpness {:.3} of 1", focus.sharpness)),
        Prediction::Fingerprint(hash) => output::line(&format!("fingerprint {hash:016x}")),
        Prediction::Regions(regions) => {
            let names = |concepts: &[predict::Scored]| {
                let one = |c: &predict::Scored| format!("{} {}", c.name, percent(c.probability));
                concepts.iter().take(3).map(one).collect::<Vec<_>>().join(", ")
            };
            let row = |region: &predict::RegionPrediction| {
                let at = &region.bbox;
                let sides = [at.left, at.top, at.right, at.bottom].map(|side| format!("{side:.3}"));
                vec![percent(region.probability), sides.join(" "), names(&region.concepts)]
            };
            let head = ["sure", "left top right bottom, of 1", "concepts"];
            output::table(&head, regions.iter().map(row).collect());
        }
        Prediction::Frames(frames) => {
            for frame in frames {
                output::line(&format!("at {:.1} s", frame.time_ms as f64 / 1000.0));
                as_table(name, &frame.prediction, false, false);
            }
        }
    }
}

fn percent(share: f32) -> String {
    format!("{:.1} %", share * 100.0)
}
