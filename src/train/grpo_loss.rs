//! The arithmetic of GRPO and its variants: pure functions from log-probabilities to a loss and its slope.
//!
//! Shao et al. 2024 (GRPO), Liu et al. 2025 (Dr. GRPO), Yu et al. 2025 (DAPO); the k3 estimate of the KL
//! divergence is Schulman's. Every variant is a weighted sum over tokens, so the slope by one token's
//! log-probability depends on that token alone.

use serde::{Deserialize, Serialize};

/// How tokens are put together to one loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// GRPO: the mean over tokens of each rollout, then the mean over rollouts.
    SequenceMean,
    /// DAPO: the mean over all tokens.
    TokenMean,
    /// Dr. GRPO: the sum divided by rollouts × the longest completion allowed.
    FixedLength(usize),
}

/// Settings of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrpoLoss {
    pub aggregation: Aggregation,
    /// The probability ratio is clipped to 1 - clip .. 1 + clip_high.
    pub clip: f32,
    pub clip_high: f32,
    /// For negative advantages, the loss is at most this many times their size (dual clip).
    pub dual_clip: f32,
    /// Weight of the k3 estimate of the divergence from the reference.
    pub kl: f32,
}

impl Default for GrpoLoss {
    fn default() -> Self {
        GrpoLoss { aggregation: Aggregation::TokenMean, clip: 0.2, clip_high: 0.2, dual_clip: 3.0, kl: 0.001 }
    }
}

/// Advantages of one group: (r - mean) / (std + eps) with the unbiased deviation; without `scale`, r - mean.
///
/// ```
/// let a = pluriscope::train::grpo_loss::advantages(&[1.0, 0.0, 0.0, 1.0], true);
/// assert!((a[0] - 0.866_023_9).abs() < 1e-6);
/// ```
pub fn advantages(rewards: &[f32], scale: bool) -> Vec<f32> {
    let n = rewards.len() as f64;
    let mean = rewards.iter().map(|r| f64::from(*r)).sum::<f64>() / n;
    let squares = rewards.iter().map(|r| (f64::from(*r) - mean).powi(2)).sum::<f64>();
    let deviation = (squares / (n - 1.0).max(1.0)).sqrt();
    let by = if scale { deviation + 1e-6 } else { 1.0 };
    rewards.iter().map(|r| ((f64::from(*r) - mean) / by) as f32).collect()
}

/// Whether a group teaches anything: not all rewards are the same.
pub fn has_signal(rewards: &[f32]) -> bool {
    rewards.iter().any(|r| *r != rewards[0])
}

/// k3: exp(d) - d - 1 with d = reference - new; never negative, 0 where both agree.
pub fn k3(new: f32, reference: f32) -> f32 {
    let d = reference - new;
    d.exp() - d - 1.0
}

/// What one token adds to the loss, before its weight, and the slope of that by `new`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenLoss {
    pub policy: f32,
    pub kl: f32,
    pub slope: f32,
    /// Whether a clip holds the token back.
    pub clipped: bool,
}

impl GrpoLoss {
    /// The loss of one token: `new`, `old` and `reference` are its log-probabilities under the policy that
    /// learns, the one that wrote it, and the frozen one.
    pub fn token(&self, new: f32, old: f32, reference: f32, advantage: f32) -> TokenLoss {
        let ratio = (new - old).exp();
        let plain = -advantage * ratio;
        let held = -advantage * ratio.clamp(1.0 - self.clip, 1.0 + self.clip_high);
        let mut policy = plain.max(held);
        let mut clipped = held > plain;
        if advantage < 0.0 && policy > -advantage * self.dual_clip {
            policy = -advantage * self.dual_clip;
            clipped = true;
        }
        let kl = k3(new, reference);
        // d ratio / d new = ratio; d k3 / d new = 1 - exp(reference - new).
        let slope = if clipped { 0.0 } else { plain } + self.kl * (1.0 - (reference - new).exp());
        TokenLoss { policy, kl, slope, clipped }
    }

    /// The weight of each token of rollouts with these numbers of tokens; empty rollouts are allowed.
    pub fn weights(&self, lengths: &[usize]) -> Vec<f32> {
        let total: usize = lengths.iter().sum();
        let rollouts = lengths.len().max(1) as f32;
        lengths
            .iter()
            .map(|length| match self.aggregation {
                Aggregation::SequenceMean => 1.0 / (rollouts * (*length).max(1) as f32),
                Aggregation::TokenMean => 1.0 / total.max(1) as f32,
                Aggregation::FixedLength(longest) => 1.0 / (rollouts * longest.max(1) as f32),
            })
            .collect()
    }
}
