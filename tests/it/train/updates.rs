//! Several updates from the rollouts of one step: against the same steps written out by hand.

use super::{base, filled};
use crate::model::tiny;
use pluriscope::train::{
    TrainError,
    batch::{Batch, Example},
    checkpoint::{Progress, State},
    frozen::Frozen,
    grpo::{self, GrpoReport, GrpoSettings, Prompts, StepReport},
    grpo_loss::GrpoLoss,
    lora::Lora,
    network::{learn, score},
    optimiser::{AdamW, OptimiserSettings},
    policy::{Policy, Request, Rollout},
    verdict::Lesson,
};
use std::{ops::ControlFlow, path::Path};

const PROMPTS: usize = 4;
const GROUP: usize = 4;
/// No verdict that would be right fits into this prompt's rollouts.
const UNSURE: usize = 1;
/// Of five tokens, those before the verdict.
const RATIONALE: usize = 2;

/// Writes the same rollouts of five tokens for a prompt every time; every other one is right, but none of the last
/// prompt's.
struct Fixed;

/// The verdicts that a prompt could have, in two tokens each: the right one first.
fn words(prompt: usize) -> Vec<Vec<u32>> {
    [90, 110].map(|seed| tiny::tokens(prompt as u64 + seed, 2)).to_vec()
}

fn rollout(prompt: usize, sample: usize) -> Rollout {
    Rollout {
        prompt,
        tokens: tiny::tokens((prompt * GROUP + sample) as u64 + 40, 5),
        text: String::new(),
        reward: f32::from(u8::from(sample.is_multiple_of(2) && prompt + 1 < PROMPTS)),
        answered: true,
        verdict: (prompt != UNSURE).then(|| (RATIONALE, words(prompt))),
    }
}

impl Policy for Fixed {
    fn write(&mut self, _: &Path, _: bool, request: &Request) -> Result<Vec<Rollout>, TrainError> {
        let of =
            |prompt: &usize| (0..request.group).map(|sample| rollout(*prompt, sample)).collect::<Vec<_>>();
        Ok(request.prompts.iter().flat_map(of).collect())
    }
}

fn prompts() -> Vec<Vec<u32>> {
    (0..PROMPTS as u64).map(|i| tiny::tokens(i, 6)).collect()
}

fn settings(updates: usize, passes: usize) -> GrpoSettings {
    GrpoSettings {
        base: "tiny".to_owned(),
        base_hash: "0".to_owned(),
        init: None,
        template: "short".to_owned(),
        lora: super::shape(),
        optimiser: OptimiserSettings { lr: 5e-2, warmup: 0.0, ..OptimiserSettings::default() },
        loss: GrpoLoss { kl: 0.0, ..GrpoLoss::default() },
        lesson: Lesson::Rollout,
        scale_advantages: true,
        steps: 1,
        prompts: PROMPTS,
        group: GROUP,
        updates,
        passes,
        micro: 64,
        max_tokens: 5,
        temperature: 1.0,
        validate_every: 1,
        seed: 3,
        data: String::new(),
    }
}

