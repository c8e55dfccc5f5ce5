//! Parsers of files, replies and lines that others write, one function each: any bytes in, nothing out.
//!
//! What fuzzers call, those of `fuzz/` and the short run in the tests. None of them may crash, ask for memory that the
//! bytes do not justify, or touch a path that the bytes name. Not among them are the two
//! small files beside weights of which only end tokens and the chat template are taken (`generation_config.json`,
//! `tokenizer_config.json`), and indexes and the library, which this program alone writes and nobody passes on.

use crate::{
    app::{Keymap, demo},
    config::{BaseDirs, Config, ConfigArgs},
    core::{
        Item, Message, Perspective, Prompt, Role, Template, Trace,
        annotation::{DEFAULT_RUBRIC, rubric::Rubric},
        check::{CheckId, overview::overview},
        method,
        query::Query,
        safety::classifier::Classifier,
    },
    engine::remote::{chat, logprobs, sse::Events},
    model::{
        chat::ChatTemplate,
        config::Config as ModelConfig,
        gguf::Gguf,
        linear::Precision,
        peft::{self, LoraConfig},
        safetensors::SafetensorsFolder,
        tokenizer::TextTokenizer,
    },
    store::{
        Context, Format, Library, LoadOptions, Source,
        annotations::{NewProject, NewTask, formats::import::ImportOptions},
        check_results, load, models, source,
    },
    train::{checkpoint::State, event_log, lora::Lora},
    ui::export::cast,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// A parser under test.
pub type Target = (&'static str, fn(&[u8]));

/// All of them by name, as `fuzz/fuzz_targets` and `tests/it/hostile` know them.
pub const TARGETS: [Target; 23] = [
    ("traces", traces),
    ("tables", tables),
    ("gguf", gguf),
    ("safetensors", safetensors),
    ("adapter_config", adapter_config),
    ("adapter", adapter),
    ("model_config", model_config),
    ("chat_template", chat_template),
    ("tokenizer", tokenizer),
    ("tfevents", tfevents),
    ("check_results", check_results),
    ("labels", labels),
    ("checkpoint", checkpoint),
    ("query", query),
    ("config", config),
    ("keymap", keymap),
    ("methods", methods),
    ("template", template),
    ("rubric", rubric),
    ("playlist", playlist),
    ("cast", cast_file),
    ("server", server),
    ("classifier", classifier),
];

/// A folder that goes with the value; fuzzers run many of these.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, bytes: &[u8]) -> Option<Folder> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("pluriscope-hostile-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).ok()?;
        let folder = Folder(folder);
        fs::write(folder.0.join(name), bytes).ok()?;
        Some(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is the system's to clean.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// JSON Lines of items and traces: detected, indexed, and read in every format.
pub fn traces(bytes: &[u8]) {
    let Some(folder) = Folder::with("rows.jsonl", bytes) else { return };
    open(&folder.file("rows.jsonl"));
    for line in text(bytes).lines().take(50) {
        for format in Format::ALL {
            let _ = crate::store::readers::line(format, line, &Context::of(Path::new("x.jsonl")));
        }
    }
}

/// JSON, CSV and Parquet.
pub fn tables(bytes: &[u8]) {
    for name in ["rows.json", "rows.csv", "rows.parquet"] {
        let Some(folder) = Folder::with(name, bytes) else { return };
        let path = folder.file(name);
        if let Ok(layout) = crate::store::detect::detect(&path, None) {
            let _ = source::read_all(&path, layout, &Context::of(&path), &mut |_, _| {});
        }
    }
}

fn open(path: &Path) {
    let Ok(source) = Source::open(&[path.to_owned()], None) else { return };
    let source = std::sync::Arc::new(source);
    let options = LoadOptions { cache_dir: None, threads: 1 };
    let mut corpus = None;
    load(&source, &options, &AtomicBool::new(false), &mut |update| corpus = update.corpus.or(corpus.take()));
    let Some(corpus) = corpus else { return };
    for ix in corpus.items().take(100) {
        let _ = source.item(&corpus, ix);
        for trace in corpus.traces(ix) {
            let _ = source.trace(&corpus, trace);
        }
    }
}

/// A GGUF header, its configuration and its tokenizer.
pub fn gguf(bytes: &[u8]) {
    let Some(folder) = Folder::with("model.gguf", bytes) else { return };
    let path = folder.file("model.gguf");
    if let Ok(gguf) = Gguf::open(&path) {
        let _ = TextTokenizer::from_gguf(&gguf, &path);
    }
}

/// A safetensors header.
pub fn safetensors(bytes: &[u8]) {
    let Some(folder) = Folder::with("model.safetensors", bytes) else { return };
    if let Ok(open) = SafetensorsFolder::open(&folder.0) {
        let _ = open.names().count();
    }
}

/// `adapter_config.json`.
pub fn adapter_config(bytes: &[u8]) {
    let Some(folder) = Folder::with("adapter_config.json", bytes) else { return };
    let _ = LoraConfig::read(&folder.0);
}

/// The model that [`adapter`] is for, as its `config.json`.
pub const ADAPTED: &str = r#"{"model_type":"llama","hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,
    "num_attention_heads":2,"num_key_value_heads":1,"vocab_size":16,"max_position_embeddings":64,"rms_norm_eps":1e-5}"#;

/// An adapter for a tiny model: its settings up to the first line's end, then its tensors.
pub fn adapter(bytes: &[u8]) {
    let (settings, tensors) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len()));
    let Some(folder) = Folder::with("adapter_config.json", settings) else { return };
    let tensors = tensors.get(1..).unwrap_or_default();
    let Ok(()) = fs::write(folder.file("adapter_model.safetensors"), tensors) else { return };
    let Ok(config) = ModelConfig::from_json(ADAPTED, Path::new("config.json")) else { return };
    let _ = peft::load(&folder.0, &config, Precision::F32);
    let _ = Lora::load(&folder.0, &config, 0.0);
}

