//! What the corpus keeps of one item and one trace: small fixed-size records, no text.

use super::TraceFacts;
use crate::core::{ItemId, Letter, check::verdict::fingerprint};
use serde::{Deserialize, Serialize};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $of:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $of);
    };
}
index!(
    /// An item's number within its corpus, in file order.
    ItemIx, u32
);
index!(
    /// A trace's number within its corpus.
    TraceIx, u32
);
index!(
    /// A perspective's number within its corpus.
    PerspectiveIx, u32
);
index!(
    /// The number of a situation or question, shared by all perspectives on it.
    TextIx, u32
);
index!(
    /// A method's number within its corpus.
    MethodIx, u16
);
index!(
    /// A data set's number within its corpus.
    DatasetIx, u16
);
index!(
    /// A domain's number within its corpus.
    DomainIx, u16
);

/// Where a record lies: which file, from which byte, how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Loc {
    pub file: u32,
    pub offset: u64,
    pub len: u32,
}

/// What became of one method on one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The answer is the gold letter.
    Right,
    /// It is another letter.
    Wrong,
    /// No answer could be read out of the output, or it names no option.
    NoAnswer,
    /// There is an answer, but gold is not known.
    Unjudged,
    /// There is no trace.
    NotRun,
}

impl Outcome {
    pub const ALL: [Outcome; 5] =
        [Outcome::Right, Outcome::Wrong, Outcome::NoAnswer, Outcome::Unjudged, Outcome::NotRun];

    /// The word of the query language.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Right => "right",
            Outcome::Wrong => "wrong",
            Outcome::NoAnswer => "none",
            Outcome::Unjudged => "unjudged",
            Outcome::NotRun => "not-run",
        }
    }
}

const NONE: u8 = u8::MAX;
const NO_ROW: u32 = u32::MAX;

/// One item, 64 bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ItemEntry {
    pub id: ItemId,
    /// The line that holds the item: its own, or the first trace that carries its fields.
    pub loc: Loc,
    pub(super) perspective: u32,
    pub(super) text: u32,
    pub(super) disagreement: f32,
    pub(super) dataset: u16,
    pub(super) domain: u16,
    pub(super) gold: u8,
    pub(super) options: u8,
    pub(super) split: u8,
    /// How well `loc` holds the item: 0 unknown, 1 a trace line, 2 an item line.
    pub(super) rank: u8,
    /// The rank of the line that `gold` came from: a better line's gold replaces it.
    pub(super) gold_rank: u8,
    pub(super) gold_conflict: bool,
}

impl ItemEntry {
    /// An item of which only the id is known.
    pub(super) fn unknown(id: ItemId) -> ItemEntry {
        ItemEntry {
            id,
            loc: Loc::default(),
            perspective: NO_ROW,
            text: NO_ROW,
            disagreement: 0.0,
            dataset: u16::MAX,
            domain: u16::MAX,
            gold: NONE,
            options: 0,
            split: NONE,
            rank: 0,
            gold_rank: 0,
            gold_conflict: false,
        }
    }

    /// Whether the item itself was found, and not only a trace that names it.
    pub fn known(&self) -> bool {
        self.rank > 0
    }

    /// `None` where the item is unknown.
    pub fn perspective(&self) -> Option<PerspectiveIx> {
        (self.perspective != NO_ROW).then_some(PerspectiveIx(self.perspective))
    }

    /// `None` where the item is unknown.
    pub fn text(&self) -> Option<TextIx> {
        (self.text != NO_ROW).then_some(TextIx(self.text))
    }

    /// `None` where the item is unknown.
    pub fn dataset(&self) -> Option<DatasetIx> {
        (self.dataset != u16::MAX).then_some(DatasetIx(self.dataset))
    }

    /// The field of life that the item states (`domain` in its line), where it states one.
    pub fn domain(&self) -> Option<DomainIx> {
        (self.domain != u16::MAX).then_some(DomainIx(self.domain))
    }

    /// The right letter, where it is known.
    pub fn gold(&self) -> Option<Letter> {
        letter(self.gold)
    }

    /// Whether another line states another gold for the same content.
    pub fn gold_conflict(&self) -> bool {
        self.gold_conflict
    }

