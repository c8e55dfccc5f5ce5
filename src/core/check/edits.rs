//! Rule-made edits of one step: mistakes that turn its meaning, and paraphrases that keep it.
//!
//! No model is needed, the same step always gives the same edit, and each edit names its rule. Rules know only
//! words: "it is not forbidden" becomes "it is forbidden", whatever the context. Steps that no rule touches are
//! wrapped ("It is not true that …"), so every step with words can be edited.

use crate::core::Item;
use unicode_segmentation::UnicodeSegmentation;

/// The name of this file as a maker of edits.
pub const MAKER: &str = "rules";

/// Which rule made an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    Antonym,
    Option,
    Number,
    Negation,
    Denial,
    Synonym,
    Restatement,
}

impl Rule {
    pub fn word(self) -> &'static str {
        match self {
            Rule::Antonym => "antonym",
            Rule::Option => "other option",
            Rule::Number => "other number",
            Rule::Negation => "negation",
            Rule::Denial => "denial",
            Rule::Synonym => "synonyms",
            Rule::Restatement => "restatement",
        }
    }
}

/// An edited step; its leading list numeral and the white space at its end are those of the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    pub rule: Rule,
}

/// Makes `step` wrong: other option, opposite word, other number, negation; else a denial of the whole. The
/// options of value items are verdict words, which have opposites.
pub fn mistake(step: &str, item: &Item) -> Edited {
    let option = || (!item.is_value()).then(|| other_option(step, item)).flatten();
    option()
        .or_else(|| antonym(step))
        .or_else(|| other_number(step))
        .or_else(|| negation(step))
        .unwrap_or_else(|| denial(step))
}

/// Turns `step` into its negation; a negated one becomes affirmed.
pub fn negate(step: &str) -> Edited {
    negation(step).unwrap_or_else(|| denial(step))
}

/// Says `step` in other words.
pub fn paraphrase(step: &str) -> Edited {
    let mut changed = false;
    let text = map_words(step, |word| {
        let found = SYNONYMS.iter().find_map(|(a, b)| word.eq_ignore_ascii_case(a).then_some(*b))?;
        changed = true;
        Some(found.to_owned())
    });
    if changed {
        return Edited { text, rule: Rule::Synonym };
    }
    Edited { text: wrap(step, "In other words, "), rule: Rule::Restatement }
}

/// Words that turn a sentence into its opposite; inflected forms are listed, not derived.
const ANTONYMS: [(&str, &str); 66] = [
    ("support", "oppose"),
    ("supports", "opposes"),
    ("supported", "opposed"),
    ("supporting", "opposing"),
    ("right", "wrong"),
    ("good", "bad"),
    ("better", "worse"),
    ("best", "worst"),
    ("safe", "dangerous"),
    ("safer", "riskier"),
    ("harm", "benefit"),
    ("harms", "benefits"),
    ("harmful", "beneficial"),
    ("hurt", "help"),
    ("hurts", "helps"),
    ("protect", "endanger"),
    ("protects", "endangers"),
    ("protecting", "endangering"),
    ("allow", "forbid"),
    ("allows", "forbids"),
    ("allowed", "forbidden"),
    ("permit", "prohibit"),
    ("permits", "prohibits"),
    ("respect", "disregard"),
    ("respects", "disregards"),
    ("respecting", "disregarding"),
    ("honour", "break"),
    ("honours", "breaks"),
    ("keep", "break"),
    ("keeps", "breaks"),
    ("honest", "dishonest"),
    ("honesty", "deceit"),
    ("fair", "unfair"),
    ("just", "unjust"),
    ("legal", "illegal"),
    ("moral", "immoral"),
    ("important", "unimportant"),
    ("necessary", "needless"),
    ("acceptable", "unacceptable"),
    ("justified", "unjustified"),
    ("more", "less"),
    ("most", "fewest"),
    ("increase", "decrease"),
    ("increases", "decreases"),
    ("higher", "lower"),
    ("larger", "smaller"),
    ("large", "small"),
    ("many", "few"),
    ("always", "never"),
    ("often", "rarely"),
    ("all", "no"),
    ("everyone", "nobody"),
    ("agree", "disagree"),
    ("agrees", "disagrees"),
    ("approve", "disapprove"),
    ("likely", "unlikely"),
    ("possible", "impossible"),
    ("true", "false"),
    ("correct", "incorrect"),
    ("consistent", "inconsistent"),
    ("willing", "unwilling"),
    ("innocent", "guilty"),
    ("public", "private"),
    ("trust", "distrust"),
    ("duty", "licence"),
    ("violates", "upholds"),
];

