//! Where things come from, as lines of a name and a text: the focused trace, and what could not be read.

use super::outcome;
use crate::app::{
    State,
    explorer::{Cell, cell},
};
use crate::job::finish_words;

/// Lines that could not be read, and notes.
pub fn problems(state: &State) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> =
        state.bad_lines.iter().take(2000).map(|b| (String::new(), b.to_string())).collect();
    let unknown = state.corpus.unknown_items().count();
    if unknown > 0 {
        lines.push((String::new(), format!("{unknown} items are known only from traces that name them: open the file that holds them, too")));
    }
    let repeats = state.corpus.repeat_count();
    if repeats > 0 {
        lines.push((String::new(), format!("{repeats} traces repeat item, method and sample of an earlier one; all are kept and reachable with . and ,")));
    }
    lines.extend(state.notes.iter().map(|n| (String::new(), n.clone())));
    if lines.is_empty() {
        lines.push((String::new(), "nothing went wrong".to_owned()));
    }
    lines
}

/// The item and the focused trace: content, model, template, sampler, timing.
pub fn lines(state: &State) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut add = |name: &str, text: String| lines.push((name.to_owned(), text));
    let Some(ix) = state.explorer.items.current() else { return vec![(String::new(), "no item".to_owned())] };
    let entry = state.corpus.item(ix);
    if let Some(entry) = entry.filter(|e| e.known())
        && let crate::app::texts::Lookup::Ready(record) = state.texts.get(entry.loc)
        && let Some(item) = &record.item
    {
        add("text", item.text.clone());
        add("perspective", format!("{} ({})", item.perspective.name, item.perspective.kind.word()));
        for choice in &item.options {
            let gold = if item.gold == Some(choice.letter) { "   gold" } else { "" };
            let share =
                choice.human_probability.map_or_else(String::new, |p| format!("   {:.0} %", p * 100.0));
            add(&format!("option {}", choice.letter), format!("{}{share}{gold}", choice.text));
        }
        if let Some(explanation) = &item.explanation {
            add("human rationale", explanation.clone());
        }
        add("source", format!("{} · {}", item.dataset, item.source));
        add("item id", item.id.to_string());
    }
    if let Some(method) = state.methods.get(state.explorer.compare.focus) {
        add("", String::new());
        add("method", format!("{} · {}", method.method.id, method.method.about));
    }
    if let Cell::Trace { entry, facts, .. } = cell(state, ix, state.explorer.compare.focus)
        && let Some(trace) = &entry.trace
    {
        add("outcome", outcome::word(facts.outcome()).to_owned());
        if let Some(rule) = trace.answer_rule {
            add("answer found by", rule.words().to_owned());
        }
        if !trace.model.is_empty() {
            add("model", trace.model.clone());
        }
        add("adapter", trace.adapter.clone().unwrap_or_else(|| "none".to_owned()));
        if let Some(template) = &trace.template {
            add("template", format!("{} {}", template.id, template.hash));
        }
        if let Some(s) = &trace.sampler {
            add(
                "sampler",
                format!(
                    "temperature {} · top-p {} · top-k {} · min-p {} · at most {} tokens",
                    s.temperature, s.top_p, s.top_k, s.min_p, s.max_tokens
                ),
            );
        }
        if let Some(seed) = trace.seed {
            add("seed", seed.to_string());
        }
        if let Some(finish) = trace.finish {
            add("ended", finish_words(finish).to_owned());
        }
        if !trace.tokens.is_empty() {
            add(
                "tokens",
                format!(
                    "{} written after a prompt of {}",
                    trace.tokens.len(),
                    trace.prompt_tokens.unwrap_or(0)
                ),
            );
        }
        if !trace.logprobs.is_empty() {
            let mean = trace.logprobs.iter().sum::<f32>() / trace.logprobs.len() as f32;
            add("mean log-probability", format!("{mean:.2} nats a token"));
        }
        if let Some(timing) = &trace.timing {
            let rate = trace.tokens.len() as f64 / (timing.total_ms / 1e3).max(1e-9);
            add(
                "timing",
                format!(
                    "first token after {:.1} s, all after {:.1} s, {rate:.0} tokens/s",
                    timing.first_token_ms / 1e3,
                    timing.total_ms / 1e3
                ),
            );
        }
        if let Some(engine) = &trace.engine {
            add(
                "engine",
                format!("{} · weights {} · model {}", engine.name, engine.weights, engine.model_hash),
            );
        }
    }
    lines
}
