//! Random numbers for resampling: a small seeded generator, and binomial draws. The same on every machine.

use statrs::function::factorial::ln_factorial;

/// SplitMix64 (Steele, Lea and Flood 2014): one addition and two multiplications per number.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A stream of its own for each pair of numbers.
    pub fn new(seed: u64, stream: u64) -> Random {
        let mut random = Random(seed ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03));
        random.bits();
        random
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform over 0 to 1, both ends left out.
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Uniform over `0..n`, `n` at least 1 and below 2³²: the high half of a product, biased by less than 2⁻³².
    pub fn below(&mut self, n: usize) -> usize {
        (((self.bits() >> 32) * n as u64) >> 32) as usize
    }

    /// Successes out of `n` at probability `p`.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p <= 0.0 || n == 0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        if n as f64 * p < 10.0 { self.inverted(n, p) } else { self.rejected(n, p) }
    }

    /// Sequential search from 0: short where few successes are expected.
    fn inverted(&mut self, n: u64, p: f64) -> u64 {
        let odds = p / (1.0 - p);
        let mut term = (n as f64 * (-p).ln_1p()).exp();
        let mut left = self.unit();
        for k in 0..n {
            if left <= term {
                return k;
            }
            left -= term;
            term *= odds * (n - k) as f64 / (k + 1) as f64;
            if term < 1e-300 {
                return k;
            }
        }
        n
    }

    /// Transformed rejection with squeeze (Hörmann 1993, algorithm BTRS): a constant number of draws.
    fn rejected(&mut self, n: u64, p: f64) -> u64 {
        let (count, q) = (n as f64, 1.0 - p);
        let deviation = (count * p * q).sqrt();
        let b = 1.15 + 2.53 * deviation;
        let a = -0.0873 + 0.0248 * b + 0.01 * p;
        let centre = count * p + 0.5;
        let squeeze = 0.92 - 4.2 / b;
        let alpha = (2.83 + 5.1 / b) * deviation;
        let log_odds = (p / q).ln();
        let mode = ((count + 1.0) * p).floor();
        let height = ln_factorial(mode as u64) + ln_factorial(n - mode as u64);
        loop {
            let u = self.unit() - 0.5;
            let mut v = self.unit();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + centre).floor();
            if k < 0.0 || k > count {
                continue;
            }
            if us >= 0.07 && v <= squeeze {
                return k as u64;
            }
            v = (v * alpha / (a / (us * us) + b)).ln();
            let k_whole = k as u64;
            if v <= height - ln_factorial(k_whole) - ln_factorial(n - k_whole) + (k - mode) * log_odds {
                return k_whole;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of many draws against n p and n p q.
    fn check(n: u64, p: f64) {
        let mut random = Random::new(7, n);
        let draws: Vec<f64> = (0..20_000).map(|_| random.binomial(n, p) as f64).collect();
        let mean = draws.iter().sum::<f64>() / 2e4;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 2e4;
        let (want, spread) = (n as f64 * p, n as f64 * p * (1.0 - p));
        assert!((mean - want).abs() < 5.0 * (spread / 2e4).sqrt(), "{n} {p}: mean {mean}, not {want}");
        assert!((variance / spread - 1.0).abs() < 0.06, "{n} {p}: variance {variance}, not {spread}");
        assert!(draws.iter().all(|d| (0.0..=n as f64).contains(d)));
    }

    #[test]
    fn binomial_draws_have_the_right_mean_and_variance() {
        for (n, p) in
            [(1, 0.3), (20, 0.1), (40, 0.5), (1000, 0.02), (1000, 0.7), (200_000, 1e-5), (200_000, 0.4)]
        {
            check(n, p);
        }
        assert_eq!(Random::new(1, 1).binomial(9, 0.0), 0);
        assert_eq!(Random::new(1, 1).binomial(9, 1.0), 9);
    }

    #[test]
    fn the_stream_is_fixed_by_its_seed() {
        let first = |seed, stream| Random::new(seed, stream).bits();
        assert_eq!(first(7, 0), first(7, 0));
        assert_ne!(first(7, 0), first(8, 0));
        assert_ne!(first(7, 0), first(7, 1));
        let mut random = Random::new(3, 3);
        assert!((0..1000).all(|_| random.below(5) < 5));
    }
}
