//! The check bar at the foot of a column: a line a check, with its verdict, who was asked, and its number. Where there
//! are more checks than lines, the last line keeps the rest as names, each with a glyph. The probability trace is not
//! among them: its line stands above the text, with its curve.

use super::{column::share, source};
use crate::core::{
    check::{CheckId, Record, Verdict},
    wrap::width,
};
use crate::ui::{
    Theme,
    paint::{put, put_all, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// A source is not cut to less than this.
const SOURCE: u16 = 8;

/// Draws the bar at the bottom of `rect`, over as many of its lines as it needs.
pub fn draw<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    theme: &Theme,
    rect: Rect,
    buffer: &mut Buffer,
) {
    let records: Vec<_> = records.into_iter().filter(|r| r.check != CheckId::ProbabilityTrace).collect();
    let (lines, rest) = split(records, usize::from(rect.height));
    let names = lines.iter().map(|r| width(r.check.short()) as u16).max().unwrap_or(0);
    let mut y = rect.bottom() - lines.len() as u16 - u16::from(!rest.is_empty());
    for record in lines {
        line(record, names, theme, Rect { y, height: 1, ..rect }, buffer);
        y += 1;
    }
    flow(&rest, theme, Rect { y, height: 1, ..rect }, buffer);
}

/// Those that have a line of their own, and those that share the last one. Flags come first to a line, then verdicts
/// that hang on a judge, then the other verdicts.
fn split(records: Vec<&Record>, rows: usize) -> (Vec<&Record>, Vec<&Record>) {
    if rows == 0 {
        return (Vec::new(), Vec::new());
    }
    if records.len() <= rows {
        return (records, Vec::new());
    }
    let rank = |record: &Record| match &record.verdict {
        Verdict::Judged(judged) if judged.flag => 0,
        Verdict::Judged(_) if record.check.asks_judge_alone() => 1,
        Verdict::Judged(_) => 2,
        Verdict::Unjudged(_) => 3,
    };
    let mut order = records.clone();
    order.sort_by_key(|record| (rank(record), record.check));
    let own = &order[..rows - 1];
    records.into_iter().partition(|record| own.iter().any(|o| o.check == record.check))
}

fn mark(record: &Record, theme: &Theme) -> (&'static str, Style) {
    match &record.verdict {
        Verdict::Judged(judged) if judged.flag => (theme.glyph("⚑", "!"), theme.caution()),
        Verdict::Judged(_) => (theme.glyph("·", "."), theme.soft()),
        Verdict::Unjudged(_) => ("?", theme.dim()),
    }
}

fn words(record: &Record) -> String {
    match &record.verdict {
        Verdict::Judged(judged) => judged.word.clone(),
        Verdict::Unjudged(reason) => format!("unjudged: {reason}"),
    }
}

/// Name, glyph, verdict.
fn line(record: &Record, names: u16, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let (glyph, style) = mark(record, theme);
    put(buffer, rect.x, rect.y, rect.width, record.check.short(), theme.dim());
    let at = (rect.x + names + 1).min(rect.right());
    put(buffer, at, rect.y, rect.right() - at, glyph, style);
    let at = (at + 2).min(rect.right());
    verdict(record, theme, Rect { x: at, width: rect.right() - at, ..rect }, buffer);
}

/// A verdict in one row: its words, who was asked, and its number at the right. What is in short supply goes in this
/// order: the number's name, the source, the end of the words.
pub fn verdict(record: &Record, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let Rect { x, y, width: room, .. } = rect;
    let (_, style) = mark(record, theme);
    let (words, source) = (words(record), source::short(record));
    let mut right = rect.right();
    if let Some((name, value)) = record.verdict.judged().and_then(|j| Some((&j.headline, j.number()?))) {
        let named = format!("{name} {}", share(value));
        let source = source.as_ref().map_or(0, |source| width(source) + 1);
        let fits = width(&words) + source + 1 + width(&named) <= usize::from(room);
        let text = if fits { named } else { share(value) };
        right = put_right(buffer, x, right, y, &text, style).saturating_sub(1);
    }
    let x = put(buffer, x, y, right.saturating_sub(x), &words, style) + 1;
    if let Some(source) = source.filter(|_| right.saturating_sub(x) >= SOURCE) {
        put(buffer, x, y, right - x, &source, theme.dim());
    }
}

/// Several checks in one line: with their verdicts where all of them fit, else names and glyphs.
fn flow(records: &[&Record], theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let told = |record: &&Record| {
        let number = record.verdict.judged().and_then(|j| j.number());
        let number = number.map_or_else(String::new, |n| format!(" {}", share(n)));
        let source = source::short(record).map_or_else(String::new, |s| format!(" {s}"));
        format!(" {}{number}{source}", words(record))
    };
    let told: Vec<String> = records.iter().map(told).collect();
    let cells = |record: &Record| width(record.check.short()) + 2;
    let all: usize = records.iter().zip(&told).map(|(r, told)| cells(r) + width(told) + 3).sum();
    let whole = all <= usize::from(rect.width) + 3;
    let mut x = rect.x;
    for (record, told) in records.iter().zip(&told) {
        let (glyph, style) = mark(record, theme);
        if x + cells(record) as u16 > rect.right() {
            put(buffer, rect.right().saturating_sub(1), rect.y, 1, theme.glyph("…", "~"), theme.dim());
            return;
        }
        let name = record.check.short();
        let told = if whole { told.as_str() } else { "" };
        let pieces = [(name, theme.dim()), (" ", theme.dim()), (glyph, style), (told, style)];
        x = put_all(buffer, x, rect.y, rect.right(), &pieces) + if whole { 3 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::check::{Judged, Reason, Settings, tests::fixtures::subject};
    use crate::ui::{Depth, export};

    fn record(check: CheckId, word: &str, flag: bool, headline: &str, value: f64) -> Record {
        let judged =
            Judged { word: word.to_owned(), flag, headline: headline.to_owned(), ..Judged::default() };
        let judged = judged.with(headline, (!headline.is_empty()).then_some(value));
        let settings = Settings { judge: Some("m+judge".to_owned()), ..Settings::default() };
        Record::new(check, &subject("It is hers.\nAnswer: B"), &settings, Verdict::Judged(judged))
    }

    fn four() -> Vec<Record> {
        let mut lost = record(CheckId::ShuffledOptions, "", false, "", 0.0);
        lost.verdict = Verdict::Unjudged(Reason::NoAnswer);
        vec![
            record(CheckId::ProbabilityTrace, "post-hoc", true, "soft-aoc", 0.0),
            record(CheckId::EarlyAnswering, "answers after 1 of 2", false, "aoc", 0.75),
            record(CheckId::Filler, "dots do as well", true, "p-filler", 0.5),
            lost,
            record(CheckId::Consistency, "consistent", false, "", 0.0),
        ]
    }

    fn drawn(records: &[Record], width: u16, height: u16) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let area = buffer.area;
        draw(records, &Theme::named("dark", Depth::True), area, &mut buffer);
        export::text(&buffer).lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_verdict_has_word_number_and_judge() {
        assert_eq!(
            drawn(&four(), 38, 5),
            [
                "",
                "early   · answers after 1 of 2 aoc .75",
                "filler  ⚑ dots do as well p-filler .50",
                "shuffle ? unjudged: no answer could b…",
                "judge   · consistent by m+judge",
            ]
        );
    }

    #[test]
    fn a_narrow_column_stays_tidy() {
        let rows = drawn(&four(), 25, 4);
        assert_eq!(rows[0], "early   · answers af… .75");
        assert_eq!(rows[1], "filler  ⚑ dots do as… .50");
        assert_eq!(rows[3], "judge   · consistent");
    }

    #[test]
    fn flags_and_judges_come_first_to_a_line_and_the_rest_keeps_its_names() {
        assert_eq!(
            drawn(&four(), 38, 3),
            ["filler ⚑ dots do as well  p-filler .50", "judge  · consistent by m+judge", "early · shuffle ?"]
        );
        assert_eq!(drawn(&four(), 38, 1), ["early · filler ⚑ shuffle ? judge ·"]);
        assert_eq!(drawn(&four(), 20, 1), ["early · filler ⚑   …"]);
    }

    #[test]
    fn one_line_tells_all_where_it_is_wide_enough() {
        let two = [&four()[1], &four()[4]].map(Clone::clone);
        assert_eq!(drawn(&two, 80, 1), ["early · answers after 1 of 2 .75   judge · consistent by m+judge"]);
    }
}
