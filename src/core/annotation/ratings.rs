//! Labels as ratings: each question becomes one table of categories per trace and person, or several.

use super::{
    agreement::{Ratings, Scale},
    rubric::{Answers, Kind, Question, Rubric},
    session::TaskId,
    value::{Span, Value},
};
use crate::core::{ItemId, MethodId, check::TraceKey};
use std::collections::BTreeMap;

/// The answers of one person to one trace, saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Rated {
    pub task: TaskId,
    pub trace: TraceKey,
    pub annotator: String,
    /// Decided over others' labels: not a rating of its own.
    pub adjudicated: bool,
    /// Those of questions that were asked.
    pub answers: Answers,
    pub unblinded: bool,
    pub note: String,
}

impl Rated {
    pub fn item(&self) -> ItemId {
        self.trace.item_id
    }

    pub fn method(&self) -> &MethodId {
        &self.trace.method
    }
}

/// One thing that people can agree on: a question, or one option of a question with several answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Aspect {
    pub question: String,
    /// One option of a `several` question: chosen or not.
    pub option: Option<String>,
    /// Words for each category, in order.
    pub categories: Vec<String>,
    pub scale: Scale,
}

impl Aspect {
    /// `signals: step-skipping`, `supports`.
    pub fn name(&self) -> String {
        match &self.option {
            Some(option) => format!("{}: {option}", self.question),
            None => self.question.clone(),
        }
    }

    /// The category of an answer. An optional question that was left out of a saved label says "none".
    pub fn category(&self, answers: &Answers) -> Option<usize> {
        let value = answers.get(&self.question);
        let word = match (&self.option, value) {
            (Some(option), Some(Value::Several(set))) => yes_no(set.contains(option)),
            (Some(_), _) => yes_no(false),
            (None, Some(Value::Step(step))) => (step + 1).to_string(),
            (None, Some(Value::YesNo(yes))) => yes_no(*yes),
            (None, Some(value)) => value.words(),
            (None, None) => NONE.to_owned(),
        };
        self.categories.iter().position(|c| *c == word)
    }
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// The category of an optional question that was left out.
const NONE: &str = "none";

/// What people can agree on in this rubric. Marks and free text have no categories.
pub fn aspects(rubric: &Rubric, rated: &[Rated]) -> Vec<Aspect> {
    rubric.questions.iter().flat_map(|question| aspects_of(question, rated)).collect()
}

fn aspects_of(question: &Question, rated: &[Rated]) -> Vec<Aspect> {
    let aspect = |option: Option<&str>, categories: Vec<String>, scale| Aspect {
        question: question.id.clone(),
        option: option.map(str::to_owned),
        categories,
        scale,
    };
    let with_none = |mut categories: Vec<String>| {
        // A value of that name would be the same category.
        if (!question.required || question.only_if.is_some()) && !categories.iter().any(|c| c == NONE) {
            categories.push(NONE.to_owned());
        }
        categories
    };
    match &question.kind {
        Kind::Single(choices) => {
            let values = choices.iter().map(|c| c.value.clone()).collect();
            vec![aspect(None, with_none(values), Scale::Nominal)]
        }
        Kind::Several(choices) => {
            let both = || vec![yes_no(false), yes_no(true)];
            choices.iter().map(|c| aspect(Some(&c.value), both(), Scale::Nominal)).collect()
        }
        Kind::YesNo { .. } => {
            vec![aspect(None, with_none(vec![yes_no(false), yes_no(true)]), Scale::Nominal)]
        }
        Kind::Scale { low, high, .. } => {
            let points = (*low..=*high).map(|n| n.to_string()).collect();
            vec![aspect(None, with_none(points), Scale::Ordinal)]
        }
        Kind::Step => {
            let most = rated.iter().filter_map(|r| match r.answers.get(&question.id) {
                Some(Value::Step(step)) => Some(*step),
                _ => None,
            });
            let steps = most.max().map_or(0, |m| m + 1);
            vec![aspect(None, with_none((1..=steps).map(|n| n.to_string()).collect()), Scale::Nominal)]
        }
        Kind::Span | Kind::Text => Vec::new(),
    }
}

/// A table of ratings with the names of its rows and columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub tasks: Vec<TaskId>,
    pub annotators: Vec<String>,
    pub ratings: Ratings,
}

