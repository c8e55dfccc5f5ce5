//! Keys to actions, read from the shipped keymap with the user's laid over it.

use super::action::{Action, Context};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::{collections::BTreeMap, fmt};

/// A key with its modifiers, in one canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: KeyCode,
    pub ctrl: bool,
    pub alt: bool,
}

impl Key {
    pub fn plain(code: KeyCode) -> Key {
        Key { code, ctrl: false, alt: false }
    }

    /// The key's place in an order that puts like with like.
    fn rank(&self) -> (bool, bool, String) {
        (self.ctrl, self.alt, self.to_string())
    }

    /// Reads `ctrl-d`, `enter`, `G`, `?`.
    pub fn parse(text: &str) -> Option<Key> {
        let (mut ctrl, mut alt, mut rest) = (false, false, text);
        loop {
            if let Some(tail) = strip_any(rest, &["ctrl-", "c-"]).filter(|t| !t.is_empty()) {
                (ctrl, rest) = (true, tail);
            } else if let Some(tail) = strip_any(rest, &["alt-", "a-"]).filter(|t| !t.is_empty()) {
                (alt, rest) = (true, tail);
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => KeyCode::Char(c),
            _ => named(&rest.to_lowercase())?,
        };
        Some(Key { code, ctrl, alt })
    }
}

fn strip_any<'a>(text: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    prefixes.iter().find_map(|p| text.strip_prefix(p))
}

const NAMES: [(&str, KeyCode); 16] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("lt", KeyCode::Char('<')),
];

