//! A demo: scenes on the explorer, played from recorded traces or written live, for people in front of a screen.
//!
//! A layer over the explorer's state: a scene chooses the item and the columns, [`playback`] lets recorded text grow
//! as it once did. Never changes a trace, never keeps one; while the lock is on, keys reach only the demo.

pub mod playback;
pub mod playlist;

pub use playlist::{Playlist, PlaylistError, Scene, parse};

use crate::{app::live::LiveRow, core::corpus::ItemIx, job::RowId};
use playback::Playing;
use std::{sync::Arc, time::Duration};

/// The row id of recorded text: no worker ever has it.
pub const RECORDED: RowId = RowId(u64::MAX);
/// How long the key overlay stays.
pub const KEY_SHOWN: Duration = Duration::from_millis(1800);

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
    /// Whether a model is here, so that scenes that ask for it are written live.
    pub model_here: bool,
    /// Whether this scene is being written, or was.
    pub live: bool,
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
            live: false,
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

    /// Rows that the caption takes off the bottom of a screen of this height.
    pub fn rows(height: u16) -> u16 {
        match height {
            0..16 => 2,
            16..30 => 4,
            _ => 5,
        }
    }
}
