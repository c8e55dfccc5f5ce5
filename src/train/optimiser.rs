//! AdamW over one flat list of weights, with its state in the open, and the learning rate's course.

use serde::{Deserialize, Serialize};

/// How weights are moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimiserSettings {
    /// The highest learning rate.
    pub lr: f32,
    /// The last learning rate, as a share of the highest.
    pub final_share: f32,
    /// Share of all steps over which the rate rises from 0.
    pub warmup: f32,
    pub weight_decay: f32,
    /// How long squared gradients are remembered. What a run learns first, its answers' form, has gradients ten times those of
    /// the rest; at .999 these slow it down for a thousand updates.
    #[serde(default = "pytorch")]
    pub beta2: f32,
    /// The gradient is scaled down to this norm; 0 leaves it.
    pub clip: f32,
}

impl Default for OptimiserSettings {
    fn default() -> Self {
        OptimiserSettings {
            lr: 1e-3,
            final_share: 0.1,
            warmup: 0.06,
            weight_decay: 0.01,
            beta2: pytorch(),
            clip: 1.0,
        }
    }
}

/// PyTorch's beta2, and that of runs that do not say.
fn pytorch() -> f32 {
    0.999
}

impl OptimiserSettings {
    /// The rate of step `step` (from 0) of `steps`: a linear rise, then half a cosine down.
    pub fn rate(&self, step: usize, steps: usize) -> f32 {
        let rise = (self.warmup * steps as f32).ceil();
        let at = step as f32 + 1.0;
        if at <= rise {
            return self.lr * at / rise;
        }
        let through = ((at - rise) / (steps as f32 - rise).max(1.0)).min(1.0);
        let wave = 0.5 * (1.0 + (std::f32::consts::PI * through).cos());
        self.lr * (self.final_share + (1.0 - self.final_share) * wave)
    }
}

/// AdamW's moments (Loshchilov & Hutter 2019), with a beta1 of 0.9.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdamW {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    /// Updates made.
    pub updates: u64,
}

impl AdamW {
    pub fn new(weights: usize) -> AdamW {
        AdamW { first: vec![0.0; weights], second: vec![0.0; weights], updates: 0 }
    }

    /// One update; returns the gradient's norm before clipping. A gradient that is not a number changes
    /// nothing, and its norm says so.
    pub fn update(
        &mut self,
        weights: &mut [f32],
        gradient: &mut [f32],
        rate: f32,
        settings: &OptimiserSettings,
    ) -> f32 {
        let betas = (0.9f32, settings.beta2);
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt() as f32;
        if !norm.is_finite() {
            return norm;
        }
        if settings.clip > 0.0 && norm > settings.clip {
            let scale = settings.clip / norm;
            gradient.iter_mut().for_each(|g| *g *= scale);
        }
        self.updates += 1;
        let exponent = i32::try_from(self.updates).unwrap_or(i32::MAX);
        let (fix1, fix2) = (1.0 - betas.0.powi(exponent), 1.0 - betas.1.powi(exponent));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weight, g), (m, v)) in weights.iter_mut().zip(&*gradient).zip(moments) {
            *m = betas.0 * *m + (1.0 - betas.0) * g;
            *v = betas.1 * *v + (1.0 - betas.1) * g * g;
            let step = (*m / fix1) / ((*v / fix2).sqrt() + 1e-8);
            *weight -= rate * (step + settings.weight_decay * *weight);
        }
        norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_then_falls_to_its_last_share() {
        let settings = OptimiserSettings { lr: 1.0, final_share: 0.1, warmup: 0.1, ..Default::default() };
        let rates: Vec<f32> = (0..100).map(|step| settings.rate(step, 100)).collect();
        assert!((rates[4] - 0.5).abs() < 1e-6 && (rates[9] - 1.0).abs() < 1e-6);
        assert!((rates[99] - 0.1).abs() < 1e-6, "{}", rates[99]);
        assert!(rates[10..].windows(2).all(|w| w[1] <= w[0]));
    }

    #[test]
    fn updates_equal_pytorch() {
        // torch.optim.AdamW([tensor([1., -2.])], lr=0.1, weight_decay=0.01), gradients [0.5, -0.1] twice:
        // the first step is lr * sign(g), the second too, since the gradient is the same.
        let settings = OptimiserSettings { clip: 0.0, ..Default::default() };
        let (mut adam, mut weights) = (AdamW::new(2), vec![1.0, -2.0]);
        for _ in 0..2 {
            adam.update(&mut weights, &mut [0.5, -0.1], 0.1, &settings);
        }
        let decayed = |w: f32, sign: f32| (w * 0.999 - 0.1 * sign) * 0.999 - 0.1 * sign;
        assert!((weights[0] - decayed(1.0, 1.0)).abs() < 1e-5, "{weights:?}");
        assert!((weights[1] - decayed(-2.0, -1.0)).abs() < 1e-5, "{weights:?}");
    }

    #[test]
    fn a_gradient_that_is_no_number_changes_nothing() {
        let (mut adam, mut weights) = (AdamW::new(1), vec![1.0]);
        let norm = adam.update(&mut weights, &mut [f32::NAN], 0.1, &OptimiserSettings::default());
        assert!(norm.is_nan());
        assert_eq!((weights, adam), (vec![1.0], AdamW::new(1)));
    }
}
