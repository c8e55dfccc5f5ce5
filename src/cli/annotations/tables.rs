//! `annotations status`, `agreement`, `adjudicate`, `conflicts` and `history`: tables for people, JSON for programs.

use super::{AgreementArgs, StatusArgs, check_records, library, named};
use crate::{
    config::Config,
    core::annotation::{checker, report},
    runtime::annotations::confusions,
    store::annotations::Conflict,
    ui::screens::agreement::words,
};
use color_eyre::eyre::Result;
use serde_json::json;
use std::process::ExitCode;

pub fn status(args: &StatusArgs, config: &Config) -> Result<ExitCode> {
    let library = library(config)?;
    let projects = match &args.project {
        Some(name) => vec![named(&library, Some(name))?],
        None => library.projects()?,
    };
    let mut out = Vec::new();
    for project in &projects {
        let (traces, people) = (library.tasks(project.id)?.len(), library.status(project.id)?);
        if args.json {
            out.push(json!({
                "project": project.name,
                "rubric": project.rubric.id,
                "rubric_number": project.rubric_number,
                "rubric_version": project.rubric.version,
                "query": project.query,
                "traces": traces,
                "people": people,
            }));
            continue;
        }
        println!(
            "{}: {traces} traces, rubric {} {} ({})",
            project.name, project.rubric.id, project.rubric_number, project.rubric.version
        );
        for person in people {
            let of = if person.assigned > 0 { person.assigned } else { traces };
            let role = if person.adjudicator { " (adjudicator)" } else { "" };
            println!(
                "  {}{role}: {} of {of} saved, {} skipped, {} flagged, {} not blind",
                person.annotator, person.saved, person.skipped, person.flagged, person.unblinded
            );
        }
    }
    if args.json {
        println!("{}", serde_json::to_string(&out)?);
    } else if projects.is_empty() {
        println!("no project yet; `pluriscope annotations init NAME traces.jsonl` makes one");
    }
    Ok(ExitCode::SUCCESS)
}

pub fn agreement(args: &AgreementArgs, config: &Config) -> Result<ExitCode> {
    let library = library(config)?;
    let project = named(&library, args.project.as_deref())?;
    let rated = library.rated(project.id)?;
    let records = check_records(&library, &args.checks)?;
    let report = report::report(&project.rubric, &rated);
    let confusions = confusions(&project.rubric, &rated);
    let checkers = checker::compare(&project.rubric, &rated, &records);
    if args.json {
        let all = json!({
            "project": project.name,
            "rubric_version": project.rubric.version,
            "agreement": report,
            "confusions": confusions,
            "checkers": checkers,
        });
        println!("{all}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}: {} saved labels, {} of them not blind", project.name, report.labels, report.unblinded);
    for row in &report.rows {
        let method = row.method.as_ref().map_or("all methods", |m| m.0.as_str());
        println!("\n{} · {method} · n {} · {} people", row.aspect, row.n, row.raters);
        println!("  agree {}", words(&row.percent));
        let scale = if row.ordinal { "ordinal" } else { "nominal" };
        println!("  alpha ({scale}) {}", words(&row.alpha));
        println!("  AC1 {}", words(&row.ac1));
        println!("  Fleiss {}", words(&row.fleiss));
        println!("  Cohen {}", words(&row.cohen));
    }
    for marks in &report.marks {
        let method = marks.method.as_ref().map_or("all methods", |m| m.0.as_str());
        println!(
            "\n{} · {method} · {} pairs of marks · overlap {}",
            marks.question,
            marks.pairs,
            words(&marks.overlap)
        );
    }
    for check in &checkers {
        let method = check.method.as_ref().map_or("all methods", |m| m.0.as_str());
        println!(
            "\n{} against {} · {method} · n {} ({} adjudicated)",
            check.check, check.question, check.n, check.adjudicated
        );
        println!("  kappa {}", words(&check.kappa));
        println!("  sensitivity {}", words(&check.sensitivity));
        println!("  specificity {}", words(&check.specificity));
        println!("  AC1 {}", words(&check.ac1));
    }
    Ok(ExitCode::SUCCESS)
}

pub fn adjudicate(args: &StatusArgs, config: &Config) -> Result<ExitCode> {
    let library = library(config)?;
    let project = named(&library, args.project.as_deref())?;
    let rated = library.rated(project.id)?;
    let rows = report::disagreements(&project.rubric, &rated);
    let open = rows.iter().filter(|d| !d.adjudicated).count();
    if args.json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        println!("{}: {} traces on which people disagree, {open} to decide", project.name, rows.len());
        for row in &rows {
            let state = if row.adjudicated { "decided" } else { "open" };
            println!(
                "  {state}  {} {}  {}: {}",
                row.item,
                row.method,
                row.annotators.join(", "),
                row.aspects.join(", ")
            );
        }
        if open > 0 {
            println!("pluriscope annotate --project {} --as NAME --adjudicate", project.name);
        }
    }
    Ok(ExitCode::from(u8::from(open > 0)))
}

pub fn conflicts(as_json: bool, config: &Config) -> Result<ExitCode> {
    let conflicts = library(config)?.conflicts()?;
    if as_json {
        println!("{}", serde_json::to_string(&conflicts)?);
    } else {
        list(&conflicts);
    }
    Ok(ExitCode::from(u8::from(!conflicts.is_empty())))
}

/// Conflicts, one a line.
pub fn list(conflicts: &[Conflict]) {
    for conflict in conflicts {
        let said = |value: &Option<crate::core::annotation::Value>| {
            value.as_ref().map_or_else(|| "nothing".to_owned(), crate::core::annotation::Value::words)
        };
        println!(
            "{} {} {}, {}, {}: here {}, there {}; kept {}",
            conflict.project,
            conflict.item_id,
            conflict.method,
            conflict.annotator,
            conflict.field,
            said(&conflict.ours),
            said(&conflict.theirs),
            conflict.kept
        );
    }
}

pub fn history(args: &StatusArgs, config: &Config) -> Result<ExitCode> {
    let library = library(config)?;
    let project = named(&library, args.project.as_deref())?;
    let keys: std::collections::HashMap<_, _> =
        library.tasks(project.id)?.into_iter().map(|t| (t.id, t.key)).collect();
    for kept in library.whole_history(project.id)? {
        let key = keys.get(&kept.act.task);
        let plain = |value: &Option<crate::core::annotation::Value>| value.as_ref().map(|v| v.plain());
        let line = json!({
            "at_ms": kept.at_ms,
            "annotator": kept.author.name,
            "adjudicator": kept.author.adjudicator,
            "item_id": key.map(|k| k.item_id),
            "method": key.map(|k| &k.method),
            "sample": key.map(|k| k.sample),
            "kind": kept.act.kind,
            "field": kept.act.field,
            "before": plain(&kept.act.before),
            "after": plain(&kept.act.after),
            "rubric_version": kept.rubric,
            "blind": kept.act.blind,
            "uid": kept.uid,
        });
        if args.json {
            println!("{line}");
        } else {
            let words = |value: &Option<crate::core::annotation::Value>| {
                value.as_ref().map_or_else(|| "–".to_owned(), crate::core::annotation::Value::words)
            };
            let place = key.map_or_else(String::new, |k| format!("{} {}", k.item_id, k.method));
            println!(
                "{} {} {place} {} {}: {} → {}{}",
                kept.at_ms,
                kept.author.name,
                kept.act.kind.word(),
                kept.act.field,
                words(&kept.act.before),
                words(&kept.act.after),
                if kept.act.blind { "" } else { " (not blind)" }
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
