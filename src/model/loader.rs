//! From a file or folder to a ready model: format, precision, memory, hash, weights, tokenizer.

use super::{
    chat::ChatTemplate,
    config::{Config, OneOrMany},
    decoder::Decoder,
    error::ModelError,
    gguf::Gguf,
    linear::Precision,
    safetensors::SafetensorsFolder,
    tokenizer::TextTokenizer,
    weights::WeightSource,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::Read,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// How weights shall be held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightChoice {
    /// Quantised files as `q8`; others as `f32` up to 2 GiB of floats, `q8` above.
    #[default]
    Auto,
    Q8,
    F32,
}

/// What may be chosen when a model is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    pub weights: WeightChoice,
    /// Compute threads; all cores by default.
    pub threads: Option<usize>,
}

/// What loading is busy with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadProgress {
    pub stage: &'static str,
    /// Share of the stage that is done, 0 to 1.
    pub fraction: f32,
}

/// Hears of progress, and may stop it with `Break`.
pub type OnProgress<'a> = dyn FnMut(LoadProgress) -> ControlFlow<()> + 'a;

/// The parts of a loaded model.
pub(super) struct Parts {
    pub decoder: Decoder,
    pub tokenizer: TextTokenizer,
    pub chat: ChatTemplate,
    pub end_tokens: Vec<u32>,
    pub precision: Precision,
    pub hash: String,
}

/// `auto` takes 32-bit floats up to this many bytes of them.
const F32_LIMIT: u64 = 2 << 30;

/// Tokens that end a turn in one family or another, where the vocabulary has them.
const END_TOKENS: [&str; 6] =
    ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", "</s>"];

/// Loads a `.gguf` file, or a folder with `config.json`, `tokenizer.json` and safetensors.
pub(super) fn load(
    source: &Path,
    options: &LoadOptions,
    progress: &mut OnProgress<'_>,
) -> Result<Parts, ModelError> {
    if source.is_dir() {
        load_folder(source, options, progress)
    } else {
        load_gguf(source, options, progress)
    }
}

fn load_gguf(path: &Path, options: &LoadOptions, progress: &mut OnProgress<'_>) -> Result<Parts, ModelError> {
    step(progress, "reading header", 0.0)?;
    let mut gguf = Gguf::open(path)?;
    let config = gguf.config().clone();
    let precision = match options.weights {
        WeightChoice::Auto if gguf.is_quantised() => Precision::Q8,
        choice => precision(choice, &config),
    };
    check_memory(path, &config, precision)?;
    let hash = hash(&[path.to_owned()], progress)?;
    step(progress, "reading tokenizer", 0.0)?;
    let beside = path.with_file_name("tokenizer.json");
    let tokenizer = match TextTokenizer::from_gguf(&gguf, path) {
        Err(ModelError::Unsupported { .. }) if beside.is_file() => TextTokenizer::from_file(&beside)?,
        built => built?,
    };
    let text = |key: &str| gguf.token(key).and_then(|id| tokenizer.token(id)).unwrap_or_default();
    let chat = ChatTemplate::new(
        gguf.string("tokenizer.chat_template").map(str::to_owned),
        text("tokenizer.ggml.bos_token_id"),
        text("tokenizer.ggml.eos_token_id"),
    )?;
    finish(&mut gguf, config, precision, tokenizer, chat, hash, progress)
}

