//! What the server adds to one request of one caller, above the same pixels through the same model in process.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use ocellus_algo::image::{DecodeLimits, RgbImage, decode, encode_jpeg, thumbnail};
use ocellus_algo::nn::Session;
use ocellus_algo::preprocess::{self, Spec};

use crate::report::{median, quantile};
use crate::server::Server;
use crate::throughput::body;

const GENERAL: &str = "aaa03c23b3724a16a56b629203edc62c";
const ROUNDS: usize = 300;

/// The model opened in this process, as the server opens it.
pub struct Bare {
    pub session: Session,
    pub spec: Spec,
}

struct Times {
    model_ms: Vec<f64>,
    pipeline_ms: Vec<f64>,
    request_ms: Vec<f64>,
}

/// Alternates in-process runs and requests over `paths`, once as they are and once as small pictures.
pub async fn run(server: &Server, bare: &mut Bare, paths: &[PathBuf]) -> Result<String> {
    let mut photographs = Vec::new();
    let mut small = Vec::new();
    for path in paths {
        let bytes = std::fs::read(path)?;
        let image = decode(&bytes, &DecodeLimits::default())?.image;
        small.push(encode_jpeg(&thumbnail(&image, 256), 90)?);
        photographs.push(bytes);
    }
    let mut table = String::from(
        "One caller, one image a request, kept-alive connection, REST with base64. `model`: the network alone; \
         `pipeline`: decode, resize, network in this process; `request`: the whole request as the caller sees it.\n\n\
         | images | model ms | pipeline ms | request ms | added above pipeline ms (median) | added above model ms (median) | request p99 ms |\n\
         | --- | --: | --: | --: | --: | --: | --: |\n",
    );
    for (name, set) in [("256-pixel JPEG", &small), ("photographs", &photographs)] {
        let mut times = measure(server, bare, set).await?;
        let mut above_pipeline: Vec<f64> =
            times.request_ms.iter().zip(&times.pipeline_ms).map(|(a, b)| a - b).collect();
        let mut above_model: Vec<f64> =
            times.request_ms.iter().zip(&times.model_ms).map(|(a, b)| a - b).collect();
        table += &format!(
            "| {name} | {:.2} | {:.2} | {:.2} | **{:.2}** | {:.2} | {:.2} |\n",
            median(&mut times.model_ms),
            median(&mut times.pipeline_ms),
            median(&mut times.request_ms),
            median(&mut above_pipeline),
            median(&mut above_model),
            quantile(&mut times.request_ms, 0.99),
        );
    }
    Ok(table + "\nAim: under 2 ms at the median.\n")
}

async fn measure(server: &Server, bare: &mut Bare, images: &[Vec<u8>]) -> Result<Times> {
    let client = reqwest::Client::new();
    let url = format!("{}/v2/models/{GENERAL}/outputs", server.url);
    let key = format!("Key {}", server.api_key);
    let mut times = Times { model_ms: vec![], pipeline_ms: vec![], request_ms: vec![] };
    for round in 0..ROUNDS + 10 {
        let bytes = &images[round % images.len()];
        let begun = Instant::now();
        let image: RgbImage = decode(bytes, &DecodeLimits::default())?.image;
        let tensor = preprocess::apply(&bare.spec, &image);
        let prepared = Instant::now();
        bare.session.run(&tensor)?;
        let ended = Instant::now();
        let text = body(bytes);
        let asked = Instant::now();
        let answer = client.post(&url).header("authorization", &key).body(text).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        let answered = asked.elapsed();
        ensure!(status == 200, "the server answered {status}");
        if round >= 10 {
            times.model_ms.push((ended - prepared).as_secs_f64() * 1e3);
            times.pipeline_ms.push((ended - begun).as_secs_f64() * 1e3);
            times.request_ms.push(answered.as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}
