//! The bundled corpus keeps what its datasheet says.

use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
};

#[derive(Deserialize)]
struct Value {
    text: String,
    perspective: Perspective,
    gold: char,
    explanation: String,
    split: String,
    labels: [char; 2],
}

#[derive(Deserialize)]
struct Perspective {
    name: String,
}

#[derive(Deserialize)]
struct Course {
    dataset: String,
    situation: String,
    text: String,
    valence: String,
    explanation: String,
}

fn values() -> Vec<Value> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/values.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn course() -> Vec<Course> {
    let mut reader =
        csv::Reader::from_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/course.csv")).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// Words that say something about a situation.
fn content(text: &str) -> HashSet<String> {
    const EMPTY: &str = " a an the of to in on at by for with from and or as is are was be been one one's its it that this \
        who whom his her their them they he she him while after before into out up off over under about than not no so own \
        every any all some only ";
    text.to_lowercase()
        .split(|c: char| !(c.is_alphabetic() || c == '\''))
        .filter(|w| !w.is_empty() && !EMPTY.contains(&format!(" {w} ")))
        .map(str::to_owned)
        .collect()
}

/// The same without a plural's `s`.
fn stems(text: &str) -> HashSet<String> {
    let stem = |w: String| if w.len() > 3 { w.strip_suffix('s').unwrap_or(&w).to_owned() } else { w };
    content(text).into_iter().map(stem).collect()
}

/// Share of their content words that two situations have in common.
fn jaccard(a: &HashSet<String>, b: &HashSet<String>) -> f64 {
    a.intersection(b).count() as f64 / a.union(b).count().max(1) as f64
}

#[test]
fn the_values_are_many_balanced_and_split_by_situation() {
    let rows = values();
    let situations: BTreeMap<&str, BTreeSet<&str>> = rows.iter().fold(BTreeMap::new(), |mut map, row| {
        map.entry(row.text.as_str()).or_insert_with(BTreeSet::new).insert(row.split.as_str());
        map
    });
    assert!(
        rows.len() >= 3000 && situations.len() >= 600,
        "{} rows, {} situations",
        rows.len(),
        situations.len()
    );
    assert!(situations.values().all(|splits| splits.len() == 1), "a situation stands in two splits");
    for letter in ['A', 'B', 'C'] {
        let share = rows.iter().filter(|r| r.gold == letter).count() as f64 / rows.len() as f64;
        assert!((0.1..0.5).contains(&share), "{letter}: {share}");
    }
    let mut sides: HashMap<&str, BTreeMap<char, usize>> = HashMap::new();
    for row in &rows {
        *sides.entry(&row.perspective.name).or_default().entry(row.gold).or_default() += 1;
    }
    for (name, letters) in sides.iter().filter(|(_, l)| l.values().sum::<usize>() >= 10) {
        assert!(
            letters.contains_key(&'A') && letters.contains_key(&'B'),
            "{name} goes one way only: {letters:?}"
        );
    }
}

#[test]
fn every_rationale_is_its_own_and_ends_in_the_words_of_a_verdict() {
    let rows = values();
    let distinct: HashSet<&str> = rows.iter().map(|r| r.explanation.as_str()).collect();
    assert_eq!(distinct.len(), rows.len(), "a rationale stands twice");
    for row in &rows {
        let words = row.explanation.split_whitespace().count();
        assert!((8..120).contains(&words), "{words} words: {}", row.explanation);
        let last =
            row.explanation.trim_end_matches('.').rsplit(['.', ';', '!', '?']).next().unwrap_or_default();
        let verdict =
            ["support", "oppos", "either", "both", "neither"].iter().any(|w| last.to_lowercase().contains(w));
        assert!(verdict, "no verdict at the end of: {}", row.explanation);
    }
}

#[test]
fn the_two_blind_labels_agree_as_the_datasheet_says() {
    let rows = values();
    let agree = rows.iter().filter(|r| r.labels[0] == r.labels[1]).count() as f64 / rows.len() as f64;
    assert!((agree - 0.842).abs() < 5e-4, "{agree}");
    // A kept row has the letter that somebody gave it, or became Either.
    assert!(rows.iter().all(|r| r.labels.contains(&r.gold) || r.gold == 'C'));
}

#[test]
fn no_two_situations_are_near_duplicates() {
    let rows = values();
    let texts: BTreeSet<&str> = rows.iter().map(|r| r.text.as_str()).collect();
    let words: Vec<(&str, HashSet<String>)> = texts.into_iter().map(|t| (t, content(t))).collect();
    for (i, (text, a)) in words.iter().enumerate() {
        for (other, b) in &words[i + 1..] {
            assert!(jaccard(a, b) <= 0.45, "{text} / {other}");
        }
    }
}

#[test]
fn the_course_keeps_away_from_what_is_held_out() {
    let rows = values();
    let held: BTreeSet<&str> = rows.iter().filter(|r| r.split != "train").map(|r| r.text.as_str()).collect();
    let held: Vec<(&str, HashSet<String>)> = held.into_iter().map(|t| (t, stems(t))).collect();
    let course = course();
    let situations: BTreeSet<&str> = course.iter().map(|r| r.situation.as_str()).collect();
    assert_eq!((course.len(), situations.len()), (17_718, 2_953), "as data/README.md says");
    for situation in situations {
        let words = stems(situation);
        for (text, other) in &held {
            assert!(jaccard(&words, other) < 0.34, "{situation} / {text}");
        }
    }
    assert!(course.iter().all(|r| r.dataset == "commonplace-course" && !r.text.is_empty()));
    for word in ["Supports", "Opposes", "Either"] {
        let share = course.iter().filter(|r| r.valence == word).count() as f64 / course.len() as f64;
        assert!((0.1..0.5).contains(&share), "{word}: {share}");
    }
}

#[test]
fn a_rationale_of_the_course_ends_in_its_verdict_and_says_it_once() {
    let course = course();
    let told: Vec<&Course> = course.iter().filter(|r| !r.explanation.is_empty()).collect();
    let different: HashSet<&str> = told.iter().map(|r| r.explanation.as_str()).collect();
    assert_eq!((told.len(), different.len()), (17_712, 17_711), "as data/README.md says");
    for row in told {
        let lower = row.explanation.to_lowercase();
        let words: Vec<&str> =
            lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        assert!((10..=26).contains(&words.len()), "{lower}");
        let verdicts = words.iter().enumerate().filter_map(|(at, word)| {
            let stem = ["support", "oppose", "either"]
                .into_iter()
                .find(|stem| word.trim_end_matches('s') == *stem)?;
            Some((at, stem))
        });
        let verdicts: Vec<(usize, &str)> = verdicts.collect();
        let [(at, stem)] = verdicts[..] else { panic!("{lower}") };
        assert_eq!(row.valence.to_lowercase().trim_end_matches('s'), stem, "{lower}");
        assert!(at * 2 >= words.len(), "the verdict is the end: {lower}");
    }
}

#[derive(Deserialize)]
struct Asked {
    dataset: String,
    perspective: Group,
    text: String,
    options: Vec<String>,
    gold: String,
    explanation: String,
    split: String,
}

#[derive(Deserialize)]
struct Group {
    attribute: String,
    group: String,
}

fn survey_course() -> Vec<Asked> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/survey_course.jsonl");
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_rationale_of_the_survey_course_ends_in_its_option_and_does_not_say_it_before() {
    let course = survey_course();
    let questions: BTreeSet<&str> = course.iter().map(|r| r.text.as_str()).collect();
    let groups: BTreeSet<(&str, &str)> =
        course.iter().map(|r| (r.perspective.attribute.as_str(), r.perspective.group.as_str())).collect();
    assert_eq!((course.len(), questions.len(), groups.len()), (6_828, 1_707, 22), "as data/README.md says");
    let different: HashSet<&str> = course.iter().map(|r| r.explanation.as_str()).collect();
    assert_eq!(different.len(), course.len());
    let words = |text: &str| -> Vec<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect()
    };
    for row in &course {
        assert!(row.dataset == "survey-course" && row.split == "train");
        let at = row.gold.bytes().next().map(|letter| usize::from(letter - b'A'));
        let option = at.and_then(|at| row.options.get(at)).unwrap_or_else(|| panic!("{}", row.text));
        let (reason, said) = row.explanation.rsplit_once(", so they would say: ").unwrap();
        assert_eq!(said.trim_end_matches('.'), option.trim_end_matches('.'));
        let (reason, option) = (words(reason), words(option));
        assert!((7..=24).contains(&reason.len()), "{}", row.explanation);
        let before = option.len() > 1 && reason.windows(option.len()).any(|run| run == option);
        assert!(!before, "{}", row.explanation);
    }
}

#[test]
fn the_survey_course_keeps_away_from_the_fictional_survey_and_from_itself() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/survey.jsonl");
    let asked = std::fs::read_to_string(path).unwrap();
    let asked: BTreeSet<String> = asked
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|row| row["split"] != "train")
        .map(|row| row["text"].as_str().unwrap().to_owned())
        .collect();
    let all = |text: &str| -> HashSet<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let asked: Vec<HashSet<String>> = asked.iter().map(|text| all(text)).collect();
    let course = survey_course();
    let questions: BTreeSet<&str> = course.iter().map(|r| r.text.as_str()).collect();
    let questions: Vec<(&str, HashSet<String>)> =
        questions.into_iter().map(|text| (text, all(text))).collect();
    for (i, (text, words)) in questions.iter().enumerate() {
        assert!(asked.iter().all(|other| jaccard(words, other) < 0.5), "{text}");
        assert!(questions[..i].iter().all(|(_, other)| jaccard(words, other) < 0.55), "{text}");
    }
    for letter in ["A", "B", "C", "D"] {
        let share = course.iter().filter(|r| r.gold == letter).count() as f64 / course.len() as f64;
        assert!((0.03..0.45).contains(&share), "{letter}: {share}");
    }
}
