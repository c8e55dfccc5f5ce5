//! Causal attention of a few queries over one paged key/value head.
//!
//! A page holds [`PAGE`] positions: keys transposed `[head_dim, PAGE]`, so that scores need no sum across
//! lanes, and values `[PAGE, head_dim]`. Queries that share a key/value head (the heads of a group, and
//! neighbouring positions in a prompt) are computed together, each by its own fixed chain of operations.

use super::{Isa, lanes::Lanes, per_isa};

/// Positions per page.
pub const PAGE: usize = 32;
/// The most queries that share one pass.
pub const QUERIES: usize = 8;

/// One page of one key/value head.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// `[head_dim, PAGE]`
    pub keys: &'a [[f32; PAGE]],
    /// `[PAGE, head_dim rounded up to 16]`
    pub values: &'a [[f32; 16]],
}

/// A query, already scaled and rotated, and how many positions it sees.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// `[head_dim]`
    pub vector: &'a [f32],
    pub visible: usize,
}

/// Attends with 1 to [`QUERIES`] queries; `out` is `[queries, head_dim rounded up to 16]`.
///
/// `scores` is scratch; it grows to `queries × positions`.
pub fn attend(
    isa: Isa,
    queries: &[Query<'_>],
    pages: &[Page<'_>],
    scores: &mut Vec<[f32; 16]>,
    out: &mut [[f32; 16]],
) {
    let seen = queries.iter().map(|q| q.visible).max().unwrap_or(0);
    let pages = &pages[..seen.div_ceil(PAGE)];
    scores.clear();
    scores.resize(queries.len() * pages.len() * 2, [0.0; 16]);
    match queries.len() {
        0 => {}
        1 => attend1(isa, queries, seen, pages, scores, out),
        2 => attend2(isa, queries, seen, pages, scores, out),
        3 => attend3(isa, queries, seen, pages, scores, out),
        4 => attend4(isa, queries, seen, pages, scores, out),
        5 => attend5(isa, queries, seen, pages, scores, out),
        6 => attend6(isa, queries, seen, pages, scores, out),
        7 => attend7(isa, queries, seen, pages, scores, out),
        8 => attend8(isa, queries, seen, pages, scores, out),
        n => unreachable!("{n} queries in one pass"),
    }
}

#[inline(always)]
fn body<L: Lanes, const R: usize>(
    queries: &[Query<'_>],
    seen: usize,
    pages: &[Page<'_>],
    scores: &mut [[f32; 16]],
    out: &mut [[f32; 16]],
) {
    let stride = pages.len() * 2;
    let vectors: [&[f32]; R] = std::array::from_fn(|r| queries[r].vector);
    // Scores: q · k, one lane per position. What comes next is somewhere else in memory, so it is asked for early.
    for (p, page) in pages.iter().enumerate() {
        let scores = &mut scores[p * 2..];
        let next = pages.get(p + 1).map_or(&[][..], |next| next.keys);
        if seen > p * PAGE + PAGE / 2 {
            score::<L, R, 2>(&vectors, page, next, scores, stride);
        } else {
            score::<L, R, 1>(&vectors, page, next, scores, stride);
        }
    }
    // Softmax without its division; hidden positions get exactly nothing.
    let mut inverse = [0f32; R];
    for r in 0..R {
        let scores = &mut scores[r * stride..][..stride];
        let visible = queries[r].visible;
        scores.as_flattened_mut()[visible..].fill(f32::MIN);
        let mut largest = L::splat(f32::MIN);
        for s in scores.iter() {
            largest = largest.max(L::load(s));
        }
        let mut lanes = [0f32; 16];
        largest.store(&mut lanes);
        let largest = L::splat(lanes.iter().fold(f32::MIN, |m, v| if *v > m { *v } else { m }));
        for s in scores.iter_mut() {
            L::load(s).sub(largest).exp().store(s);
        }
        scores.as_flattened_mut()[visible..].fill(0.0);
        let mut sum = L::splat(0.0);
        for s in scores.iter() {
            sum = sum.add(L::load(s));
        }
        sum.store(&mut lanes);
        inverse[r] = 1.0 / lanes.iter().sum::<f32>();
    }
    // The weighted sum of values, 32 of the head's dimensions at a time.
    let width = out.len() / R;
    for c in (0..width).step_by(2) {
        let second = (c + 1).min(width - 1);
        let mut acc = [[L::splat(0.0); 2]; R];
        for (p, page) in pages.iter().enumerate() {
            let weights: [&[f32]; R] =
                std::array::from_fn(|r| scores[r * stride + p * 2..][..2].as_flattened());
            for (j, values) in page.values.chunks_exact(width).take((seen - p * PAGE).min(PAGE)).enumerate() {
                let (low, high) = (L::load(&values[c]), L::load(&values[second]));
                for r in 0..R {
                    let w = L::splat(weights[r][j]);
                    acc[r] = [low.fma(w, acc[r][0]), high.fma(w, acc[r][1])];
                }
            }
        }
        for r in 0..R {
            let scale = L::splat(inverse[r]);
            acc[r][0].mul(scale).store(&mut out[r * width + c]);
            acc[r][1].mul(scale).store(&mut out[r * width + second]);
        }
    }
}

/// Scores of a page's first `16 H` positions. Its values, and the keys of the page after it, are asked for on the way.
#[inline(always)]
fn score<L: Lanes, const R: usize, const H: usize>(
    vectors: &[&[f32]; R],
    page: &Page<'_>,
    next: &[[f32; PAGE]],
    scores: &mut [[f32; 16]],
    stride: usize,
) {
    let mut acc = [[L::splat(0.0); H]; R];
    for (d, keys) in page.keys.iter().enumerate() {
        L::prefetch(page.values.as_ptr().wrapping_add(d * H).cast::<[[f32; 16]; H]>());
        L::prefetch(next.as_ptr().wrapping_add(d));
        let (halves, _) = keys.as_chunks::<16>();
        let halves: [L; H] = std::array::from_fn(|h| L::load(&halves[h]));
        for r in 0..R {
            let q = L::splat(vectors[r][d]);
            acc[r] = std::array::from_fn(|h| halves[h].fma(q, acc[r][h]));
        }
    }
    for r in 0..R {
        for h in 0..H {
            acc[r][h].store(&mut scores[r * stride + h]);
        }
    }
}

macro_rules! passes {
    ($($name:ident = $r:literal),*) => {
        $(per_isa!(fn $name(queries: &[Query<'_>], seen: usize, pages: &[Page<'_>], scores: &mut [[f32; 16]], out: &mut [[f32; 16]]) = body::<$r>);)*
    };
}
passes!(
    attend1 = 1,
    attend2 = 2,
    attend3 = 3,
    attend4 = 4,
    attend5 = 5,
    attend6 = 6,
    attend7 = 7,
    attend8 = 8
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::{available, tests::noise};

    #[test]
    fn equals_plain_attention_and_itself_in_any_company() {
        let (head_dim, positions) = (48, 75);
        let keys = noise(1, positions * head_dim);
        let values = noise(2, positions * head_dim);
        let mut key_pages = vec![[0f32; PAGE]; 3 * head_dim];
        let mut value_pages = vec![[0f32; 16]; 3 * PAGE * 3];
        for t in 0..positions {
            for d in 0..head_dim {
                key_pages[t / PAGE * head_dim + d][t % PAGE] = keys[t * head_dim + d];
                value_pages[t * 3 + d / 16][d % 16] = values[t * head_dim + d];
            }
        }
        let pages: Vec<Page> = key_pages
            .chunks(head_dim)
            .zip(value_pages.chunks(PAGE * 3))
            .map(|(keys, values)| Page { keys, values })
            .collect();
        let vectors = noise(3, 8 * head_dim);
        let seen = [1, 2, 31, 32, 33, 64, 70, 75];
        let queries: Vec<Query> =
            vectors.chunks(head_dim).zip(seen).map(|(vector, visible)| Query { vector, visible }).collect();
        let mut alone = Vec::new();
        for query in &queries {
            let mut out = vec![[0f32; 16]; 3];
            attend(Isa::Portable, &[*query], &pages, &mut Vec::new(), &mut out);
            let weights: Vec<f64> = (0..query.visible)
                .map(|t| {
                    (0..head_dim)
                        .map(|d| f64::from(query.vector[d] * keys[t * head_dim + d]))
                        .sum::<f64>()
                        .exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            for d in 0..head_dim {
                let exact: f64 = weights
                    .iter()
                    .enumerate()
                    .map(|(t, w)| w * f64::from(values[t * head_dim + d]))
                    .sum::<f64>()
                    / total;
                assert!((f64::from(out.as_flattened()[d]) - exact).abs() < 1e-6);
            }
            alone.extend(out.iter().flatten().map(|v| v.to_bits()));
        }
        for isa in available() {
            for size in 1..=8 {
                let mut got = Vec::new();
                for queries in queries.chunks(size) {
                    let mut out = vec![[0f32; 16]; 3 * queries.len()];
                    attend(isa, queries, &pages, &mut Vec::new(), &mut out);
                    got.extend(out.iter().flatten().map(|v| v.to_bits()));
                }
                assert!(got == alone, "{isa:?}, {size} at a time");
            }
        }
    }
}
