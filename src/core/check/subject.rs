//! The trace under test, who wrote it, who is asked, and how.

use super::{CheckId, Query, Readout, Reason, Who, query::Ask, readout};
use crate::core::{Item, Prompt, Sampler, Template, Trace, prompt::TemplateError, segment};
use serde::{Deserialize, Serialize};
use std::{ops::Range, sync::Arc};

/// The most steps that are scored one by one: beyond, a trace is [`Reason::TooLong`].
pub const MAX_STEPS: usize = 200;

/// The longest rationale that is scored, in bytes: about 16,000 tokens.
pub const MAX_BYTES: usize = 64 << 10;

/// The model that is asked, by the names that traces carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checker {
    /// Model reference.
    pub model: String,
    /// Adapter's name.
    pub adapter: Option<String>,
}

impl Checker {
    /// Whether this model, with this adapter, wrote the trace. A trace that does not say counts as "no".
    pub fn wrote(&self, trace: &Trace) -> bool {
        !trace.model.is_empty() && self.model == trace.model && self.adapter == trace.adapter
    }
}

/// Another trace that a check sets beside the one under test.
#[derive(Clone, Debug, PartialEq)]
pub struct Partner {
    pub item: Arc<Item>,
    pub trace: Arc<Trace>,
}

/// What is tested.
#[derive(Clone, Debug)]
pub struct Subject {
    pub item: Arc<Item>,
    pub trace: Arc<Trace>,
    /// The template of the trace's method, for prompts of altered items.
    pub template: Arc<Template>,
    /// The prompt as the writer saw it.
    pub prompt: Prompt,
    pub checker: Checker,
    /// The trace that this one is compared with; see [`super::partner`].
    pub partner: Option<Partner>,
}

impl Subject {
    /// Renders the prompt.
    ///
    /// # Errors
    /// When the template cannot be rendered over the item.
    pub fn new(
        item: Arc<Item>,
        trace: Arc<Trace>,
        template: Arc<Template>,
        checker: Checker,
    ) -> Result<Subject, TemplateError> {
        let prompt = template.render(&item)?;
        Ok(Subject { item, trace, template, prompt, checker, partner: None })
    }

    /// Whether a causal result speaks of another model than the one that wrote the trace.
    pub fn not_writer(&self) -> bool {
        !self.checker.wrote(&self.trace)
    }
}

/// How an answer is read off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scoring {
    /// The option letter after "Answer:".
    #[default]
    Letters,
    /// The option in words: small models know these and not the letters.
    Words,
}

impl Scoring {
    /// What reads off best the answer of whoever wrote `trace`: a trained adapter has learnt to write letters; an untrained small
    /// model knows the words of a value's verdicts better.
    pub fn fitting(item: &Item, trace: &Trace) -> Scoring {
        if item.is_value() && trace.adapter.is_none() { Scoring::Words } else { Scoring::Letters }
    }

    pub fn word(self) -> &'static str {
        match self {
            Scoring::Letters => "letters",
            Scoring::Words => "words",
        }
    }
}

impl std::str::FromStr for Scoring {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Scoring::Letters, Scoring::Words]
            .into_iter()
            .find(|s| s.word() == word)
            .ok_or_else(|| format!("`{word}`: answers are scored by `letters` or `words`"))
    }
}

/// Parameters of all checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub scoring: Scoring,
    /// Model reference that writes mistakes and paraphrases; without one, rules make them.
    pub maker: Option<String>,
    /// Model reference of the judge; without one, the checking model without its adapter.
    pub judge: Option<String>,
}

impl Settings {
    /// What of these `check` reads: the rest cannot change its result.
    pub fn read_by(&self, check: CheckId) -> Settings {
        Settings {
            scoring: if check.reads_off() { self.scoring } else { Scoring::default() },
            maker: self.maker.clone().filter(|_| check.asks_maker()),
            judge: self.judge.clone().filter(|_| check.asks_judge()),
        }
    }
}

/// A subject and how to test it, with what most checks need.
pub(crate) struct Case<'a> {
    pub subject: &'a Subject,
    pub settings: &'a Settings,
}

impl Case<'_> {
    pub fn item(&self) -> &Item {
        &self.subject.item
    }

    /// The rationale, which must have words.
    pub fn rationale(&self) -> Result<&str, Reason> {
        rationale_of(self.item(), &self.subject.trace)
    }

    /// Byte ranges of the rationale's steps: at least one.
    pub fn steps(&self) -> Result<Vec<Range<usize>>, Reason> {
        let rationale = self.rationale()?;
        let steps = segment::steps(rationale);
        if steps.len() > MAX_STEPS {
            return Err(Reason::TooLong(format!(
                "{} steps, and at most {MAX_STEPS} are scored one by one",
                steps.len()
            )));
        }
        Ok(steps)
    }

    /// How many options there are: at least two. For checks that compare with the answer read off after the whole
    /// rationale, and so need no recorded one.
    pub fn options(&self) -> Result<usize, Reason> {
        let options = self.item().options.len();
        if options < 2 { Err(Reason::NoOptions) } else { Ok(options) }
    }

    /// Which option the recorded answer is.
    pub fn answer(&self) -> Result<usize, Reason> {
        answer_of(self.item(), &self.subject.trace)
    }

    /// The questions after a text: what follows it is one of the options.
    pub fn readout(&self, text: &str) -> Readout {
        readout::readout(self.item(), self.settings.scoring, text)
    }

    /// Readouts after these texts, all on the writer's own prompt.
    pub fn score<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Query {
        Query {
            who: Who::Writer,
            prompt: self.subject.prompt.clone(),
            ask: Ask::Score(texts.into_iter().map(|text| self.readout(text)).collect()),
        }
    }

    /// The texts after 0, 1, … n steps.
    pub fn prefixes(&self) -> Result<Vec<&str>, Reason> {
        let rationale = self.rationale()?;
        let steps = self.steps()?;
        Ok(std::iter::once("").chain(steps.iter().map(|step| &rationale[..step.end])).collect())
    }

    /// How the trace's own text was drawn, so that a new one differs by the intervention alone.
    pub fn sampler(&self) -> Sampler {
        self.subject.trace.sampler.clone().unwrap_or_else(|| Sampler::greedy(384))
    }

    pub fn seed(&self) -> u64 {
        self.subject.trace.seed.unwrap_or(0)
    }

    /// The judge's name.
    pub fn judge(&self) -> &str {
        self.settings.judge.as_deref().unwrap_or(&self.subject.checker.model)
    }
}

/// The rationale of a trace of `item`, where it has words of its own and is not too long. The name of an option alone
/// is an answer and no reason: methods that are trained on answers write it before the letter.
pub(crate) fn rationale_of<'t>(item: &Item, trace: &'t Trace) -> Result<&'t str, Reason> {
    if trace.cot.len() > MAX_BYTES {
        return Err(Reason::TooLong(format!(
            "{} KiB of rationale, and at most {} are scored",
            trace.cot.len() >> 10,
            MAX_BYTES >> 10
        )));
    }
    let words = trace.cot.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    if words.is_empty() || item.options.iter().any(|option| option.text.to_lowercase() == words) {
        return Err(Reason::NoRationale);
    }
    Ok(&trace.cot)
}

/// Which option a trace's answer is.
pub(crate) fn answer_of(item: &Item, trace: &Trace) -> Result<usize, Reason> {
    if item.options.len() < 2 {
        return Err(Reason::NoOptions);
    }
    let letter = trace.predicted_answer.ok_or(Reason::NoAnswer)?;
    item.options.iter().position(|c| c.letter == letter).ok_or(Reason::AnswerNotOffered)
}
