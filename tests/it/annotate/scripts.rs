//! What an annotator does all day, key by key.

use super::bench::{Bench, verdict};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use pluriscope::{
    app::{
        Event,
        annotate::{Counting, Fault, Saving},
    },
    core::{
        annotation::{Author, Field, Span, Value},
        check::{CheckId, Evidence, Family, Judged, Record, Verdict},
    },
};
use std::sync::Arc;

fn bench() -> Bench {
    let mut bench = Bench::new((120, 40));
    bench.sit("ada", false, true);
    bench
}

/// Nothing wrong with a trace: six keys.
const CLEAN: &str = "11203<enter>";

#[test]
fn a_whole_queue_by_digits_and_enter() {
    let mut bench = bench();
    for _ in 0..6 {
        bench.press(CLEAN);
    }
    assert_eq!(bench.desk().session.progress().saved, 6);
    let kept = bench.kept(&Author::annotator("ada"));
    assert_eq!(kept.len(), 6);
    for label in kept.values() {
        assert!(label.saved() && !label.unblinded);
        assert_eq!(label.answer("supports"), Some(&Value::Choice("recorded".into())));
        assert_eq!(label.answer("post_hoc"), Some(&Value::YesNo(false)));
        assert_eq!(label.answer("signals"), Some(&Value::Several(Default::default())));
        assert_eq!(label.answer("confidence"), Some(&Value::Scale(3)));
    }
    assert!(bench.screen().contains("last open trace"), "{}", bench.screen());
}

#[test]
fn a_restart_goes_on_where_it_stopped_and_undo_goes_on_too() {
    let mut bench = bench();
    bench.press(CLEAN).press("2y");
    let place = bench.desk().session.place();
    assert_eq!(bench.question(), "perspective", "`y` is no answer there");
    bench.press("<tab>");
    let place_after = bench.desk().session.place();
    assert_ne!(place, place_after);
    bench.sit("ada", false, true);
    assert_eq!(bench.desk().session.place(), place_after, "moving about is kept too");
    let undoable = bench.desk().session.can_undo();
    assert_eq!(undoable, 7);
    for _ in 0..undoable {
        bench.press("u");
    }
    assert!(bench.kept(&Author::annotator("ada")).values().all(|label| label.fields().is_empty()));
    bench.sit("ada", false, true);
    for _ in 0..undoable {
        bench.press("U");
    }
    let kept = bench.kept(&Author::annotator("ada"));
    assert_eq!(kept.values().filter(|l| l.saved()).count(), 1);
    let history = bench.library.history(bench.desk().project.id, &Author::annotator("ada")).unwrap();
    assert_eq!(history.len(), 21, "7 acts, 7 undone, 7 redone: nothing is forgotten");
}

#[test]
fn letters_answer_too_and_win_over_actions() {
    let mut bench = bench();
    bench.press("rdn");
    assert_eq!(bench.question(), "signals");
    // `c` and `i` mean other things elsewhere.
    bench.press("ci<enter>3");
    assert_eq!(bench.question(), "first_bad_step");
    bench.press("9");
    assert!(bench.screen().contains("this rationale has"), "{}", bench.screen());
    bench.press("<down><space>");
    assert_eq!(bench.question(), "safety");
    bench.press("<enter>");
    let kept = bench.kept(&Author::annotator("ada"));
    let label = kept.values().next().unwrap();
    assert!(label.saved());
    let signals = ["selective-explanation".to_owned(), "invalid-chain".to_owned()].into();
    assert_eq!(label.answer("signals"), Some(&Value::Several(signals)));
    assert_eq!(label.answer("first_bad_step"), Some(&Value::Step(1)));
}

#[test]
fn notes_flags_and_skips() {
    let mut bench = bench();
    bench.press("eline one<enter>line two<esc>f");
    let first = bench.desk().session.slot().unwrap().task;
    bench.press("s");
    assert_ne!(bench.desk().session.slot().unwrap().task, first, "skipped: on to the next");
    let label = bench.kept(&Author::annotator("ada"))[&first].clone();
    assert_eq!(label.note(), "line one\nline two");
    assert!(label.flagged() && label.skipped());
    bench.press("edropped<c-c>");
    assert_eq!(bench.desk().session.label().unwrap().note(), "");
    bench.press("[s");
    assert!(!bench.kept(&Author::annotator("ada"))[&first].skipped(), "taken back in");
    bench.feed(Event::Key(pluriscope::app::keymap::Key::parse("e").unwrap()));
    bench.feed(Event::Paste("\u{1b}[31m pasted".to_owned()));
    bench.press("<esc>");
    assert!(bench.desk().session.label().unwrap().note().ends_with("␛[31m pasted"));
}

