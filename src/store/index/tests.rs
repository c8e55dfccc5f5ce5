//! Behaviours of loading: whole equals pieces, saved equals fresh, and nothing bad is fatal.

use super::*;
use crate::core::{Item, ItemIx, Letter, Outcome, Perspective, Trace, check::TraceKey};
use std::fs;

fn item(n: usize) -> Item {
    let names = ["Care", "Right to privacy", "Duty to help"];
    Item {
        gold: Some(Letter::B),
        ..Item::value("vk", Perspective::named(names[n % 3]), &format!("Situation {}", n / 3))
    }
}

fn lines(count: usize) -> String {
    let mut out = String::new();
    for n in 0..count {
        let item = item(n);
        for (method, output) in [("sft", "Answer: A"), ("rlvr", "It is theirs.\nAnswer: B")] {
            let trace = Trace::new(&item, method.into(), output.to_owned());
            out.push_str(&export::trace_line(Some(&item), &trace).unwrap());
            out.push('\n');
        }
    }
    out
}

fn open(paths: &[PathBuf]) -> Source {
    Source::open(paths, None).unwrap()
}

fn load_all(source: &Source, options: &LoadOptions) -> (Corpus, Vec<LoadUpdate>) {
    let mut updates = Vec::new();
    let corpus = load(source, options, &AtomicBool::new(false), &mut |u| updates.push(u)).unwrap();
    (corpus, updates)
}

fn bad(updates: &[LoadUpdate]) -> Vec<String> {
    updates.iter().flat_map(|u| &u.bad).map(|b| format!("{}: {}", b.line, b.reason)).collect()
}

fn seen(corpus: &Corpus) -> Vec<String> {
    let traces = |ix| {
        corpus
            .traces(ix)
            .map(|t| *corpus.trace(t).unwrap())
            .map(|t| (t.loc, t.fingerprint(), t.method(), t.outcome()))
            .collect::<Vec<_>>()
    };
    corpus
        .items()
        .map(|ix| format!("{} {:?} {:?}", corpus.title(ix), corpus.item(ix).unwrap().loc, traces(ix)))
        .collect()
}

#[test]
fn rows_are_read_back_from_where_the_index_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    fs::write(&path, lines(7)).unwrap();
    let source = open(&[path]);
    let (corpus, updates) = load_all(&source, &LoadOptions::default());
    assert_eq!((corpus.item_count(), corpus.trace_count(), bad(&updates).len()), (7, 14, 0));
    for ix in corpus.items() {
        assert_eq!(source.item(&corpus, ix).unwrap(), item(ix.0 as usize));
        for trace in corpus.traces(ix) {
            let whole = source.trace(&corpus, trace).unwrap();
            assert_eq!(corpus.methods()[usize::from(corpus.trace(trace).unwrap().method().0)], whole.method);
            assert_eq!(corpus.named(&TraceKey::of(&whole)).collect::<Vec<_>>(), [trace]);
        }
    }
    assert_eq!(corpus.outcome(ItemIx(0), corpus.method_ix("sft").unwrap()), Outcome::Wrong);
}

#[test]
fn growing_snapshots_end_in_the_whole_and_threads_do_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    fs::write(&path, lines(6000)).unwrap();
    let (one, updates) =
        load_all(&open(std::slice::from_ref(&path)), &LoadOptions { threads: 1, ..LoadOptions::default() });
    let (three, _) = load_all(&open(&[path]), &LoadOptions { threads: 3, ..LoadOptions::default() });
    assert_eq!(seen(&one), seen(&three));
    let first = updates[0].corpus.as_ref().unwrap();
    assert!(first.item_count() > 0 && first.item_count() < one.item_count());
    assert_eq!(seen(first)[0], seen(&one)[0]);
    assert!(updates.last().unwrap().progress.done);
}

#[test]
fn a_saved_index_equals_a_fresh_one_and_a_changed_file_is_indexed_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    let text = lines(6000) + "{broken\n";
    fs::write(&path, &text).unwrap();
    let options = LoadOptions { cache_dir: Some(dir.path().join("cache")), threads: 1 };
    let (fresh, first) = load_all(&open(std::slice::from_ref(&path)), &options);
    assert_eq!(fs::read_dir(dir.path().join("cache")).unwrap().count(), 1);
    let (saved, second) = load_all(&open(std::slice::from_ref(&path)), &options);
    assert_eq!(seen(&saved), seen(&fresh));
    assert_eq!((second.len(), bad(&second)), (1, bad(&first)));
    assert_eq!(first.last().unwrap().progress, second[0].progress);
    fs::write(&path, text + &lines(6001)[lines(6000).len()..]).unwrap();
    assert_eq!(load_all(&open(&[path]), &options).0.item_count(), 6001);
}

#[test]
fn a_damaged_index_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    fs::write(&path, lines(6000)).unwrap();
    let options = LoadOptions { cache_dir: Some(dir.path().join("cache")), threads: 1 };
    let (fresh, _) = load_all(&open(std::slice::from_ref(&path)), &options);
    let index = fs::read_dir(dir.path().join("cache")).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&index).unwrap();
    for damage in [vec![], good[..good.len() / 2].to_vec(), {
        let mut b = good.clone();
        b[good.len() / 2] ^= 1;
        b
    }] {
        fs::write(&index, damage).unwrap();
        assert_eq!(seen(&load_all(&open(std::slice::from_ref(&path)), &options).0), seen(&fresh));
    }
}

