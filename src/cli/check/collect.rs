//! The traces to check, each with its item, its prompt and the model to ask.

use super::CheckArgs;
use crate::{
    cli::{common, replay},
    config::Config,
    core::{
        AdapterRef, Item, ItemId, Template, Trace,
        check::{Checker, Subject, partner::Pool},
    },
    job::checking::Routes,
    setup,
    store::{Context, assets::Assets, detect, models::ModelRef, source},
};
use color_eyre::eyre::{Result, WrapErr};
use std::{collections::HashMap, path::PathBuf, sync::Arc};

/// What the files hold.
pub struct Collected {
    pub subjects: Vec<(Subject, Routes)>,
    /// Rows that could not be read, and traces without an item or a prompt.
    pub bad: usize,
}

/// Bad rows that are listed; the rest is counted.
const LISTED: usize = 10;

/// Things that are told once, with a count.
#[derive(Default)]
struct Told {
    bad: usize,
    changed_template: usize,
    no_adapter: usize,
    foreign: usize,
    not_here: usize,
    /// Whether a model is on this machine.
    here: HashMap<String, bool>,
}

impl Told {
    fn bad(&mut self, words: std::fmt::Arguments<'_>) {
        self.bad += 1;
        if self.bad <= LISTED {
            eprintln!("{words}");
        }
    }

    fn tell(&self) {
        if self.bad > LISTED {
            eprintln!("… and {} more bad rows", self.bad - LISTED);
        }
        if self.changed_template > 0 {
            eprintln!(
                "the prompt template of {} traces has changed since they were written: results speak of the new prompt",
                self.changed_template
            );
        }
        if self.foreign > 0 {
            eprintln!(
                "{} traces name a server that neither --model, nor the configuration, nor a method names: it is not asked, and another model is",
                self.foreign
            );
        }
        if self.not_here > 0 {
            eprintln!(
                "the model of {} traces is not on this machine: another one is asked, and the results say so",
                self.not_here
            );
        }
        if self.no_adapter > 0 {
            eprintln!(
                "the adapter of {} traces is not on this machine: their model is asked without it, and the results say so",
                self.no_adapter
            );
        }
    }
}

/// Reads the traces and pairs those that need a partner.
pub fn subjects(
    args: &CheckArgs,
    assets: &Assets,
    config: &Config,
    model: Option<&str>,
) -> Result<Collected> {
    let mut told = Told::default();
    let judge = judge(args.judge.as_deref(), config)?;
    let traces = read(&args.traces, &args.items, &mut told)?;
    let templates: HashMap<&str, Arc<Template>> =
        assets.templates.iter().map(|(id, t)| (id.as_str(), Arc::new(t.clone()))).collect();
    let chosen = traces
        .iter()
        .filter(|(_, trace)| args.methods.is_empty() || args.methods.iter().any(|m| *m == trace.method.0));
    let mut subjects = Vec::new();
    for (item, trace) in chosen.take(args.limit.unwrap_or(usize::MAX)) {
        let template = template(trace, assets, &templates, &mut told);
        let Some(template) = template else {
            told.bad(format_args!("{}: no prompt template for method {}", trace.item_id, trace.method));
            continue;
        };
        let routes = Routes {
            naive: args.naive,
            judge: judge.clone(),
            ..routes(trace, assets, config, model, &mut told)
        };
        let checker =
            Checker { model: routes.model.clone(), adapter: routes.adapter.as_ref().map(|a| a.name.clone()) };
        match Subject::new(Arc::clone(item), Arc::clone(trace), template, checker) {
            Ok(subject) => subjects.push((subject, routes)),
            Err(error) => told.bad(format_args!("{}: {error}", trace.item_id)),
        }
    }
    if let Some(want) = args.checks.iter().find_map(|c| c.wants_partner()) {
        let both = args.checks.iter().filter_map(|c| c.wants_partner()).any(|other| other != want);
        if both {
            return Err(common::failure(
                "perspective-swap and consistency-controls pair traces differently: run them one after the other, into one file",
            ));
        }
        let pool = Pool::new(traces.iter().cloned());
        for (subject, _) in &mut subjects {
            subject.partner = pool.find(want, subject);
        }
    }
    told.tell();
    Ok(Collected { subjects, bad: told.bad })
}

