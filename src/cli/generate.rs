//! `pluriscope generate`: items in, traces out, many rows at once; goes on where it was interrupted.

mod output;
mod probabilities;
mod run;

use super::common::{self, misuse};
use crate::{
    config::Config,
    core::{
        AdapterRef, Adapters, Item, Method, Sampler, TemplateRef, check::Scoring, prompt::TemplateError,
        seed::row_seed,
    },
    engine::EngineOptions,
    job::{GenerateRow, RowId},
    setup,
    store::{
        Format,
        assets::{Assets, find_adapters},
    },
};
use clap::Args;
use color_eyre::eyre::Result;
use output::{Key, Output};
use run::Run;
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, sync::Arc};

/// Write traces: every method on every item, in one batch
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope generate --items items.jsonl --methods zero-shot-cot,human-cot --model smollm2-135m --limit 20 --seed 7 -o traces.jsonl

Lines are appended as rows finish, in that order; what a line holds does not depend on the batch. Run the same
command again after an interruption: rows that are in the file already are left out.

Exit status: 0 all rows were written, 1 some failed or the run was interrupted, 2 misuse.")]
pub struct GenerateArgs {
    /// Items in any format that `import` reads: files, or folders of files
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub items: Vec<PathBuf>,
    /// The format of the items, where their content does not tell
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Methods by id, separated by commas; all of them by default
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    pub methods: Vec<String>,
    /// Only items of this split (train, val, test)
    #[arg(long, value_name = "SPLIT")]
    pub split: Option<String>,
    /// Only the first N items
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Traces per item and method
    #[arg(long, default_value_t = 1, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: u32,
    /// Seed of the run; every row derives its own from it
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Rows that run at once
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub batch: u16,
    /// Also the probability of each option after the rationale, scored by option `letters` (the default) or by
    /// `words`; kept in the trace as `option_probabilities`. The sampled answer stays as it is
    #[arg(long, value_name = "BY", num_args = 0..=1, require_equals = true, default_missing_value = "letters")]
    pub option_probabilities: Option<Scoring>,
    /// Adapter of a method, instead of the one in its methods file or in the adapters folder
    #[arg(long, value_name = "METHOD=FOLDER", value_parser = common::parse_adapter)]
    pub adapter: Vec<(String, PathBuf)>,
    /// JSON Lines file to append to; standard output by default
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Report in JSON on standard output (with --out)
    #[arg(long, requires = "out")]
    pub json: bool,
    #[command(flatten)]
    pub sampling: SamplingArgs,
}

/// Sampling settings that override those of every method
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// 0 takes the most probable token
    #[arg(long, value_name = "T")]
    pub temperature: Option<f32>,
    /// Keep the smallest set of tokens whose probabilities reach this
    #[arg(long, value_name = "P")]
    pub top_p: Option<f32>,
    /// Keep the K most probable tokens; 0 keeps all
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Drop tokens less probable than this share of the best one
    #[arg(long, value_name = "P")]
    pub min_p: Option<f32>,
    /// The most tokens to write
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,
    /// Text that ends an answer; may be given more than once
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
}

