//! Rubric files: TOML to questions, with the line of each mistake and what to do about it.

use super::{Choice, Condition, ConditionTest, Kind, Question, Rubric, RubricProblem};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRubric {
    id: Spanned<String>,
    title: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    question: Vec<Spanned<RawQuestion>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestion {
    id: Spanned<String>,
    text: String,
    #[serde(default)]
    help: String,
    kind: Spanned<String>,
    required: Option<bool>,
    only_if: Option<Spanned<RawCondition>>,
    options: Option<Spanned<Vec<Spanned<RawChoice>>>>,
    low: Option<i64>,
    high: Option<Spanned<i64>>,
    labels: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    families: Vec<Spanned<String>>,
    against: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChoice {
    value: String,
    text: Option<String>,
    key: Option<Spanned<String>>,
    against: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    question: String,
    #[serde(default)]
    any: bool,
    is: Option<Vec<String>>,
    not: Option<Vec<String>>,
}

const KINDS: &str = "single, several, yes-no, step, span, scale or text";

/// Collects mistakes by byte position.
struct Reader<'a> {
    text: &'a str,
    problems: Vec<RubricProblem>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1
    }

    fn wrong(&mut self, at: usize, problem: impl Into<String>, remedy: impl Into<String>) {
        let line = self.line(at);
        self.problems.push(RubricProblem { line, problem: problem.into(), remedy: remedy.into() });
    }
}

/// Reads a rubric; all mistakes, where there are some.
pub fn parse(text: &str) -> Result<Rubric, Vec<RubricProblem>> {
    let mut reader = Reader { text, problems: Vec::new() };
    let raw: RawRubric = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            let at = error.span().map_or(0, |s| s.start);
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            let remedy = if message.contains("unknown field") || message.contains("missing field") {
                "compare with the shipped rubric, which `annotations rubric` prints"
            } else {
                "mend the TOML there"
            };
            reader.wrong(at, message, remedy);
            return Err(reader.problems);
        }
    };
    if !is_id(raw.id.get_ref()) {
        reader.wrong(raw.id.span().start, format!("`{}` is no id", raw.id.get_ref()), ID_REMEDY);
    }
    if raw.question.is_empty() {
        reader.wrong(0, "there is no question", "add a [[question]] table");
    }
    let mut questions: Vec<Question> = Vec::new();
    for raw in raw.question {
        if let Some(question) = question(&mut reader, raw, &questions) {
            questions.push(question);
        }
    }
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    let version = version(raw.id.get_ref(), &questions);
    Ok(Rubric {
        id: raw.id.into_inner(),
        title: raw.title,
        about: raw.about,
        questions,
        version,
        source: text.to_owned(),
    })
}

const ID_REMEDY: &str = "use lower-case letters, digits, `-` and `_`, beginning with a letter";

fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}

fn question(reader: &mut Reader<'_>, raw: Spanned<RawQuestion>, earlier: &[Question]) -> Option<Question> {
    let raw = raw.into_inner();
    let at = raw.id.span().start;
    let id = raw.id.get_ref().clone();
    if !is_id(&id) {
        reader.wrong(at, format!("`{id}` is no id"), ID_REMEDY);
    }
    if earlier.iter().any(|q| q.id == id) {
        reader.wrong(at, format!("the question `{id}` is there twice"), "give the second another id");
    }
    if raw.text.trim().is_empty() {
        reader.wrong(at, format!("the question `{id}` has no text"), "say in `text` what is asked");
    }
    let kind = kind(reader, &raw, at)?;
    let only_if = raw.only_if.and_then(|c| condition(reader, &id, c, earlier));
    let mut families = Vec::new();
    for family in raw.families {
        if ["apparent", "causal", "safety"].contains(&family.get_ref().as_str()) {
            families.push(family.into_inner());
        } else {
            let problem = format!("there is no family of checks `{}`", family.get_ref());
            reader.wrong(family.span().start, problem, "write apparent, causal or safety");
        }
    }
    let optional_kind = matches!(kind, Kind::Text | Kind::Span);
    Some(Question {
        id,
        text: raw.text,
        help: raw.help,
        kind,
        required: raw.required.unwrap_or(!optional_kind),
        only_if,
        families,
    })
}

fn kind(reader: &mut Reader<'_>, raw: &RawQuestion, at: usize) -> Option<Kind> {
    let word = raw.kind.get_ref().as_str();
    let wants_options = matches!(word, "single" | "several");
    if let Some(options) = raw.options.as_ref().filter(|_| !wants_options) {
        let problem = format!("a question of kind {word} has no options");
        reader.wrong(options.span().start, problem, "take `options` away, or make it single or several");
    }
    Some(match word {
        "single" => Kind::Single(choices(reader, raw, at)),
        "several" => Kind::Several(choices(reader, raw, at)),
        "yes-no" => Kind::YesNo {
            against: raw.against.as_ref().and_then(|word| match word.get_ref().as_str() {
                "yes" => Some(true),
                "no" => Some(false),
                other => {
                    let problem = format!("`against` is `{other}`");
                    reader.wrong(word.span().start, problem, "write \"yes\" or \"no\"");
                    None
                }
            }),
        },
        "step" => Kind::Step,
        "span" => Kind::Span,
        "text" => Kind::Text,
        "scale" => scale(reader, raw, at),
        other => {
            reader.wrong(
                raw.kind.span().start,
                format!("there is no kind `{other}`"),
                format!("write {KINDS}"),
            );
            return None;
        }
    })
}