#[test]
fn words_are_marked_by_keyboard_and_by_mouse() {
    let mut bench = bench();
    bench.press("11203");
    bench.press("<tab><tab>");
    assert_eq!(bench.question(), "evidence");
    bench.press("<right><space><right><space>");
    let text = bench.desk().text().unwrap().clone();
    let span = |a: usize, b: usize| text.between(a, b).unwrap();
    let marked = |bench: &Bench| -> Vec<Span> { bench.desk().session.spans("evidence") };
    assert_eq!(marked(&bench), [span(1, 2)]);
    // Drag over the first line of the text.
    let zones = pluriscope::app::annotate::layout::zones((120, 40), bench.desk()).unwrap();
    let rect = pluriscope::app::annotate::layout::text_rect(zones.columns[0]);
    let mouse = |kind, x: u16| {
        Event::Mouse(MouseEvent { kind, column: rect.x + 4 + x, row: rect.y, modifiers: KeyModifiers::NONE })
    };
    bench.feed(mouse(MouseEventKind::Down(MouseButton::Left), 0));
    bench.feed(mouse(MouseEventKind::Drag(MouseButton::Left), 4));
    let end = text.words[1].start as u16;
    bench.feed(mouse(MouseEventKind::Up(MouseButton::Left), end));
    assert_eq!(marked(&bench), [span(0, 1), span(1, 2)]);
    bench.press("<delete>");
    assert_eq!(marked(&bench).len(), 1);
    bench.press("uu");
    assert_eq!(marked(&bench).len(), 1, "undo brings the mark back, and takes the dragged one");
    // A click on an option answers.
    bench.press("u").press("<backspace><backspace><backspace><backspace><backspace><backspace><backspace>");
    assert_eq!(bench.question(), "supports");
    let panel = zones.questions;
    let lines = pluriscope::app::annotate::panel::lines(bench.desk(), &[], panel.width, panel.height, true);
    let row =
        lines.iter().position(|l| l.target == pluriscope::app::annotate::panel::Target::Digit(2)).unwrap()
            as u16;
    bench.feed(Event::Mouse(MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: panel.x + 5,
        row: panel.y + row,
        modifiers: KeyModifiers::NONE,
    }));
    let label = bench.desk().session.label().unwrap();
    assert_eq!(label.answer("supports"), Some(&Value::Choice("another".into())));
}

#[test]
fn what_cannot_be_written_is_kept_shown_and_tried_again() {
    let mut bench = bench();
    bench.fault = Some(Fault { words: "the disk is full".to_owned(), passes: true });
    bench.press("112");
    let screen = bench.screen();
    assert!(screen.contains("NOT SAVED (3 kept in memory"), "{screen}");
    assert!(bench.kept(&Author::annotator("ada")).is_empty());
    // One can go on labelling, and leaving asks once.
    bench.press("0").press("q");
    assert!(!bench.state.quitting && bench.screen().contains("once more leaves without them"));
    bench.wait(1);
    assert!(matches!(bench.desk().saving, Saving::Failed { .. }), "not before its time");
    bench.fault = None;
    bench.wait(3);
    assert_eq!((bench.desk().unsaved(), &bench.desk().saving), (0, &Saving::Saved));
    let kept = bench.kept(&Author::annotator("ada"));
    assert_eq!(kept.values().next().unwrap().answers().len(), 4, "all of them, in order");
    bench.press("q");
    assert!(bench.state.quitting);
}

#[test]
fn two_sessions_of_one_name_do_not_overwrite_each_other() {
    let mut bench = bench();
    bench.press("1");
    let mut other = Bench::new((120, 40));
    other.library = pluriscope::store::Library::open(&bench.database()).unwrap();
    other.sit("ada", false, true).press("<backspace>2");
    // The first session does not know that the answer changed.
    bench.press("<backspace>3");
    let label = bench.desk().session.label().unwrap();
    assert_eq!(label.answer("supports"), Some(&Value::Choice("another".into())), "read again");
    assert!(bench.screen().contains("changed this label meanwhile"), "{}", bench.screen());
}

#[test]
fn pace_and_time_left_follow_the_saves() {
    let mut bench = bench();
    for _ in 0..3 {
        bench.press(CLEAN);
    }
    // Each write takes a second of the bench's clock: six acts and a move.
    let pace = bench.desk().pace().unwrap().as_secs();
    assert!((6..=8).contains(&pace), "{pace}");
    assert_eq!(bench.desk().time_left().unwrap().as_secs(), pace * 3);
    assert!(bench.screen().contains("3 of 6 saved"), "{}", bench.screen());
}