/// The model and the adapter of a judge that is named MODEL+ADAPTER.
fn judge(name: Option<&str>, config: &Config) -> Result<Option<(String, AdapterRef)>> {
    let Some(name) = name else { return Ok(None) };
    let (model, adapter) = common::model_and_adapter(name, config)
        .wrap_err("--judge (`pluriscope train judge` makes an adapter for one)")?;
    Ok(adapter.map(|adapter| (model, adapter)))
}

type Pairs = Vec<(Arc<Item>, Arc<Trace>)>;

/// Every trace with its item, in file order.
fn read(files: &[PathBuf], item_files: &[PathBuf], told: &mut Told) -> Result<Pairs> {
    let mut items: HashMap<ItemId, Arc<Item>> = HashMap::new();
    if !item_files.is_empty() {
        let read = common::read_items(item_files, None, None)?;
        items.extend(read.items.into_iter().map(|item| (item.id, item)));
    }
    let mut traces: Vec<(String, Trace)> = Vec::new();
    let mut skipped = Vec::new();
    for path in files {
        for (file, layout) in detect::expand(path, None, &mut skipped)? {
            source::read_all(&file, layout, &Context::of(&file), &mut |number, row| match row {
                Ok(row) => {
                    if let Some(item) = row.item {
                        items.entry(item.id).or_insert_with(|| Arc::new(item));
                    }
                    if let Some(trace) = row.trace {
                        traces.push((format!("{}:{number}", file.display()), trace));
                    }
                }
                Err(reason) => told.bad(format_args!("{}:{number}: {reason}", file.display())),
            })?;
        }
    }
    skipped.iter().for_each(|error| eprintln!("left out: {error}"));
    let mut pairs = Vec::with_capacity(traces.len());
    for (place, trace) in traces {
        match items.get(&trace.item_id) {
            Some(item) => pairs.push((Arc::clone(item), Arc::new(trace))),
            None => {
                told.bad(format_args!("{place}: the trace's item is not known; name its file with --items"))
            }
        }
    }
    Ok(pairs)
}

/// The template that the trace names, else its method's, else the one that lets a model reason.
fn template(
    trace: &Trace,
    assets: &Assets,
    templates: &HashMap<&str, Arc<Template>>,
    told: &mut Told,
) -> Option<Arc<Template>> {
    let method = || assets.methods.iter().find(|m| m.id == trace.method).map(|m| m.template.as_str());
    let named = trace.template.as_ref().and_then(|t| templates.get(t.id.as_str()));
    let found = named.or_else(|| templates.get(method()?)).or_else(|| templates.get("reason"))?;
    if trace.template.as_ref().is_some_and(|t| *t != found.reference) {
        told.changed_template += 1;
    }
    Some(Arc::clone(found))
}

/// The model to ask: the one named on the command line, else the trace's own, else the configured one.
fn routes(trace: &Trace, assets: &Assets, config: &Config, model: Option<&str>, told: &mut Told) -> Routes {
    let parses = ModelRef::parse(&trace.model, &assets.models).is_ok();
    let trusted = setup::trusted(&trace.model, config, assets);
    let here = *told.here.entry(trace.model.clone()).or_insert_with(|| {
        let found = || setup::locate(&setup::model_dirs(config), &assets.models, &trace.model);
        trace.model.starts_with("openai:") || found().is_ok()
    });
    told.not_here += usize::from(model.is_none() && parses && trusted && !here);
    told.foreign += usize::from(model.is_none() && parses && !trusted);
    let own = || (parses && trusted && here).then(|| trace.model.clone());
    let model = model.map(str::to_owned).or_else(own).unwrap_or_else(|| config.model.clone());
    let adapter = trace.adapter.as_ref().filter(|_| model == trace.model).and_then(|name| {
        let found = replay::adapter(name, trace, assets, config, &model).ok();
        told.no_adapter += usize::from(found.is_none());
        found
    });
    Routes { model, adapter, judge: None, naive: false }
}