fn named(name: &str) -> Option<KeyCode> {
    let function = || name.strip_prefix('f')?.parse().ok().filter(|n| (1..=12).contains(n)).map(KeyCode::F);
    NAMES.iter().find(|(n, _)| *n == name).map(|(_, code)| *code).or_else(function)
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Key {
        Key {
            code: event.code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        match self.code {
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::Tab => f.write_str("⇥"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            code => match NAMES.iter().find(|(_, known)| *known == code) {
                Some((name, _)) => f.write_str(name),
                None => write!(f, "{code:?}"),
            },
        }
    }
}

/// Something wrong in a keymap file; the rest of the file still counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapProblem {
    #[error("keymap: {0}")]
    Syntax(String),
    #[error("keymap: no zone is called `{0}` (global, perspectives, items, comparison, audit, demo)")]
    Context(String),
    #[error("keymap, [{context}]: `{key}` is not a key; write it like `ctrl-d`, `enter` or `G`")]
    Key { context: &'static str, key: String },
    #[error("keymap, [{context}]: `{key}` is bound to `{name}`, which is no action; `:` lists them all")]
    Action { context: &'static str, key: String, name: String },
    #[error("keymap, [{context}]: `{key}` is bound twice, to `{first}` and to `{second}`; the second counts")]
    Conflict { context: &'static str, key: String, first: &'static str, second: &'static str },
    #[error("keymap: no key is left for `{0}`; the palette still has it")]
    Unreachable(&'static str),
}

/// Bindings per context, in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keymap {
    bindings: BTreeMap<Context, Vec<(Key, Action)>>,
}

/// The keymap that the program is built with.
pub const SHIPPED: &str = include_str!("../../assets/keymap.toml");

impl Keymap {
    /// The shipped keymap with `user`'s laid over it, and what was wrong.
    pub fn load(user: Option<&str>) -> (Keymap, Vec<KeymapProblem>) {
        let mut map = Keymap::default();
        let mut problems = map.lay_over(SHIPPED);
        if let Some(user) = user {
            problems.extend(map.lay_over(user));
        }
        for essential in [Action::Quit, Action::Help, Action::Palette] {
            if map.keys(Context::Global, essential).is_empty() {
                problems.push(KeymapProblem::Unreachable(essential.name()));
            }
        }
        (map, problems)
    }

    fn lay_over(&mut self, text: &str) -> Vec<KeymapProblem> {
        let tables: toml::Table = match text.parse() {
            Ok(tables) => tables,
            Err(error) => return vec![KeymapProblem::Syntax(squeezed(&error))],
        };
        let mut problems = Vec::new();
        for (name, table) in &tables {
            let (Some(context), Some(table)) =
                (Context::ALL.into_iter().find(|c| c.name() == name), table.as_table())
            else {
                problems.push(KeymapProblem::Context(name.clone()));
                continue;
            };
            let mut fresh: Vec<(Key, Action)> = Vec::new();
            for (key_text, value) in table {
                let Some(key) = Key::parse(key_text) else {
                    problems.push(KeymapProblem::Key { context: context.name(), key: key_text.clone() });
                    continue;
                };
                let name = value.as_str().unwrap_or_default();
                let bound = self.bindings.entry(context).or_default();
                if name == "none" {
                    bound.retain(|(k, _)| *k != key);
                    continue;
                }
                let Some(action) = Action::from_name(name) else {
                    problems.push(KeymapProblem::Action {
                        context: context.name(),
                        key: key_text.clone(),
                        name: if name.is_empty() { value.to_string() } else { name.to_owned() },
                    });
                    continue;
                };
                if let Some((_, first)) = fresh.iter().find(|(k, _)| *k == key) {
                    problems.push(KeymapProblem::Conflict {
                        context: context.name(),
                        key: key_text.clone(),
                        first: first.name(),
                        second: action.name(),
                    });
                }
                fresh.push((key, action));
                bound.retain(|(k, _)| *k != key);
                bound.push((key, action));
            }
        }
        problems
    }

    /// The action of `key` in `context`; a pane's own table wins over the global one.
    pub fn action(&self, context: Context, key: Key) -> Option<Action> {
        let find = |c| self.bindings.get(&c)?.iter().find(|(k, _)| *k == key).map(|(_, a)| *a);
        find(context).or_else(|| find(Context::Global))
    }

    /// The keys that do `action` in `context` (its own and the global ones that it does not shadow).
    pub fn keys(&self, context: Context, action: Action) -> Vec<Key> {
        let own = self.bindings.get(&context).into_iter().flatten();
        let global = self.bindings.get(&Context::Global).into_iter().flatten();
        let mut keys: Vec<Key> = Vec::new();
        for (key, bound) in own.chain(global) {
            if *bound == action && self.action(context, *key) == Some(action) && !keys.contains(key) {
                keys.push(*key);
            }
        }
        keys.sort_by_key(Key::rank);
        keys
    }

    /// The key to show for `action`: arrows and letters before chords.
    pub fn hint(&self, context: Context, action: Action) -> Option<Key> {
        let keys = self.keys(context, action);
        keys.iter()
            .find(|k| {
                matches!(k.code, KeyCode::Up | KeyCode::Down | KeyCode::Left | KeyCode::Right | KeyCode::Tab)
            })
            .or_else(|| keys.first())
            .copied()
    }

    /// Actions of a context with their keys, for the help: pane's own first, in the order of [`Action::ALL`].
    pub fn listing(&self, context: Context) -> Vec<(Vec<Key>, Action)> {
        Action::ALL
            .iter()
            .map(|action| (self.keys(context, *action), *action))
            .filter(|(keys, _)| !keys.is_empty())
            .collect()
    }
}

fn squeezed(error: &toml::de::Error) -> String {
    crate::core::text::squeeze(&error.to_string())
}

/// Reads a key script: `<down>`, `<ctrl-d>`, `<enter>`; all other characters stand for themselves.
/// The error is the bracket text that names no key.
pub fn parse_keys(script: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    let mut rest = script;
    while let Some(c) = rest.chars().next() {
        if c == '<'
            && let Some(end) = rest.find('>')
        {
            let name = &rest[1..end];
            keys.push(Key::parse(name).filter(|_| !name.is_empty()).ok_or_else(|| name.to_owned())?);
            rest = &rest[end + 1..];
        } else {
            keys.push(Key::plain(KeyCode::Char(c)));
            rest = &rest[c.len_utf8()..];
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_keymap_is_clean_and_reaches_every_action() {
        let (map, problems) = Keymap::load(None);
        assert_eq!(problems, []);
        for action in Action::ALL {
            let reached = Context::ALL.iter().any(|c| !map.keys(*c, *action).is_empty());
            assert!(reached, "{action:?} has no key");
        }
    }

    #[test]
    fn a_user_keymap_replaces_frees_and_reports() {
        let (map, problems) = Keymap::load(Some(
            "[global]\nq = \"none\"\nQ = \"quit\"\n\"hyper-x\" = \"quit\"\nw = \"fly\"\n[attic]\n",
        ));
        assert_eq!(map.action(Context::Items, Key::plain(KeyCode::Char('q'))), None);
        assert_eq!(map.action(Context::Items, Key::plain(KeyCode::Char('Q'))), Some(Action::Quit));
        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    #[test]
    fn keys_are_read_and_shown() {
        assert_eq!(Key::parse("ctrl-d").map(|k| k.to_string()), Some("ctrl-d".to_owned()));
        assert_eq!(Key::parse("-"), Some(Key::plain(KeyCode::Char('-'))));
        assert_eq!(parse_keys("a<down><c-d>").map(|k| k.len()), Ok(3));
        assert_eq!(parse_keys("<nope>"), Err("nope".to_owned()));
    }
}
