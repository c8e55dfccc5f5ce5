//! Sixteen floats at a time, on each instruction set: the words that kernels are written in.
//!
//! All three give the same bits: only exact operations and fused multiply-add, no approximations.

use half::f16;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Output rows per panel of packed weights.
pub const PANEL: usize = 16;
/// 64 weights of one group: 16 output rows × 4 consecutive inputs, each stored as value + 128.
pub type Group = [u8; 64];
/// One block of a panel: 32 inputs of 16 output rows.
pub type Block = [Group; 8];

/// 32 activations in 16 bits each, as the instruction set wants them ([`Lanes::activations`]).
pub type Activations = [[i8; 32]; 2];

/// A vector of 16 `f32`. The x86 types may only be used in functions compiled for their features, which
/// `per_isa!` sees to; every method is inlined into such a function.
pub trait Lanes: Copy {
    /// How many of these can be summed into at once, with room left in the registers for what is added.
    const SUMS: usize = 6;
    fn splat(value: f32) -> Self;
    fn load(from: &[f32; 16]) -> Self;
    fn store(self, to: &mut [f32; 16]);
    /// 16 half floats.
    fn load_half(from: &[f16; 16]) -> Self;
    /// `self * b + c`, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    fn max(self, b: Self) -> Self;
    fn min(self, b: Self) -> Self;
    /// Nearest integer, ties to even.
    fn round(self) -> Self;
    /// 2 to the power of an integer-valued lane within -126..=127.
    fn pow2(self) -> Self;
    /// Integer-valued lanes as bytes, at most 127.
    fn to_i8(self, to: &mut [i8; 16]);
    /// Stores 32 activations `256 high + low`, both integer-valued and at most 127: here as the high bytes, then the low ones.
    #[inline(always)]
    fn activations(high: [Self; 2], low: [Self; 2], to: &mut Activations) {
        for (part, halves) in to.iter_mut().zip([high, low]) {
            for (half, to) in halves.into_iter().zip(part.as_chunks_mut::<16>().0) {
                half.to_i8(to);
            }
        }
    }
    /// Exact integer dot products of a weight block with `R` blocks of activations, as floats.
    /// `offset[r]` is -128 times the sum of `rows[r]`, which undoes the stored + 128.
    fn dot<const R: usize>(block: &Block, rows: [&Activations; R], offset: [i32; R]) -> [Self; R];

    /// Asks for the 64-byte lines of a `T` to be brought near; nothing happens if there is none.
    #[inline(always)]
    fn prefetch<T>(_at: *const T) {}

    /// e to the power of each lane, within 1.2e-7 relative; lanes below -87 give about 1e-38.
    ///
    /// Range reduction by ln 2 in two parts and a degree-6 Taylor polynomial in Horner form on ±ln 2 / 2.
    #[inline(always)]
    fn exp(self) -> Self {
        let x = self.max(Self::splat(-87.0));
        let n = x.mul(Self::splat(std::f32::consts::LOG2_E)).round();
        let r = n.fma(Self::splat(-0.693_359_4), x);
        let r = n.fma(Self::splat(2.121_944_4e-4), r);
        let mut p = Self::splat(1.0 / 5040.0);
        for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            p = p.fma(r, Self::splat(c));
        }
        p.mul(n.pow2())
    }
}

/// Plain Rust.
#[derive(Clone, Copy)]
pub struct Portable([f32; 16]);

