//! Faithfulness checks: one file each, pure at both ends.
//!
//! A check is a function from the replies so far to either more questions or a verdict ([`advance`]): with no
//! reply yet it plans, with all replies it judges. Something else puts the questions to a model
//! ([`crate::job::checking`] turns them into rows for the worker). No check reads a file, a clock or a model.
//!
//! Two families of faithfulness, never merged into one score. *Apparent*: does the text support the answer? *Causal*: does the
//! model's answer depend on the text? In the one study that has both, they correlate at r = .15 only.
//!
//! | file | what |
//! | --- | --- |
//! | [`subject`] | the trace under test, and how to test it |
//! | [`query`] | questions for a model, and its replies |
//! | [`verdict`] | verdicts, reasons for none, records for files |
//! | [`readout`] | what follows a rationale when the answer is read off as probabilities |
//! | [`curve`] | areas over curves, settle points, corrections |
//! | [`edits`], [`leaks`] | rule-made mistakes and paraphrases; where a rationale states its answer |
//! | [`partner`] | which other trace serves the swaps |
//! | [`summary`] | rates over many verdicts |
//! | [`overview`] | rates, mean curves, safety labels and quadrants together |
//! | [`safety`], [`flagged`] | the three safety checks; what their verdicts flag |
//! | [`intervene`] | one edit by hand: answers before and after |
//! | the others | one check each |

pub mod adding_mistakes;
pub mod biasing_hint;
pub mod conclusion;
pub mod consistency;
pub mod controls;
pub mod curve;
pub mod early_answering;
pub mod edits;
pub mod filler;
pub mod flagged;
pub mod hint_acknowledged;
pub mod intervene;
pub mod leaks;
pub mod overview;
pub mod paraphrase;
pub mod partner;
pub mod perspective_swap;
pub mod probability_trace;
pub mod query;
pub mod readout;
pub mod safety;
pub mod shuffled_options;
pub mod subject;
pub mod summary;
pub mod verdict;

pub use flagged::Flagged;
pub use query::{Ask, Query, Readout, Reply, Scores, Who};
pub use readout::Distribution;
pub use subject::{Checker, Partner, Scoring, Settings, Subject};
pub use verdict::{Evidence, Judged, Reason, Record, Source, TraceKey, Verdict};

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a check speaks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Does the text support the answer?
    Apparent,
    /// Does the model's answer depend on the text?
    Causal,
    /// Is the text fit to be shown? Says nothing about faithfulness.
    Safety,
}

impl Family {
    pub fn word(self) -> &'static str {
        match self {
            Family::Apparent => "apparent",
            Family::Causal => "causal",
            Family::Safety => "safety",
        }
    }
}

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckId {
    ProbabilityTrace,
    EarlyAnswering,
    /// A wrong step, the rest kept.
    MistakesFrozen,
    /// A wrong step, the rest written anew.
    MistakesRegenerated,
    Filler,
    Paraphrase,
    ShuffledOptions,
    BiasingHint,
    HintAcknowledged,
    PerspectiveSwap,
    Conclusion,
    Consistency,
    ConsistencyControls,
    /// A word list.
    SafetyLexical,
    /// The embedded classifier.
    SafetyClassifier,
    /// The judge, asked as a guard model.
    SafetyGuard,
}

/// What is said of a check; the functions of [`CheckId`] tell what each is.
struct Words {
    word: &'static str,
    short: &'static str,
    family: Family,
    about: &'static str,
    outcome: &'static str,
}

impl CheckId {
    /// In the order of the screens; a test holds that none is missing.
    pub const ALL: [CheckId; 16] = [
        CheckId::ProbabilityTrace,
        CheckId::EarlyAnswering,
        CheckId::MistakesFrozen,
        CheckId::MistakesRegenerated,
        CheckId::Filler,
        CheckId::Paraphrase,
        CheckId::ShuffledOptions,
        CheckId::BiasingHint,
        CheckId::HintAcknowledged,
        CheckId::PerspectiveSwap,
        CheckId::Conclusion,
        CheckId::Consistency,
        CheckId::ConsistencyControls,
        CheckId::SafetyLexical,
        CheckId::SafetyClassifier,
        CheckId::SafetyGuard,
    ];

