//! Sums of outer products: the gradient of a narrow matrix over all rows of a batch.

use crate::model::kernels::{
    self,
    dense::Columns,
    lanes::Lanes,
    parallel::{self, Shared},
    per_isa,
};
use std::ops::Range;

/// Columns of the wide side that a thread takes at a time.
const GRAIN: usize = 96;
/// Rows of the batch that are summed before the next columns: what they touch stays in the caches.
const BLOCK: usize = 256;
/// How many rows ahead values are asked for: the hardware does not foresee strides of this length.
const AHEAD: usize = 12;

/// `out[i][c] = sum over m of narrow[m][i] wide[m][c]`: `[n, columns]` from `n` columns of `narrow` and `columns` of
/// `wide`. Each output is one chain of fused multiply-adds in the order of the rows.
pub(super) fn outer(narrow: Columns<'_>, n: usize, wide: Columns<'_>, columns: usize) -> Vec<f32> {
    assert_eq!(narrow.rows(), wide.rows());
    assert!(narrow.start + n <= narrow.width && wide.start + columns <= wide.width);
    let mut out = vec![0f32; n * columns];
    let shared = Shared::new(&mut out);
    parallel::for_each_range(columns, GRAIN, |range| {
        task(kernels::isa(), narrow, n, wide, columns, range, &shared);
    });
    out
}

#[inline(always)]
fn body<L: Lanes>(
    narrow: Columns<'_>,
    n: usize,
    wide: Columns<'_>,
    columns: usize,
    range: Range<usize>,
    out: &Shared<'_>,
) {
    for first in (0..narrow.rows()).step_by(BLOCK) {
        let rows = first..(first + BLOCK).min(narrow.rows());
        let mut c = range.start;
        while c < range.end {
            let width = if L::SUMS >= 16 && range.end - c >= 32 { 32 } else { (range.end - c).min(16) };
            let mut i = 0;
            while i < n {
                let at = Strip { rows: rows.clone(), i, c, width, columns };
                i += match (n - i, width) {
                    (4.., 16) if L::SUMS < 16 => strip::<L, 4, 1>(narrow, wide, &at, out),
                    (8.., 32) => strip::<L, 8, 2>(narrow, wide, &at, out),
                    (8.., 16) => strip::<L, 8, 1>(narrow, wide, &at, out),
                    (_, 32) => strip::<L, 1, 2>(narrow, wide, &at, out),
                    (_, 16) => strip::<L, 1, 1>(narrow, wide, &at, out),
                    _ => edge(narrow, wide, &at, out),
                };
            }
            c += width;
        }
    }
}
per_isa!(fn task(narrow: Columns<'_>, n: usize, wide: Columns<'_>, columns: usize, range: Range<usize>, out: &Shared<'_>) = body);

struct Strip {
    rows: Range<usize>,
    i: usize,
    c: usize,
    width: usize,
    columns: usize,
}

/// Adds `at.rows` to the outputs of `R` narrow columns and `P` times 16 wide ones; returns `R`.
#[inline(always)]
fn strip<L: Lanes, const R: usize, const P: usize>(
    narrow: Columns<'_>,
    wide: Columns<'_>,
    at: &Strip,
    out: &Shared<'_>,
) -> usize {
    // SAFETY: a range of columns belongs to one task.
    let place = |r: usize| unsafe {
        let start = (at.i + r) * at.columns + at.c;
        out.part(start..start + P * 16).as_chunks_mut::<16>().0
    };
    let mut acc: [[L; P]; R] = std::array::from_fn(|r| std::array::from_fn(|p| L::load(&place(r)[p])));
    for m in at.rows.clone() {
        let row = wide.values[m * wide.width + wide.start + at.c..][..P * 16].as_chunks::<16>().0;
        L::prefetch(row.as_ptr().wrapping_byte_add(AHEAD * wide.width * size_of::<f32>()));
        let narrow = &narrow.values[m * narrow.width + narrow.start + at.i..][..R];
        let w: [L; P] = std::array::from_fn(|p| L::load(&row[p]));
        for r in 0..R {
            let x = L::splat(narrow[r]);
            for p in 0..P {
                acc[r][p] = w[p].fma(x, acc[r][p]);
            }
        }
    }
    for (r, acc) in acc.iter().enumerate() {
        for (acc, to) in acc.iter().zip(place(r)) {
            acc.store(to);
        }
    }
    R
}

/// As [`strip`], of one narrow column and the last few wide ones.
fn edge(narrow: Columns<'_>, wide: Columns<'_>, at: &Strip, out: &Shared<'_>) -> usize {
    let start = at.i * at.columns + at.c;
    // SAFETY: a range of columns belongs to one task.
    let out = unsafe { out.part(start..start + at.width) };
    for m in at.rows.clone() {
        let x = narrow.values[m * narrow.width + narrow.start + at.i];
        let row = &wide.values[m * wide.width + wide.start + at.c..][..at.width];
        out.iter_mut().zip(row).for_each(|(out, w)| *out = w.mul_add(x, *out));
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::tests::noise;

    #[test]
    fn the_sum_is_right_at_ragged_edges() {
        for (m, n, columns, lead) in [(1, 1, 1, 0), (300, 8, 70, 3), (5, 17, 32, 1), (257, 3, 100, 0)] {
            let (narrow, wide) = (noise(1, m * (n + lead)), noise(2, m * (columns + lead)));
            let narrow = Columns { values: &narrow, width: n + lead, start: lead };
            let wide = Columns { values: &wide, width: columns + lead, start: lead };
            let out = outer(narrow, n, wide, columns);
            for i in 0..n {
                for c in 0..columns {
                    let exact: f64 = (0..m)
                        .map(|m| {
                            let x = narrow.values[m * narrow.width + lead + i];
                            f64::from(x) * f64::from(wide.values[m * wide.width + lead + c])
                        })
                        .sum();
                    let got = f64::from(out[i * columns + c]);
                    assert!((got - exact).abs() < 1e-4, "{got} {exact} at {i}, {c}");
                }
            }
        }
    }
}
