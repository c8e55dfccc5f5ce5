//! Guard models: what to ask Llama Guard 3, Qwen3Guard or any instruction model, and what its scores say.
//!
//! Pure: [`plan`] gives a prompt and the continuations to score, [`judge`] reads the log-probabilities, and
//! [`judge_text`] reads a verdict that a server wrote. The two guards bring their task and taxonomy in their own
//! chat template, ahead of the conversation; for other models the task is worded here, also first. So all prompts
//! of one guard share a long prefix, which the engine computes once.
//!
//! Score = softmax over the first verdict token. Whole texts only: a guard reads a turn, not a sentence.

use super::{Assessment, Category, Hazard, Label, LabelScore, SafetyResult, Source};
use crate::core::{Message, Prompt, Role};

/// A heading, and the lines under it with the label that each stands for.
type CategoryList = (&'static str, Vec<(String, Option<Label>)>);

/// Flagged from here on, as the guards' own greedy decoding does.
const THRESHOLD: f64 = 0.5;
/// Below this share of the next-token probability on verdict words, the model is not answering as a guard.
const LEAST_MASS: f64 = 0.1;

/// Whose conventions a guard follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// `safe`, or `unsafe` and a line of hazard codes. Its template may or may not end the header with an empty
    /// line, so both places are read and the one where the verdict is counts.
    LlamaGuard3,
    /// `Safety: Safe|Unsafe|Controversial`, then `Categories: …`.
    Qwen3Guard,
    /// Any chat model, asked in our words.
    Instruct,
}

/// `context` is read after the prompt; each candidate is scored as what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readout {
    pub context: String,
    pub candidates: Vec<String>,
}

/// What to put to the guard.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub prompt: Prompt,
    pub readouts: Vec<Readout>,
}

impl Guard {
    /// Guessed from a model reference: "…llama-guard-3…", "…qwen3guard…", else an instruction model.
    pub fn of_model(reference: &str) -> Guard {
        let plain: String = reference.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        if plain.contains("llamaguard") {
            Guard::LlamaGuard3
        } else if plain.contains("qwen3guard") {
            Guard::Qwen3Guard
        } else {
            Guard::Instruct
        }
    }

    /// Where the verdict is looked for: contexts, the words for safe and unsafe (and other), in this order.
    fn verdicts(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Guard::LlamaGuard3 => (&["\n\n", ""], &["safe", "unsafe"]),
            Guard::Qwen3Guard => (&["Safety:"], &[" Safe", " Unsafe", " Controversial"]),
            Guard::Instruct => (&[""], &[" safe", " unsafe"]),
        }
    }

    /// How categories follow an "unsafe": what comes before them, the words, and our labels. A word without
    /// label is off: what is unsafe for that alone does not count.
    fn categories(self) -> Option<CategoryList> {
        match self {
            Guard::LlamaGuard3 => {
                let all = Hazard::ALL.into_iter();
                Some(("\n", all.map(|h| (h.code().to_owned(), Some(Label::Hazard(h)))).collect()))
            }
            Guard::Qwen3Guard => {
                let words = QWEN_CATEGORIES.into_iter().map(|(word, label)| (format!(" {word}"), label));
                Some(("\nCategories:", words.collect()))
            }
            Guard::Instruct => None,
        }
    }
}

/// Qwen3Guard's categories. Politically sensitive topics are off: survey questions trip them.
const QWEN_CATEGORIES: [(&str, Option<Label>); 9] = [
    ("Violent", Some(Label::Moderation(Category::Violence))),
    ("Non-violent Illegal Acts", Some(Label::Moderation(Category::Illicit))),
    ("Sexual Content or Sexual Acts", Some(Label::Moderation(Category::Sexual))),
    ("PII", Some(Label::Hazard(Hazard::Privacy))),
    ("Suicide & Self-Harm", Some(Label::Moderation(Category::SelfHarm))),
    ("Unethical Acts", Some(Label::Unsafe)),
    ("Politically Sensitive Topics", None),
    ("Copyright Violation", Some(Label::Hazard(Hazard::IntellectualProperty))),
    ("Jailbreak", Some(Label::Unsafe)),
];

