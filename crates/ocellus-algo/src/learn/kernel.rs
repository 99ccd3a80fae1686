//! Products of a matrix of rows with a few vectors, which is where training spends its time.
//!
//! Sums run in fixed lanes and without fused multiply-add, so that every processor gives the same bits; where there is
//! AVX2 the same code is compiled for it.

/// Numbers that are summed side by side.
const LANES: usize = 8;
/// Rows that stay in the cache while all vectors pass.
const TILE: usize = 32;
/// Rows that are summed in single precision before they are added in double.
const CHUNK: usize = 128;

/// `out[i * k + c]` is the product of row i and vector c; `vectors` has k of them, each of `dim` numbers.
pub(super) fn products(rows: &[f32], vectors: &[f32], dim: usize, out: &mut [f32]) {
    let (n, k) = (rows.len() / dim.max(1), vectors.len() / dim.max(1));
    assert!(rows.len() == n * dim && vectors.len() == k * dim && out.len() == n * k);
    if n == 0 || k == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "AVX2 needs a run-time check the compiler cannot see")]
        // SAFETY: the feature was checked one line above.
        unsafe {
            products_avx2(rows, vectors, dim, out);
        }
        return;
    }
    products_of::<Plain>(rows, vectors, dim, out);
}

/// Adds to `sums`, k vectors of `dim` numbers, every row times its k coefficients.
pub(super) fn add_multiples(rows: &[f32], coefficients: &[f32], dim: usize, sums: &mut [f64]) {
    let (n, k) = (rows.len() / dim.max(1), sums.len() / dim.max(1));
    assert!(rows.len() == n * dim && sums.len() == k * dim && coefficients.len() == n * k);
    if n == 0 || k == 0 {
        return;
    }
    let mut partial = vec![0.0f32; k * dim];
    for (rows, coefficients) in rows.chunks(CHUNK * dim).zip(coefficients.chunks(CHUNK * k)) {
        partial.fill(0.0);
        add_chunk(rows, coefficients, dim, &mut partial);
        for (sum, part) in sums.iter_mut().zip(&partial) {
            *sum += f64::from(*part);
        }
    }
}

