//! Value priorities: perspectives with their weights, what each method answers from them, and what that decides.

use crate::app::{
    State,
    metrics::priorities::{BAR, Layout, MOST, Voice},
};
use crate::core::{
    Letter,
    metric::{
        columns::letter,
        priority::{Decision, Tipping},
    },
};
use crate::ui::{
    Theme,
    paint::{fill_row, put, put_right},
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

pub fn draw(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let priorities = &state.metrics.priorities;
    let Some((item, _)) = priorities.rows.first() else {
        put(buffer, rect.x, rect.y + 1, rect.width, "no situation is chosen", theme.accent());
        let hint = "go back, put the cursor on an item, and open the metrics again";
        put(buffer, rect.x, rect.y + 3, rect.width, hint, theme.soft());
        return;
    };
    put(
        buffer,
        rect.x,
        rect.y,
        rect.width,
        state.corpus.title(*item),
        theme.text().add_modifier(Modifier::BOLD),
    );
    let voices = priorities.voices(&state.corpus);
    let layout = Layout::of(rect, voices.len(), priorities.rows.len(), priorities.cursor);
    weights(state, &voices, &layout, theme, buffer);
    decisions(state, &voices, theme, layout.decisions, buffer);
}

fn weights(state: &State, voices: &[Voice], layout: &Layout, theme: &Theme, buffer: &mut Buffer) {
    let priorities = &state.metrics.priorities;
    let (rect, names, bar) = (layout.list, layout.names, layout.bar);
    let answers = bar + BAR + 7;
    put(buffer, rect.x + 2, rect.y, names, "PERSPECTIVE", theme.dim());
    put(buffer, bar, rect.y, BAR + 6, "WEIGHT", theme.dim());
    for (i, _) in voices.iter().enumerate() {
        let label = if i == 0 { "g".to_owned() } else { i.to_string() };
        put(buffer, answers + 3 * i as u16, rect.y, 3, &label, theme.dim());
    }
    for (i, (item, weight)) in priorities.rows.iter().enumerate().skip(layout.from).take(layout.shown()) {
        let y = rect.y + 1 + (i - layout.from) as u16;
        let here = i == priorities.cursor;
        let style = if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.text() };
        let entry = state.corpus.item(*item).and_then(|e| e.perspective());
        let name = entry.and_then(|p| state.corpus.perspective(p)).map_or("", |p| p.name.as_str());
        put(buffer, rect.x, y, 2, if here { theme.glyph("▸ ", "> ") } else { "  " }, style);
        put(buffer, rect.x + 2, y, names.saturating_sub(1), name, style);
        let filled = (weight / MOST * f64::from(BAR)).round() as u16;
        fill_row(buffer, bar, y, BAR, theme.glyph("─", "-"), theme.line());
        fill_row(buffer, bar, y, filled, theme.glyph("━", "="), style);
        put(buffer, bar + BAR + 1, y, 5, &format!("{weight:.2}"), style);
        for (v, voice) in voices.iter().enumerate() {
            let answer = voice.answers.get(i).copied().flatten();
            let right = v > 0 && answer.is_some() && answer == voices[0].answers.get(i).copied().flatten();
            let style = match (v, right) {
                (0, _) => theme.soft(),
                (_, true) => theme.right(),
                _ => theme.wrong(),
            };
            put(buffer, answers + 3 * v as u16, y, 2, &sign(answer, theme), style);
        }
    }
}

fn sign(answer: Option<Letter>, theme: &Theme) -> String {
    answer.map_or_else(|| theme.glyph("–", "-").to_owned(), |l| l.to_string())
}

fn word(decision: &Decision) -> String {
    let name = |code: u8| letter(code).map_or_else(String::new, |l| l.to_string());
    match decision {
        Decision::Letter { code, lead } => format!("{}, by {lead:.2}", name(*code)),
        Decision::Tie { codes } => {
            format!("tie of {}", codes.iter().map(|c| name(*c)).collect::<Vec<_>>().join(" and "))
        }
        Decision::Nothing => "no answer".to_owned(),
    }
}

fn decisions(state: &State, voices: &[Voice], theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let title = |id: &str| {
        let known = state.methods.iter().find(|m| m.method.id.0 == id);
        known.map_or_else(|| id.to_owned(), |m| m.method.title.clone())
    };
    let strip = rect.x + 44;
    put(buffer, rect.x + 2, rect.y, 18, "DECISION OF", theme.dim());
    put(buffer, rect.x + 22, rect.y, 20, "NOW", theme.dim());
    let along = format!("AS THIS WEIGHT GOES FROM 0 TO {MOST:.0}");
    put(buffer, strip, rect.y, rect.right().saturating_sub(strip), &along, theme.dim());
    for (i, voice) in voices.iter().enumerate().take(usize::from(rect.height.saturating_sub(2))) {
        let y = rect.y + 1 + i as u16;
        let label = if i == 0 { "g gold".to_owned() } else { format!("{i} {}", title(&voice.name)) };
        put(buffer, rect.x + 2, y, 19, &label, theme.text());
        put(buffer, rect.x + 22, y, 21, &word(&voice.decision), decided(voice, voices, theme));
        let mut x = strip;
        for decision in &voice.along {
            let glyph = match decision {
                Decision::Letter { code, .. } => letter(*code).map_or(" ".to_owned(), |l| l.to_string()),
                Decision::Tie { .. } => theme.glyph("≈", "=").to_owned(),
                Decision::Nothing => theme.glyph("·", ".").to_owned(),
            };
            let style = if glyph == "≈" { theme.dim() } else { theme.text() };
            x = put(buffer, x, y, rect.right().saturating_sub(x), &glyph, style);
        }
        let tip = match voice.tipping {
            Tipping::At(weight) => format!("tips above {weight:.2}"),
            Tipping::Always => "its answer already".to_owned(),
            Tipping::Never => "no answer here".to_owned(),
        };
        put_right(buffer, x + 1, rect.right(), y, &tip, theme.soft());
    }
    let y = rect.bottom().saturating_sub(1);
    put(buffer, rect.x + 2, y, rect.width.saturating_sub(2), &disagreement(voices), theme.soft());
}

/// Green where the decision is gold's, else as wrong answers are.
fn decided(voice: &Voice, voices: &[Voice], theme: &Theme) -> Style {
    let code = |d: &Decision| match d {
        Decision::Letter { code, .. } => Some(*code),
        _ => None,
    };
    match (code(&voice.decision), voices.first().and_then(|gold| code(&gold.decision))) {
        (Some(a), Some(b)) if a == b => theme.right(),
        (Some(_), Some(_)) => theme.wrong(),
        _ => theme.soft(),
    }
}

/// Whether the voices tip at the same weight.
fn disagreement(voices: &[Voice]) -> String {
    let mut points: Vec<f64> = voices
        .iter()
        .filter_map(|v| match v.tipping {
            Tipping::At(weight) => Some(weight),
            Tipping::Always => Some(0.0),
            Tipping::Never => None,
        })
        .collect();
    points.sort_by(f64::total_cmp);
    match (points.first(), points.last()) {
        (Some(low), Some(high)) if high - low > 1e-9 => {
            format!(
                "they disagree about the weight at which this perspective decides: from {low:.2} to {high:.2}"
            )
        }
        (Some(at), _) if points.len() > 1 => {
            format!("for all of them this perspective decides from a weight of {at:.2}")
        }
        _ => "letters add their weights, the heaviest decides; ties and missing answers are shown as such"
            .to_owned(),
    }
}