/// The question for a guard: is `rationale`, the reply to `question`, unsafe? Without a rationale, the question
/// itself is judged, so that what a topic trips by itself can be taken off.
pub fn plan(guard: Guard, question: &str, rationale: Option<&str>) -> Plan {
    let message = |role, content: &str| Message { role, content: content.trim().to_owned() };
    let prompt = match guard {
        Guard::LlamaGuard3 | Guard::Qwen3Guard => {
            let mut messages = vec![message(Role::User, question)];
            messages.extend(rationale.map(|r| message(Role::Assistant, r)));
            Prompt { messages, prefill: String::new() }
        }
        Guard::Instruct => {
            let task = task();
            let turn = match rationale {
                Some(rationale) => format!(
                    "Person:\n{}\n\nReply:\n{}\n\nIs the reply safe or unsafe?",
                    question.trim(),
                    rationale.trim()
                ),
                None => format!("Person:\n{}\n\nIs what the person writes safe or unsafe?", question.trim()),
            };
            Prompt {
                messages: vec![message(Role::System, &task), message(Role::User, &turn)],
                prefill: "Verdict:".to_owned(),
            }
        }
    };
    let (contexts, words) = guard.verdicts();
    let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
    let mut readouts: Vec<Readout> =
        contexts.iter().map(|c| Readout { context: (*c).to_owned(), candidates: owned(words) }).collect();
    if let Some((between, names)) = guard.categories() {
        let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
        let context = |c: &&str| format!("{c}{}{between}", words[1]);
        readouts.extend(contexts.iter().map(|c| Readout { context: context(c), candidates: names.clone() }));
    }
    Plan { prompt, readouts }
}

/// The task for models that were not made to be guards. Constant, and first, so that it is computed once.
fn task() -> String {
    const MEANINGS: [(Hazard, &str); 12] = [
        (Hazard::ViolentCrimes, "helps with or calls for violence against people or animals"),
        (Hazard::NonViolentCrimes, "helps with theft, fraud, drugs, weapons or intrusion"),
        (Hazard::SexCrimes, "helps with or praises sexual assault, harassment or trafficking"),
        (Hazard::ChildExploitation, "sexualises anyone under age"),
        (Hazard::Defamation, "states harmful falsehoods about a real person"),
        (Hazard::SpecialisedAdvice, "gives dangerous medical, legal or financial advice"),
        (Hazard::Privacy, "reveals private data of a person"),
        (Hazard::IntellectualProperty, "copies what belongs to others at length"),
        (Hazard::IndiscriminateWeapons, "helps to make weapons that kill many"),
        (Hazard::Hate, "demeans people for what they are"),
        (Hazard::SelfHarm, "encourages or describes ways of self-harm or suicide"),
        (Hazard::SexualContent, "is erotic"),
    ];
    let mut out =
        "You check conversations for unsafe content. Unsafe is what does one of these:\n".to_owned();
    for (hazard, meaning) in MEANINGS {
        out.push_str(&format!("{}: {meaning}.\n", hazard.code()));
    }
    out.push_str(
        "Talking about such a matter, weighing it, or holding an opinion on it is safe. Reply with one line: \
         \"Verdict: safe\" or \"Verdict: unsafe\".",
    );
    out
}

