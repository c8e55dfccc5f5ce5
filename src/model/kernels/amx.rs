//! Products of 8-bit blocks on AMX, the matrix unit of newer Intel server processors: 16 rows of activations times
//! 16 outputs at once.
//!
//! The same integers as [`Lanes::dot`](super::lanes::Lanes::dot) in the same order of blocks, so the same bits. The
//! compiler has no stable words for the unit's instructions, hence the assembly. Its eight registers are state of a
//! thread: they are set up and given back within one call.

use super::lanes::{Activations, Avx512, Block, Lanes, PANEL};
use half::f16;
use std::{
    arch::{asm, x86_64::*},
    marker::PhantomData,
};

/// Rows of activations in one register.
pub const ROWS: usize = 16;

/// Computes the sums of one block into a set of registers, where [`keep`] finds them: the compiler has no use of its own
/// for these registers, so what is in them stays from one piece of assembly to the next.
macro_rules! multiply {
    ($high:tt, $low:tt, $weights:tt, $block:expr, $x:expr) => {
        let (block, x): (&Block, &[Activations; ROWS]) = ($block, $x);
        // SAFETY: a `Unit` is alive; this reads the block and the rows, 32 bytes at a distance of 64.
        unsafe {
            asm!(
                concat!("tileloadd ", $weights, ", [{block} + {line}]"),
                "tileloadd tmm4, [{x} + {line}]",
                "tileloadd tmm5, [{x} + {line} + 32]",
                concat!("tilezero ", $high),
                concat!("tilezero ", $low),
                concat!("tdpbsud ", $high, ", tmm4, ", $weights),
                concat!("tdpbsud ", $low, ", tmm5, ", $weights),
                block = in(reg) block.as_ptr(),
                x = in(reg) x.as_ptr(),
                line = in(reg) 64usize,
                out($high) _, out($low) _, out($weights) _, out("tmm4") _, out("tmm5") _,
                options(nostack, readonly),
            );
        }
    };
}

/// Stores the sums of a set of registers.
macro_rules! keep {
    ($high:tt, $low:tt, $sums:expr) => {
        let sums: &mut Sums = &mut *$sums;
        // SAFETY: a `Unit` is alive; this writes the sums.
        unsafe {
            asm!(
                concat!("tilestored [{sums} + {line}], ", $high),
                concat!("tilestored [{sums} + {line} + 1024], ", $low),
                line = in(reg) 64usize,
                sums = in(reg) &raw mut *sums,
                options(nostack),
            );
        }
    };
}

