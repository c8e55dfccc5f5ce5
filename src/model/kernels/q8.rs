//! Weights as packed 8-bit blocks, and their product with rows of activations.
//!
//! Panels of 16 output rows; per panel one block for every 32 inputs: 8 groups of 64 bytes (16 rows × 4
//! inputs, stored + 128) and 16 half-float scales. The scheme is that of ggml's Q8_0 (32 values, one half
//! scale, largest value 127), so a Q8_0 file is held without any further loss.
//!
//! Activations are rounded to 16 bits per 32 inputs, as two bytes, so one `vpdpbusd` multiplies 64 weights
//! by one of them. With 8 bits, as in llama.cpp and candle, the rounding error of activations is what small
//! models suffer from most; with 16 it is nothing next to that of the weights, and while memory is the limit
//! the second product costs nothing.

#[cfg(target_arch = "x86_64")]
use super::amx;
use super::{
    Isa, dense,
    lanes::{Activations, Block, Lanes, PANEL},
    parallel::{self, Shared},
    per_isa,
};
use half::f16;
use rayon::prelude::*;

/// Inputs per block.
pub const BLOCK: usize = 32;
/// Rows of activations that share one pass over a panel.
const TILE: usize = 8;
/// Rows of activations that lie together, as the matrix unit takes them.
const GROUP: usize = 16;
/// How many blocks ahead weights are asked for: the hardware does not look across pages of memory.
const AHEAD: usize = 6;
/// Panels that a thread takes at a time.
const GRAIN: usize = 4;

/// A packed matrix `[rows, cols]`: rows are outputs, as in `y = W x`.
pub struct PackedQ8 {
    rows: usize,
    cols: usize,
    /// Blocks per row; `cols` is padded with zeros.
    blocks: usize,
    /// `[panel, block]`.
    data: Vec<Block>,
    /// `[panel, block, row within panel]`
    scales: Vec<[f16; PANEL]>,
}

impl PackedQ8 {
    /// Quantises `weights` `[rows, cols]`, row-major.
    pub fn pack(weights: &[f32], rows: usize, cols: usize) -> PackedQ8 {
        assert_eq!(weights.len(), rows * cols);
        let blocks = cols.div_ceil(BLOCK);
        let panels = rows.div_ceil(PANEL);
        let mut data = vec![[[128u8; 64]; 8]; panels * blocks];
        let mut scales = vec![[f16::ZERO; PANEL]; panels * blocks];
        data.par_chunks_mut(blocks).zip(scales.par_chunks_mut(blocks)).enumerate().for_each(
            |(panel, (data, scales))| {
                for lane in 0..PANEL.min(rows - panel * PANEL) {
                    let row = &weights[(panel * PANEL + lane) * cols..][..cols];
                    for (b, values) in row.chunks(BLOCK).enumerate() {
                        scales[b][lane] = pack_block(values, lane, &mut data[b]);
                    }
                }
            },
        );
        PackedQ8 { rows, cols, blocks, data, scales }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> u64 {
        (self.data.len() * size_of::<Block>() + self.scales.len() * size_of::<[f16; PANEL]>()) as u64
    }

    /// Dequantises row `row` into `out` `[cols]`: the embedding of a token.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let (panel, lane) = (row / PANEL, row % PANEL);
        for (b, values) in out.chunks_mut(BLOCK).enumerate() {
            let at = panel * self.blocks + b;
            let scale = self.scales[at][lane].to_f32();
            for (k, value) in values.iter_mut().enumerate() {
                *value = (f32::from(self.data[at][k / 4][lane * 4 + k % 4]) - 128.0) * scale;
            }
        }
    }

    /// `out[m] = W x[m]`: `x` holds `m` rows `[m, cols]`, `out` is `[m, rows]`. Runs on the instruction set that `x` was
    /// quantised for.
    pub fn matmul(&self, x: &Quantised, out: &mut [f32]) {
        let out = Shared::new(out);
        // SAFETY: each grain is one task.
        parallel::for_each(self.grains(), |grain| unsafe { self.grain(grain, x, &out) });
    }