/// `config.json` of a model, and the angles that follow from it.
pub fn model_config(bytes: &[u8]) {
    if let Ok(config) = ModelConfig::from_json(&text(bytes), Path::new("config.json")) {
        let _ = config.rope.frequencies(config.head_dim);
    }
}

/// The chat template of a model, rendered.
pub fn chat_template(bytes: &[u8]) {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    let messages = vec![message(Role::System, "Be brief."), message(Role::User, "Whose coin is it?")];
    let prompt = Prompt { messages, prefill: "It is".to_owned() };
    if let Ok(template) = ChatTemplate::new(Some(text(bytes).into_owned()), "<s>".into(), "</s>".into()) {
        let _ = template.render(&prompt);
    }
}

/// `tokenizer.json`, and a text through it.
pub fn tokenizer(bytes: &[u8]) {
    let Some(folder) = Folder::with("tokenizer.json", bytes) else { return };
    if let Ok(tokenizer) = TextTokenizer::from_file(&folder.file("tokenizer.json"))
        && let Ok(tokens) = tokenizer.encode("It is theirs, not mine: 日本 \u{1f600}")
    {
        let _ = tokenizer.decode(&tokens);
    }
}

/// TensorBoard event files.
pub fn tfevents(bytes: &[u8]) {
    let Some(folder) = Folder::with("events", bytes) else { return };
    let _ = event_log::read(&folder.file("events"));
}

/// Lines of `check -o`, and what the audit makes of them.
pub fn check_results(bytes: &[u8]) {
    let Some(folder) = Folder::with("checks.jsonl", bytes) else { return };
    let _ = check_results::holds_records(&folder.file("checks.jsonl"));
    let Ok((records, _)) = check_results::read_records(&folder.file("checks.jsonl")) else { return };
    for check in CheckId::ALL {
        let _ = overview(&records.iter().collect::<Vec<_>>(), Some(check));
    }
}

