//! What an analyst does, key by key.

use super::bench::{Bench, Fixture, fixture, item, trace};
use pluriscope::{
    app::{Event, explorer::Zone, live::RowState, overlay::Overlay, state::ModelState},
    core::Trace,
    job::{Command, JobEvent, JobFinish, JobId},
};
use proptest::prelude::*;
use std::sync::Arc;

fn bench() -> Bench {
    Bench::new(&fixture(), (120, 40))
}

#[test]
fn choosing_a_perspective_lists_its_items_and_opens_the_comparison() {
    let mut bench = bench();
    bench.press("/priv<enter>");
    assert_eq!(bench.item(), "Reading a partner's messages to check a suspicion | Right to privacy");
    bench.press("<enter>");
    assert_eq!(bench.state.explorer.focus, Zone::Items);
    bench.press("<enter>");
    assert_eq!(bench.state.explorer.focus, Zone::Comparison);
    let screen = bench.screen();
    assert!(screen.contains("1  It could bring relief"), "{screen}");
    assert!(screen.contains("A support ✗"), "{screen}");
    assert!(screen.contains("no answer"), "{screen}");
}

#[test]
fn swapping_the_perspective_holds_the_situation_and_comes_back() {
    let mut bench = bench();
    bench.press("/privacy<enter><enter>s");
    bench.press("<down>");
    assert_eq!(bench.item(), "Reading a partner's messages to check a suspicion | Honesty");
    bench.press("<down>");
    assert!(bench.item().ends_with("Duty to protect others"));
    bench.press("s");
    assert_eq!(bench.item(), "Reading a partner's messages to check a suspicion | Right to privacy");
}

#[test]
fn the_disagreement_lens_keeps_items_on_which_methods_flip() {
    let mut bench = bench();
    bench.press("D");
    assert_eq!(bench.state.explorer.items.rows.len(), 1);
    assert!(bench.screen().contains("filter: flips"));
    bench.press("D");
    assert_eq!(bench.state.explorer.items.rows.len(), 6);
}

#[test]
fn a_filter_is_one_line_and_says_what_is_wrong() {
    let mut bench = bench();
    bench.press("fmethod:human-cot=right method:zero-shot-cot=wrong<enter>");
    assert_eq!(bench.state.explorer.items.rows.len(), 1);
    bench.press("F");
    assert_eq!(bench.state.explorer.items.rows.len(), 6);
    bench.press("fgold:Z9<enter>");
    assert!(matches!(&bench.state.overlay, Some(Overlay::Filter { problem: Some(_), .. })));
    bench.press("<esc>f\"no such words\"<enter>");
    assert!(bench.screen().contains("nothing passes the filter"), "{}", bench.screen());
}

#[test]
fn text_search_marks_and_walks_matches() {
    let mut bench = bench();
    bench.press("2/messages<enter>");
    assert_eq!(bench.state.explorer.items.rows.len(), 3);
    bench.press("n");
    assert_eq!(bench.state.explorer.items.cursor, 1);
    bench.press("<esc>");
    assert_eq!(bench.state.explorer.items.rows.len(), 6);
    bench.press("/<tab>stealth<enter>");
    assert_eq!(bench.state.explorer.items.rows.len(), 1);
}

#[test]
fn repeated_samples_are_all_reachable() {
    let mut bench = bench();
    bench.press("/privacy<enter><enter><enter><right>");
    assert!(bench.screen().contains("sample 1 of 2"), "{}", bench.screen());
    bench.press(".");
    assert!(bench.screen().contains("A second try"), "{}", bench.screen());
}

#[test]
fn generating_streams_cancels_and_keeps_what_was_written() {
    let mut bench = bench();
    bench.press("/tradition<enter><enter><enter><right>w");
    let rows = bench.asked();
    assert_eq!(rows.len(), 1);
    let row = rows[0].clone();
    assert_eq!((row.method.0.as_str(), row.sample), ("zero-shot-cot", 0));
    let job = JobId(1);
    let text = "Bells have rung here for centuries.";
    bench.feed(Event::Job(JobEvent::RowStarted { job, row: row.row, prompt_tokens: 90, cached_tokens: 0 }));
    bench.feed(Event::Job(JobEvent::RowText { job, row: row.row, text: text.to_owned(), tokens: 8 }));
    assert!(bench.screen().contains("Bells have rung here"), "{}", bench.screen());
    assert!(bench.screen().contains("writing 1 of 1") && bench.screen().contains("8 tokens"));
    bench.press("<esc>");
    assert!(matches!(bench.commands.last(), Some(Command::CancelRow(id)) if *id == row.row));
    let mut partial = Trace::new(&row.item, row.method.clone(), text.to_owned());
    partial.tokens = vec![1; 8];
    bench.feed(Event::Job(JobEvent::RowDone { job, row: row.row, trace: Arc::new(partial) }));
    bench.feed(Event::Job(JobEvent::JobDone { job, finish: JobFinish::Cancelled }));
    assert!(bench.state.live.get(row.row).is_none());
    assert!(bench.screen().contains("Bells have rung here"), "{}", bench.screen());
    // The next one is another sample, with another seed.
    bench.press("w");
    let again = bench.asked().remove(0);
    assert_eq!(again.sample, 1);
    assert_ne!(again.seed, row.seed);
}