/// Words that say the same.
const SYNONYMS: [(&str, &str); 34] = [
    ("therefore", "so"),
    ("thus", "so"),
    ("hence", "so"),
    ("however", "still"),
    ("because", "since"),
    ("should", "ought to"),
    ("must", "has to"),
    ("important", "significant"),
    ("also", "as well"),
    ("big", "large"),
    ("help", "assist"),
    ("helps", "assists"),
    ("wrong", "not right"),
    ("person", "individual"),
    ("people", "persons"),
    ("shows", "demonstrates"),
    ("show", "demonstrate"),
    ("means", "implies"),
    ("although", "though"),
    ("besides", "moreover"),
    ("begin", "start"),
    ("choose", "pick"),
    ("need", "require"),
    ("needs", "requires"),
    ("whether", "if"),
    ("many", "numerous"),
    ("about", "concerning"),
    ("often", "frequently"),
    ("likely", "probably"),
    ("believe", "think"),
    ("believes", "thinks"),
    ("considers", "regards"),
    ("while", "whereas"),
    ("maybe", "perhaps"),
];

/// Verbs that take "not" behind them.
const AUXILIARIES: [&str; 20] = [
    "is", "are", "was", "were", "should", "would", "could", "can", "will", "may", "might", "must", "does",
    "do", "did", "has", "have", "had", "shall", "am",
];

/// Contractions, and what they say without their "not".
const CONTRACTIONS: [(&str, &str); 14] = [
    ("isn't", "is"),
    ("aren't", "are"),
    ("wasn't", "was"),
    ("weren't", "were"),
    ("shouldn't", "should"),
    ("wouldn't", "would"),
    ("couldn't", "could"),
    ("can't", "can"),
    ("cannot", "can"),
    ("won't", "will"),
    ("doesn't", "does"),
    ("don't", "do"),
    ("didn't", "did"),
    ("hasn't", "has"),
];

/// `text` with the first word that has an opposite turned into it.
pub(crate) fn opposite(text: &str) -> Option<String> {
    antonym(text).map(|edited| edited.text)
}

fn antonym(step: &str) -> Option<Edited> {
    let mut done = false;
    let text = map_words(step, |word| {
        if done {
            return None;
        }
        let opposite = ANTONYMS.iter().find_map(|(a, b)| {
            if word.eq_ignore_ascii_case(a) { Some(*b) } else { word.eq_ignore_ascii_case(b).then_some(*a) }
        })?;
        done = true;
        Some(opposite.to_owned())
    });
    done.then_some(Edited { text, rule: Rule::Antonym })
}

/// The first option that `step` names, replaced by the next one.
fn other_option(step: &str, item: &Item) -> Option<Edited> {
    let lower = step.to_ascii_lowercase();
    let (at, i) = (0..item.options.len())
        .filter_map(|i| Some((find_word(&lower, &item.options[i].text.to_ascii_lowercase())?, i)))
        // At one place the longer option: "not at all" before "all".
        .min_by_key(|&(at, i)| (at, std::cmp::Reverse(item.options[i].text.len())))?;
    let other = &item.options[(i + 1) % item.options.len()].text;
    let old = item.options[i].text.len();
    let named = step.get(at..at + old)?;
    if other.eq_ignore_ascii_case(named) {
        return None;
    }
    let text = format!("{}{}{}", step.get(..at)?, like(named, other), step.get(at + old..)?);
    Some(Edited { text, rule: Rule::Option })
}

/// Where `word` stands alone in `text`, byte for byte.
fn find_word(text: &str, word: &str) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        !text[..*at].ends_with(char::is_alphanumeric)
            && !text[at + word.len()..].starts_with(char::is_alphanumeric)
    })
}

fn other_number(step: &str) -> Option<Edited> {
    let head = numeral_end(step);
    let mut done = false;
    let body = map_words(&step[head..], |word| {
        let value: u64 = word.parse().ok().filter(|_| !done)?;
        done = true;
        Some(if value < 10 { value + 3 } else { value.saturating_mul(2) }.to_string())
    });
    done.then(|| Edited { text: format!("{}{body}", &step[..head]), rule: Rule::Number })
}

fn negation(step: &str) -> Option<Edited> {
    let mut done = false;
    let mut drop_space = false;
    let mut text = String::with_capacity(step.len() + 4);
    for word in step.split_word_bounds() {
        if drop_space {
            drop_space = false;
            if word.trim().is_empty() {
                continue;
            }
        }
        let plain = word.replace('’', "'");
        if done {
            text.push_str(word);
        } else if let Some((_, bare)) = CONTRACTIONS.iter().find(|(c, _)| plain.eq_ignore_ascii_case(c)) {
            done = true;
            text.push_str(&like(word, bare));
        } else if plain.eq_ignore_ascii_case("not") {
            done = true;
            drop_space = true;
        } else {
            text.push_str(word);
        }
    }
    if !done {
        text = map_words(step, |word| {
            let takes_not = AUXILIARIES.iter().any(|a| word.eq_ignore_ascii_case(a));
            if done || !takes_not {
                return None;
            }
            done = true;
            Some(format!("{word} not"))
        });
    }
    done.then_some(Edited { text, rule: Rule::Negation })
}

