//! The questions beside the text, as lines: what is asked, how to answer, what was answered. `view` only paints them,
//! and a click finds its line here.

use super::{desk::Desk, reading::Text};
use crate::app::flags::veil;
use crate::core::{
    annotation::{Kind, Label, Question, Span, Value, ratings::Rated, rubric::Answers},
    wrap::wrap,
};
use std::ops::Range;

/// How a piece of a line is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Text,
    Strong,
    Accent,
    Soft,
    Dim,
    Caution,
}

/// What a line stands for; a click on it does that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A question of the rubric, by its place.
    Question(usize),
    /// The digit that answers the current question.
    Digit(u8),
    Note,
    Nothing,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub target: Target,
    pub pieces: Vec<(Tone, String)>,
}

impl Line {
    fn new(target: Target, pieces: Vec<(Tone, String)>) -> Line {
        Line { target, pieces }
    }
}

/// The lines of the panel that fit, so that the current question is among them. Words that stand in `hidden` steps of
/// the trace are not to be read.
pub fn lines(desk: &Desk, hidden: &[usize], width: u16, height: u16, whole: bool) -> Vec<Line> {
    let all = all_lines(desk, hidden, usize::from(width), whole);
    let height = usize::from(height);
    if all.len() <= height {
        return all;
    }
    let here = desk.session.place().question;
    let current = all.iter().position(|l| l.target == Target::Question(here)).unwrap_or(0).saturating_sub(1);
    let first = current.min(all.len() - height);
    all.into_iter().skip(first).take(height).collect()
}

fn all_lines(desk: &Desk, hidden: &[usize], width: usize, whole: bool) -> Vec<Line> {
    let session = &desk.session;
    let empty = Label::default();
    let label = session.label().unwrap_or(&empty);
    let mut answers = label.answers();
    let mut others: Vec<Rated> = desk.others_on(session.place().slot).into_iter().cloned().collect();
    if let Some(text) = desk.text().filter(|_| !hidden.is_empty()) {
        cover(&mut answers, text, hidden);
        others.iter_mut().for_each(|rated| cover(&mut rated.answers, text, hidden));
    }
    let mut out = Vec::new();
    for (at, question) in session.rubric.questions.iter().enumerate() {
        if !session.rubric.is_asked(question, &answers) {
            continue;
        }
        let here = at == session.place().question;
        if here {
            current(desk, at, question, &answers, &others, hidden, width, whole, &mut out);
        } else if whole {
            out.push(summary(at, question, &answers));
            if desk.author.adjudicator {
                out.extend(others_lines(question, &others, false));
            }
        }
    }
    if !whole {
        out.push(short(desk, &answers));
        // Where there is little room, the help stands last.
        out.extend(session.question().into_iter().flat_map(|question| help(question, width)));
    }
    let note = label.note();
    if whole || !note.is_empty() {
        let (tone, text) = match note {
            "" => (Tone::Dim, "no note".to_owned()),
            note => (Tone::Soft, format!("note: {}", note.replace('\n', " ⏎ "))),
        };
        out.push(Line::new(Target::Note, vec![(Tone::Dim, "  ".to_owned()), (tone, text)]));
    }
    for rated in others.iter().filter(|r| !r.note.is_empty()) {
        let text = format!("  {} notes: {}", rated.annotator, rated.note.replace('\n', " ⏎ "));
        out.push(Line::new(Target::Nothing, vec![(Tone::Soft, text)]));
    }
    out
}

/// Covers marked words that stand in hidden steps.
fn cover(answers: &mut Answers, text: &Text, hidden: &[usize]) {
    for value in answers.values_mut() {
        let Value::Spans(spans) = value else { continue };
        for span in spans.iter_mut().filter(|span| stands_in(&text.bytes(span), text, hidden)) {
            span.text = veil(&span.text, false);
        }
    }
}

/// Whether a piece of the shown text touches one of these steps.
fn stands_in(piece: &Range<usize>, text: &Text, steps: &[usize]) -> bool {
    let (first, last) = (text.step_at(piece.start), text.step_at(piece.end.saturating_sub(1)));
    steps.iter().any(|step| (first..=last).contains(step))
}

fn summary(at: usize, question: &Question, answers: &Answers) -> Line {
    let (mark, tone) = match (answers.get(&question.id), question.required) {
        (Some(_), _) => ("✓ ", Tone::Soft),
        (None, true) => ("○ ", Tone::Text),
        (None, false) => ("  ", Tone::Dim),
    };
    let mut pieces = vec![(Tone::Dim, mark.to_owned()), (tone, question.text.clone())];
    if let Some(value) = answers.get(&question.id) {
        pieces.push((Tone::Dim, ": ".to_owned()));
        pieces.push((Tone::Text, question.words(value)));
    }
    Line::new(Target::Question(at), pieces)
}

/// All answers in one line, where there is no room for more.
fn short(desk: &Desk, answers: &Answers) -> Line {
    let rubric = &desk.session.rubric;
    let asked = rubric.asked(answers).count();
    let open = rubric.open(answers).count();
    let given: Vec<String> = rubric
        .asked(answers)
        .filter_map(|q| answers.get(&q.id).map(|value| format!("{} {}", q.id, value.words())))
        .collect();
    let left = if open == 0 { "enter saves".to_owned() } else { format!("{open} of {asked} to go") };
    Line::new(
        Target::Nothing,
        vec![(Tone::Accent, format!("  {left}")), (Tone::Dim, format!("   {}", given.join(" · ")))],
    )
}