#[test]
fn bad_lines_are_listed_with_number_and_reason_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    let good = lines(1);
    let mut bytes = good.as_bytes().to_vec();
    bytes.extend(b"\n[1, 2]\n");
    bytes.extend(b"{\"text\": \"\xff\"}\n");
    bytes.extend(&good.as_bytes()[..good.find('\n').unwrap() + 1]);
    bytes.extend(br#"{"item_id": "00000000000000000000000000000007", "method": "sft", "llm_output": "?", "cot": "", "predicted_answer": ""}"#);
    bytes.extend(b"\n{\"item_id\": \"0000");
    fs::write(&path, bytes).unwrap();
    let (corpus, updates) = load_all(&open(&[path]), &LoadOptions::default());
    let bad = bad(&updates);
    assert_eq!(bad.iter().map(|b| &b[..2]).collect::<Vec<_>>(), ["4:", "5:", "8:"], "{bad:?}");
    assert!(bad[1].contains("not UTF-8") && bad[2].contains("cut off"), "{bad:?}");
    assert_eq!((corpus.repeat_count(), corpus.unknown_items().count()), (1, 1));
}

#[test]
fn files_that_are_no_corpus_get_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8], says: &str| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = match Source::open(&[path], None) {
            Ok(source) => {
                let (_, updates) = load_all(&source, &LoadOptions::default());
                format!("{:?} {:?}", bad(&updates), updates.last().unwrap().problems)
            }
            Err(error) => error.to_string(),
        };
        assert!(error.contains(says), "{name}: {error}");
    };
    check("a.jsonl", b"\x00\x01\x02", "not a text file");
    check("b.jsonl", b"\x1f\x8b\x08", "gunzip");
    check("c.jsonl", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull");
    check("d.json", b"{\"a\": 1}", "its records have a");
    check("e.parquet", b"PAR1 cut off", "Parquet");
    check(
        "f.json",
        br#"[{"situation": "x", "vrd": "Care", "label": "A"}, {"situation": "y", "vr"#,
        "cut off",
    );
    check("g.csv", b"situation,vrd,text,valence\nx,Value\n", "2 columns instead of 4");
    check("i.json", br#"[{"situation": "x"#, "cut off");
    check("j.jsonl", &vec![b'{'; 50 << 20], "50 MiB long");
    check("h.jsonl", b"words and more words\nand no end of them\n", "not known");
    assert!(Source::open(&[dir.path().join("none")], None).unwrap_err().to_string().contains("none"));
}

#[test]
fn a_file_cut_short_while_open_is_an_error_and_no_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    fs::write(&path, lines(5)).unwrap();
    let source = open(std::slice::from_ref(&path));
    let (corpus, _) = load_all(&source, &LoadOptions::default());
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
    let error = source.item(&corpus, ItemIx(3)).unwrap_err().to_string();
    assert!(error.contains("changed since it was indexed"), "{error}");
}

#[test]
fn a_folder_opens_its_known_files_and_explanations_join() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.json"), r#"[{"situation": "Lending", "vrd": "Care", "label": "A"}]"#)
        .unwrap();
    fs::write(
        dir.path().join("b.json"),
        r#"[{"situation": "Lending", "vrd": ["Care"], "explanation": ["It helps."]}]"#,
    )
    .unwrap();
    fs::write(dir.path().join("notes.txt"), "nothing").unwrap();
    let source = open(&[dir.path().to_owned()]);
    let (corpus, _) = load_all(&source, &LoadOptions::default());
    assert_eq!((source.files().len(), source.skipped.len(), corpus.item_count()), (2, 1, 1));
    assert_eq!(source.item(&corpus, ItemIx(0)).unwrap().explanation.as_deref(), Some("It helps."));
}

#[test]
fn live_traces_are_read_back_like_any_other() {
    let source = open(&[]);
    let item = Arc::new(item(0));
    let trace = Arc::new(Trace::new(&item, "sft".into(), "Answer: B".to_owned()));
    let loc = source.hold(Arc::clone(&item), Arc::clone(&trace));
    let corpus = Corpus::default().with_trace(&item, &trace, loc);
    let ix = corpus.traces(ItemIx(0)).next().unwrap();
    assert_eq!(source.trace(&corpus, ix).unwrap(), *trace);
    assert_eq!(source.item(&corpus, ItemIx(0)).unwrap(), *item);
}

#[test]
fn loading_stops_when_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    fs::write(&path, lines(5)).unwrap();
    assert!(load(&open(&[path]), &LoadOptions::default(), &AtomicBool::new(true), &mut |_| {}).is_none());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_read_or_refused(
        head in proptest::sample::select(vec!["", "{", "[", "PAR1", "a,b\n", "situation,vrd,text,valence\n", "[{\"situation\":\"x\",\"vrd\":\"y\",\"label\":\"A\"},", "{\"text\":\"x\",\"perspective\":\"y\"}\n"]),
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
    ) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &[head.as_bytes(), &bytes].concat()).unwrap();
        if let Ok(source) = Source::open(&[file.path().to_owned()], None) {
            load_all(&source, &LoadOptions::default());
        }
    }
}
