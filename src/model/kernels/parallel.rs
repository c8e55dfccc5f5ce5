//! Splits work among the threads of the current rayon pool, with as little ceremony as possible.
//!
//! A forward pass has about two hundred parallel sections of tens of microseconds; an atomic counter and
//! one spawn per helper thread cost less there than recursive splitting.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Calls `body` with each of `0..count`, on all threads of the pool.
pub fn for_each(count: usize, body: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= count {
                break;
            }
            body(task);
        }
    };
    match rayon::current_num_threads().min(count).saturating_sub(1) {
        0 => work(),
        1 => {
            rayon::join(work, work);
        }
        helpers => rayon::scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| work());
            }
            work();
        }),
    }
}

/// Calls `body` with ranges of at most `grain` that cover `0..count`, on all threads of the pool.
pub fn for_each_range(count: usize, grain: usize, body: impl Fn(Range<usize>) + Sync) {
    let grain = grain.max(1);
    for_each(count.div_ceil(grain), |task| body(task * grain..((task + 1) * grain).min(count)));
}

/// A mutable slice that several threads write disjoint parts of.
pub struct Shared<'a> {
    at: *mut f32,
    len: usize,
    slice: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: access goes through `part`, whose callers promise disjoint ranges.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub fn new(slice: &'a mut [f32]) -> Shared<'a> {
        Shared { at: slice.as_mut_ptr(), len: slice.len(), slice: std::marker::PhantomData }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements of `range`, checked against the length.
    ///
    /// # Safety
    /// No two calls that are alive at once may overlap.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [f32] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: within the slice, which is borrowed for 'a; the caller keeps parts disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.at.add(range.start), range.len()) }
    }
}
