//! The updates of one step of reinforcement learning, made from its rollouts.
//!
//! With one update, the policy that learns is the one that wrote, and every ratio is 1. With several, the
//! log-probabilities of the policy that wrote are taken down before the first of them and stay; the clip of
//! [`GrpoLoss`](super::grpo_loss::GrpoLoss) then holds back tokens that have moved far enough.

use super::{
    batch::{Batch, Example},
    checkpoint::Progress,
    frozen::Frozen,
    grpo::{GrpoSettings, StepReport},
    grpo_loss::{TokenLoss, advantages, has_signal},
    lora::Lora,
    network::{learn, score, score_dropped},
    optimiser::AdamW,
    policy::Rollout,
    verdict::Lesson,
};

/// One thing to learn from a rollout.
#[derive(Clone, Debug)]
enum Task {
    /// A completion, and the advantage of its tokens.
    Row(Example, f32),
    /// Completions of one prompt that are weighed against each other, the right one first.
    Choice(Vec<Example>),
}

impl Task {
    fn rows(&self) -> &[Example] {
        match self {
            Task::Row(row, _) => std::slice::from_ref(row),
            Task::Choice(rows) => rows,
        }
    }
}

/// What is learnt of the rollouts of one prompt.
type Group = Vec<Task>;

/// Rollouts that go through the network together; all lists are by target of `batch`.
struct Pass {
    batch: Batch,
    advantages: Vec<f32>,
    weights: Vec<f32>,
    /// Log-probabilities under the base model, where the loss needs them.
    reference: Option<Vec<f32>>,
    /// Log-probabilities under the policy that wrote; `None` while that policy is the one that learns.
    old: Option<Vec<f32>>,
    /// Of choices: what this pass adds to the mean of minus the log-probability of the right one among its own.
    doubt: Option<f32>,
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
    let mut groups: Vec<Group> = Vec::new();
    for group in rollouts.chunk_by(|a, b| a.prompt == b.prompt) {
        let lessons = lessons(group, settings, &prompts[group[0].prompt]);
        if lessons.is_empty() {
            step.silent += 1;
        } else {
            groups.push(lessons);
        }
    }
    let mut parts: Vec<Vec<Pass>> = split(&groups, settings.updates)
        .into_iter()
        .map(|part| passes(frozen, lora, settings, part))
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
                    let policy = if pass.doubt.is_some() { 0.0 } else { token.policy };
                    step.loss += pass.weights[i] * (policy + settings.loss.kl * token.kl);
                    step.kl += pass.weights[i] * token.kl;
                    clipped += usize::from(token.clipped);
                }
                step.loss += pass.doubt.unwrap_or(0.0);
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