/// The run's adapter, where it stands, and its step reports; stopped after step `stop_at`.
fn run(
    frozen: &Frozen,
    settings: &GrpoSettings,
    folder: &Path,
    stop_at: usize,
) -> (Result<(Lora, Progress), TrainError>, Vec<StepReport>) {
    let mut steps = Vec::new();
    let prompts = Prompts { train: prompts(), validation: 1 };
    let mut report = |report| {
        let GrpoReport::Step(step) = report else { return ControlFlow::Continue(()) };
        steps.push(step);
        if steps.last().is_some_and(|s| s.step == stop_at) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let mut lora = filled(frozen);
    lora.shape = settings.lora.clone();
    let result = grpo::train(frozen, lora, settings, &prompts, folder, &mut Fixed, &mut report);
    (result, steps)
}

/// Prompts in the order in which step 0 takes them: read off the run itself, whose order is not at issue here.
fn order(frozen: &Frozen) -> Vec<usize> {
    struct Watch(Vec<usize>);
    impl Policy for Watch {
        fn write(
            &mut self,
            path: &Path,
            validation: bool,
            request: &Request,
        ) -> Result<Vec<Rollout>, TrainError> {
            if !validation {
                self.0.clone_from(&request.prompts);
            }
            Fixed.write(path, validation, request)
        }
    }
    let mut watch = Watch(Vec::new());
    let out = tempfile::tempdir().unwrap();
    let prompts = Prompts { train: prompts(), validation: 1 };
    grpo::train(frozen, filled(frozen), &settings(1, 1), &prompts, out.path(), &mut watch, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    watch.0
}

/// The updates written out: `parts` of prompts, gone through `passes` times. Returns the adapter and how many tokens
/// the clip held back, and how many there were.
fn by_hand(frozen: &Frozen, parts: &[&[usize]], passes: usize, clip: f32) -> (Lora, usize, usize) {
    let mut lora = filled(frozen);
    let mut adam = AdamW::new(lora.values.len());
    let settings = settings(1, 1);
    let batches: Vec<Batch> = parts
        .iter()
        .map(|part| {
            let rows: Vec<Example> = part
                .iter()
                .flat_map(|&prompt| (0..GROUP).map(move |sample| (prompt, sample)))
                .map(|(prompt, sample)| Example {
                    prompt: prompts()[prompt].clone(),
                    completion: rollout(prompt, sample).tokens,
                    train_prompt: false,
                })
                .collect();
            Batch::new(&rows.iter().collect::<Vec<_>>())
        })
        .collect();
    // Rewards 1, 0, 1, 0: mean 1/2, unbiased deviation sqrt(1/3).
    let gain = |row: usize| {
        (if row.is_multiple_of(2) { 0.5f64 } else { -0.5 } / ((1.0f64 / 3.0).sqrt() + 1e-6)) as f32
    };
    let old: Vec<Vec<f32>> =
        batches.iter().map(|b| score(frozen, Some(&lora), b).iter().map(|s| s.logprob).collect()).collect();
    let (mut held, mut all) = (0, 0);
    for _ in 0..passes {
        for (batch, old) in batches.iter().zip(&old) {
            let weight = 1.0 / batch.targets.len() as f32;
            let is_held = |i: usize, new: f32| {
                let (a, ratio) = (gain(batch.targets[i].row), (new - old[i]).exp());
                (a > 0.0 && ratio > 1.0 + clip)
                    || (a < 0.0 && (ratio < 1.0 - clip || -a * ratio.max(1.0 - clip) > -3.0 * a))
            };
            let slope = |i: usize, new: f32| {
                let (a, ratio) = (gain(batch.targets[i].row), (new - old[i]).exp());
                if is_held(i, new) { 0.0 } else { -a * ratio * weight }
            };
            let mut gradient = vec![0f32; lora.values.len()];
            let scored = learn(frozen, &lora, batch, settings.seed, &slope, &mut gradient);
            held += scored.iter().enumerate().filter(|(i, s)| is_held(*i, s.logprob)).count();
            all += scored.len();
            adam.update(&mut lora.values, &mut gradient, settings.optimiser.rate(0, 1), &settings.optimiser);
        }
    }
    (lora, held, all)
}

#[test]
fn one_update_is_the_plain_policy_gradient_bit_for_bit() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let order = order(&frozen);
    let taught: Vec<usize> = order.into_iter().filter(|p| p + 1 < PROMPTS).collect();
    let out = tempfile::tempdir().unwrap();
    let (result, steps) = run(&frozen, &settings(1, 1), out.path(), 0);
    let (want, held, _) = by_hand(&frozen, &[&taught], 1, 0.2);
    assert_eq!(result.unwrap().0.values, want.values);
    assert_eq!((held, steps[0].clipped, steps[0].updates, steps[0].silent), (0, 0.0, 1, 1));
    assert_ne!(want.values, filled(&frozen).values);
}

#[test]
fn several_updates_keep_the_old_probabilities_and_the_clip_acts() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let order = order(&frozen);
    let taught: Vec<usize> = order.into_iter().filter(|p| p + 1 < PROMPTS).collect();
    for (updates, passes, parts) in [
        (1, 3, vec![&taught[..]]),
        (2, 2, vec![&taught[..1], &taught[1..]]),
        (3, 1, vec![&taught[..1], &taught[1..2], &taught[2..]]),
    ] {
        let out = tempfile::tempdir().unwrap();
        let (result, steps) = run(&frozen, &settings(updates, passes), out.path(), 0);
        let (want, held, all) = by_hand(&frozen, &parts, passes, 0.2);
        let got = result.unwrap().0;
        let off = tiny::difference(&got.values, &want.values);
        assert!(off < 1e-5, "{updates} × {passes}: off by {off}");
        assert_eq!(steps[0].updates, updates * passes);
        if passes > 1 {
            assert!(held > 0 && held < all, "the clip holds some of {all} tokens back: {held}");
            let (free, none, _) = by_hand(&frozen, &parts, passes, 1e9);
            assert!(none < held && tiny::difference(&free.values, &want.values) > 1e-3);
        }
        assert!((steps[0].clipped - held as f32 / all as f32).abs() < 1e-6);
    }
}

