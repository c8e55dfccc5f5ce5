//! What a source says of one text: scores and flags per step and for the whole, and what to blur.
//!
//! A text is flagged when a step reaches a threshold (the maximum over steps). Where no step does, a guard's word on
//! the whole counts: most read nothing else, and an endpoint may flag a text for what no step says alone. The prompt
//! is assessed apart: see [`beyond_prompt`].

use super::Label;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Who judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Lexical,
    Classifier,
    Guard,
}

impl Source {
    pub const ALL: [Source; 3] = [Source::Lexical, Source::Classifier, Source::Guard];

    pub fn word(self) -> &'static str {
        match self {
            Source::Lexical => "lexical",
            Source::Classifier => "classifier",
            Source::Guard => "guard",
        }
    }
}

/// A label with its score, 0 to 1: a probability, or a severity for the word list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelScore {
    pub label: Label,
    pub score: f32,
}

/// One step of the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSafety {
    /// Bytes of the text, as [`crate::core::segment::steps`] cuts it.
    pub range: Range<usize>,
    /// One score per label of the source; the word list leaves out what it did not find.
    pub scores: Vec<LabelScore>,
    /// The labels that reached their threshold.
    pub flags: Vec<Label>,
}

/// Bytes that speak for a label: what to underline or blur.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub range: Range<usize>,
    pub label: Label,
}

/// A flagged label, its highest score, and the step that has it (`None`: only the whole text is flagged).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    pub label: Label,
    pub score: f32,
    pub step: Option<usize>,
}

/// What one source says of one text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    pub source: Source,
    /// The list, weights or model that judged: results of another version do not count.
    pub version: String,
    /// Empty for a source that reads only whole texts.
    pub steps: Vec<StepSafety>,
    /// The text in one piece.
    pub whole: Vec<LabelScore>,
    /// Labels that the whole reaches; they flag the text where no step is flagged and the source is a guard, or reads
    /// no steps.
    pub whole_flags: Vec<Label>,
    /// In rising order; may overlap where two labels have one word.
    pub spans: Vec<Span>,
}

/// An assessment, or why there is none. Unknown is outside every denominator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SafetyResult {
    Known(Assessment),
    Unknown { source: Source, reason: String },
}

impl SafetyResult {
    pub fn unknown(source: Source, reason: impl Into<String>) -> SafetyResult {
        SafetyResult::Unknown { source, reason: reason.into() }
    }

    pub fn source(&self) -> Source {
        match self {
            SafetyResult::Known(assessment) => assessment.source,
            SafetyResult::Unknown { source, .. } => *source,
        }
    }

    pub fn known(&self) -> Option<&Assessment> {
        match self {
            SafetyResult::Known(assessment) => Some(assessment),
            SafetyResult::Unknown { .. } => None,
        }
    }

    /// `None` when unknown.
    pub fn flagged(&self) -> Option<bool> {
        self.known().map(Assessment::flagged)
    }
}

impl Assessment {
    pub fn flagged(&self) -> bool {
        self.steps.iter().any(|s| !s.flags.is_empty()) || !self.flags_of_the_whole().is_empty()
    }

    /// Labels that flag the text as a whole, and belong to no step.
    fn flags_of_the_whole(&self) -> &[Label] {
        let decides = self.steps.is_empty() || self.source == Source::Guard;
        if decides && self.steps.iter().all(|s| s.flags.is_empty()) { &self.whole_flags } else { &[] }
    }

    /// Every flagged label once, with its highest step, strongest first.
    pub fn flags(&self) -> Vec<Flag> {
        let mut out: Vec<Flag> = Vec::new();
        let mut add = |flag: Flag| match out.iter_mut().find(|f| f.label == flag.label) {
            Some(known) if known.score < flag.score => *known = flag,
            Some(_) => {}
            None => out.push(flag),
        };
        for &label in self.flags_of_the_whole() {
            add(Flag { label, score: score_of(&self.whole, label), step: None });
        }
        for (i, step) in self.steps.iter().enumerate() {
            for &label in &step.flags {
                add(Flag { label, score: score_of(&step.scores, label), step: Some(i) });
            }
        }
        out.sort_by(|a, b| b.score.total_cmp(&a.score));
        out
    }

    /// The highest score of each label over the steps (over the whole where there are none).
    pub fn peaks(&self) -> Vec<LabelScore> {
        let mut out: Vec<LabelScore> = Vec::new();
        let pieces: Vec<&[LabelScore]> = if self.steps.is_empty() {
            vec![&self.whole]
        } else {
            self.steps.iter().map(|s| s.scores.as_slice()).collect()
        };
        for score in pieces.into_iter().flatten() {
            match out.iter_mut().find(|o| o.label == score.label) {
                Some(known) => known.score = known.score.max(score.score),
                None => out.push(*score),
            }
        }
        out
    }

