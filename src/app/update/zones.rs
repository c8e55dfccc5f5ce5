//! Where the focus is: which zone has it, and the way back from a swap.

use super::corpus::{heights, select_row};
use crate::app::{
    explorer::{Zone, items::Scope},
    state::State,
};

/// Whether the perspectives are not on screen.
pub(super) fn no_picker(state: &State) -> bool {
    state.zones().is_none_or(|z| z.perspectives.is_none())
}

/// Gives a zone the focus; unfolds or leaves the zoom where that is needed to see it.
pub fn focus(state: &mut State, zone: Zone) {
    if zone != Zone::Comparison {
        state.explorer.zoomed = false;
    }
    if zone == Zone::Perspectives {
        state.explorer.folded = false;
        if state.zones().is_some_and(|z| z.perspectives.is_none()) {
            state.say("too narrow for the perspectives: items instead");
            state.explorer.focus = Zone::Items;
            return;
        }
    }
    state.explorer.focus = zone;
}

/// From the other perspectives of a situation back to where they were asked for.
pub(super) fn leave_swap(state: &mut State) {
    let Scope::Swap { back, item, .. } = state.explorer.items.scope.clone() else { return };
    state.explorer.items.scope = Scope::Pick(back.clone());
    select_row(state, &back);
    let (_, height) = heights(state);
    state.explorer.items.rebuild(&state.corpus, &state.selection, height);
    state.explorer.items.seek(item, height);
    state.explorer.compare.reset();
}
