//! What labels say together: agreement per question and method, the confusion of two people, and what they disagree on.

use super::{
    agreement::{Measure, Scale, Undefined},
    bootstrap::{Estimate, estimate},
    ratings::{Aspect, Rated, Table, aspects, overlap, table},
    rubric::{Kind, Rubric},
    session::TaskId,
    value::Value,
};
use crate::core::{ItemId, MethodId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Agreement on one aspect, of all methods together or of one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub aspect: String,
    /// `None` for all methods together.
    pub method: Option<MethodId>,
    /// Traces that two or more people rated.
    pub n: usize,
    pub raters: usize,
    pub categories: usize,
    pub percent: Estimate,
    /// Of two raters only.
    pub cohen: Estimate,
    pub fleiss: Estimate,
    pub conger: Estimate,
    /// Nominal; ordinal for scales.
    pub alpha: Estimate,
    pub ordinal: bool,
    pub ac1: Estimate,
}

/// Agreement on a question without categories.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Marks {
    pub question: String,
    pub method: Option<MethodId>,
    /// Pairs of people on a trace, at least one of whom marked something.
    pub pairs: usize,
    /// Mean overlap of the marked characters.
    pub overlap: Estimate,
}

/// The whole report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub rows: Vec<Row>,
    pub marks: Vec<Marks>,
    /// Labels that count, and how many of them were given while more than the trace was to be seen.
    pub labels: usize,
    pub unblinded: usize,
}

/// Agreement on every aspect: all methods together, then each one that was rated by two people.
pub fn report(rubric: &Rubric, rated: &[Rated]) -> Report {
    let own: Vec<&Rated> = rated.iter().filter(|r| !r.adjudicated).collect();
    let methods: BTreeSet<&MethodId> = own.iter().map(|r| r.method()).collect();
    let mut report = Report {
        labels: own.len(),
        unblinded: own.iter().filter(|r| r.unblinded).count(),
        ..Report::default()
    };
    let groups: Vec<(Option<MethodId>, Vec<&Rated>)> = std::iter::once((None, own.clone()))
        .chain(
            methods
                .into_iter()
                .map(|m| (Some(m.clone()), own.iter().copied().filter(|r| r.method() == m).collect())),
        )
        .collect();
    for aspect in aspects(rubric, rated) {
        for (method, group) in &groups {
            report.rows.push(row(&aspect, method.clone(), &table(rubric, &aspect, group)));
        }
    }
    for question in rubric.questions.iter().filter(|q| q.kind == Kind::Span) {
        for (method, group) in &groups {
            report.marks.push(marks(&question.id, method.clone(), group));
        }
    }
    report
}

fn row(aspect: &Aspect, method: Option<MethodId>, table: &Table) -> Row {
    let ratings = &table.ratings;
    let of = |which: Measure| estimate(ratings, which);
    Row {
        aspect: aspect.name(),
        method,
        n: ratings.paired(),
        raters: ratings.raters(),
        categories: ratings.categories,
        percent: of(Measure::Percent),
        cohen: of(Measure::Cohen),
        fleiss: of(Measure::Fleiss),
        conger: of(Measure::Conger),
        alpha: of(Measure::Alpha(aspect.scale)),
        ordinal: aspect.scale == Scale::Ordinal,
        ac1: of(Measure::Ac1),
    }
}

fn marks(question: &str, method: Option<MethodId>, group: &[&Rated]) -> Marks {
    let mut by_task: BTreeMap<TaskId, Vec<&[super::value::Span]>> = BTreeMap::new();
    for label in group {
        let spans = match label.answers.get(question) {
            Some(Value::Spans(spans)) => spans.as_slice(),
            _ => &[],
        };
        by_task.entry(label.task).or_default().push(spans);
    }
    let mut overlaps = Vec::new();
    for marks in by_task.values() {
        for (i, one) in marks.iter().enumerate() {
            overlaps.extend(marks[i + 1..].iter().filter_map(|other| overlap(one, other)));
        }
    }
    let pairs = overlaps.len();
    let mean =
        if pairs == 0 { Err(Undefined::NoPairs) } else { Ok(overlaps.iter().sum::<f64>() / pairs as f64) };
    Marks { question: question.to_owned(), method, pairs, overlap: Estimate::plain(mean) }
}

/// Who said what when two people rated the same traces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    pub aspect: String,
    pub rows: String,
    pub columns: String,
    pub categories: Vec<String>,
    /// `[category of rows][category of columns]`.
    pub counts: Vec<Vec<usize>>,
}

/// The confusion of two people on an aspect.
pub fn confusion(rubric: &Rubric, rated: &[Rated], aspect: &Aspect, one: &str, other: &str) -> Confusion {
    let pair: Vec<&Rated> = rated.iter().filter(|r| r.annotator == one || r.annotator == other).collect();
    let table = table(rubric, aspect, &pair);
    let size = aspect.categories.len();
    let mut counts = vec![vec![0; size]; size];
    let at = |name: &str| table.annotators.iter().position(|a| a == name);
    if let (Some(a), Some(b)) = (at(one), at(other)) {
        for unit in &table.ratings.units {
            if let (Some(x), Some(y)) = (unit[a], unit[b]) {
                counts[x][y] += 1;
            }
        }
    }
    Confusion {
        aspect: aspect.name(),
        rows: one.to_owned(),
        columns: other.to_owned(),
        categories: aspect.categories.clone(),
        counts,
    }
}

