//! Synthetic rationales: drafts given the right answer, by a model here or on a server, judged and sifted.
//!
//! What was written is kept round by round in `drafts.jsonl`, so that an interrupted run asks nobody twice; the
//! rationales are always chosen anew from that file.

use super::writer::{Asked, Writer};
use crate::{
    cli::common,
    config::Config,
    core::{
        AdapterRef, Finish, Item, ItemId, Sampler, Template, TemplateRef, Trace,
        check::{consistency, judge_letter, judge_prompt},
    },
    store::export,
    train::{
        TrainError,
        checkpoint::claim,
        rationale::{Draft, DraftSettings, Judged, Sieve, Sifted, admit},
    },
};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Synthetic rationales
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Drafts (synthetic-cot)")]
pub struct DraftArgs {
    /// Model that writes drafts, or MODEL+ADAPTER; also on a server: openai:URL#MODEL. The trained model without it
    #[arg(long, value_name = "MODEL[+ADAPTER]")]
    pub writer: Option<String>,
    /// Adapter of the trained model that writes drafts
    #[arg(long, value_name = "FOLDER", conflicts_with = "writer")]
    pub generator: Option<PathBuf>,
    /// Model that judges drafts, or MODEL+ADAPTER (`smollm2-135m+judge` is shipped): without the perspective, a
    /// rationale must lead it to the right answer
    #[arg(long, value_name = "MODEL[+ADAPTER]")]
    pub judge: Option<String>,
    /// Drafts of each item. From a writer with an adapter, every other one is written without the right answer and
    /// kept only where it arrives there
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub drafts: u32,
}

/// Items whose drafts are written together: the unit that is lost by an interruption.
const ROUND: usize = 64;

/// Writes, judges and sifts.
pub struct Drafting<'a> {
    engine: Writer,
    writer: Asked,
    judge: Option<Asked>,
    hinted: &'a Template,
    plain: &'a Template,
    pub settings: DraftSettings,
}

/// One line of `drafts.jsonl`.
#[derive(Serialize, Deserialize)]
struct Written {
    item: ItemId,
    drafts: Vec<Draft>,
}

impl<'a> Drafting<'a> {
    /// `hinted` gives the right answer away, `plain` is what the method will be asked.
    pub fn new(
        engine: Writer,
        args: &DraftArgs,
        config: &Config,
        [hinted, plain]: [&'a Template; 2],
        seed: u64,
    ) -> color_eyre::Result<Drafting<'a>> {
        let asked = |name: &str| -> color_eyre::Result<Asked> {
            let (model, adapter) = common::model_and_adapter(name, config)?;
            Ok(Asked { model, adapter })
        };
        let writer = match (&args.writer, &args.generator) {
            (Some(name), _) => asked(name)?,
            (None, Some(path)) => {
                let adapter = AdapterRef { name: path.display().to_string(), path: path.clone() };
                Asked { adapter: Some(adapter), ..engine.base() }
            }
            (None, None) => engine.base(),
        };
        let judge = args.judge.as_deref().map(asked).transpose()?;
        let settings = DraftSettings {
            writer: writer.model.clone(),
            adapter: writer.adapter.as_ref().map(|a| a.name.clone()),
            judge: judge.as_ref().map(Asked::name),
            drafts: args.drafts,
            template: format!("{} {}", hinted.reference.id, hinted.reference.hash),
            seed,
        };
        Ok(Drafting { engine, writer, judge, hinted, plain, settings })
    }

    /// Gives each item a rationale, or leaves it out. `folder` gets `run.json` (who wrote and judged), `drafts.jsonl`,
    /// `gates.json` and `synthetic.jsonl`.
    pub fn explain(
        &mut self,
        items: &[Arc<Item>],
        folder: &Path,
    ) -> Result<(Vec<Arc<Item>>, Sifted), TrainError> {
        claim(folder, &self.settings)?;
        let path = folder.join("drafts.jsonl");
        let mut all = written_before(&path, items)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(wrong(&path))?;
        for chunk in items[all.len()..].chunks(ROUND) {
            let mut lines = String::new();
            for (item, drafts) in chunk.iter().zip(self.round(chunk)?) {
                let written = Written { item: item.id, drafts };
                lines.push_str(&serde_json::to_string(&written).map_err(wrong(&path))?);
                lines.push('\n');
                all.push(written.drafts);
            }
            file.write_all(lines.as_bytes()).map_err(wrong(&path))?;
            eprintln!("drafts of {}/{} items are written", all.len(), items.len());
        }
        let mut sieve = Sieve::default();
        let kept: Vec<Arc<Item>> = items
            .iter()
            .zip(&all)
            .filter_map(|(item, drafts)| {
                let text = sieve.take(item, drafts)?;
                Some(Arc::new(Item { explanation: Some(text), ..Item::clone(item) }))
            })
            .collect();
        save(folder, &kept, &sieve.counts)?;
        Ok((kept, sieve.counts))
    }