/// Labels as Label Studio or a table has them, into a project of one trace.
pub fn labels(bytes: &[u8]) {
    let item = Item::value("x", Perspective::named("Honesty"), "Keeping a found coin");
    let trace = Trace::new(&item, "sft".into(), "It is theirs.\nAnswer: B".to_owned());
    let (Ok(rubric), Ok(mut library)) = (Rubric::parse(DEFAULT_RUBRIC), Library::in_memory()) else { return };
    let new = NewProject { name: "x", rubric: &rubric, query: "" };
    let Ok(id) = library.new_project(&new, 1) else { return };
    let task = NewTask { item: &item, trace: &trace, annotators: vec!["ada".to_owned()] };
    let (Ok(_), Ok(project)) = (library.add_tasks(id, &[task]), library.project(None)) else { return };
    for name in ["labels.jsonl", "labels.json", "labels.csv", "labels.parquet"] {
        let Some(folder) = Folder::with(name, bytes) else { return };
        let options = ImportOptions { annotator: Some("ada".to_owned()), replace: true };
        let _ = library.import_labels(&project, &folder.file(name), &options, 2);
    }
}

/// A checkpoint of training.
pub fn checkpoint(bytes: &[u8]) {
    let Some(folder) = Folder::with("state.safetensors", bytes) else { return };
    let _ = State::load(&folder.0, 4);
}

/// A filter as one line; what it is shown as is read again.
pub fn query(bytes: &[u8]) {
    if let Ok(query) = Query::parse(&text(bytes)) {
        let _ = Query::parse(&query.to_string());
    }
}

/// `config.toml`.
pub fn config(bytes: &[u8]) {
    let Some(folder) = Folder::with("config.toml", bytes) else { return };
    let args = ConfigArgs { config: Some(folder.file("config.toml")), ..ConfigArgs::default() };
    let (config, data, cache) = (folder.file("c"), folder.file("d"), folder.file("k"));
    let _ = Config::from_parts(&args, |_| None, &BaseDirs { config, data, cache });
}

/// A user's keymap.
pub fn keymap(bytes: &[u8]) {
    let _ = Keymap::load(Some(&text(bytes)));
}

/// `methods.toml` and `models.toml`.
pub fn methods(bytes: &[u8]) {
    let _ = method::parse_methods(&text(bytes));
    let entries = models::parse_entries(&text(bytes)).unwrap_or_default();
    let _ = models::ModelRef::parse(&text(bytes), &entries);
}

/// A prompt template, rendered.
pub fn template(bytes: &[u8]) {
    let item = Item::value("x", Perspective::named("Honesty"), "Keeping a found coin");
    if let Ok(template) = Template::parse("x", &text(bytes)) {
        let _ = template.render(&item);
    }
}

/// A rubric.
pub fn rubric(bytes: &[u8]) {
    let _ = Rubric::parse(&text(bytes));
}

/// A demo's playlist.
pub fn playlist(bytes: &[u8]) {
    let _ = demo::parse(&text(bytes));
}

/// An asciicast.
pub fn cast_file(bytes: &[u8]) {
    let text = text(bytes);
    let _ = cast::parse(&text);
    let _ = cast::playable(&text);
}

/// What a server sends: events, pieces, scores, a moderation verdict.
pub fn server(bytes: &[u8]) {
    let mut events = Events::default();
    let mut found = Vec::new();
    for part in bytes.chunks(7) {
        match events.push(part) {
            Ok(more) => found.extend(more),
            Err(_) => return,
        }
    }
    found.extend(events.finish().ok().flatten());
    found.push(text(bytes).into_owned());
    for data in found {
        let _ = chat::piece(&data);
        let _ = logprobs::prompt_tokens(&data);
        let _ = logprobs::echoed_tokens(&data, "text");
        let _ = logprobs::top_tokens(&data);
        let _ = crate::core::safety::moderation::judge("One step. Another.", &data);
    }
}

/// Weights of the safety classifier.
pub fn classifier(bytes: &[u8]) {
    if let Ok(classifier) = Classifier::from_bytes(bytes) {
        let _ = classifier.assess("some text");
    }
}
