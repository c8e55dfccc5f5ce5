//! Traces that a check sets beside the one under test, found in what is open.

use crate::{
    app::{state::State, texts::Lookup},
    core::{
        Loc,
        check::{Partner, Subject, partner},
        corpus::ItemIx,
    },
};

/// How many other items are looked at.
const NEIGHBOURS: usize = 8;

/// The partner of `subject`, or in `missing` what must be read before it can be told.
pub fn find(
    state: &State,
    subject: &Subject,
    want: partner::Want,
    missing: &mut Vec<Loc>,
) -> Option<Partner> {
    let method = state.corpus.method_ix(&subject.trace.method.0)?;
    let mut pool = Vec::new();
    for ix in others(state, subject, want) {
        let Some(item) = state.corpus.item(ix).filter(|e| e.known()) else { continue };
        for trace in state.corpus.samples(ix, method).filter_map(|t| state.corpus.trace(t)) {
            match (state.texts.get(item.loc), state.texts.get(trace.loc)) {
                (Lookup::Ready(item), Lookup::Ready(trace)) => {
                    pool.extend(
                        item.item
                            .clone()
                            .zip(trace.trace.clone())
                            .map(|(item, trace)| Partner { item, trace }),
                    );
                }
                (Lookup::Failed(_), _) | (_, Lookup::Failed(_)) => {}
                (a, b) => {
                    let unread = [(a, item.loc), (b, trace.loc)];
                    missing.extend(
                        unread.into_iter().filter(|(l, _)| matches!(l, Lookup::Pending)).map(|(_, loc)| loc),
                    );
                }
            }
        }
    }
    partner::find(want, subject, &pool)
}

/// Items whose traces may serve: the same situation under other perspectives, or the next items of the data set
/// that the method has answered.
fn others(state: &State, subject: &Subject, want: partner::Want) -> Vec<ItemIx> {
    let corpus = &state.corpus;
    let Some(own) = corpus.find(subject.item.id) else { return Vec::new() };
    let text = corpus.item(own).and_then(|i| i.text());
    match want {
        partner::Want::OtherPerspective => {
            let same = text.map(|text| corpus.items_of_text(text)).unwrap_or_default();
            same.iter().copied().filter(|ix| *ix != own).collect()
        }
        partner::Want::OtherItem => {
            let Some(method) = corpus.method_ix(&subject.trace.method.0) else { return Vec::new() };
            let after = corpus.items().skip_while(|ix| *ix != own);
            let around = after.chain(corpus.items().take_while(|ix| *ix != own));
            around
                .filter(|ix| corpus.item(*ix).and_then(|i| i.text()) != text)
                .filter(|ix| corpus.dataset(*ix) == corpus.dataset(own))
                .filter(|ix| corpus.first(*ix, method).is_some())
                .take(NEIGHBOURS)
                .collect()
        }
    }
}
