//! A page of the metrics screen as lines: charts, then tables one under the other, and a cursor in their cells.
//! Shared by `update` (moving) and `view` (drawing).

use crate::core::{
    metric::{chart::Chart, sheet::Sheet},
    wrap::wrap,
};

/// Rows of a curve's plot.
pub const PLOT: usize = 12;
/// Widest first column, and widest other one.
const FIRST: usize = 44;
const OTHER: usize = 30;

/// The cursor: which table, which row, which column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub table: usize,
    pub row: usize,
    pub column: usize,
}

/// One line of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Row `row` of a chart's drawing; row 0 is its title.
    Chart {
        chart: usize,
        row: usize,
    },
    Title(usize),
    Head(usize),
    Row {
        table: usize,
        row: usize,
    },
    /// Part of a table's note.
    Note {
        table: usize,
        line: usize,
    },
    Blank,
}

/// Lines that a chart takes, its title and axis included.
pub fn chart_height(chart: &Chart) -> usize {
    match chart {
        Chart::Ranges { rows, .. } => rows.len() + 2,
        Chart::Lines { lines, .. } => PLOT + lines.len() + 3,
    }
}

/// All lines of a page `width` cells wide.
pub fn lines(charts: &[&Chart], sheets: &[&Sheet], cells: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    // A chart repeats what its table says: it follows the first table, so that numbers come first.
    for (table, sheet) in sheets.iter().enumerate() {
        lines.push(Line::Title(table));
        lines.push(Line::Head(table));
        lines.extend((0..sheet.rows.len()).map(|row| Line::Row { table, row }));
        lines.extend((0..note(sheet, cells).len()).map(|line| Line::Note { table, line }));
        lines.push(Line::Blank);
        if table == 0 {
            for (chart, drawn) in charts.iter().enumerate() {
                lines.extend((0..chart_height(drawn)).map(|row| Line::Chart { chart, row }));
                lines.push(Line::Blank);
            }
        }
    }
    lines
}

/// The note of a table, wrapped as it is drawn.
pub fn note(sheet: &Sheet, cells: usize) -> Vec<std::ops::Range<usize>> {
    if sheet.note.is_empty() { Vec::new() } else { wrap(&sheet.note, cells.saturating_sub(4).clamp(20, 110)) }
}

/// Widths of a table's columns as they are drawn.
pub fn widths(sheet: &Sheet) -> Vec<usize> {
    // A heat map's cell has a block and a blank before its text.
    let block = if sheet.heat { 2 } else { 0 };
    let shown = |(at, w): (usize, &usize)| if at == 0 { (*w).min(FIRST) } else { (w + block).min(OTHER) };
    sheet.widths.iter().enumerate().map(shown).collect()
}

/// The columns that are drawn: the first always, then those from `from` on that fit. Gives their places.
pub fn layout(sheet: &Sheet, column: usize, cells: usize) -> Vec<(usize, usize, usize)> {
    let widths = widths(sheet);
    let Some(first) = widths.first().copied() else { return Vec::new() };
    let first = first.min(cells.saturating_sub(14).max(8));
    let room = cells.saturating_sub(first + 2);
    let fits = |from: usize, to: usize| widths[from..=to].iter().map(|w| w + 2).sum::<usize>() <= room;
    let column = column.clamp(1, widths.len().saturating_sub(1).max(1));
    let mut from = 1;
    while column < widths.len() && from < column && !fits(from, column) {
        from += 1;
    }
    let mut places = vec![(0, 0, first)];
    let mut x = first + 2;
    for (at, width) in widths.iter().enumerate().skip(from) {
        if x + width > cells && places.len() > 1 {
            break;
        }
        places.push((at, x, (*width).min(cells.saturating_sub(x))));
        x += width + 2;
    }
    places
}

/// A cursor that stands on a cell: moves it into the tables as they are now.
pub fn settled(place: Place, sheets: &[&Sheet]) -> Place {
    let table = place.table.min(sheets.len().saturating_sub(1));
    let Some(sheet) = sheets.get(table) else { return Place::default() };
    Place {
        table,
        row: place.row.min(sheet.rows.len().saturating_sub(1)),
        column: place.column.min(sheet.columns.len().saturating_sub(1)),
    }
}

/// Moves the cursor by rows, from table to table.
pub fn moved(place: Place, sheets: &[&Sheet], by: isize) -> Place {
    let counts: Vec<usize> = sheets.iter().map(|s| s.rows.len()).collect();
    let before: usize = counts.iter().take(place.table).sum();
    let all: usize = counts.iter().sum();
    let mut at = (before + place.row).saturating_add_signed(by).min(all.saturating_sub(1));
    for (table, count) in counts.into_iter().enumerate() {
        if at < count {
            return settled(Place { table, row: at, ..place }, sheets);
        }
        at -= count;
    }
    settled(place, sheets)
}

/// The first line that is drawn, so that the cursor's line and its table's head are seen in `height` lines.
pub fn scroll(lines: &[Line], place: Place, height: usize) -> usize {
    let at = lines.iter().position(|l| *l == Line::Row { table: place.table, row: place.row }).unwrap_or(0);
    if place.table == 0 && at < height.saturating_sub(1) {
        return 0;
    }
    let title = lines.iter().position(|l| *l == Line::Title(place.table)).unwrap_or(0);
    let centred = at.saturating_sub(height / 2);
    let from = if at - title < height.saturating_sub(2) { title } else { centred };
    from.min(lines.len().saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::metric::sheet::{Cell, Column};

    fn sheet(rows: usize, columns: usize) -> Sheet {
        let cell = |i: usize| Cell { text: format!("cell {i}"), ..Cell::default() };
        Sheet {
            columns: (0..columns).map(|i| Column { name: format!("column {i}"), number: i > 0 }).collect(),
            rows: (0..rows).map(|_| (0..columns).map(cell).collect()).collect(),
            note: "one note".to_owned(),
            widths: vec![8; columns],
            ..Sheet::default()
        }
    }

    #[test]
    fn the_cursor_walks_from_table_to_table_and_stays_inside() {
        let (a, b, none) = (sheet(2, 3), sheet(3, 2), sheet(0, 2));
        let sheets = [&a, &none, &b];
        let mut place = Place { column: 2, ..Place::default() };
        for want in [(0, 1, 2), (2, 0, 1), (2, 1, 1), (2, 2, 1), (2, 2, 1)] {
            place = moved(place, &sheets, 1);
            assert_eq!((place.table, place.row, place.column), want);
        }
        assert_eq!(moved(place, &sheets, -100).row, 0);
        assert_eq!(moved(place, &[], 1), Place::default());
    }

    #[test]
    fn the_cursor_s_line_and_column_are_always_drawn() {
        let (a, b) = (sheet(30, 12), sheet(5, 12));
        let sheets = [&a, &b];
        let lines = lines(&[], &sheets, 70);
        for (table, rows) in [(0, 30), (1, 5)] {
            for row in 0..rows {
                let from = scroll(&lines, Place { table, row, column: 0 }, 10);
                assert!(lines[from..(from + 10).min(lines.len())].contains(&Line::Row { table, row }));
            }
        }
        for column in 0..12 {
            let places = layout(&a, column, 50);
            assert!(places.iter().any(|p| p.0 == column), "{column}: {places:?}");
            assert!(places.iter().all(|(_, x, width)| x + width <= 50));
        }
        assert_eq!(layout(&Sheet::default(), 0, 50), []);
    }
}
