//! LoRA adapters: `y = W x + s B (A x)`, another adapter for each row of a batch where wanted.

use super::{
    kernels::{
        self, Isa,
        dense::{self, Columns, PANEL, PackedF16, PackedF32},
        parallel::{self, Shared},
    },
    linear::Precision,
};
use std::{borrow::Cow, collections::HashMap};

/// A stacked linear layer of the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Projection {
    Qkv,
    Output,
    GateUp,
    Down,
}

/// Where a linear layer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub layer: usize,
    pub projection: Projection,
}

/// A loaded adapter.
#[derive(Default)]
pub struct Adapter {
    pub(super) linears: HashMap<Slot, AdapterLinear>,
}

/// The adapter of one stacked layer.
pub(super) struct AdapterLinear {
    /// The `A` of all parts, stacked: `[sum of ranks, in]`.
    pub(super) down: LowMatrix,
    pub(super) parts: Vec<AdapterPart>,
}

/// The adapter of one projection within a stacked layer.
pub(super) struct AdapterPart {
    /// First column within the stacked `A x`.
    pub(super) rank_start: usize,
    /// `s B`: `[out, rank]`.
    pub(super) up: LowMatrix,
    /// First output within the stacked layer.
    pub(super) out_start: usize,
}

/// A matrix of an adapter: as precise as the model under it.
pub(super) enum LowMatrix {
    F32(PackedF32),
    /// With 8-bit weights: five adapters of rank 16 would otherwise be read at two thirds of the model's size.
    F16(PackedF16),
}

impl LowMatrix {
    pub(super) fn pack(precision: Precision, weights: &[f32], rows: usize, cols: usize) -> LowMatrix {
        match precision {
            Precision::F32 => LowMatrix::F32(PackedF32::pack(weights, rows, cols)),
            Precision::Q8 => LowMatrix::F16(PackedF16::pack(weights, rows, cols)),
        }
    }

    fn rows(&self) -> usize {
        match self {
            LowMatrix::F32(m) => m.rows(),
            LowMatrix::F16(m) => m.rows(),
        }
    }

    fn cols(&self) -> usize {
        match self {
            LowMatrix::F32(m) => m.cols(),
            LowMatrix::F16(m) => m.cols(),
        }
    }

    fn panel(&self, isa: Isa, panel: usize, x: Columns<'_>, write: impl FnMut(usize, &[f32])) {
        match self {
            LowMatrix::F32(m) => m.panel(isa, panel, x, write),
            LowMatrix::F16(m) => m.panel(isa, panel, x, write),
        }
    }
}

/// The rows of a batch that one adapter serves.
pub struct AdapterRows<'a> {
    pub adapter: &'a Adapter,
    pub rows: Vec<usize>,
}

/// What the adapters of one layer make of a batch: `A x` alongside the layer's own product, then `B`.
///
/// One parallel section more than without adapters, however many there are.
pub(super) struct LowRank<'a> {
    groups: Vec<Group<'a>>,
}

struct Group<'a> {
    rows: &'a [usize],
    linear: &'a AdapterLinear,
    /// The group's rows of the input `[rows, in]`.
    x: Cow<'a, [f32]>,
    /// `A x` `[rows, sum of ranks]`.
    low: Vec<f32>,
}

/// Panels of `B` that a thread takes at a time.
const CHUNK: usize = 16;

impl<'a> LowRank<'a> {
    /// `x` is `[m, width]`.
    pub(super) fn new(slot: Slot, groups: &'a [AdapterRows<'a>], x: &'a [f32], width: usize) -> LowRank<'a> {
        let groups = groups.iter().filter_map(|group| {
            let linear = group.adapter.linears.get(&slot)?;
            let all =
                group.rows.len() * width == x.len() && group.rows.iter().copied().eq(0..group.rows.len());
            let x = if all {
                Cow::Borrowed(x)
            } else {
                let rows: Vec<&[f32]> = group.rows.iter().map(|r| &x[r * width..][..width]).collect();
                Cow::Owned(rows.concat())
            };
            let low = vec![0f32; group.rows.len() * linear.down.rows()];
            Some(Group { rows: &group.rows, linear, x, low })
        });
        LowRank { groups: groups.collect() }
    }

    /// Computes `A x` in the tasks that `run` is given.
    pub(super) fn down<T>(&mut self, run: impl FnOnce(usize, &(dyn Fn(usize) + Sync)) -> T) -> T {
        let isa = kernels::isa();
        let mut work = Vec::new();
        for group in &mut self.groups {
            work.push((group.linear, &*group.x, Shared::new(&mut group.low)));
        }
        let tasks: Vec<(usize, usize)> = work
            .iter()
            .enumerate()
            .flat_map(|(i, (linear, ..))| {
                (0..linear.down.rows().div_ceil(PANEL)).map(move |panel| (i, panel))
            })
            .collect();
        run(tasks.len(), &|task| {
            let (i, panel) = tasks[task];
            let (linear, x, low) = &work[i];
            linear.down.panel(isa, panel, Columns::all(x, linear.down.cols()), |row, sums| {
                let start = row * linear.down.rows() + panel * PANEL;
                // SAFETY: each (group, panel) is one task.
                unsafe { low.part(start..start + sums.len()) }.copy_from_slice(sums);
            });
        })
    }

    /// Adds `s B (A x)` to `out` `[m, out_width]`.
    pub(super) fn up(&self, out: &mut [f32], out_width: usize) {
        if self.groups.is_empty() {
            return;
        }
        let isa = kernels::isa();
        let mut tasks = Vec::new();
        for group in &self.groups {
            for part in &group.linear.parts {
                // The columns of `A x` that this part reads.
                let low =
                    Columns { values: &group.low, width: group.linear.down.rows(), start: part.rank_start };
                let panels = part.up.rows().div_ceil(PANEL);
                let chunks = (0..panels).step_by(CHUNK).map(|first| first..(first + CHUNK).min(panels));
                tasks.extend(chunks.map(|panels| (group, part, low, panels)));
            }
        }
        let shared = Shared::new(out);
        parallel::for_each(tasks.len(), |task| {
            let (group, part, low, panels) = &tasks[task];
            for panel in panels.clone() {
                part.up.panel(isa, panel, *low, |row, sums| {
                    let start = group.rows[row] * out_width + part.out_start + panel * PANEL;
                    // SAFETY: a row has one adapter, a part its own outputs, and a panel is in one task.
                    dense::add(sums, unsafe { shared.part(start..start + sums.len()) });
                });
            }
        });
    }
}
