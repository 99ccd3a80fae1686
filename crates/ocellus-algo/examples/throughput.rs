//! Times every step from a file to an answer, one thread, median of several runs.
//!
//! `cargo run --release -p ocellus-algo --example throughput -- PHOTO.jpg [VECTORS DIM]`

use std::hint::black_box;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use ocellus_algo::image::{DecodeLimits, decode, encode_jpeg, thumbnail};
use ocellus_algo::index::{Ann, Flat};
use ocellus_algo::preprocess::{self, Channels, Filter, Layout, Resize, Spec};
use ocellus_algo::{color, fingerprint, focus};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args_os().skip(1);
    let photo = PathBuf::from(args.next().ok_or("usage: throughput PHOTO.jpg [VECTORS DIM]")?);
    let mut number = |default| -> Result<usize, Failure> {
        match args.next() {
            Some(arg) => Ok(arg.to_string_lossy().parse()?),
            None => Ok(default),
        }
    };
    let (n_vectors, dim) = (number(0)?, number(1280)?);
    images(&std::fs::read(photo)?)?;
    if n_vectors > 0 {
        vectors(n_vectors, dim)?;
    }
    Ok(())
}

fn images(bytes: &[u8]) -> Result<(), Failure> {
    let limits = DecodeLimits::default();
    let image = decode(bytes, &limits)?.image;
    let small = thumbnail(&image, 512);
    let spec = Spec {
        width: 224,
        height: 224,
        resize: Resize::CenterCrop { resize_short: 256 },
        filter: Filter::Bicubic,
        channels: Channels::Rgb,
        layout: Layout::Nchw,
        mean: [127.0; 3],
        std: [128.0; 3],
    };
    print(&format!("{}×{} pixels, {} bytes", image.width(), image.height(), bytes.len()))?;
    let decoded = time("decode", 15, || decode(bytes, &limits).map(|d| d.image.len()))?;
    let prepared = time("preprocess", 15, || preprocess::apply(&spec, &image))?;
    print(&format!("{:28} {:9.3} ms", "decode and preprocess", decoded + prepared))?;
    time("thumbnail to 512", 15, || thumbnail(&image, 512))?;
    time("encode the thumbnail", 15, || encode_jpeg(&small, 85))?;
    time("perceptual hash", 15, || fingerprint::perceptual_hash(&image))?;
    time("dominant colours", 15, || color::dominant(&image, 8))?;
    time("focus", 15, || focus::measure(&image))?;
    Ok(())
}

fn vectors(n: usize, dim: usize) -> Result<(), Failure> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    // Points around centres, as embeddings of similar pictures lie.
    let centers: Vec<f32> = (0..dim * 500).map(|_| next()).collect();
    let mut flat = Flat::new(dim);
    let mut point = |i: usize| -> Vec<f32> {
        let center = i * 7919 % 500 * dim;
        (0..dim).map(|j| centers[center + j] + 0.7 * next()).collect()
    };
    for i in 0..n {
        flat.push(&point(i))?;
    }
    let queries: Vec<Vec<f32>> = (0..100).map(&mut point).collect();
    print(&format!("{n} vectors of {dim}, {} MB", flat.memory_bytes() >> 20))?;
    let ms = time("exact search, k = 10", 25, || flat.search(&queries[0], 10, None))?;
    print(&format!("{:28} {:9.1} GB/s", "", (n * dim * 4) as f64 / ms / 1e6))?;
    let start = Instant::now();
    let ann = Ann::build(&flat, 1)?;
    print(&format!("{:28} {:9.1} s", "build the approximate index", start.elapsed().as_secs_f64()))?;
    let mut turn = 0;
    time("approximate search, k = 10", 100, || {
        turn += 1;
        ann.search(&queries[turn % 100], 10)
    })?;
    let mut n_found = 0;
    for query in &queries {
        let near = ann.search(query, 10)?;
        let exact = flat.search(query, 10, None)?;
        n_found += exact.iter().filter(|e| near.iter().any(|n| n.slot == e.slot)).count();
    }
    print(&format!("{:28} {:9.3}", "recall at 10", n_found as f64 / 1000.0))?;
    print(&format!("{:28} {:9} MB", "approximate index", ann.memory_bytes() >> 20))
}

fn time<T>(name: &str, n_runs: usize, mut run: impl FnMut() -> T) -> Result<f64, Failure> {
    let mut times: Vec<f64> = (0..n_runs)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[n_runs / 2];
    print(&format!("{name:28} {median:9.3} ms"))?;
    Ok(median)
}

fn print(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
