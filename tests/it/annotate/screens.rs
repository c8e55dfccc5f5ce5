//! The desk and the pages of agreement as one sees them, narrow and wide.

use super::bench::Bench;

fn labelled(size: (u16, u16)) -> Bench {
    let mut bench = Bench::new(size);
    bench.sit("ada", false, true);
    for _ in 0..6 {
        bench.press("11203<enter>");
    }
    bench.sit("bo", false, true);
    for i in 0..6 {
        bench.press(if i % 3 == 0 { "21y12<enter>2<enter>" } else { "11203<enter>" });
    }
    bench
}

#[test]
fn the_desk() {
    for (name, size) in [("desk_80x24", (80, 24)), ("desk_120x40", (120, 40)), ("desk_200x50", (200, 50))] {
        let mut bench = Bench::new(size);
        bench.sit("ada", false, true).press("11203<enter>2g");
        insta::assert_snapshot!(name, bench.screen());
    }
}

#[test]
fn side_by_side() {
    let mut bench = Bench::new((160, 40));
    bench.sit("ada", false, true).press("z11212<enter>");
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn writing_a_note() {
    let mut bench = Bench::new((120, 40));
    bench.sit("ada", false, true).press("ethe second step<enter>does not follow");
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn marking_words() {
    let mut bench = Bench::new((120, 40));
    bench.sit("ada", false, true).press("11203<tab><tab><right><space><right><right><space><right><space>");
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn a_saved_item_shows_what_was_hidden() {
    let mut bench = labelled((120, 40));
    bench.sit("ada", false, true);
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn adjudication() {
    let mut bench = labelled((120, 40));
    bench.sit("cy", true, true);
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn numbers() {
    for (width, name) in [(80, "80"), (160, "160")] {
        let mut bench = labelled((width, 30));
        bench.press("N");
        insta::assert_snapshot!(format!("agreement_{name}"), bench.screen());
        bench.press("<tab>");
        insta::assert_snapshot!(format!("confusion_{name}"), bench.screen());
        bench.press("<tab>");
        insta::assert_snapshot!(format!("disagreements_{name}"), bench.screen());
        bench.press("<tab>");
        insta::assert_snapshot!(format!("checkers_{name}"), bench.screen());
    }
}

#[test]
fn faces_of_trouble() {
    let mut bench = Bench::new((59, 17));
    bench.sit("ada", false, true);
    assert!(bench.screen().contains("too small: 59x17, labelling needs 60x18"), "{}", bench.screen());
    let mut bench = Bench::new((100, 30));
    bench.sit("nobody", false, true);
    assert!(bench.screen().contains("this project cannot be opened"), "{}", bench.screen());
    assert!(bench.screen().contains("annotations assign"), "{}", bench.screen());
}

#[test]
fn no_size_panics() {
    let mut bench = labelled((120, 40));
    for width in [0u16, 1, 30, 59, 60, 61, 80, 103, 104, 105, 150] {
        for height in [0u16, 1, 17, 18, 19, 24, 40, 70] {
            bench.state.size = (width, height);
            bench.buffer();
            bench.press("z").buffer();
            bench.press("N").buffer();
            bench.press("N");
        }
    }
}
