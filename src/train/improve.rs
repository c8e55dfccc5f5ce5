//! The updates of one step of reinforcement learning, made from its rollouts.
//!
//! With one update, the policy that learns is the one that wrote, and every ratio is 1. With several, the
//! log-probabilities of the policy that wrote are taken down before the first of them and stay; the clip of
//! [`GrpoLoss`](super::grpo_loss::GrpoLoss) then holds back tokens that have moved far enough.

use super::{
    batch::{Batch, Example},
    checkpoint::Progress,
    credit::Credit,
    frozen::Frozen,
    grpo::{GrpoSettings, Rollout, StepReport},
    grpo_loss::{TokenLoss, advantages, has_signal},
    lora::Lora,
    network::{learn, score, score_dropped},
    optimiser::AdamW,
};

/// The rollouts of one prompt, each with the advantages of its tokens.
type Group<'a> = Vec<(&'a Rollout, Vec<f32>)>;

/// Rollouts that go through the network together; all lists are by target of `batch`.
struct Pass {
    batch: Batch,
    advantages: Vec<f32>,
    weights: Vec<f32>,
    /// Log-probabilities under the base model, where the loss needs them.
    reference: Option<Vec<f32>>,
    /// Log-probabilities under the policy that wrote; `None` while that policy is the one that learns.
    old: Option<Vec<f32>>,
}

impl Pass {
    fn token(&self, settings: &GrpoSettings, i: usize, new: f32) -> TokenLoss {
        let of = |known: &Option<Vec<f32>>| known.as_ref().map_or(new, |known| known[i]);
        settings.loss.token(new, of(&self.old), of(&self.reference), self.advantages[i])
    }
}

/// All updates of one step, from the rollouts written for it; rollouts of one prompt stand together.
pub(super) fn improve(
    frozen: &Frozen,
    lora: &mut Lora,
    optimiser: &mut AdamW,
    settings: &GrpoSettings,
    prompts: &[Vec<u32>],
    rollouts: &[Rollout],
    progress: &mut Progress,
) -> StepReport {
    let mut step = report(settings, rollouts);
    let mut groups: Vec<Group<'_>> = Vec::new();
    for group in rollouts.chunk_by(|a, b| a.prompt == b.prompt) {
        match credited(group, settings) {
            Some(group) => groups.push(group),
            None => step.silent += 1,
        }
    }
    let mut parts: Vec<Vec<Pass>> = split(&groups, settings.updates)
        .into_iter()
        .map(|part| passes(frozen, settings, prompts, part))
        .collect();
    // The first part is learnt by the policy that wrote it, so its own scores are the old ones.
    for pass in parts.iter_mut().skip(1).flatten() {
        let scored = score_dropped(frozen, lora, &pass.batch, settings.seed);
        pass.old = Some(scored.iter().map(|s| s.logprob).collect());
    }
    let rate = settings.optimiser.rate(progress.step, settings.steps);
    let (mut tokens, mut clipped) = (0usize, 0usize);
    let mut gradient = vec![0f32; lora.values.len()];
    for _ in 0..settings.passes.max(1) {
        for part in &mut parts {
            gradient.fill(0.0);
            for pass in part {
                progress.tokens += pass.batch.tokens.len() as u64;
                let slope = |i: usize, new: f32| pass.token(settings, i, new).slope * pass.weights[i];
                let scored = learn(frozen, lora, &pass.batch, settings.seed, &slope, &mut gradient);
                for (i, scored) in scored.iter().enumerate() {
                    let token = pass.token(settings, i, scored.logprob);
                    step.loss += pass.weights[i] * (token.policy + settings.loss.kl * token.kl);
                    step.kl += pass.weights[i] * token.kl;
                    clipped += usize::from(token.clipped);
                }
                tokens += scored.len();
                pass.old.get_or_insert_with(|| scored.iter().map(|s| s.logprob).collect());
            }
            let norm = optimiser.update(&mut lora.values, &mut gradient, rate, &settings.optimiser);
            progress.skipped += usize::from(!norm.is_finite());
            step.norm += norm;
            step.updates += 1;
        }
    }
    let updates = step.updates.max(1) as f32;
    for mean in [&mut step.loss, &mut step.kl, &mut step.norm] {
        *mean /= updates;
    }
    step.clipped = clipped as f32 / tokens.max(1) as f32;
    progress.step += 1;
    step.step = progress.step;
    step
}

