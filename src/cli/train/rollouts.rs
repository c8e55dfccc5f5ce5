//! The batch engine as the policy of reinforcement learning: what it writes, it is rewarded for.

use super::writer::{Asked, Writer};
use crate::{
    core::{AdapterRef, Finish, Item, Sampler, Template, Trace},
    model::tokenizer::TextTokenizer,
    train::{
        TrainError,
        policy::{Policy, Request, Rollout},
        verdict::{Lesson, verdict},
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
            let asked = request.lesson == Lesson::Verdict;
            let verdict = asked.then(|| self.verdict(trace, &items[prompt])).flatten();
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
                verdict,
            }
        });
        // A rollout without a single token has nothing to learn from.
        Ok(rollouts.filter(|r| !r.tokens.is_empty()).collect())
    }
}

impl EnginePolicy {
    /// The tokens before a trace's verdict, and those of the words that could stand there.
    fn verdict(&self, trace: &Trace, item: &Item) -> Option<(usize, Vec<Vec<u32>>)> {
        let found = verdict(&trace.llm_output, item)?;
        let before =
            |tokens: usize| self.tokenizer.decode(&trace.tokens[..tokens]).map_or(0, |text| text.len());
        // Texts only grow with their tokens. A verdict that begins within a token is left alone.
        let (mut low, mut high) = (0, trace.tokens.len());
        while low < high {
            let middle = low.midpoint(high);
            if before(middle) < found.at { low = middle + 1 } else { high = middle }
        }
        let words: Result<Vec<_>, _> = found.words.iter().map(|word| self.tokenizer.encode(word)).collect();
        (before(low) == found.at).then_some((low, words.ok()?))
    }
}
