//! Fits and measures the near-duplicate judgement on altered copies of real photographs.
//!
//! `cargo run -p ocellus-algo --example near_duplicate -- PHOTOS_DIR MODEL.onnx libonnxruntime.so`
//!
//! Photographs are split by name into a half to fit on and a half to test on. A copy and its original are a match, an
//! original or copy and another photograph are not; photographs of one scene from two places are left out and shown
//! apart. One pair in ten counts as a match in the fit, about what a search for look-alikes returns.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use image::Rgb;
use image::imageops;
use ocellus_algo::embed::cosine;
use ocellus_algo::fingerprint::{hamming, near_duplicate, perceptual_hash};
use ocellus_algo::image::{CropBox, DecodeLimits, RgbImage, crop, decode, encode_jpeg, thumbnail};
use ocellus_algo::nn::{Runtime, Session, SessionOptions};
use ocellus_algo::preprocess::{self, Channels, Filter, Layout, Resize, Spec};

type Failure = Box<dyn std::error::Error>;

/// Beginnings of the names of photographs that show one scene several times.
const SCENES: &[&str] = &[
    "aerial",
    "aloe",
    "basketball",
    "books_",
    "box",
    "chessboard_",
    "dog",
    "graffiti",
    "hand",
    "leuven",
    "motorcycle_",
    "notebook",
    "rubberwhale",
    "car_motion",
    "grass",
];

/// Weight of the matches among all pairs.
const PRIOR: f64 = 0.1;

struct Picture {
    photo: usize,
    scene: String,
    alteration: &'static str,
    hash: u64,
    embedding: Vec<f32>,
}

struct Pair {
    features: [f64; 3],
    is_match: bool,
    is_test: bool,
    alteration: &'static str,
    probability: f32,
}

fn main() -> Result<(), Failure> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(photos), Some(model), Some(library)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: near_duplicate PHOTOS_DIR MODEL.onnx libonnxruntime.so".into());
    };
    let runtime = Runtime::load(&library)?;
    let mut session = Session::open(&runtime, &model, &SessionOptions { intra_threads: 2 })?;
    let pictures = describe_all(&photos, &mut session)?;
    let (pairs, same_scene) = pair_up(&pictures);
    let weights = fit(pairs.iter().filter(|p| !p.is_test));

    let mut out = std::io::stdout().lock();
    let n_photos = pictures.iter().map(|p| p.photo).max().unwrap_or(0) + 1;
    writeln!(out, "{n_photos} photographs, {} pictures, {} pairs", pictures.len(), pairs.len())?;
    let [bias, per_bit, per_cosine] = weights;
    writeln!(out, "fitted: BIAS {bias:.3}, PER_BIT {per_bit:.4}, PER_COSINE {per_cosine:.3}")?;
    let fitted = |p: &Pair| logistic(&weights, &p.features) >= 0.5;
    report(&mut out, "fitted constants, test half", &pairs, fitted)?;
    report(&mut out, "constants in use, test half", &pairs, |p| p.probability >= 0.5)?;
    report(&mut out, "constants in use, at 0.9", &pairs, |p| p.probability >= 0.9)?;
    report(&mut out, "hash alone, distance <= 10", &pairs, |p| p.features[1] <= 10.0)?;
    report(&mut out, "cosine alone, >= 0.8", &pairs, |p| p.features[2] >= 0.8)?;
    by_alteration(&mut out, &pairs)?;
    writeln!(out, "\nthe same scene from another place (in use):")?;
    for (a, b, p) in same_scene {
        writeln!(out, "  {a} / {b}: {p:.3}")?;
    }
    Ok(())
}

fn describe_all(photos: &Path, session: &mut Session) -> Result<Vec<Picture>, Failure> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(photos)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    let mut pictures = Vec::new();
    for (photo, path) in paths.iter().enumerate() {
        let original = thumbnail(&decode(&std::fs::read(path)?, &DecodeLimits::default())?.image, 1024);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let scene = SCENES.iter().find(|s| name.starts_with(**s)).map_or(name, |s| (*s).to_owned());
        for (alteration, image) in alterations(&original)? {
            let outputs = session.run(&preprocess::apply(&spec(), &image))?;
            let feature =
                outputs.into_iter().find(|t| t.shape == [1, 1280]).ok_or("no embedding among the outputs")?;
            pictures.push(Picture {
                photo,
                scene: scene.clone(),
                alteration,
                hash: perceptual_hash(&image),
                embedding: feature.data,
            });
        }
    }
    Ok(pictures)
}

