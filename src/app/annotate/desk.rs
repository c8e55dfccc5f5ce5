//! One person at work: the session, what waits for the disk, the place in the text, the pace.

use super::{
    outside::{Fault, Opened},
    reading::Text,
};
use crate::app::explorer::Anchor;
use crate::core::{
    ItemId,
    annotation::{
        Act, Author, Field, Kind, Project, Session, Slot, Standing, Task, TaskId, Write,
        ratings::Rated,
        session::{Outcome, Place},
    },
};
use ratatui_textarea::TextArea;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// After a failure, so long until the next try.
const RETRY: Duration = Duration::from_secs(2);
/// A longer pause is not work.
const PAUSE_MS: i64 = 10 * 60 * 1000;
/// The pace is the median of so many labels.
const PACE: usize = 20;

/// How the answers stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Saving {
    /// Everything is on the disk.
    #[default]
    Saved,
    /// The first of the waiting answers is being written.
    Writing,
    /// It could not be written; it is kept, and tried again.
    Failed { words: String, again: Duration },
}

/// What is being typed.
#[derive(Clone, Debug)]
pub struct Writing {
    pub area: TextArea<'static>,
    /// `None` for the note, else the question.
    pub question: Option<String>,
}

/// The desk.
#[derive(Clone, Debug)]
pub struct Desk {
    pub project: Project,
    pub author: Author,
    pub tasks: Vec<Arc<Task>>,
    pub session: Session,
    /// Labels of others, shown when they may be seen.
    pub others: Vec<Rated>,
    texts: HashMap<TaskId, Arc<Text>>,
    nonce: u64,
    count: u64,
    queue: VecDeque<Write>,
    pub saving: Saving,
    /// Acts on the disk.
    pub kept: usize,
    /// When labels were saved, in milliseconds since 1970.
    saves: Vec<i64>,
    /// All traces of the item side by side.
    pub side_by_side: bool,
    /// The step under the cursor, and the top of the view of each trace.
    pub step: usize,
    anchors: HashMap<TaskId, Anchor>,
    /// The word under the cursor, while marking; and the one where the mark began.
    pub word: usize,
    pub begun: Option<usize>,
    pub writing: Option<Writing>,
}

impl Desk {
    pub fn new(opened: Opened) -> Desk {
        let tasks: Vec<Arc<Task>> = opened.tasks.into_iter().map(Arc::new).collect();
        let mut texts = HashMap::new();
        let slots: Vec<Slot> = tasks
            .iter()
            .map(|task| {
                let text = Text::of(&task.trace);
                let slot = Slot { task: task.id, item: task.key.item_id, steps: text.steps() };
                texts.insert(task.id, Arc::new(text));
                slot
            })
            .collect();
        let rubric = Arc::clone(&opened.project.rubric);
        let place = opened.standing.and_then(|standing| {
            let slot = slots.iter().position(|s| s.task == standing.task)?;
            let question = rubric.questions.iter().position(|q| q.id == standing.question).unwrap_or(0);
            Some(Place { slot, question })
        });
        let saves = opened
            .history
            .iter()
            .filter(|(_, act)| act.field == Field::Saved && act.after.is_some())
            .map(|(at, _)| *at)
            .collect();
        let kept = opened.history.len();
        let acts = opened.history.into_iter().map(|(_, act)| act);
        let session = Session::restore(rubric, opened.blind, slots, acts, place);
        Desk {
            project: opened.project,
            author: opened.author,
            tasks,
            session,
            others: opened.others,
            texts,
            nonce: opened.nonce,
            count: 0,
            queue: VecDeque::new(),
            saving: Saving::Saved,
            kept,
            saves,
            side_by_side: false,
            step: 0,
            anchors: HashMap::new(),
            word: 0,
            begun: None,
            writing: None,
        }
    }

    /// The trace under the cursor.
    pub fn task(&self) -> Option<&Arc<Task>> {
        self.tasks.get(self.session.place().slot)
    }

    /// Its text.
    pub fn text(&self) -> Option<&Arc<Text>> {
        self.text_of(self.task()?.id)
    }

    pub fn text_of(&self, task: TaskId) -> Option<&Arc<Text>> {
        self.texts.get(&task)
    }

    pub fn item(&self) -> Option<ItemId> {
        self.task().map(|t| t.key.item_id)
    }

