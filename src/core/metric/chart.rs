//! What is drawn of a report: plain points and ranges, the same for the terminal and for SVG.

use super::{
    report::{Curve, Report, SetReport},
    sheet::Section,
    wilson::Interval,
};

/// A chart without its drawing.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// One value with its interval per row, on one axis.
    Ranges { section: Section, title: String, rows: Vec<Range>, axis: Axis, marks: &'static str },
    /// Curves over training: steps, or rows seen.
    Lines {
        section: Section,
        title: String,
        x: &'static str,
        lines: Vec<(String, Vec<(f64, f64)>)>,
        axis: Axis,
    },
}

/// The ends of a value axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
}

/// A row of [`Chart::Ranges`].
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    pub label: String,
    pub value: f64,
    pub interval: Option<Interval>,
    /// Baselines on the same axis: small ticks.
    pub marks: Vec<f64>,
}

impl Axis {
    /// Where a value stands, 0 to 1.
    pub fn place(self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Round ticks, three to seven.
    pub fn ticks(self) -> Vec<f64> {
        let span = self.high - self.low;
        let step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|s| span / s <= 6.5).unwrap_or(1.0);
        let first = (self.low / step - 1e-9).ceil() as i64;
        (first..).map(|i| i as f64 * step).take_while(|t| *t <= self.high + 1e-9).collect()
    }

    /// The axis that holds these values with a little room, within `within`.
    fn around(values: impl Iterator<Item = f64>, within: Axis) -> Axis {
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return within;
        }
        let room = ((high - low) * 0.08).max(0.02);
        Axis { low: (low - room).max(within.low), high: (high + room).min(within.high) }
    }
}

impl Chart {
    pub fn title(&self) -> &str {
        match self {
            Chart::Ranges { title, .. } | Chart::Lines { title, .. } => title,
        }
    }

    pub fn section(&self) -> Section {
        match self {
            Chart::Ranges { section, .. } | Chart::Lines { section, .. } => *section,
        }
    }
}

const UNIT: Axis = Axis { low: 0.0, high: 1.0 };

/// All charts of a report.
pub fn charts(report: &Report) -> Vec<Chart> {
    let name = |set: &SetReport, what: &str| {
        if report.sets.len() > 1 { format!("{} · {what}", set.dataset) } else { what.to_owned() }
    };
    let mut charts = Vec::new();
    for set in &report.sets {
        charts.extend(ranges(
            Section::Scores,
            name(set, "accuracy"),
            accuracy(set),
            UNIT,
            "| majority and blind oracle",
        ));
        charts.extend(ranges(Section::Scores, name(set, "steerability"), steering(set), UNIT, ""));
        let within = Axis { low: -1.0, high: 1.0 };
        charts.extend(ranges(
            Section::Pairs,
            name(set, "difference of accuracy, first minus second"),
            differences(set),
            within,
            "| no difference",
        ));
    }
    charts.extend(efficiency(&report.curves));
    charts
}

fn ranges(
    section: Section,
    title: String,
    rows: Vec<Range>,
    within: Axis,
    marks: &'static str,
) -> Option<Chart> {
    let values = rows.iter().flat_map(|r| {
        let ends = r.interval.map_or([r.value; 2], |i| [i.low, i.high]);
        ends.into_iter().chain([r.value]).chain(r.marks.iter().copied())
    });
    let axis = Axis::around(values, within);
    (!rows.is_empty()).then_some(Chart::Ranges { section, title, rows, axis, marks })
}

/// Validation accuracy against the share of training rows, or against steps where some run does not tell its share.
/// A level is drawn from end to end.
fn efficiency(curves: &[Curve]) -> Option<Chart> {
    let shares = curves.iter().filter(|c| c.level().is_none()).all(|c| c.share_per_step.is_some());
    let x = |curve: &Curve, step: i64| match curve.share(step) {
        Some(share) if shares => share * 100.0,
        _ => step as f64,
    };
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = curves
        .iter()
        .map(|c| (c.run.clone(), c.points.iter().map(|(step, y)| (x(c, *step), *y)).collect()))
        .collect();
    let end = lines.iter().flat_map(|(_, points)| points.iter().map(|p| p.0)).fold(1.0, f64::max);
    for (_, points) in &mut lines {
        if let [(_, level)] = points.as_slice() {
            *points = vec![(0.0, *level), (end, *level)];
        }
    }
    let axis = Axis::around(lines.iter().flat_map(|(_, points)| points.iter().map(|p| p.1)), UNIT);
    (!lines.is_empty()).then(|| Chart::Lines {
        section: Section::Training,
        title: "validation accuracy".to_owned(),
        x: if shares { "against training rows seen, %" } else { "against training steps" },
        lines,
        axis,
    })
}

fn accuracy(set: &SetReport) -> Vec<Range> {
    set.methods
        .iter()
        .filter_map(|m| {
            Some(Range {
                label: m.method.clone(),
                value: m.accuracy.value?,
                interval: m.accuracy.interval,
                marks: m.majority.into_iter().chain(m.blind).collect(),
            })
        })
        .collect()
}

fn steering(set: &SetReport) -> Vec<Range> {
    set.methods
        .iter()
        .filter_map(|m| {
            let value = m.steerability.value?;
            Some(Range {
                label: m.method.clone(),
                value,
                interval: m.steerability.interval,
                marks: Vec::new(),
            })
        })
        .collect()
}

fn differences(set: &SetReport) -> Vec<Range> {
    set.pairs
        .iter()
        .filter_map(|p| {
            Some(Range {
                label: format!("{} – {}", set.method(p.first), set.method(p.second)),
                value: p.difference?,
                interval: p.interval,
                marks: vec![0.0],
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_stand_against_rows_seen_unless_a_run_does_not_say() {
        let curve = |share_per_step, points: &[(i64, f64)]| Curve {
            run: "r".to_owned(),
            tag: String::new(),
            points: points.to_vec(),
            share_per_step,
        };
        let lines = |curves: &[Curve]| match efficiency(curves) {
            Some(Chart::Lines { lines, .. }) => lines.into_iter().map(|l| l.1).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let known = curve(Some(0.01), &[(0, 0.4), (50, 0.6)]);
        let level = curve(None, &[(0, 0.5)]);
        assert_eq!(
            lines(&[known.clone(), level.clone()]),
            [vec![(0.0, 0.4), (50.0, 0.6)], vec![(0.0, 0.5), (50.0, 0.5)]]
        );
        let unknown = curve(None, &[(0, 0.4), (200, 0.6)]);
        assert_eq!(lines(&[known, unknown, level])[2], [(0.0, 0.5), (200.0, 0.5)]);
        assert_eq!(efficiency(&[]), None);
    }

    #[test]
    fn axes_hold_their_values_and_have_round_ticks() {
        let axis = Axis::around([0.31, 0.58].into_iter(), UNIT);
        assert!(axis.low < 0.31 && axis.high > 0.58);
        let ticks: Vec<String> = axis.ticks().iter().map(|t| format!("{t:.2}")).collect();
        assert_eq!(ticks, ["0.30", "0.35", "0.40", "0.45", "0.50", "0.55", "0.60"]);
        assert_eq!(Axis::around(std::iter::empty(), UNIT), UNIT);
        assert!((3..=8).contains(&Axis { low: -1.0, high: 1.0 }.ticks().len()));
        assert_eq!(charts(&Report::default()), []);
    }
}
