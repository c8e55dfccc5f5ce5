//! Splits work among the threads of the current rayon pool, with as little ceremony as possible.
//!
//! A forward pass has about two hundred parallel sections of tens of microseconds; an atomic counter and
//! one spawn per helper thread cost less there than recursive splitting.

use rayon::prelude::*;
use std::{
    mem::MaybeUninit,
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

/// Room for `len` floats. Much of it asks for large pages: products write a line here and a line there, and finding a page
/// of 4 kB took longer than writing to it.
fn room(len: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(len);
    #[cfg(target_os = "linux")]
    if len >= 1 << 20 {
        let (start, end) = (out.as_mut_ptr() as usize, out.as_mut_ptr() as usize + 4 * len);
        let (start, end) = (start.next_multiple_of(1 << 21), end & !((1 << 21) - 1));
        // SAFETY: a hint about pages that lie within the buffer.
        unsafe { libc::madvise(start as *mut libc::c_void, end.saturating_sub(start), libc::MADV_HUGEPAGE) };
    }
    out
}

/// `len` zeros, written by all threads: the buffers of a training pass are too large for one.
pub fn zeros(len: usize) -> Vec<f32> {
    let mut out = room(len);
    out.spare_capacity_mut()[..len].par_chunks_mut(1 << 16).for_each(|chunk| {
        chunk.fill(MaybeUninit::new(0.0));
    });
    // SAFETY: all of them were just written.
    unsafe { out.set_len(len) };
    out
}

/// `len` floats as `write` leaves them: zeroing the results of a product first takes one thread a twentieth of its time.
///
/// # Safety
/// `write` writes every one of them, and reads none that it has not written: what [`Shared::part`] gives it is only to be
/// stored to.
pub unsafe fn written(len: usize, write: impl FnOnce(&Shared<'_>)) -> Vec<f32> {
    let mut out = room(len);
    write(&Shared { at: out.as_mut_ptr(), len, slice: std::marker::PhantomData });
    // SAFETY: there is room for them, and the caller wrote them.
    unsafe { out.set_len(len) };
    out
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

    /// Asks for the line of element `at` to be brought near.
    #[inline(always)]
    pub fn prefetch(&self, at: usize) {
        // SAFETY: a hint, which no address makes fault.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.at.wrapping_add(at).cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
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
