//! Asking for a report of what is measured, and hearing what became of it.

use crate::app::{
    effect::Effect,
    keymap::Key,
    metrics::report::{ReportSheet, Saved, Wish},
    overlay::Overlay,
    state::{Screen, State},
};
use crossterm::event::KeyCode;
use std::sync::Arc;

/// Opens the sheet, on the metrics screen and where there is something to write.
pub fn open(state: &mut State) {
    if state.screen != Screen::Metrics {
        state.say("reports are of the metrics screen");
    } else if state.metrics.running.is_some() || state.filter.pending {
        state.say("still measuring: a report can be written when it is done");
    } else if state.metrics.measured.report.sets.is_empty() {
        state.say("nothing is measured, so there is nothing to write");
    } else {
        state.overlay = Some(Overlay::Report(Box::default()));
    }
}

/// Arrows choose the format, Enter writes, everything else edits the name.
pub fn on_key(
    state: &mut State,
    mut sheet: Box<ReportSheet>,
    key: Key,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    if sheet.busy() {
        // Writing goes on; its end is told in the line below.
        return (key.code != KeyCode::Esc).then_some(Overlay::Report(sheet));
    }
    match key.code {
        KeyCode::Esc => return None,
        KeyCode::Enter if matches!(sheet.saved, Some(Saved::Written { .. })) => return None,
        KeyCode::Enter if sheet.name.text().trim().is_empty() => {
            sheet.saved = Some(Saved::Failed("the file needs a name".to_owned()));
        }
        KeyCode::Enter => {
            let wish = Wish {
                format: sheet.format,
                name: sheet.name.text().trim().to_owned(),
                replace: sheet.saved == Some(Saved::Exists),
                report: Arc::new(super::metrics::whole(state)),
            };
            sheet.saved = Some(Saved::Progress(0, 0));
            effects.push(Effect::Report(wish));
        }
        KeyCode::Up => sheet.choose(true),
        KeyCode::Down | KeyCode::Tab => sheet.choose(false),
        _ => {
            // Another name is another file: what was said of the last one no longer holds.
            if sheet.name.key(key) {
                sheet.saved = None;
            }
        }
    }
    Some(Overlay::Report(sheet))
}

/// News of the file: on the sheet while it is open, else below.
pub fn on_saved(state: &mut State, saved: Saved) {
    if let Some(Overlay::Report(sheet)) = &mut state.overlay
        && sheet.busy()
    {
        sheet.saved = Some(saved);
        return;
    }
    match saved {
        Saved::Progress(..) => {}
        Saved::Exists => state.complain("the report was not written: a file with that name is there"),
        Saved::Written { path, .. } => state.say(format!("written to {path}")),
        Saved::Failed(problem) => state.complain(format!("the report was not written: {problem}")),
    }
}
