//! Keys and values of sequences, in pages that forks share.
//!
//! A page holds [`PAGE`] positions of all layers. Forking clones page pointers; writing into a page that
//! someone else holds copies it first. So a prompt's prefix is computed and stored once for all rows.

use super::kernels::attention::{PAGE, Page};
use std::sync::Arc;

/// The dimensions of a model's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheShape {
    pub layers: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl CacheShape {
    /// Value lanes of 16 per head.
    fn lanes(&self) -> usize {
        self.head_dim.div_ceil(16)
    }

    /// Memory of one page, in bytes.
    pub fn page_bytes(&self) -> usize {
        self.layers * self.kv_heads * PAGE * (self.head_dim + self.lanes() * 16) * size_of::<f32>()
    }
}

/// The KV state of one sequence.
#[derive(Clone, Debug)]
pub struct Sequence {
    shape: CacheShape,
    pages: Vec<Arc<PageData>>,
    len: usize,
}

/// All layers and heads of one page.
#[derive(Clone, Debug)]
struct PageData {
    /// `[layer, head, head_dim, PAGE]`
    keys: Vec<[f32; PAGE]>,
    /// `[layer, head, PAGE, lanes of 16]`
    values: Vec<[f32; 16]>,
}

impl Sequence {
    pub fn new(shape: CacheShape) -> Sequence {
        Sequence { shape, pages: Vec::new(), len: 0 }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A sequence with the first `len` positions (at most all), sharing their pages.
    pub fn fork(&self, len: usize) -> Sequence {
        let len = len.min(self.len);
        Sequence { shape: self.shape, pages: self.pages[..len.div_ceil(PAGE)].to_vec(), len }
    }

    /// Makes room for `extra` positions that this sequence alone may write.
    pub(super) fn reserve(&mut self, extra: usize) {
        let heads = self.shape.layers * self.shape.kv_heads;
        let first = self.len / PAGE;
        for index in first..(self.len + extra).div_ceil(PAGE) {
            match self.pages.get_mut(index) {
                Some(page) => {
                    Arc::make_mut(page);
                }
                None => self.pages.push(Arc::new(PageData {
                    keys: vec![[0.0; PAGE]; heads * self.shape.head_dim],
                    values: vec![[0.0; 16]; heads * PAGE * self.shape.lanes()],
                })),
            }
        }
    }

    /// Stores one position of one head; `position` was reserved.
    pub(super) fn write(&mut self, layer: usize, head: usize, position: usize, key: &[f32], value: &[f32]) {
        let (head_dim, lanes) = (self.shape.head_dim, self.shape.lanes());
        let head = layer * self.shape.kv_heads + head;
        let page = Arc::make_mut(&mut self.pages[position / PAGE]);
        for (column, key) in page.keys[head * head_dim..].iter_mut().zip(key) {
            column[position % PAGE] = *key;
        }
        let at = (head * PAGE + position % PAGE) * lanes;
        page.values[at..at + lanes].as_flattened_mut()[..head_dim].copy_from_slice(value);
    }

    /// Counts `extra` written positions as held.
    pub(super) fn advance(&mut self, extra: usize) {
        self.len += extra;
    }

    /// The pages of one head.
    pub(super) fn pages(&self, layer: usize, head: usize) -> Vec<Page<'_>> {
        let (head_dim, lanes) = (self.shape.head_dim, self.shape.lanes());
        let head = layer * self.shape.kv_heads + head;
        self.pages
            .iter()
            .map(|page| Page {
                keys: &page.keys[head * head_dim..][..head_dim],
                values: &page.values[head * PAGE * lanes..][..PAGE * lanes],
            })
            .collect()
    }
}
