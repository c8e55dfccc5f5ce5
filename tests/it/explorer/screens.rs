//! Screens as they are drawn, narrow and wide. `cargo insta review` shows what changed.

use super::bench::{Bench, fixture};

fn screen(size: (u16, u16), keys: &str) -> String {
    let mut bench = Bench::new(&fixture(), size);
    bench.press(keys);
    bench.screen()
}

macro_rules! screens {
    ($($name:ident: $size:expr, $keys:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(screen($size, $keys));
            }
        )*
    };
}

screens! {
    start_80x24: (80, 24), "";
    start_120x40: (120, 40), "";
    start_200x50: (200, 50), "";
    comparison_80x24: (80, 24), "/privacy<enter><enter><enter>";
    comparison_120x40: (120, 40), "/privacy<enter><enter><enter><right>";
    comparison_200x50: (200, 50), "/privacy<enter><enter><enter><right>d";
    zoomed: (120, 40), "/privacy<enter><enter><enter>z";
    swap: (120, 40), "/privacy<enter><enter>s";
    search_in_picker: (120, 40), "/dut";
    help: (120, 40), "?";
    palette: (120, 40), ":swap";
    filter: (120, 40), "fmethod:";
    details: (120, 40), "/privacy<enter><enter><enter><right>i";
    survey: (120, 40), "/65<enter><enter><enter>";
    nothing_found: (120, 40), "f\"no such words\"<enter>";
    too_small: (30, 8), "";
    folded: (120, 40), "\\";
}