/// The rollouts of one prompt with the advantages of their tokens; `None` where there is nothing to learn.
fn credited<'a>(group: &'a [Rollout], settings: &GrpoSettings) -> Option<Group<'a>> {
    let rewards: Vec<f32> = group.iter().map(|r| r.reward).collect();
    let gains = has_signal(&rewards).then(|| advantages(&rewards, settings.scale_advantages))?;
    let by_token = |(r, gain): (&'a Rollout, f32)| {
        let mut gains = vec![gain; r.tokens.len()];
        if settings.credit == Credit::Verdict {
            gains[..r.statement.min(r.tokens.len())].fill(0.0);
        }
        (r, gains)
    };
    Some(group.iter().zip(gains).map(by_token).collect())
}

/// What can be said of the rollouts before anything is learnt from them.
fn report(settings: &GrpoSettings, rollouts: &[Rollout]) -> StepReport {
    let count = rollouts.len().max(1) as f32;
    StepReport {
        steps: settings.steps,
        reward: rollouts.iter().map(|r| r.reward).sum::<f32>() / count,
        answered: rollouts.iter().filter(|r| r.answered).count() as f32 / count,
        length: rollouts.iter().map(|r| r.tokens.len()).sum::<usize>() as f32 / count,
        sample: rollouts.first().map(|r| r.text.clone()).unwrap_or_default(),
        ..StepReport::default()
    }
}

/// Groups in `parts` parts of nearly the same size, in order; fewer where there are not that many groups.
fn split<'a, 'b>(groups: &'b [Group<'a>], parts: usize) -> Vec<&'b [Group<'a>]> {
    let parts = parts.clamp(1, groups.len().max(1));
    let bound = |part: usize| part * groups.len() / parts;
    (0..parts).map(|part| &groups[bound(part)..bound(part + 1)]).filter(|part| !part.is_empty()).collect()
}

/// The passes that make one update of these groups.
fn passes(frozen: &Frozen, settings: &GrpoSettings, prompts: &[Vec<u32>], groups: &[Group<'_>]) -> Vec<Pass> {
    let rollouts: Vec<&(&Rollout, Vec<f32>)> = groups.iter().flatten().collect();
    let lengths: Vec<usize> = rollouts.iter().map(|(r, _)| r.tokens.len()).collect();
    let weights = settings.loss.weights(&lengths);
    let micro = settings.micro.max(1);
    rollouts
        .chunks(micro)
        .zip(weights.chunks(micro))
        .map(|(rollouts, weights)| {
            let examples: Vec<Example> = rollouts
                .iter()
                .map(|(r, _)| Example {
                    prompt: prompts[r.prompt].clone(),
                    completion: r.tokens.clone(),
                    train_prompt: false,
                })
                .collect();
            let mut batch = Batch::new(&examples.iter().collect::<Vec<_>>());
            batch.temperature = settings.temperature;
            let reference = (settings.loss.kl > 0.0)
                .then(|| score(frozen, None, &batch).iter().map(|s| s.logprob).collect());
            Pass {
                // Every token of a completion is a target, in order.
                advantages: rollouts.iter().flat_map(|(_, gains)| gains.iter().copied()).collect(),
                weights: batch.targets.iter().map(|t| weights[t.row]).collect(),
                batch,
                reference,
                old: None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_split_evenly_and_never_within() {
        let groups: Vec<Group<'_>> = (0..5).map(|_| Vec::new()).collect();
        let sizes = |parts| split(&groups, parts).iter().map(|p| p.len()).collect::<Vec<_>>();
        assert_eq!((sizes(1), sizes(2), sizes(4)), (vec![5], vec![2, 3], vec![1, 1, 1, 2]));
        assert_eq!(sizes(9), [1; 5], "no more parts than groups");
        assert!(split(&[], 3).is_empty());
    }
}