    /// Byte ranges to blur, in order, merged: the spans of flagged labels; a flagged step without spans, and a
    /// text that is flagged as a whole, are blurred in full. `len` is the text's length.
    pub fn blur(&self, len: usize) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = self.spans.iter().map(|s| s.range.clone()).collect();
        for step in self.steps.iter().filter(|s| !s.flags.is_empty()) {
            if !self.spans.iter().any(|s| s.range.start < step.range.end && step.range.start < s.range.end) {
                ranges.push(step.range.clone());
            }
        }
        if !self.flags_of_the_whole().is_empty() && self.spans.is_empty() {
            ranges.push(0..len);
        }
        merge(ranges)
    }
}

/// How much more than the prompt a rationale says: per label, peak of the rationale minus peak of the prompt.
///
/// Survey topics and situations trip classifiers by themselves; a positive difference is the rationale's own.
pub fn beyond_prompt(rationale: &Assessment, prompt: &Assessment) -> Vec<LabelScore> {
    let before = prompt.peaks();
    let peaks = rationale.peaks().into_iter();
    peaks.map(|p| LabelScore { label: p.label, score: p.score - score_of(&before, p.label) }).collect()
}

/// The flags of a rationale on labels that its prompt does not have.
pub fn own_flags(rationale: &Assessment, prompt: &Assessment) -> Vec<Flag> {
    let before: Vec<Label> = prompt.flags().into_iter().map(|f| f.label).collect();
    rationale.flags().into_iter().filter(|f| !before.contains(&f.label)).collect()
}

/// The score of `label`, 0 where it is not listed.
pub fn score_of(scores: &[LabelScore], label: Label) -> f32 {
    scores.iter().find(|s| s.label == label).map_or(0.0, |s| s.score)
}

fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|r| (r.start, r.end));
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::safety::Category;

    const HATE: Label = Label::Moderation(Category::Hate);
    const VIOLENCE: Label = Label::Moderation(Category::Violence);

    fn step(range: Range<usize>, hate: f32, violence: f32) -> StepSafety {
        let scores =
            vec![LabelScore { label: HATE, score: hate }, LabelScore { label: VIOLENCE, score: violence }];
        let flags = scores.iter().filter(|s| s.score >= 0.5).map(|s| s.label).collect();
        StepSafety { range, scores, flags }
    }

    fn assessment(steps: Vec<StepSafety>) -> Assessment {
        Assessment {
            source: Source::Classifier,
            version: "test".to_owned(),
            steps,
            whole: vec![LabelScore { label: HATE, score: 0.9 }],
            whole_flags: vec![HATE],
            spans: vec![],
        }
    }

    #[test]
    fn the_maximum_over_steps_decides_and_the_whole_only_without_steps() {
        let calm = assessment(vec![step(0..4, 0.1, 0.2), step(4..9, 0.4, 0.1)]);
        assert!(!calm.flagged() && calm.flags().is_empty() && calm.blur(9).is_empty());
        let loud = assessment(vec![step(0..4, 0.6, 0.2), step(4..9, 0.8, 0.1)]);
        assert_eq!(loud.flags(), [Flag { label: HATE, score: 0.8, step: Some(1) }]);
        assert!(matches!(loud.blur(9).as_slice(), [one] if *one == (0..9)));
        let whole = assessment(vec![]);
        assert_eq!(whole.flags(), [Flag { label: HATE, score: 0.9, step: None }]);
        assert!(matches!(whole.blur(9).as_slice(), [one] if *one == (0..9)));
    }

    #[test]
    fn spans_are_blurred_instead_of_their_step() {
        let mut one = assessment(vec![step(0..10, 0.6, 0.6), step(10..20, 0.7, 0.0)]);
        one.spans = vec![Span { range: 2..5, label: HATE }, Span { range: 4..6, label: VIOLENCE }];
        assert_eq!(one.blur(20), [2..6, 10..20]);
    }

    #[test]
    fn the_prompt_is_taken_off() {
        let prompt = assessment(vec![step(0..4, 0.1, 0.7)]);
        let rationale = assessment(vec![step(0..4, 0.6, 0.8)]);
        let more = beyond_prompt(&rationale, &prompt);
        assert!((score_of(&more, HATE) - 0.5).abs() < 1e-6 && (score_of(&more, VIOLENCE) - 0.1).abs() < 1e-6);
        assert_eq!(own_flags(&rationale, &prompt).iter().map(|f| f.label).collect::<Vec<_>>(), [HATE]);
    }

    #[test]
    fn results_survive_a_file() {
        let known = SafetyResult::Known(assessment(vec![step(0..4, 0.1, 0.7)]));
        let unknown = SafetyResult::unknown(Source::Guard, "server gone");
        for result in [known, unknown] {
            let text = serde_json::to_string(&result).unwrap();
            assert_eq!(serde_json::from_str::<SafetyResult>(&text).unwrap(), result);
        }
    }
}
