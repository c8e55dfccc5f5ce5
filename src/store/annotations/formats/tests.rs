//! Round trips of every format, and what other tools write.

use super::*;
use crate::{
    core::{
        Item, Perspective, Trace,
        annotation::{Act, ActKind, Author, DEFAULT_RUBRIC, Span, Value, Write},
    },
    store::annotations::{NewProject, NewTask, formats::import::ImportOptions, ratings::KeptLabel},
};
use proptest::prelude::*;
use std::{fs::File, path::Path};

const RUBRIC_TAIL: &str = "\n[[question]]\nid = \"why\"\ntext = \"Why\"\nkind = \"text\"\n";

fn rubric() -> Rubric {
    Rubric::parse(&format!("{DEFAULT_RUBRIC}{RUBRIC_TAIL}")).unwrap()
}

fn traces() -> Vec<(Item, Trace)> {
    ["sft", "rlvr"]
        .into_iter()
        .map(|method| {
            let item = Item::value("tests", Perspective::named("Right to privacy"), "Reading a diary; «it»");
            let text = "It is, théir \"own\".\nSo no; not at all.\nAnswer: B".to_owned();
            let mut trace = Trace::new(&item, method.into(), text);
            trace.seed = Some(7);
            (item, trace)
        })
        .collect()
}

fn project(library: &mut Library) -> Project {
    let rubric = rubric();
    library.new_project(&NewProject { name: "pilot", rubric: &rubric, query: "" }, 1).unwrap();
    library.project(None).unwrap()
}

/// Labels of every kind: full, partial and skipped, flagged, adjudicated, not blind.
fn filled(answers: &[(&str, Value)]) -> (Library, Project) {
    let mut library = Library::in_memory().unwrap();
    let project = project(&mut library);
    let traces = traces();
    let tasks: Vec<NewTask<'_>> =
        traces.iter().map(|(item, trace)| NewTask { item, trace, annotators: vec!["ada".into()] }).collect();
    library.add_tasks(project.id, &tasks).unwrap();
    let ids: Vec<_> = library.tasks(project.id).unwrap().iter().map(|t| t.id).collect();
    let yes = || Value::YesNo(true);
    let mut number = 0;
    let mut keep = |who: &str, adjudicator: bool, task, fields: Vec<(Field, Value)>, blind: bool| {
        for (field, value) in fields {
            number += 1;
            let act = Act { task, kind: ActKind::Do, field, before: None, after: Some(value), blind };
            let write = Write {
                project: project.id,
                author: Author { name: who.to_owned(), adjudicator },
                rubric: project.rubric.version.clone(),
                uid: format!("u{number}"),
                act: Some(act),
                standing: None,
            };
            library.keep(&write, 1000 + number).unwrap();
        }
    };
    let answers: Vec<(Field, Value)> =
        answers.iter().map(|(q, v)| (Field::Answer((*q).to_owned()), v.clone())).collect();
    let mut full = answers.clone();
    full.extend([
        (Field::Note, Value::Text("a, \"note\"\nwith; lines".into())),
        (Field::Flag, yes()),
        (Field::Saved, yes()),
    ]);
    keep("ada", false, ids[0], full, true);
    let mut seen = answers.clone();
    seen.extend([(Field::Revealed, yes()), (Field::Saved, yes())]);
    keep("bo b.", false, ids[0], seen.clone(), false);
    keep("ada", true, ids[0], seen, false);
    keep("ada", false, ids[1], vec![(Field::Skip, yes())], true);
    (library, project)
}

fn every_kind() -> Vec<(&'static str, Value)> {
    let span = |start: usize, end: usize| Span {
        start,
        end,
        text: traces()[0].1.llm_output.chars().skip(start).take(end - start).collect(),
    };
    vec![
        ("supports", Value::Choice("another".into())),
        ("perspective", Value::Choice("generic".into())),
        ("post_hoc", Value::YesNo(false)),
        ("signals", Value::Several(["weak-justification".to_owned(), "invalid-chain".to_owned()].into())),
        ("confidence", Value::Scale(2)),
        ("first_bad_step", Value::Step(1)),
        ("safety", Value::Nothing),
        ("evidence", Value::Spans(vec![span(7, 12), span(20, 26)])),
        ("why", Value::Text("because \"it, is\"\nso".into())),
    ]
}