impl Portable {
    #[inline(always)]
    fn map2(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Portable(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

impl Lanes for Portable {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Portable([value; 16])
    }
    #[inline(always)]
    fn load(from: &[f32; 16]) -> Self {
        Portable(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        *to = self.0;
    }
    #[inline(always)]
    fn load_half(from: &[f16; 16]) -> Self {
        Portable(from.map(f16::to_f32))
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i].mul_add(b.0[i], c.0[i])))
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.map2(b, |a, b| a * b)
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.map2(b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.map2(b, |a, b| a - b)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.map2(b, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        self.map2(b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        self.map2(b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn round(self) -> Self {
        Portable(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    fn pow2(self) -> Self {
        Portable(self.0.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23)))
    }
    #[inline(always)]
    fn to_i8(self, to: &mut [i8; 16]) {
        *to = self.0.map(|v| v as i8);
    }
    #[inline(always)]
    fn dot<const R: usize>(block: &Block, rows: [&Activations; R], offset: [i32; R]) -> [Self; R] {
        std::array::from_fn(|r| {
            let mut sum = [offset[r]; 16];
            for (g, group) in block.iter().enumerate() {
                let x: [i32; 4] = std::array::from_fn(|i| {
                    i32::from(rows[r][0][g * 4 + i]) * 256 + i32::from(rows[r][1][g * 4 + i])
                });
                for (sum, w) in sum.iter_mut().zip(group.as_chunks::<4>().0) {
                    *sum += (0..4).map(|i| i32::from(w[i]) * x[i]).sum::<i32>();
                }
            }
            Portable(sum.map(|s| s as f32))
        })
    }
}

/// One AVX-512 register.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx512(__m512);

// SAFETY of every block below: values of this type exist only inside functions that `per_isa!` compiled
// for AVX-512 and calls after detection; loads and stores are unaligned ones on whole arrays.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks)]
impl Lanes for Avx512 {
    const SUMS: usize = 24;
    #[inline(always)]
    fn splat(value: f32) -> Self {
        unsafe { Avx512(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    fn load(from: &[f32; 16]) -> Self {
        unsafe { Avx512(_mm512_loadu_ps(from.as_ptr())) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn load_half(from: &[f16; 16]) -> Self {
        unsafe { Avx512(_mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast()))) }
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        unsafe { Avx512(_mm512_fmadd_ps(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        unsafe { Avx512(_mm512_mul_ps(self.0, b.0)) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        unsafe { Avx512(_mm512_add_ps(self.0, b.0)) }
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        unsafe { Avx512(_mm512_sub_ps(self.0, b.0)) }
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        unsafe { Avx512(_mm512_div_ps(self.0, b.0)) }
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        unsafe { Avx512(_mm512_max_ps(self.0, b.0)) }
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        unsafe { Avx512(_mm512_min_ps(self.0, b.0)) }
    }
    #[inline(always)]
    fn round(self) -> Self {
        unsafe { Avx512(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
    }
    #[inline(always)]
    fn pow2(self) -> Self {
        unsafe { Avx512(_mm512_scalef_ps(_mm512_set1_ps(1.0), self.0)) }
    }
    #[inline(always)]
    fn to_i8(self, to: &mut [i8; 16]) {
        unsafe {
            let bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(self.0));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }
    #[inline(always)]
    fn prefetch<T>(at: *const T) {
        for line in 0..size_of::<T>().div_ceil(64) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast::<i8>().wrapping_add(64 * line)) }
        }
    }
    #[inline(always)]
    fn dot<const R: usize>(block: &Block, rows: [&Activations; R], offset: [i32; R]) -> [Self; R] {
        unsafe {
            let mut high = [_mm512_setzero_si512(); R];
            let mut low: [__m512i; R] = offset.map(|o| _mm512_set1_epi32(o));
            for (g, group) in block.iter().enumerate() {
                let w = _mm512_loadu_si512(group.as_ptr().cast());
                for r in 0..R {
                    // Four activations as one 32-bit lane, broadcast to all 16 output rows.
                    let x = |part: usize| {
                        let at = rows[r][part].as_ptr().cast::<i32>();
                        _mm512_set1_epi32(at.add(g).read_unaligned())
                    };
                    high[r] = _mm512_dpbusd_epi32(high[r], w, x(0));
                    low[r] = _mm512_dpbusd_epi32(low[r], w, x(1));
                }
            }
            std::array::from_fn(|r| {
                let sum = _mm512_add_epi32(_mm512_slli_epi32::<8>(high[r]), low[r]);
                Avx512(_mm512_cvtepi32_ps(sum))
            })
        }
    }
}

/// Two AVX2 registers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx2(__m256, __m256);

// SAFETY of every block below: as for `Avx512`, with AVX2, FMA and F16C.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks)]
impl Lanes for Avx2 {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        unsafe { Avx2(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
    }
    #[inline(always)]
    fn load(from: &[f32; 16]) -> Self {
        unsafe { Avx2(_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), self.0);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), self.1);
        }
    }
    #[inline(always)]
    fn load_half(from: &[f16; 16]) -> Self {
        unsafe {
            let at = from.as_ptr().cast::<__m128i>();
            Avx2(_mm256_cvtph_ps(_mm_loadu_si128(at)), _mm256_cvtph_ps(_mm_loadu_si128(at.add(1))))
        }
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        unsafe { Avx2(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1)) }
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        unsafe { Avx2(_mm256_mul_ps(self.0, b.0), _mm256_mul_ps(self.1, b.1)) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        unsafe { Avx2(_mm256_add_ps(self.0, b.0), _mm256_add_ps(self.1, b.1)) }
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        unsafe { Avx2(_mm256_sub_ps(self.0, b.0), _mm256_sub_ps(self.1, b.1)) }
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        unsafe { Avx2(_mm256_div_ps(self.0, b.0), _mm256_div_ps(self.1, b.1)) }
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        unsafe { Avx2(_mm256_max_ps(self.0, b.0), _mm256_max_ps(self.1, b.1)) }
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        unsafe { Avx2(_mm256_min_ps(self.0, b.0), _mm256_min_ps(self.1, b.1)) }
    }
    #[inline(always)]
    fn round(self) -> Self {
        unsafe {
            Avx2(
                _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0),
                _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.1),
            )
        }
    }
    #[inline(always)]
    fn pow2(self) -> Self {
        unsafe {
            let one = |n: __m256| {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            };
            Avx2(one(self.0), one(self.1))
        }
    }
    #[inline(always)]
    fn to_i8(self, to: &mut [i8; 16]) {
        unsafe {
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(self.0), _mm256_cvtps_epi32(self.1));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let halves = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_packs_epi16(halves.0, halves.1));
        }
    }
    #[inline(always)]
    fn prefetch<T>(at: *const T) {
        for line in 0..size_of::<T>().div_ceil(64) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast::<i8>().wrapping_add(64 * line)) }
        }
    }
    /// 16 bits each, every four inputs as first, third, second, fourth: pairs as `pairs` multiplies them.
    #[inline(always)]
    fn activations(high: [Self; 2], low: [Self; 2], to: &mut Activations) {
        unsafe {
            let order = _mm256_setr_epi8(
                0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13,
                10, 11, 14, 15,
            );
            for (half, to) in to.iter_mut().enumerate() {
                let x = high[half].fma(Self::splat(256.0), low[half]);
                let words = _mm256_packs_epi32(_mm256_cvtps_epi32(x.0), _mm256_cvtps_epi32(x.1));
                let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
                _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_shuffle_epi8(words, order));
            }
        }
    }
    #[inline(always)]
    fn dot<const R: usize>(block: &Block, rows: [&Activations; R], offset: [i32; R]) -> [Self; R] {
        let mut out = [Self::splat(0.0); R];
        let mut r = 0;
        while r < R {
            // What four rows need stays in the sixteen registers.
            r += match R - r {
                1 => unsafe { pairs::<1>(block, &rows[r..], &offset[r..], &mut out[r..]) },
                2 => unsafe { pairs::<2>(block, &rows[r..], &offset[r..], &mut out[r..]) },
                3 => unsafe { pairs::<3>(block, &rows[r..], &offset[r..], &mut out[r..]) },
                _ => unsafe { pairs::<4>(block, &rows[r..], &offset[r..], &mut out[r..]) },
            };
        }
        out
    }
}

/// [`Lanes::dot`] of the first `N` rows; returns `N`.
///
/// Bytes at even places and those at odd ones are widened to 16 bits apart (a saturating 8-bit product would not be exact), so
/// that each sum of two products is one output row's.
///
/// # Safety
/// Inlined into a function that was compiled for AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn pairs<const N: usize>(
    block: &Block,
    rows: &[&Activations],
    offset: &[i32],
    out: &mut [Avx2],
) -> usize {
    // SAFETY: as the caller promises; loads are unaligned ones within the arrays.
    unsafe {
        let even = _mm256_set1_epi16(0xff);
        let mut sums: [[__m256i; 2]; N] = std::array::from_fn(|r| [_mm256_set1_epi32(offset[r]); 2]);
        for (g, group) in block.iter().enumerate() {
            let halves: [__m256i; 2] =
                std::array::from_fn(|half| _mm256_loadu_si256(group.as_ptr().add(32 * half).cast()));
            let parities = [
                halves.map(|bytes| _mm256_and_si256(bytes, even)),
                halves.map(|bytes| _mm256_srli_epi16::<8>(bytes)),
            ];
            for r in 0..N {
                let at = rows[r].as_ptr().cast::<i32>().add(2 * g);
                for (parity, weights) in parities.iter().enumerate() {
                    let x = _mm256_set1_epi32(at.add(parity).read_unaligned());
                    for (sum, w) in sums[r].iter_mut().zip(weights) {
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(*w, x));
                    }
                }
            }
        }
        for r in 0..N {
            out[r] = Avx2(_mm256_cvtepi32_ps(sums[r][0]), _mm256_cvtepi32_ps(sums[r][1]));
        }
    }
    N
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::{available, per_isa};

    fn exp_body<L: Lanes>(x: &mut [f32; 16]) {
        L::load(x).exp().store(x);
    }
    per_isa!(fn exp_on(x: &mut [f32; 16]) = exp_body);

    #[test]
    fn exp_is_accurate_and_equal_on_all_instruction_sets() {
        for start in -40..40 {
            let input: [f32; 16] = std::array::from_fn(|i| start as f32 * 2.1 + i as f32 * 0.13);
            let mut want = input;
            exp_body::<Portable>(&mut want);
            for (x, y) in input.iter().zip(want) {
                let exact = f64::from(*x).exp();
                assert!((f64::from(y) - exact).abs() <= 3e-7 * exact, "exp({x}) = {y}, not {exact}");
            }
            for isa in available() {
                let mut got = input;
                exp_on(isa, &mut got);
                assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{isa:?}");
            }
        }
    }
}
