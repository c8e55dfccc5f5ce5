//! `annotations init`, `assign` and `rubric`: which traces, who labels them, and what is asked.

use super::{check_records, library, named, now, open_traces};
use crate::{
    cli::common::misuse,
    config::Config,
    core::{
        Corpus, Item, Trace,
        annotation::{
            DEFAULT_RUBRIC, Rubric,
            sampling::{Balance, Candidate, assign as share, sample},
        },
        check::{CheckId, Record, TraceKey},
        corpus::{CheckState, Marks, Outcome},
        query::{Order, Query, evaluate},
    },
    store::annotations::{AnnotationError, NewProject, NewTask, projects::rubric_file},
};
use clap::Args;
use color_eyre::eyre::Result;
use serde_json::json;
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

/// Make a project: choose traces, a rubric, and who labels what
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  pluriscope annotations init pilot traces.jsonl --limit 60 --annotators ada,bo
  pluriscope annotations init wrong traces.jsonl --query 'flips dataset:vk' --outcomes wrong --balance method,outcome
  pluriscope annotations init flagged traces.jsonl --checks checks.jsonl --check consistency --balance check

The first --shared items go to --overlap people each, the rest to one. The query is the explorer's filter.")]
pub struct InitArgs {
    /// The project's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Traces in any format that `import` reads: files, or folders of files
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only items that pass this filter
    #[arg(long, default_value = "", value_name = "QUERY")]
    pub query: String,
    /// Only traces of these methods, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    pub methods: Vec<String>,
    /// Only traces with these outcomes, separated by commas (right, wrong, none, unjudged)
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    pub outcomes: Vec<String>,
    /// Results of `pluriscope check`, besides those in the library
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub checks: Vec<PathBuf>,
    /// The check that `--flagged` and `--balance check` speak of
    #[arg(long, value_name = "CHECK")]
    pub check: Option<CheckId>,
    /// Only traces that the check holds against
    #[arg(long, requires = "check")]
    pub flagged: bool,
    /// As many traces of each method, outcome, check result; separated by commas
    #[arg(long, value_delimiter = ',', value_name = "BY")]
    pub balance: Vec<String>,
    /// At most N items (with --single, N traces)
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Draw traces one by one instead of items with all their methods
    #[arg(long)]
    pub single: bool,
    /// Rubric file; the shipped one by default (`annotations rubric` prints it)
    #[arg(long, value_name = "FILE")]
    pub rubric: Option<PathBuf>,
    /// Who labels, separated by commas; without names everybody labels everything
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub annotators: Vec<String>,
    /// How many people label each shared item
    #[arg(long, default_value_t = 2, value_name = "K")]
    pub overlap: usize,
    /// How many items are shared
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub shared: usize,
    /// Seed of the draw and of who gets what
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Report in JSON
    #[arg(long)]
    pub json: bool,
}

type Pair = (Arc<Item>, Arc<Trace>);