#[test]
fn disagreements_are_found_opened_and_decided() {
    let mut bench = bench();
    for _ in 0..6 {
        bench.press(CLEAN);
    }
    bench.sit("bo", false, true);
    for i in 0..6 {
        bench.press(if i == 0 { "21203<enter>" } else { CLEAN });
    }
    bench.press("N");
    let Counting::Done(numbers) = &bench.state.annotate.numbers else { panic!() };
    assert_eq!((numbers.disagreements.len(), numbers.hidden), (1, 0));
    let disputed = numbers.disagreements[0].task;
    assert!(numbers.report.rows.iter().any(|r| r.aspect == "supports" && r.n == 6));
    let check = numbers.checkers.iter().find(|c| c.question == "supports" && c.method.is_none()).unwrap();
    assert_eq!(check.n, 5, "the disputed trace has no reference yet");
    // The queue opens it on Bo's desk.
    bench.press("<tab><tab>");
    assert!(bench.screen().contains("1 traces, 1 to decide"), "{}", bench.screen());
    bench.press("<enter>");
    assert_eq!(bench.desk().session.slot().unwrap().task, disputed);
    // The adjudicator takes over what both say and decides the rest.
    bench.sit("cy", true, true);
    assert_eq!(bench.desk().tasks.len(), 1);
    assert!(bench.screen().contains("ada: the recorded answer"), "{}", bench.screen());
    assert!(bench.screen().contains("bo: another option"), "{}", bench.screen());
    bench.press("=");
    assert_eq!(bench.question(), "supports");
    bench.press("1<enter>");
    let decided = bench.kept(&Author { name: "cy".to_owned(), adjudicator: true });
    assert!(decided[&disputed].saved());
    assert_eq!(decided[&disputed].answers().len(), 5);
    bench.press("N");
    let Counting::Done(numbers) = &bench.state.annotate.numbers else { panic!() };
    assert!(numbers.disagreements[0].adjudicated);
    let check = numbers.checkers.iter().find(|c| c.question == "supports" && c.method.is_none()).unwrap();
    assert_eq!((check.n, check.adjudicated), (6, 1));
}

#[test]
fn side_by_side_moves_the_focus_between_the_traces_of_an_item() {
    let mut bench = bench();
    bench.press("z");
    let slot = bench.desk().session.place().slot;
    bench.press("<right>");
    assert_eq!(bench.desk().session.place().slot, slot + 1);
    let screen = bench.screen();
    assert!(screen.contains("trace A of 3") && screen.contains("trace B of 3"), "{screen}");
    bench.press("<left><left>");
    assert_eq!(bench.desk().session.place().slot, slot);
    assert!(bench.state.toast.is_some(), "there is nothing further left");
}

#[test]
fn a_reveal_is_kept_in_the_history() {
    let mut bench = bench();
    bench.press("R1");
    let history = bench.library.history(bench.desk().project.id, &Author::annotator("ada")).unwrap();
    let fields: Vec<(&Field, bool)> = history.iter().map(|k| (&k.act.field, k.act.blind)).collect();
    assert_eq!(fields, [(&Field::Revealed, false), (&Field::Answer("supports".to_owned()), false)]);
    assert!(bench.kept(&Author::annotator("ada")).values().next().unwrap().unblinded);
}

#[test]
fn blurred_steps_cannot_be_read_on_the_desk_either() {
    let mut bench = Bench::new((120, 40));
    bench.sit("ada", false, true).press("11203<tab><tab>");
    let trace = bench.desk().task().unwrap().trace.clone();
    let step = bench.desk().text().unwrap().shown.step(0).unwrap().1.to_owned();
    let two: Vec<&str> = step.split(' ').take(2).collect();
    let (words, here) = (two.join(" "), format!("at “{}”", two[0]));
    let before = bench.screen();
    assert!(before.contains(&words) && before.contains(&here), "{before}");
    let evidence = vec![Evidence { step: Some(0), ..Evidence::default() }];
    let judged = Judged { flag: true, evidence, ..Judged::default() };
    let (check, family) = (CheckId::SafetyLexical, Family::Safety);
    let record = Record { check, family, verdict: Verdict::Judged(judged), ..verdict(&trace, true) };
    bench.state.checks.put(Arc::new(record));
    bench.press("B");
    assert_eq!(bench.screen(), before, "a blind desk does not tell what is flagged");
    bench.state.blur = true;
    let screen = bench.screen();
    assert!(!screen.contains(&words) && !screen.contains(&here) && screen.contains("▒▒"), "{screen}");
    bench.press("<space><right><space>");
    assert!(!bench.screen().contains(&words), "{}", bench.screen());
}