    /// How many options the item offers; 0 where it is unknown.
    pub fn options(&self) -> usize {
        usize::from(self.options)
    }

    /// Takes a gold letter that a line of this rank states, unless a line as good stated one before.
    pub(super) fn offer_gold(&mut self, gold: Option<Letter>, rank: u8) {
        let Some(gold) = gold else { return };
        self.gold_conflict |= self.gold().is_some_and(|known| known != gold);
        if rank > self.gold_rank {
            self.gold = gold.index() as u8;
            self.gold_rank = rank;
        }
    }

    pub(super) fn split_ix(&self) -> Option<usize> {
        (self.split != NONE).then_some(usize::from(self.split))
    }
}

/// One trace, 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceEntry {
    pub loc: Loc,
    /// Of seed, rationale and answer.
    pub(super) fingerprint: u64,
    pub(super) item: ItemIx,
    pub(super) sample: u32,
    pub(super) tokens: u32,
    pub(super) method: MethodIx,
    pub(super) answer: u8,
    pub(super) flags: u8,
}

/// The lowest three bits hold the outcome, as a place in `Outcome::ALL`.
const OUTCOME: u8 = 0b0000_0111;
const REPEATED: u8 = 0b0000_1000;
const SAID_RIGHT: u8 = 0b0001_0000;
const SAID_WRONG: u8 = 0b0010_0000;

impl TraceEntry {
    pub(super) fn new(item: ItemIx, method: MethodIx, facts: &TraceFacts<'_>, loc: Loc) -> TraceEntry {
        let flags = match facts.correct {
            Some(true) => SAID_RIGHT,
            Some(false) => SAID_WRONG,
            None => 0,
        };
        TraceEntry {
            loc,
            fingerprint: fingerprint(facts.seed, facts.cot, facts.answer),
            item,
            sample: facts.sample,
            tokens: facts.tokens,
            method,
            answer: facts.answer.map_or(NONE, |l| l.index() as u8),
            flags,
        }
    }

    pub fn item(&self) -> ItemIx {
        self.item
    }

    pub fn method(&self) -> MethodIx {
        self.method
    }

    /// Which repetition it says it is, from 0.
    pub fn sample(&self) -> u32 {
        self.sample
    }

    /// What tells its text from others of the same item, method and sample
    /// ([`crate::core::check::TraceKey::fingerprint`]).
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many tokens were written, where the line says so.
    pub fn tokens(&self) -> Option<u32> {
        (self.tokens > 0).then_some(self.tokens)
    }

    /// The answer, where it names an option of the item.
    pub fn answer(&self) -> Option<Letter> {
        letter(self.answer)
    }

    pub fn outcome(&self) -> Outcome {
        Outcome::ALL.get(usize::from(self.flags & OUTCOME)).copied().unwrap_or(Outcome::Unjudged)
    }

    /// Whether an earlier trace has the same item, method and sample number.
    pub fn repeated(&self) -> bool {
        self.flags & REPEATED != 0
    }

    pub(super) fn set_repeated(&mut self, repeated: bool) {
        self.flags = self.flags & !REPEATED | if repeated { REPEATED } else { 0 };
    }

    /// Drops an answer that the item does not offer, and sets the outcome: by gold where the item has
    /// one, else by what the line itself said.
    pub(super) fn judge(&mut self, item: &ItemEntry) {
        if item.known() && self.answer >= item.options {
            self.answer = NONE;
        }
        let outcome = match (self.answer(), item.gold()) {
            (None, _) => Outcome::NoAnswer,
            (Some(answer), Some(gold)) if answer == gold => Outcome::Right,
            (Some(_), Some(_)) => Outcome::Wrong,
            (Some(_), None) if self.flags & SAID_RIGHT != 0 => Outcome::Right,
            (Some(_), None) if self.flags & SAID_WRONG != 0 => Outcome::Wrong,
            (Some(_), None) => Outcome::Unjudged,
        };
        let code = Outcome::ALL.iter().position(|o| *o == outcome).unwrap_or(0) as u8;
        self.flags = self.flags & !OUTCOME | code;
    }
}

fn letter(code: u8) -> Option<Letter> {
    (code != NONE).then(|| Letter::from_index(usize::from(code))).flatten()
}