pub fn init(args: &InitArgs, config: &Config) -> Result<ExitCode> {
    let query = match Query::parse(&args.query) {
        Ok(query) => query,
        Err(error) => return misuse(format!("--query: {error}")),
    };
    let mut balance = Balance::default();
    for word in &args.balance {
        match word.as_str() {
            "method" => balance.method = true,
            "outcome" => balance.outcome = true,
            "check" if args.check.is_some() => balance.check = true,
            "check" => return misuse("--balance check: name the check with --check"),
            other => return misuse(format!("--balance `{other}`: write method, outcome or check")),
        }
    }
    let mut outcomes = Vec::new();
    for word in &args.outcomes {
        match Outcome::ALL.into_iter().find(|o| o.word() == word && *o != Outcome::NotRun) {
            Some(outcome) => outcomes.push(outcome),
            None => return misuse(format!("--outcomes `{word}`: write right, wrong, none or unjudged")),
        }
    }
    let rubric = rubric_of(args.rubric.as_ref())?;
    let mut library = library(config)?;
    let pairs = open_traces(&args.paths)?;
    let records = check_records(&library, &args.checks)?;
    let candidates = candidates(args, &query, &outcomes, &pairs, &records);
    let drawn = sample(&candidates, balance, args.limit, !args.single, args.seed);
    if drawn.is_empty() {
        return misuse(format!(
            "no trace passes: {} traces were read, {} pass query, methods, outcomes and check",
            pairs.len(),
            candidates.len()
        ));
    }
    let items: Vec<_> = drawn.iter().map(|c| c.item).collect();
    let mut people: HashMap<_, Vec<String>> = HashMap::new();
    for (item, annotator) in assigned(&items, &args.annotators, args.overlap, args.shared, args.seed) {
        people.entry(item).or_default().push(annotator);
    }
    let id =
        library.new_project(&NewProject { name: &args.name, rubric: &rubric, query: &args.query }, now())?;
    let tasks: Vec<NewTask<'_>> = drawn
        .iter()
        .map(|c| NewTask {
            item: &pairs[c.trace].0,
            trace: &pairs[c.trace].1,
            annotators: people.get(&c.item).cloned().unwrap_or_default(),
        })
        .collect();
    let added = library.add_tasks(id, &tasks)?;
    // Results of checks of these traces come along, so that the reveal and the comparison have them.
    let keys: HashSet<TraceKey> = drawn.iter().map(|c| TraceKey::of(&pairs[c.trace].1)).collect();
    let kept: Vec<&Record> = records.iter().rev().filter(|r| keys.contains(&r.trace)).collect();
    library.keep_checks(kept, now())?;
    let items: HashSet<_> = items.into_iter().collect();
    let shared = people.values().filter(|p| p.len() > 1).count();
    if args.json {
        let report = json!({
            "project": args.name,
            "rubric": rubric.id,
            "rubric_version": rubric.version,
            "traces": added,
            "items": items.len(),
            "shared_items": shared,
            "annotators": args.annotators,
        });
        println!("{report}");
    } else {
        println!("{}: {added} traces of {} items", args.name, items.len());
        if args.annotators.is_empty() {
            println!("everybody labels everything:  pluriscope annotate --project {} --as NAME", args.name);
        } else {
            println!("{shared} items are shared by {} people", args.overlap.min(args.annotators.len()));
            for name in &args.annotators {
                println!("pluriscope annotate --project {} --as {name}", args.name);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn rubric_of(file: Option<&PathBuf>) -> Result<Rubric> {
    Ok(match file {
        Some(path) => rubric_file(path)?,
        None => Rubric::parse(DEFAULT_RUBRIC)
            .map_err(|problems| AnnotationError::Rubric { path: "faithfulness.toml".into(), problems })?,
    })
}

/// Traces that pass query, methods, outcomes and check.
fn candidates(
    args: &InitArgs,
    query: &Query,
    outcomes: &[Outcome],
    pairs: &[Pair],
    records: &[Record],
) -> Vec<Candidate<usize>> {
    let corpus = Corpus::of(pairs.iter().map(|(i, _)| &**i), pairs.iter().map(|(_, t)| &**t));
    let corpus = corpus.with_marks(Arc::new(Marks::of(&corpus, records)));
    // The corpus numbers items first, then traces, in the order of the pairs.
    let rationale = |ix| {
        let at = corpus.trace(ix)?.loc.offset as usize;
        pairs.get(at.checked_sub(pairs.len())?).map(|(_, t)| Cow::Borrowed(t.llm_output.as_str()))
    };
    let chosen = evaluate(&corpus, query, Order::default(), &rationale, &AtomicBool::new(false));
    let passing: HashSet<_> = chosen
        .map(|s| s.items.iter().filter_map(|ix| corpus.item(*ix).map(|e| e.id)).collect())
        .unwrap_or_default();
    let mut flags: HashMap<&TraceKey, bool> = HashMap::new();
    for record in records.iter().filter(|r| Some(r.check) == args.check) {
        if let state @ (CheckState::Flagged | CheckState::Clear) = CheckState::of(&record.verdict) {
            flags.entry(&record.trace).or_insert(state == CheckState::Flagged);
        }
    }
    let mut seen = HashSet::new();
    pairs
        .iter()
        .enumerate()
        .filter(|(_, (item, trace))| {
            passing.contains(&item.id)
                && (args.methods.is_empty() || args.methods.contains(&trace.method.0))
                && seen.insert(TraceKey::of(trace))
        })
        .map(|(at, (item, trace))| Candidate {
            trace: at,
            item: item.id,
            method: trace.method.clone(),
            sample: trace.sample,
            outcome: outcome(item, trace),
            flagged: flags.get(&TraceKey::of(trace)).copied(),
        })
        .filter(|c| outcomes.is_empty() || outcomes.contains(&c.outcome))
        .filter(|c| !args.flagged || c.flagged == Some(true))
        .collect()
}

fn outcome(item: &Item, trace: &Trace) -> Outcome {
    match (trace.predicted_answer, item.gold) {
        (None, _) => Outcome::NoAnswer,
        (Some(_), None) => Outcome::Unjudged,
        (Some(answer), Some(gold)) if answer == gold => Outcome::Right,
        _ => Outcome::Wrong,
    }
}

fn assigned(
    items: &[crate::core::ItemId],
    annotators: &[String],
    overlap: usize,
    shared: usize,
    seed: u64,
) -> Vec<(crate::core::ItemId, String)> {
    if annotators.is_empty() { Vec::new() } else { share(items, annotators, overlap, shared, seed) }
}

/// Put the traces of a project into queues
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  pluriscope annotations assign pilot --annotators cy --all")]
pub struct AssignArgs {
    /// The project's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Who labels, separated by commas
    #[arg(long, value_delimiter = ',', required = true, value_name = "NAMES")]
    pub annotators: Vec<String>,
    /// Everything to each of them
    #[arg(long, conflicts_with_all = ["overlap", "shared"])]
    pub all: bool,
    /// How many people label each shared item
    #[arg(long, default_value_t = 2, value_name = "K")]
    pub overlap: usize,
    /// How many items are shared
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub shared: usize,
    /// Seed of who gets what
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
}

pub fn assign(args: &AssignArgs, config: &Config) -> Result<ExitCode> {
    let mut library = library(config)?;
    let project = named(&library, Some(&args.name))?;
    let tasks = library.tasks(project.id)?;
    let items: Vec<_> = tasks.iter().map(|t| t.key.item_id).collect();
    let (overlap, shared) =
        if args.all { (args.annotators.len(), usize::MAX) } else { (args.overlap, args.shared) };
    let by_item = share(&items, &args.annotators, overlap, shared, args.seed);
    let mut pairs = Vec::new();
    for (item, annotator) in by_item {
        let own = tasks.iter().filter(|t| t.key.item_id == item);
        pairs.extend(own.map(|t| (t.id, annotator.clone())));
    }
    let added = library.assign(&pairs)?;
    println!("{}: {added} traces put into queues", project.name);
    Ok(ExitCode::SUCCESS)
}

/// Print the rubric of a project, check a rubric file, or give a project a new version
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  pluriscope annotations rubric > mine.toml                        the shipped rubric, to change
  pluriscope annotations rubric --check mine.toml
  pluriscope annotations rubric --project pilot --set mine.toml    labels made so far keep the old version")]
pub struct RubricArgs {
    /// Project by name; without it the shipped rubric is printed
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Read this file and say what is wrong with it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["project", "set"])]
    pub check: Option<PathBuf>,
    /// Give the project this version
    #[arg(long, value_name = "FILE", requires = "project")]
    pub set: Option<PathBuf>,
}

pub fn rubric(args: &RubricArgs, config: &Config) -> Result<ExitCode> {
    if let Some(path) = &args.check {
        let rubric = rubric_file(path)?;
        println!("{}: {} questions, version {}", path.display(), rubric.questions.len(), rubric.version);
        return Ok(ExitCode::SUCCESS);
    }
    let Some(name) = &args.project else {
        print!("{DEFAULT_RUBRIC}");
        return Ok(ExitCode::SUCCESS);
    };
    let mut library = library(config)?;
    let project = named(&library, Some(name))?;
    match &args.set {
        None => print!("{}", project.rubric.source),
        Some(path) => {
            let rubric = rubric_file(path)?;
            library.set_rubric(project.id, &rubric, now())?;
            let after = named(&library, Some(name))?;
            println!("{name}: {} {} (version {})", rubric.id, after.rubric_number, rubric.version);
        }
    }
    Ok(ExitCode::SUCCESS)
}
