//! A report in each format. Tables and numbers come from the core; here they only get their clothes.

use super::provenance::Provenance;
use crate::{
    core::{
        metric::{
            Report, ReportFormat,
            chart::{Chart, charts},
            sheet::{Section, Sheet, sheets},
        },
        text::neutralise,
        wrap::{width, wrap},
    },
    ui::export::chart::svg,
};
use color_eyre::eyre::{Result, eyre};
use minijinja::{AutoEscape, Environment, Value, context, syntax::SyntaxConfig};
use serde::Serialize;

/// Width of notes in text.
const NOTE: usize = 100;

const HTML: &str = include_str!("../../../assets/report/report.html");
const MARKDOWN: &str = include_str!("../../../assets/report/report.md");
const LATEX: &str = include_str!("../../../assets/report/report.tex");

/// The report as a text in this format, ended by a newline.
pub fn render(report: &Report, provenance: &Provenance, format: ReportFormat) -> Result<String> {
    let tables = sheets(report);
    match format {
        ReportFormat::Text => Ok(text(&tables, provenance)),
        ReportFormat::Json => {
            #[derive(Serialize)]
            struct Whole<'a> {
                provenance: &'a Provenance,
                report: &'a Report,
            }
            Ok(serde_json::to_string_pretty(&Whole { provenance, report })? + "\n")
        }
        ReportFormat::Csv => csv(&tables),
        ReportFormat::Md => template(report, &tables, provenance, "report.md", MARKDOWN),
        ReportFormat::Latex => template(report, &tables, provenance, "report.tex", LATEX),
        ReportFormat::Html => template(report, &tables, provenance, "report.html", HTML),
    }
}

fn template(
    report: &Report,
    tables: &[Sheet],
    provenance: &Provenance,
    name: &'static str,
    body: &'static str,
) -> Result<String> {
    let mut environment = Environment::new();
    let whitespace = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(whitespace.map_err(|e| eyre!("report template: {e:#}"))?);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
    });
    environment.add_filter("clean", |text: &str| neutralise(text).into_owned());
    environment.add_filter("md", markdown);
    environment.add_filter("tex", latex);
    environment.add_template(name, body).map_err(|e| eyre!("report template: {e:#}"))?;
    let drawn: Vec<Chart> = charts(report);
    let sections: Vec<_> = [
        (Section::Scores, "Which method steers better"),
        (Section::Pairs, "Is it more than chance"),
        (Section::Groups, "For whom"),
        (Section::Checks, "Accuracy, faithfulness, safety"),
        (Section::Training, "Sample efficiency"),
    ]
    .into_iter()
    .map(|(section, title)| {
        let tables: Vec<Value> = tables.iter().filter(|t| t.section == section).map(value).collect();
        let charts: Vec<Value> = drawn
            .iter()
            .filter(|c| c.section() == section)
            .map(|c| context! { title => c.title(), svg => svg(c) })
            .collect();
        context! { title, tables, charts }
    })
    .collect();
    let compat = report.compat.map(|c| context! { word => c.word(), about => c.about() });
    let page = environment
        .get_template(name)
        .and_then(|t| {
            t.render(context! {
                sections,
                provenance => value(provenance),
                filter => report.filter.as_str(),
                compat,
            })
        })
        .map_err(|e| eyre!("report template: {e:#}"))?;
    Ok(page.trim_end().to_owned() + "\n")
}

/// Plain data as the template engine has it.
fn value(data: &impl Serialize) -> Value {
    fn of(json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::from(()),
            serde_json::Value::Bool(b) => Value::from(b),
            serde_json::Value::Number(n) => match n.as_i64() {
                Some(whole) => Value::from(whole),
                None => Value::from(n.as_f64()),
            },
            serde_json::Value::String(text) => Value::from(text),
            serde_json::Value::Array(list) => Value::from(list.into_iter().map(of).collect::<Vec<_>>()),
            serde_json::Value::Object(map) => Value::from_pairs(map.into_iter().map(|(k, v)| (k, of(v)))),
        }
    }
    of(serde_json::to_value(data).unwrap_or_default())
}

