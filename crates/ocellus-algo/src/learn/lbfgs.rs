//! Minimising a smooth convex function of many numbers from its slopes.
//!
//! Limited-memory BFGS: Nocedal, "Updating quasi-Newton matrices with limited storage", Mathematics of Computation
//! 35(151), 1980. Each step is one look at the function and O(memory x numbers).

use crate::error::{Error, Result};

/// Steps that are remembered.
const MEMORY: usize = 12;
/// The share of the promised descent that must come true.
const ARMIJO: f64 = 1e-4;
/// Shorter and shorter steps after which nothing is to be gained in the precision there is.
const MAX_SHORTER: usize = 8;
/// Share of the value that rounding makes up; rows are multiplied in single precision.
const NOISE: f64 = 1e-7;
/// Steps in turn that lower the value by less than rounding does, after which it is done.
const MAX_IDLE: usize = 3;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub max_iterations: usize,
    /// Length of the slope at which it is done.
    pub slope: f64,
}

/// A step and the change of slope it made.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
    /// 1 / (moved · turned)
    inverse: f64,
}

/// Moves `at` to the minimum. `function` writes the slope and returns the value; `is_stopped` is asked before each step.
/// Fails only if stopped; a function that cannot be lowered further in double precision is done.
pub(super) fn minimise(
    at: &mut Vec<f64>,
    limits: Limits,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
    is_stopped: impl Fn() -> bool,
) -> Result<()> {
    let mut slope = vec![0.0; at.len()];
    let mut value = function(at, &mut slope);
    let mut steps: std::collections::VecDeque<Step> = std::collections::VecDeque::new();
    let mut n_idle = 0;
    for _ in 0..limits.max_iterations {
        if is_stopped() {
            return Err(Error::Cancelled);
        }
        if dot(&slope, &slope).sqrt() <= limits.slope || n_idle == MAX_IDLE {
            break;
        }
        let direction = direction(&slope, &steps);
        let promised = dot(&slope, &direction);
        let (mut length, mut found) = (1.0, None);
        for _ in 0..MAX_SHORTER {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let mut next_slope = vec![0.0; at.len()];
            let next_value = function(&next, &mut next_slope);
            if next_value <= value + ARMIJO * length * promised + NOISE * value.abs() {
                found = Some((next, next_slope, next_value));
                break;
            }
            // The lowest point of the parabola through both values and the slope here.
            let bent = next_value - value - length * promised;
            let lowest = -promised * length * length / (2.0 * bent);
            length = if lowest.is_finite() { lowest.clamp(0.1 * length, 0.5 * length) } else { 0.1 * length };
        }
        let Some((next, next_slope, next_value)) = found else { break };
        n_idle = if value - next_value < NOISE * value.abs() { n_idle + 1 } else { 0 };
        let moved: Vec<f64> = next.iter().zip(&*at).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = next_slope.iter().zip(&slope).map(|(a, b)| a - b).collect();
        let along = dot(&moved, &turned);
        if along > 1e-12 * dot(&turned, &turned) {
            if steps.len() == MEMORY {
                steps.pop_front();
            }
            steps.push_back(Step { moved, turned, inverse: 1.0 / along });
        }
        (*at, slope, value) = (next, next_slope, next_value);
    }
    Ok(())
}

/// Downhill, bent by what the last steps told of the curvature.
fn direction(slope: &[f64], steps: &std::collections::VecDeque<Step>) -> Vec<f64> {
    let mut direction: Vec<f64> = slope.iter().map(|x| -x).collect();
    let mut shares = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let share = step.inverse * dot(&step.moved, &direction);
        add(&mut direction, -share, &step.turned);
        shares.push(share);
    }
    // Before anything is known of the curvature: what a logistic loss of rows of length 1 has at most.
    let width = steps.back().map_or(4.0, |last| 1.0 / (last.inverse * dot(&last.turned, &last.turned)));
    direction.iter_mut().for_each(|x| *x *= width);
    for (step, share) in steps.iter().zip(shares.iter().rev()) {
        let back = step.inverse * dot(&step.turned, &direction);
        add(&mut direction, share - back, &step.moved);
    }
    direction
}

/// In four lanes, which the compiler turns into vectors.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_whole, a_rest) = a.as_chunks::<4>();
    let (b_whole, b_rest) = b.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for (a, b) in a_whole.iter().zip(b_whole) {
        (0..4).for_each(|i| lanes[i] += a[i] * b[i]);
    }
    lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, x)| *to += factor * x);
}
