//! Faults, each with what must come of it. Those of the worker are in `src/engine/tests.rs` (a panic fails its rows, and
//! the next command is served), those of terminals and signals in `pty.rs`.

use pluriscope::{
    core::{Item, Perspective, Trace},
    engine::{
        Engine, EngineOptions,
        local::{LocalModels, Located},
    },
    job::{Command as Ask, JobEvent, JobId},
    model::LoadOptions,
    setup::locate,
    store::{
        LoadOptions as IndexOptions, Source, load,
        models::{self, ModelDirs},
    },
};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, atomic::AtomicBool, mpsc},
    time::Duration,
};

fn row(situation: &str) -> String {
    let item = Item::value("vk", Perspective::named("Right to privacy"), situation);
    let trace = Trace::new(&item, "zero-shot-cot".into(), "It is hers.\nAnswer: B".to_owned());
    let mut row = serde_json::to_value(&item).unwrap();
    for (key, value) in serde_json::to_value(&trace).unwrap().as_object().unwrap() {
        row[key] = value.clone();
    }
    format!("{row}\n")
}

/// The program, with its folders under `home`.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pluriscope"));
    for (name, folder) in [("XDG_CONFIG_HOME", "c"), ("XDG_DATA_HOME", "d"), ("XDG_CACHE_HOME", "k")] {
        command.env(name, home.join(folder));
    }
    command
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// What loading the model that was found at `path` ends in.
fn loading(path: PathBuf, sha256: Option<String>) -> String {
    let (sender, events) = mpsc::channel();
    let provider = LocalModels::new(LoadOptions::default(), move |_| {
        Ok(Located { path: path.clone(), sha256: sha256.clone(), memory: 0 })
    });
    let emit = move |event| drop(sender.send(event));
    let engine = Engine::start(EngineOptions::default(), provider, emit).unwrap();
    engine.send(Ask::Load { job: JobId(1), model: "it".to_owned() });
    loop {
        match events.recv_timeout(Duration::from_secs(60)).unwrap() {
            JobEvent::ModelFailed { problem, .. } => return problem,
            JobEvent::ModelReady(_) => return "ready".to_owned(),
            _ => {}
        }
    }
}

#[test]
fn a_model_that_does_not_fit_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"model_type":"llama","hidden_size":65536,"intermediate_size":262144,"num_hidden_layers":400,
        "num_attention_heads":512,"vocab_size":1000000,"max_position_embeddings":4096,"rms_norm_eps":1e-5}"#;
    fs::write(folder.path().join("config.json"), config).unwrap();
    let problem = loading(folder.path().to_owned(), None);
    assert!(problem.contains("MiB"), "needed and available are named: {problem}");
}

#[test]
fn a_model_file_that_was_cut_short_or_deleted_is_an_error_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    fs::write(&path, b"GGUF\x03\0\0\0\x05\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0\0\0\0\0general").unwrap();
    assert!(loading(path.clone(), None).contains("is it complete?"));
    fs::remove_file(&path).unwrap();
    let problem = loading(path.clone(), None);
    assert!(problem.contains("model.gguf: "), "found, and deleted before it was opened: {problem}");
    fs::write(folder.path().join("items.jsonl"), row("Reading a diary")).unwrap();
    let out = program(folder.path())
        .args(["generate", "--methods", "zero-shot-cot", "--items"])
        .arg(folder.path().join("items.jsonl"))
        .arg("--model")
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("model.gguf: no model is there"), "{}", said(&out));
}

#[test]
fn a_model_file_that_changed_is_refused_by_its_hash() {
    let folder = match crate::models::smollm2() {
        Ok(folder) => folder,
        Err(reason) => {
            println!("skipped: {reason}");
            return;
        }
    };
    let entries = models::parse_entries(include_str!("../../assets/models.toml")).unwrap();
    let found = locate(&ModelDirs::new(folder), &entries, "smollm2-135m").unwrap();
    let problem = loading(found.path, Some("0".repeat(64)));
    assert!(problem.contains("damaged") && problem.contains("fetch it again"), "{problem}");
}