/// As the model's manifest says.
fn spec() -> Spec {
    Spec {
        width: 224,
        height: 224,
        resize: Resize::CenterCrop { resize_short: 256 },
        filter: Filter::Bicubic,
        channels: Channels::Rgb,
        layout: Layout::Nchw,
        mean: [127.0; 3],
        std: [128.0; 3],
    }
}

/// What happens to pictures on their way through the web. The first is the original.
fn alterations(image: &RgbImage) -> Result<Vec<(&'static str, RgbImage)>, Failure> {
    let (w, h) = image.dimensions();
    let cut =
        |edge: f32| crop(image, CropBox { top: edge, left: edge, bottom: 1.0 - edge, right: 1.0 - edge });
    let recompress = |quality: u8| -> Result<RgbImage, Failure> {
        Ok(decode(&encode_jpeg(image, quality)?, &DecodeLimits::default())?.image)
    };
    let each =
        |f: &dyn Fn([u8; 3]) -> [u8; 3]| RgbImage::from_fn(w, h, |x, y| Rgb(f(image.get_pixel(x, y).0)));
    let mut caption = image.clone();
    for y in h * 85 / 100..h {
        for x in 0..w {
            // Black on white bars in place of letters.
            let is_ink = (x / (w / 40).max(1)) % 3 == 0 && y > h * 88 / 100 && y < h * 97 / 100;
            caption.put_pixel(x, y, Rgb([if is_ink { 0 } else { 255 }; 3]));
        }
    }
    let mut framed = RgbImage::from_pixel(w + w / 10, h + h / 10, Rgb([255; 3]));
    imageops::replace(&mut framed, image, i64::from(w / 20), i64::from(h / 20));
    let max_side = w.max(h);
    Ok(vec![
        ("original", image.clone()),
        ("jpeg quality 20", recompress(20)?),
        ("jpeg quality 60", recompress(60)?),
        ("half size", thumbnail(image, max_side / 2)),
        ("160 pixels", thumbnail(image, 160)),
        ("brighter", each(&|p| p.map(|v| v.saturating_add(40)))),
        ("darker", each(&|p| p.map(|v| (f32::from(v) * 0.6) as u8))),
        ("less contrast", each(&|p| p.map(|v| v / 2 + 64))),
        ("grey", each(&|[r, g, b]| [((u16::from(r) + 2 * u16::from(g) + u16::from(b)) / 4) as u8; 3])),
        ("warmer", each(&|[r, g, b]| [r.saturating_add(25), g, b.saturating_sub(25)])),
        ("blurred", imageops::blur(image, max_side as f32 / 300.0)),
        ("2 % off each side", cut(0.02)?),
        ("5 % off each side", cut(0.05)?),
        ("10 % off each side", cut(0.10)?),
        ("caption", caption),
        ("white frame", framed),
        ("stretched", imageops::resize(image, w, h * 9 / 10, imageops::FilterType::Triangle)),
    ])
}

fn pair_up(pictures: &[Picture]) -> (Vec<Pair>, Vec<(String, String, f32)>) {
    let mut pairs = Vec::new();
    let mut same_scene = Vec::new();
    for (i, a) in pictures.iter().enumerate().filter(|(_, a)| a.alteration == "original") {
        for (j, b) in pictures.iter().enumerate().filter(|(j, _)| *j != i) {
            let cosine = cosine(&a.embedding, &b.embedding);
            let probability = near_duplicate(a.hash, b.hash, cosine);
            if a.photo != b.photo && a.scene == b.scene {
                if b.alteration == "original" && i < j {
                    same_scene.push((format!("{}{}", a.scene, a.photo), b.photo.to_string(), probability));
                }
                continue;
            }
            pairs.push(Pair {
                features: [1.0, f64::from(hamming(a.hash, b.hash)), f64::from(cosine)],
                is_match: a.photo == b.photo,
                // A pair belongs to the half of its original; scenes stay together.
                is_test: a.scene.bytes().map(u32::from).sum::<u32>() % 2 == 1,
                alteration: b.alteration,
                probability,
            });
        }
    }
    (pairs, same_scene)
}

