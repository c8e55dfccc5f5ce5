//! Annotation from key to disk: whole sessions, screens, what blind mode hides, kills, other tools.

mod bench;
mod blind;
mod commands;
mod kills;
mod screens;
mod scripts;
mod terminal;
mod tools;