#[test]
fn the_odds_of_the_right_verdict_after_each_rationale_are_raised_and_nothing_else_is_learnt() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let order = order(&frozen);
    let out = tempfile::tempdir().unwrap();
    let settings = GrpoSettings { lesson: Lesson::Verdict, ..settings(1, 1) };
    let (result, steps) = run(&frozen, &settings, out.path(), 0);
    let rows: Vec<Example> = order
        .iter()
        .filter(|prompt| **prompt != UNSURE)
        .flat_map(|&prompt| (0..GROUP).map(move |sample| (prompt, sample)))
        .flat_map(|(prompt, sample)| words(prompt).into_iter().map(move |word| (prompt, sample, word)))
        .map(|(prompt, sample, completion)| Example {
            prompt: [&prompts()[prompt][..], &rollout(prompt, sample).tokens[..RATIONALE]].concat(),
            completion,
            train_prompt: false,
        })
        .collect();
    let batch = Batch::new(&rows.iter().collect::<Vec<_>>());
    assert_eq!(batch.targets.len(), (PROMPTS - 1) * GROUP * 2 * 2);
    // The share of the right one of each two, and the mean of minus its logarithm.
    let shares = |lora: &Lora| -> Vec<f64> {
        let mut sums = vec![0f64; rows.len()];
        for (target, scored) in batch.targets.iter().zip(score(&frozen, Some(lora), &batch)) {
            sums[target.row] += f64::from(scored.logprob);
        }
        sums.chunks(2).map(|pair| 1.0 / (1.0 + (pair[1] - pair[0]).exp())).collect()
    };
    let doubt = |lora: &Lora| {
        let shares = shares(lora);
        shares.iter().map(|share| -share.ln()).sum::<f64>() / shares.len() as f64
    };
    let mut want = filled(&frozen);
    let (before, first) = (doubt(&want), shares(&want));
    let (mut adam, mut gradient) = (AdamW::new(want.values.len()), vec![0f32; want.values.len()]);
    let slope = |i: usize, _: f32| {
        let row = batch.targets[i].row;
        let gain = (1.0 - first[row / 2]) * if row.is_multiple_of(2) { 1.0 } else { -1.0 };
        -gain as f32 / batch.targets.len() as f32
    };
    learn(&frozen, &want, &batch, settings.seed, &slope, &mut gradient);
    adam.update(&mut want.values, &mut gradient, settings.optimiser.rate(0, 1), &settings.optimiser);
    let got = result.unwrap().0;
    let off = tiny::difference(&got.values, &want.values);
    assert!(off < 1e-4, "off by {off}");
    assert_eq!((steps[0].silent, steps[0].updates), (1, 1));
    assert!((f64::from(steps[0].loss) - before).abs() < 1e-4, "{} and {before}", steps[0].loss);
    assert!(doubt(&got) < before - 0.1, "{before} to {}", doubt(&got));
}

#[test]
fn with_dropout_the_first_update_of_every_part_starts_at_ratio_one() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let out = tempfile::tempdir().unwrap();
    let mut settings = settings(3, 2);
    settings.lora.dropout = 0.3;
    settings.optimiser.lr = 0.0;
    settings.loss.clip = 0.0;
    settings.loss.clip_high = 0.0;
    let (_, steps) = run(&frozen, &settings, out.path(), 0);
    // Nothing moves, so any ratio but 1 would meet the clip, which leaves no room.
    assert_eq!((steps[0].updates, steps[0].clipped), (6, 0.0));
}

#[test]
fn a_run_of_several_updates_that_was_stopped_ends_as_if_it_had_not_been() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut settings = settings(2, 2);
    (settings.steps, settings.prompts, settings.lora.dropout) = (6, 2, 0.1);
    settings.loss.kl = 0.01;
    settings.optimiser.lr = 1e-2;
    let (want, steps) = run(&frozen, &settings, whole.path(), 0);
    let want = want.unwrap().0;
    let mut seen = Vec::new();
    for stop_at in [2, 3] {
        let (stopped, steps) = run(&frozen, &settings, parts.path(), stop_at);
        assert!(matches!(stopped, Err(TrainError::Interrupted)));
        seen.extend(steps);
    }
    let (got, rest) = run(&frozen, &settings, parts.path(), 0);
    seen.extend(rest);
    assert_eq!(got.unwrap().0.values, want.values);
    let timeless = |steps: &[StepReport]| -> Vec<StepReport> {
        steps.iter().map(|s| StepReport { seconds: 0.0, ..s.clone() }).collect()
    };
    assert_eq!(timeless(&seen), timeless(&steps));
    let state = |folder: &Path| State::load(folder, want.values.len()).unwrap().unwrap();
    assert_eq!(state(parts.path()).optimiser, state(whole.path()).optimiser);
    assert!(state(whole.path()).optimiser.updates > 6);
}

#[test]
fn run_folders_from_before_say_one_update() {
    let mut old = serde_json::to_value(settings(1, 1)).unwrap();
    for name in ["updates", "passes", "lesson"] {
        old.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(serde_json::from_value::<GrpoSettings>(old).unwrap(), settings(1, 1));
}