/// What the rollouts of one prompt teach.
fn lessons(group: &[Rollout], settings: &GrpoSettings, prompt: &[u32]) -> Group {
    match settings.lesson {
        Lesson::Rollout => {
            let rewards: Vec<f32> = group.iter().map(|r| r.reward).collect();
            if !has_signal(&rewards) {
                return Group::new();
            }
            let gains = advantages(&rewards, settings.scale_advantages);
            let row = |r: &Rollout| Example {
                prompt: prompt.to_vec(),
                completion: r.tokens.clone(),
                train_prompt: false,
            };
            group.iter().map(row).zip(gains).map(|(row, gain)| Task::Row(row, gain)).collect()
        }
        Lesson::Verdict => group
            .iter()
            .filter_map(|r| {
                let (before, words) = r.verdict.as_ref()?;
                let prompt = [prompt, &r.tokens[..*before]].concat();
                let row = |word: &Vec<u32>| Example {
                    prompt: prompt.clone(),
                    completion: word.clone(),
                    train_prompt: false,
                };
                Some(Task::Choice(words.iter().map(row).collect()))
            })
            .collect(),
    }
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
fn split(groups: &[Group], parts: usize) -> Vec<&[Group]> {
    let parts = parts.clamp(1, groups.len().max(1));
    let bound = |part: usize| part * groups.len() / parts;
    (0..parts).map(|part| &groups[bound(part)..bound(part + 1)]).filter(|part| !part.is_empty()).collect()
}

/// The passes that make one update of these groups; choices are weighed by `lora` as it is.
fn passes(frozen: &Frozen, lora: &Lora, settings: &GrpoSettings, groups: &[Group]) -> Vec<Pass> {
    let tasks: Vec<&Task> = groups.iter().flatten().collect();
    let lengths: Vec<usize> =
        tasks.iter().flat_map(|task| task.rows()).map(|row| row.completion.len()).collect();
    let mut weights = settings.loss.weights(&lengths).into_iter();
    tasks
        .chunks(settings.micro.max(1))
        .map(|chunk| {
            let rows: Vec<&Example> = chunk.iter().flat_map(|task| task.rows()).collect();
            let weights: Vec<f32> = weights.by_ref().take(rows.len()).collect();
            let mut batch = Batch::new(&rows);
            batch.temperature = settings.temperature;
            let logprobs = |lora| score(frozen, lora, &batch).iter().map(|s| s.logprob).collect::<Vec<_>>();
            let reference = (settings.loss.kl > 0.0).then(|| logprobs(None));
            let mut sums = vec![0f32; rows.len()];
            if settings.lesson == Lesson::Verdict {
                for (target, logprob) in batch.targets.iter().zip(logprobs(Some(lora))) {
                    sums[target.row] += logprob;
                }
            }
            let (mut gains, mut doubt) = (Vec::with_capacity(rows.len()), None);
            for task in chunk {
                match task {
                    Task::Row(_, gain) => gains.push(*gain),
                    Task::Choice(rows) => {
                        let at = gains.len();
                        let own = weigh(&sums[at..at + rows.len()], &mut gains);
                        doubt = Some(doubt.unwrap_or(0.0) + own / tasks.len() as f32);
                    }
                }
            }
            Pass {
                advantages: batch.targets.iter().map(|t| gains[t.row]).collect(),
                weights: batch.targets.iter().map(|t| weights[t.row]).collect(),
                batch,
                reference,
                old: None,
                doubt,
            }
        })
        .collect()
}

/// Adds the advantage of each completion of a choice to `gains`, from their log-probabilities: the slope of the logarithm
/// of the first one's share. Returns minus that logarithm.
fn weigh(logprobs: &[f32], gains: &mut Vec<f32>) -> f32 {
    let most = logprobs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let all: f32 = logprobs.iter().map(|l| (l - most).exp()).sum();
    let shares = logprobs.iter().map(|l| (l - most).exp() / all);
    gains.extend(shares.enumerate().map(|(i, share)| f32::from(u8::from(i == 0)) - share));
    all.ln() + most - logprobs.first().copied().unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_word_gains_what_it_lacks_and_the_others_lose_their_shares() {
        let ln = |p: &[f32]| p.iter().map(|p| p.ln()).collect::<Vec<_>>();
        let mut gains = Vec::new();
        let doubt = weigh(&ln(&[0.2, 0.2]), &mut gains) + weigh(&ln(&[0.1, 0.3, 0.1]), &mut gains);
        for (gain, want) in gains.iter().zip([0.5, -0.5, 0.8, -0.6, -0.2]) {
            assert!((gain - want).abs() < 1e-6, "{gains:?}");
        }
        assert!((doubt + (0.5f32 * 0.2).ln()).abs() < 1e-6);
    }

    #[test]
    fn groups_are_split_evenly_and_never_within() {
        let groups: Vec<Group> = (0..5).map(|_| Vec::new()).collect();
        let sizes = |parts| split(&groups, parts).iter().map(|p| p.len()).collect::<Vec<_>>();
        assert_eq!((sizes(1), sizes(2), sizes(4)), (vec![5], vec![2, 3], vec![1, 1, 1, 2]));
        assert_eq!(sizes(9), [1; 5], "no more parts than groups");
        assert!(split(&[], 3).is_empty());
    }
}
