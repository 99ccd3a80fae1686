//! Weighted k-means with k-means++ seeds (Arthur and Vassilvitskii, SODA 2007) from a fixed random sequence.

use super::Weighted;
use super::oklab::Oklab;

/// Start of the random sequence; any constant does, but it must not change.
const SEED: u64 = 0x0ce1_1a50_c010_7500;
/// Lloyd's algorithm on these few points settles in 10 to 20 rounds.
const MAX_ROUNDS: usize = 32;
/// Sum of squared movements of the centres below which the clusters are settled.
const SETTLED: f32 = 1e-7;

/// At most `k` clusters of weighted points; none of them is empty.
pub(super) fn cluster(points: &[Weighted], k: usize) -> Vec<Weighted> {
    let mut centers = seeds(points, k);
    if centers.is_empty() {
        return Vec::new();
    }
    let mut clusters = Vec::new();
    for _ in 0..MAX_ROUNDS {
        clusters = assign(points, &centers);
        let moved: f32 = clusters
            .iter()
            .zip(&centers)
            .map(|(cluster, center)| cluster.center.distance_squared(*center))
            .sum();
        centers = clusters.iter().map(|c| c.center).collect();
        if moved < SETTLED {
            break;
        }
    }
    clusters.retain(|c| c.weight > 0.0);
    clusters
}

/// The first seed is the heaviest point, each further one is drawn with a probability of weight times squared
/// distance to the seeds before.
fn seeds(points: &[Weighted], k: usize) -> Vec<Oklab> {
    let Some(first) =
        points.iter().reduce(|best, p| if p.weight > best.weight { p } else { best }).filter(|_| k > 0)
    else {
        return Vec::new();
    };
    let mut centers = vec![first.center];
    let mut distances = vec![f32::INFINITY; points.len()];
    let mut random = SplitMix64(SEED);
    while centers.len() < k {
        let newest = centers[centers.len() - 1];
        let mut total = 0.0;
        for (distance, point) in distances.iter_mut().zip(points) {
            *distance = distance.min(point.center.distance_squared(newest));
            total += f64::from(*distance * point.weight);
        }
        if total <= f64::from(f32::EPSILON) {
            break;
        }
        let mut left = random.next_unit() * total;
        let drawn = distances.iter().zip(points).find(|(distance, point)| {
            left -= f64::from(**distance * point.weight);
            left < 0.0
        });
        match drawn {
            Some((_, point)) => centers.push(point.center),
            None => break,
        }
    }
    centers
}

/// The mean of the points nearest to each centre; a centre without points stays where it is with weight 0.
fn assign(points: &[Weighted], centers: &[Oklab]) -> Vec<Weighted> {
    let mut sums = vec![[0.0f64; 4]; centers.len()];
    for point in points {
        let nearest = nearest(point.center, centers);
        let w = f64::from(point.weight);
        let sum = &mut sums[nearest];
        sum[0] += f64::from(point.center.l) * w;
        sum[1] += f64::from(point.center.a) * w;
        sum[2] += f64::from(point.center.b) * w;
        sum[3] += w;
    }
    sums.iter()
        .zip(centers)
        .map(|(&[l, a, b, w], &old)| {
            let center =
                if w > 0.0 { Oklab { l: (l / w) as f32, a: (a / w) as f32, b: (b / w) as f32 } } else { old };
            Weighted { center, weight: w as f32 }
        })
        .collect()
}

fn nearest(point: Oklab, centers: &[Oklab]) -> usize {
    let mut best = 0;
    let mut best_distance = f32::INFINITY;
    for (i, center) in centers.iter().enumerate() {
        let distance = point.distance_squared(*center);
        if distance < best_distance {
            best_distance = distance;
            best = i;
        }
    }
    best
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct SplitMix64(u64);

impl SplitMix64 {
    /// Uniform in 0..1.
    fn next_unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
