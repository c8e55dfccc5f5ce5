//! Writes a corpus of any size: the same bytes for the same numbers, in words of our own.

use pluriscope::{
    core::{Finish, Item, Letter, Perspective, Trace},
    store::export,
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::io::{self, Write};

/// Methods of the corpus: five traces per item.
pub const METHODS: [&str; 5] = ["zero-shot-cot", "sft", "human-cot", "synthetic-cot", "rlvr"];

/// Perspectives on each situation.
const PER_SITUATION: usize = 5;

/// Items that one thread writes at a time.
const BATCH: usize = 2000;

const PERSPECTIVES: [&str; 20] = [
    "Candour",
    "Thrift",
    "Kinship",
    "Curiosity",
    "Restraint",
    "Hospitality",
    "Right to rest",
    "Right to be heard",
    "Right to a clean street",
    "Right to refuse",
    "Right to repair",
    "Right to quiet",
    "Duty to warn",
    "Duty to share",
    "Duty to return what is borrowed",
    "Duty of a guest",
    "Duty to vote",
    "Duty to listen",
    "Patience",
    "Craft",
];
const DOINGS: [&str; 12] = [
    "Lending",
    "Hiding",
    "Repairing",
    "Selling",
    "Returning",
    "Painting",
    "Photographing",
    "Borrowing",
    "Giving away",
    "Inspecting",
    "Recording",
    "Locking up",
];
const THINGS: [&str; 16] = [
    "a ladder",
    "the choir's piano",
    "an old map",
    "a neighbour's bicycle",
    "the last loaf",
    "a family recipe",
    "the village well",
    "a stray dog",
    "the town archive",
    "a rented boat",
    "the school bell",
    "a cousin's coat",
    "an unmarked parcel",
    "the night train",
    "a borrowed lens",
    "the harvest money",
];
const WHENS: [&str; 10] = [
    "before the vote",
    "during the storm",
    "without asking",
    "on market day",
    "while the owner sleeps",
    "after a quarrel",
    "for a stranger",
    "in front of the children",
    "at the last minute",
    "in another's name",
];
const CLAUSES: [&str; 12] = [
    "it asks what is owed to those who are not in the room",
    "a promise made lightly still binds",
    "nobody here was given a say in it",
    "the gain is small and the habit it starts is not",
    "those who bear the cost are seldom those who choose",
    "it leaves the other person free to decide",
    "what is shared once tends to be shared again",
    "the harm can be undone within a week",
    "silence would be taken for consent",
    "a careful person would wait for a clearer sign",
    "it keeps faith with people who relied on it",
    "the rule exists for days like this one",
];
const JOINTS: [&str; 6] = [
    "Seen this way, ",
    "Then again, ",
    "More than that, ",
    "In this case ",
    "Above all, ",
    "For that reason ",
];

/// Writes `traces` lines (rounded up to whole items) to `out`; returns how many bytes.
pub fn write(traces: usize, out: &mut dyn Write) -> io::Result<u64> {
    let items = traces.div_ceil(METHODS.len());
    let starts: Vec<usize> = (0..items).step_by(BATCH).collect();
    let mut bytes = 0;
    for round in starts.chunks(16) {
        let parts: Vec<io::Result<String>> =
            round.par_iter().map(|start| batch(*start, (*start + BATCH).min(items))).collect();
        for part in parts {
            let part = part?;
            out.write_all(part.as_bytes())?;
            bytes += part.len() as u64;
        }
    }
    Ok(bytes)
}

fn batch(from: usize, to: usize) -> io::Result<String> {
    let mut text = String::new();
    for n in from..to {
        let mut rng = ChaCha8Rng::seed_from_u64(n as u64);
        let item = item(n);
        for method in METHODS {
            let line = export::trace_line(Some(&item), &trace(&item, method, &mut rng))?;
            text.push_str(&line);
            text.push('\n');
        }
    }
    Ok(text)
}

/// Item `n`: situations come in fives, one per perspective.
fn item(n: usize) -> Item {
    let situation = n / PER_SITUATION;
    let text = format!(
        "{} {} {}, case {}",
        DOINGS[situation % DOINGS.len()],
        THINGS[situation / DOINGS.len() % THINGS.len()],
        WHENS[situation / 7 % WHENS.len()],
        situation,
    );
    let name = PERSPECTIVES[(situation * 3 + n % PER_SITUATION * 4) % PERSPECTIVES.len()];
    let gold = Letter::from_index(situation.wrapping_mul(31).wrapping_add(n * 7) % 3);
    Item {
        gold,
        source: "generated".to_owned(),
        split: Some(["train", "train", "train", "val", "test"][situation % 5].to_owned()),
        ..Item::value("vk", Perspective::named(name), &text)
    }
}

fn trace(item: &Item, method: &str, rng: &mut ChaCha8Rng) -> Trace {
    let mut output = String::new();
    if method != "sft" {
        for _ in 0..rng.random_range(4..9) {
            output.push_str(JOINTS.choose(rng).unwrap_or(&""));
            output.push_str(CLAUSES.choose(rng).unwrap_or(&""));
            output.push_str(". ");
        }
        output.push('\n');
    }
    let right = rng.random_bool(0.7);
    let letter = if right { item.gold } else { Letter::from_index(rng.random_range(0..3)) };
    // One in fifty does not answer.
    if let Some(letter) = letter
        && !rng.random_bool(0.02)
    {
        output.push_str(&format!("Answer: {letter}"));
    }
    let tokens = (0..output.len() / 5).map(|_| rng.random_range(0..49_000)).collect();
    Trace {
        model: "smollm2-135m".to_owned(),
        seed: Some(rng.random()),
        tokens,
        finish: Some(Finish::Stop),
        ..Trace::new(item, method.into(), output)
    }
}
