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
use std::ops::Range;

/// Output rows per panel.
pub const PANEL: usize = 16;
/// Rows of activations that share one pass over a panel.
const TILE: usize = 8;
/// Rows that share one pass over two panels, where there are registers for it: 24 sums keep both units for
/// multiplication busy, 8 do not.
const WIDE: usize = 12;
/// Rows of a large product that are taken through all panels before the next ones: they stay in the second cache.
const BLOCK: usize = 16 * WIDE;
/// Panels that a thread takes at a time.
const GRAIN: usize = 2;
/// How many inputs ahead weights are asked for.
const AHEAD: usize = 48;

/// What a weight is stored as.
pub trait Element: Copy + Send + Sync + 'static {
    const ZERO: Self;
    /// Products of one panel with 1 to `TILE` rows.
    const TILES: [Tile<Self>; TILE];
    /// The product of two panels with `WIDE` rows, the sums of the first panel's rows first.
    const WIDE: Tile<Self>;
    fn round(value: f32) -> Self;
    fn value(self) -> f32;
    fn load<L: Lanes>(from: &[Self; PANEL]) -> L;
}

/// Panels `[panel, cols, PANEL]` times the rows of `x` from a first one on.
pub type Tile<E> = fn(Isa, &[[E; PANEL]], Columns<'_>, usize, &mut [[f32; PANEL]; 2 * WIDE]);

/// Neighbouring columns of a matrix `[rows, width]`, row-major: those from `start` on.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    pub values: &'a [f32],
    pub width: usize,
    pub start: usize,
}

impl<'a> Columns<'a> {
    /// All columns.
    pub fn all(values: &'a [f32], width: usize) -> Columns<'a> {
        Columns { values, width, start: 0 }
    }

    pub fn rows(&self) -> usize {
        self.values.len() / self.width
    }
}

/// Where a product goes: columns of a matrix `[rows, width]`, from `start` on.
pub struct Place<'a> {
    pub values: &'a mut [f32],
    pub width: usize,
    pub start: usize,
    /// What the product is multiplied by.
    pub scale: f32,
    /// Whether it is added to what is there.
    pub add: bool,
}

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
        let to = Place { values: out, width: self.rows, start: 0, scale: 1.0, add: false };
        self.product(isa, Columns::all(x, self.cols), to);
    }

    /// The product with `cols` columns of `x`, in `rows` columns of `to`, on all threads.
    pub fn product(&self, isa: Isa, x: Columns<'_>, to: Place<'_>) {
        let (m, groups) = (x.rows(), self.grains());
        assert_eq!(m, to.values.len() / to.width);
        assert!(to.start + self.rows <= to.width);
        let Place { values, width, start, scale, add } = to;
        let out = Shared::new(values);
        parallel::for_each(m.div_ceil(BLOCK) * groups, |task| {
            let first = task / groups * BLOCK;
            let rows = first..(first + BLOCK).min(m);
            let at = |panel: usize, row: usize| row * width + start + panel * PANEL;
            let soon = |panel, row| out.prefetch(at(panel, row));
            self.tiles(isa, self.panels_of(task % groups), rows, x, soon, |panel, row, sums| {
                let at = at(panel, row);
                // SAFETY: each (block of rows, group of panels) is one task.
                let to = unsafe { out.part(at..at + self.width(panel)) };
                let mut sums = sums.map(|v| scale * v);
                if add {
                    match to.first_chunk::<PANEL>() {
                        Some(there) => (0..PANEL).for_each(|i| sums[i] += there[i]),
                        None => sums.iter_mut().zip(&*to).for_each(|(v, there)| *v += there),
                    }
                }
                copy(&sums, to);
            });
        });
    }

    /// How many tasks a product splits into.
    pub fn grains(&self) -> usize {
        self.panels().div_ceil(GRAIN)
    }

    /// The part `grain` of [`Packed::matmul`].
    ///
    /// # Safety
    /// No two calls with the same `grain` and `out` may run at once.
    pub unsafe fn grain(&self, isa: Isa, grain: usize, x: &[f32], out: &Shared<'_>) {
        let x = Columns::all(x, self.cols);
        assert_eq!(out.len(), x.rows() * self.rows);
        self.tiles(
            isa,
            self.panels_of(grain),
            0..x.rows(),
            x,
            |_, _| {},
            |panel, row, sums| {
                let start = row * self.rows + panel * PANEL;
                // SAFETY: panels belong to one grain each, and a grain to one call.
                copy(sums, unsafe { out.part(start..start + self.width(panel)) });
            },
        );
    }

    /// Panels of 16 output rows, the last one perhaps smaller.
    pub fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    fn panels_of(&self, grain: usize) -> Range<usize> {
        grain * GRAIN..((grain + 1) * GRAIN).min(self.panels())
    }

    /// Output rows of `panel`.
    fn width(&self, panel: usize) -> usize {
        PANEL.min(self.rows - panel * PANEL)
    }

    /// One panel times all rows of `x`; `write` gets each row's index and up to 16 outputs.
    pub fn panel(&self, isa: Isa, panel: usize, x: Columns<'_>, mut write: impl FnMut(usize, &[f32])) {
        let width = self.width(panel);
        self.tiles(
            isa,
            panel..panel + 1,
            0..x.rows(),
            x,
            |_, _| {},
            |_, row, sums| write(row, &sums[..width]),
        );
    }

    /// `panels` times the rows `rows` of `x`; `write` gets the panel, the row and 16 outputs. `soon` hears of a large
    /// product's outputs one pass before: they lie far apart, and waiting for each costs a twentieth of training's time.
    fn tiles(
        &self,
        isa: Isa,
        panels: Range<usize>,
        rows: Range<usize>,
        x: Columns<'_>,
        soon: impl Fn(usize, usize),
        mut write: impl FnMut(usize, usize, &[f32; PANEL]),
    ) {
        assert!(x.start + self.cols <= x.width);
        let data = |panels: Range<usize>| &self.data[panels.start * self.cols..panels.end * self.cols];
        let mut sums = [[0f32; PANEL]; 2 * WIDE];
        let most = isa.sums().min(TILE);
        let mut first = panels.start;
        while first < panels.end {
            let mut done = rows.start;
            let end = (first + 2).min(panels.end);
            if isa.sums() >= 2 * WIDE && end == first + 2 {
                while rows.end - done >= WIDE {
                    (first..end).for_each(|panel| (done..done + WIDE).for_each(|row| soon(panel, row)));
                    E::WIDE(isa, data(first..end), x, done, &mut sums);
                    for (i, sums) in sums.iter().enumerate() {
                        write(first + i / WIDE, done + i % WIDE, sums);
                    }
                    done += WIDE;
                }
            }
            for panel in first..end {
                let mut done = done;
                while done < rows.end {
                    let tile = most.min(rows.end - done);
                    E::TILES[tile - 1](isa, data(panel..panel + 1), x, done, &mut sums);
                    for (r, sums) in sums[..tile].iter().enumerate() {
                        write(panel, done + r, sums);
                    }
                    done += tile;
                }
            }
            first = end;
        }
    }
}