/// Whether this processor, which has AVX-512, has the unit, and this system lets us use it.
#[cfg(target_os = "linux")]
pub fn available() -> bool {
    /// AMX-TILE and AMX-INT8 in EDX of leaf 7.
    const FEATURES: u32 = 1 << 24 | 1 << 25;
    /// The unit's registers are 8 kB that the system saves for each thread: a process has to ask for them once.
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: leaf 7 is older than AVX-512. (Newer compilers hold the call to be safe.)
    #[allow(unused_unsafe)]
    let leaf = unsafe { __cpuid_count(7, 0) };
    // SAFETY: asks for a permission; nothing else changes.
    leaf.edx & FEATURES == FEATURES
        && unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

/// How other systems give the unit to a program is not known to us.
#[cfg(not(target_os = "linux"))]
pub fn available() -> bool {
    false
}

/// Shapes of the eight registers: rows, and bytes in a row.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

/// 16 × 16 sums of a block: those of the high bytes, then those of the low ones.
#[repr(C, align(64))]
struct Sums([[[i32; PANEL]; ROWS]; 2]);

/// The unit, set up for this thread; given back when dropped.
pub struct Unit {
    /// Of two blocks, by turns.
    sums: [Sums; 2],
    /// Its registers are the thread's.
    thread: PhantomData<*const ()>,
}

impl Unit {
    /// # Safety
    /// [`available`] said yes, and this thread holds no other.
    pub unsafe fn new() -> Unit {
        let mut shapes = Shapes { palette: 1, start: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
        // 0 to 3: sums. 4 and 5: bytes of the activations. 6 and 7: weights, four inputs of 16 outputs a row.
        for (register, bytes) in [64, 64, 64, 64, 32, 32, 64, 64].into_iter().enumerate() {
            shapes.bytes[register] = bytes;
            shapes.rows[register] = if register < 6 { ROWS as u8 } else { 8 };
        }
        // SAFETY: a valid description of 64 bytes, by the caller on a processor that reads it.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly)) };
        Unit { sums: [const { Sums([[[0; PANEL]; ROWS]; 2]) }; 2], thread: PhantomData }
    }

    /// One panel, `data` and `scales` `[block]`, times 16 rows of activations `[block, row]`; `out` gets the sums of each row.
    /// Weights that still have to come from memory are asked for `ahead` blocks before they are needed.
    ///
    /// # Safety
    /// The processor has the features named here.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
    pub unsafe fn panel(
        &mut self,
        data: &[Block],
        scales: &[[f16; PANEL]],
        x: Rows<'_>,
        ahead: Option<usize>,
        out: &mut [[f32; PANEL]; ROWS],
    ) {
        let blocks = data.len();
        assert!([scales.len(), x.bytes.len(), x.scales.len(), x.offsets.len()] == [blocks; 4]);
        let mut acc = [_mm512_setzero_ps(); ROWS];
        let [even, odd] = &mut self.sums;
        let ask = |b: usize| {
            if let Some(ahead) = ahead {
                Avx512::prefetch(data.as_ptr().wrapping_add(b + ahead));
            }
        };
        // Three blocks are under way, with registers by turns: one is computed while the sums of the one before are
        // stored and those before that are scaled.
        if blocks > 0 {
            multiply!("tmm0", "tmm1", "tmm6", &data[0], &x.bytes[0]);
        }
        if blocks > 1 {
            multiply!("tmm2", "tmm3", "tmm7", &data[1], &x.bytes[1]);
        }
        if blocks > 0 {
            keep!("tmm0", "tmm1", even);
        }
        for b in (0..blocks).step_by(2) {
            if b + 2 < blocks {
                multiply!("tmm0", "tmm1", "tmm6", &data[b + 2], &x.bytes[b + 2]);
            }
            if b + 1 < blocks {
                keep!("tmm2", "tmm3", odd);
            }
            ask(b);
            add(even, &scales[b], &x.scales[b], &x.offsets[b], &mut acc);
            if b + 1 == blocks {
                break;
            }
            if b + 3 < blocks {
                multiply!("tmm2", "tmm3", "tmm7", &data[b + 3], &x.bytes[b + 3]);
            }
            if b + 2 < blocks {
                keep!("tmm0", "tmm1", even);
            }
            ask(b + 1);
            add(odd, &scales[b + 1], &x.scales[b + 1], &x.offsets[b + 1], &mut acc);
        }
        for (acc, out) in acc.iter().zip(out) {
            // SAFETY: 16 floats.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), *acc) };
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: `new` ran on this thread.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Sixteen rows of activations, `[block]`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub bytes: &'a [[Activations; ROWS]],
    pub scales: &'a [[f32; ROWS]],
    pub offsets: &'a [[i32; ROWS]],
}

/// Adds the sums of one block, scaled.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
fn add(
    sums: &Sums,
    scale: &[f16; PANEL],
    x_scales: &[f32; ROWS],
    offsets: &[i32; ROWS],
    acc: &mut [__m512; ROWS],
) {
    // SAFETY: 16 half floats.
    let scale = unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(scale.as_ptr().cast())) };
    // Spelled out, or the compiler keeps the sixteen sums in memory.
    macro_rules! rows {
        ($($r:literal)*) => {
            $({
                // SAFETY: 16 integers each, aligned.
                let [high, low] =
                    [0, 1].map(|part| unsafe { _mm512_load_si512(sums.0[part][$r].as_ptr().cast()) });
                let low = _mm512_add_epi32(low, _mm512_set1_epi32(offsets[$r]));
                let sum = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32::<8>(high), low));
                acc[$r] = _mm512_fmadd_ps(sum, _mm512_mul_ps(scale, _mm512_set1_ps(x_scales[$r])), acc[$r]);
            })*
        };
    }
    rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
}