/// What others say to a question: in one line, or a line each.
fn others_lines(question: &Question, others: &[Rated], each: bool) -> Vec<Line> {
    let answers: Vec<(&Rated, &Value)> =
        others.iter().filter_map(|r| Some((r, r.answers.get(&question.id)?))).collect();
    let differ = answers.iter().any(|(_, value)| Some(value) != answers.first().map(|(_, first)| first));
    let tone = if differ { Tone::Caution } else { Tone::Dim };
    let said: Vec<String> = answers
        .into_iter()
        .map(|(r, value)| {
            let role = if r.adjudicated { " (adjudicated)" } else { "" };
            format!("{}{role}: {}", r.annotator, question.words(value))
        })
        .collect();
    let said = if each || said.is_empty() { said } else { vec![said.join("  ·  ")] };
    said.into_iter().map(|text| Line::new(Target::Nothing, vec![(tone, format!("    {text}"))])).collect()
}

#[expect(clippy::too_many_arguments)]
fn current(
    desk: &Desk,
    at: usize,
    question: &Question,
    answers: &Answers,
    others: &[Rated],
    hidden: &[usize],
    width: usize,
    whole: bool,
    out: &mut Vec<Line>,
) {
    let mut head = vec![(Tone::Accent, "▸ ".to_owned()), (Tone::Strong, question.text.clone())];
    if !question.required {
        head.push((Tone::Dim, "  (enter leaves it out)".to_owned()));
    }
    out.push(Line::new(Target::Question(at), head));
    if whole {
        out.extend(help(question, width));
    }
    let answer = answers.get(&question.id);
    let mut option = |digit: u8, letter: Option<char>, chosen: bool, text: &str| {
        let mark = if chosen { "●" } else { " " };
        let letter = letter.map_or(' ', |c| c);
        let tone = if chosen { Tone::Strong } else { Tone::Text };
        out.push(Line::new(
            Target::Digit(digit),
            vec![
                (Tone::Accent, format!("  {mark} {digit} ")),
                (Tone::Dim, format!("{letter}  ")),
                (tone, text.to_owned()),
            ],
        ));
    };
    let none = answer == Some(&Value::Nothing);
    match &question.kind {
        Kind::Single(choices) => {
            for (i, choice) in choices.iter().enumerate() {
                let chosen = answer == Some(&Value::Choice(choice.value.clone()));
                option(i as u8 + 1, choice.key, chosen, &choice.text);
            }
            if !question.required {
                option(0, None, none, "none");
            }
        }
        Kind::Several(choices) => {
            let set = match answer {
                Some(Value::Several(set)) => Some(set),
                _ => None,
            };
            for (i, choice) in choices.iter().enumerate() {
                let chosen = set.is_some_and(|s| s.contains(&choice.value));
                option(i as u8 + 1, choice.key, chosen, &choice.text);
            }
            option(0, None, set.is_some_and(|s| s.is_empty()) || none, "none of these");
        }
        Kind::YesNo { .. } => {
            option(1, Some('y'), answer == Some(&Value::YesNo(true)), "yes");
            option(2, Some('n'), answer == Some(&Value::YesNo(false)), "no");
        }
        Kind::Scale { low, high, labels } => {
            for n in *low..=*high {
                let label = labels.get((n - low) as usize).cloned().unwrap_or_default();
                option(n as u8, None, answer == Some(&Value::Scale(n)), &label);
            }
        }
        Kind::Step => {
            let said = answer.map_or_else(|| "no step yet".to_owned(), Value::words);
            let text = format!("    {said}   ·   digit, click, or space on step {}", desk.step + 1);
            out.push(Line::new(Target::Digit(0), vec![(Tone::Text, text)]));
        }
        Kind::Span => span_lines(desk, answer, hidden, out),
        Kind::Text => {
            let said =
                answer.map_or_else(|| "space begins to write".to_owned(), |v| v.words().replace('\n', " ⏎ "));
            out.push(Line::new(Target::Question(at), vec![(Tone::Text, format!("    {said}"))]));
        }
    }
    out.extend(others_lines(question, others, true));
}

fn help(question: &Question, width: usize) -> Vec<Line> {
    let lines = wrap(&question.help, width.saturating_sub(4)).into_iter();
    let line =
        |range| Line::new(Target::Nothing, vec![(Tone::Dim, format!("    {}", &question.help[range]))]);
    lines.map(line).collect()
}

fn span_lines(desk: &Desk, answer: Option<&Value>, hidden: &[usize], out: &mut Vec<Line>) {
    let spans: &[Span] = if let Some(Value::Spans(spans)) = answer { spans } else { &[] };
    for span in spans {
        let text = format!("    “{}”", span.text.replace('\n', " "));
        out.push(Line::new(Target::Nothing, vec![(Tone::Strong, text)]));
    }
    if answer == Some(&Value::Nothing) {
        out.push(Line::new(Target::Nothing, vec![(Tone::Strong, "    none".to_owned())]));
    }
    let word = desk.text().and_then(|text| {
        let range = text.words.get(desk.word)?;
        let word = text.shown.text.get(range.clone())?;
        Some(if stands_in(range, text, hidden) { veil(word, false) } else { word.to_owned() })
    });
    let at = word.map_or_else(String::new, |w| format!(" at “{w}”"));
    let text = match desk.begun {
        Some(_) => format!("    marking, to{at}: space ends the mark, esc drops it"),
        None => format!("   {at}: space begins a mark"),
    };
    out.push(Line::new(Target::Nothing, vec![(Tone::Dim, text)]));
}