#[test]
fn a_corpus_that_is_cut_short_while_open_is_an_error_and_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    fs::write(&path, row("Reading a diary") + &row("Opening a letter")).unwrap();
    let source = Arc::new(Source::open(std::slice::from_ref(&path), None).unwrap());
    let mut corpus = None;
    load(&source, &IndexOptions { cache_dir: None, threads: 1 }, &AtomicBool::new(false), &mut |update| {
        corpus = update.corpus.or(corpus.take());
    });
    let corpus = corpus.unwrap();
    let items: Vec<_> = corpus.items().collect();
    assert_eq!(items.len(), 2);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(20).unwrap();
    for item in items {
        for trace in corpus.traces(item) {
            assert!(source.trace(&corpus, trace).is_err());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_a_command_with_the_files_name() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..2000).map(|i| row(&format!("Situation {i}"))).collect();
    fs::write(folder.path().join("t.jsonl"), rows).unwrap();
    // By a link, so that nothing but the link could come to harm.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("full")).unwrap();
    let out = program(folder.path())
        .current_dir(folder.path())
        .args(["import", "t.jsonl", "-o", "full"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("cannot write full"), "{}", said(&out));
    assert!(
        fs::symlink_metadata(folder.path().join("full")).unwrap().is_symlink(),
        "a device is not replaced"
    );
    // A quota in the middle of a file: the same, with what was written left as it is.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" import t.jsonl -o out.jsonl";
    let out = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_pluriscope")])
        .env("XDG_CACHE_HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .env("XDG_DATA_HOME", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("out.jsonl"), "{}", said(&out));
}

#[test]
fn without_a_home_that_can_be_written_to_everything_but_keeping_works() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing can be made below a file, whoever asks.
    let file = folder.path().join("home");
    fs::write(&file, "").unwrap();
    let out = program(&file).args(["snapshot", "--size", "100x30"]).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    assert!(String::from_utf8_lossy(&out.stdout).contains("PERSPECTIVES"));
    let out = program(&file).args(["doctor"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1), "doctor names what is wrong");
    let words = String::from_utf8_lossy(&out.stdout).into_owned();
    for what in ["model folder", "index cache"] {
        let line = words.lines().find(|line| line.contains(what)).unwrap();
        assert!(line.starts_with("!!") && line.ends_with("not there, and cannot be made"), "{line}");
    }
    assert!(words.contains("hugging face") && words.contains("standard output is no terminal"), "{words}");
}

#[test]
fn a_reader_that_goes_away_ends_every_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.jsonl"), row("Reading a diary")).unwrap();
    let commands: [&[&str]; 8] = [
        &["snapshot", "t.jsonl", "--size", "400x200"],
        &["doctor"],
        &["doctor", "--json"],
        &["models", "list"],
        &["models", "list", "--json"],
        &["demo", "--print"],
        &["completions", "bash"],
        &["man"],
    ];
    for args in commands {
        // Nobody reads from the beginning on.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = program(folder.path());
        let out = command.current_dir(folder.path()).args(args).stdout(writer).output().unwrap();
        assert!(out.status.success(), "{args:?}: {:?}, {}", out.status, said(&out));
        assert!(
            !said(&out).contains("panicked") && !said(&out).contains("error"),
            "{args:?}: {}",
            said(&out)
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let out = program(folder.path()).args(["models", "list"]).stdout(full).output().unwrap();
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).starts_with("error: stdout: No space left"), "{}", said(&out));
}

#[test]
fn a_result_file_whose_last_line_was_cut_is_mended_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checks.jsonl");
    fs::write(folder.path().join("t.jsonl"), row("Reading a diary")).unwrap();
    let check = || {
        let out = program(folder.path())
            .current_dir(folder.path())
            .args(["check", "t.jsonl", "--checks", "safety-lexical,safety-classifier", "-o", "checks.jsonl"])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", said(&out));
        fs::read_to_string(&path).unwrap()
    };
    let whole = check();
    let mut file = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    file.write_all(&whole.as_bytes()[..whole.len() - 30]).unwrap();
    let mended = check();
    assert_eq!(mended.lines().count(), 2);
    assert!(mended.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{mended}");
}