    /// What screens and files say of the check.
    fn words(self) -> Words {
        match self {
            CheckId::ProbabilityTrace => Words {
                word: "probability-trace",
                short: "trace",
                family: Family::Causal,
                about: "how probable is the recorded answer after each step?",
                outcome: "post-hoc",
            },
            CheckId::EarlyAnswering => Words {
                word: "early-answering",
                short: "early",
                family: Family::Causal,
                about: "after how many steps does the model give its final answer?",
                outcome: "same answer without rationale",
            },
            CheckId::MistakesFrozen => Words {
                word: "mistakes-frozen",
                short: "mistake",
                family: Family::Causal,
                about: "does a wrong step change the answer, the other steps kept?",
                outcome: "changed by a mistake",
            },
            CheckId::MistakesRegenerated => Words {
                word: "mistakes-regenerated",
                short: "rewrite",
                family: Family::Causal,
                about: "does a wrong step change the answer, the rest written anew?",
                outcome: "changed by a mistake",
            },
            CheckId::Filler => Words {
                word: "filler",
                short: "filler",
                family: Family::Causal,
                about: "do as many dots do as well as the rationale?",
                outcome: "same answer with filler",
            },
            CheckId::Paraphrase => Words {
                word: "paraphrase",
                short: "paraphrase",
                family: Family::Causal,
                about: "does the answer survive other words for the same steps?",
                outcome: "changed by a paraphrase",
            },
            CheckId::ShuffledOptions => Words {
                word: "shuffled-options",
                short: "shuffle",
                family: Family::Causal,
                about: "is the answer without the rationale the same, and stable under order?",
                outcome: "same answer without rationale",
            },
            CheckId::BiasingHint => Words {
                word: "biasing-hint",
                short: "hint",
                family: Family::Causal,
                about: "does the model follow an expert who is said to think otherwise?",
                outcome: "follows the hint",
            },
            CheckId::HintAcknowledged => Words {
                word: "hint-acknowledged",
                short: "hint said",
                family: Family::Causal,
                about: "where it follows the hint, does the rationale say so?",
                outcome: "says so",
            },
            CheckId::PerspectiveSwap => Words {
                word: "perspective-swap",
                short: "swap",
                family: Family::Causal,
                about: "does the rationale or the perspective carry the answer?",
                outcome: "follows the rationale",
            },
            CheckId::Conclusion => Words {
                word: "conclusion",
                short: "end",
                family: Family::Apparent,
                about: "does the rationale end in the option that is answered?",
                outcome: "ends in another option",
            },
            CheckId::Consistency => Words {
                word: "consistency",
                short: "judge",
                family: Family::Apparent,
                about: "does a judge who does not know the perspective find the same answer?",
                outcome: "consistent",
            },
            CheckId::ConsistencyControls => Words {
                word: "consistency-controls",
                short: "control",
                family: Family::Apparent,
                about: "does the judge find it without the rationale, or in a wrong one?",
                outcome: "judge right without rationale",
            },
            CheckId::SafetyLexical => Words {
                word: "safety-lexical",
                short: "words",
                family: Family::Safety,
                about: "are there words that a word list finds offensive?",
                outcome: "flagged",
            },
            CheckId::SafetyClassifier => Words {
                word: "safety-classifier",
                short: "safety",
                family: Family::Safety,
                about: "does the embedded classifier flag a step?",
                outcome: "flagged",
            },
            CheckId::SafetyGuard => Words {
                word: "safety-guard",
                short: "guard",
                family: Family::Safety,
                about: "does the judge, asked as a guard model, call the rationale unsafe?",
                outcome: "flagged",
            },
        }
    }

    /// The word in files and on the command line.
    pub fn word(self) -> &'static str {
        self.words().word
    }

    /// A word for narrow places.
    pub fn short(self) -> &'static str {
        self.words().short
    }

    /// What the check asks, in one line.
    pub fn about(self) -> &'static str {
        self.words().about
    }

    /// What a rate of this check counts: the share of traces for which this holds.
    pub fn outcome_word(self) -> &'static str {
        self.words().outcome
    }

    pub fn family(self) -> Family {
        self.words().family
    }

    /// Counts up when a check's questions or judgement change: older results are then computed anew.
    pub fn version(self) -> u32 {
        match self.family() {
            // 2: the rationale in one piece is kept beside its steps, and a flag of the whole has its place.
            Family::Safety => 2,
            Family::Apparent | Family::Causal => 1,
        }
    }

    /// Whether a judge alone is asked, and not the model under test.
    pub fn asks_judge_alone(self) -> bool {
        matches!(self, CheckId::Consistency | CheckId::ConsistencyControls | CheckId::SafetyGuard)
    }

    /// Whether somebody makes mistakes or paraphrases for it.
    pub fn asks_maker(self) -> bool {
        matches!(self, CheckId::MistakesFrozen | CheckId::MistakesRegenerated | CheckId::Paraphrase)
    }

    /// Whether a judge is asked, alone or beside the model under test.
    pub fn asks_judge(self) -> bool {
        self.asks_judge_alone() || self == CheckId::HintAcknowledged
    }

    /// What decides where no model is asked: a rule, a word list, the classifier, with its version.
    pub fn decided_by(self) -> Option<String> {
        match self {
            CheckId::Conclusion => Some(conclusion::BY.to_owned()),
            check => safety::version(check),
        }
    }

    /// Whether answers are read off as probabilities, by letters or words; the others read or write text.
    pub fn reads_off(self) -> bool {
        self.family() == Family::Causal && !matches!(self, CheckId::BiasingHint | CheckId::HintAcknowledged)
    }

    /// Whether the check needs another trace beside the one under test.
    pub fn wants_partner(self) -> Option<partner::Want> {
        match self {
            CheckId::PerspectiveSwap => Some(partner::Want::OtherPerspective),
            CheckId::ConsistencyControls => Some(partner::Want::OtherItem),
            _ => None,
        }
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for CheckId {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        CheckId::ALL.into_iter().find(|c| c.word() == word.trim()).ok_or_else(|| {
            let all: Vec<_> = CheckId::ALL.iter().map(|c| c.word()).collect();
            format!("`{word}` is not a check; checks are {}", all.join(", "))
        })
    }
}

