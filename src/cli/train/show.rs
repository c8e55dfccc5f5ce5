//! Progress of training, in lines on standard error.

use crate::{
    core::run::Rollout,
    train::{grpo::GrpoReport, sft::Report},
};
use std::{fs::OpenOptions, io::Write, path::Path};

/// Appends a step's sample rollout to `rollouts.jsonl` in the run folder.
pub fn keep_rollout(folder: &Path, report: &GrpoReport) -> std::io::Result<()> {
    let GrpoReport::Step(step) = report else { return Ok(()) };
    let rollout = Rollout { step: step.step, reward: f64::from(step.reward), text: step.sample.clone() };
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("rollouts.jsonl"))?;
    writeln!(file, "{}", serde_json::to_string(&rollout)?)
}

/// Says what a step of reinforcement learning did.
pub fn grpo(report: &GrpoReport) {
    match report {
        GrpoReport::Step(s) => eprintln!(
            "step {}/{}  loss {:.3}  reward {:.3}  answered {:.3}  length {:.0}  silent groups {}  updates {}  clipped {:.3}  kl {:.4}  norm {:.2}  {:.0} s\n  {}",
            s.step,
            s.steps,
            s.loss,
            s.reward,
            s.answered,
            s.length,
            s.silent,
            s.updates,
            s.clipped,
            s.kl,
            s.norm,
            s.seconds,
            s.sample.replace('\n', " / ")
        ),
        GrpoReport::Validated(v) => {
            eprintln!("validation after {} steps: accuracy {:.3}", v.step, v.accuracy)
        }
        GrpoReport::Resumed(step) => eprintln!("going on after step {step}"),
    }
}

/// Steps between lines where standard error is no terminal.
const QUIET: usize = 10;

/// Says how supervised training goes.
pub fn sft(report: &Report, terminal: bool) {
    match report {
        Report::Step { step, steps, loss, rate, norm, tokens_per_second } => {
            if terminal || step % QUIET == 0 || step == steps {
                eprintln!(
                    "step {step}/{steps}  loss {loss:.4}  lr {rate:.1e}  norm {norm:.2}  {tokens_per_second:.0} tokens/s"
                );
            }
        }
        Report::Validated(v) => {
            eprintln!(
                "validation after {:.2} epochs: loss {:.4}, accuracy {:.3}",
                v.epoch, v.loss, v.accuracy
            );
        }
        Report::Resumed(step) => eprintln!("going on after step {step}"),
    }
}