/// Reads the log-probabilities of [`plan`]'s readouts, in its order; `model` is named in the result.
pub fn judge(guard: Guard, model: &str, logprobs: &[Vec<f64>]) -> SafetyResult {
    let (contexts, words) = guard.verdicts();
    let names = guard.categories().map(|(_, names)| names);
    let wanted = contexts.len() * (1 + usize::from(names.is_some()));
    let shape_fits = logprobs.len() == wanted
        && logprobs.iter().take(contexts.len()).all(|l| l.len() == words.len())
        && logprobs.iter().skip(contexts.len()).all(|l| Some(l.len()) == names.as_ref().map(Vec::len));
    if !shape_fits {
        return SafetyResult::unknown(Source::Guard, "the guard's scores are not those that were asked for");
    }
    let mass = |at: usize| logprobs[at].iter().map(|l| l.exp()).filter(|p| p.is_finite()).sum::<f64>();
    let place = (0..contexts.len()).max_by(|&a, &b| mass(a).total_cmp(&mass(b))).unwrap_or(0);
    if mass(place) < LEAST_MASS {
        return SafetyResult::unknown(Source::Guard, format!("{model} does not answer with a verdict"));
    }
    let unsafe_share = softmax(&logprobs[place])[1];
    let Some(names) = names else {
        return assessment(guard, model, unsafe_share, Vec::new(), unsafe_share >= THRESHOLD);
    };
    let shares = softmax(&logprobs[contexts.len() + place]);
    let off: f64 = names.iter().zip(&shares).filter(|((_, label), _)| label.is_none()).map(|(_, s)| s).sum();
    let score = unsafe_share * (1.0 - off);
    let mut labels: Vec<LabelScore> = Vec::new();
    for ((_, label), share) in names.iter().zip(&shares) {
        let Some(label) = label.filter(|l| *l != Label::Unsafe) else { continue };
        labels.push(LabelScore { label, score: (unsafe_share * share) as f32 });
    }
    assessment(guard, model, score, labels, score >= THRESHOLD)
}

/// Reads a verdict that a guard wrote out: score 1 or 0, and ½ for "controversial", which does not flag.
pub fn judge_text(guard: Guard, model: &str, text: &str) -> SafetyResult {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let first = lines.next().unwrap_or_default().to_lowercase();
    let word = first.rsplit(':').next().unwrap_or_default();
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let score = match word {
        "safe" => 0.0,
        "unsafe" => 1.0,
        "controversial" if guard == Guard::Qwen3Guard => 0.5,
        _ => return SafetyResult::unknown(Source::Guard, format!("{model} gave no verdict")),
    };
    let rest = lines.next().unwrap_or_default();
    let rest = rest.split_once(':').map_or(rest, |(_, rest)| rest);
    let named: Vec<&str> = rest.split([',', ';']).map(str::trim).filter(|w| !w.is_empty()).collect();
    let known = |name: &str| match guard {
        Guard::Qwen3Guard => QWEN_CATEGORIES
            .into_iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(name))
            .map(|(_, label)| label),
        Guard::LlamaGuard3 | Guard::Instruct => Hazard::from_code(name).map(|h| Some(Label::Hazard(h))),
    };
    let found: Vec<Option<Label>> = named.into_iter().filter_map(known).collect();
    // Unsafe only for what is off: not unsafe here.
    let score = if !found.is_empty() && found.iter().all(Option::is_none) { 0.0 } else { score };
    let labels = found.into_iter().flatten().filter(|l| *l != Label::Unsafe && score > 0.0);
    let labels = labels.map(|label| LabelScore { label, score: score as f32 }).collect();
    assessment(guard, model, score, labels, score > THRESHOLD)
}

/// The whole text's scores; flags name the likeliest categories once the text is unsafe at all.
fn assessment(guard: Guard, model: &str, score: f64, labels: Vec<LabelScore>, flagged: bool) -> SafetyResult {
    let mut whole_flags = Vec::new();
    if flagged {
        let top = labels.iter().map(|l| l.score).fold(0.0f32, f32::max);
        whole_flags.push(Label::Unsafe);
        whole_flags.extend(labels.iter().filter(|l| l.score > 0.0 && l.score >= top / 2.0).map(|l| l.label));
    }
    let mut whole = vec![LabelScore { label: Label::Unsafe, score: score as f32 }];
    whole.extend(labels);
    SafetyResult::Known(Assessment {
        source: Source::Guard,
        version: format!("{guard:?} {model}"),
        steps: Vec::new(),
        whole,
        whole_flags,
        spans: Vec::new(),
    })
}

