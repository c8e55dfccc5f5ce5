//! [`Model`]: a loaded model that runs on this machine.

use super::{
    AdapterIx, ForwardRow, LanguageModel, ModelInfo,
    attention::{CachedAttention, CachedRow},
    cache::{CacheShape, Sequence},
    chat::ChatTemplate,
    config::Config,
    decoder::Decoder,
    error::ModelError,
    linear::Precision,
    loader::{self, LoadOptions, OnProgress},
    lora::{Adapter, AdapterRows},
    tokenizer::TextTokenizer,
};
use crate::core::Prompt;
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::{path::Path, sync::Arc};

/// Tokens of all rows that go through the layers together; long prompts go in pieces of this.
const CHUNK: usize = 512;

/// A decoder with its tokenizer, chat template, adapters and threads.
pub struct Model {
    info: ModelInfo,
    decoder: Decoder,
    tokenizer: TextTokenizer,
    chat: ChatTemplate,
    end_tokens: Vec<u32>,
    frequencies: Vec<f32>,
    cache: CacheShape,
    precision: Precision,
    adapters: Vec<Adapter>,
    threads: Arc<rayon::ThreadPool>,
}

impl Model {
    /// Loads a `.gguf` file or a folder of safetensors; `progress` hears what goes on and may stop it.
    pub fn load(
        source: &Path,
        options: &LoadOptions,
        progress: &mut OnProgress<'_>,
    ) -> Result<Model, ModelError> {
        let parts = loader::load(source, options, progress)?;
        let config = &parts.decoder.config;
        let threads = options.threads.unwrap_or_else(rayon::current_num_threads);
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("decoder-{i}"))
            .build()
            .map_err(|e| ModelError::format(source, format!("cannot start compute threads: {e}")))?;
        Ok(Model {
            info: ModelInfo {
                architecture: config.architecture.word().to_owned(),
                parameters: config.parameters(),
                weights: parts.precision.word().to_owned(),
                memory_bytes: parts.decoder.bytes(),
                context: config.context,
                vocabulary: config.vocabulary,
                hash: parts.hash,
            },
            frequencies: config.rope.frequencies(config.head_dim),
            cache: CacheShape { layers: config.layers, kv_heads: config.kv_heads, head_dim: config.head_dim },
            decoder: parts.decoder,
            tokenizer: parts.tokenizer,
            chat: parts.chat,
            end_tokens: parts.end_tokens,
            precision: parts.precision,
            adapters: Vec::new(),
            threads: Arc::new(threads),
        })
    }

    /// Memory that one sequence of `len` positions holds, in bytes, if it shares nothing.
    pub fn sequence_bytes(&self, len: usize) -> u64 {
        (len.div_ceil(super::kernels::attention::PAGE) * self.cache.page_bytes()) as u64
    }

    /// The model's dimensions.
    pub fn config(&self) -> &Config {
        &self.decoder.config
    }

    /// The tokenizer, for uses beyond [`LanguageModel`].
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// The tokenizer alone; the weights are let go.
    pub fn into_tokenizer(self) -> TextTokenizer {
        self.tokenizer
    }

    fn check(&self, rows: &[ForwardRow<'_, Sequence>]) -> Result<(), ModelError> {
        for row in rows {
            let wanted = row.sequence.len() + row.tokens.len();
            if wanted > self.info.context {
                return Err(ModelError::Context { wanted, context: self.info.context });
            }
            if let Some(token) = row.tokens.iter().find(|t| **t as usize >= self.info.vocabulary) {
                return Err(ModelError::Token(*token));
            }
            if let Some(slot) = row.adapter.filter(|a| a.0 as usize >= self.adapters.len()) {
                return Err(ModelError::AdapterSlot(slot.0));
            }
        }
        Ok(())
    }

    /// Runs pieces of rows, at most one per row: `(row, first token, tokens)`.
    fn run(
        &self,
        rows: &mut [ForwardRow<'_, Sequence>],
        pieces: &[(usize, usize, usize)],
        logits: &mut [Vec<f32>],
    ) -> Result<(), ModelError> {
        let mut tokens = Vec::new();
        let mut wanted: Vec<(usize, usize)> = Vec::new();
        let mut groups: Vec<(AdapterIx, Vec<usize>)> = Vec::new();
        for &(index, first, count) in pieces {
            let row = &rows[index];
            let start = tokens.len();
            tokens.extend_from_slice(&row.tokens[first..first + count]);
            let here = row.want.positions(row.tokens.len()).start.max(first)..first + count;
            wanted.extend(here.map(|at| (index, at - first + start)));
            if let Some(adapter) = row.adapter {
                match groups.iter_mut().find(|(a, _)| *a == adapter) {
                    Some((_, rows)) => rows.extend(start..start + count),
                    None => groups.push((adapter, (start..start + count).collect())),
                }
            }
        }
        let groups: Vec<AdapterRows<'_>> = groups
            .into_iter()
            .map(|(adapter, rows)| AdapterRows { adapter: &self.adapters[adapter.0 as usize], rows })
            .collect();
        let mut counts = vec![0; rows.len()];
        pieces.iter().for_each(|&(index, _, count)| counts[index] = count);
        let mut cached: Vec<CachedRow<'_>> = rows
            .iter_mut()
            .zip(&counts)
            .filter(|(_, count)| **count > 0)
            .map(|(row, count)| {
                row.sequence.reserve(*count);
                CachedRow { sequence: &mut *row.sequence, tokens: *count }
            })
            .collect();
        let mut attention = CachedAttention::new(&self.decoder.config, &self.frequencies, &mut cached);
        let hidden = self.decoder.forward(self.decoder.embed(&tokens)?, &mut attention, &groups)?;
        for row in &mut cached {
            row.sequence.advance(row.tokens);
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let hidden = if wanted.len() == tokens.len() {
            hidden
        } else {
            let at: Vec<u32> = wanted.iter().map(|(_, at)| *at as u32).collect();
            hidden.index_select(&Tensor::new(at.as_slice(), &Device::Cpu)?, 0)?
        };
        let all = self.decoder.logits(&hidden)?;
        // Pieces are in the order of their rows, one of each at most.
        let mut values = vec![0; rows.len()];
        wanted.iter().for_each(|(index, _)| values[*index] += self.info.vocabulary);
        let mut rest = all.as_slice();
        let parts: Vec<&[f32]> = values
            .into_iter()
            .map(|values| {
                let (part, after) = rest.split_at(values);
                rest = after;
                part
            })
            .collect();
        logits.par_iter_mut().zip(parts).for_each(|(to, part)| to.extend_from_slice(part));
        Ok(())
    }
}

impl LanguageModel for Model {
    type Sequence = Sequence;
    type Error = ModelError;

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn encode_prompt(&self, prompt: &Prompt) -> Result<Vec<u32>, ModelError> {
        self.tokenizer.encode_prompt(&self.chat.render(prompt)?)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        self.tokenizer.encode(text)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        self.tokenizer.decode(tokens)
    }

    fn is_end(&self, token: u32) -> bool {
        self.end_tokens.contains(&token)
    }

    fn load_adapter(&mut self, folder: &Path) -> Result<AdapterIx, ModelError> {
        let adapter = super::peft::load(folder, &self.decoder.config, self.precision)?;
        self.adapters.push(adapter);
        Ok(AdapterIx(self.adapters.len() as u32 - 1))
    }

    fn new_sequence(&self) -> Sequence {
        Sequence::new(self.cache)
    }

    fn fork(&self, sequence: &Sequence, len: usize) -> Sequence {
        sequence.fork(len)
    }

    fn len(&self, sequence: &Sequence) -> usize {
        sequence.len()
    }

    fn on_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.install(work)
    }

    fn forward(&mut self, rows: &mut [ForwardRow<'_, Sequence>]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.check(rows)?;
        let mut logits = vec![Vec::new(); rows.len()];
        let mut done = vec![0; rows.len()];
        loop {
            let (mut pieces, mut room) = (Vec::new(), CHUNK);
            for (index, row) in rows.iter().enumerate() {
                let count = room.min(row.tokens.len() - done[index]);
                if count > 0 {
                    pieces.push((index, done[index], count));
                    done[index] += count;
                    room -= count;
                }
            }
            if pieces.is_empty() {
                return Ok(logits);
            }
            let threads = self.threads.clone();
            threads.install(|| self.run(rows, &pieces, &mut logits))?;
        }
    }
}
