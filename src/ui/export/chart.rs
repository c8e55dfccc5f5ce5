//! Charts as SVG: one colour for ink, classes for the rest, so that a page's own style decides light and dark.

use crate::core::metric::{
    chart::{Axis, Chart, Range},
    sheet::share,
};
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const ROW: f64 = 24.0;
const LABEL: f64 = 250.0;
const RIGHT: f64 = 64.0;

/// Colours of lines, by class `l0` to `l5` in the page's style; dashes tell them apart in print.
const DASHES: [&str; 6] = ["", "6 3", "2 3", "8 3 2 3", "1 3", "12 4"];

/// The chart as an `<svg>` element with a title for screen readers.
pub fn svg(chart: &Chart) -> String {
    match chart {
        Chart::Ranges { title, rows, axis, marks, .. } => ranges(title, rows, *axis, marks),
        Chart::Lines { title, x, lines, axis, .. } => curves(title, x, lines, *axis),
    }
}

fn open(title: &str, height: f64) -> String {
    let title = escape(title);
    format!(
        "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         xmlns=\"http://www.w3.org/2000/svg\"><title>{title}</title>"
    )
}

fn ranges(title: &str, rows: &[Range], axis: Axis, marks: &str) -> String {
    let height = ROW * rows.len() as f64 + 34.0;
    let mut out = open(title, height);
    let x = |value: f64| LABEL + axis.place(value) * (WIDTH - LABEL - RIGHT);
    let bottom = ROW * rows.len() as f64 + 4.0;
    grid(&mut out, axis, &x, bottom);
    for (i, row) in rows.iter().enumerate() {
        let y = ROW * i as f64 + ROW / 2.0 + 2.0;
        let _ = write!(
            out,
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LABEL - 12.0,
            y + 4.0,
            escape(&row.label)
        );
        for mark in &row.marks {
            let (at, top, end) = (x(*mark), y - 8.0, y + 8.0);
            let _ = write!(
                out,
                "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top:.1}\" y2=\"{end:.1}\"/>"
            );
        }
        if let Some(i) = row.interval {
            let (low, high) = (x(i.low), x(i.high));
            let _ = write!(
                out,
                "<line class=\"range\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            );
        }
        let _ = write!(out, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"/>", x(row.value));
        let _ = write!(
            out,
            "<text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT + 14.0,
            y + 4.0,
            share(row.value)
        );
    }
    if !marks.is_empty() {
        let _ =
            write!(out, "<text class=\"key\" x=\"0\" y=\"{:.1}\">{}</text>", bottom + 18.0, escape(marks));
    }
    out.push_str("</svg>");
    out
}

fn grid(out: &mut String, axis: Axis, x: &dyn Fn(f64) -> f64, bottom: f64) {
    for tick in axis.ticks() {
        let at = x(tick);
        let _ =
            write!(out, "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{bottom:.1}\"/>");
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            tick_text(tick)
        );
    }
}

fn tick_text(tick: f64) -> String {
    let text = share(tick);
    text.strip_suffix('0').map_or(text.clone(), str::to_owned)
}

fn curves(title: &str, x_name: &str, lines: &[(String, Vec<(f64, f64)>)], axis: Axis) -> String {
    let (plot, left) = (260.0, 46.0);
    let height = plot + 40.0 + 18.0 * lines.len() as f64;
    let mut out = open(title, height);
    let last = lines.iter().flat_map(|(_, points)| points.iter().map(|p| p.0)).fold(1.0, f64::max);
    let x = |step: f64| left + step / last * (WIDTH - left - 20.0);
    let y = |value: f64| plot - axis.place(value) * (plot - 12.0);
    for tick in axis.ticks() {
        let at = y(tick);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
            WIDTH - 20.0
        );
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 8.0,
            at + 4.0,
            tick_text(tick)
        );
    }
    for part in 0..=4 {
        let step = last * f64::from(part) / 4.0;
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{step:.0}</text>",
            x(step),
            plot + 18.0
        );
    }
    let _ = write!(
        out,
        "<text class=\"key\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        WIDTH - 20.0,
        plot + 34.0,
        escape(x_name)
    );
    for (i, (name, points)) in lines.iter().enumerate() {
        let path: Vec<String> = points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        let (class, dash) = (i % DASHES.len(), DASHES[i % DASHES.len()]);
        let _ = write!(
            out,
            "<polyline class=\"line l{class}\" stroke-dasharray=\"{dash}\" points=\"{}\"/>",
            path.join(" ")
        );
        let at = plot + 40.0 + 18.0 * i as f64;
        let _ = write!(
            out,
            "<line class=\"line l{class}\" stroke-dasharray=\"{dash}\" x1=\"{left}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left + 34.0,
            left + 42.0,
            at + 4.0,
            escape(name)
        );
    }
    out.push_str("</svg>");
    out
}

fn escape(text: &str) -> String {
    crate::core::text::neutralise(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::metric::{Interval, sheet::Section};

    #[test]
    fn a_chart_is_one_element_that_escapes_its_labels() {
        let row = Range {
            label: "<b>\u{1b}[31m".to_owned(),
            value: 0.5,
            interval: Some(Interval { low: 0.4, high: 0.6 }),
            marks: vec![0.45],
        };
        let axis = Axis { low: 0.3, high: 0.7 };
        let chart = Chart::Ranges {
            section: Section::Scores,
            title: "accuracy".to_owned(),
            rows: vec![row],
            axis,
            marks: "",
        };
        let svg = svg(&chart);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>") && svg.contains("&lt;b&gt;"));
        assert!(!svg.contains('\u{1b}') && !svg.contains("<b>"));
    }
}