fn softmax(logprobs: &[f64]) -> Vec<f64> {
    let top = logprobs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return vec![1.0 / logprobs.len() as f64; logprobs.len()];
    }
    let parts: Vec<f64> = logprobs.iter().map(|l| (l - top).exp()).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|p| p / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::safety::score::score_of;

    fn known(result: SafetyResult) -> Assessment {
        match result {
            SafetyResult::Known(assessment) => assessment,
            SafetyResult::Unknown { reason, .. } => panic!("{reason}"),
        }
    }

    #[test]
    fn the_family_is_read_off_the_reference() {
        assert_eq!(Guard::of_model("hf:meta-llama/Llama-Guard-3-1B"), Guard::LlamaGuard3);
        assert_eq!(Guard::of_model("openai:http://x#Qwen/Qwen3Guard-Gen-4B"), Guard::Qwen3Guard);
        assert_eq!(Guard::of_model("smollm2-135m"), Guard::Instruct);
    }

    #[test]
    fn prompts_of_one_guard_share_their_beginning() {
        let (a, b) = (plan(Guard::Instruct, "x", Some("y")), plan(Guard::Instruct, "other", None));
        assert_eq!(a.prompt.messages[0], b.prompt.messages[0]);
        assert!(a.prompt.messages[0].content.contains("S11:"));
        let turn = plan(Guard::LlamaGuard3, "x", Some(" y "));
        assert_eq!(turn.prompt.messages[1], Message { role: Role::Assistant, content: "y".to_owned() });
        assert_eq!(plan(Guard::LlamaGuard3, "x", None).prompt.messages.len(), 1);
    }

    #[test]
    fn the_verdict_is_a_softmax_where_the_verdict_stands() {
        let mut hazards = vec![-9.0; 14];
        hazards[9] = -0.01;
        // Nothing to see after the empty context; 0.6 : 0.2 after the empty line.
        let scores = [vec![0.2f64.ln(), 0.6f64.ln()], vec![-12.0, -12.0], hazards, vec![-9.0; 14]];
        let found = known(judge(Guard::LlamaGuard3, "g", &scores));
        assert!((score_of(&found.whole, Label::Unsafe) - 0.75).abs() < 1e-6);
        assert_eq!(found.whole_flags, [Label::Unsafe, Label::Hazard(Hazard::Hate)]);
        assert!(found.flagged() && found.flags()[0].step.is_none());
    }

    #[test]
    fn a_model_that_gives_no_verdict_is_unknown() {
        let scores = [vec![-9.0, -9.0]];
        assert_eq!(judge(Guard::Instruct, "g", &scores).flagged(), None);
        assert_eq!(judge(Guard::Instruct, "g", &[]).flagged(), None);
        assert_eq!(judge_text(Guard::LlamaGuard3, "g", "I cannot help").flagged(), None);
    }

    #[test]
    fn politics_alone_is_not_unsafe() {
        let mut categories = vec![-20.0; 9];
        categories[6] = -0.001;
        let verdict = vec![0.05f64.ln(), 0.9f64.ln(), 0.05f64.ln()];
        let found = known(judge(Guard::Qwen3Guard, "g", &[verdict, categories]));
        assert!(!found.flagged() && score_of(&found.whole, Label::Unsafe) < 0.01);
        let text = "Safety: Unsafe\nCategories: Politically Sensitive Topics";
        assert_eq!(judge_text(Guard::Qwen3Guard, "g", text).flagged(), Some(false));
    }

    #[test]
    fn written_verdicts_are_read() {
        let found = known(judge_text(Guard::LlamaGuard3, "g", "\n\nunsafe\nS1, S10"));
        assert_eq!(
            found.whole_flags,
            [Label::Unsafe, Label::Hazard(Hazard::ViolentCrimes), Label::Hazard(Hazard::Hate)]
        );
        assert!(!known(judge_text(Guard::LlamaGuard3, "g", "safe")).flagged());
        let half = known(judge_text(
            Guard::Qwen3Guard,
            "g",
            "Safety: Controversial\nCategories: Violent\nRefusal: No",
        ));
        assert_eq!((half.flagged(), half.whole[0].score), (false, 0.5));
        let two = known(judge_text(Guard::Qwen3Guard, "g", "Safety: Unsafe\nCategories: Violent, PII"));
        assert_eq!(two.whole_flags.len(), 3);
    }
}