fn export(library: &Library, project: &Project) -> Export {
    Export::of(library, project.clone(), ExportOptions { text: true, unsaved: true }).unwrap()
}

fn labels(library: &Library) -> Vec<KeptLabel> {
    let project = library.project(None).unwrap();
    let mut labels = library.labels(project.id).unwrap();
    labels.sort_by_key(|l| (l.key.clone(), l.author.clone()));
    // Numbers of traces belong to a database.
    labels.iter_mut().for_each(|l| l.task = crate::core::annotation::TaskId(0));
    labels
}

fn write(format: LabelFormat, export: &Export, path: &Path) {
    let mut out = File::create(path).unwrap();
    match format {
        LabelFormat::Jsonl => plain::json_lines(export, &mut out).unwrap(),
        LabelFormat::Csv => plain::csv(export, &mut out).unwrap(),
        LabelFormat::Parquet => parquet::parquet(export, out).unwrap(),
        _ => serde_json::to_writer(out, &label_studio::tasks(export)).unwrap(),
    }
}

const FILES: [LabelFormat; 4] =
    [LabelFormat::Jsonl, LabelFormat::Csv, LabelFormat::Parquet, LabelFormat::LabelStudio];

#[test]
fn every_file_format_comes_back_whole_into_an_empty_library() {
    let dir = tempfile::tempdir().unwrap();
    for answers in
        [every_kind(), vec![("signals", Value::Several(Default::default())), ("evidence", Value::Nothing)]]
    {
        let (library, from) = filled(&answers);
        for format in FILES {
            let path = dir.path().join(format.word());
            write(format, &export(&library, &from), &path);
            let mut empty = Library::in_memory().unwrap();
            let to = project(&mut empty);
            let report = empty.import_labels(&to, &path, &ImportOptions::default(), 9).unwrap();
            assert_eq!(
                (report.bad.as_slice(), report.labels, report.traces),
                (&[][..], 4, 2),
                "{format}: {report:?}"
            );
            assert_eq!(labels(&empty), labels(&library), "{format}");
            let again = empty.import_labels(&to, &path, &ImportOptions::default(), 10).unwrap();
            assert_eq!(
                (again.changed, again.conflicts.len()),
                (0, 0),
                "{format}: a second time changes nothing"
            );
        }
    }
}

#[test]
fn what_differs_is_listed_and_only_replaced_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels.jsonl");
    let (library, from) = filled(&every_kind());
    write(LabelFormat::Jsonl, &export(&library, &from), &path);
    let mut other = every_kind();
    other[0].1 = Value::Choice("recorded".into());
    let (mut here, to) = filled(&other);
    let kept = here.import_labels(&to, &path, &ImportOptions::default(), 9).unwrap();
    assert_eq!((kept.conflicts.len(), kept.changed), (3, 0), "{kept:?}");
    let options = ImportOptions { replace: true, ..ImportOptions::default() };
    assert_eq!(here.import_labels(&to, &path, &options, 10).unwrap().changed, 3);
    assert_eq!(labels(&here)[0].label.fields(), labels(&library)[0].label.fields());
}

