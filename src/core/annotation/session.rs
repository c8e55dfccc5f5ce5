//! A labelling session: one person's queue, where they are in it, and every step back and forth.
//!
//! Every change is an [`Act`]: the session applies it at once and returns it, and the caller keeps it. Fed with the
//! kept acts, a new session stands where the old one stood, with the same steps to undo and redo.

use super::{
    label::{Act, ActKind, Field, Label},
    rubric::{Kind, Question, Rubric},
    value::{Span, Value},
};
use crate::core::ItemId;
use std::{collections::HashMap, sync::Arc};

/// A trace to label, by the store's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct TaskId(pub i64);

/// A place in the queue. Slots of one item stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub task: TaskId,
    pub item: ItemId,
    /// Steps of the rationale.
    pub steps: usize,
}

/// Where somebody is: a slot of the queue and a question of the rubric, both from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub slot: usize,
    pub question: usize,
}

/// How the queue stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub total: usize,
    pub saved: usize,
    pub skipped: usize,
    pub flagged: usize,
}

impl Progress {
    pub fn open(&self) -> usize {
        self.total - self.saved - self.skipped
    }
}

/// What a key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The session changed, and this is to be kept.
    Act(Act<TaskId>),
    /// Only the place changed.
    Moved,
    /// Nothing happened, for this reason.
    Refused(String),
}

/// The session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub rubric: Arc<Rubric>,
    /// Whether what could sway a judgement is hidden. A revealed trace is not blind any more.
    pub blind: bool,
    slots: Vec<Slot>,
    labels: Vec<Label>,
    by_task: HashMap<TaskId, usize>,
    place: Place,
    done: Vec<Act<TaskId>>,
    undone: Vec<Act<TaskId>>,
}

impl Session {
    /// A session over `slots` with its history, at `place` or else at the first open slot.
    pub fn restore(
        rubric: Arc<Rubric>,
        blind: bool,
        slots: Vec<Slot>,
        history: impl IntoIterator<Item = Act<TaskId>>,
        place: Option<Place>,
    ) -> Session {
        let by_task = slots.iter().enumerate().map(|(i, slot)| (slot.task, i)).collect();
        let mut session = Session {
            rubric,
            blind,
            labels: vec![Label::default(); slots.len()],
            slots,
            by_task,
            place: Place::default(),
            done: Vec::new(),
            undone: Vec::new(),
        };
        for act in history {
            session.take_in(&act);
        }
        match place.filter(|p| p.slot < session.slots.len()) {
            Some(place) => session.place = place,
            None => session.go_to(session.next_open(0, 0).unwrap_or(0)),
        }
        session
    }

