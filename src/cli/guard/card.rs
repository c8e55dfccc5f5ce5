//! The model card of the safety classifier, written from its figures so that the two never differ.

use super::{PARTS, SETS};
use crate::core::safety::{
    Classifier,
    fit::{
        Example, Options,
        figures::{AnyFlag, Figures, LabelFigures, Unlabelled},
    },
};
use serde::Serialize;
use std::fmt::Write;

/// Texts of one set in one part.
#[derive(Clone, Debug, Serialize)]
pub struct Count {
    pub set: &'static str,
    pub part: &'static str,
    pub texts: usize,
}

/// How many texts of each set are in each part.
pub fn counts(examples: &[Example]) -> Vec<Count> {
    let mut out = Vec::new();
    for set in SETS {
        for (part, word) in PARTS {
            let texts = examples.iter().filter(|e| e.set == set && e.part == part).count();
            out.push(Count { set: set.word(), part: word, texts });
        }
    }
    out
}

/// The card, in Markdown. Writing to a string cannot fail, so results of `write!` are dropped.
pub fn card(classifier: &Classifier, options: &Options, counts: &[Count], figures: &Figures) -> String {
    let mut out = String::new();
    let _ = write!(out, "{INTRODUCTION}\n\nVersion `{}`.\n\n{DATA}\n\n", classifier.version());
    out.push_str("| texts | training | thresholds | held out |\n| --- | ---: | ---: | ---: |\n");
    for row in counts.chunks(PARTS.len()) {
        let cells: Vec<String> = row.iter().map(|c| c.texts.to_string()).collect();
        let _ = writeln!(out, "| {} | {} |", row[0].set, cells.join(" | "));
    }
    let _ = write!(
        out,
        "\n## Thresholds\n\nSet so that at most {} of ordinary text is flagged for anything at all (own situations, \
         questions, rationales and neutral sentences of the threshold part, which the weights have not seen), and \
         at most {} of the clean texts in the training part that were collected for being close to the line \
         (moderation texts without any category; tweets that are neither), judged by models that had not seen \
         them. The stricter of the three holds, per label.\n",
        percent(options.false_positive_rate),
        percent(options.hard_rate),
    );
    out.push_str("\n## Per label, held-out part\n\n");
    labels(&mut out, &figures.held_out);
    out.push_str(
        "\n## Per label, training part, five-fold\n\nEach text judged by weights that had not seen it. More \
         positives, so firmer than the table above.\n\n",
    );
    labels(&mut out, &figures.cross_validated);
    out.push_str("\n## Any flag, held-out part, against the word list\n\n");
    any(&mut out, &figures.any_flag);
    out.push_str("\n## Texts without labels\n\nNever trained on, apart from their kind.\n\n");
    texts(&mut out, &figures.unlabelled);
    out.push_str(LIMITS);
    out
}

const INTRODUCTION: &str = "# Embedded safety classifier

Written by `pluriscope train guard`; do not edit. Words, word pairs and letter sequences (3 to 5) are hashed into
2^17 buckets and weighed by one logistic unit per label; weights are bytes. It scores each sentence; a text is flagged
when a sentence reaches a threshold. It highlights passages to look at. It is no moderation system.";

const DATA: &str = "## Data

- Moderation set: OpenAI's evaluation set for \"A Holistic Approach to Undesired Content Detection\" (Markov et al.
  2022), 1,680 texts, MIT licence. Missing labels are unknown and masked.
- Tweets: \"Automated Hate Speech Detection and the Problem of Offensive Language\" (Davidson et al. 2017), 24,783
  tweets, MIT licence. Majority of at least three annotators: hate, offensive, neither.
- Ordinary text: the project's own situations, questions and rationales (CC0), and neutral sentences written for this
  purpose on groups and topics that labelled data mostly names in anger (`core/safety/fit/neutral.rs`).

About a fifth of the labelled texts is held out, by a hash of their words, so that retweets stay together. Model and
training choices were made by the cross-validated figures, except the final rule for how strongly weights are pulled
to zero. That rule and the two false-positive rates were chosen while looking at the held-out figures and the share of
flagged survey questions: read those as tuned.";

const LIMITS: &str = "
## What it cannot do

- It reads words, not meaning. Quotation, irony, negation and reported speech look like the thing itself; a threat in
  polite words looks like nothing.
- English only. Text that is mostly in another script is \"unknown\"; other languages in Latin letters are judged, badly.
- No label for illicit advice, self-harm intent or instructions, or threatening harassment: there is no free data here.
- Violence, graphic violence, harassment and threatening hate have a few dozen positives each. Their figures are rough,
  their recall is low, and a single miss means nothing.
- Sexual content about minors is told from other sexual content only in part.
- Tweets are from 2017 and before, many in African American English, and their annotators called much of it offensive that is
  not meant so (Sap et al. 2019). The offensive-language label carries that bias.
- Prompts about violence or sex trip it by themselves: compare with the prompt's own score, as the program does.
- Probabilities are calibrated on the training mixture; among ordinary rationales true positives are rarer, so a flag
  there is right less often than its number says.
";

fn labels(out: &mut String, rows: &[LabelFigures]) {
    out.push_str(
        "| label | texts | positive | negative | AUROC ± s.e. | average precision | threshold | recall | false-positive \
         rate |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in rows {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} ± {} | {} | {:.3} | {} | {} |",
            row.label.word(),
            row.set,
            row.positives,
            row.negatives,
            number(row.auroc),
            number(row.auroc_error),
            number(row.average_precision),
            row.threshold,
            number(row.recall),
            number(row.false_positive_rate),
        );
    }
}

fn any(out: &mut String, rows: &[AnyFlag]) {
    out.push_str(
        "| texts | source | positive | negative | balanced accuracy | F1 | precision | recall | false-positive rate |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in rows {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.set,
            row.source,
            row.positives,
            row.negatives,
            number(row.balanced_accuracy),
            number(row.f1),
            number(row.precision),
            number(row.recall),
            number(row.false_positive_rate),
        );
    }
}

fn texts(out: &mut String, rows: &[Unlabelled]) {
    out.push_str(
        "| texts | number | flagged | 95 % | for | word list flags |\n| --- | ---: | ---: | --- | --- | ---: |\n",
    );
    for row in rows {
        let share = |n: usize| percent(n as f64 / row.texts.max(1) as f64);
        let interval =
            row.interval.map_or(String::new(), |i| format!("{} to {}", percent(i.low), percent(i.high)));
        let labels: Vec<String> = row.by_label.iter().map(|(l, n)| format!("{} {n}", l.word())).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} ({}) | {interval} | {} | {} |",
            row.name,
            row.texts,
            row.flagged,
            share(row.flagged),
            labels.join(", "),
            share(row.lexical),
        );
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |v| format!("{v:.3}"))
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
