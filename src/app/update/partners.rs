//! Traces that a check sets beside the one under test, found in what is open.

use crate::{
    app::{state::State, texts::Lookup},
    core::{
        Corpus, Loc,
        check::{Partner, Subject, partner},
        corpus::{ItemIx, MethodIx, TraceIx},
    },
};

/// How many other items may serve, and how many are looked through for them: a key press waits for neither.
const NEIGHBOURS: usize = 8;
const LOOKED_AT: usize = 2_000;

/// The partner of `subject`, or in `missing` what must be read before it can be told. Of each item one trace is
/// looked at: the same repetition, else the first.
pub fn find(
    state: &State,
    subject: &Subject,
    want: partner::Want,
    missing: &mut Vec<Loc>,
) -> Option<Partner> {
    let corpus = &state.corpus;
    let own = corpus.find(subject.item.id)?;
    let method = corpus.method_ix(&subject.trace.method.0)?;
    let mut pool = Vec::new();
    for ix in others(corpus, own, method, want) {
        let same = |t: &TraceIx| corpus.trace(*t).is_some_and(|t| t.sample() == subject.trace.sample);
        let trace = corpus.samples(ix, method).find(same).or_else(|| corpus.first(ix, method));
        let (Some(item), Some(trace)) =
            (corpus.item(ix).filter(|e| e.known()), trace.and_then(|t| corpus.trace(t)))
        else {
            continue;
        };
        let read = [item.loc, trace.loc].map(|loc| (loc, state.texts.get(loc)));
        if let [(_, Lookup::Ready(item)), (_, Lookup::Ready(trace))] = read {
            let both = item.item.clone().zip(trace.trace.clone());
            pool.extend(both.map(|(item, trace)| Partner { item, trace }));
        } else if !read.iter().any(|(_, text)| matches!(text, Lookup::Failed(_))) {
            let unread = read.iter().filter(|(_, text)| matches!(text, Lookup::Pending));
            missing.extend(unread.map(|(loc, _)| *loc));
        }
    }
    partner::find(want, subject, &pool)
}

/// Items whose traces may serve: the same situation under other perspectives, or the next items of the data set
/// that the method has answered.
fn others(corpus: &Corpus, own: ItemIx, method: MethodIx, want: partner::Want) -> Vec<ItemIx> {
    let text = corpus.item(own).and_then(|i| i.text());
    let answered = |ix: &ItemIx| *ix != own && corpus.first(*ix, method).is_some();
    match want {
        partner::Want::OtherPerspective => {
            let same = text.map(|text| corpus.items_of_text(text)).unwrap_or_default();
            same.iter().copied().filter(answered).take(LOOKED_AT).collect()
        }
        partner::Want::OtherItem => {
            let around = corpus.items().skip(own.0 as usize).chain(corpus.items().take(own.0 as usize));
            around
                .take(LOOKED_AT)
                .filter(answered)
                .filter(|ix| corpus.item(*ix).and_then(|i| i.text()) != text)
                .filter(|ix| corpus.dataset(*ix) == corpus.dataset(own))
                .take(NEIGHBOURS)
                .collect()
        }
    }
}
