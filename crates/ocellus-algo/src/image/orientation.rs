//! Turns stored pixels upright as the EXIF orientation says.

use super::RgbImage;

/// Side of the square blocks in which rows and columns are exchanged, so that both sides stay in the cache.
const BLOCK: usize = 32;

/// Applies EXIF orientation 1..=8 (TIFF 6.0, tag 274); any other value leaves the image alone.
pub(super) fn apply(image: RgbImage, orientation: u16) -> RgbImage {
    match orientation {
        2 => flip_rows(image),
        3 => rotate_half(image),
        4 => flip_rows(rotate_half(image)),
        5 => transpose(&image, Turn { mirror_x: false, mirror_y: false }),
        6 => transpose(&image, Turn { mirror_x: true, mirror_y: false }),
        7 => transpose(&image, Turn { mirror_x: true, mirror_y: true }),
        8 => transpose(&image, Turn { mirror_x: false, mirror_y: true }),
        _ => image,
    }
}

fn flip_rows(mut image: RgbImage) -> RgbImage {
    let row_len = image.width() as usize * 3;
    if row_len > 0 {
        for row in image.chunks_exact_mut(row_len) {
            reverse_pixels(row);
        }
    }
    image
}

fn rotate_half(mut image: RgbImage) -> RgbImage {
    reverse_pixels(&mut image);
    image
}

fn reverse_pixels(bytes: &mut [u8]) {
    bytes.as_chunks_mut::<3>().0.reverse();
}

/// What to do with the destination's axes after exchanging rows and columns.
#[derive(Clone, Copy)]
struct Turn {
    mirror_x: bool,
    mirror_y: bool,
}

fn transpose(image: &RgbImage, turn: Turn) -> RgbImage {
    let (w, h) = (image.width() as usize, image.height() as usize);
    let mut out = RgbImage::new(image.height(), image.width());
    let (src, _) = image.as_raw().as_chunks::<3>();
    let (dst, _) = out.as_chunks_mut::<3>();
    for block_y in (0..h).step_by(BLOCK) {
        for block_x in (0..w).step_by(BLOCK) {
            for y in block_y..(block_y + BLOCK).min(h) {
                let dst_x = if turn.mirror_x { h - 1 - y } else { y };
                for x in block_x..(block_x + BLOCK).min(w) {
                    let dst_y = if turn.mirror_y { w - 1 - x } else { x };
                    dst[dst_y * h + dst_x] = src[y * w + x];
                }
            }
        }
    }
    out
}