    /// Drafts of some items, judged and scored as far as that matters.
    fn round(&mut self, items: &[Arc<Item>]) -> Result<Vec<Vec<Draft>>, TrainError> {
        let mut rows = Vec::new();
        for item in items {
            for sample in 0..self.settings.drafts {
                let unhinted = self.writer.adapter.is_some() && sample % 2 == 1;
                let template = if unhinted { self.plain } else { self.hinted };
                let sampler =
                    Sampler { temperature: 0.8, top_p: 0.95, max_tokens: 128, ..Sampler::default() };
                rows.push(self.engine.row(template, item, sampler, self.settings.seed, sample)?);
            }
        }
        let traces = self.engine.write_each(rows, &self.writer)?;
        let per_item = self.settings.drafts as usize;
        let mut drafts: Vec<Vec<Draft>> =
            traces.chunks(per_item).map(|traces| traces.iter().map(draft).collect()).collect();
        self.judge(items, &mut drafts)?;
        self.score(items, &mut drafts)?;
        Ok(drafts)
    }

    /// Asks the judge about every draft that passes the other gates.
    fn judge(&mut self, items: &[Arc<Item>], drafts: &mut [Vec<Draft>]) -> Result<(), TrainError> {
        let Some(judge) = &self.judge else { return Ok(()) };
        let name = TemplateRef { id: "judge".to_owned(), hash: String::new() };
        let (mut rows, mut asked) = (Vec::new(), Vec::new());
        for (item, draft) in each(items, drafts) {
            if let Ok(rationale) = admit(draft, item) {
                let (prompt, sampler) = (judge_prompt(item, &rationale), Sampler::greedy(consistency::REPLY));
                rows.push(self.engine.question(prompt, &name, item, sampler, 0));
                asked.push((item, draft));
            }
        }
        for ((item, draft), reply) in asked.into_iter().zip(self.engine.write_each(rows, judge)?) {
            // A judge that failed on this one text names no option either.
            let letter = reply.ok().and_then(|trace| judge_letter(&trace.llm_output, item));
            draft.judged = letter.map_or(Judged::Unclear, Judged::LeadsTo);
        }
        Ok(())
    }

    /// Servers tell no log-probabilities of what they write: there, the model that is to learn says how likely a
    /// draft is, after the prompt that it will see.
    fn score(&mut self, items: &[Arc<Item>], drafts: &mut [Vec<Draft>]) -> Result<(), TrainError> {
        let (mut texts, mut wanted) = (Vec::new(), Vec::new());
        for (item, draft) in each(items, drafts) {
            let good = match draft.judged {
                Judged::NotAsked => true,
                Judged::Unclear => false,
                Judged::LeadsTo(letter) => Some(letter) == item.gold,
            };
            if let (true, None, Ok(rationale)) = (good, draft.logprob, admit(draft, item)) {
                let prompt = self.plain.render(item).map_err(|e| TrainError::Rollout(e.to_string()))?;
                texts.push((prompt, rationale));
                wanted.push(draft);
            }
        }
        let scores = self.engine.score(texts, &self.engine.base())?;
        for (draft, score) in wanted.into_iter().zip(scores) {
            draft.logprob = Some(score);
        }
        Ok(())
    }
}

/// Every draft with its item.
fn each<'d>(
    items: &'d [Arc<Item>],
    drafts: &'d mut [Vec<Draft>],
) -> impl Iterator<Item = (&'d Arc<Item>, &'d mut Draft)> {
    items.iter().zip(drafts).flat_map(|(item, all)| all.iter_mut().map(move |draft| (item, draft)))
}

fn draft(written: &Result<Arc<Trace>, String>) -> Draft {
    match written {
        Ok(trace) => Draft {
            text: trace.llm_output.clone(),
            logprob: (!trace.logprobs.is_empty())
                .then(|| trace.logprobs.iter().sum::<f32>() / trace.logprobs.len() as f32),
            finished: trace.finish == Some(Finish::Stop),
            problem: None,
            judged: Judged::NotAsked,
        },
        Err(problem) => Draft { problem: Some(problem.clone()), ..Draft::default() },
    }
}

fn wrong<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> TrainError {
    move |e| TrainError::Format { path: path.to_owned(), problem: e.to_string() }
}

/// The drafts that an earlier run wrote for the first of these items. A line that is broken, or of another item, ends
/// them, and the file is cut there.
fn written_before(path: &Path, items: &[Arc<Item>]) -> Result<Vec<Vec<Draft>>, TrainError> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(Vec::new()) };
    let (mut found, mut good) = (Vec::new(), 0);
    for (line, item) in text.split_inclusive('\n').zip(items) {
        match serde_json::from_str::<Written>(line) {
            Ok(written) if written.item == item.id && line.ends_with('\n') => found.push(written.drafts),
            _ => break,
        }
        good += line.len();
    }
    if good < text.len() {
        fs::write(path, &text[..good]).map_err(wrong(path))?;
    }
    Ok(found)
}

fn save(folder: &Path, kept: &[Arc<Item>], counts: &Sifted) -> Result<(), TrainError> {
    let (file, gates) = (folder.join("synthetic.jsonl"), folder.join("gates.json"));
    let mut lines = String::new();
    for item in kept {
        lines.push_str(&export::item_line(item).map_err(wrong(&file))?);
        lines.push('\n');
    }
    let text = serde_json::to_string_pretty(counts).map_err(wrong(&gates))?;
    fs::write(&gates, text).map_err(wrong(&gates))?;
    fs::write(&file, lines).map_err(wrong(&file))
}
