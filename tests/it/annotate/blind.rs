//! Blind mode: nothing that could sway a judgement is on any screen before the item is saved.

use super::bench::Bench;
use pluriscope::ui::export;
use proptest::prelude::*;

/// Methods, model, the check's word, the other person, their note, the human explanation, gold.
const SECRETS: [&str; 9] =
    ["quux", "zork", "frob", "snarf", "blorked", "bo's", "SECRET-NOTE", "EXPLAINED-BY-PEOPLE", "gold B"];

/// Bo has labelled everything, with notes; Ada sits down.
fn bench(size: (u16, u16)) -> Bench {
    let mut bench = Bench::new(size);
    bench.sit("bo", false, true);
    for _ in 0..6 {
        bench.press("eSECRET-NOTE of bo's<esc>21203<enter>");
    }
    bench.sit("ada", false, true);
    bench
}

#[track_caller]
fn nothing_leaks(bench: &Bench, after: &str) {
    let buffer = bench.buffer();
    for text in [export::text(&buffer), export::ansi::ansi(&buffer), export::svg::svg(&buffer, false)] {
        for secret in SECRETS {
            assert!(
                !text.contains(secret),
                "{secret} is on the screen after {after}:\n{}",
                export::text(&buffer)
            );
        }
    }
    if let Some(toast) = &bench.state.toast {
        assert!(SECRETS.iter().all(|secret| !toast.text.contains(secret)), "{toast:?}");
    }
    assert!(bench.state.notes.iter().all(|note| SECRETS.iter().all(|s| !note.contains(s))));
}

#[test]
fn no_key_shows_what_is_hidden() {
    for size in [(80, 24), (120, 40), (200, 50)] {
        let mut bench = bench(size);
        nothing_leaks(&bench, "opening");
        // Keys that show such things elsewhere, pages of numbers, overlays, side by side.
        for keys in [
            "z", "i", "e<esc>", "A", "c", "C", "p", "<esc>", "m", "D", "o", "s", "s", "f", "f", "y", "E",
            "B", "N", "<tab>", "<tab>", "<enter>", "<tab>", "<esc>", "?", "<esc>", ":", "<esc>", "z", "=",
        ] {
            bench.press(keys);
            nothing_leaks(&bench, keys);
        }
        // Every action of the palette, by name.
        for action in pluriscope::app::Action::ALL {
            use pluriscope::app::Action::{Quit, Reveal, Suspend};
            if !matches!(action, Quit | Reveal | Suspend) {
                bench.press(":").press(action.name()).press("<enter>");
                nothing_leaks(&bench, action.name());
                bench.press("<esc><esc>");
                if bench.state.annotate.page != pluriscope::app::annotate::Page::Desk {
                    bench.press("N");
                }
                if bench.desk().writing.is_some() {
                    bench.press("<esc>");
                }
            }
        }
    }
}

#[test]
fn an_item_is_shown_when_all_its_traces_are_saved_and_not_before() {
    let mut bench = bench((120, 40));
    let slots: Vec<_> = bench.desk().session.slots().to_vec();
    bench.press("11203<enter>11203<enter>");
    nothing_leaks(&bench, "two of three");
    bench.press("<backspace>");
    nothing_leaks(&bench, "going back to a saved trace of an item that is not done");
    bench.press("]11203<enter>");
    assert_ne!(bench.desk().session.slot().unwrap().item, slots[0].item, "the next item");
    nothing_leaks(&bench, "the next item");
    bench.press("[");
    let screen = bench.screen();
    for seen in ["snarf", "gold", "blorked", "bo: another option"] {
        assert!(screen.contains(seen), "{seen} is not on\n{screen}");
    }
}

#[test]
fn a_reveal_shows_this_item_only() {
    let mut bench = bench((120, 40));
    bench.press("R");
    assert!(bench.screen().contains("snarf"), "{}", bench.screen());
    for _ in 0..3 {
        bench.press("]");
    }
    nothing_leaks(&bench, "a reveal of another item");
}

#[test]
fn numbers_leave_out_what_is_not_saved() {
    let mut bench = bench((120, 40));
    bench.press("11203<enter>11203<enter>11203<enter>N");
    let screen = bench.screen();
    assert!(screen.contains("3 traces of your queue are left out"), "{screen}");
    assert!(screen.contains("6 saved labels"), "three of each: {screen}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn no_walk_shows_what_is_hidden(keys in "[1-5uUsfzjk<>\\[\\]N=ie?q:]{0,40}") {
        let mut bench = bench((120, 40));
        for key in keys.chars() {
            let key = match key { '<' => "<backspace>".to_owned(), '>' => "<tab>".to_owned(), c => c.to_string() };
            bench.press(&key);
            if bench.state.quitting { break }
            // What was saved whole may be seen.
            if bench.desk().session.slots().iter().enumerate().all(|(i, _)| !bench.desk().session.may_see(i)) {
                nothing_leaks(&bench, &keys);
            }
        }
    }
}
