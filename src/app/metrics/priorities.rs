//! Weights over the perspectives of one situation, and what each method's answers decide under them.

mod layout;

use crate::core::{
    Corpus, ItemIx, Letter, MethodIx,
    corpus::TextIx,
    metric::priority::{Decision, Say, Tipping, decide, tipping},
};

pub use layout::{BAR, Layout, body};

/// One press moves a weight this far; weights go from 0 to [`MOST`].
pub const STEP: f64 = 0.25;
pub const MOST: f64 = 5.0;

/// The situation and its weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Priorities {
    pub text: Option<TextIx>,
    /// One item per perspective, with its weight.
    pub rows: Vec<(ItemIx, f64)>,
    pub cursor: usize,
    /// Whether the mouse holds the weight under the cursor.
    pub held: bool,
}

/// One voice: a method, or gold.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    pub name: String,
    /// Answer per row.
    pub answers: Vec<Option<Letter>>,
    pub decision: Decision,
    /// Where the perspective under the cursor tips this voice's decision.
    pub tipping: Tipping,
    /// The decision along the weight of the perspective under the cursor, from 0 to [`MOST`] in [`STEP`]s.
    pub along: Vec<Decision>,
}

impl Priorities {
    /// Turns to the situation of `item`; weights stay while the situation does.
    pub fn turn_to(&mut self, corpus: &Corpus, item: ItemIx) {
        let Some(text) = corpus.item(item).and_then(|i| i.text()) else { return };
        let items = corpus.items_of_text(text);
        if self.text != Some(text) || self.rows.len() != items.len() {
            self.rows = items.iter().map(|ix| (*ix, 1.0)).collect();
            self.cursor = items.iter().position(|ix| *ix == item).unwrap_or(0);
            self.text = Some(text);
        }
    }

    /// Sets the weight under the cursor.
    pub fn set(&mut self, to: f64) {
        if let Some((_, weight)) = self.rows.get_mut(self.cursor) {
            *weight = to.clamp(0.0, MOST);
        }
    }

    /// Moves the weight under the cursor.
    pub fn weigh(&mut self, by: f64) {
        if let Some((_, weight)) = self.rows.get_mut(self.cursor) {
            *weight = (*weight + by).clamp(0.0, MOST);
        }
    }

    /// Moves the cursor.
    pub fn go(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.rows.len().saturating_sub(1));
    }

    /// Where everything stands on a screen of this size; `None` before a situation is chosen.
    pub fn layout(&self, corpus: &Corpus, size: (u16, u16)) -> Option<Layout> {
        let voices = self.voices(corpus).len();
        (!self.rows.is_empty()).then(|| Layout::of(body(size), voices, self.rows.len(), self.cursor))
    }

    /// Gold first, then every method with an answer on this situation.
    pub fn voices(&self, corpus: &Corpus) -> Vec<Voice> {
        let gold = self.rows.iter().map(|(ix, _)| corpus.item(*ix).and_then(|i| i.gold())).collect();
        let methods = corpus.methods().iter().enumerate().map(|(at, method)| {
            let answer = |ix: ItemIx| {
                corpus.first(ix, MethodIx(at as u16)).and_then(|t| corpus.trace(t)).and_then(|t| t.answer())
            };
            (method.0.clone(), self.rows.iter().map(|(ix, _)| answer(*ix)).collect::<Vec<_>>())
        });
        std::iter::once(("gold".to_owned(), gold))
            .chain(methods.filter(|(_, answers)| answers.iter().any(Option::is_some)))
            .map(|(name, answers)| self.voice(name, answers))
            .collect()
    }

    fn voice(&self, name: String, answers: Vec<Option<Letter>>) -> Voice {
        let mut says: Vec<Say> = self
            .rows
            .iter()
            .zip(&answers)
            .map(|((_, weight), answer)| Say { weight: *weight, answer: answer.map(|l| l.index() as u8) })
            .collect();
        let (decision, point) = (decide(&says), tipping(&says, self.cursor));
        let steps = (MOST / STEP) as usize;
        let along = (0..=steps)
            .map(|at| {
                if let Some(say) = says.get_mut(self.cursor) {
                    say.weight = at as f64 * STEP;
                }
                decide(&says)
            })
            .collect();
        Voice { name, answers, decision, tipping: point, along }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Item, Perspective, Trace};

    #[test]
    fn a_weight_moves_the_decision_and_stays_with_its_situation() {
        let item = |perspective: &str, text: &str, gold| {
            let mut item = Item::value("vk", Perspective::named(perspective), text);
            item.gold = Some(gold);
            item
        };
        let items = [
            item("Care", "lying", Letter::A),
            item("Honesty", "lying", Letter::B),
            item("Order", "lying", Letter::B),
            item("Order", "stealing", Letter::B),
        ];
        let traces = [Trace::new(&items[0], "sft".into(), "Answer: A".to_owned())];
        let corpus = Corpus::of(&items, &traces);
        let mut priorities = Priorities::default();
        priorities.turn_to(&corpus, ItemIx(0));
        assert_eq!(priorities.rows.len(), 3);
        let gold = &priorities.voices(&corpus)[0];
        assert_eq!(gold.decision, Decision::Letter { code: 1, lead: 1.0 });
        assert_eq!(gold.tipping, Tipping::At(2.0));
        assert!(matches!(gold.along[0], Decision::Letter { code: 1, .. }));
        assert!(matches!(gold.along[8], Decision::Tie { .. }));
        assert!(matches!(gold.along[9], Decision::Letter { code: 0, .. }));
        (0..5).for_each(|_| priorities.weigh(STEP));
        priorities.turn_to(&corpus, ItemIx(1));
        assert!(matches!(priorities.voices(&corpus)[0].decision, Decision::Letter { code: 0, .. }));
        assert_eq!(priorities.voices(&corpus)[1].answers, [Some(Letter::A), None, None]);
        priorities.turn_to(&corpus, ItemIx(3));
        assert_eq!(priorities.rows.len(), 1);
    }
}
