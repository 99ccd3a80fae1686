//! What a network saw in a box: the mean of its feature maps over the cells of a grid laid over the box.
//!
//! Means over any box come from sums over all boxes that begin at the corner (Viola and Jones's integral image), with
//! edges between pixels interpolated, so that a box costs the same whatever its size.

use crate::embed::l2_normalize;
use crate::error::{Error, Result};

/// Into how many cells a box is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// From top to bottom.
    pub rows: usize,
    /// From left to right.
    pub columns: usize,
}

/// Feature maps of one image, ready for sums.
#[derive(Clone, Debug)]
pub struct FeatureMap {
    channels: usize,
    height: usize,
    width: usize,
    /// Place by place, one more in each direction than the maps have, all channels of a place together.
    sums: Vec<f64>,
}

impl FeatureMap {
    /// Maps from a network's output `[1, channels, height, width]`.
    ///
    /// # Errors
    /// `BadInput` if the shape is another one.
    pub fn new(shape: &[usize], values: &[f32]) -> Result<Self> {
        let &[1, channels, height, width] = shape else {
            return Err(Error::BadInput(format!("feature maps of shape {shape:?} cannot be read")));
        };
        if channels * height * width != values.len() || values.is_empty() {
            return Err(Error::BadInput(format!("{} numbers are no maps of {shape:?}", values.len())));
        }
        let at = |y: usize, x: usize| (y * (width + 1) + x) * channels;
        let mut sums = vec![0.0; (height + 1) * (width + 1) * channels];
        for (channel, map) in values.chunks_exact(height * width).enumerate() {
            for (y, line) in map.chunks_exact(width).enumerate() {
                let mut along = 0.0;
                for (x, value) in line.iter().enumerate() {
                    along += f64::from(*value);
                    sums[at(y + 1, x + 1) + channel] = sums[at(y, x + 1) + channel] + along;
                }
            }
        }
        Ok(Self { channels, height, width, sums })
    }

    /// How many numbers a box is described by.
    pub fn dim(&self, cells: Cells) -> usize {
        self.channels * cells.rows * cells.columns
    }

    /// Describes a box by the mean of each map in each cell, scaled to length 1 and added to `out`.
    pub fn describe(&self, sides: [f32; 4], cells: Cells, out: &mut Vec<f32>) {
        let from = out.len();
        let [top, left, bottom, right] = sides.map(f64::from);
        let edge = |from: f64, to: f64, n: usize, of: usize| from + (to - from) * n as f64 / of as f64;
        for row in 0..cells.rows {
            for column in 0..cells.columns {
                self.mean(
                    [
                        edge(top, bottom, row, cells.rows),
                        edge(left, right, column, cells.columns),
                        edge(top, bottom, row + 1, cells.rows),
                        edge(left, right, column + 1, cells.columns),
                    ],
                    out,
                );
            }
        }
        l2_normalize(&mut out[from..]);
    }

    fn mean(&self, [top, left, bottom, right]: [f64; 4], out: &mut Vec<f32>) {
        let (height, width) = (self.height as f64, self.width as f64);
        let area = ((bottom - top) * height * (right - left) * width).max(1e-9);
        let (rows, columns) = ([top * height, bottom * height], [left * width, right * width]);
        let mut sums = vec![0.0; self.channels];
        for (sign, y, x) in [
            (1.0, rows[1], columns[1]),
            (-1.0, rows[0], columns[1]),
            (-1.0, rows[1], columns[0]),
            (1.0, rows[0], columns[0]),
        ] {
            self.add_corner(sign, y, x, &mut sums);
        }
        out.extend(sums.iter().map(|sum| (sum / area) as f32));
    }

    /// Adds the sums over what lies above and left of a point, between four known ones.
    fn add_corner(&self, sign: f64, y: f64, x: f64, sums: &mut [f64]) {
        let (y, x) = (y.clamp(0.0, self.height as f64), x.clamp(0.0, self.width as f64));
        let (row, column) = ((y as usize).min(self.height - 1), (x as usize).min(self.width - 1));
        let (down, along) = (y - row as f64, x - column as f64);
        for (weight, row, column) in [
            ((1.0 - down) * (1.0 - along), row, column),
            (down * (1.0 - along), row + 1, column),
            ((1.0 - down) * along, row, column + 1),
            (down * along, row + 1, column + 1),
        ] {
            let at = (row * (self.width + 1) + column) * self.channels;
            let place = &self.sums[at..at + self.channels];
            sums.iter_mut().zip(place).for_each(|(sum, value)| *sum += sign * weight * value);
        }
    }
}
