//! Dot products of one query with many rows, as fast as memory delivers them.

/// Rows and queries are padded with zeros to a multiple of this many numbers, so that no kernel has a tail.
pub(crate) const LANES: usize = 32;

/// The instructions this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever the compiler makes of plain Rust.
    Scalar,
}

impl Kernel {
    pub fn detect() -> Kernel {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Kernel::Avx2;
        }
        Kernel::Scalar
    }

    /// Dot products of `query` with each row of `rows`; `query.len()` is the row length, a multiple of `LANES`.
    pub fn dot_rows(self, query: &[f32], rows: &[f32], out: &mut [f32]) {
        assert!(query.len().is_multiple_of(LANES) && rows.len() == query.len() * out.len());
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => {
                #[expect(unsafe_code, reason = "AVX2 needs a run-time check the compiler cannot see")]
                // SAFETY: `detect` is the only source of this variant outside tests and checked the features; the
                // tests use it only after `detect` returned it.
                unsafe {
                    dot_rows_avx2(query, rows, out);
                }
            }
            Kernel::Scalar => {
                for (out, row) in out.iter_mut().zip(rows.chunks_exact(query.len().max(1))) {
                    *out = dot_scalar(query, row);
                }
            }
        }
    }
}

/// Sums in `LANES` separate lanes, which the compiler turns into whatever vectors the target has.
pub(super) fn dot_scalar(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn dot_rows_avx2(query: &[f32], rows: &[f32], out: &mut [f32]) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(query.len().max(1))) {
        *out = dot_avx2(query, row);
    }
}

/// Four independent sums hide the latency of the multiply-add.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline]
pub(super) fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    use std::arch::x86_64::{
        _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_movehl_ps, _mm_shuffle_ps, _mm256_add_ps,
        _mm256_castps256_ps128, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps,
    };
    let mut sums = [_mm256_setzero_ps(); 4];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for (i, sum) in sums.iter_mut().enumerate() {
            #[expect(unsafe_code, reason = "vector loads take raw pointers")]
            // SAFETY: a and b are arrays of 32 numbers and i is 0..4, so both loads of 8 numbers stay inside.
            let (x, y) =
                unsafe { (_mm256_loadu_ps(a.as_ptr().add(i * 8)), _mm256_loadu_ps(b.as_ptr().add(i * 8))) };
            *sum = _mm256_fmadd_ps(x, y, *sum);
        }
    }
    let sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    let sum = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
    let sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    _mm_cvtss_f32(_mm_add_ss(sum, _mm_shuffle_ps::<1>(sum, sum)))
}