impl SamplingArgs {
    fn over(&self, sampler: &Sampler) -> Sampler {
        Sampler {
            temperature: self.temperature.unwrap_or(sampler.temperature),
            top_p: self.top_p.unwrap_or(sampler.top_p),
            top_k: self.top_k.unwrap_or(sampler.top_k),
            min_p: self.min_p.unwrap_or(sampler.min_p),
            max_tokens: self.max_tokens.unwrap_or(sampler.max_tokens),
            stop: if self.stop.is_empty() { sampler.stop.clone() } else { self.stop.clone() },
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub items: usize,
    /// Item rows that could not be read.
    pub bad: usize,
    /// Rows of this run, without those below.
    pub rows: usize,
    pub written: usize,
    /// Rows that the file had already.
    pub already: usize,
    pub failed: usize,
    /// Rows that were written without the option probabilities that were asked for.
    pub unscored: usize,
    pub not_applicable: usize,
    /// Trained methods without an adapter, with the rows left out for it.
    pub without_adapter: BTreeMap<String, usize>,
    pub tokens: usize,
    pub seconds: f64,
    pub tokens_per_second: f64,
    pub interrupted: bool,
}

/// Runs the command.
pub fn run(args: GenerateArgs, config: &Config) -> Result<ExitCode> {
    let assets = setup::assets(config)?;
    let methods: Vec<&Method> = match assets.choose(&args.methods) {
        Ok(_) if args.methods.is_empty() => assets.methods.iter().collect(),
        Ok(chosen) => chosen,
        Err(error) => return misuse(error),
    };
    if let Some(problem) = methods.iter().find_map(|m| args.sampling.over(&m.sampler).problem()) {
        return misuse(problem);
    }
    let read = common::read_items(&args.items, args.format, args.split.as_deref())?;
    let mut report = Report { bad: read.bad, ..Report::default() };
    let mut items = read.items;
    items.truncate(args.limit.unwrap_or(usize::MAX));
    report.items = items.len();
    if items.is_empty() {
        let of_split = args.split.as_ref().map_or(String::new(), |s| format!(" of split `{s}`"));
        return misuse(format!("there are no items{of_split} in {}", paths(&args.items)));
    }
    let columns = columns(&args, config, &assets, &methods)?;
    let mut output = Output::open(args.out.as_deref())?;
    let rows = match plan(&args, &items, &columns, &output, &mut report)? {
        Some(rows) => rows,
        None => return misuse(nothing_left(&report, config)),
    };
    tell_left_out(&report, config);
    tell_alike(&args, &columns);
    let interrupted = common::interrupt_flag()?;
    let options = EngineOptions { max_rows: usize::from(args.batch), ..EngineOptions::default() };
    let provider = setup::local_models(config, &assets.models);
    Run { provider, options, interrupted, probabilities: args.option_probabilities, quiet: false }.write(
        rows,
        &mut output,
        &mut report,
    )?;
    finish(&args, &report)
}

/// Samples at temperature 0 are one text over and over: that is seldom what was meant.
fn tell_alike(args: &GenerateArgs, columns: &[Column<'_>]) {
    let alike = columns.iter().filter(|c| c.sampler.temperature == 0.0).map(|c| c.method.id.0.as_ref());
    let alike: Vec<&str> = alike.collect();
    if args.samples > 1 && !alike.is_empty() {
        eprintln!(
            "the {} samples of an item will be alike for {}, at temperature 0; --temperature 0.7 draws them",
            args.samples,
            alike.join(", ")
        );
    }
}

fn paths(files: &[PathBuf]) -> String {
    files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// A method with all that its rows share.
struct Column<'a> {
    method: &'a Method,
    model: String,
    adapters: Adapters,
    sampler: Sampler,
    template: &'a crate::core::Template,
}

fn columns<'a>(
    args: &GenerateArgs,
    config: &Config,
    assets: &'a Assets,
    methods: &[&'a Method],
) -> Result<Vec<Column<'a>>> {
    methods
        .iter()
        .map(|method| {
            let model = method.model.clone().unwrap_or_else(|| config.model.clone());
            let given = args.adapter.iter().find(|(id, _)| *id == method.id.0).map(|(_, path)| AdapterRef {
                name: path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
                path: path.clone(),
            });
            let adapters = match given {
                Some(given) => Adapters { general: Some(given), survey: None },
                None => find_adapters(method, &model, &config.adapters_dir()),
            };
            Ok(Column {
                method,
                adapters,
                model,
                sampler: args.sampling.over(&method.sampler),
                template: assets.template(method).ok_or_else(|| {
                    common::failure(format!("there is no prompt template `{}`", method.template))
                })?,
            })
        })
        .collect()
}

/// The rows that are still to be written, items first so that a stopped run has whole comparisons; `None` when
/// there is no row at all, done or to do.
fn plan(
    args: &GenerateArgs,
    items: &[Arc<Item>],
    columns: &[Column<'_>],
    output: &Output,
    report: &mut Report,
) -> Result<Option<Vec<GenerateRow>>> {
    let mut rows = Vec::new();
    for item in items {
        for column in columns {
            let method = column.method;
            if !method.applies_to(item) {
                report.not_applicable += args.samples as usize;
                continue;
            }
            let adapter = column.adapters.of(item.perspective.kind);
            if method.trained && adapter.is_none() {
                *report.without_adapter.entry(method.id.0.clone()).or_default() += args.samples as usize;
                continue;
            }
            let prompt = column.template.render(item).map_err(|e: TemplateError| common::failure(e))?;
            for sample in 0..args.samples {
                let seed = row_seed(args.seed, item.id, &method.id, sample);
                let key = Key {
                    item: item.id,
                    method: method.id.clone(),
                    sample,
                    seed,
                    model: column.model.clone(),
                };
                if output.has(&key) {
                    report.already += 1;
                    continue;
                }
                let template: TemplateRef = column.template.reference.clone();
                rows.push(GenerateRow {
                    row: RowId(rows.len() as u64),
                    item: Arc::clone(item),
                    method: method.id.clone(),
                    model: column.model.clone(),
                    adapter: adapter.cloned(),
                    template,
                    prompt: prompt.clone(),
                    sampler: column.sampler.clone(),
                    seed,
                    sample,
                });
            }
        }
    }
    report.rows = rows.len();
    Ok((!rows.is_empty() || report.already > 0).then_some(rows))
}

fn nothing_left(report: &Report, config: &Config) -> String {
    match report.without_adapter.keys().next() {
        Some(method) => format!("nothing to do: {}", no_adapter(method, config)),
        None => "nothing to do: none of the methods applies to any of the items".to_owned(),
    }
}

fn no_adapter(method: &str, config: &Config) -> String {
    format!(
        "`{method}` is a trained method and has no adapter for {} in {}; train it, or name one with --adapter {method}=FOLDER",
        config.model,
        config.adapters_dir().display()
    )
}

fn tell_left_out(report: &Report, config: &Config) {
    for (method, rows) in &report.without_adapter {
        eprintln!("left out {rows} rows: {}", no_adapter(method, config));
    }
    if report.not_applicable > 0 {
        eprintln!("left out {} rows: their method does not apply to the item", report.not_applicable);
    }
    if report.already > 0 {
        eprintln!("{} rows are in the file already", report.already);
    }
}

fn finish(args: &GenerateArgs, report: &Report) -> Result<ExitCode> {
    if args.json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        eprintln!(
            "{} of {} rows written, {} failed; {} tokens in {:.1} s ({:.0} tokens/s)",
            report.written,
            report.rows,
            report.failed,
            report.tokens,
            report.seconds,
            report.tokens_per_second
        );
    }
    if report.unscored > 0 {
        eprintln!("{} rows are without option probabilities", report.unscored);
    }
    if report.interrupted {
        match &args.out {
            Some(_) => eprintln!("interrupted; run the same command again to go on where it stopped"),
            None => eprintln!("interrupted; with --out FILE the same command would go on where it stopped"),
        }
    }
    Ok(ExitCode::from(u8::from(report.failed > 0 || report.interrupted)))
}

#[cfg(test)]
mod tests;