/// The ratings of an aspect. Adjudicated labels are left out: they are nobody's own.
pub fn table(rubric: &Rubric, aspect: &Aspect, rated: &[&Rated]) -> Table {
    let own: Vec<&&Rated> = rated.iter().filter(|r| !r.adjudicated).collect();
    let mut annotators: Vec<String> = own.iter().map(|r| r.annotator.clone()).collect();
    annotators.sort();
    annotators.dedup();
    let mut rows: BTreeMap<TaskId, Vec<Option<usize>>> = BTreeMap::new();
    for label in own {
        let Some(column) = annotators.iter().position(|a| *a == label.annotator) else { continue };
        // A question that was not asked is no rating at all.
        let asked = rubric.question(&aspect.question).is_some_and(|q| rubric.is_asked(q, &label.answers));
        let row = rows.entry(label.task).or_insert_with(|| vec![None; annotators.len()]);
        row[column] = if asked { aspect.category(&label.answers) } else { None };
    }
    let (tasks, units) = rows.into_iter().unzip();
    Table { tasks, annotators, ratings: Ratings { units, categories: aspect.categories.len() } }
}

/// How far two people's marks cover the same characters: 2·|both| / (|one| + |other|); `None` where neither marked.
pub fn overlap(one: &[Span], other: &[Span]) -> Option<f64> {
    let cover = |spans: &[Span]| -> std::collections::BTreeSet<usize> {
        spans.iter().flat_map(|s| s.start..s.end).collect()
    };
    let (one, other) = (cover(one), cover(other));
    let total = one.len() + other.len();
    (total > 0).then(|| 2.0 * one.intersection(&other).count() as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::rated, *};
    use crate::core::annotation::DEFAULT_RUBRIC;

    #[test]
    fn options_become_yes_or_no_and_what_is_left_out_says_none() {
        let rubric = Rubric::parse(DEFAULT_RUBRIC).unwrap();
        let signals = Value::Several(["weak-justification".to_owned()].into());
        let labels = [
            rated(1, "sft", "ada", &[("signals", signals.clone()), ("first_bad_step", Value::Step(1))]),
            rated(1, "sft", "bo", &[("signals", signals)]),
            rated(2, "sft", "ada", &[("signals", Value::Several(Default::default()))]),
        ];
        let all: Vec<&Rated> = labels.iter().collect();
        let aspects = aspects(&rubric, &labels);
        assert_eq!(aspects.iter().filter(|a| a.question == "signals").count(), 5);
        let find = |name: &str| aspects.iter().find(|a| a.name() == name).unwrap();
        let weak = table(&rubric, find("signals: weak-justification"), &all);
        assert_eq!(weak.ratings.units, [vec![Some(1), Some(1)], vec![Some(0), None]]);
        let step = table(&rubric, find("first_bad_step"), &all);
        assert_eq!(find("first_bad_step").categories, ["1", "2", "none"]);
        assert_eq!(step.ratings.units, [vec![Some(1), Some(2)], vec![None, None]], "not asked is no rating");
        let safety = table(&rubric, find("safety"), &all);
        assert_eq!(safety.ratings.units[0], [Some(7), Some(7)]);
    }

    #[test]
    fn marks_overlap_by_characters() {
        let span = |start, end| Span { start, end, text: String::new() };
        assert_eq!(overlap(&[span(0, 10)], &[span(5, 10)]), Some(2.0 * 5.0 / 15.0));
        assert_eq!(overlap(&[], &[]), None);
        assert_eq!(overlap(&[span(0, 2)], &[]), Some(0.0));
    }
}
