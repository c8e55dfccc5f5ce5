//! `pluriscope train verl`: what verl needs to train on more than one machine.

use crate::{
    cli::common::{self, misuse},
    config::Config,
    core::{Item, Prompt},
    setup,
    store::verl,
};
use clap::Args;
use color_eyre::eyre::{Result, WrapErr};
use std::{fs::File, path::PathBuf, process::ExitCode, sync::Arc};

/// Write items as verl's Parquet files, with the reward function and the command to run
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope train verl --items data/values.jsonl -o verl
  sh verl/run.sh            # where verl and its GPUs are

Exit status: 0 written, 1 could not be written, 2 misuse.")]
pub struct VerlArgs {
    /// Items in any format that `import` reads: files, or folders of files
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub items: Vec<PathBuf>,
    /// Method whose prompt template is used
    #[arg(long, default_value = "zero-shot-cot", value_name = "ID")]
    pub method: String,
    /// Folder for train.parquet, val.parquet, test.parquet, reward.py and run.sh
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,
}

/// The study's settings (256 prompts, 16 rollouts each, four updates a step), as verl's command line. Set too is what
/// verl's defaults leave unusable: without micro-batches, here by their tokens, it refuses to begin; a rollout takes two
/// GPUs; no checkpoint is kept; a prompt that is too long is an error.
const RUN: &str = r#"#!/bin/sh
# GRPO with verl on the files beside this script. MODEL is any model that verl knows. Arguments of the script go to verl,
# and win: trainer.n_gpus_per_node=4 (it takes 8), actor_rollout_ref.actor.ppo_max_token_len_per_gpu=8192 (where memory is
# short). Logs go to TENSORBOARD_DIR; a Ray cluster that runs already has to be started with it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export TENSORBOARD_DIR="${TENSORBOARD_DIR:-$here/logs}"
exec python3 -m verl.trainer.main_ppo \
    algorithm.adv_estimator=grpo \
    data.train_files="$here/train.parquet" data.val_files="$here/val.parquet" data.filter_overlong_prompts=True \
    data.train_batch_size=256 data.max_prompt_length=448 data.max_response_length=448 \
    actor_rollout_ref.model.path="${MODEL:-Qwen/Qwen2.5-7B-Instruct}" \
    actor_rollout_ref.actor.optim.lr=1.5e-6 actor_rollout_ref.actor.optim.lr_warmup_steps_ratio=0.1 \
    actor_rollout_ref.actor.ppo_mini_batch_size=64 actor_rollout_ref.actor.clip_ratio=0.2 \
    actor_rollout_ref.actor.use_dynamic_bsz=True actor_rollout_ref.actor.ppo_max_token_len_per_gpu=16384 \
    actor_rollout_ref.actor.grad_clip=3.0 actor_rollout_ref.actor.entropy_coeff=0 \
    actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.001 \
    actor_rollout_ref.actor.kl_loss_type=low_var_kl \
    actor_rollout_ref.ref.log_prob_use_dynamic_bsz=True actor_rollout_ref.rollout.log_prob_use_dynamic_bsz=True \
    actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.tensor_model_parallel_size=1 \
    actor_rollout_ref.rollout.n=16 \
    actor_rollout_ref.rollout.temperature=0.7 actor_rollout_ref.rollout.top_p=0.95 \
    custom_reward_function.path="$here/reward.py" custom_reward_function.name=compute_score \
    trainer.total_epochs=1 trainer.test_freq=10 trainer.logger='["console","tensorboard"]' \
    trainer.save_freq=50 trainer.default_local_dir="$here/checkpoints" \
    trainer.project_name=pluriscope trainer.experiment_name=rlvr "$@"
"#;

pub fn run(args: &VerlArgs, config: &Config) -> Result<ExitCode> {
    let assets = setup::assets(config)?;
    let Some(method) = assets.methods.iter().find(|m| m.id.0 == args.method) else {
        return misuse(format!("there is no method `{}`; see `methods.toml`", args.method));
    };
    let Some(template) = assets.templates.get(&method.template) else {
        return misuse(format!("method `{}` has no prompt template", args.method));
    };
    let read = common::read_items(&args.items, None, None)?;
    std::fs::create_dir_all(&args.out).wrap_err_with(|| args.out.display().to_string())?;
    for split in ["train", "val", "test"] {
        let rows: Vec<(Arc<Item>, Prompt)> = read
            .items
            .iter()
            .filter(|i| {
                i.split.as_deref().unwrap_or("train") == split
                    && method.applies(i.perspective.kind, &i.dataset)
            })
            .map(|item| Ok((Arc::clone(item), template.render(item)?)))
            .collect::<Result<_>>()?;
        let path = args.out.join(format!("{split}.parquet"));
        let name = || path.display().to_string();
        let count = verl::write(File::create(&path).wrap_err_with(name)?, &rows).wrap_err_with(name)?;
        println!("{}: {count} rows", path.display());
    }
    for (name, text) in [("reward.py", verl::REWARD), ("run.sh", RUN)] {
        let path = args.out.join(name);
        std::fs::write(&path, text).wrap_err_with(|| path.display().to_string())?;
    }
    println!("run {} where verl is installed", args.out.join("run.sh").display());
    Ok(ExitCode::SUCCESS)
}