#[test]
fn what_is_asked_about_an_item_that_is_still_being_read_is_written_once_it_is_there() {
    let mut bench = bench();
    bench.held = Some(Vec::new());
    bench.press("2G");
    let item = bench.item();
    bench.press("3w");
    assert!(bench.asked().is_empty());
    assert!(bench.screen().contains("writing starts with it"), "{}", bench.screen());
    // Looking elsewhere meanwhile changes nothing, and asking about another item takes nothing away.
    bench.press("2<up>");
    let other = bench.item();
    assert_ne!(other, item);
    bench.press("3w");
    bench.release();
    let texts: Vec<String> = bench
        .commands
        .iter()
        .filter_map(|c| match c {
            Command::Generate { rows, .. } => Some(rows[0].item.text.clone()),
            _ => None,
        })
        .collect();
    for asked in [item, other] {
        assert!(texts.iter().any(|text| asked.starts_with(text)), "{asked}: {texts:?}");
    }
}

#[test]
fn labelling_waits_for_an_item_that_is_still_being_read_and_for_all_of_its_traces() {
    for traces_first in [true, false] {
        let mut bench = bench();
        bench.held = Some(Vec::new());
        bench.press("/rest<enter><enter><enter>a");
        assert!(bench.screen().contains("labelling starts with it"), "{}", bench.screen());
        if traces_first {
            bench.release_traces()
        } else {
            bench.release_items()
        }
        assert!(bench.desks.is_empty(), "half of it is missing yet");
        bench.release();
        let [desk] = &bench.desks[..] else { panic!("{:?}", bench.desks) };
        assert!(!desk.traces.is_empty());
    }
}

#[test]
fn labelling_that_waits_is_given_up_by_going_on_and_by_cancelling() {
    for (keys, way) in [("2<up>", "another item"), ("x", "cancelled"), ("t", "another screen")] {
        let mut bench = bench();
        bench.held = Some(Vec::new());
        bench.press("2G3a").press(keys);
        assert_eq!(bench.state.annotate.awaiting, None, "{way}");
        bench.release();
        assert!(bench.desks.is_empty(), "{way}");
    }
}

#[test]
fn following_stops_on_scrolling_up_and_end_resumes() {
    let mut bench = bench();
    bench.press("/tradition<enter><enter><enter><right>w");
    let row = bench.asked().remove(0);
    let job = JobId(1);
    let long = "One more reason stands here, and it is not the last one. ".repeat(60);
    bench.feed(Event::Job(JobEvent::RowText { job, row: row.row, text: long.clone(), tokens: 800 }));
    let column = bench.state.explorer.compare.focus;
    let end = bench.state.explorer.compare.scroll(column).anchor;
    assert!(end.step > 20);
    bench.press("K");
    let held = bench.state.explorer.compare.scroll(column);
    assert!(!held.follow && held.anchor < end);
    bench.feed(Event::Job(JobEvent::RowText { job, row: row.row, text: long, tokens: 1600 }));
    assert_eq!(
        bench.state.explorer.compare.scroll(column).anchor,
        held.anchor,
        "the scroll position is sacred"
    );
    assert!(bench.screen().contains("new below"), "{}", bench.screen());
    bench.press("<end>");
    assert!(bench.state.explorer.compare.scroll(column).anchor > end);
}

#[test]
fn a_missing_model_is_offered_and_the_row_is_asked_for_again() {
    let mut bench = bench();
    bench.press("/tradition<enter><enter><enter><right>w");
    let row = bench.asked().remove(0);
    let model = row.model.clone();
    bench.feed(Event::Job(JobEvent::ModelFailed {
        model: model.clone(),
        problem: "not here".into(),
        missing: true,
    }));
    bench.feed(Event::Job(JobEvent::RowFailed { job: JobId(1), row: row.row, problem: "not here".into() }));
    assert!(bench.screen().contains("enter fetch"), "{}", bench.screen());
    bench.press("<enter>");
    assert!(matches!(bench.state.model, ModelState::Fetching { .. }));
    bench.feed(Event::Fetch(pluriscope::app::event::FetchEvent::Done { model }));
    let again = bench.asked().remove(0);
    assert_eq!((again.seed, again.sample), (row.seed, row.sample));
    assert_ne!(again.row, row.row);
    assert!(matches!(bench.state.live.get(again.row).map(|r| &r.state), Some(RowState::Waiting)));
}

