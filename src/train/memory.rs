//! Buffers that stay with the process.

/// Lets the allocator keep the large buffers of a pass for the next one, instead of giving each back to the system and
/// having it zeroed, page by page, again: seen to cost up to a fifth of a machine's time. For the beginning of a run,
/// before its threads start. Does nothing where the C library is not glibc.
pub fn keep_buffers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets two numbers of the allocator; no other thread is using it for the first time meanwhile.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}
