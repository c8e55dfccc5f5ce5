//! A demo: scenes on the explorer, played from recorded traces or written live, for people in front of a screen.
//!
//! A layer over the explorer's state: a scene chooses the item and the columns, [`playback`] lets recorded text grow
//! as it once did. Never changes a trace, never keeps one; while the lock is on, keys reach only the demo.

pub mod playback;
pub mod playlist;

pub use playlist::{Playlist, PlaylistError, Scene, parse};

use crate::{
    app::{geometry::SMALLEST, live::LiveRow},
    core::{corpus::ItemIx, wrap::wrap_while},
    job::RowId,
};
use playback::Playing;
use std::{sync::Arc, time::Duration};

/// The study's story in five minutes.
pub const SHIPPED: &str = include_str!("../../../assets/demo/study.toml");
/// The row id of recorded text: no worker ever has it.
pub const RECORDED: RowId = RowId(u64::MAX);
/// How long the key overlay stays.
pub const KEY_SHOWN: Duration = Duration::from_millis(1800);
/// The widest line of a caption.
const CAPTION_MAX: u16 = 110;

/// What the scene's words led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// The corpus is still being read.
    #[default]
    Waiting,
    Item(ItemIx),
    /// Captions only.
    NoItem,
    /// Named, and not in this corpus.
    Missing(String),
}

/// The key that was pressed last, for the audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pressed {
    pub key: String,
    pub action: String,
    pub until: Duration,
}

/// A column that is written live in this scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Index into the state's methods.
    pub method: usize,
    pub row: RowId,
    /// Its trace is finished; until then it may still come to nothing.
    pub written: bool,
}

/// A demo under way.
#[derive(Clone, Debug)]
pub struct Demo {
    pub playlist: Arc<Playlist>,
    /// Which scene is on.
    pub at: usize,
    pub found: Found,
    /// Time within the scene; stands still while paused.
    pub clock: Duration,
    pub paused: bool,
    /// Scenes follow each other by themselves.
    pub auto: bool,
    /// The last scene is through.
    pub over: bool,
    pub large: bool,
    /// Keys reach only the demo.
    pub locked: bool,
    /// Whether a model is here, so that scenes that ask for it are written live; until it disappoints.
    pub model_here: bool,
    /// When this scene's live writing was asked for, or its model was last seen loading, on the explorer's clock.
    pub asked: Option<Duration>,
    /// Columns that are being written live in this scene, or were. What comes to nothing leaves the list, and its
    /// recording plays instead.
    pub live: Vec<Writing>,
    pub playing: Vec<Playing>,
    /// Columns whose recording was started in this scene.
    pub started: Vec<usize>,
    pub pressed: Option<Pressed>,
    /// The explorer's clock when it was last looked at.
    pub seen: Duration,
}

impl Demo {
    pub fn new(playlist: Arc<Playlist>, model_here: bool, auto: bool) -> Demo {
        Demo {
            playlist,
            at: 0,
            found: Found::Waiting,
            clock: Duration::ZERO,
            paused: false,
            auto,
            over: false,
            large: false,
            locked: true,
            model_here,
            asked: None,
            live: Vec::new(),
            playing: Vec::new(),
            started: Vec::new(),
            pressed: None,
            seen: Duration::ZERO,
        }
    }

    /// The scene that is on; a playlist is never empty.
    pub fn scene(&self) -> Option<&Scene> {
        self.playlist.scenes.get(self.at)
    }

    /// The recorded text of a method that is still growing.
    pub fn row(&self, item: ItemIx, method: usize) -> Option<&LiveRow> {
        let here = self.found == Found::Item(item);
        self.playing.iter().find(|p| here && p.method == method && !p.finished()).map(|p| &p.row)
    }

    /// The playback of a method.
    pub fn playback(&self, method: usize) -> Option<&Playing> {
        self.playing.iter().find(|p| p.method == method)
    }

    /// Whether time has to pass for something to happen.
    pub fn moving(&self) -> bool {
        let growing = self.playing.iter().any(|p| !p.finished());
        (!self.paused && !self.over && (self.auto || growing)) || self.pressed.is_some()
    }

    /// Whether all recordings of the scene are through.
    pub fn played(&self) -> bool {
        self.playing.iter().all(Playing::finished)
    }

    /// The caption as one paragraph; what the scene names and the corpus lacks comes first.
    pub fn caption(&self) -> String {
        let caption = self.scene().map_or("", |scene| scene.caption.as_str());
        let text = match &self.found {
            Found::Missing(what) => format!("{what}. {caption}"),
            _ => caption.to_owned(),
        };
        text.replace('\n', " ")
    }

    /// Cells that a line of the caption has on a screen of this width.
    pub fn caption_width(width: u16) -> u16 {
        width.saturating_sub(4).clamp(1, CAPTION_MAX)
    }

    /// Rows that the caption and its hairline take off the bottom of a screen of this size: as many as its words need,
    /// but at most a quarter of the screen, and never what the comparison cannot spare.
    pub fn rows(&self, (width, height): (u16, u16)) -> u16 {
        let usual = match height {
            0..16 => 2,
            16..30 => 4,
            _ => 5,
        };
        let most = (height / 4).min(height.saturating_sub(SMALLEST.1)).max(usual);
        let mut rows = 1;
        wrap_while(&self.caption(), usize::from(Demo::caption_width(width)), |_| {
            rows += 1;
            rows < most
        });
        rows.max(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_has_the_rows_that_it_needs_where_the_screen_has_them() {
        let rows = |words: usize, size| {
            let caption = vec!["word"; words].join(" ");
            let text = format!("title = \"t\"\n[[scene]]\ntitle = \"s\"\ncaption = \"{caption}\"");
            Demo::new(Arc::new(parse(&text).unwrap()), false, false).rows(size)
        };
        assert_eq!(rows(1, (80, 24)), 4);
        // Four lines of 76 cells, and the hairline.
        assert_eq!(rows(60, (80, 24)), 5);
        assert_eq!(rows(5000, (80, 24)), 6);
        assert_eq!(rows(5000, (120, 36)), 9);
        for height in SMALLEST.1 + 2..200 {
            assert!(height - rows(5000, (80, height)) >= SMALLEST.1, "{height} rows");
        }
    }

    #[test]
    fn the_shipped_captions_fit_a_small_terminal() {
        let playlist = Arc::new(parse(include_str!("../../../assets/demo/study.toml")).unwrap());
        let mut demo = Demo::new(Arc::clone(&playlist), false, false);
        for at in 0..playlist.scenes.len() {
            demo.at = at;
            let lines = crate::core::wrap::wrap(&demo.caption(), usize::from(Demo::caption_width(80)));
            assert!(lines.len() < usize::from(demo.rows((80, 24))), "scene {}", at + 1);
        }
    }
}