fn scale(reader: &mut Reader<'_>, raw: &RawQuestion, at: usize) -> Kind {
    let low = raw.low.unwrap_or(1);
    let high = raw.high.as_ref().map_or(low, |h| *h.get_ref());
    let place = raw.high.as_ref().map_or(at, |h| h.span().start);
    if high <= low || high - low > 8 || low < 0 || high > 9 {
        let problem = format!("a scale from {low} to {high} cannot be answered by one digit");
        reader.wrong(
            place,
            problem,
            "set `low` and `high` between 0 and 9, high above low, at most 9 points",
        );
    }
    let labels = raw.labels.as_ref().map(|l| l.get_ref().clone()).unwrap_or_default();
    if let Some(given) = raw.labels.as_ref().filter(|l| l.get_ref().len() as i64 != high - low + 1) {
        let problem = format!("{} labels for {} points", given.get_ref().len(), high - low + 1);
        reader.wrong(given.span().start, problem, "give one label per point, or none");
    }
    Kind::Scale { low, high, labels }
}

fn choices(reader: &mut Reader<'_>, raw: &RawQuestion, at: usize) -> Vec<Choice> {
    let Some(options) = &raw.options else {
        let problem = format!("the question `{}` has no options", raw.id.get_ref());
        reader.wrong(at, problem, "add `options = [{ value = \"…\", text = \"…\" }]`");
        return Vec::new();
    };
    let place = options.span().start;
    let options = options.get_ref();
    if options.len() < 2 && raw.kind.get_ref() == "single" {
        reader.wrong(place, "a choice among fewer than two options", "add options, or make it yes-no");
    }
    if options.is_empty() || options.len() > 9 {
        let problem = format!("{} options, and digits answer 1 to 9", options.len());
        reader.wrong(place, problem, "give 1 to 9 options, or split the question");
    }
    let mut choices: Vec<Choice> = Vec::new();
    for option in options {
        let (place, option) = (option.span().start, option.get_ref());
        if option.value.trim().is_empty() || option.value.contains(['\n', ',']) {
            let problem = format!("`{}` is no value", option.value);
            reader.wrong(place, problem, "give a short word without commas");
        }
        if choices.iter().any(|c| c.value == option.value) {
            let problem = format!("the value `{}` is there twice", option.value);
            reader.wrong(place, problem, "give the second another value");
        }
        let key = option.key.as_ref().and_then(|key| {
            let mut chars = key.get_ref().chars();
            let letter = match (chars.next(), chars.next()) {
                (Some(c), None) if c.is_ascii_lowercase() => c,
                _ => {
                    let problem = format!("`{}` is no key", key.get_ref());
                    reader.wrong(key.span().start, problem, "give one lower-case letter a to z");
                    return None;
                }
            };
            if let Some(first) = choices.iter().find(|c| c.key == Some(letter)) {
                let problem = format!("the key `{letter}` answers `{}` already", first.value);
                reader.wrong(key.span().start, problem, "give another letter");
            }
            Some(letter)
        });
        let text = option.text.clone().unwrap_or_else(|| option.value.clone());
        choices.push(Choice { value: option.value.clone(), text, key, against: option.against });
    }
    choices
}

fn condition(
    reader: &mut Reader<'_>,
    id: &str,
    raw: Spanned<RawCondition>,
    earlier: &[Question],
) -> Option<Condition> {
    let at = raw.span().start;
    let raw = raw.into_inner();
    let Some(other) = earlier.iter().find(|q| q.id == raw.question) else {
        let problem = format!("`{id}` depends on `{}`, which is not asked before it", raw.question);
        let known = earlier.iter().map(|q| q.id.as_str()).collect::<Vec<_>>().join(", ");
        reader.wrong(at, problem, format!("name an earlier question ({known}), or move this one down"));
        return None;
    };
    let test = match (raw.any, raw.is, raw.not) {
        (true, None, None) => ConditionTest::Any,
        (false, Some(list), None) => ConditionTest::Is(list),
        (false, None, Some(list)) => ConditionTest::Not(list),
        _ => {
            reader.wrong(
                at,
                "a condition says one of `any`, `is`, `not`",
                "write for example only_if = { question = \"signals\", any = true }",
            );
            return None;
        }
    };
    if let ConditionTest::Is(list) | ConditionTest::Not(list) = &test {
        let known: Vec<String> = match &other.kind {
            Kind::Single(choices) | Kind::Several(choices) => {
                choices.iter().map(|c| c.value.clone()).collect()
            }
            Kind::YesNo { .. } => vec!["yes".to_owned(), "no".to_owned()],
            Kind::Scale { low, high, .. } => (*low..=*high).map(|n| n.to_string()).collect(),
            _ => list.clone(),
        };
        for value in list.iter().filter(|v| !known.contains(v)) {
            let problem = format!("`{}` cannot be answered by `{value}`", other.id);
            reader.wrong(at, problem, format!("write one of {}", known.join(", ")));
        }
    }
    Some(Condition { question: raw.question, test })
}

/// Hash of what could change an answer: ids, texts, kinds, options, conditions. Layout and comments do not count.
fn version(id: &str, questions: &[Question]) -> String {
    let mut hash = Sha256::new();
    hash.update(id.as_bytes());
    for question in questions {
        hash.update([0x1e]);
        hash.update(format!("{question:?}").as_bytes());
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