    /// The columns that are shown: slots of the queue.
    pub fn columns(&self) -> Vec<usize> {
        if self.side_by_side { self.session.siblings().collect() } else { vec![self.session.place().slot] }
    }

    pub fn anchor(&self, task: TaskId) -> Anchor {
        self.anchors.get(&task).copied().unwrap_or_default()
    }

    pub fn set_anchor(&mut self, task: TaskId, anchor: Anchor) {
        self.anchors.insert(task, anchor);
    }

    /// Whether the current question is answered by marking words.
    pub fn marking(&self) -> bool {
        self.session.question().is_some_and(|q| q.kind == Kind::Span)
    }

    /// Labels of others on a trace, where they may be seen now: always by an adjudicator.
    pub fn others_on(&self, slot: usize) -> Vec<&Rated> {
        let Some(task) = self.tasks.get(slot) else { return Vec::new() };
        if !self.author.adjudicator && !self.session.may_see(slot) {
            return Vec::new();
        }
        self.others.iter().filter(|r| r.task == task.id).collect()
    }

    /// Queues what a key did for the disk. `before` is where one stood.
    pub fn keep(&mut self, outcome: &Outcome, before: Place) {
        let act = match outcome {
            Outcome::Act(act) => Some(act.clone()),
            _ => None,
        };
        let moved = self.session.place() != before;
        if act.is_none() && !moved {
            return;
        }
        if moved && self.session.place().slot != before.slot {
            self.step = 0;
            self.word = 0;
            self.begun = None;
        }
        let standing = self.standing();
        // Several moves in a row are one.
        if act.is_none()
            && let Some(last) = self.queue.back_mut().filter(|w| w.act.is_none())
            && self.saving == Saving::Saved
        {
            last.standing = standing;
            return;
        }
        self.count += 1;
        self.queue.push_back(Write {
            project: self.project.id,
            author: self.author.clone(),
            rubric: self.project.rubric.version.clone(),
            uid: format!("{:016x}-{}", self.nonce, self.count),
            act,
            standing,
        });
    }

    fn standing(&self) -> Option<Standing> {
        let (slot, question) = (self.session.slot()?, self.session.question()?);
        Some(Standing { task: slot.task, question: question.id.clone() })
    }

    /// The next thing to write, unless one is being written or a failure is fresh.
    pub fn next_write(&mut self, now: Duration) -> Option<Write> {
        match &self.saving {
            Saving::Writing => return None,
            Saving::Failed { again, .. } if *again > now => return None,
            _ => {}
        }
        let next = self.queue.front().cloned();
        if next.is_some() {
            self.saving = Saving::Writing;
        }
        next
    }

    /// Takes in that a write was kept or failed; `false` when the label must be read again.
    pub fn on_kept(&mut self, uid: &str, result: Result<i64, Fault>, now: Duration) -> bool {
        if self.queue.front().is_none_or(|w| w.uid != uid) {
            return true;
        }
        match result {
            Ok(at_ms) => {
                self.saving = Saving::Saved;
                if let Some(act) = self.queue.pop_front().and_then(|w| w.act) {
                    self.kept += 1;
                    if act.field == Field::Saved && act.after.is_some() {
                        self.saves.push(at_ms);
                    }
                }
                true
            }
            Err(fault) if fault.passes => {
                self.saving = Saving::Failed { words: fault.words, again: now + RETRY };
                true
            }
            Err(fault) => {
                self.saving = Saving::Failed { words: fault.words, again: now + RETRY };
                false
            }
        }
    }

    /// Acts that are not on the disk yet.
    pub fn unsaved(&self) -> usize {
        self.queue.len()
    }

    /// Acts that wait, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Act<TaskId>> {
        self.queue.iter().filter_map(|w| w.act.as_ref())
    }

    /// Time per label: the median of the last ones, pauses left out.
    pub fn pace(&self) -> Option<Duration> {
        let recent = &self.saves[self.saves.len().saturating_sub(PACE + 1)..];
        let mut gaps: Vec<i64> =
            recent.windows(2).map(|w| w[1] - w[0]).filter(|g| (1..PAUSE_MS).contains(g)).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).map(|ms| Duration::from_millis(*ms as u64))
    }

    /// Time that the open traces will take at this pace.
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.pace()? * self.session.progress().open() as u32)
    }
}
