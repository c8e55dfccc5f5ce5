//! Golden behaviours per format, on rows of our own.

use super::*;
use crate::core::{Corpus, Kind, Letter, corpus::Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fields(value: Value) -> Fields {
    value.as_object().unwrap().clone()
}

fn read(format: Format, value: Value) -> Result<Vec<Row>, String> {
    rows(format, fields(value), &Context::of(Path::new("rows_test.json")))
}

fn item(format: Format, value: Value) -> Item {
    read(format, value).unwrap().remove(0).item.unwrap()
}

fn refused(format: Format, value: Value, says: &str) {
    let reason = read(format, value).unwrap_err();
    assert!(reason.contains(says), "{reason:?} does not say {says:?}");
}

fn study_row() -> Value {
    json!({"situation": "Reading a partner's messages", "vrd": "Right", "vrd_text": "Right to privacy",
        "explanation": "Messages are personal.", "valence": "Opposes", "correct_valence_option": "B", "index": 4})
}

fn study_result() -> Value {
    let mut row = study_row();
    for (name, value) in [
        ("llm_output", json!("They are theirs.\nAnswer: B")),
        ("cot", json!("They are theirs.\n")),
        ("predicted_answer", json!("B")),
        ("correct", json!(true)),
    ] {
        row[name] = value;
    }
    row
}

#[test]
fn a_study_row_is_an_item_and_a_result_is_a_trace_too() {
    let plain = item(Format::Study, study_row());
    assert_eq!((plain.gold, plain.perspective.kind), (Some(Letter::B), Kind::Right));
    assert_eq!(plain.explanation.as_deref(), Some("Messages are personal."));
    assert_eq!((plain.split.as_deref(), &plain.extra["index"]), (Some("test"), &json!(4)));
    let context = Context::of(Path::new("llama3_steerable_vk_human_cot_test.jsonl"));
    let row = rows(Format::Study, fields(study_result()), &context).unwrap().remove(0);
    let trace = row.trace.unwrap();
    assert_eq!((trace.item_id, &*trace.method.0, &*trace.model), (plain.id, "human-cot", "llama3"));
    assert_eq!(
        (trace.predicted_answer, trace.correct, &*trace.cot),
        (Some(Letter::B), Some(true), "They are theirs.\n")
    );
}

#[test]
fn an_empty_or_impossible_study_answer_is_no_answer() {
    for answer in ["", "F", "yes"] {
        let mut row = study_result();
        row["predicted_answer"] = json!(answer);
        let trace = read(Format::Study, row).unwrap().remove(0).trace.unwrap();
        assert_eq!((trace.predicted_answer, trace.correct), (None, Some(false)), "{answer:?}");
    }
}

fn survey_row() -> Value {
    json!({"question_raw": "How much do you worry?", "attribute": "POLPARTY", "group": "Democrat",
        "ordinal_refs": ["A lot", "A little"], "human_opinion_distribution": [0.7, 0.3],
        "attribute_natural_language": "Political Party Affiliation:", "source": "Wave 1",
        "options": [{"option": "A", "option_text": "A lot", "probability": 0.7},
                    {"option": "B", "option_text": "A little", "probability": 0.3}],
        "correct_valence_option": "A", "index": 0})
}

#[test]
fn study_survey_rows_keep_the_human_distribution() {
    let item = item(Format::Study, survey_row());
    assert_eq!(item.options[0].human_probability, Some(0.7));
    assert_eq!((item.perspective.name.as_str(), item.source.as_str()), ("party: Democrat", "Wave 1"));
    assert_eq!(item.extra.len(), 1);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut row = survey_row();
        change(&mut row);
        row
    };
    refused(Format::Study, broken(&|r| r["options"] = json!([])), "no options");
    refused(Format::Study, broken(&|r| r["options"][0]["probability"] = json!(-1)), "not a probability");
    refused(Format::Study, broken(&|r| r["options"][0]["probability"] = json!(9)), "sum to");
    refused(Format::Study, broken(&|r| r["options"][1]["option"] = json!("D")), "letters");
    refused(Format::Study, broken(&|r| r["correct_valence_option"] = json!("K")), "only 2 options");
    refused(Format::Study, json!({"situation": "x", "vrd_text": " "}), "`vrd_text` is empty");
    refused(
        Format::Study,
        json!({"situation": "x", "vrd_text": "y", "valence": "Opposes", "correct_valence_option": "A"}),
        "but",
    );
    refused(Format::ModularVk, json!({"situation": 3, "vrd": "Care", "label": "A"}), "should be text");
    refused(Format::ModularVk, json!({"situation": "x", "vrd": "Care", "label": "D"}), "only 3 options");
    let many: Vec<String> = (0..27).map(|i| i.to_string()).collect();
    refused(
        Format::Pluriscope,
        json!({"text": "x", "perspective": "Care", "options": many}),
        "only 26 letters",
    );
}

