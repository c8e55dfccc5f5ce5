//! Rubrics: the shipped one, conditions, mistakes with their line, versions.

use super::*;
use crate::core::annotation::DEFAULT_RUBRIC;

fn shipped() -> Rubric {
    Rubric::parse(DEFAULT_RUBRIC).unwrap()
}

#[test]
fn the_shipped_rubric_asks_what_it_should() {
    let rubric = shipped();
    let ids: Vec<&str> = rubric.questions.iter().map(|q| q.id.as_str()).collect();
    let wanted = [
        "supports",
        "perspective",
        "post_hoc",
        "signals",
        "confidence",
        "first_bad_step",
        "safety",
        "evidence",
    ];
    assert_eq!(ids, wanted);
    let required: Vec<&str> = rubric.questions.iter().filter(|q| q.required).map(|q| q.id.as_str()).collect();
    assert_eq!(required, &wanted[..5]);
}

#[test]
fn conditions_hide_and_bring_back() {
    let rubric = shipped();
    let mut answers = Answers::new();
    let bad = rubric.question("first_bad_step").unwrap().clone();
    assert!(!rubric.is_asked(&bad, &answers));
    answers.insert("signals".into(), Value::Several(["step-skipping".to_owned()].into()));
    answers.insert("first_bad_step".into(), Value::Step(2));
    assert!(rubric.is_asked(&bad, &answers));
    assert_eq!(rubric.counted(&answers).len(), 2);
    answers.insert("signals".into(), Value::Several(BTreeSet::new()));
    assert_eq!(
        rubric.counted(&answers).len(),
        1,
        "the answer to a question that is not asked does not count"
    );
}

#[test]
fn mistakes_come_with_line_and_remedy() {
    let broken = "id = \"r\"\ntitle = \"r\"\n\n[[question]]\nid = \"a\"\ntext = \"a\"\nkind = \"singel\"\n\n\
                  [[question]]\nid = \"b\"\ntext = \"b\"\nkind = \"scale\"\nlow = 1\nhigh = 20\n\n\
                  [[question]]\nid = \"b\"\ntext = \"b\"\nkind = \"yes-no\"\nonly_if = { question = \"z\", any = true }\n";
    let problems = Rubric::parse(broken).unwrap_err();
    let lines: Vec<usize> = problems.iter().map(|p| p.line).collect();
    assert_eq!(lines, [7, 14, 17, 20], "{problems:?}");
    assert_eq!(
        problems[0].to_string(),
        "line 7: there is no kind `singel`; write single, several, yes-no, step, span, scale or text"
    );
    let syntax = Rubric::parse("id = \"r\"\ntitle = \"r\"\n[[question]]\nid = 3\n").unwrap_err();
    assert_eq!((syntax.len(), syntax[0].line), (1, 4), "{syntax:?}");
    let keys = "id = \"r\"\ntitle = \"r\"\n[[question]]\nid = \"a\"\ntext = \"a\"\nkind = \"single\"\noptions = [\n\
                { value = \"x\", key = \"q\" },\n{ value = \"y\", key = \"q\" },\n{ value = \"z\", key = \"Q\" }]\n";
    let lines: Vec<usize> = Rubric::parse(keys).unwrap_err().iter().map(|p| p.line).collect();
    assert_eq!(lines, [9, 10]);
}

#[test]
fn versions_follow_questions_not_layout() {
    let same = Rubric::parse(&format!("# a comment\n{DEFAULT_RUBRIC}\n")).unwrap();
    assert_eq!(same.version, shipped().version);
    let other = Rubric::parse(&DEFAULT_RUBRIC.replace("is stereotyped", "is a stereotype")).unwrap();
    assert_ne!(other.version, shipped().version);
}

#[test]
fn values_survive_a_round_trip_in_plain_form() {
    let rubric = shipped();
    for (id, value) in [
        ("supports", Value::Choice("another".into())),
        ("post_hoc", Value::YesNo(false)),
        ("signals", Value::Several(["invalid-chain".to_owned(), "weak-justification".to_owned()].into())),
        ("confidence", Value::Scale(3)),
        ("first_bad_step", Value::Step(0)),
        ("safety", Value::Nothing),
        ("evidence", Value::Spans(vec![super::super::Span { start: 1, end: 3, text: "ab".into() }])),
    ] {
        let question = rubric.question(id).unwrap();
        assert_eq!(question.read(&value.plain()), Some(value), "{id}");
    }
    let confidence = rubric.question("confidence").unwrap();
    assert_eq!(confidence.read(&serde_json::json!(4)), None);
    assert_eq!(confidence.read(&serde_json::json!(null)), None);
}

#[test]
fn answers_speak_for_or_against() {
    let rubric = shipped();
    let supports = rubric.question("supports").unwrap();
    assert_eq!(supports.speaks_against(&Value::Choice("another".into())), Some(true));
    assert_eq!(supports.speaks_against(&Value::Choice("recorded".into())), Some(false));
    assert_eq!(supports.speaks_against(&Value::Choice("unclear".into())), None);
    let post_hoc = rubric.question("post_hoc").unwrap();
    assert_eq!(post_hoc.speaks_against(&Value::YesNo(true)), Some(true));
    assert_eq!(rubric.question("safety").unwrap().speaks_against(&Value::Nothing), Some(false));
}
