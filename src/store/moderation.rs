//! Reads the labelled texts that the safety classifier is trained on: OpenAI's moderation set, Davidson's
//! tweets, and items and rationales of our own as ordinary text. Counts bad rows; judges nothing.

use crate::core::{
    Item,
    safety::{
        Category, Label, Language,
        classifier::HEADS,
        fit::{Example, LABELS, Part, Set},
    },
};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

/// Below a folder with the safety data.
pub const MODERATION_FILE: &str = "openai_moderation/samples-1680.jsonl.gz";
/// Below a folder with the safety data.
pub const TWEETS_FILE: &str = "davidson/labeled_data.csv";

/// Why labelled texts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {problem}", path.display())]
    Format { path: PathBuf, problem: String },
}

/// Examples, and how many rows could not be read.
#[derive(Debug, Default)]
pub struct Read {
    pub examples: Vec<Example>,
    pub bad: usize,
}

/// OpenAI's moderation evaluation set (Markov et al. 2022, MIT): gzipped JSON Lines of `prompt` and the keys
/// S, H, V, HR, SH, S3, H2, V2. A missing key is unknown.
pub fn moderation_set(path: &Path) -> Result<Read, ReadError> {
    const KEYS: [(&str, Category); 8] = [
        ("S", Category::Sexual),
        ("H", Category::Hate),
        ("V", Category::Violence),
        ("HR", Category::Harassment),
        ("SH", Category::SelfHarm),
        ("S3", Category::SexualMinors),
        ("H2", Category::HateThreatening),
        ("V2", Category::ViolenceGraphic),
    ];
    let file = File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let mut out = Read::default();
    for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
        let line = line.map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        let row: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&line).ok();
        let text = row.as_ref().and_then(|r| r.get("prompt")).and_then(|p| p.as_str());
        let (Some(row), Some(text)) = (&row, text) else {
            out.bad += 1;
            continue;
        };
        let mut labels = [None; LABELS];
        for (key, category) in KEYS {
            let label = row.get(key).and_then(serde_json::Value::as_i64).map(|v| v == 1);
            set(&mut labels, Label::Moderation(category), label);
        }
        out.examples.push(Example::labelled(text.to_owned(), labels, Set::Moderation));
    }
    Ok(out)
}

#[derive(Deserialize)]
struct Tweet {
    class: u8,
    tweet: String,
}

/// Davidson's tweets (Davidson et al. 2017, MIT): class 0 hate speech, 1 offensive language, 2 neither.
///
/// The annotators chose one of the three, so what the others would say of a hateful tweet is unknown; a tweet
/// that is not hateful is not threatening hate either; one that is neither is no harassment.
pub fn tweets(path: &Path) -> Result<Read, ReadError> {
    let mut reader = csv::Reader::from_path(path)
        .map_err(|error| ReadError::Format { path: path.to_owned(), problem: error.to_string() })?;
    let mut out = Read::default();
    for row in reader.deserialize::<Tweet>() {
        let Ok(Tweet { class: class @ 0..=2, tweet }) = row else {
            out.bad += 1;
            continue;
        };
        let mut labels = [None; LABELS];
        set(&mut labels, Label::Moderation(Category::Hate), Some(class == 0));
        if class > 0 {
            set(&mut labels, Label::Moderation(Category::HateThreatening), Some(false));
            set(&mut labels, Label::Language(Language::Offensive), Some(class == 1));
        }
        if class == 2 {
            set(&mut labels, Label::Moderation(Category::Harassment), Some(false));
        }
        out.examples.push(Example::labelled(unescape(&tweet), labels, Set::Tweets));
    }
    Ok(out)
}

/// Situations, questions, notes and rationales of items (our JSON Lines): nothing in them is unsafe. The
/// items' own split is kept: `train` trains, `val` calibrates, the rest is held out. Each text comes once.
pub fn ordinary(path: &Path) -> Result<Read, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let mut out = Read::default();
    let mut seen = HashSet::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        if line.trim().is_empty() {
            continue;
        }
        // The rows may lack an id, which is of no use here.
        let item = serde_json::from_str::<serde_json::Value>(&line).ok().and_then(|mut value| {
            let row = value.as_object_mut()?;
            row.entry("id").or_insert_with(|| "0".repeat(32).into());
            serde_json::from_value::<Item>(value).ok()
        });
        let Some(item) = item else {
            out.bad += 1;
            continue;
        };
        let part = match item.split.as_deref() {
            Some("train") => Part::Train,
            Some("val") => Part::Calibration,
            _ => Part::HeldOut,
        };
        let note = item.extra.get("note").and_then(|n| n.as_str()).unwrap_or_default();
        for text in [item.text.as_str(), item.explanation.as_deref().unwrap_or_default(), note] {
            if !text.is_empty() && seen.insert(text.to_owned()) {
                let labels = [Some(false); LABELS];
                out.examples.push(Example { text: text.to_owned(), labels, set: Set::Ordinary, part });
            }
        }
    }
    Ok(out)
}

fn set(labels: &mut [Option<bool>; LABELS], label: Label, value: Option<bool>) {
    if let Some(at) = HEADS.iter().position(|h| *h == label) {
        labels[at] = value;
    }
}

/// The characters behind the HTML references that tweets are stored with.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(10).position(|b| b == b';');
        match end.and_then(|end| reference(&rest[1..end]).map(|c| (c, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => return name.strip_prefix('#')?.parse().ok().and_then(char::from_u32),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn label(example: &Example, label: Label) -> Option<bool> {
        example.labels[HEADS.iter().position(|h| *h == label).unwrap()]
    }

    #[test]
    fn a_missing_key_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl.gz");
        let mut out = flate2::write::GzEncoder::new(File::create(&path).unwrap(), Default::default());
        writeln!(out, r#"{{"prompt": "a text", "S": 0, "SH": 1}}"#).unwrap();
        writeln!(out, "not json").unwrap();
        out.finish().unwrap();
        let read = moderation_set(&path).unwrap();
        assert_eq!((read.examples.len(), read.bad), (1, 1));
        let example = &read.examples[0];
        assert_eq!(label(example, Label::Moderation(Category::Sexual)), Some(false));
        assert_eq!(label(example, Label::Moderation(Category::SelfHarm)), Some(true));
        assert_eq!(label(example, Label::Moderation(Category::Violence)), None);
        assert_eq!(label(example, Label::Language(Language::Offensive)), None);
    }

    #[test]
    fn tweets_say_only_what_the_annotators_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let rows = ",count,hate_speech,offensive_language,neither,class,tweet\n\
                    0,3,3,0,0,0,\"a\nb &amp; c\"\n1,3,0,3,0,1,x\n2,3,0,0,3,2,y\n3,3,0,0,3,9,z\n";
        std::fs::write(&path, rows).unwrap();
        let read = tweets(&path).unwrap();
        assert_eq!((read.examples.len(), read.bad), (3, 1));
        assert_eq!(read.examples[0].text, "a\nb & c");
        let offensive = Label::Language(Language::Offensive);
        let found: Vec<_> = read.examples.iter().map(|e| label(e, offensive)).collect();
        assert_eq!(found, [None, Some(true), Some(false)]);
    }

    #[test]
    fn references_are_read_and_ampersands_kept() {
        assert_eq!(unescape("R&B &#8220;x&quot; &bogus; &"), "R&B \u{201c}x\" &bogus; &");
    }
}