#[test]
fn modular_pluralism_prompts_are_reduced_to_the_question() {
    let row = json!({"question": "Question: How much do you worry?\nOptions: A. A lot B. A little\nAnswer:",
        "options": ["A lot", "A little"], "attribute": "POLPARTY_Democrat", "gold_distribution": [0.2, 0.8],
        "pred_distribution": null, "id": 9});
    let item = item(Format::ModularOpinionqa, row);
    assert_eq!((item.text.as_str(), item.gold), ("How much do you worry?", Some(Letter::B)));
    assert_eq!(item.extra["source_id"], json!(9));
    // The same question as in the study's row: one id, whatever the format.
    assert_eq!(item.id, self::item(Format::Study, survey_row()).id);
}

#[test]
fn one_row_in_several_formats_has_one_id() {
    let ids = [
        item(Format::Study, study_row()).id,
        item(Format::ModularVk, json!({"situation": " Reading a  partner's messages", "vrd": "Right to privacy", "label": "B", "label_text": "Opposes"})).id,
        item(Format::Valueprism, json!({"situation": "Reading a partner's messages", "vrd": "Right", "text": "Right to privacy", "explanation": "e", "valence": "Opposes"})).id,
        item(Format::ModularOverton, json!({"situation": "Reading a partner's messages", "vrd": ["Right to privacy"], "explanation": ["e"]})).id,
        item(Format::Verl, json!({"prompt": [{"role": "user", "content": "Judge.\n\nSituation: Reading a partner's messages\n\nValue/Right/Duty: Right to privacy\n\nOptions:\nA. Support\nB. Oppose\nC. Either\n\nReasoning:"}], "reward_model": {"ground_truth": "B"}})).id,
        item(Format::Pluriscope, json!({"dataset": "vk", "perspective": "Right to privacy", "text": "Reading a partner's messages"})).id,
    ];
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let surveys = [
        item(Format::Study, survey_row()).id,
        item(Format::Opinionqa, json!({"question_raw": "How much do you worry?", "ordinal_refs": "['A lot', \"A little\"]", "attribute": "POLPARTY", "group": "Democrat", "D_H": "[0.7 0.3]"})).id,
        item(Format::Verl, json!({"prompt": [{"role": "user", "content": "Be this person:\n- Political Party Affiliation: Democrat\n\nAnswer.\n\nHow much do you worry?\n\nOptions:\n(A) A lot\n(B) A little\n\nReasoning:"}], "reward_model": {"ground_truth": "A"}, "data_source": "steerable_vk"})).id,
    ];
    assert!(surveys.iter().all(|id| *id == surveys[0]), "{surveys:?}");
}

#[test]
fn verl_prompts_for_everybody_have_the_overall_group() {
    let item = item(
        Format::Verl,
        json!({"prompt": "People:\n- General US Population\n\nSay.\n\nHow much?\n\nOptions:\n(A) A lot\n(B) None\n\nReasoning:", "reward_model": {"ground_truth": "A"}}),
    );
    assert_eq!(
        (item.perspective.attribute.as_deref(), item.perspective.name.as_str()),
        (Some("Overall"), "general public")
    );
    refused(Format::Verl, json!({"prompt": "What is 1 + 1?", "reward_model": {}}), "another template");
}

