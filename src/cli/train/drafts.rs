//! Synthetic rationales: drafts by the local model, given the right answer, sifted by the gates.

use super::rollouts::Writer;
use crate::{
    core::{Finish, Item, Sampler, Template},
    store::export,
    train::{
        TrainError,
        rationale::{Draft, Sieve, Sifted},
    },
};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Synthetic rationales
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Drafts (synthetic-cot)")]
pub struct DraftArgs {
    /// Adapter of the model that writes drafts; without one the base model does. With one, every other draft is
    /// written without the right answer and kept only where it arrives there
    #[arg(long, value_name = "FOLDER")]
    pub generator: Option<PathBuf>,
    /// Drafts of each item
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub drafts: u32,
}

/// Items whose drafts are written together: the unit that is lost by an interruption.
const ROUND: usize = 64;

/// Gives each item a rationale, or leaves it out. Done once: they are kept in `synthetic.jsonl` of `folder`.
pub fn explain(
    writer: &mut Writer,
    hinted: &Template,
    plain: &Template,
    items: &[Arc<Item>],
    args: &DraftArgs,
    seed: u64,
    folder: &Path,
) -> Result<(Vec<Arc<Item>>, Sifted), TrainError> {
    let mut sieve = Sieve::default();
    let mut kept = Vec::new();
    for (round, chunk) in items.chunks(ROUND).enumerate() {
        let mut rows = Vec::new();
        for item in chunk {
            for sample in 0..args.drafts {
                let template = if args.generator.is_some() && sample % 2 == 1 { plain } else { hinted };
                let sampler =
                    Sampler { temperature: 0.8, top_p: 0.95, max_tokens: 128, ..Sampler::default() };
                rows.push(writer.row(template, item, sampler, seed, sample)?);
            }
        }
        let traces = writer.write(rows, args.generator.as_deref())?;
        for (item, traces) in chunk.iter().zip(traces.chunks(args.drafts as usize)) {
            let drafts: Vec<Draft> = traces
                .iter()
                .map(|t| Draft {
                    text: t.llm_output.clone(),
                    logprob: t.logprobs.iter().sum::<f32>() / t.logprobs.len().max(1) as f32,
                    finished: t.finish == Some(Finish::Stop),
                })
                .collect();
            if let Some(text) = sieve.take(item, &drafts, |_| true) {
                kept.push(Arc::new(Item { explanation: Some(text), ..Item::clone(item) }));
            }
        }
        let done = ((round + 1) * ROUND).min(items.len());
        eprintln!("drafts of {done}/{} items: {} rationales kept", items.len(), sieve.counts.kept);
    }
    let wrong = |path: &Path, e: &dyn std::fmt::Display| TrainError::Format {
        path: path.to_owned(),
        problem: e.to_string(),
    };
    let (file, counts) = (folder.join("synthetic.jsonl"), folder.join("gates.json"));
    let mut lines = String::new();
    for item in &kept {
        lines.push_str(&export::item_line(item).map_err(|e| wrong(&file, &e))?);
        lines.push('\n');
    }
    let text = serde_json::to_string_pretty(&sieve.counts).map_err(|e| wrong(&counts, &e))?;
    fs::create_dir_all(folder).map_err(|e| wrong(folder, &e))?;
    fs::write(&counts, text).map_err(|e| wrong(&counts, &e))?;
    fs::write(&file, lines).map_err(|e| wrong(&file, &e))?;
    Ok((kept, sieve.counts))
}