    fn take_in(&mut self, act: &Act<TaskId>) {
        if let Some(label) = self.by_task.get(&act.task).and_then(|i| self.labels.get_mut(*i)) {
            label.apply(act);
        }
        match act.kind {
            ActKind::Do if act.field == Field::Revealed => {}
            ActKind::Do => {
                self.done.push(act.clone());
                self.undone.clear();
            }
            ActKind::Undo => take_last(&mut self.done, &mut self.undone, act),
            ActKind::Redo => take_last(&mut self.undone, &mut self.done, act),
            ActKind::Merge => {}
        }
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub fn place(&self) -> Place {
        self.place
    }

    pub fn slot(&self) -> Option<Slot> {
        self.slots.get(self.place.slot).copied()
    }

    /// The label of the current slot.
    pub fn label(&self) -> Option<&Label> {
        self.labels.get(self.place.slot)
    }

    pub fn label_at(&self, slot: usize) -> Option<&Label> {
        self.labels.get(slot)
    }

    pub fn label_of(&self, task: TaskId) -> Option<&Label> {
        self.by_task.get(&task).and_then(|i| self.labels.get(*i))
    }

    /// The question that waits for an answer.
    pub fn question(&self) -> Option<&Question> {
        self.rubric.questions.get(self.place.question)
    }

    /// The slots of the current slot's item.
    pub fn siblings(&self) -> std::ops::Range<usize> {
        self.siblings_of(self.place.slot)
    }

    fn siblings_of(&self, slot: usize) -> std::ops::Range<usize> {
        let Some(item) = self.slots.get(slot).map(|s| s.item) else { return 0..0 };
        let from = (0..slot).rev().take_while(|i| self.slots[*i].item == item).last().unwrap_or(slot);
        let more = self.slots[slot..].iter().take_while(|s| s.item == item).count();
        from..slot + more
    }

    /// Whether what blind mode hides may be seen now: not blind at all, revealed, or every trace of the item saved.
    /// One trace alone would give away the others' gold, and by elimination their methods.
    pub fn may_see(&self, slot: usize) -> bool {
        if !self.blind {
            return true;
        }
        let siblings = self.siblings_of(slot);
        let labels = &self.labels[siblings];
        !labels.is_empty() && (labels.iter().any(Label::revealed) || labels.iter().all(Label::saved))
    }

    pub fn progress(&self) -> Progress {
        let count = |holds: fn(&Label) -> bool| self.labels.iter().filter(|l| holds(l)).count();
        Progress {
            total: self.labels.len(),
            saved: count(Label::saved),
            skipped: count(|l| l.skipped() && !l.saved()),
            flagged: count(Label::flagged),
        }
    }

    pub fn can_undo(&self) -> usize {
        self.done.len()
    }

    pub fn can_redo(&self) -> usize {
        self.undone.len()
    }

    fn act(&mut self, field: Field, after: Option<Value>) -> Outcome {
        let Some(slot) = self.slot() else { return Outcome::Refused("the queue is empty".to_owned()) };
        let before = self.label().and_then(|l| l.get(&field)).cloned();
        if before == after {
            return Outcome::Moved;
        }
        let blind = field != Field::Revealed && !self.may_see(self.place.slot);
        let act = Act { task: slot.task, kind: ActKind::Do, field, before, after, blind };
        self.take_in(&act);
        Outcome::Act(act)
    }

    /// Answers the current question; what is answered by one key is followed by the next question.
    pub fn answer(&mut self, value: Value) -> Outcome {
        let Some(question) = self.question().cloned() else {
            return Outcome::Refused("there is no question".to_owned());
        };
        if !question.accepts(&value, self.slot().map(|s| s.steps)) {
            return Outcome::Refused(format!("`{}` does not answer this", value.words()));
        }
        let stays = matches!(question.kind, Kind::Several(_) | Kind::Span) && !value.is_empty();
        let outcome = self.act(Field::Answer(question.id.clone()), Some(value));
        if !stays {
            self.next_question();
        }
        outcome
    }

    /// Puts an option in or out of the current question's answer.
    pub fn toggle(&mut self, option: &str) -> Outcome {
        let Some(question) = self.question().cloned() else {
            return Outcome::Refused("there is no question".to_owned());
        };
        let mut set = match self.label().and_then(|l| l.answer(&question.id)) {
            Some(Value::Several(set)) => set.clone(),
            _ => std::collections::BTreeSet::new(),
        };
        if !set.remove(option) {
            set.insert(option.to_owned());
        }
        if !question.accepts(&Value::Several(set.clone()), None) {
            return Outcome::Refused(format!("`{option}` does not answer this"));
        }
        let after = (!set.is_empty()).then_some(Value::Several(set));
        self.act(Field::Answer(question.id), after)
    }

    /// Adds a marked piece to the current question's answer.
    pub fn mark(&mut self, span: Span) -> Outcome {
        let Some(question) = self.question().filter(|q| q.kind == Kind::Span).cloned() else {
            return Outcome::Refused("this question takes no marks".to_owned());
        };
        let mut spans = self.spans(&question.id);
        if span.start >= span.end || spans.contains(&span) {
            return Outcome::Moved;
        }
        spans.push(span);
        spans.sort();
        self.act(Field::Answer(question.id), Some(Value::Spans(spans)))
    }

    /// Takes the last marked piece back.
    pub fn unmark(&mut self) -> Outcome {
        let Some(question) = self.question().filter(|q| q.kind == Kind::Span).cloned() else {
            return Outcome::Refused("this question takes no marks".to_owned());
        };
        let mut spans = self.spans(&question.id);
        spans.pop();
        self.act(Field::Answer(question.id), (!spans.is_empty()).then_some(Value::Spans(spans)))
    }

    /// The pieces marked for a question of the current trace.
    pub fn spans(&self, question: &str) -> Vec<Span> {
        match self.label().and_then(|l| l.answer(question)) {
            Some(Value::Spans(spans)) => spans.clone(),
            _ => Vec::new(),
        }
    }

    /// Takes the answer to the current question back.
    pub fn clear(&mut self) -> Outcome {
        match self.question().map(|q| q.id.clone()) {
            Some(id) => self.act(Field::Answer(id), None),
            None => Outcome::Refused("there is no question".to_owned()),
        }
    }

    /// Enter: on to the next question that must be answered; where there is none, saves the label and goes to the next
    /// trace that is open.
    pub fn enter(&mut self) -> Outcome {
        let Some(label) = self.label() else { return Outcome::Refused("the queue is empty".to_owned()) };
        let answers = label.answers();
        let open: Option<(usize, String)> = self.rubric.open(&answers).next().map(|q| {
            let at = self.rubric.questions.iter().position(|other| other.id == q.id).unwrap_or(0);
            (at, q.text.clone())
        });
        if let Some((at, text)) = open {
            if at == self.place.question {
                return Outcome::Refused(format!("this needs an answer: {text}"));
            }
            self.place.question = at;
            return Outcome::Moved;
        }
        let outcome = self.act(Field::Saved, Some(Value::YesNo(true)));
        self.go_on();
        outcome
    }

    /// Sets the trace aside and goes to the next one; again, takes it back in.
    pub fn skip(&mut self) -> Outcome {
        let skipped = self.label().is_some_and(Label::skipped);
        let outcome = self.act(Field::Skip, (!skipped).then_some(Value::YesNo(true)));
        if !skipped {
            self.go_on();
        }
        outcome
    }

    /// Flags the trace, or takes the flag away.
    pub fn flag(&mut self) -> Outcome {
        let flagged = self.label().is_some_and(Label::flagged);
        self.act(Field::Flag, (!flagged).then_some(Value::YesNo(true)))
    }

    /// Writes the note; an empty one is none.
    pub fn note(&mut self, text: &str) -> Outcome {
        let text = text.trim_end();
        self.act(Field::Note, (!text.is_empty()).then(|| Value::Text(text.to_owned())))
    }

    /// Shows what blind mode hides. Logged, marks what is answered from here on, and cannot be undone.
    pub fn reveal(&mut self) -> Outcome {
        if self.may_see(self.place.slot) {
            return Outcome::Refused("nothing is hidden here".to_owned());
        }
        self.act(Field::Revealed, Some(Value::YesNo(true)))
    }

    /// Takes the last act back, wherever it was, and goes there.
    pub fn undo(&mut self) -> Outcome {
        let Some(last) = self.done.last().cloned() else {
            return Outcome::Refused("nothing to undo".to_owned());
        };
        self.replay(last, ActKind::Undo)
    }

    /// Does again what was undone last.
    pub fn redo(&mut self) -> Outcome {
        let Some(last) = self.undone.last().cloned() else {
            return Outcome::Refused("nothing to redo".to_owned());
        };
        self.replay(last, ActKind::Redo)
    }

    fn replay(&mut self, original: Act<TaskId>, kind: ActKind) -> Outcome {
        let slot = self.by_task.get(&original.task).copied();
        let label = slot.and_then(|i| self.labels.get(i));
        let before = label.and_then(|l| l.get(&original.field)).cloned();
        let after = if kind == ActKind::Undo { original.before } else { original.after };
        let blind = !slot.is_some_and(|s| self.may_see(s));
        let act = Act { task: original.task, kind, field: original.field, before, after, blind };
        self.take_in(&act);
        if let Some(slot) = slot {
            self.place.slot = slot;
            match &act.field {
                Field::Answer(id) => {
                    let at = self.rubric.questions.iter().position(|q| q.id == *id);
                    self.place.question = at.unwrap_or(self.place.question);
                }
                _ => self.place.question = self.first_question(),
            }
        }
        Outcome::Act(act)
    }

    /// To the question before; from the first one to the trace before.
    pub fn back(&mut self) -> Outcome {
        let answers = self.label().map(Label::answers).unwrap_or_default();
        let earlier = (0..self.place.question)
            .rev()
            .find(|i| self.rubric.questions.get(*i).is_some_and(|q| self.rubric.is_asked(q, &answers)));
        match earlier {
            Some(at) => self.place.question = at,
            None if self.place.slot > 0 => {
                self.place.slot -= 1;
                self.place.question = self.last_question();
            }
            None => return Outcome::Refused("this is the first question of the first trace".to_owned()),
        }
        Outcome::Moved
    }

    /// To the next question that is asked; stays on the last.
    pub fn next_question(&mut self) {
        let answers = self.label().map(Label::answers).unwrap_or_default();
        let later = (self.place.question + 1..self.rubric.questions.len())
            .find(|i| self.rubric.is_asked(&self.rubric.questions[*i], &answers));
        if let Some(at) = later {
            self.place.question = at;
        }
    }

    /// To this slot, and its first question without an answer.
    pub fn go_to(&mut self, slot: usize) {
        self.place.slot = slot.min(self.slots.len().saturating_sub(1));
        self.place.question = self.first_question();
    }

    /// To this question, where it is asked.
    pub fn go_to_question(&mut self, question: usize) {
        let answers = self.label().map(Label::answers).unwrap_or_default();
        if self.rubric.questions.get(question).is_some_and(|q| self.rubric.is_asked(q, &answers)) {
            self.place.question = question;
        }
    }

    /// The next open slot from `from` on, then from `wrap` on.
    fn next_open(&self, from: usize, wrap: usize) -> Option<usize> {
        let open = |i: &usize| self.labels.get(*i).is_some_and(Label::is_open);
        (from..self.labels.len()).find(open).or_else(|| (wrap..from.min(self.labels.len())).find(open))
    }

    /// To the next open slot; where none is left, one slot on.
    fn go_on(&mut self) {
        let here = self.place.slot;
        // The rest of this item first: its text is in mind.
        let siblings = self.siblings();
        let sibling = siblings.clone().find(|i| self.labels.get(*i).is_some_and(Label::is_open));
        let next = sibling.or_else(|| self.next_open(here + 1, 0));
        match next {
            Some(slot) => self.go_to(slot),
            None => self.place.question = self.last_question(),
        }
    }

    fn first_question(&self) -> usize {
        let answers = self.label().map(Label::answers).unwrap_or_default();
        let open = self.rubric.open(&answers).next().map(|q| q.id.clone());
        let at = |id: String| self.rubric.questions.iter().position(|q| q.id == id);
        open.and_then(at).unwrap_or(0)
    }

    fn last_question(&self) -> usize {
        let answers = self.label().map(Label::answers).unwrap_or_default();
        (0..self.rubric.questions.len())
            .rev()
            .find(|i| {
                let question = &self.rubric.questions[*i];
                self.rubric.is_asked(question, &answers)
                    && (question.required || answers.contains_key(&question.id))
            })
            .unwrap_or(0)
    }
}

/// Moves the last act on the same field of the same trace over. That is the very last one, except where histories of
/// two machines were merged.
fn take_last(from: &mut Vec<Act<TaskId>>, to: &mut Vec<Act<TaskId>>, act: &Act<TaskId>) {
    if let Some(at) = from.iter().rposition(|a| a.task == act.task && a.field == act.field) {
        to.push(from.remove(at));
    }
}

#[cfg(test)]
mod tests;