    /// How many tasks a product splits into.
    pub fn grains(&self) -> usize {
        self.rows.div_ceil(PANEL * GRAIN)
    }

    /// The part `grain` of [`PackedQ8::matmul`].
    ///
    /// # Safety
    /// No two calls with the same `grain` and `out` may run at once.
    pub unsafe fn grain(&self, grain: usize, x: &Quantised, out: &Shared<'_>) {
        assert_eq!((x.blocks, out.len()), (self.blocks, x.rows * self.rows));
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Isa::Amx` comes from `available` only, and nothing below sets the unit up again.
        let mut unit = (x.isa == Isa::Amx && x.rows >= GROUP).then(|| unsafe { amx::Unit::new() });
        for panel in grain * GRAIN..((grain + 1) * GRAIN).min(self.rows.div_ceil(PANEL)) {
            let at = panel * self.blocks..(panel + 1) * self.blocks;
            let (data, scales) = (&self.data[at.clone()], &self.scales[at]);
            let width = PANEL.min(self.rows - panel * PANEL);
            let write = |m: usize, sums: &[[f32; PANEL]]| {
                for (r, sums) in sums.iter().enumerate() {
                    let start = (m + r) * self.rows + panel * PANEL;
                    // SAFETY: panels belong to one grain each, and a grain to one call.
                    dense::copy(sums, unsafe { out.part(start..start + width) });
                }
            };
            let mut m = 0;
            #[cfg(target_arch = "x86_64")]
            if let Some(unit) = &mut unit {
                while let Some(rows) = x.full(m / GROUP) {
                    let mut sums = [[0f32; PANEL]; GROUP];
                    let ahead = (m == 0).then_some(AHEAD);
                    // SAFETY: such a processor has them.
                    unsafe { unit.panel(data, scales, rows, ahead, &mut sums) };
                    write(m, &sums);
                    m += GROUP;
                }
            }
            while m < x.rows {
                let tile = TILE.min(x.rows - m);
                let mut sums = [[0f32; PANEL]; TILE];
                let run = [tile1, tile2, tile3, tile4, tile5, tile6, tile7, tile8][tile - 1];
                run(x.isa, data, scales, x, m, &mut sums);
                write(m, &sums[..tile]);
                m += tile;
            }
        }
    }
}

/// 1.5 times 2 to the power of 23: added to a float of a few digits, it leaves no room for a fraction.
const SHIFT: f32 = 12_582_912.0;

/// Quantises up to 32 values into one lane of a block; returns its scale.
fn pack_block(values: &[f32], lane: usize, block: &mut Block) -> f16 {
    let largest = values.iter().fold(0f32, |m, v| m.max(v.abs()));
    let scale = f16::from_f32(largest / 127.0);
    let inverse = if scale.to_f32() > 0.0 { 1.0 / scale.to_f32() } else { 0.0 };
    for (k, value) in values.iter().enumerate() {
        // To the nearest integer, ties to even: what a number of this size leaves of a fraction. A call of a function for each
        // weight took as long as reading the file.
        let q = (value * inverse + SHIFT) - SHIFT;
        block[k / 4][lane * 4 + k % 4] = (q.clamp(-127.0, 127.0) + 128.0) as u8;
    }
    scale
}

/// Rows of activations in 16 bits, one scale per 32 values: `[group of 16 rows, block, row in group]`, the last group
/// with as many rows as are left.
pub struct Quantised {
    isa: Isa,
    rows: usize,
    blocks: usize,
    data: Vec<Activations>,
    scales: Vec<f32>,
    /// -128 times the sum of each block.
    offsets: Vec<i32>,
}

impl Quantised {
    /// Quantises `x` `[rows, cols]`.
    pub fn new(isa: Isa, x: &[f32], cols: usize) -> Quantised {
        let (rows, blocks) = (x.len() / cols, cols.div_ceil(BLOCK));
        let mut data = vec![[[0i8; BLOCK]; 2]; rows * blocks];
        let mut scales = vec![0f32; rows * blocks];
        let mut offsets = vec![0i32; rows * blocks];
        let all = x.par_chunks(GROUP * cols).zip(data.par_chunks_mut(GROUP * blocks));
        let all = all.zip(scales.par_chunks_mut(GROUP * blocks).zip(offsets.par_chunks_mut(GROUP * blocks)));
        all.for_each(|((x, data), (scales, offsets))| quantise(isa, x, cols, data, scales, offsets));
        Quantised { isa, rows, blocks, data, scales, offsets }
    }

    /// Where the blocks of row `m` are: the first one, and how far it is to the next.
    fn place(&self, m: usize) -> (usize, usize) {
        let first = m / GROUP * GROUP;
        (first * self.blocks + m - first, GROUP.min(self.rows - first))
    }

    /// Group `group`, if all of its rows are there.
    #[cfg(target_arch = "x86_64")]
    fn full(&self, group: usize) -> Option<amx::Rows<'_>> {
        let at = group * GROUP * self.blocks..(group + 1) * GROUP * self.blocks;
        Some(amx::Rows {
            bytes: self.data.get(at.clone())?.as_chunks().0,
            scales: self.scales[at.clone()].as_chunks().0,
            offsets: self.offsets[at].as_chunks().0,
        })
    }
}

#[inline(always)]
fn quantise_body<L: Lanes>(
    x: &[f32],
    cols: usize,
    data: &mut [Activations],
    scales: &mut [f32],
    offsets: &mut [i32],
) {
    let rows = x.len() / cols;
    for (r, row) in x.chunks_exact(cols).enumerate() {
        for (b, values) in row.chunks(BLOCK).enumerate() {
            let at = b * rows + r;
            quantise_block::<L>(values, &mut data[at], &mut scales[at], &mut offsets[at]);
        }
    }
}

#[inline(always)]
fn quantise_block<L: Lanes>(values: &[f32], data: &mut Activations, scale_to: &mut f32, offset: &mut i32) {
    let mut padded = [[0f32; 16]; 2];
    padded.as_flattened_mut()[..values.len()].copy_from_slice(values);
    let halves = [L::load(&padded[0]), L::load(&padded[1])];
    let size = halves.map(|v| v.max(v.mul(L::splat(-1.0))));
    let mut lanes = [0f32; 16];
    size[0].max(size[1]).store(&mut lanes);
    let largest = lanes.iter().fold(0f32, |m, v| if *v > m { *v } else { m });
    let scale = largest / 127.0;
    let inverse = L::splat(if scale > 0.0 { 1.0 / scale } else { 0.0 });
    let x = halves.map(|half| half.mul(inverse));
    let high = x.map(|x| x.round());
    // Half a step up would be 128, which is one too many for a byte.
    let low: [L; 2] =
        std::array::from_fn(|i| x[i].sub(high[i]).mul(L::splat(256.0)).round().min(L::splat(127.0)));
    L::activations(high, low, data);
    let sum = high[0].fma(L::splat(256.0), low[0]).add(high[1].fma(L::splat(256.0), low[1]));
    sum.store(&mut lanes);
    *scale_to = scale / 256.0;
    // Sums of integers below 2^24 are exact in any order.
    *offset = -128 * lanes.iter().sum::<f32>() as i32;
}

per_isa!(fn quantise(x: &[f32], cols: usize, data: &mut [Activations], scales: &mut [f32], offsets: &mut [i32]) = quantise_body);

/// One panel times rows `m..m + R`.
#[inline(always)]
fn tile_body<L: Lanes, const R: usize>(
    data: &[Block],
    scales: &[[f16; PANEL]],
    x: &Quantised,
    m: usize,
    sums: &mut [[f32; PANEL]; TILE],
) {
    let blocks = data.len();
    let (first, step) = x.place(m);
    let end = first + (blocks - 1) * step + R;
    let (rows, row_scales, offsets) = (&x.data[first..end], &x.scales[first..end], &x.offsets[first..end]);
    let mut acc = [L::splat(0.0); R];
    for (b, (block, scale)) in data.iter().zip(scales).enumerate() {
        let at = b * step;
        let dots = L::dot::<R>(
            block,
            std::array::from_fn(|r| &rows[at + r]),
            std::array::from_fn(|r| offsets[at + r]),
        );
        // The first tile of a panel waits for memory, the others find it in the cache.
        if m == 0 {
            L::prefetch(data.as_ptr().wrapping_add(b + AHEAD));
        }
        let scale = L::load_half(scale);
        for r in 0..R {
            acc[r] = dots[r].fma(scale.mul(L::splat(row_scales[at + r])), acc[r]);
        }
    }
    for r in 0..R {
        acc[r].store(&mut sums[r]);
    }
}

macro_rules! tiles {
    ($($name:ident = $r:literal),*) => {
        $(per_isa!(fn $name(data: &[Block], scales: &[[f16; PANEL]], x: &Quantised, m: usize, sums: &mut [[f32; PANEL]; TILE]) = tile_body::<$r>);)*
    };
}
tiles!(tile1 = 1, tile2 = 2, tile3 = 3, tile4 = 4, tile5 = 5, tile6 = 6, tile7 = 7, tile8 = 8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::{available, tests::noise};

    /// Matrix shapes with ragged edges in every direction.
    const SHAPES: [(usize, usize, usize); 9] = [
        (16, 32, 1),
        (40, 96, 5),
        (7, 50, 11),
        (33, 576, 19),
        (40, 96, 16),
        (50, 100, 40),
        (16, 32, 16),
        (33, 64, 17),
        (16, 64, 32),
    ];

    fn naive(weights: &PackedQ8, x: &Quantised) -> Vec<f32> {
        let mut out = Vec::new();
        let mut row = vec![0f32; weights.cols];
        for m in 0..x.rows {
            for n in 0..weights.rows {
                weights.row(n, &mut row);
                out.push(
                    row.iter()
                        .enumerate()
                        .map(|(k, w)| {
                            let (first, step) = x.place(m);
                            let at = first + k / BLOCK * step;
                            let [high, low] = x.data[at].map(|bytes| f64::from(bytes[k % BLOCK]));
                            f64::from(*w) * (256.0 * high + low) * f64::from(x.scales[at])
                        })
                        .sum::<f64>() as f32,
                );
            }
        }
        out
    }

    #[test]
    fn the_product_is_that_of_the_dequantised_matrix() {
        for (rows, cols, m) in SHAPES {
            let weights = PackedQ8::pack(&noise(1, rows * cols), rows, cols);
            let x = Quantised::new(Isa::Portable, &noise(2, m * cols), cols);
            let mut out = vec![0f32; m * rows];
            weights.matmul(&x, &mut out);
            for (got, want) in out.iter().zip(naive(&weights, &x)) {
                assert!((got - want).abs() < 1e-4, "{got} {want} at {rows}×{cols}×{m}");
            }
        }
    }

    #[test]
    fn all_instruction_sets_and_all_batch_sizes_agree_to_the_bit() {
        for (rows, cols, m) in SHAPES {
            let weights = PackedQ8::pack(&noise(3, rows * cols), rows, cols);
            let input = noise(4, m * cols);
            let mut want = Vec::new();
            for row in input.chunks(cols) {
                let mut out = vec![0f32; rows];
                weights.matmul(&Quantised::new(Isa::Portable, row, cols), &mut out);
                want.extend(out.iter().map(|v| v.to_bits()));
            }
            for isa in available() {
                let mut out = vec![0f32; m * rows];
                weights.matmul(&Quantised::new(isa, &input, cols), &mut out);
                assert_eq!(out.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), want, "{isa:?}");
            }
        }
    }

    #[test]
    fn packing_a_q8_0_matrix_loses_nothing() {
        let scale = f16::from_f32(0.013).to_f32();
        let weights: Vec<f32> = (0..64).map(|i| ((i * 37) % 128 - 64) as f32 * scale).collect();
        let mut exact = weights.clone();
        (exact[3], exact[40]) = (127.0 * scale, -127.0 * scale);
        let packed = PackedQ8::pack(&exact, 2, 32);
        let mut row = vec![0f32; 32];
        packed.row(1, &mut row);
        assert_eq!(row, exact[32..]);
    }
}
