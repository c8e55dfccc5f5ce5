//! The batch engine as the policy of reinforcement learning: what it writes, it is rewarded for.

use super::writer::{Asked, Writer};
use crate::{
    core::{AdapterRef, Finish, Item, Sampler, Template, Trace},
    model::tokenizer::TextTokenizer,
    train::{
        TrainError, credit,
        grpo::{Policy, Request, Rollout},
    },
};
use std::{path::Path, sync::Arc};

/// The engine as a policy.
pub struct EnginePolicy {
    pub writer: Writer,
    pub template: Template,
    /// Training items, then validation items.
    pub items: [Vec<Arc<Item>>; 2],
    pub end: Option<u32>,
    pub tokenizer: TextTokenizer,
}

impl Policy for EnginePolicy {
    fn write(
        &mut self,
        adapter: &Path,
        validation: bool,
        request: &Request,
    ) -> Result<Vec<Rollout>, TrainError> {
        let items = &self.items[usize::from(validation)];
        let (temperature, max_tokens) = (request.temperature, request.max_tokens);
        // The whole distribution, since that is what the log-probabilities of the loss are of.
        let sampler = Sampler { temperature, top_p: 1.0, max_tokens, ..Sampler::default() };
        let mut rows = Vec::with_capacity(request.prompts.len() * request.group);
        for prompt in &request.prompts {
            for sample in 0..request.group as u32 {
                rows.push(self.writer.row(
                    &self.template,
                    &items[*prompt],
                    sampler.clone(),
                    request.seed,
                    sample,
                )?);
            }
        }
        let name = adapter.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let adapter = Some(AdapterRef { name, path: adapter.to_owned() });
        let traces = self.writer.write(rows, &Asked { adapter, ..self.writer.base() })?;
        let rollouts = traces.iter().enumerate().map(|(i, trace)| {
            let prompt = request.prompts[i / request.group];
            let statement = self.token_at(trace, credit::statement(&trace.llm_output, &items[prompt]));
            let mut tokens = trace.tokens.clone();
            if trace.finish == Some(Finish::Stop) {
                tokens.extend(self.end);
            }
            Rollout {
                prompt,
                tokens,
                text: trace.llm_output.clone(),
                reward: f32::from(u8::from(trace.correct == Some(true))),
                answered: trace.predicted_answer.is_some(),
                statement,
            }
        });
        // A rollout without a single token has nothing to learn from.
        Ok(rollouts.filter(|r| !r.tokens.is_empty()).collect())
    }
}

impl EnginePolicy {
    /// The token of a trace that holds this byte of its text.
    fn token_at(&self, trace: &Trace, byte: usize) -> usize {
        let length =
            |tokens: usize| self.tokenizer.decode(&trace.tokens[..tokens]).map_or(0, |text| text.len());
        // The first token that reaches beyond the byte: texts only grow with their tokens.
        let (mut low, mut high) = (0, trace.tokens.len());
        while low < high {
            let middle = (low + high) / 2;
            if length(middle + 1) > byte { high = middle } else { low = middle + 1 }
        }
        low
    }
}
