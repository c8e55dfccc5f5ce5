//! LoRA on one stacked projection, forwards and backwards.

use super::{
    frozen::product,
    lora::{Lora, Site},
};
use crate::model::{kernels::dense::PackedF32, lora::Projection};
use rayon::prelude::*;
use std::{collections::HashMap, ops::Range};

/// An adapter's matrices in the layout of the kernels, made anew for every step.
pub(super) struct PackedLora {
    scale: f32,
    dropout: f32,
    groups: HashMap<(usize, Projection), Group>,
}

/// The sites of one stacked projection.
struct Group {
    /// All `A`, stacked: `[ranks, in]`, and its transpose.
    down: PackedF32,
    down_back: PackedF32,
    parts: Vec<Part>,
}

struct Part {
    site: Site,
    /// Columns within the stacked `A x`.
    ranks: Range<usize>,
    /// `B` `[out, rank]`, and its transpose.
    up: PackedF32,
    up_back: PackedF32,
}

/// What the way back needs of the way forth.
#[derive(Default)]
pub(super) struct Low {
    /// `A x` of all parts `[m, ranks]`.
    values: Vec<f32>,
    /// The seed of the dropout mask, where there was one.
    mask: Option<u64>,
}

impl PackedLora {
    pub fn new(lora: &Lora) -> PackedLora {
        let rank = lora.shape.rank;
        let mut keys: Vec<(usize, Projection)> = lora.sites.iter().map(|s| (s.layer, s.projection)).collect();
        keys.dedup();
        let groups = keys
            .into_par_iter()
            .map(|key| {
                let sites = lora.at(key.0, key.1);
                let inputs = sites[0].inputs;
                let stacked: Vec<f32> =
                    sites.iter().flat_map(|s| &lora.values[s.a.clone()]).copied().collect();
                let ranks = rank * sites.len();
                let parts = sites
                    .iter()
                    .enumerate()
                    .map(|(i, site)| {
                        let b = &lora.values[site.b.clone()];
                        Part {
                            site: site.clone(),
                            ranks: i * rank..(i + 1) * rank,
                            up: PackedF32::pack(b, site.outputs, rank),
                            up_back: PackedF32::pack_columns(b, rank, site.outputs),
                        }
                    })
                    .collect();
                let down = PackedF32::pack(&stacked, ranks, inputs);
                let down_back = PackedF32::pack_columns(&stacked, inputs, ranks);
                (key, Group { down, down_back, parts })
            })
            .collect();
        PackedLora { scale: lora.shape.scale(), dropout: lora.shape.dropout, groups }
    }

    /// Adds the adapter's part of `x` `[m, in]` to `y` `[m, width]`; `seed` draws the dropout mask.
    pub fn forward(
        &self,
        (layer, projection): (usize, Projection),
        x: &[f32],
        y: &mut [f32],
        width: usize,
        seed: Option<u64>,
    ) -> Low {
        let Some(group) = self.groups.get(&(layer, projection)) else { return Low::default() };
        let mask = seed.filter(|_| self.dropout > 0.0).map(|seed| mask_seed(seed, layer, projection));
        let values = match mask {
            Some(seed) => product(&group.down, &dropped(x, self.dropout, seed)),
            None => product(&group.down, x),
        };
        for part in &group.parts {
            let low = columns(&values, group.down.rows(), &part.ranks);
            let up = product(&part.up, &low);
            let outputs = part.site.outputs;
            for (y, up) in y.chunks_exact_mut(width).zip(up.chunks_exact(outputs)) {
                let y = &mut y[part.site.out_start..][..outputs];
                y.iter_mut().zip(up).for_each(|(y, up)| *y += self.scale * up);
            }
        }
        Low { values, mask }
    }

    /// Given the gradient `dy` `[m, width]`: adds this projection's to `gradient` (laid out as the adapter's
    /// values) and what flows on to `dx` `[m, in]`.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        key: (usize, Projection),
        x: &[f32],
        low: &Low,
        dy: &[f32],
        width: usize,
        gradient: &mut [f32],
        dx: &mut [f32],
    ) {
        let Some(group) = self.groups.get(&key) else { return };
        let (ranks, inputs) = (group.down.rows(), group.down.cols());
        let m = dy.len() / width;
        let mut dlow = vec![0f32; m * ranks];
        for part in &group.parts {
            let (outputs, rank) = (part.site.outputs, part.ranks.len());
            let own;
            let dy = if outputs == width {
                dy
            } else {
                own = columns(dy, width, &(part.site.out_start..part.site.out_start + outputs));
                &own
            };
            let back = product(&part.up_back, dy);
            for (to, from) in dlow.chunks_exact_mut(ranks).zip(back.chunks_exact(rank)) {
                let to = &mut to[part.ranks.clone()];
                to.iter_mut().zip(from).for_each(|(to, from)| *to = self.scale * from);
            }
            // dB = s dyᵀ low, as (lowᵀ dy)ᵀ.
            let low = transposed(&columns(&low.values, ranks, &part.ranks), rank);
            let db = product(&PackedF32::pack_columns(dy, outputs, m), &low);
            let to = &mut gradient[part.site.b.clone()];
            for (r, row) in db.chunks_exact(outputs).enumerate() {
                row.iter().enumerate().for_each(|(o, v)| to[o * rank + r] += self.scale * v);
            }
        }
        let own;
        let x = match low.mask {
            Some(seed) => {
                own = dropped(x, self.dropout, seed);
                &own
            }
            None => x,
        };
        let da = product(&PackedF32::pack_columns(x, inputs, m), &transposed(&dlow, ranks));
        for part in &group.parts {
            let from = &da[part.ranks.start * inputs..part.ranks.end * inputs];
            gradient[part.site.a.clone()].iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        let mut back = product(&group.down_back, &dlow);
        if let Some(seed) = low.mask {
            back = dropped(&back, self.dropout, seed);
        }
        dx.iter_mut().zip(&back).for_each(|(to, from)| *to += from);
    }
}

/// The columns `range` of `values` `[m, width]`, contiguous.
fn columns(values: &[f32], width: usize, range: &Range<usize>) -> Vec<f32> {
    values.chunks_exact(width).flat_map(|row| &row[range.clone()]).copied().collect()
}

/// `values` `[m, width]` to `[width, m]`.
fn transposed(values: &[f32], width: usize) -> Vec<f32> {
    let m = values.len() / width;
    let mut out = vec![0f32; values.len()];
    for (row, values) in values.chunks_exact(width).enumerate() {
        values.iter().enumerate().for_each(|(column, v)| out[column * m + row] = *v);
    }
    out
}

fn mask_seed(seed: u64, layer: usize, projection: Projection) -> u64 {
    mix(seed ^ mix((layer * 4 + projection as usize) as u64 + 1))
}

/// SplitMix64's finaliser: a well-mixed number from a counter.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `values` with a share `p` of them zeroed and the rest scaled up; the same ones for the same seed.
fn dropped(values: &[f32], p: f32, seed: u64) -> Vec<f32> {
    let keep = 1.0 / (1.0 - p);
    let limit = (f64::from(p) * 2f64.powi(32)) as u64;
    let kept = |i: usize| mix(seed.wrapping_add(i as u64)) >> 32 >= limit;
    values.iter().enumerate().map(|(i, v)| if kept(i) { v * keep } else { 0.0 }).collect()
}
