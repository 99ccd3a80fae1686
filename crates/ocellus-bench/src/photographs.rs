//! The benchmark's photographs: at least 300 JPEG files on disk, made from the installed test photographs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ocellus_algo::image::{CropBox, DecodeLimits, crop, decode, encode_jpeg};

/// Windows cut from each test photograph; the first is the whole picture.
const WINDOWS: [[f32; 4]; 6] = [
    [0.0, 0.0, 1.0, 1.0],
    [0.0, 0.0, 0.9, 0.9],
    [0.1, 0.1, 1.0, 1.0],
    [0.05, 0.0, 0.95, 0.9],
    [0.0, 0.1, 0.9, 1.0],
    [0.05, 0.05, 0.95, 0.95],
];

/// Smallest side worth benchmarking, in pixels: thumbnails would flatter whoever has the least overhead.
const MIN_SIDE: u32 = 400;

/// Writes `wanted` distinct photographs of ordinary size into `folder` and returns their paths.
pub fn prepare(installed: &Path, folder: &Path, wanted: usize) -> Result<Vec<PathBuf>> {
    let mut sources: Vec<PathBuf> = std::fs::read_dir(installed)
        .with_context(|| format!("no test photographs in {}: run `make setup-test`", installed.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    sources.sort();
    let mut paths = Vec::new();
    for (round, window) in WINDOWS.iter().enumerate() {
        for source in &sources {
            let Ok(photograph) = decode(&std::fs::read(source)?, &DecodeLimits::default()) else { continue };
            if photograph.image.width().min(photograph.image.height()) < MIN_SIDE {
                continue;
            }
            let [top, left, bottom, right] = *window;
            let cut = crop(&photograph.image, CropBox { top, left, bottom, right })?;
            let stem = source.file_stem().unwrap_or_default().to_string_lossy();
            let path = folder.join(format!("{round}-{stem}.jpg"));
            std::fs::write(&path, encode_jpeg(&cut, 90)?)?;
            paths.push(path);
            if paths.len() == wanted {
                return Ok(paths);
            }
        }
    }
    ensure!(!paths.is_empty(), "no photograph in {} is {MIN_SIDE} pixels or more", installed.display());
    ensure!(paths.len() >= wanted, "only {} photographs could be made", paths.len());
    Ok(paths)
}
