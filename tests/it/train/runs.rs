//! Whole runs of a tiny model: they learn, stop, go on, and fail with a remedy.

use super::{base, examples, shape};
use crate::model::tiny;
use pluriscope::train::{
    TrainError,
    batch::{Batch, Example},
    checkpoint::State,
    event_log,
    frozen::Frozen,
    grpo::{self, GrpoReport, GrpoSettings, Prompts},
    grpo_loss::GrpoLoss,
    lora::Lora,
    network::score,
    optimiser::OptimiserSettings,
    policy::{Policy, Request, Rollout},
    sft::{self, Report, Rows, SftSettings, Written},
    verdict::Lesson,
};
use std::{ops::ControlFlow, path::Path};

fn settings(lr: f32, epochs: usize) -> SftSettings {
    SftSettings {
        method: "sft".to_owned(),
        base: "tiny".to_owned(),
        base_hash: "0".to_owned(),
        init: None,
        template: "short".to_owned(),
        lora: shape(),
        optimiser: OptimiserSettings { lr, ..OptimiserSettings::default() },
        epochs,
        batch: 5,
        micro: 3,
        validations: 1,
        patience: 0,
        seed: 7,
        data: String::new(),
        rows: [10, 3],
        written: None,
        drafts: None,
    }
}

fn rows(count: usize) -> Rows {
    Rows { examples: examples(count, 10), groups: (0..count).map(|i| i / 5).collect() }
}

fn run(
    frozen: &Frozen,
    settings: &SftSettings,
    train: &Rows,
    folder: &Path,
    stop_at: usize,
) -> Result<Lora, TrainError> {
    let lora = Lora::new(settings.lora.clone(), &frozen.config, settings.seed)?;
    sft::train(frozen, lora, settings, train, &rows(3), &mut Told::default(), folder, &mut |report| {
        match report {
            Report::Step { step, .. } if step == stop_at => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    })
    .map(|(lora, _)| lora)
}

#[test]
fn a_tiny_model_learns_ten_rows_by_heart() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let out = tempfile::tempdir().unwrap();
    let lora = run(&frozen, &settings(2e-2, 60), &rows(10), out.path(), 0).unwrap();
    let (loss, right) = sft::validate(&frozen, Some(&lora), &rows(10), 5);
    assert!(loss < 0.1 && right == 1.0, "loss {loss}, right {right}");
    let log = std::fs::read_dir(out.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.to_string_lossy().contains("tfevents"))
        .unwrap();
    let losses: Vec<f32> =
        event_log::read(&log).unwrap().iter().filter(|s| s.tag == "train/loss").map(|s| s.value).collect();
    assert_eq!(losses.len(), 120);
    assert!(losses[119] < losses[0] / 10.0);
}

#[test]
fn a_run_that_was_stopped_ends_as_if_it_had_not_been() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = SftSettings {
        lora: pluriscope::train::lora::LoraShape { dropout: 0.1, ..shape() },
        ..settings(1e-2, 3)
    };
    let want = run(&frozen, &settings, &rows(10), whole.path(), 0).unwrap();
    for stop_at in [2, 3] {
        let stopped = run(&frozen, &settings, &rows(10), parts.path(), stop_at);
        assert!(matches!(stopped, Err(TrainError::Interrupted)));
    }
    let got = run(&frozen, &settings, &rows(10), parts.path(), 0).unwrap();
    assert_eq!(got, want);
    let state = |folder: &Path| State::load(folder, want.values.len()).unwrap().unwrap();
    assert_eq!(state(parts.path()).optimiser, state(whole.path()).optimiser);
}

#[test]
fn mistakes_are_clear_and_lose_nothing() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let out = tempfile::tempdir().unwrap();
    let words = |result: Result<Lora, TrainError>| result.unwrap_err().to_string();
    let none = Rows { examples: Vec::new(), groups: Vec::new() };
    assert!(words(run(&frozen, &settings(1e-2, 1), &none, out.path(), 0)).contains("no rows to train on"));
    run(&frozen, &settings(1e-2, 1), &rows(10), out.path(), 1).unwrap_err();
    assert!(
        words(run(&frozen, &settings(2e-2, 1), &rows(10), out.path(), 0)).contains("its settings differ")
    );
    let checkpoint = out.path().join("state.safetensors");
    let whole = std::fs::read(&checkpoint).unwrap();
    std::fs::write(&checkpoint, &whole[..whole.len() / 2]).unwrap();
    assert!(
        words(run(&frozen, &settings(1e-2, 1), &rows(10), out.path(), 0)).contains("not a usable checkpoint")
    );
    let mut lora = shape();
    lora.targets = vec!["w_proj".to_owned()];
    assert!(Lora::new(lora, &frozen.config, 0).unwrap_err().to_string().contains("unknown target `w_proj`"));
}

#[test]
fn a_loss_that_is_no_number_is_skipped_then_given_up_and_the_weights_stay() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let out = tempfile::tempdir().unwrap();
    let settings = settings(1e-2, 9);
    let mut lora = Lora::new(settings.lora.clone(), &frozen.config, 1).unwrap();
    lora.values[0] = f32::NAN;
    let result = sft::train(
        &frozen,
        lora,
        &settings,
        &rows(10),
        &rows(3),
        &mut Told::default(),
        out.path(),
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(matches!(result, Err(TrainError::Diverged(5))));
    assert!(!out.path().join("best").exists());
}

/// A policy that writes nothing, and is right as often as it is told, look by look; told nothing, it must not be asked.
#[derive(Default)]
struct Told {
    looks: Vec<usize>,
    rights: Vec<usize>,
}