/// Aligned columns under each title.
fn text(tables: &[Sheet], provenance: &Provenance) -> String {
    let mut out = String::new();
    for table in tables {
        out.push_str(&format!("{}\n", neutralise(&table.title)));
        let heads = table.columns.iter().map(|c| c.name.as_str());
        let cells = table.rows.iter().map(|row| row.iter().map(|c| c.text.as_str()).collect::<Vec<_>>());
        let lines: Vec<Vec<String>> = std::iter::once(heads.collect())
            .chain(cells)
            .map(|line: Vec<&str>| line.into_iter().map(|t| neutralise(t).into_owned()).collect())
            .collect();
        let widths: Vec<usize> = (0..table.columns.len())
            .map(|i| lines.iter().filter_map(|l| l.get(i)).map(|t| width(t)).max().unwrap_or(0))
            .collect();
        for line in &lines {
            let mut shown = String::from(" ");
            for (i, cell) in line.iter().enumerate() {
                let pad = " ".repeat(widths.get(i).copied().unwrap_or(0).saturating_sub(width(cell)));
                let number = table.columns.get(i).is_some_and(|c| c.number);
                shown.push_str(&if number { format!(" {pad}{cell} ") } else { format!(" {cell}{pad} ") });
            }
            out.push_str(shown.trim_end());
            out.push('\n');
        }
        for line in wrap(&table.note, NOTE) {
            out.push_str(&format!("  {}\n", &table.note[line]));
        }
        out.push('\n');
    }
    out.push_str(&format!(
        "{} · seed {} · {} bootstrap samples\n",
        provenance.version, provenance.seed, provenance.bootstrap
    ));
    for file in &provenance.files {
        out.push_str(&format!(
            "{}  sha256 {}\n",
            neutralise(&file.name),
            &file.sha256[..16.min(file.sha256.len())]
        ));
    }
    out
}

fn csv(tables: &[Sheet]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["table", "row", "column", "text", "value", "low", "high", "n"])?;
    let number = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    for table in tables {
        for row in &table.rows {
            let name = row.first().map_or("", |c| c.text.as_str());
            for (column, cell) in table.columns.iter().zip(row).skip(1).filter(|(_, c)| !c.text.is_empty()) {
                writer.write_record([
                    table.title.as_str(),
                    name,
                    &column.name,
                    &cell.text,
                    &number(cell.value),
                    &number(cell.interval.map(|i| i.low)),
                    &number(cell.interval.map(|i| i.high)),
                    &cell.n.map_or(String::new(), |n| n.to_string()),
                ])?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(|e| eyre!("{e}"))?;
    Ok(String::from_utf8(bytes)?)
}

/// Escapes what Markdown would take for its own.
fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in neutralise(text).replace('\n', " ").chars() {
        if "\\`*_[]<>|#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Escapes what LaTeX would take for its own.
fn latex(text: &str) -> String {
    let mut out = String::new();
    for c in neutralise(text).replace('\n', " ").chars() {
        match c {
            '\\' => out.push_str(r"\textbackslash{}"),
            '~' => out.push_str(r"\textasciitilde{}"),
            '^' => out.push_str(r"\textasciicircum{}"),
            '<' => out.push_str(r"\textless{}"),
            '>' => out.push_str(r"\textgreater{}"),
            '–' => out.push_str("--"),
            '·' => out.push_str(r"\(\cdot\)"),
            '×' => out.push_str(r"\(\times\)"),
            'κ' => out.push_str(r"\(\kappa\)"),
            'χ' => out.push_str(r"\(\chi\)"),
            '²' => out.push_str(r"\(^2\)"),
            '√' => out.push_str(r"\(\surd\)"),
            c if "&%$#_{}".contains(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_means_nothing_to_the_format() {
        assert_eq!(markdown("a_b|c*\u{1b}"), r"a\_b\|c\*␛");
        assert_eq!(latex("50 % of a_b & \\x"), r"50 \% of a\_b \& \textbackslash{}x");
    }
}
