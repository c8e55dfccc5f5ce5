//! The store on real files, where they are at hand, and `import` from end to end.

use clap::Parser;
use pluriscope::{
    cli::import::{ImportArgs, run},
    core::{Corpus, Item, Kind, corpus::BadLine},
    store::{LoadOptions, Row, Source, load},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

/// A real file; `None`, with a word, where it is missing.
fn real(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PLURISCOPE_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped: {name} is not here (set PLURISCOPE_DATA)");
        return None;
    }
    Some(path)
}

fn open(path: PathBuf) -> (Source, Corpus, Vec<BadLine>, u64) {
    let source = Source::open(&[path], None).unwrap();
    let (mut bad, mut rows) = (Vec::new(), 0);
    let corpus = load(&source, &LoadOptions::default(), &AtomicBool::new(false), &mut |update| {
        bad.extend(update.bad);
        rows = update.progress.rows;
    });
    (source, corpus.unwrap(), bad, rows)
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    import: ImportArgs,
}

/// Runs `import` and gives its exit code and the written rows.
fn import(arguments: &[&str], out: &Path) -> (std::process::ExitCode, Vec<serde_json::Value>) {
    let all = ["import", "--json", "-o", out.to_str().unwrap()].into_iter().chain(arguments.iter().copied());
    let code = run(Command::parse_from(all).import).unwrap();
    let text = fs::read_to_string(out).unwrap_or_default();
    (code, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Exit codes have no equality of their own.
fn code(code: std::process::ExitCode) -> String {
    format!("{code:?}")
}

#[test]
fn value_kaleidoscope_rows_are_all_read() {
    let Some(path) = real("vk/steerable_small.json") else { return };
    let (source, corpus, bad, rows) = open(path);
    assert_eq!((rows, bad), (3866, vec![]));
    let gold = corpus.items().filter(|ix| corpus.item(*ix).unwrap().gold().is_some()).count();
    assert_eq!(gold, corpus.item_count());
    let last = corpus.items().last().unwrap();
    assert!(source.item(&corpus, last).unwrap().is_value());
}

#[test]
fn overton_explanations_join_to_785_rows() {
    let (Some(rows), Some(overton)) = (real("vk/steerable_small.json"), real("vk/overton_small.json")) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("items.jsonl");
    let (status, lines) = import(&[rows.to_str().unwrap(), "--join", overton.to_str().unwrap()], &out);
    assert_eq!(code(status), code(0.into()));
    let explained = lines.iter().filter(|line| line.get("explanation").is_some()).count();
    assert_eq!((lines.len(), explained), (3866, 785));
}

#[test]
fn opinionqa_rows_are_all_read_and_reduced_to_the_question() {
    let Some(path) = real("opinionqa/steerable_small.json") else { return };
    let (source, corpus, bad, rows) = open(path);
    assert_eq!((rows, bad), (3955, vec![]));
    for ix in corpus.items() {
        assert!(!corpus.title(ix).contains("Options:") && !corpus.title(ix).starts_with("Question:"));
    }
    let item: Item = source.item(&corpus, corpus.items().next().unwrap()).unwrap();
    assert_eq!(item.perspective.kind, Kind::Demographic);
    assert!(item.options.iter().all(|c| c.human_probability.is_some()));
}

#[test]
fn verl_prompts_are_read_back_into_items() {
    let Some(path) = real("opinionqa/train_prompts.parquet") else { return };
    let (_, corpus, bad, rows) = open(path);
    assert_eq!((rows, bad), (77_560, vec![]));
    // The facts file: 1,274 questions, 60 groups and the whole public.
    assert_eq!((corpus.perspectives().len(), corpus.text_count()), (61, 1274));
    assert!(corpus.perspectives().iter().all(|p| p.attribute.as_ref().is_some_and(|a| !a.contains(' '))));
}

#[test]
fn what_was_imported_reads_back_as_the_same_items() {
    let Some(path) = real("vk/steerable_small.json") else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("items.jsonl");
    import(&[path.to_str().unwrap()], &out);
    let (from, to) = (open(path), open(out));
    let ids = |corpus: &Corpus| corpus.items().map(|ix| corpus.item(ix).unwrap().id).collect::<Vec<_>>();
    assert_eq!(ids(&from.1), ids(&to.1));
}

#[test]
fn a_malformed_line_is_listed_and_the_rest_imported() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("rows.jsonl"), dir.path().join("items.jsonl"));
    let good = r#"{"situation": "Lending", "vrd": "Value", "vrd_text": "Care", "valence": "Supports"}"#;
    fs::write(&file, format!("{good}\n{{oops\n{good}\n")).unwrap();
    let (status, lines) = import(&[file.to_str().unwrap()], &out);
    assert_eq!((code(status), lines.len()), (code(1.into()), 2));
    // Misuse: writing over what is read.
    let (status, _) = import(&[out.to_str().unwrap()], &out);
    assert_eq!(code(status), code(2.into()));
}

#[test]
fn tables_give_what_json_gives() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("valueprism.csv");
    fs::write(
        &csv,
        "situation,vrd,text,explanation,valence\n\"Lending, again\",Value,Care,\"It \"\"helps\"\".\",Supports\nx,Nation,y,,Either\n",
    )
    .unwrap();
    let (source, corpus, bad, rows) = open(csv);
    assert_eq!((rows, bad.len(), bad[0].line), (1, 1, 3));
    let row: Row = source.read(corpus.item(corpus.items().next().unwrap()).unwrap().loc).unwrap();
    assert_eq!(row.item.unwrap().explanation.as_deref(), Some("It \"helps\"."));
    let waves = dir.path().join("wave.csv");
    fs::write(
        &waves,
        "question_raw,ordinal_refs,attribute,group,D_H\nHow much?,\"['A lot', 'None']\",SEX,Female,[0.4 0.6]\n",
    )
    .unwrap();
    let (_, corpus, bad, _) = open(waves);
    assert_eq!((bad.len(), corpus.perspectives()[0].name.as_str()), (0, "sex: Female"));
}

#[test]
fn parquet_tables_are_read_like_csv() {
    use parquet::{
        data_type::{ByteArray, ByteArrayType},
        file::writer::SerializedFileWriter,
        schema::parser::parse_message_type,
    };
    let columns = [
        ("situation", "Lending"),
        ("vrd", "Value"),
        ("text", "Care"),
        ("explanation", "It helps."),
        ("valence", "Supports"),
    ];
    let fields: String = columns.iter().map(|(name, _)| format!("REQUIRED BINARY {name} (UTF8);")).collect();
    let schema = parse_message_type(&format!("message rows {{ {fields} }}")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("valueprism.parquet");
    let file = fs::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema.into(), Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (_, text) in columns {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(text)], None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    let (source, corpus, bad, rows) = open(path.clone());
    assert_eq!((rows, bad.len()), (1, 0));
    let item = source.item(&corpus, corpus.items().next().unwrap()).unwrap();
    assert_eq!((item.perspective.name.as_str(), item.explanation.as_deref()), ("Care", Some("It helps.")));
    // Cut off: an error in words, and no crash.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = Source::open(&[path], None).unwrap_err().to_string();
    assert!(error.contains("cut off"), "{error}");
}
