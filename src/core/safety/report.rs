//! Safety over many traces: shares with Wilson intervals, per source. Unknown results are counted apart and
//! stay out of every share.

use super::{Label, SafetyResult, Source, score::own_flags};
use crate::core::metric::{Interval, wilson};
use serde::Serialize;
use std::collections::BTreeMap;

/// Hits among judged texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    pub hits: usize,
    pub of: usize,
    /// 95 %; `None` where nothing was judged.
    pub interval: Option<Interval>,
}

impl Share {
    fn new(hits: usize, of: usize) -> Share {
        Share { hits, of, interval: wilson(hits, of) }
    }

    /// `None` where nothing was judged.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }
}

/// One label of one source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelShare {
    pub label: Label,
    pub flagged: Share,
    /// Mean over the judged texts of the highest step's score; a label that is not listed for a text is 0.
    pub mean: f64,
}

/// One source over all texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceReport {
    pub source: Source,
    pub flagged: Share,
    /// Texts with a flag that their prompt does not have, among those whose prompt was judged too.
    pub beyond_prompt: Share,
    /// Prompts that are flagged by themselves.
    pub prompts: Share,
    /// Mean over the judged texts of their strongest label's score.
    pub mean: Option<f64>,
    /// Labels that were seen, most flagged first.
    pub labels: Vec<LabelShare>,
    /// Why texts could not be judged, and how many.
    pub unknown: BTreeMap<String, usize>,
}

/// Reports every source that occurs. Each text comes with its prompt's result by the same source, where there is
/// one.
pub fn report<'a>(
    results: impl IntoIterator<Item = (&'a SafetyResult, Option<&'a SafetyResult>)>,
) -> Vec<SourceReport> {
    let mut by_source: BTreeMap<Source, Vec<(&SafetyResult, Option<&SafetyResult>)>> = BTreeMap::new();
    for pair in results {
        by_source.entry(pair.0.source()).or_default().push(pair);
    }
    by_source.into_iter().map(|(source, pairs)| of_source(source, &pairs)).collect()
}

fn of_source(source: Source, pairs: &[(&SafetyResult, Option<&SafetyResult>)]) -> SourceReport {
    let mut unknown = BTreeMap::new();
    let (mut of, mut flagged, mut top) = (0, 0, 0.0f64);
    let (mut with_prompt, mut beyond, mut prompts) = (0, 0, 0);
    let mut labels: BTreeMap<Label, (usize, f64)> = BTreeMap::new();
    for (result, prompt) in pairs {
        let text = match result {
            SafetyResult::Known(text) => text,
            SafetyResult::Unknown { reason, .. } => {
                *unknown.entry(reason.clone()).or_default() += 1;
                continue;
            }
        };
        of += 1;
        flagged += usize::from(text.flagged());
        top += f64::from(text.top().map_or(0.0, |t| t.score));
        text.peaks().iter().for_each(|p| labels.entry(p.label).or_default().1 += f64::from(p.score));
        text.flags().iter().for_each(|f| labels.entry(f.label).or_default().0 += 1);
        if let Some(prompt) = prompt.and_then(SafetyResult::known) {
            with_prompt += 1;
            prompts += usize::from(prompt.flagged());
            beyond += usize::from(!own_flags(text, prompt).is_empty());
        }
    }
    let mut labels: Vec<LabelShare> = labels
        .into_iter()
        .map(|(label, (hits, sum))| LabelShare {
            label,
            flagged: Share::new(hits, of),
            mean: sum / of as f64,
        })
        .collect();
    labels.sort_by(|a, b| b.flagged.hits.cmp(&a.flagged.hits).then(b.mean.total_cmp(&a.mean)));
    SourceReport {
        source,
        flagged: Share::new(flagged, of),
        beyond_prompt: Share::new(beyond, with_prompt),
        prompts: Share::new(prompts, with_prompt),
        mean: (of > 0).then(|| top / of as f64),
        labels,
        unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::safety::{Assessment, Category, LabelScore};

    fn result(hate: f32) -> SafetyResult {
        let label = Label::Moderation(Category::Hate);
        SafetyResult::Known(Assessment {
            source: Source::Classifier,
            version: String::new(),
            steps: vec![],
            whole: vec![LabelScore { label, score: hate }],
            whole_flags: if hate >= 0.5 { vec![label] } else { vec![] },
            spans: vec![],
        })
    }

    #[test]
    fn unknown_is_counted_and_left_out() {
        let (loud, calm) = (result(0.75), result(0.25));
        let unknown = SafetyResult::unknown(Source::Classifier, "no text");
        let guard = SafetyResult::unknown(Source::Guard, "down");
        let all =
            [(&loud, Some(&calm)), (&loud, Some(&loud)), (&calm, None), (&unknown, None), (&guard, None)];
        let [ours, guard] = &report(all)[..] else { panic!() };
        assert_eq!((ours.flagged.hits, ours.flagged.of), (2, 3));
        assert_eq!((ours.beyond_prompt.hits, ours.beyond_prompt.of, ours.prompts.hits), (1, 2, 1));
        assert_eq!(ours.unknown["no text"], 1);
        assert!((ours.mean.unwrap() - 1.75 / 3.0).abs() < 1e-6);
        assert_eq!((ours.labels[0].flagged.hits, ours.labels.len()), (2, 1));
        assert!(ours.flagged.interval.unwrap().low < 2.0 / 3.0);
        assert_eq!((guard.flagged.value(), guard.mean, guard.unknown.len()), (None, None, 1));
    }
}
