//! Playlists: scenes in TOML, in words that outlive a change of the corpus.
//!
//! A scene names its item by situation and perspective, never by number or hash, so that a playlist still holds after the
//! corpus was made anew; what is missing is said on the screen. Pure: text in, scenes out.

use serde::Deserialize;
use std::time::Duration;

/// The most scenes, and the longest playing time of one, that are accepted.
const MOST_SCENES: usize = 500;
const LONGEST: f64 = 3600.0;

/// A playlist. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Playlist {
    pub title: String,
    pub scenes: Vec<Scene>,
}

/// One scene.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    pub title: String,
    #[serde(default)]
    pub caption: String,
    /// The item's text, or the beginning of it; without it the caption stands alone.
    #[serde(default)]
    pub situation: Option<String>,
    /// The perspective's name, or `attribute: group`.
    #[serde(default)]
    pub perspective: Option<String>,
    /// Methods to show, in the explorer's order; all that have a trace of the item without it.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Let the texts grow as they were written, instead of showing them at once.
    #[serde(default = "yes")]
    pub play: bool,
    /// Write anew where a model is here.
    #[serde(default)]
    pub live: bool,
    /// Run the check of the answer's probability where a model is here.
    #[serde(default)]
    pub checks: bool,
    /// Hide the words of flagged steps.
    #[serde(default)]
    pub blur: bool,
    /// Recordings longer than this are played faster; the screen says how much.
    #[serde(default = "twelve")]
    pub seconds: f64,
    /// How long the scene stays after that when scenes follow each other by themselves.
    #[serde(default = "eight")]
    pub stay: f64,
}

fn yes() -> bool {
    true
}

fn twelve() -> f64 {
    12.0
}

fn eight() -> f64 {
    8.0
}

impl Scene {
    /// How long recordings may take.
    pub fn play_time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.0, LONGEST))
    }

    /// How long the scene stays after that.
    pub fn stay_time(&self) -> Duration {
        Duration::from_secs_f64(self.stay.clamp(0.0, LONGEST))
    }
}

/// Why a playlist cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaylistError {
    #[error("line {line}: {message}")]
    Syntax { line: usize, message: String },
    #[error("it has no [[scene]]")]
    Empty,
    #[error("it has {0} scenes; at most {MOST_SCENES} are played")]
    TooMany(usize),
    #[error("scene {number}: `{field}` must be between 0 and {LONGEST} seconds")]
    Time { number: usize, field: &'static str },
    #[error("scene {0}: a perspective without a situation; name both")]
    NoSituation(usize),
}

/// Reads a playlist.
///
/// ```
/// let text = "title = \"One minute\"\n[[scene]]\ntitle = \"Hello\"\nsituation = \"Reading a diary\"\nperspective = \"Privacy\"";
/// assert_eq!(pluriscope::app::demo::parse(text).unwrap().scenes.len(), 1);
/// ```
///
/// # Errors
/// With the line, or the number of the scene.
pub fn parse(text: &str) -> Result<Playlist, PlaylistError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        title: String,
        #[serde(default, rename = "scene")]
        scenes: Vec<Scene>,
    }
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |s| s.start.min(text.len()));
        let line = text.bytes().take(at).filter(|b| *b == b'\n').count() + 1;
        PlaylistError::Syntax { line, message: error.message().to_owned() }
    })?;
    if file.scenes.is_empty() {
        return Err(PlaylistError::Empty);
    }
    if file.scenes.len() > MOST_SCENES {
        return Err(PlaylistError::TooMany(file.scenes.len()));
    }
    for (i, scene) in file.scenes.iter().enumerate() {
        for (field, value) in [("seconds", scene.seconds), ("stay", scene.stay)] {
            if !(0.0..=LONGEST).contains(&value) {
                return Err(PlaylistError::Time { number: i + 1, field });
            }
        }
        if scene.perspective.is_some() && scene.situation.is_none() {
            return Err(PlaylistError::NoSituation(i + 1));
        }
    }
    Ok(Playlist { title: file.title, scenes: file.scenes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_shipped_playlist_reads() {
        let study = parse(include_str!("../../../assets/demo/study.toml")).unwrap();
        assert!(study.scenes.len() >= 5);
        let time: Duration = study.scenes.iter().map(|s| s.play_time() + s.stay_time()).sum();
        assert!((180..=330).contains(&time.as_secs()), "five minutes, not {} s", time.as_secs());
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let problem = |text: &str| parse(text).unwrap_err().to_string();
        assert!(
            problem("title = \"x\"\n[[scene]]\ntitle = \"y\"\ncolour = 1")
                .starts_with("line 4: unknown field")
        );
        assert_eq!(problem("title = \"x\""), "it has no [[scene]]");
        let scene = |rest: &str| format!("title = \"x\"\n[[scene]]\ntitle = \"y\"\n{rest}");
        assert!(problem(&scene("seconds = -1.0")).contains("scene 1: `seconds`"));
        assert!(problem(&scene("stay = nan")).contains("scene 1: `stay`"));
        assert!(problem(&scene("perspective = \"p\"")).contains("without a situation"));
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