fn load_folder(
    folder: &Path,
    options: &LoadOptions,
    progress: &mut OnProgress<'_>,
) -> Result<Parts, ModelError> {
    step(progress, "reading header", 0.0)?;
    let file = |name: &str| folder.join(name);
    let config_path = file("config.json");
    let text = fs::read_to_string(&config_path).map_err(ModelError::io(&config_path))?;
    let mut config = Config::from_json(&text, &config_path)?;
    // Generation settings know more end tokens than the architecture does.
    if let Ok(text) = fs::read_to_string(file("generation_config.json"))
        && let Ok(generation) = serde_json::from_str::<GenerationConfig>(&text)
    {
        config.end_tokens.extend(generation.eos_token_id.map_or(Vec::new(), OneOrMany::into_vec));
    }
    let precision = precision(options.weights, &config);
    check_memory(folder, &config, precision)?;
    let mut source = SafetensorsFolder::open(folder)?;
    let hash = hash(&source.files(), progress)?;
    step(progress, "reading tokenizer", 0.0)?;
    let tokenizer = TextTokenizer::from_file(&file("tokenizer.json"))?;
    let settings = fs::read_to_string(file("tokenizer_config.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<TokenizerConfig>(&text).ok())
        .unwrap_or_default();
    let template = fs::read_to_string(file("chat_template.jinja")).ok().or(settings.chat_template.and_then(
        |t| match t {
            Templates::One(text) => Some(text),
            Templates::Many(all) => all.into_iter().find(|t| t.name == "default").map(|t| t.template),
        },
    ));
    let word = |token: Option<TokenText>| token.map(TokenText::text).unwrap_or_default();
    let chat = ChatTemplate::new(template, word(settings.bos_token), word(settings.eos_token))?;
    finish(&mut source, config, precision, tokenizer, chat, hash, progress)
}

fn finish(
    source: &mut dyn WeightSource,
    config: Config,
    precision: Precision,
    tokenizer: TextTokenizer,
    chat: ChatTemplate,
    hash: String,
    progress: &mut OnProgress<'_>,
) -> Result<Parts, ModelError> {
    let mut end_tokens = config.end_tokens.clone();
    end_tokens.extend(END_TOKENS.iter().filter_map(|token| tokenizer.id(token)));
    end_tokens.sort_unstable();
    end_tokens.dedup();
    let decoder = Decoder::load(source, config, precision, &mut |fraction| {
        progress(LoadProgress { stage: "loading weights", fraction })
    })?;
    step(progress, "ready", 1.0)?;
    Ok(Parts { decoder, tokenizer, chat, end_tokens, precision, hash })
}

fn step(progress: &mut OnProgress<'_>, stage: &'static str, fraction: f32) -> Result<(), ModelError> {
    match progress(LoadProgress { stage, fraction }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ModelError::Cancelled),
    }
}

fn precision(choice: WeightChoice, config: &Config) -> Precision {
    match choice {
        WeightChoice::Q8 => Precision::Q8,
        WeightChoice::F32 => Precision::F32,
        WeightChoice::Auto if config.parameters() * 4 <= F32_LIMIT => Precision::F32,
        WeightChoice::Auto => Precision::Q8,
    }
}

/// Refuses what would not fit, before anything large is read.
fn check_memory(path: &Path, config: &Config, precision: Precision) -> Result<(), ModelError> {
    let weights = match precision {
        // 32 bytes and a half float for every 32 weights.
        Precision::Q8 => config.parameters() * 34 / 32,
        Precision::F32 => config.parameters() * 4,
    };
    // While loading, the largest tensor also exists as floats, twice.
    let largest = (config.vocabulary.max(2 * config.intermediate) * config.hidden * 8) as u64;
    let needed = weights + largest;
    match available_memory() {
        Some(available) if needed > available => Err(ModelError::Memory {
            path: path.to_owned(),
            needed_mib: needed >> 20,
            available_mib: available >> 20,
        }),
        _ => Ok(()),
    }
}

/// Memory that can be had without swapping, in bytes, where the system says.
pub fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The first 16 hexadecimal digits of the SHA-256 over the files' bytes, in order.
fn hash(paths: &[PathBuf], progress: &mut OnProgress<'_>) -> Result<String, ModelError> {
    let mut total = 0;
    for path in paths {
        total += fs::metadata(path).map_err(ModelError::io(path))?.len();
    }
    let mut digest = Sha256::new();
    let mut buffer = vec![0u8; 4 << 20];
    let mut done = 0;
    for path in paths {
        let mut file = File::open(path).map_err(ModelError::io(path))?;
        loop {
            step(progress, "checking file", done as f32 / total.max(1) as f32)?;
            let read = file.read(&mut buffer).map_err(ModelError::io(path))?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
            done += read as u64;
        }
    }
    Ok(digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

#[derive(Deserialize)]
struct GenerationConfig {
    eos_token_id: Option<OneOrMany>,
}

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    chat_template: Option<Templates>,
    bos_token: Option<TokenText>,
    eos_token: Option<TokenText>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Many(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

/// A token as text, or as an object with its `content`.
#[derive(Deserialize)]
#[serde(untagged)]
enum TokenText {
    Plain(String),
    Object { content: String },
}

impl TokenText {
    fn text(self) -> String {
        match self {
            TokenText::Plain(text) | TokenText::Object { content: text } => text,
        }
    }
}
