//! Arithmetic of our own: packed matrix products, attention, and the small operations around them.
//!
//! Every kernel is *batch-invariant*: a row's result is the same to the last bit, however many rows
//! share the call, wherever a chunk begins, and on every instruction set, because each output is one
//! chain of fused multiply-adds in a fixed order. Nothing here knows of models, files or candle.
//!
//! Kernels are written once over [`lanes::Lanes`] (16 floats) and compiled for AVX-512 with VNNI, AVX2
//! and portable Rust; [`isa`] picks at run time. Products of 8-bit blocks have AMX
//! besides, for each 16 rows.

#[cfg(target_arch = "x86_64")]
mod amx;
pub mod attention;
pub mod dense;
pub mod elementwise;
pub mod lanes;
pub mod parallel;
pub mod q8;

use std::sync::OnceLock;

/// Instruction sets that kernels are compiled for, the best one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 as below, and AMX for products of 8-bit blocks.
    Amx,
    /// AVX-512 F, BW, VL, DQ and VNNI.
    Avx512,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// Plain Rust; on ARM the compiler turns it into NEON.
    Portable,
}

impl Isa {
    /// How many vectors of 16 floats can be summed into at once ([`Lanes::SUMS`](lanes::Lanes::SUMS)).
    fn sums(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx | Isa::Avx512 => <lanes::Avx512 as lanes::Lanes>::SUMS,
            _ => <lanes::Portable as lanes::Lanes>::SUMS,
        }
    }
}

/// The best instruction set of this machine.
pub fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| *available().first().unwrap_or(&Isa::Portable))
}

/// All that this machine can run, the best one first.
pub fn available() -> Vec<Isa> {
    let mut all = vec![Isa::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            all.insert(0, Isa::Avx2);
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vnni")
            {
                all.insert(0, Isa::Avx512);
                if amx::available() {
                    all.insert(0, Isa::Amx);
                }
            }
        }
    }
    all
}

/// Defines `fn name(isa, args…)` that runs `body::<L>(args…)` compiled for `isa`.
///
/// The one place where a target feature is switched on: `isa` comes from [`available`] only, so the
/// machine has the features that the chosen copy was compiled with.
macro_rules! per_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident $(::<$($generic:tt),*>)?) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(isa: $crate::model::kernels::Isa, $($arg: $ty),*) $(-> $ret)? {
            use $crate::model::kernels::{Isa, lanes};
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                $body::<lanes::Avx512 $(, $($generic),*)?>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                $body::<lanes::Avx2 $(, $($generic),*)?>($($arg),*)
            }
            match isa {
                // SAFETY: `available` found these features on this machine.
                #[cfg(target_arch = "x86_64")]
                Isa::Amx | Isa::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { avx2($($arg),*) },
                _ => $body::<lanes::Portable $(, $($generic),*)?>($($arg),*),
            }
        }
    };
}
pub(crate) use per_isa;

#[cfg(test)]
pub mod tests {
    use rand::{Rng, SeedableRng};

    /// Numbers in -1..1, the same for the same seed.
    pub fn noise(seed: u64, count: usize) -> Vec<f32> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }
}
