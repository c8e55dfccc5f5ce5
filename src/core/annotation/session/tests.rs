//! Sessions: key counts, blindness, undo and redo, restarts.

use super::*;
use crate::core::annotation::DEFAULT_RUBRIC;
use proptest::prelude::*;

fn slots() -> Vec<Slot> {
    // Two traces of one item, three of another.
    let slot = |task, item| Slot { task: TaskId(task), item: ItemId(item), steps: 3 };
    vec![slot(10, 1), slot(11, 1), slot(12, 2), slot(13, 2), slot(14, 2)]
}

fn session() -> Session {
    let rubric = Arc::new(Rubric::parse(DEFAULT_RUBRIC).unwrap());
    Session::restore(rubric, true, slots(), [], None)
}

/// Presses keys of the default rubric: digits answer, e is Enter.
fn press(session: &mut Session, keys: &str) -> Vec<Act<TaskId>> {
    let mut acts = Vec::new();
    for key in keys.chars() {
        let kind = session.question().unwrap().kind.clone();
        let digit = key.to_digit(10).map(|d| d as usize);
        let outcome = match (&kind, digit) {
            (_, None) => session.enter(),
            (Kind::Single(c), Some(d)) if d > 0 => session.answer(Value::Choice(c[d - 1].value.clone())),
            (Kind::Several(c), Some(d)) if d > 0 => session.toggle(&c[d - 1].value.clone()),
            (Kind::Several(_), _) => session.answer(Value::Several(Default::default())),
            (Kind::YesNo { .. }, Some(d)) => session.answer(Value::YesNo(d == 1)),
            (Kind::Scale { .. }, Some(d)) => session.answer(Value::Scale(d as i64)),
            (Kind::Step, Some(d)) if d > 0 => session.answer(Value::Step(d - 1)),
            _ => session.answer(Value::Nothing),
        };
        if let Outcome::Act(act) = outcome {
            acts.push(act);
        }
    }
    acts
}

#[test]
fn the_default_rubric_takes_at_most_eight_keys() {
    // Nothing wrong: six. One signal: seven. One signal and its step, or harmful content besides: eight.
    for keys in ["11203e", "12212e", "2211e3e", "2211e32e"] {
        let mut session = session();
        press(&mut session, keys);
        let saved = session.label_at(0).unwrap().saved();
        assert_eq!((keys.len() <= 8, saved), (true, keys != "12212e"), "{keys}");
    }
    let mut quick = session();
    press(&mut quick, "11203e");
    assert_eq!(quick.place().slot, 1, "saved, and on to the next trace of the item");
    let mut with_step = session();
    press(&mut with_step, "2211e3");
    assert_eq!(with_step.question().unwrap().id, "first_bad_step");
}

#[test]
fn enter_names_what_is_missing_and_skips_what_is_optional() {
    let mut session = session();
    assert!(matches!(session.enter(), Outcome::Refused(_)));
    press(&mut session, "1");
    session.go_to_question(0);
    assert_eq!(session.enter(), Outcome::Moved);
    assert_eq!(session.question().unwrap().id, "perspective");
}

#[test]
fn blind_holds_until_the_whole_item_is_saved() {
    let mut session = session();
    press(&mut session, "11203e");
    assert!(!session.may_see(0), "the gold of the item would sway the other trace");
    press(&mut session, "11203e");
    assert!(session.may_see(0) && session.may_see(1));
    assert!(!session.may_see(2));
    assert!(!session.label_at(0).unwrap().unblinded);
    session.go_to(0);
    session.go_to_question(0);
    press(&mut session, "2");
    assert!(session.label_at(0).unwrap().unblinded, "changed with gold in sight");
}

#[test]
fn a_reveal_is_logged_marks_the_label_and_is_not_undone() {
    let mut session = session();
    press(&mut session, "1");
    let Outcome::Act(act) = session.reveal() else { panic!() };
    assert_eq!((act.field, act.blind), (Field::Revealed, false));
    assert!(matches!(session.reveal(), Outcome::Refused(_)));
    session.undo();
    assert!(session.label_at(0).unwrap().revealed());
    assert_eq!(session.label_at(0).unwrap().answers().len(), 0, "undo took the answer before it");
    assert!(session.label_at(0).unwrap().unblinded);
}

#[test]
fn back_walks_over_traces_and_unasked_questions() {
    let mut session = session();
    press(&mut session, "11203e");
    assert_eq!((session.place().slot, session.place().question), (1, 0));
    session.back();
    assert_eq!(session.place().slot, 0);
    assert_eq!(session.question().unwrap().id, "confidence");
    assert!(matches!((0..9).map(|_| session.back()).last(), Some(Outcome::Refused(_))));
}

#[test]
fn undo_goes_where_the_act_was() {
    let mut session = session();
    press(&mut session, "11203e1");
    session.undo();
    assert_eq!((session.place().slot, session.question().unwrap().id.as_str()), (1, "supports"));
    session.undo();
    assert!(!session.label_at(0).unwrap().saved());
    assert_eq!(session.place().slot, 0);
    session.undo();
    assert_eq!(session.question().unwrap().id, "confidence");
    session.redo();
    session.redo();
    assert!(session.label_at(0).unwrap().saved());
}

/// One random step of a session.
fn step(session: &mut Session, (what, n): (u8, u8)) -> Outcome {
    match what {
        0..=5 => {
            let mut acts = press(session, &(n % 5).to_string());
            acts.pop().map_or(Outcome::Moved, Outcome::Act)
        }
        6 => session.enter(),
        7 => session.skip(),
        8 => session.flag(),
        9 => session.note(&format!("note {n}")),
        10 => session.back(),
        11 | 12 => session.undo(),
        13 => session.redo(),
        14 => session.mark(Span { start: usize::from(n), end: usize::from(n) + 2, text: "ab".to_owned() }),
        15 => session.reveal(),
        _ => {
            session.go_to(usize::from(n));
            session.go_to_question(usize::from(n % 8));
            Outcome::Moved
        }
    }
}

proptest! {
    #[test]
    fn undo_and_redo_are_inverse_and_survive_a_restart(steps in proptest::collection::vec((0u8..18, 0u8..9), 0..80)) {
        let mut session = session();
        let mut kept = Vec::new();
        for s in steps {
            if let Outcome::Act(act) = step(&mut session, s) {
                let before = act.before.clone();
                prop_assert!(before != act.after || act.kind != ActKind::Do);
                kept.push(act);
            }
        }
        // A restart from what was kept.
        let again = Session::restore(Arc::clone(&session.rubric), true, slots(), kept.clone(), Some(session.place()));
        prop_assert_eq!(&again, &session);
        // All the way back, and forth.
        let labels = |s: &Session| -> Vec<_> {
            (0..5).map(|i| {
                let mut fields = s.label_at(i).unwrap().fields().clone();
                fields.remove(&Field::Revealed);
                fields
            }).collect()
        };
        let now = labels(&session);
        let (undoable, redoable) = (session.can_undo(), session.can_redo());
        let mut walk = again;
        for _ in 0..undoable {
            let act = walk.undo();
            prop_assert!(matches!(act, Outcome::Act(_)));
        }
        prop_assert!(matches!(walk.undo(), Outcome::Refused(_)));
        prop_assert!(labels(&walk).iter().all(|fields| fields.is_empty()));
        for _ in 0..undoable {
            walk.redo();
        }
        prop_assert_eq!(labels(&walk), now);
        prop_assert_eq!((walk.can_undo(), walk.can_redo()), (undoable, redoable));
    }
}
