//! LoRA on one stacked projection, forwards and backwards.

use super::{
    frozen::product,
    lora::{Lora, Site},
    outer::outer,
    pointwise::add,
};
use crate::model::{
    kernels::{
        self,
        dense::{Columns, PackedF32, Place},
    },
    lora::Projection,
};
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
            let low = Columns { values: &values, width: group.down.rows(), start: part.ranks.start };
            let start = part.site.out_start;
            let to = Place { values: &mut *y, width, start, scale: self.scale, add: true };
            part.up.product(kernels::isa(), low, to);
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
        let isa = kernels::isa();
        let mut dlow = vec![0f32; m * ranks];
        for part in &group.parts {
            let (outputs, rank, start) = (part.site.outputs, part.ranks.len(), part.ranks.start);
            let dy = Columns { values: dy, width, start: part.site.out_start };
            let to = Place { values: &mut dlow, width: ranks, start, scale: self.scale, add: false };
            part.up_back.product(isa, dy, to);
            // dB = s dyᵀ low.
            let db = outer(Columns { values: &low.values, width: ranks, start }, rank, dy, outputs);
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
        let da = outer(Columns::all(&dlow, ranks), ranks, Columns::all(x, inputs), inputs);
        for part in &group.parts {
            let from = &da[part.ranks.start * inputs..part.ranks.end * inputs];
            gradient[part.site.a.clone()].iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        let dlow = Columns::all(&dlow, ranks);
        match low.mask {
            None => {
                let to = Place { values: dx, width: inputs, start: 0, scale: 1.0, add: true };
                group.down_back.product(isa, dlow, to);
            }
            Some(seed) => add(dx, &dropped(&product(&group.down_back, dlow.values), self.dropout, seed)),
        }
    }
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