/// Logistic regression by Newton's method with a little shrinkage.
fn fit<'a>(pairs: impl Iterator<Item = &'a Pair>) -> [f64; 3] {
    let pairs: Vec<&Pair> = pairs.collect();
    let n_match = pairs.iter().filter(|p| p.is_match).count() as f64;
    let n_other = pairs.len() as f64 - n_match;
    let mut weights = [0.0; 3];
    for _ in 0..100 {
        let mut gradient = weights.map(|w| w * 1e-4);
        let mut hessian = [[0.0; 3]; 3];
        for (i, row) in hessian.iter_mut().enumerate() {
            row[i] = 1e-4;
        }
        for pair in &pairs {
            let share = if pair.is_match { PRIOR / n_match } else { (1.0 - PRIOR) / n_other };
            let p = logistic(&weights, &pair.features);
            let error = p - f64::from(u8::from(pair.is_match));
            for (i, row) in hessian.iter_mut().enumerate() {
                gradient[i] += share * error * pair.features[i];
                for (h, feature) in row.iter_mut().zip(pair.features) {
                    *h += share * p * (1.0 - p) * pair.features[i] * feature;
                }
            }
        }
        let step = solve(hessian, gradient);
        for (w, s) in weights.iter_mut().zip(step) {
            *w -= s;
        }
    }
    weights
}

fn logistic(weights: &[f64; 3], features: &[f64; 3]) -> f64 {
    let logit: f64 = weights.iter().zip(features).map(|(w, f)| w * f).sum();
    1.0 / (1.0 + (-logit).exp())
}

/// Gaussian elimination of a symmetric positive system.
fn solve(mut a: [[f64; 3]; 3], mut b: [f64; 3]) -> [f64; 3] {
    for i in 0..3 {
        let pivot = a[i];
        for j in i + 1..3 {
            let factor = a[j][i] / pivot[i];
            for (x, p) in a[j].iter_mut().zip(pivot) {
                *x -= factor * p;
            }
            b[j] -= factor * b[i];
        }
    }
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|k| a[i][k] * b[k]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    b
}

fn report(
    out: &mut impl Write,
    name: &str,
    pairs: &[Pair],
    judge: impl Fn(&Pair) -> bool,
) -> std::io::Result<()> {
    let test = || pairs.iter().filter(|p| p.is_test);
    let n_match = test().filter(|p| p.is_match).count();
    let n_other = test().filter(|p| !p.is_match).count();
    let found = test().filter(|p| p.is_match && judge(p)).count();
    let wrong = test().filter(|p| !p.is_match && judge(p)).count();
    let recall = 100.0 * found as f64 / n_match as f64;
    writeln!(
        out,
        "{name}: {found} of {n_match} matches found ({recall:.1} %), {wrong} of {n_other} others taken for one"
    )
}

fn by_alteration(out: &mut impl Write, pairs: &[Pair]) -> std::io::Result<()> {
    let mut rows: BTreeMap<&str, Vec<&Pair>> = BTreeMap::new();
    for pair in pairs.iter().filter(|p| p.is_match) {
        rows.entry(pair.alteration).or_default().push(pair);
    }
    writeln!(out, "\nall matches by alteration (constants in use): mean bits, mean cosine, found at 0.5")?;
    for (alteration, pairs) in rows {
        let n = pairs.len() as f64;
        let mean = |i: usize| pairs.iter().map(|p| p.features[i]).sum::<f64>() / n;
        let found = pairs.iter().filter(|p| p.probability >= 0.5).count() as f64;
        writeln!(out, "  {alteration:20} {:5.1} {:6.3} {:6.1} %", mean(1), mean(2), 100.0 * found / n)?;
    }
    let others: Vec<&Pair> = pairs.iter().filter(|p| !p.is_match).collect();
    let n = others.len() as f64;
    let mean = |i: usize| others.iter().map(|p| p.features[i]).sum::<f64>() / n;
    writeln!(out, "  {:20} {:5.1} {:6.3}", "another photograph", mean(1), mean(2))
}