#[test]
fn distributions_may_be_lists_arrays_or_dicts() {
    for shares in [
        "[0.7, 0.3]",
        "[0.7 0.3]",
        "array([0.7, 0.3])",
        "{'A lot': 0.7, 'A little': 0.3}",
        "{'B': 0.3, 'A': 0.7}",
        "{1.0: 0.7, 2.0: 0.3}",
        "[np.float64(0.7), np.float64(0.3)]",
    ] {
        let row = json!({"question_raw": "How much?", "ordinal_refs": "['A lot', 'A little']", "attribute": "SEX", "group": "Female", "D_H": shares});
        assert_eq!(item(Format::Opinionqa, row).options[0].human_probability, Some(0.7), "{shares}");
    }
    for (shares, says) in [
        ("[nan, 1.0]", "not a probability"),
        ("[0.5]", "2 options, but 1"),
        ("[0.5, 0.5", "too early"),
        ("0.5", "one share per option"),
        ("[[[[[[[[[[[[1]]]]]]]]]]]]", "too deep"),
    ] {
        refused(
            Format::Opinionqa,
            json!({"question_raw": "How much?", "ordinal_refs": "['A lot', 'A little']", "attribute": "SEX", "group": "Female", "D_H": shares}),
            says,
        );
    }
}

#[test]
fn overton_explanations_join_in() {
    let overton = read(
        Format::ModularOverton,
        json!({"situation": "Lending", "vrd": ["Care", "Thrift"], "explanation": ["It helps."]}),
    )
    .unwrap();
    let items: Vec<Item> = overton.into_iter().filter_map(|r| r.item).collect();
    assert_eq!(items.len(), 2);
    let context = Context { join: Some(Arc::new(Join::of(&items))), ..Context::of(Path::new("x.json")) };
    let row = fields(json!({"situation": "Lending", "vrd": "Care", "label": "A"}));
    let joined = rows(Format::ModularVk, row, &context).unwrap().remove(0).item.unwrap();
    assert_eq!(joined.explanation.as_deref(), Some("It helps."));
}

#[test]
fn file_names_of_the_study_name_method_model_and_split() {
    for (name, method, model, split) in [
        ("llama3_steerable_vk_grpo_v3_step_650_test.jsonl", "rlvr", "llama3", Some("test")),
        ("qwen2p5_steerable_opinion_qa_star_test.jsonl", "synthetic-cot", "qwen2p5", Some("test")),
        ("llama3_steerable_vk_test_no_sft.jsonl", "zero-shot-cot", "llama3", Some("test")),
        ("gpt_4p1_mini_steerable_vk_train.jsonl", "zero-shot-cot", "gpt-4p1-mini", Some("train")),
        ("my run.jsonl", "my run", "", None),
    ] {
        let context = Context::of(Path::new(name));
        assert_eq!(
            (&*context.method.0, &*context.model, context.split.as_deref()),
            (method, model, split),
            "{name}"
        );
    }
}

#[test]
fn our_lines_survive_a_round_trip_with_what_we_do_not_know() {
    let mut trace = read(Format::Study, study_result()).unwrap().remove(0);
    trace.trace.as_mut().unwrap().extra.insert("mine".to_owned(), json!({"deep": [1, null]}));
    let line = super::super::export::line(&trace).unwrap();
    let again = super::line(Format::Pluriscope, &line, &Context::of(Path::new("x"))).unwrap();
    assert_eq!(again, [trace]);
    let mut plain = item(Format::Study, survey_row());
    plain.extra.insert("mine".to_owned(), json!(1.5));
    let row = Row { item: Some(plain), trace: None };
    let line = super::super::export::line(&row).unwrap();
    assert_eq!(super::line(Format::Pluriscope, &line, &Context::of(Path::new("x"))).unwrap(), [row]);
}

#[test]
fn an_edited_item_no_longer_matches_its_id() {
    let mut value = serde_json::to_value(item(Format::Study, study_row())).unwrap();
    value["text"] = json!("Reading a stranger's messages");
    refused(Format::Pluriscope, value, "edited");
}