fn add_chunk(rows: &[f32], coefficients: &[f32], dim: usize, sums: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "AVX2 needs a run-time check the compiler cannot see")]
        // SAFETY: the feature was checked one line above.
        unsafe {
            add_avx2(rows, coefficients, dim, sums);
        }
        return;
    }
    add_of(rows, coefficients, dim, sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn products_avx2(rows: &[f32], vectors: &[f32], dim: usize, out: &mut [f32]) {
    products_of::<Avx2>(rows, vectors, dim, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_avx2(rows: &[f32], coefficients: &[f32], dim: usize, sums: &mut [f32]) {
    add_of(rows, coefficients, dim, sums);
}

/// Numbers that are summed side by side, in whatever the processor has for that.
trait Lanes: Copy {
    fn zero() -> Self;
    fn load(numbers: &[f32; LANES]) -> Self;
    /// `self` + x * y, rounded twice.
    fn add_product(self, x: Self, y: Self) -> Self;
    fn store(self) -> [f32; LANES];
}

/// Any processor.
#[derive(Clone, Copy)]
struct Plain([f32; LANES]);

impl Lanes for Plain {
    fn zero() -> Plain {
        Plain([0.0; LANES])
    }

    fn load(numbers: &[f32; LANES]) -> Plain {
        Plain(*numbers)
    }

    fn add_product(self, x: Plain, y: Plain) -> Plain {
        Plain(std::array::from_fn(|lane| self.0[lane] + x.0[lane] * y.0[lane]))
    }

    fn store(self) -> [f32; LANES] {
        self.0
    }
}

/// Made by functions that were compiled for AVX2 only, which run where it was found only.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(std::arch::x86_64::__m256);

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the compiler cannot see that AVX2 was found")]
impl Lanes for Avx2 {
    #[inline(always)]
    fn zero() -> Avx2 {
        // SAFETY: `products_avx2` is the only user, and runs only where AVX2 was found.
        Avx2(unsafe { std::arch::x86_64::_mm256_setzero_ps() })
    }

    #[inline(always)]
    fn load(numbers: &[f32; LANES]) -> Avx2 {
        // SAFETY: as above; the array has the 8 numbers that are loaded.
        Avx2(unsafe { std::arch::x86_64::_mm256_loadu_ps(numbers.as_ptr()) })
    }

    #[inline(always)]
    fn add_product(self, x: Avx2, y: Avx2) -> Avx2 {
        // SAFETY: as above.
        Avx2(unsafe { std::arch::x86_64::_mm256_add_ps(self.0, std::arch::x86_64::_mm256_mul_ps(x.0, y.0)) })
    }

    #[inline(always)]
    fn store(self) -> [f32; LANES] {
        let mut numbers = [0.0; LANES];
        // SAFETY: as above; the array has room for the 8 numbers that are stored.
        unsafe { std::arch::x86_64::_mm256_storeu_ps(numbers.as_mut_ptr(), self.0) };
        numbers
    }
}

#[inline(always)]
fn products_of<L: Lanes>(rows: &[f32], vectors: &[f32], dim: usize, out: &mut [f32]) {
    let k = vectors.len() / dim;
    for (rows, out) in rows.chunks(TILE * dim).zip(out.chunks_mut(TILE * k)) {
        let mut at = 0;
        let mut quads = vectors.chunks_exact(4 * dim);
        for quad in &mut quads {
            columns::<L, 4>(rows, std::array::from_fn(|c| &quad[c * dim..][..dim]), &mut out[at..], k);
            at += 4;
        }
        for vector in quads.remainder().chunks_exact(dim) {
            columns::<L, 1>(rows, [vector], &mut out[at..], k);
            at += 1;
        }
    }
}

/// The products of all rows with `C` vectors, two rows at a time; `stride` numbers lie between those of two rows.
#[inline(always)]
fn columns<L: Lanes, const C: usize>(rows: &[f32], vectors: [&[f32]; C], out: &mut [f32], stride: usize) {
    let dim = vectors[0].len();
    let mut at = 0;
    let mut pairs = rows.chunks_exact(2 * dim);
    for pair in &mut pairs {
        let (first, second) = pair.split_at(dim);
        for sums in block::<L, 2, C>([first, second], vectors) {
            out[at..at + C].copy_from_slice(&sums);
            at += stride;
        }
    }
    for row in pairs.remainder().chunks_exact(dim) {
        let [sums] = block::<L, 1, C>([row], vectors);
        out[at..at + C].copy_from_slice(&sums);
    }
}

#[inline(always)]
fn block<L: Lanes, const R: usize, const C: usize>(rows: [&[f32]; R], vectors: [&[f32]; C]) -> [[f32; C]; R] {
    let mut lanes = [[L::zero(); C]; R];
    let rows_in = rows.map(|row| row.as_chunks::<LANES>());
    let vectors_in = vectors.map(|vector| vector.as_chunks::<LANES>());
    let steps = rows_in[0].0.len();
    let rows_whole = rows_in.map(|(whole, _)| &whole[..steps]);
    let vectors_whole = vectors_in.map(|(whole, _)| &whole[..steps]);
    for step in 0..steps {
        let y: [L; C] = std::array::from_fn(|c| L::load(&vectors_whole[c][step]));
        for r in 0..R {
            let x = L::load(&rows_whole[r][step]);
            for c in 0..C {
                lanes[r][c] = lanes[r][c].add_product(x, y[c]);
            }
        }
    }
    let mut sums = [[0.0f32; C]; R];
    for r in 0..R {
        for c in 0..C {
            let rest = rows_in[r].1.iter().zip(vectors_in[c].1).map(|(x, y)| x * y);
            sums[r][c] = lanes[r][c].store().iter().sum::<f32>() + rest.sum::<f32>();
        }
    }
    sums
}

/// Eight rows at a time, so that each sum is read and written once for eight products.
#[inline(always)]
fn add_of(rows: &[f32], coefficients: &[f32], dim: usize, sums: &mut [f32]) {
    let k = sums.len() / dim;
    let mut eights = rows.chunks_exact(8 * dim);
    let mut coefficients_left = coefficients;
    for eight in &mut eights {
        let (now, later) = coefficients_left.split_at(8 * k);
        coefficients_left = later;
        let x: [&[f32]; 8] = std::array::from_fn(|i| &eight[i * dim..][..dim]);
        for (c, sum) in sums.chunks_exact_mut(dim).enumerate() {
            let f: [f32; 8] = std::array::from_fn(|i| now[i * k + c]);
            if f == [0.0; 8] {
                continue;
            }
            for j in 0..dim {
                let low = (f[0] * x[0][j] + f[1] * x[1][j]) + (f[2] * x[2][j] + f[3] * x[3][j]);
                let high = (f[4] * x[4][j] + f[5] * x[5][j]) + (f[6] * x[6][j] + f[7] * x[7][j]);
                sum[j] += low + high;
            }
        }
    }
    for (row, now) in eights.remainder().chunks_exact(dim).zip(coefficients_left.chunks_exact(k)) {
        for (sum, f) in sums.chunks_exact_mut(dim).zip(now) {
            for (sum, x) in sum.iter_mut().zip(row) {
                *sum += f * x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, step: usize) -> Vec<f32> {
        (0..n).map(|at| (at * step % 23) as f32 / 7.0 - 1.5).collect()
    }

    #[test]
    fn products_and_sums_are_right_for_every_shape_and_the_same_on_every_processor() {
        for (n, k, dim) in [(1, 1, 1), (3, 2, 7), (33, 5, 8), (8, 4, 19), (130, 9, 40), (0, 3, 4), (4, 0, 4)]
        {
            let (rows, vectors) = (numbers(n * dim, 5), numbers(k * dim, 3));
            let mut out = vec![0.0; n * k];
            products(&rows, &vectors, dim, &mut out);
            let mut plain = out.clone();
            if n * k > 0 {
                products_of::<Plain>(&rows, &vectors, dim, &mut plain);
            }
            assert_eq!(out, plain);
            let coefficients = numbers(n * k, 11);
            let mut sums = vec![1.0; k * dim];
            add_multiples(&rows, &coefficients, dim, &mut sums);
            for c in 0..k {
                for i in 0..n {
                    let exact: f64 = (0..dim)
                        .map(|j| f64::from(rows[i * dim + j]) * f64::from(vectors[c * dim + j]))
                        .sum();
                    // Single precision, a few dozen terms of at most 4.
                    assert!((f64::from(out[i * k + c]) - exact).abs() < 1e-4, "{n} {k} {dim}");
                }
                for j in 0..dim {
                    let exact: f64 = (0..n)
                        .map(|i| f64::from(rows[i * dim + j]) * f64::from(coefficients[i * k + c]))
                        .sum();
                    assert!((sums[c * dim + j] - 1.0 - exact).abs() < 1e-3, "{n} {k} {dim}");
                }
            }
        }
    }
}
