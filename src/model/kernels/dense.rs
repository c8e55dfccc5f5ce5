//! Weights as packed floats of 32 or 16 bits, and their product with rows of activations.
//!
//! Panels of 16 output rows, `[panel, input, row within panel]`. Each output is one chain of fused
//! multiply-adds in 32 bits, in the order of the inputs.

use super::{
    Isa,
    lanes::Lanes,
    parallel::{self, Shared},
    per_isa,
};
use half::f16;
use rayon::prelude::*;

/// Output rows per panel.
pub const PANEL: usize = 16;
/// Rows of activations that share one pass over a panel.
const TILE: usize = 8;
/// Panels that a thread takes at a time.
const GRAIN: usize = 2;
/// How many inputs ahead weights are asked for.
const AHEAD: usize = 48;

/// What a weight is stored as.
pub trait Element: Copy + Send + Sync + 'static {
    const ZERO: Self;
    /// Products of one panel with 1 to `TILE` rows.
    const TILES: [Tile<Self>; TILE];
    fn round(value: f32) -> Self;
    fn value(self) -> f32;
    fn load<L: Lanes>(from: &[Self; PANEL]) -> L;
}

/// One panel `[cols, PANEL]` times the first rows of `x`.
pub type Tile<E> = fn(Isa, &[[E; PANEL]], &[f32], &mut [[f32; PANEL]; TILE]);

/// A packed matrix `[rows, cols]`: rows are outputs, as in `y = W x`.
pub struct Packed<E> {
    rows: usize,
    cols: usize,
    /// `[panel, col]`.
    data: Vec<[E; PANEL]>,
}

/// Weights in 32 bits.
pub type PackedF32 = Packed<f32>;
/// Weights in 16 bits; sums are in 32.
pub type PackedF16 = Packed<f16>;

impl<E: Element> Packed<E> {
    /// Packs `weights` `[rows, cols]`, row-major.
    pub fn pack(weights: &[f32], rows: usize, cols: usize) -> Self {
        assert_eq!(weights.len(), rows * cols);
        let panels = rows.div_ceil(PANEL);
        let mut data = vec![[E::ZERO; PANEL]; panels * cols];
        data.par_chunks_mut(cols.max(1)).enumerate().for_each(|(panel, data)| {
            for lane in 0..PANEL.min(rows - panel * PANEL) {
                let row = &weights[(panel * PANEL + lane) * cols..][..cols];
                for (to, from) in data.iter_mut().zip(row) {
                    to[lane] = E::round(*from);
                }
            }
        });
        Packed { rows, cols, data }
    }

    /// Packs the transpose of `weights` `[cols, rows]`, row-major: the matrix of the way back.
    pub fn pack_columns(weights: &[f32], rows: usize, cols: usize) -> PackedF32 {
        assert_eq!(weights.len(), rows * cols);
        let panels = rows.div_ceil(PANEL);
        let mut data = vec![[0f32; PANEL]; panels * cols];
        data.par_chunks_mut(cols.max(1)).enumerate().for_each(|(panel, data)| {
            let width = PANEL.min(rows - panel * PANEL);
            for (to, from) in data.iter_mut().zip(weights.chunks_exact(rows)) {
                to[..width].copy_from_slice(&from[panel * PANEL..][..width]);
            }
        });
        PackedF32 { rows, cols, data }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> u64 {
        size_of_val(self.data.as_slice()) as u64
    }

    /// Copies row `row` to `out` `[cols]`.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let panel = &self.data[row / PANEL * self.cols..][..self.cols];
        for (to, from) in out.iter_mut().zip(panel) {
            *to = from[row % PANEL].value();
        }
    }

    /// `out[m] = W x[m]`: `x` is `[m, cols]`, `out` is `[m, rows]`.
    pub fn matmul(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        let out = Shared::new(out);
        // SAFETY: each grain is one task.
        parallel::for_each(self.grains(), |grain| unsafe { self.grain(isa, grain, x, &out) });
    }

    /// How many tasks a product splits into.
    pub fn grains(&self) -> usize {
        self.rows.div_ceil(PANEL * GRAIN)
    }

    /// The part `grain` of [`Packed::matmul`].
    ///
    /// # Safety
    /// No two calls with the same `grain` and `out` may run at once.
    pub unsafe fn grain(&self, isa: Isa, grain: usize, x: &[f32], out: &Shared<'_>) {
        let m = x.len() / self.cols;
        assert_eq!((x.len(), out.len()), (m * self.cols, m * self.rows));
        for panel in grain * GRAIN..((grain + 1) * GRAIN).min(self.panels()) {
            self.panel(isa, panel, x, |row, sums| {
                let start = row * self.rows + panel * PANEL;
                // SAFETY: panels belong to one grain each, and a grain to one call.
                unsafe { out.part(start..start + sums.len()) }.copy_from_slice(sums);
            });
        }
    }

