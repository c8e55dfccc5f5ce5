//! Recorded text that grows again as it was written: the trace's own token times, nothing else.
//!
//! A trace keeps when each token came, not where each ends in the text (that takes the model's tokenizer), so the text
//! is cut in proportion to the tokens. Pure: a time in, a text out.

use super::RECORDED;
use crate::{
    app::{
        live::{LiveRow, RowState},
        texts::Shown,
    },
    core::{Item, Prompt, TemplateRef, Trace},
    job::{GenerateRow, JobId},
};
use std::{sync::Arc, time::Duration};

/// Traces without token times are shown at this pace, and the screen says so.
const PACE: f64 = 20.0;

/// One method's recording.
#[derive(Clone, Debug)]
pub struct Playing {
    /// Index into the state's methods.
    pub method: usize,
    pub row: LiveRow,
    pub trace: Arc<Trace>,
    /// When each token came.
    times: Vec<Duration>,
    /// The scene's time at which it began.
    pub since: Duration,
    /// How much faster than it was; 1 at the least.
    pub speed: u32,
    /// Whether the times are the trace's own.
    pub timed: bool,
    done: bool,
}

impl Playing {
    /// Prepares a recording that lasts at most `longest`: a longer one is played faster.
    pub fn new(method: usize, item: &Arc<Item>, trace: &Arc<Trace>, longest: Duration) -> Playing {
        let recorded = trace.timing.as_ref().map(|t| t.token_ms.as_slice()).unwrap_or_default();
        let timed = !recorded.is_empty() && recorded.is_sorted();
        let times: Vec<Duration> = if timed {
            recorded.iter().map(|ms| Duration::from_millis(u64::from(*ms))).collect()
        } else {
            let tokens = trace.token_count().unwrap_or(trace.llm_output.len().div_ceil(4)).clamp(1, 1 << 16);
            (1..=tokens).map(|i| Duration::from_secs_f64(i as f64 / PACE)).collect()
        };
        let total = times.last().copied().unwrap_or_default();
        let faster = total.as_secs_f64() / longest.as_secs_f64().max(0.1);
        let request = GenerateRow {
            row: RECORDED,
            item: Arc::clone(item),
            method: trace.method.clone(),
            model: trace.model.clone(),
            adapter: None,
            template: trace
                .template
                .clone()
                .unwrap_or(TemplateRef { id: String::new(), hash: String::new() }),
            prompt: Prompt { messages: Vec::new(), prefill: String::new() },
            sampler: trace.sampler.clone().unwrap_or_default(),
            seed: trace.seed.unwrap_or(0),
            sample: trace.sample,
        };
        let row = LiveRow {
            job: JobId(u64::MAX),
            request: Arc::new(request),
            state: RowState::Writing,
            text: String::new(),
            shown: Arc::default(),
            tokens: 0,
        };
        let speed = (faster.ceil() as u32).max(1);
        let since = Duration::ZERO;
        Playing { method, row, trace: Arc::clone(trace), times, since, speed, timed, done: false }
    }

    /// Shows what had been written by the scene's `clock`, at this speed.
    pub fn advance(&mut self, clock: Duration) {
        let then = clock.saturating_sub(self.since).saturating_mul(self.speed);
        let tokens = self.times.partition_point(|t| *t <= then);
        self.done = tokens == self.times.len();
        if tokens == self.row.tokens && !(tokens == 0 && self.row.text.is_empty()) {
            return;
        }
        self.row.tokens = tokens;
        let text = if self.trace.llm_output.is_empty() { &self.trace.cot } else { &self.trace.llm_output };
        let chars = text.chars().count();
        let upto = chars * tokens / self.times.len().max(1);
        let end = text.char_indices().nth(upto).map_or(text.len(), |(at, _)| at);
        self.row.text = text[..end].to_owned();
        self.row.shown = Arc::new(Shown::of_text(&self.row.text));
    }

    /// Columns that are compared share the speed of the slowest: who was quicker then is quicker now.
    pub fn at_speed(&mut self, speed: u32) {
        self.speed = speed.max(self.speed);
    }

    /// Shows all of it.
    pub fn finish(&mut self) {
        self.done = true;
    }

    pub fn finished(&self) -> bool {
        self.done
    }

    /// Beside the words "recorded".
    pub fn words(&self) -> String {
        let timing = if self.timed { "" } else { ", paced" };
        match self.speed {
            1 => format!("recorded{timing}"),
            n => format!("recorded{timing} ×{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Perspective, trace::Timing};

    fn playing(token_ms: Vec<u32>, longest: u64) -> Playing {
        let item = Arc::new(Item::value("vk", Perspective::named("Honesty"), "Keeping a found coin"));
        let mut trace = Trace::new(&item, "sft".into(), "It is not theirs.\nAnswer: B".to_owned());
        trace.timing = Some(Timing { token_ms, ..Timing::default() });
        Playing::new(0, &item, &Arc::new(trace), Duration::from_secs(longest))
    }

    #[test]
    fn text_grows_with_the_recorded_times() {
        let mut playing = playing(vec![1000, 1500, 3000, 3100], 10);
        assert_eq!((playing.speed, playing.words().as_str()), (1, "recorded"));
        let mut at = |ms| {
            playing.advance(Duration::from_millis(ms));
            (playing.row.tokens, playing.row.text.len(), playing.finished())
        };
        assert_eq!(at(0), (0, 0, false));
        assert_eq!(at(1600), (2, 13, false));
        assert_eq!(at(3100), (4, 27, true));
    }

    #[test]
    fn long_recordings_are_played_faster_and_say_so() {
        let mut playing = playing(vec![10_000, 35_000], 10);
        assert_eq!(playing.words(), "recorded ×4");
        playing.advance(Duration::from_secs(9));
        assert!(playing.finished());
    }

    #[test]
    fn without_times_the_pace_is_ours_and_says_so() {
        let playing = playing(Vec::new(), 10);
        assert_eq!(playing.words(), "recorded, paced");
    }
}
