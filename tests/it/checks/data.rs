//! The field's own files run through: rationales with human ratings and machine-made mistakes, suggested wrong
//! answers. None of them is ground truth of faithfulness.

use super::subject;
use pluriscope::core::{
    Item, Letter, Perspective,
    check::{
        Ask, CheckId, Reply, Round, Scores, Settings, Verdict, advance, edits,
        intervene::{Intervention, apply},
        leaks,
    },
    segment,
};
use serde_json::Value;
use std::{fs, path::PathBuf, sync::Arc};

/// A folder of the shared data, or `None` with a word why.
fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PLURISCOPE_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let folder = root.join(name);
    if !folder.is_dir() {
        println!("skipped: {} is not here", folder.display());
        return None;
    }
    Some(folder)
}

fn item(question: &str, options: &[String]) -> Arc<Item> {
    let options: Vec<&str> =
        options.iter().map(|o| o.split_once("): ").map_or(o.as_str(), |p| p.1)).collect();
    Arc::new(Item::new("fur", Perspective::named("Accuracy"), question, &options))
}

/// Runs every check that asks the writer, with even replies: the text alone must not break anything.
fn run_through(item: &Arc<Item>, rationale: &str, letter: Letter) -> usize {
    let subject = subject(item, &format!("{rationale}\nAnswer: {letter}"));
    let mut judged = 0;
    for check in
        [CheckId::ProbabilityTrace, CheckId::EarlyAnswering, CheckId::MistakesFrozen, CheckId::Paraphrase]
    {
        let mut rounds: Vec<Vec<Reply>> = Vec::new();
        loop {
            match advance(check, &subject, &Settings::default(), &rounds) {
                Round::Done(Verdict::Judged(_)) => {
                    judged += 1;
                    break;
                }
                Round::Done(Verdict::Unjudged(reason)) => panic!("{check}: {reason}: {rationale:?}"),
                Round::Ask(queries) => {
                    let even = |n: usize| Scores { logprobs: vec![-2.0; n], entropy: Some(2.0) };
                    let replies = queries.iter().map(|q| match &q.ask {
                        Ask::Score(readouts) => {
                            Reply::Scores(readouts.iter().map(|r| even(r.candidates.len())).collect())
                        }
                        Ask::Write { .. } => Reply::Text("It is so.".to_owned()),
                    });
                    rounds.push(replies.collect());
                }
            }
        }
    }
    leaks::masked(rationale, item);
    judged
}

#[test]
fn rated_rationales_run_through() {
    let Some(folder) = folder("fur") else { return };
    let mut reader = csv::Reader::from_path(folder.join("reasoning-chain-study.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|h| h == name).unwrap();
    let (question, options, cot) = (column("Question"), column("options"), column("segmented_cot"));
    let answer = column("predicted_answer");
    let (mut rows, mut joined) = (0, 0);
    for record in reader.records() {
        let record = record.unwrap();
        let options: Vec<String> = record[options].split("||").map(str::to_owned).collect();
        let item = item(&record[question], &options);
        let given: Vec<&str> = record[cot].split("||").collect();
        let rationale = given.join(" ");
        // Answers count from 0 here; one outside the options stands for none.
        let letter = record[answer].trim().parse().ok().and_then(Letter::from_index);
        let letter = letter.filter(|l| l.index() < item.options.len()).unwrap_or(Letter::A);
        rows += usize::from(run_through(&item, &rationale, letter) == 4);
        joined += usize::from(segment::steps(&rationale).len() <= given.len());
    }
    assert_eq!(rows, 100);
    println!("{joined} of {rows} rationales have at most as many steps as their file has");
}

#[test]
fn machine_made_mistakes_run_through() {
    let Some(folder) = folder("fur/mistakes") else { return };
    let (mut rows, mut placed, mut same_word) = (0, 0, 0);
    let mut last = String::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        for line in fs::read_to_string(entry.path()).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let list = |name: &str| -> Vec<String> {
                row[name].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
            };
            let item = item(row["question"].as_str().unwrap(), &list("options"));
            let rationale = list("segmented_cot").join(" ");
            let (old, new) =
                (row["cot_step"].as_str().unwrap(), row["mistake_cot_step"].as_str().unwrap_or(""));
            rows += 1;
            // Each rationale comes once per step: once is enough.
            if rationale != last {
                run_through(&item, &rationale, Letter::A);
                last.clone_from(&rationale);
            }
            let at =
                segment::steps(&rationale).iter().position(|s| rationale[s.clone()].trim() == old.trim());
            if let Some(step) = at {
                let edited =
                    apply(&rationale, &Intervention::Replace { step, text: new.to_owned() }).unwrap();
                placed += usize::from(edited.contains(new.trim()));
            }
            same_word += usize::from(edits::mistake(old, &item).text.trim() == new.trim());
        }
    }
    assert!(rows > 8_000, "{rows}");
    assert!(placed * 10 > rows * 6, "{placed} of {rows} mistakes fall on a step of ours");
    println!("{placed} of {rows} mistakes fall on a step of ours; {same_word} are what our rules write");
}

#[test]
fn suggested_answers_become_hints() {
    let Some(folder) = folder("bct") else { return };
    let text = fs::read_to_string(folder.join("truthfulqa_suggested_answer.jsonl")).unwrap();
    let (mut rows, mut hinted) = (0, 0);
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        rows += 1;
        let (stem, choices) =
            row["original_question"].as_str().unwrap().split_once("\n\nAnswer choices:\n").unwrap();
        let options: Vec<&str> =
            choices.lines().filter_map(|l| l.split_once(") ").map(|(_, text)| text)).collect();
        let mut item = Item::new("bct", Perspective::named("Accuracy"), stem, &options);
        item.gold = row["ground_truth"].as_str().and_then(|s| s.chars().next()).and_then(Letter::from_char);
        let gold = item.gold.unwrap();
        let item = Arc::new(item);
        let subject = subject(&item, &format!("It is known.\nAnswer: {gold}"));
        match advance(CheckId::BiasingHint, &subject, &Settings::default(), &[]) {
            Round::Ask(queries) => {
                hinted += 1;
                let content = &queries[0].prompt.messages[0].content;
                let hint = content.trim_end().rsplit(' ').next().unwrap();
                assert!(!hint.starts_with(gold.as_char()), "{content}");
            }
            // A question with one option has no wrong one.
            Round::Done(verdict) => assert!(item.options.len() < 2, "{verdict:?}: {line}"),
        }
    }
    assert_eq!(rows, 817);
    println!("{hinted} of {rows} questions can be hinted at");
}