fn denial(step: &str) -> Edited {
    Edited { text: wrap(step, "It is not true that "), rule: Rule::Denial }
}

/// `lead` before the sentence, behind a list numeral; the sentence then starts small, unless it starts with a
/// word in capitals.
fn wrap(step: &str, lead: &str) -> String {
    let head = numeral_end(step);
    let body = &step[head..];
    let first = body.split_word_bounds().next().unwrap_or_default();
    let shouted = first == "I" || first.chars().count() > 1 && first.chars().all(char::is_uppercase);
    let mut chars = body.chars();
    match chars.next().filter(|_| !shouted) {
        Some(c) => format!("{}{lead}{}{}", &step[..head], c.to_lowercase(), chars.as_str()),
        None => format!("{}{lead}{body}", &step[..head]),
    }
}

/// Where a leading "1. ", "Step 2: " or "- " ends.
fn numeral_end(step: &str) -> usize {
    let rest = step.trim_start();
    let rest = rest.strip_prefix("Step ").or_else(|| rest.strip_prefix("step ")).unwrap_or(rest);
    let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let marked =
        digits.len() < rest.len() && digits.starts_with(['.', ')', ':']) || rest.starts_with(['-', '*']);
    if !marked {
        return step.len() - step.trim_start().len();
    }
    let tail = digits.trim_start_matches(|c: char| !c.is_alphanumeric());
    step.len() - tail.len()
}

/// Replaces words; what `change` declines stays, and so does everything between words. A replacement takes the
/// capital of what it replaces.
fn map_words(text: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for word in text.split_word_bounds() {
        let changed = word.starts_with(char::is_alphanumeric).then(|| change(word)).flatten();
        match changed {
            Some(new) => out.push_str(&like(word, &new)),
            None => out.push_str(word),
        }
    }
    out
}

/// `new` with a capital where `old` has one.
fn like(old: &str, new: &str) -> String {
    let mut chars = new.chars();
    match chars.next() {
        Some(first) if old.starts_with(char::is_uppercase) => first.to_uppercase().chain(chars).collect(),
        Some(first) if old.starts_with(char::is_lowercase) => first.to_lowercase().chain(chars).collect(),
        _ => new.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Perspective;
    use proptest::prelude::*;

    fn item() -> Item {
        Item::new("survey", Perspective::demographic("SEX", "Female"), "How much?", &["A lot", "Not at all"])
    }

    #[test]
    fn mistakes_by_hand() {
        for (step, want, rule) in [
            ("This protects the child.\n", "This endangers the child.\n", Rule::Antonym),
            ("Opposes it. ", "Supports it. ", Rule::Antonym),
            ("They say not at all, mostly.", "They say a lot, mostly.", Rule::Option),
            ("2. About 30 of them came.", "2. About 60 of them came.", Rule::Number),
            ("She isn’t home.", "She is home.", Rule::Negation),
            ("She is not home.", "She is home.", Rule::Negation),
            ("The diary is hers.", "The diary is not hers.", Rule::Negation),
            (
                "1. The diary belongs to her. ",
                "1. It is not true that the diary belongs to her. ",
                Rule::Denial,
            ),
        ] {
            assert_eq!(mistake(step, &item()), Edited { text: want.to_owned(), rule }, "{step:?}");
        }
    }

    #[test]
    fn paraphrases_by_hand() {
        assert_eq!(paraphrase("Therefore he should ask.").text, "So he ought to ask.");
        assert_eq!(paraphrase("- The diary is hers.").text, "- In other words, the diary is hers.");
        assert_eq!(paraphrase("I read it.").text, "In other words, I read it.");
    }

    proptest! {
        #[test]
        fn edits_never_panic_and_always_change(step in any::<String>()) {
            for edited in [mistake(&step, &item()), negate(&step), paraphrase(&step)] {
                prop_assert_ne!(&edited.text, &step);
            }
        }

        #[test]
        fn prose_is_edited(step in "(Step )?[0-9]{0,2}[.):]? ?((Is|not|can’t|don't|all|A lot|é|日本|opposes|7)[ ,.]{1,2}){0,8}") {
            for edited in [mistake(&step, &item()), negate(&step), paraphrase(&step)] {
                prop_assert_ne!(&edited.text, &step);
            }
        }
    }
}