#[test]
fn what_failed_is_gone_once_it_is_asked_for_again() {
    let mut bench = bench();
    bench.press("/tradition<enter><enter><enter><right>w");
    let row = bench.asked().remove(0);
    let failed = |row| JobEvent::RowFailed { job: JobId(1), row, problem: "out of luck".into() };
    bench.feed(Event::Job(failed(row.row)));
    bench.feed(Event::Job(JobEvent::JobDone { job: JobId(1), finish: JobFinish::Done }));
    assert_eq!(bench.state.live.all().count(), 1);
    bench.press("w");
    let again = bench.asked().remove(0);
    assert!(bench.state.live.get(row.row).is_none());
    assert_eq!(bench.state.live.all().map(|r| r.request.row).collect::<Vec<_>>(), [again.row]);
}

#[test]
fn a_method_without_its_adapter_and_one_that_does_not_apply_say_so() {
    let mut bench = bench();
    bench.press("/65<enter><enter><enter><right><right><right>");
    let screen = bench.screen();
    assert!(screen.contains("not applicable"), "{screen}");
    assert!(screen.contains("needs its trained"), "{screen}");
    bench.press("w<left>w");
    assert!(bench.commands.is_empty());
}

#[test]
fn escape_sequences_of_a_trace_do_not_reach_the_screen() {
    let mut bench = bench();
    bench.press("/rest<enter><enter><enter>");
    let screen = bench.screen();
    assert!(!screen.contains('\u{1b}') && screen.contains("␛[31mBells"), "{screen}");
}

#[test]
fn copy_takes_the_whole_output_of_the_column() {
    let mut bench = bench();
    bench.press("/privacy<enter><enter><enter><right>y");
    assert_eq!(bench.copied.len(), 1);
    assert!(bench.copied[0].ends_with("Answer: A"));
}

#[test]
fn the_difference_marks_only_what_differs() {
    let mut bench = bench();
    bench.press("/privacy<enter><enter><enter>d");
    let marks = bench.state.explorer.compare.marks.clone().unwrap();
    assert_eq!((marks.left, marks.right), (0, 1));
    // The column to the right of zero-shot CoT has no trace there: nothing is marked.
    bench.press("<right>");
    assert_eq!(bench.state.explorer.compare.marks, None);
}

#[test]
fn twenty_pages_in_a_cell_scroll_without_losing_the_place() {
    let mut fixture = fixture();
    let long = "A sentence of some length that says a little more each time it is read. ".repeat(900);
    fixture.traces.push(trace(&fixture.items[4], "sft", &long));
    let mut bench = Bench::new(&fixture, (120, 40));
    bench.press("/tradition<enter><enter><enter><right><right>");
    for _ in 0..50 {
        bench.press("<pagedown>");
    }
    assert!(bench.state.explorer.compare.step > 100);
    bench.press("G");
    assert_eq!(bench.state.explorer.compare.step, 899);
    bench.press("g");
    assert_eq!(bench.state.explorer.compare.step, 0);
}

#[test]
fn unknown_items_are_shown_as_such() {
    let mut fixture = fixture();
    let stranger = item("Never listed anywhere", "Honesty", 'A');
    fixture.traces.push(trace(&stranger, "sft", "Answer: A"));
    let mut bench = Bench::new(&fixture, (120, 40));
    bench.press("2G");
    assert!(bench.screen().contains("unknown item"), "{}", bench.screen());
    bench.press("p");
    assert!(bench.screen().contains("known only from traces"), "{}", bench.screen());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Random keys and sizes, down to 0x0: never a panic, and every screen can be drawn.
    #[test]
    fn random_keys_and_sizes_never_panic(
        steps in proptest::collection::vec((0usize..64, 0u16..160, 0u16..60), 1..60),
    ) {
        let keys = ["<up>", "<down>", "<left>", "<right>", "<tab>", "<backtab>", "<enter>", "<esc>", "/", "n", "N", "f", "F", "D",
            "o", "s", "w", "W", "x", "y", "p", "m", "i", "T", "M", "?", ":", "z", "\\", "1", "2", "3", "g", "G", "<ctrl-d>",
            "<ctrl-u>", "[", "]", ",", ".", "=", "d", "-", "+", "J", "K", "<space>", "a", "é", "<backspace>", "<home>", "<end>"];
        let mut bench = Bench::new(&fixture(), (100, 30));
        for (key, width, height) in steps {
            match keys.get(key) {
                Some(key) => { bench.press(key); }
                None => bench.feed(Event::Resize(width, height)),
            }
            let _ = bench.screen();
        }
    }
}

#[test]
fn an_empty_corpus_says_what_to_do() {
    let bench = Bench::new(&Fixture { items: Vec::new(), traces: Vec::new() }, (100, 30));
    assert!(bench.screen().contains("is empty"), "{}", bench.screen());
}