/// Copies as many of `sums` as `to` holds.
#[inline(always)]
pub(super) fn copy(sums: &[f32; PANEL], to: &mut [f32]) {
    // Apart, so that a whole panel is copied without a call of a size found at run time.
    #[cold]
    #[inline(never)]
    fn some(sums: &[f32; PANEL], to: &mut [f32]) {
        to.copy_from_slice(&sums[..to.len()]);
    }
    match to.first_chunk_mut() {
        Some(to) => *to = *sums,
        None => some(sums, to),
    }
}

/// `to += sums`, as many as `to` has.
#[inline]
pub fn add(sums: &[f32], to: &mut [f32]) {
    match (to.first_chunk_mut::<PANEL>(), sums.first_chunk::<PANEL>()) {
        (Some(to), Some(sums)) => to.iter_mut().zip(sums).for_each(|(y, s)| *y += s),
        _ => to.iter_mut().zip(sums).for_each(|(y, s)| *y += s),
    }
}

#[inline(always)]
fn tile_body<L: Lanes, E: Element, const P: usize, const R: usize>(
    data: &[[E; PANEL]],
    x: Columns<'_>,
    first: usize,
    sums: &mut [[f32; PANEL]; 2 * WIDE],
) {
    let cols = data.len() / P;
    let panels: [&[[E; PANEL]]; P] = std::array::from_fn(|p| &data[p * cols..][..cols]);
    let rows: [&[f32]; R] = std::array::from_fn(|r| &x.values[(first + r) * x.width + x.start..][..cols]);
    let mut acc = [[L::splat(0.0); R]; P];
    for k in 0..cols {
        let mut w = [L::splat(0.0); P];
        for p in 0..P {
            L::prefetch(panels[p].as_ptr().wrapping_add(k + AHEAD));
            w[p] = E::load::<L>(&panels[p][k]);
        }
        for r in 0..R {
            let x = L::splat(rows[r][k]);
            for p in 0..P {
                acc[p][r] = w[p].fma(x, acc[p][r]);
            }
        }
    }
    for p in 0..P {
        for r in 0..R {
            acc[p][r].store(&mut sums[p * R + r]);
        }
    }
}

macro_rules! element {
    ($element:ident, $module:ident, $zero:expr, $round:expr, $value:expr, $load:ident, $($name:ident = $p:literal x $r:literal),*) => {
        mod $module {
            use super::*;
            $(per_isa!(pub fn $name(data: &[[$element; PANEL]], x: Columns<'_>, first: usize, sums: &mut [[f32; PANEL]; 2 * WIDE]) = tile_body::<$element, $p, $r>);)*
        }
        impl Element for $element {
            const ZERO: Self = $zero;
            const TILES: [Tile<Self>; TILE] = {
                use $module::*;
                [t1, t2, t3, t4, t5, t6, t7, t8]
            };
            const WIDE: Tile<Self> = $module::wide;
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
    ($element:ident, $module:ident, $zero:expr, $round:expr, $value:expr, $load:ident) => {
        element!(
            $element, $module, $zero, $round, $value, $load, t1 = 1 x 1, t2 = 1 x 2, t3 = 1 x 3, t4 = 1 x 4, t5 = 1 x 5,
            t6 = 1 x 6, t7 = 1 x 7, t8 = 1 x 8, wide = 2 x 12
        );
    };
}
element!(f32, single, 0.0, |v| v, |v| v, load);
element!(f16, half_floats, f16::ZERO, f16::from_f32, f16::to_f32, load_half);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::{available, tests::noise};

    #[test]
    fn the_product_is_right_and_the_same_on_all_instruction_sets_and_batch_sizes() {
        for (rows, cols, m) in
            [(16, 8, 1), (40, 96, 5), (7, 50, 11), (33, 100, 19), (70, 40, 29), (32, 24, 210)]
        {
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