/// What comes next in a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Round {
    /// Put these to a model; the replies, in the same order, are the next entry of the rounds.
    Ask(Vec<Query>),
    Done(Verdict),
}

/// Takes a check one round further. `rounds` holds the replies to each [`Round::Ask`] so far, in order.
pub fn advance(check: CheckId, subject: &Subject, settings: &Settings, rounds: &[Vec<Reply>]) -> Round {
    let case = subject::Case { subject, settings };
    let result = match check {
        CheckId::ProbabilityTrace => {
            once(rounds, || probability_trace::plan(&case), |r| probability_trace::judge(&case, r))
        }
        CheckId::EarlyAnswering => {
            once(rounds, || early_answering::plan(&case), |r| early_answering::judge(&case, r))
        }
        CheckId::MistakesFrozen => adding_mistakes::frozen(&case, rounds),
        CheckId::MistakesRegenerated => adding_mistakes::regenerated(&case, rounds),
        CheckId::Filler => once(rounds, || filler::plan(&case), |r| filler::judge(&case, r)),
        CheckId::Paraphrase => paraphrase::advance(&case, rounds),
        CheckId::ShuffledOptions => {
            once(rounds, || shuffled_options::plan(&case), |r| shuffled_options::judge(&case, r))
        }
        CheckId::BiasingHint => once(rounds, || biasing_hint::plan(&case), |r| biasing_hint::judge(&case, r)),
        CheckId::HintAcknowledged => hint_acknowledged::advance(&case, rounds),
        CheckId::PerspectiveSwap => {
            once(rounds, || perspective_swap::plan(&case), |r| perspective_swap::judge(&case, r))
        }
        CheckId::Conclusion => conclusion::advance(&case),
        CheckId::Consistency => once(rounds, || consistency::plan(&case), |r| consistency::judge(&case, r)),
        CheckId::ConsistencyControls => once(rounds, || controls::plan(&case), |r| controls::judge(&case, r)),
        CheckId::SafetyLexical => safety::at_once(&case, crate::core::safety::lexical::assess),
        CheckId::SafetyClassifier => safety::at_once(&case, crate::core::safety::classifier::assess),
        CheckId::SafetyGuard => safety::by_guard(&case, rounds),
    };
    result.unwrap_or_else(|reason| Round::Done(Verdict::Unjudged(reason)))
}

/// A check of one round.
fn once(
    rounds: &[Vec<Reply>],
    plan: impl FnOnce() -> Result<Vec<Query>, Reason>,
    judge: impl FnOnce(&[Reply]) -> Result<Judged, Reason>,
) -> Result<Round, Reason> {
    match rounds {
        [] => plan().map(Round::Ask),
        [replies, ..] => judge(replies).map(|judged| Round::Done(Verdict::Judged(judged))),
    }
}

#[cfg(test)]
pub(crate) mod tests;

/// The question that the consistency check puts to its judge: what `train judge` learns to answer.
pub fn judge_prompt(item: &crate::core::Item, rationale: &str) -> crate::core::Prompt {
    consistency::question(item, Some(rationale)).prompt
}

/// The option that a judge's reply to [`judge_prompt`] names, if it names one.
pub fn judge_letter(reply: &str, item: &crate::core::Item) -> Option<crate::core::Letter> {
    consistency::letter(reply, item)
}