#[test]
fn a_hand_written_trace_is_read_as_the_engine_would() {
    let row = read(Format::Pluriscope, json!({"perspective": "Care", "text": "Lending", "gold": "A", "method": "mine", "llm_output": "It helps. The answer is (A)"})).unwrap().remove(0);
    let trace = row.trace.unwrap();
    assert_eq!((trace.predicted_answer, trace.cot.as_str()), (Some(Letter::A), "It helps. The"));
    refused(Format::Pluriscope, json!({"item_id": "0", "method": "m"}), "llm_output");
    refused(Format::Pluriscope, json!({"method": "m", "llm_output": "x"}), "item_id");
}

/// Lines in and around the formats, well formed and not.
fn some_line() -> impl Strategy<Value = String> {
    let ours = super::super::export::line(&read(Format::Study, study_result()).unwrap().remove(0)).unwrap();
    let item = serde_json::to_string(&item(Format::Study, survey_row())).unwrap();
    let bases = [ours, item, study_result().to_string(), study_row().to_string(), survey_row().to_string()];
    (
        prop::sample::select(bases.to_vec()),
        prop::collection::vec((0..900usize, any::<char>()), 0..3),
        any::<bool>(),
    )
        .prop_map(|(line, edits, cut)| {
            let mut chars: Vec<char> = line.chars().collect();
            for (at, c) in edits {
                let at = at % chars.len();
                chars[at] = c;
                if cut {
                    chars.truncate(at.max(1));
                }
            }
            chars.into_iter().collect()
        })
}

/// What an index shows of one line.
fn shown(corpus: &Corpus) -> Vec<String> {
    let traces = |ix| {
        corpus
            .traces(ix)
            .map(|t| *corpus.trace(t).unwrap())
            .map(|t| (t.sample(), t.fingerprint(), t.tokens(), t.answer(), t.outcome() as Outcome))
            .collect::<Vec<_>>()
    };
    corpus
        .items()
        .map(|ix| {
            let item = corpus.item(ix).unwrap();
            format!(
                "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                item.id,
                item.gold(),
                item.options(),
                corpus.title(ix),
                corpus.dataset(ix),
                corpus.split(ix),
                item.perspective().and_then(|p| corpus.perspective(p)),
                traces(ix)
            )
        })
        .chain(corpus.methods().iter().map(ToString::to_string))
        .collect()
}

proptest! {
    #[test]
    fn the_quick_index_sees_what_the_full_reader_sees(line in some_line(), ours in any::<bool>()) {
        let format = if ours { Format::Pluriscope } else { Format::Study };
        let context = Context::of(Path::new("sft_test.jsonl"));
        let mut quick = CorpusBuilder::default();
        let indexed = index_line(format, &line, &context, &mut quick, Loc::default());
        match super::line(format, &line, &context) {
            Ok(rows) => {
                let mut full = CorpusBuilder::default();
                rows.iter().for_each(|row| index_row(row, &mut full, Loc::default()));
                prop_assert_eq!(indexed, Ok(()));
                prop_assert_eq!(shown(&quick.finish()), shown(&full.finish()));
            }
            Err(reason) if indexed.is_err() => prop_assert_eq!(indexed, Err(reason)),
            // The quick reader does not look at fields that the index does not need.
            Err(_) => {}
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), format in prop::sample::select(Format::ALL.to_vec())) {
        let _ = line(format, &text, &Context::of(Path::new("x")));
        let _ = python::parse(&text);
    }

    #[test]
    fn any_near_python_is_read_or_refused(text in "[\\[\\](){}'\":, 0-9.a-en\\\\x]{0,40}") {
        let _ = python::parse(&text);
    }

    #[test]
    fn any_prompt_is_read_or_refused(text in "(- |Age|: |\n|\n\n|Options:|\\(A\\)|\\(B\\) |Situation: |Value: |x| ){0,20}") {
        let _ = read(Format::Verl, json!({"prompt": text, "reward_model": {"ground_truth": "A"}}));
    }
}

#[test]
fn python_texts_are_unescaped() {
    let want = vec![python::Literal::Text("it's é\n".to_owned()), python::Literal::Number(-1.5)];
    assert_eq!(python::parse(r"('it\'s \xe9\n', -1.5,)"), Ok(python::Literal::List(want)));
}
