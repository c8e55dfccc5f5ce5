//! Items: one situation or survey question under one perspective, with options and the gold letter.

use super::{Letter, Perspective, text::squeeze};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// Content hash of an item: the first 16 bytes of a SHA-256 over data set, perspective, text and options.
///
/// White space is squeezed first, so the same row read from two formats has one id. The perspective's
/// *kind* stays out: Modular Pluralism files do not state it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ItemId(pub u128);

impl ItemId {
    /// The id of the item with this content.
    pub fn of<'a>(
        dataset: &str,
        perspective: &Perspective,
        text: &str,
        options: impl IntoIterator<Item = &'a str>,
    ) -> ItemId {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update(squeeze(text).as_bytes());
            hash.update([0x1e]);
        };
        part(dataset);
        part(&perspective.key());
        part(text);
        options.into_iter().for_each(part);
        let mut head = [0u8; 16];
        head.copy_from_slice(&hash.finalize()[..16]);
        ItemId(u128::from_be_bytes(head))
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemId({self})")
    }
}

impl FromStr for ItemId {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if s.len() != 32 {
            return Err(format!("`{s}` is not an item id (32 hexadecimal digits)"));
        }
        u128::from_str_radix(s, 16).map(ItemId).map_err(|e| format!("`{s}` is not an item id: {e}"))
    }
}

impl Serialize for ItemId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ItemId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            u128::deserialize(deserializer).map(ItemId)
        }
    }
}

/// One answer option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub letter: Letter,
    pub text: String,
    /// Share of the human group that chose it, 0 to 1, where the source reports one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub human_probability: Option<f64>,
}

/// A situation or question, seen from one perspective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub id: ItemId,
    /// `vk`, `opinionqa`, or the name of a corpus of one's own.
    pub dataset: String,
    pub perspective: Perspective,
    /// The situation (value corpora) or the survey question.
    pub text: String,
    pub options: Vec<Choice>,
    /// The right letter, where it is known.
    #[serde(default)]
    pub gold: Option<Letter>,
    /// A written reason for the gold letter: the "human CoT".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// Where the row came from: file and licence in short words.
    #[serde(default)]
    pub source: String,
    /// `train`, `val` or `test`, where the corpus is split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Fields that Pluriscope does not know; they survive a round trip.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Item {
    /// An item with its id computed from the content; options get the letters A, B, C…
    ///
    /// Options past `Z` are dropped by the readers, with a reason, before they come here.
    pub fn new(dataset: &str, perspective: Perspective, text: &str, options: &[&str]) -> Item {
        let text = squeeze(text);
        let options: Vec<Choice> = options
            .iter()
            .enumerate()
            .filter_map(|(i, option)| {
                Letter::from_index(i).map(|letter| Choice {
                    letter,
                    text: squeeze(option),
                    human_probability: None,
                })
            })
            .collect();
        let id = ItemId::of(dataset, &perspective, &text, options.iter().map(|c| c.text.as_str()));
        Item {
            id,
            dataset: dataset.to_owned(),
            perspective,
            text,
            options,
            gold: None,
            explanation: None,
            source: String::new(),
            split: None,
            extra: serde_json::Map::new(),
        }
    }

    /// The three options of every value, right and duty item.
    pub const VALUE_OPTIONS: [&'static str; 3] = ["Support", "Oppose", "Either"];

    /// A value, right or duty item.
    pub fn value(dataset: &str, perspective: Perspective, situation: &str) -> Item {
        Item::new(dataset, perspective, situation, &Item::VALUE_OPTIONS)
    }

    /// The id that this item's present content gives; differs from `id` in a damaged or edited file.
    pub fn computed_id(&self) -> ItemId {
        ItemId::of(&self.dataset, &self.perspective, &self.text, self.options.iter().map(|c| c.text.as_str()))
    }

    /// The field of life that the row's `domain` states, where it states one.
    pub fn domain(&self) -> Option<&str> {
        self.extra.get("domain")?.as_str().filter(|name| !name.is_empty())
    }

    /// The text of the option with this letter.
    pub fn option_text(&self, letter: Letter) -> Option<&str> {
        self.options.iter().find(|c| c.letter == letter).map(|c| c.text.as_str())
    }

    /// Whether the item asks for Support / Oppose / Either.
    pub fn is_value(&self) -> bool {
        self.options.len() == 3
            && self.options.iter().zip(Item::VALUE_OPTIONS).all(|(c, o)| c.text.eq_ignore_ascii_case(o))
    }
}