    /// Panels of 16 output rows, the last one perhaps smaller.
    pub fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    /// One panel times all rows of `x` `[m, cols]`; `write` gets each row's index and up to 16 outputs.
    pub fn panel(&self, isa: Isa, panel: usize, x: &[f32], mut write: impl FnMut(usize, &[f32])) {
        let data = &self.data[panel * self.cols..][..self.cols];
        let width = PANEL.min(self.rows - panel * PANEL);
        let m = x.len() / self.cols;
        let mut done = 0;
        while done < m {
            let tile = TILE.min(m - done);
            let mut sums = [[0f32; PANEL]; TILE];
            E::TILES[tile - 1](isa, data, &x[done * self.cols..], &mut sums);
            for (r, sums) in sums[..tile].iter().enumerate() {
                write(done + r, &sums[..width]);
            }
            done += tile;
        }
    }
}

#[inline(always)]
fn tile_body<L: Lanes, E: Element, const R: usize>(
    data: &[[E; PANEL]],
    x: &[f32],
    sums: &mut [[f32; PANEL]; TILE],
) {
    let cols = data.len();
    let rows: [&[f32]; R] = std::array::from_fn(|r| &x[r * cols..][..cols]);
    let mut acc = [L::splat(0.0); R];
    for (k, w) in data.iter().enumerate() {
        L::prefetch(data.as_ptr().wrapping_add(k + AHEAD));
        let w = E::load::<L>(w);
        for r in 0..R {
            acc[r] = w.fma(L::splat(rows[r][k]), acc[r]);
        }
    }
    for r in 0..R {
        acc[r].store(&mut sums[r]);
    }
}

macro_rules! element {
    ($element:ident, $module:ident, $zero:expr, $round:expr, $value:expr, $load:ident, $($name:ident = $r:literal),*) => {
        mod $module {
            use super::*;
            $(per_isa!(pub fn $name(data: &[[$element; PANEL]], x: &[f32], sums: &mut [[f32; PANEL]; TILE]) = tile_body::<$element, $r>);)*
        }
        impl Element for $element {
            const ZERO: Self = $zero;
            const TILES: [Tile<Self>; TILE] = [$($module::$name),*];
            fn round(value: f32) -> Self {
                $round(value)
            }
            fn value(self) -> f32 {
                $value(self)
            }
            #[inline(always)]
            fn load<L: Lanes>(from: &[Self; PANEL]) -> L {
                L::$load(from)
            }
        }
    };
}
element!(
    f32,
    single,
    0.0,
    |v| v,
    |v| v,
    load,
    t1 = 1,
    t2 = 2,
    t3 = 3,
    t4 = 4,
    t5 = 5,
    t6 = 6,
    t7 = 7,
    t8 = 8
);
element!(
    f16,
    half_floats,
    f16::ZERO,
    f16::from_f32,
    f16::to_f32,
    load_half,
    t1 = 1,
    t2 = 2,
    t3 = 3,
    t4 = 4,
    t5 = 5,
    t6 = 6,
    t7 = 7,
    t8 = 8
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::{available, tests::noise};

    #[test]
    fn the_product_is_right_and_the_same_on_all_instruction_sets_and_batch_sizes() {
        for (rows, cols, m) in [(16, 8, 1), (40, 96, 5), (7, 50, 11), (33, 100, 19)] {
            let weights = noise(1, rows * cols);
            let packed = PackedF32::pack(&weights, rows, cols);
            let x = noise(2, m * cols);
            let mut want = Vec::new();
            for row in x.chunks(cols) {
                let mut out = vec![0f32; rows];
                packed.matmul(Isa::Portable, row, &mut out);
                for (n, got) in out.iter().enumerate() {
                    let exact: f64 =
                        (0..cols).map(|k| f64::from(weights[n * cols + k]) * f64::from(row[k])).sum();
                    assert!((f64::from(*got) - exact).abs() < 1e-5, "{got} {exact}");
                }
                want.extend(out.iter().map(|v| v.to_bits()));
            }
            for isa in available() {
                let mut out = vec![0f32; m * rows];
                packed.matmul(isa, &x, &mut out);
                assert_eq!(out.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), want, "{isa:?}");
            }
        }
    }
}