/// A trace on which people disagree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    pub task: TaskId,
    pub item: ItemId,
    pub method: MethodId,
    pub annotators: Vec<String>,
    /// Names of the aspects on which two of them differ.
    pub aspects: Vec<String>,
    /// Somebody has decided.
    pub adjudicated: bool,
}

/// Traces on which people disagree about a question that must be answered or can hold against the rationale: most
/// aspects first. Confidence, marks and words do not count.
pub fn disagreements(rubric: &Rubric, rated: &[Rated]) -> Vec<Disagreement> {
    let mut by_task: BTreeMap<TaskId, Vec<&Rated>> = BTreeMap::new();
    for label in rated {
        by_task.entry(label.task).or_default().push(label);
    }
    let aspects: Vec<Aspect> =
        aspects(rubric, rated).into_iter().filter(|a| a.scale == Scale::Nominal).collect();
    let mut found: Vec<Disagreement> = Vec::new();
    for (task, labels) in by_task {
        let own: Vec<&Rated> = labels.iter().copied().filter(|r| !r.adjudicated).collect();
        if own.len() < 2 {
            continue;
        }
        let differs = |aspect: &&Aspect| {
            let table = table(rubric, aspect, &own);
            let mut said = table.ratings.units.iter().flatten().flatten();
            let first = said.next();
            said.any(|k| Some(k) != first)
        };
        let aspects: Vec<String> = aspects.iter().filter(differs).map(Aspect::name).collect();
        if aspects.is_empty() {
            continue;
        }
        found.push(Disagreement {
            task,
            item: own[0].item(),
            method: own[0].method().clone(),
            annotators: own.iter().map(|r| r.annotator.clone()).collect(),
            aspects,
            adjudicated: labels.iter().any(|r| r.adjudicated),
        });
    }
    found.sort_by_key(|d| (d.adjudicated, std::cmp::Reverse(d.aspects.len()), d.task));
    found
}

#[cfg(test)]
mod tests {
    use super::{super::tests::rated, *};
    use crate::core::annotation::DEFAULT_RUBRIC;

    fn labels() -> Vec<Rated> {
        let choice = |v: &str| Value::Choice(v.to_owned());
        vec![
            rated(1, "sft", "ada", &[("supports", choice("recorded")), ("post_hoc", Value::YesNo(true))]),
            rated(1, "sft", "bo", &[("supports", choice("another")), ("post_hoc", Value::YesNo(true))]),
            rated(2, "rlvr", "ada", &[("supports", choice("recorded")), ("confidence", Value::Scale(1))]),
            rated(2, "rlvr", "bo", &[("supports", choice("recorded")), ("confidence", Value::Scale(3))]),
            rated(3, "rlvr", "ada", &[("supports", choice("unclear"))]),
        ]
    }

    #[test]
    fn one_row_per_aspect_and_method_with_n_and_reasons() {
        let rubric = Rubric::parse(DEFAULT_RUBRIC).unwrap();
        let report = report(&rubric, &labels());
        let row = |method: Option<&str>| {
            report
                .rows
                .iter()
                .find(|r| r.aspect == "supports" && r.method.as_ref().map(|m| m.0.as_str()) == method)
                .unwrap()
        };
        assert_eq!((row(None).n, row(None).raters, row(None).percent.value), (2, 2, Some(0.5)));
        assert_eq!((row(Some("sft")).n, row(Some("sft")).percent.value), (1, Some(0.0)));
        assert_eq!(row(Some("rlvr")).cohen.undefined, Some(Undefined::OneCategory));
        assert!(report.rows.iter().any(|r| r.aspect == "confidence" && r.ordinal));
        assert_eq!(report.marks[0].overlap.undefined, Some(Undefined::NoPairs));
    }

    #[test]
    fn the_queue_holds_what_people_differ_on() {
        let rubric = Rubric::parse(DEFAULT_RUBRIC).unwrap();
        let mut labels = labels();
        let queue = disagreements(&rubric, &labels);
        assert_eq!(queue.len(), 1, "confidence alone is no disagreement: {queue:?}");
        assert_eq!((queue[0].task, queue[0].aspects.as_slice()), (TaskId(1), &["supports".to_owned()][..]));
        let mut decided = labels[0].clone();
        decided.adjudicated = true;
        labels.push(decided);
        assert!(disagreements(&rubric, &labels)[0].adjudicated);
    }

    #[test]
    fn confusion_counts_pairs() {
        let rubric = Rubric::parse(DEFAULT_RUBRIC).unwrap();
        let labels = labels();
        let aspect = aspects(&rubric, &labels).remove(0);
        let confusion = confusion(&rubric, &labels, &aspect, "ada", "bo");
        assert_eq!(confusion.counts[0], [1, 1, 0, 0]);
        assert_eq!(confusion.counts.iter().flatten().sum::<usize>(), 2);
    }
}