impl Policy for Told {
    fn write(
        &mut self,
        adapter: &Path,
        validation: bool,
        request: &Request,
    ) -> Result<Vec<Rollout>, TrainError> {
        assert!(validation && adapter.join("adapter_model.safetensors").exists());
        assert_eq!((request.temperature, request.max_tokens), (0.0, 4));
        let rights = self.rights[self.looks.len()];
        self.looks.push(request.prompts.len());
        let rollout = |prompt: &usize| Rollout {
            prompt: *prompt,
            tokens: vec![1],
            text: String::new(),
            reward: f32::from(u8::from(*prompt < rights)),
            answered: true,
            verdict: None,
        };
        Ok(request.prompts.iter().map(rollout).collect())
    }
}

#[test]
fn answers_that_are_written_out_decide_which_adapter_is_the_best() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let out = tempfile::tempdir().unwrap();
    let settings =
        SftSettings { written: Some(Written { rows: 3, max_tokens: 4 }), patience: 2, ..settings(1e-2, 6) };
    let lora = Lora::new(settings.lora.clone(), &frozen.config, settings.seed).unwrap();
    let mut policy = Told { looks: Vec::new(), rights: vec![1, 3, 2, 3, 0, 0] };
    let mut at_best = None;
    let (last, progress) =
        sft::train(&frozen, lora, &settings, &rows(10), &rows(3), &mut policy, out.path(), &mut |_| {
            let best = out.path().join("best");
            if at_best.is_none() && best.exists() {
                at_best = Some(Lora::load(&best, &frozen.config, 0.0).unwrap());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let accuracies: Vec<f32> = progress.validations.iter().map(|v| v.accuracy * 3.0).collect();
    assert_eq!(accuracies, [1.0, 3.0, 2.0, 3.0], "two looks without a better one end the run");
    assert_eq!(policy.looks, [3; 4]);
    let best = Lora::load(&out.path().join("best"), &frozen.config, 0.0).unwrap();
    assert_ne!(
        Some(&best.values),
        at_best.as_ref().map(|l| &l.values),
        "the second look was better than the first"
    );
    assert_ne!(best.values, last.values, "as good is not better");
}

/// A policy whose rollouts are single random tokens; an even one is right.
struct Toy<'a> {
    frozen: &'a Frozen,
    prompts: Vec<Vec<u32>>,
}

impl Policy for Toy<'_> {
    fn write(&mut self, adapter: &Path, _: bool, request: &Request) -> Result<Vec<Rollout>, TrainError> {
        let lora = Lora::load(adapter, &self.frozen.config, 0.0)?;
        let all: Vec<u32> = (0..tiny::VOCABULARY as u32).collect();
        let mut out = Vec::new();
        for prompt in &request.prompts {
            let row = |token: &u32| Example {
                prompt: self.prompts[*prompt].clone(),
                completion: vec![*token],
                train_prompt: false,
            };
            let rows: Vec<Example> = all.iter().map(row).collect();
            let scored = score(self.frozen, Some(&lora), &Batch::new(&rows.iter().collect::<Vec<_>>()));
            for sample in 0..request.group {
                // A number in 0..1 from the seed, spread evenly over the group.
                let seed = request.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                let mut at =
                    ((seed as f32 / (1u32 << 24) as f32) + sample as f32 / request.group as f32).fract();
                let drawn = scored.iter().position(|s| {
                    at -= s.logprob.exp();
                    at <= 0.0
                });
                let token = drawn.unwrap_or(0) as u32;
                out.push(Rollout {
                    prompt: *prompt,
                    tokens: vec![token],
                    text: token.to_string(),
                    reward: f32::from(u8::from(token.is_multiple_of(2))),
                    answered: true,
                    verdict: None,
                });
            }
        }
        Ok(out)
    }
}

#[test]
fn grpo_raises_the_reward_of_a_toy_task_and_goes_on_after_a_stop() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let prompts: Vec<Vec<u32>> = (0..4).map(|i| tiny::tokens(i, 6)).collect();
    let mut toy = Toy { frozen: &frozen, prompts: prompts.clone() };
    let settings = GrpoSettings {
        base: "tiny".to_owned(),
        base_hash: "0".to_owned(),
        init: None,
        template: "short".to_owned(),
        lora: shape(),
        optimiser: OptimiserSettings { lr: 2e-2, warmup: 0.0, ..OptimiserSettings::default() },
        loss: GrpoLoss::default(),
        lesson: Lesson::Rollout,
        scale_advantages: true,
        steps: 30,
        prompts: 4,
        group: 16,
        updates: 1,
        passes: 1,
        micro: 64,
        max_tokens: 1,
        temperature: 1.0,
        validate_every: 30,
        seed: 3,
        data: String::new(),
    };
    let out = tempfile::tempdir().unwrap();
    let lora = || Lora::new(shape(), &frozen.config, 1).unwrap();
    let prompts = Prompts { train: prompts, validation: 4 };
    let mut rewards = Vec::new();
    let mut run = |stop_at: usize| {
        grpo::train(&frozen, lora(), &settings, &prompts, out.path(), &mut toy, &mut |report| match report {
            GrpoReport::Step(step) => {
                rewards.push(step.reward);
                if step.step == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            _ => ControlFlow::Continue(()),
        })
    };
    assert!(matches!(run(12), Err(TrainError::Interrupted)));
    run(0).unwrap();
    assert_eq!(rewards.len(), 30);
    assert!(rewards[29] > 0.9 && rewards[0] < 0.8, "{rewards:?}");
    let left: Vec<_> = std::fs::read_dir(out.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("rollout-"))
        .collect();
    assert!(left.is_empty(), "adapters of single steps are removed");
}
