//! `pluriscope train shrink`: a trained adapter at a lower rank, in a fraction of the bytes.

use crate::{
    cli::common::misuse,
    config::Config,
    model::peft::LoraConfig,
    setup,
    train::{frozen::Frozen, lora::Lora},
};
use clap::Args;
use color_eyre::eyre::{Result, eyre};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Shrink a trained adapter to a lower rank, losing as little as that rank allows
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope train shrink --adapter runs/sft/best --rank 8 --model smollm2-135m -o runs/sft-8

Of what the adapter adds to each matrix the best approximation of that rank is kept (truncated singular value
decomposition). The share that is kept is told; whether the answers are as good, `generate` and `eval` tell.

Exit status: 0 written, 1 could not be read or written, 2 misuse.")]
pub struct ShrinkArgs {
    /// Adapter to shrink, a folder in PEFT format
    #[arg(long, value_name = "FOLDER")]
    pub adapter: PathBuf,
    /// Rank of the new adapter
    #[arg(long, default_value_t = 8, value_name = "R")]
    pub rank: usize,
    /// Folder for the new adapter
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Report in JSON on standard output
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &ShrinkArgs, config: &Config) -> Result<ExitCode> {
    let assets = setup::assets(config)?;
    let located = match setup::locate(&setup::model_dirs(config), &assets.models, &config.model) {
        Ok(located) => located,
        Err(error) => return misuse(error),
    };
    if args.out.join("adapter_config.json").exists() {
        return misuse(format!("{} holds an adapter already; choose another --out", args.out.display()));
    }
    let settings = LoraConfig::read(&args.adapter)?;
    let lora = Lora::load(&args.adapter, &Frozen::config(&located.path)?, settings.lora_dropout)?;
    let from = lora.shape.rank;
    if args.rank == 0 || args.rank >= from {
        return misuse(format!("the adapter has rank {from}; --rank must be lower, and at least 1"));
    }
    let Some((small, kept)) = lora.shrunk(args.rank) else {
        return Err(eyre!("{}: holds weights that are not numbers", args.adapter.display()));
    };
    small.save(&args.out, settings.base_model_name_or_path.as_deref().unwrap_or(&config.model))?;
    if args.json {
        println!("{}", json!({ "from": from, "to": args.rank, "kept": kept, "weights": small.values.len() }));
    } else {
        println!(
            "rank {from} to {}: {:.1} % of the squared singular values kept, {} weights",
            args.rank,
            100.0 * kept,
            small.values.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}
