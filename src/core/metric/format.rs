//! The forms in which a report is written.

use std::{fmt, str::FromStr};

/// A form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportFormat {
    /// Aligned columns, for a terminal.
    #[default]
    Text,
    /// One file that needs no network.
    Html,
    Md,
    /// One line per cell: table, row, column, value, interval, n.
    Csv,
    Json,
    Latex,
}

impl ReportFormat {
    pub const ALL: [ReportFormat; 6] = [
        ReportFormat::Text,
        ReportFormat::Html,
        ReportFormat::Md,
        ReportFormat::Csv,
        ReportFormat::Json,
        ReportFormat::Latex,
    ];

    /// Those that are written to a file from the screen.
    pub const FILES: [ReportFormat; 5] =
        [ReportFormat::Html, ReportFormat::Md, ReportFormat::Csv, ReportFormat::Json, ReportFormat::Latex];

    /// As `--format` has it.
    pub fn word(self) -> &'static str {
        match self {
            ReportFormat::Text => "text",
            ReportFormat::Html => "html",
            ReportFormat::Md => "md",
            ReportFormat::Csv => "csv",
            ReportFormat::Json => "json",
            ReportFormat::Latex => "latex",
        }
    }

    /// How names of such files end.
    pub fn extension(self) -> &'static str {
        match self {
            ReportFormat::Text => "txt",
            ReportFormat::Latex => "tex",
            other => other.word(),
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            ReportFormat::Text => "aligned columns",
            ReportFormat::Html => "tables and charts in one file that needs no network; readable on paper",
            ReportFormat::Md => "tables for a README or an issue",
            ReportFormat::Csv => "one line per cell: table, row, column, value, interval, n",
            ReportFormat::Json => "every number, for programs",
            ReportFormat::Latex => "tables for a paper",
        }
    }

    /// `name` with the ending of this format; an ending of another format is replaced, any other text stays.
    ///
    /// ```
    /// use pluriscope::core::metric::ReportFormat;
    /// assert_eq!(ReportFormat::Latex.named("tables.v2.html"), "tables.v2.tex");
    /// assert_eq!(ReportFormat::Md.named("tables.v2"), "tables.v2.md");
    /// ```
    pub fn named(self, name: &str) -> String {
        let stem = match name.rsplit_once('.') {
            Some((stem, end)) if ReportFormat::ALL.iter().any(|f| f.extension() == end) => stem,
            _ => name,
        };
        format!("{stem}.{}", self.extension())
    }
}

impl fmt::Display for ReportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for ReportFormat {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        ReportFormat::ALL.into_iter().find(|f| f.word() == word).ok_or_else(|| {
            let words = ReportFormat::ALL.map(ReportFormat::word).join(", ");
            format!("`{word}` is no such format; there are {words}")
        })
    }
}
