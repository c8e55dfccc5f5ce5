//! Text to tokens and back: `tokenizer.json`, or the same built from GGUF metadata.

use super::{error::ModelError, gguf::Gguf};
use candle_core::quantized::gguf_file::Value;
use std::path::Path;
use tokenizers::{
    AddedToken, SplitDelimiterBehavior, Tokenizer,
    decoders::byte_level::ByteLevel as ByteLevelDecoder,
    models::bpe::{BPE, Vocab},
    normalizers::unicode::NFC,
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

/// Split pattern of Llama 3.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Split pattern of Qwen2.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The library panics over some damaged files instead of refusing them.
fn guarded<T>(path: &Path, build: impl FnOnce() -> Result<T, ModelError>) -> Result<T, ModelError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(build))
        .unwrap_or_else(|_| Err(ModelError::format(path, "the tokenizer in it is damaged")))
}

/// A tokenizer in two moods: with special tokens for prompts, and without for plain text.
pub struct TextTokenizer {
    prompt: Tokenizer,
    plain: Tokenizer,
}

impl TextTokenizer {
    /// Reads `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<TextTokenizer, ModelError> {
        guarded(path, || {
            Tokenizer::from_file(path)
                .map(TextTokenizer::new)
                .map_err(|e| ModelError::format(path, format!("not a tokenizer: {e}")))
        })
    }

    /// Builds the tokenizer that a GGUF file describes.
    pub fn from_gguf(gguf: &Gguf, path: &Path) -> Result<TextTokenizer, ModelError> {
        guarded(path, || TextTokenizer::of_gguf(gguf, path))
    }

    fn of_gguf(gguf: &Gguf, path: &Path) -> Result<TextTokenizer, ModelError> {
        let model = gguf.string("tokenizer.ggml.model").unwrap_or("none");
        if model != "gpt2" {
            return Err(ModelError::unsupported(
                path,
                format!("a GGUF tokenizer of kind `{model}`"),
                "put the model's tokenizer.json beside the file",
            ));
        }
        let tokens = strings(gguf, "tokenizer.ggml.tokens", path)?;
        let merges = strings(gguf, "tokenizer.ggml.merges", path)?
            .iter()
            .map(|merge| match merge.split_once(' ') {
                Some((a, b)) => Ok((a.to_owned(), b.to_owned())),
                None => Err(ModelError::format(path, format!("bad tokenizer merge `{merge}`"))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let kind = gguf.string("tokenizer.ggml.pre").unwrap_or("default");
        let (pre, ignore_merges, normalise) = pre_tokenizer(kind, path)?;
        let vocabulary: Vocab =
            tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id as u32)).collect();
        let bpe = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .ignore_merges(ignore_merges)
            .build()
            .map_err(tokenizer_error)?;
        let mut tokenizer = Tokenizer::new(bpe);
        tokenizer.with_pre_tokenizer(Some(pre)).with_decoder(Some(ByteLevelDecoder::default()));
        if normalise {
            tokenizer.with_normalizer(Some(NFC)).map_err(tokenizer_error)?;
        }
        let types = gguf.list("tokenizer.ggml.token_type").unwrap_or(&[]);
        for (token, kind) in tokens.iter().zip(types) {
            // ggml token types: 3 control, 4 user-defined.
            match kind.to_i32().ok().or_else(|| kind.to_u32().ok().and_then(|k| i32::try_from(k).ok())) {
                Some(3) => tokenizer.add_special_tokens([AddedToken::from(*token, true).normalized(false)]),
                Some(4) => tokenizer.add_tokens([AddedToken::from(*token, false).normalized(false)]),
                _ => continue,
            }
            .map_err(tokenizer_error)?;
        }
        Ok(TextTokenizer::new(tokenizer))
    }

    fn new(mut prompt: Tokenizer) -> TextTokenizer {
        let _ = prompt.with_truncation(None);
        prompt.with_padding(None);
        let mut plain = prompt.clone();
        plain.set_encode_special_tokens(true);
        TextTokenizer { prompt, plain }
    }

    /// Tokens of a rendered prompt, in which special tokens are written out.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        self.prompt.encode_fast(text, false).map(|e| e.get_ids().to_vec()).map_err(tokenizer_error)
    }

    /// Tokens of plain text: what looks like a special token is text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        self.plain.encode_fast(text, false).map(|e| e.get_ids().to_vec()).map_err(tokenizer_error)
    }

    /// The text of tokens, special ones left out.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        self.plain.decode(tokens, true).map_err(tokenizer_error)
    }

    /// The id of a token by its text.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.plain.token_to_id(token)
    }

    /// The text of a token, special ones included.
    pub fn token(&self, id: u32) -> Option<String> {
        self.plain.id_to_token(id)
    }
}

type Pre = (PreTokenizerWrapper, bool, bool);

/// The pre-tokenizer of a `tokenizer.ggml.pre` name, whether whole words skip the merges, and whether
/// text is normalised (NFC).
fn pre_tokenizer(kind: &str, path: &Path) -> Result<Pre, ModelError> {
    let bytes = |regex: bool| PreTokenizerWrapper::from(ByteLevel::new(false, true, regex));
    let split = |pattern: &str| {
        Split::new(SplitPattern::Regex(pattern.to_owned()), SplitDelimiterBehavior::Isolated, false)
            .map(PreTokenizerWrapper::from)
            .map_err(tokenizer_error)
    };
    let sequence = |parts: Vec<PreTokenizerWrapper>| PreTokenizerWrapper::from(Sequence::new(parts));
    match kind {
        "default" | "gpt-2" => Ok((bytes(true), false, false)),
        "smollm" => Ok((sequence(vec![Digits::new(true).into(), bytes(true)]), false, false)),
        "llama3" | "llama-v3" | "llama-bpe" => {
            Ok((sequence(vec![split(LLAMA3)?, bytes(false)]), true, false))
        }
        "qwen2" | "deepseek-r1-qwen" => Ok((sequence(vec![split(QWEN2)?, bytes(false)]), false, true)),
        other => Err(ModelError::unsupported(
            path,
            format!("the GGUF pre-tokenizer `{other}`"),
            "put the model's tokenizer.json beside the file",
        )),
    }
}

fn strings<'a>(gguf: &'a Gguf, key: &str, path: &Path) -> Result<Vec<&'a str>, ModelError> {
    let values = gguf.list(key).ok_or_else(|| ModelError::format(path, format!("no `{key}` in the file")))?;
    values
        .iter()
        .map(|value| match value {
            Value::String(text) => Ok(text.as_str()),
            _ => Err(ModelError::format(path, format!("`{key}` is not a list of texts"))),
        })
        .collect()
}

fn tokenizer_error(error: impl std::fmt::Display) -> ModelError {
    ModelError::Tokenizer(error.to_string())
}