#[test]
fn labels_made_in_label_studio_come_back() {
    let (mut library, project) = filled(&every_kind());
    let tasks = label_studio::tasks(&export(&library, &project));
    let mut task = tasks[1].clone();
    // As its export writes what its own user 3 did.
    task["annotations"] = serde_json::json!([{
        "id": 1, "completed_by": 3, "was_cancelled": false, "result": [
            { "from_name": "supports", "to_name": "Output", "type": "choices", "value": { "choices": ["recorded"] } },
            { "from_name": "confidence", "to_name": "Output", "type": "rating", "value": { "rating": 3 } },
            { "from_name": "evidence", "to_name": "Output", "type": "labels",
              "value": { "start": 9, "end": 14, "text": "théir", "labels": ["evidence"] } },
            { "from_name": "unknown", "to_name": "Output", "type": "choices", "value": { "choices": ["x"] } },
        ],
    }]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("export.json");
    std::fs::write(&path, serde_json::json!([task]).to_string()).unwrap();
    let report = library.import_labels(&project, &path, &ImportOptions::default(), 9).unwrap();
    assert_eq!((report.bad.len(), report.changed), (0, 1), "{report:?}");
    let label = labels(&library).into_iter().find(|l| l.author.name == "label-studio-3").unwrap().label;
    assert!(label.saved());
    assert_eq!(label.answer("supports"), Some(&Value::Choice("recorded".into())));
    let Some(Value::Spans(spans)) = label.answer("evidence") else { panic!("{label:?}") };
    assert_eq!((spans[0].start, spans[0].end), (7, 12), "the words decide where the numbers do not fit");
    let wrong = dir.path().join("wrong.json");
    std::fs::write(&wrong, r#"[{"data": {"text": "foreign"}, "annotations": []}]"#).unwrap();
    let report = library.import_labels(&project, &wrong, &ImportOptions::default(), 9).unwrap();
    assert!(report.bad[0].contains("not exported by Pluriscope"), "{report:?}");
}

#[test]
fn folders_hold_what_the_other_tools_want() {
    let (library, project) = filled(&every_kind());
    let dir = tempfile::tempdir().unwrap();
    let export = export(&library, &project);
    argilla::folder(&export, &dir.path().join("argilla")).unwrap();
    potato::folder(&export, &dir.path().join("potato")).unwrap();
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(dir.path().join(name)).unwrap()).unwrap()
    };
    let records = json("argilla/records.json");
    assert_eq!(
        records[0]["responses"]["supports"].as_array().unwrap().len(),
        2,
        "adjudicators do not respond"
    );
    assert_eq!(json("argilla/.argilla/settings.json")["questions"].as_array().unwrap().len(), 10);
    assert_eq!(json("potato/config.yaml")["annotation_schemes"][4]["size"], 3);
    let ada = dir.path().join("potato/annotation_output/ada/annotated_instances.jsonl");
    let first = std::fs::read_to_string(ada).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["label_annotations"]["supports"]["another"], "2");
    assert_eq!(first["span_annotations"][0]["text"], "théir");
    assert!(dir.path().join("potato/annotation_output/bo_b.").is_dir());
}

#[test]
fn without_texts_nothing_of_them_is_written() {
    let (library, project) = filled(&every_kind());
    let mut export = export(&library, &project);
    export.options = ExportOptions { text: false, unsaved: false };
    let mut out = Vec::new();
    plain::json_lines(&export, &mut out).unwrap();
    plain::csv(&export, &mut out).unwrap();
    // Marks quote what they mark; nothing else of the text may be there.
    let all = String::from_utf8(out).unwrap() + &label_studio::tasks(&export).to_string();
    assert!(!all.contains("not at all") && !all.contains("Reading a diary"));
}

proptest! {
    // Each case opens a dozen files.
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn any_note_and_any_words_survive(note in any::<String>(), why in "\\PC{0,40}", n in 1i64..4) {
        prop_assume!(!note.trim().is_empty() && !note.contains('\0') && !why.trim().is_empty() && why != plain::NOTHING);
        let (mut library, from) = filled(&[("why", Value::Text(why)), ("confidence", Value::Scale(n))]);
        let task = library.tasks(from.id).unwrap()[1].id;
        let act = Act { task, kind: ActKind::Do, field: Field::Note, before: None, after: Some(Value::Text(note)), blind: true };
        let write_it = Write {
            project: from.id, author: Author::annotator("cy"), rubric: from.rubric.version.clone(),
            uid: "note".into(), act: Some(act), standing: None,
        };
        library.keep(&write_it, 1).unwrap();
        let dir = tempfile::tempdir().unwrap();
        for format in FILES {
            let path = dir.path().join(format.word());
            write(format, &export(&library, &from), &path);
            let mut empty = Library::in_memory().unwrap();
            let to = project(&mut empty);
            empty.import_labels(&to, &path, &ImportOptions::default(), 9).unwrap();
            prop_assert_eq!(labels(&empty), labels(&library), "{}", format);
        }
    }
}
