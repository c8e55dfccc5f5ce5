//! Training: tokens per second, peak memory against the printed estimate, and rollouts at batch 64 against batch 1.
//!
//! ```sh
//! cargo bench --locked --bench training        # everything, in one run
//! # The same without building the dependencies anew, where they are built for tests:
//! P=profile.dev.package.pluriscope; cargo bench --locked --profile dev --config $P.opt-level=3 \
//!     --config $P.debug-assertions=false --config $P.overflow-checks=false --bench training
//! # PyTorch and PEFT on the same shapes; both print tokens per second of 16 rows x 128 tokens:
//! python3 tests/bench/pytorch_lora.py
//! ```
//!
//! Exit status 1 where the peak is above the estimate or 4 GB. Each part is a process of its own, so that its peak
//! (VmHWM, Linux only) is its own; PLURISCOPE_BENCH_PART=train or =rollouts runs one alone. Two threads, like the script
//! beside it. Figures mean something on a quiet machine only; those that were kept are in `LOG.md`.

mod model;

use pluriscope::{
    core::{AdapterRef, Item, Message, Perspective, Prompt, Role, Sampler, TemplateRef},
    engine::{
        Engine, EngineOptions,
        local::{LocalModels, Located},
    },
    job::{Command, GenerateRow, JobEvent, JobId, RowId},
    model::LoadOptions,
    train::{
        batch::{Batch, Example},
        frozen::Frozen,
        lora::{Lora, LoraShape},
        memory,
        network::learn,
        optimiser::{AdamW, OptimiserSettings},
        sft,
    },
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    env, fs,
    path::Path,
    process::{self, ExitCode},
    sync::{Arc, mpsc},
    time::Instant,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PART: &str = "PLURISCOPE_BENCH_PART";
const THREADS: usize = 2;
/// Rows of a batch, tokens of each that go through the network, and tokens that are predicted.
const ROWS: usize = 16;
const TOKENS: usize = 128;
const TARGETS: usize = 33;
const STEPS: usize = 5;
/// Bytes that training may take at most.
const LIMIT: u64 = 4_000_000_000;
/// Rollouts: prompts, rollouts of each, and the most tokens of one.
const PROMPTS: usize = 8;
const GROUP: usize = 8;
const LONGEST: usize = 64;
/// Rollouts that are written one after the other.
const SINGLE: usize = 3;
const ROUNDS: usize = 3;

fn main() -> Result<ExitCode> {
    if !env::args().any(|a| a == "--bench") {
        println!("run it with `cargo bench --bench training`");
        return Ok(ExitCode::SUCCESS);
    }
    let Some(path) = model::smollm2() else {
        println!("skipped: SmolLM2-135M-Instruct is not here; run `pluriscope models fetch smollm2-135m`");
        return Ok(ExitCode::SUCCESS);
    };
    match env::var(PART).as_deref() {
        Ok("train") => train(&path),
        Ok("rollouts") => rollouts(&path).map(|()| ExitCode::SUCCESS),
        _ => {
            let mut good = true;
            for part in ["train", "rollouts"] {
                let status = process::Command::new(env::current_exe()?)
                    .arg("--bench")
                    .env(PART, part)
                    .env("RAYON_NUM_THREADS", THREADS.to_string())
                    .status()?;
                good &= status.success();
            }
            Ok(ExitCode::from(u8::from(!good)))
        }
    }
}

fn shape() -> LoraShape {
    let targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    LoraShape {
        rank: 16,
        alpha: 32.0,
        rslora: false,
        dropout: 0.0,
        targets: targets.map(str::to_owned).to_vec(),
    }
}

/// Whole updates: both ways through the network, clipping, AdamW.
fn train(path: &Path) -> Result<ExitCode> {
    memory::keep_buffers();
    let frozen = Frozen::load(path)?;
    let loaded = peak();
    let mut lora = Lora::new(shape(), &frozen.config, 1)?;
    let mut adam = AdamW::new(lora.values.len());
    let settings = OptimiserSettings::default();
    let mut gradient = vec![0f32; lora.values.len()];
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut draw = |count: usize| (0..count).map(|_| rng.random_range(1000..20_000)).collect::<Vec<u32>>();
    let rows: Vec<Example> = (0..ROWS)
        .map(|_| Example {
            // The last completion token is predicted and not read.
            prompt: draw(TOKENS + 1 - TARGETS),
            completion: draw(TARGETS),
            train_prompt: false,
        })
        .collect();
    let batch = Batch::new(&rows.iter().collect::<Vec<_>>());
    assert_eq!((batch.tokens.len(), batch.targets.len()), (ROWS * TOKENS, ROWS * TARGETS));
    let weight = 1.0 / batch.targets.len() as f32;
    let mut speeds = Vec::new();
    for step in 0..=STEPS {
        let start = Instant::now();
        gradient.fill(0.0);
        learn(&frozen, &lora, &batch, 0, &|_, _| -weight, &mut gradient);
        adam.update(&mut lora.values, &mut gradient, 1e-4, &settings);
        // The first touches memory for the first time.
        if step > 0 {
            speeds.push(batch.tokens.len() as f64 / start.elapsed().as_secs_f64());
        }
    }
    speeds.sort_by(f64::total_cmp);
    println!(
        "training, {ROWS} x {TOKENS} tokens, f32, {} threads: {:.0} tokens per second at best, {:.0} in the median",
        rayon::current_num_threads(),
        speeds[STEPS - 1],
        speeds[STEPS / 2]
    );
    let estimate = sft::memory(&frozen, &lora, ROWS * TOKENS);
    let Some((peak, loaded)) = peak().zip(loaded) else {
        println!("peak memory: this system does not tell (estimate {} MB)", estimate / 1_000_000);
        return Ok(ExitCode::SUCCESS);
    };
    println!(
        "peak memory: {} MB ({} MB once the weights were loaded), estimate {} MB, limit {} MB",
        peak / 1_000_000,
        loaded / 1_000_000,
        estimate / 1_000_000,
        LIMIT / 1_000_000
    );
    Ok(ExitCode::from(u8::from(peak > estimate || peak > LIMIT)))
}

/// Peak resident memory of this process, in bytes.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// The engine as reinforcement learning uses it: groups of rollouts of the same prompts, with an adapter.
fn rollouts(path: &Path) -> Result<()> {
    let adapter = tempfile::tempdir()?;
    let frozen = Frozen::load(path)?;
    let mut lora = Lora::new(shape(), &frozen.config, 1)?;
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    lora.values.iter_mut().for_each(|v| *v += rng.random_range(-1e-3..1e-3));
    lora.save(adapter.path(), "smollm2-135m")?;
    drop(frozen);
    let all: Vec<GenerateRow> = (0..PROMPTS * GROUP).map(|i| row(i, adapter.path())).collect();
    // One rollout a prompt: the first of each group.
    let few: Vec<GenerateRow> = all.iter().step_by(GROUP).take(SINGLE).cloned().collect();
    let (mut one, mut many, mut length) = (0f64, 0f64, 0.0);
    for _ in 0..ROUNDS {
        one = one.max(write(path, &few, 1)?.0);
        let (speed, mean) = write(path, &all, PROMPTS * GROUP)?;
        (many, length) = (many.max(speed), mean);
    }
    println!(
        "rollouts, {length:.0} tokens each: {one:.0} tokens per second at batch 1, {many:.0} at batch {}: {:.1} x",
        PROMPTS * GROUP,
        many / one
    );
    Ok(())
}

fn row(i: usize, adapter: &Path) -> GenerateRow {
    const DOINGS: [&str; PROMPTS] =
        ["Reading", "Hiding", "Selling", "Copying", "Burning", "Lending", "Mending", "Keeping"];
    let text = format!("{} a diary that was found on a train between two small towns", DOINGS[i / GROUP]);
    let item = Arc::new(Item::value("vk", Perspective::named("Right to privacy"), &text));
    let user = format!("{text}\nThe right: Right to privacy\nWhy, and does it support, oppose or either?");
    let system = "Say where the given point of view stands, and why.".to_owned();
    let message = |role, content| Message { role, content };
    GenerateRow {
        row: RowId(0),
        item,
        method: "rlvr".into(),
        model: "smollm2".to_owned(),
        adapter: Some(AdapterRef { name: "rlvr".to_owned(), path: adapter.to_owned() }),
        template: TemplateRef { id: "short-reason".to_owned(), hash: String::new() },
        prompt: Prompt {
            messages: vec![message(Role::System, system), message(Role::User, user)],
            prefill: String::new(),
        },
        sampler: Sampler { temperature: 1.0, top_p: 1.0, max_tokens: LONGEST, ..Sampler::default() },
        seed: i as u64,
        sample: (i % GROUP) as u32,
    }
}

/// Tokens per second of a fresh engine that runs `batch` rows at once, prompts included, and mean tokens of a row.
fn write(path: &Path, rows: &[GenerateRow], batch: usize) -> Result<(f64, f64)> {
    let (sender, events) = mpsc::channel();
    let located = Located { path: path.to_owned(), sha256: None, memory: 0 };
    let options = LoadOptions { threads: Some(THREADS), ..LoadOptions::default() };
    let provider = LocalModels::new(options, move |_| Ok(located.clone()));
    let engine = Engine::start(
        EngineOptions { max_rows: batch, ..EngineOptions::default() },
        provider,
        move |event| {
            drop(sender.send(event));
        },
    )?;
    engine.send(Command::Load { job: JobId(0), model: "smollm2".to_owned() });
    while !matches!(events.recv()?, JobEvent::JobDone { .. }) {}
    let numbered =
        rows.iter().enumerate().map(|(i, row)| GenerateRow { row: RowId(i as u64), ..row.clone() });
    let rows: Vec<GenerateRow> = numbered.collect();
    let (count, start) = (rows.len(), Instant::now());
    engine.send(Command::Generate { job: JobId(1), rows });
    let mut tokens = 0;
    loop {
        match events.recv()? {
            JobEvent::RowDone { trace, .. } => tokens += trace.tokens.len(),
            JobEvent::RowFailed { problem, .. } | JobEvent::WorkerFailed { problem } => {
                return Err(problem.into());
            }
            JobEvent::JobDone { .. } => break,
            _ => {}
        }
    }
    Ok((tokens as f64 / start.elapsed().as_secs_f64(), tokens as f64 / count as f64))
}
