//! What reaches a terminal. Text of others can't fake a line or a colour there: whatever could is shown escaped. Columns
//! are cut or wrapped to the terminal's width, and to none in a pipe.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::sync::OnceLock;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Between two columns.
const GAP: usize = 2;

/// Stands where something was cut off.
const CUT: char = '…';

/// How a word is shown where there are colours. The word itself always says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Strong,
    Good,
    Waiting,
    Bad,
}

/// Whether colours are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Shown,
    Left,
}

/// One field of a table.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

/// The head of a column, and how narrow it may become on a terminal that is too narrow for all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    head: &'static str,
    least: Option<usize>,
    /// What does not fit goes on in further lines instead of being cut off; for the last column.
    flows: bool,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self::styled(Style::Plain, text)
    }

    pub(super) fn styled(style: Style, text: impl Into<String>) -> Self {
        Self { text: clean(&text.into()), style }
    }
}

impl Column {
    /// Always shown whole: somebody copies it.
    pub(super) const fn whole(head: &'static str) -> Self {
        Self { head, least: None, flows: false }
    }

    /// May be cut to this width.
    pub(super) const fn down_to(head: &'static str, least: usize) -> Self {
        Self { head, least: Some(least), flows: false }
    }

    /// Goes on in further lines where it becomes narrower than its text. Stands last.
    pub(super) const fn flowing(head: &'static str, least: usize) -> Self {
        Self { head, least: Some(least), flows: true }
    }
}

/// Prints one line. A reader that has seen enough and closed the pipe is no reason to panic.
pub(super) fn line(text: &str) {
    let _ = writeln!(stdout(), "{}", clean(text));
}

/// Prints one line of parts, each in its style.
pub(super) fn styled(parts: &[(Style, &str)]) {
    let parts = parts.iter().map(|(style, text)| painted(*style, &clean(text), colours()));
    let _ = writeln!(stdout(), "{}", parts.collect::<String>());
}

/// Prints JSON. What could act on a terminal stands only within strings, where an escape means the same.
pub(super) fn json(text: &str) {
    let escaped: String = text.chars().map(in_json).collect();
    let _ = writeln!(stdout(), "{escaped}");
}

/// Prints a table, in columns as wide as they have to be.
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>]) {
    for line in rendered(columns, rows, width(), colours()) {
        let _ = writeln!(stdout(), "{line}");
    }
}

/// The width of the terminal; none in a pipe.
pub(super) fn width() -> Option<usize> {
    static WIDTH: OnceLock<Option<usize>> = OnceLock::new();
    *WIDTH.get_or_init(|| {
        let terminal = stdout().is_terminal();
        terminal_size::terminal_size_of(stdout()).filter(|_| terminal).map(|(width, _)| usize::from(width.0))
    })
}

fn colours() -> Colours {
    static COLOURS: OnceLock<Colours> = OnceLock::new();
    *COLOURS.get_or_init(|| match stdout().is_terminal() {
        true => wanted(|name| std::env::var(name).ok()),
        false => Colours::Left,
    })
}

/// What the environment of a terminal says about colours.
fn wanted(variable: impl Fn(&str) -> Option<String>) -> Colours {
    let refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty())
        || variable("CLICOLOR").is_some_and(|value| value == "0")
        || variable("TERM").is_none_or(|value| value == "dumb");
    if refused { Colours::Left } else { Colours::Shown }
}

fn painted(style: Style, text: &str, colours: Colours) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        Style::Strong => "1",
        Style::Good => "32",
        Style::Waiting => "33",
        Style::Bad => "31",
    };
    match colours {
        Colours::Shown => format!("\x1b[{code}m{text}\x1b[0m"),
        Colours::Left => text.to_owned(),
    }
}

fn rendered(columns: &[Column], rows: &[Vec<Cell>], room: Option<usize>, colours: Colours) -> Vec<String> {
    let heads: Vec<Cell> = columns.iter().map(|column| Cell::styled(Style::Strong, column.head)).collect();
    let mut widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(at));
            cells.map(|cell| cell.text.width()).max().unwrap_or_default()
        })
        .collect();
    if let Some(room) = room {
        narrow(&mut widths, columns, room);
    }
    let rows = [&heads].into_iter().chain(rows);
    rows.flat_map(|row| match columns.last() {
        Some(last) if last.flows => flowing(row, &widths, colours),
        Some(_) | None => vec![rendered_row(row, &widths, colours)],
    })
    .collect()
}

/// A row in as many lines as its last cell needs.
fn flowing(row: &[Cell], widths: &[usize], colours: Colours) -> Vec<String> {
    let (Some(last), Some(width)) = (row.last(), widths.last()) else { return Vec::new() };
    let mut pieces = pieces(&last.text, *width).into_iter();
    let mut first = row.to_vec();
    if let (Some(cell), Some(piece)) = (first.last_mut(), pieces.next()) {
        cell.text = piece;
    }
    let indent: usize = widths.iter().rev().skip(1).map(|width| width + GAP).sum();
    let more = pieces.map(|piece| format!("{:indent$}{}", "", painted(last.style, &piece, colours)));
    [rendered_row(&first, widths, colours)].into_iter().chain(more).collect()
}

/// A text in pieces of at most this width, divided between words, and within a word only where it is wider.
fn pieces(text: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let Some(piece) = pieces.last_mut() else { break };
        if piece.is_empty() {
        } else if piece.width() + 1 + word.width() <= width {
            piece.push(' ');
        } else {
            pieces.push(String::new());
        }
        for c in word.chars() {
            let Some(piece) = pieces.last_mut() else { break };
            if !piece.is_empty() && piece.width() + c.width().unwrap_or_default() > width {
                pieces.push(c.to_string());
            } else {
                piece.push(c);
            }
        }
    }
    pieces
}

/// Takes from the widest column that may be cut, one by one, until all fit or nothing may be cut any more.
fn narrow(widths: &mut [usize], columns: &[Column], room: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > room {
        let may = |at: &usize| columns[*at].least.is_some_and(|least| widths[*at] > least);
        let Some(widest) = (0..widths.len()).filter(may).max_by_key(|at| widths[*at]) else { return };
        widths[widest] -= 1;
    }
}

fn rendered_row(row: &[Cell], widths: &[usize], colours: Colours) -> String {
    let mut line = String::new();
    for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
        let text = cut(&cell.text, *width);
        line.push_str(&painted(cell.style, &text, colours));
        if at + 1 < row.len() {
            line.push_str(&" ".repeat(width.saturating_sub(text.width()) + GAP));
        }
    }
    line.trim_end().to_owned()
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut left = width.saturating_sub(1);
    for c in text.chars() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or_default()) else { break };
        left = rest;
        kept.push(c);
    }
    kept.push(CUT);
    kept
}

/// Text in which nothing moves the cursor, colours, hides or turns what follows.
pub(super) fn clean(text: &str) -> String {
    let shown = |c: char| match acts(c) {
        true => format!("\\u{{{:x}}}", u32::from(c)),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

fn in_json(c: char) -> String {
    match acts(c) && c != '\n' {
        true => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        false => c.to_string(),
    }
}

/// Whether a terminal does something with the character instead of showing it: control characters of both sets, the
/// direction of writing, ends of lines and paragraphs, and what has no width.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [Column::whole("ID"), Column::down_to("PERSON", 6)];

    fn lines(people: &[&str], room: Option<usize>) -> Vec<String> {
        let rows: Vec<_> = people.iter().map(|who| vec![Cell::new("1"), Cell::new(*who)]).collect();
        rendered(&COLUMNS, &rows, room, Colours::Left)
    }

    #[test]
    fn a_narrow_terminal_cuts_what_may_be_cut_and_a_pipe_nothing() {
        let long = "somebody.with.a.long.name@example.com";
        assert_eq!(lines(&[long], None), ["ID  PERSON", &format!("1   {long}")]);
        assert_eq!(lines(&[long], Some(14)), ["ID  PERSON", "1   somebody.…"]);
        assert_eq!(lines(&[long], Some(3)), ["ID  PERSON", "1   someb…"], "not below its least");
    }

    #[test]
    fn what_flows_goes_on_below_itself_and_loses_nothing() {
        let columns = [Column::whole("ID"), Column::flowing("ABOUT", 6)];
        let shown = |text: &str, room| {
            rendered(&columns, &[vec![Cell::new("1"), Cell::new(text)]], room, Colours::Left)
        };
        assert_eq!(shown("one two three", None), ["ID  ABOUT", "1   one two three"]);
        assert_eq!(shown("one two three", Some(12)), ["ID  ABOUT", "1   one two", "    three"]);
        assert_eq!(shown("a 日本日本x", Some(10)), ["ID  ABOUT", "1   a", "    日本日", "    本x"]);
        assert_eq!(shown("", Some(10)), ["ID  ABOUT", "1"]);
    }

    #[test]
    fn columns_are_measured_as_they_are_shown() {
        let rows = [vec![Cell::new("日本"), Cell::new("x")], vec![Cell::new("e\u{301}"), Cell::new("x")]];
        let shown = rendered(&COLUMNS, &rows, None, Colours::Left);
        assert_eq!(shown, ["ID    PERSON", "日本  x", "e\u{301}     x"]);
        assert_eq!(cut("日本語", 4), "日…", "no half of a wide one");
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        let hostile = "a\x1b[31m\r\nb\u{9b}1m\u{202e}c\u{2028}\u{feff}\u{7f}\u{e0041}";
        let shown = clean(hostile);
        assert!(!shown.chars().any(acts), "{shown:?}");
        assert_eq!(clean("Jörg 日本 👩‍💻 O'Neil"), "Jörg 日本 👩‍💻 O'Neil");
        let document = serde_json::to_string_pretty(&serde_json::json!([hostile])).unwrap();
        let escaped: String = document.chars().map(in_json).collect();
        assert!(!escaped.chars().any(|c| acts(c) && c != '\n'), "{escaped:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [hostile]);
    }

    #[test]
    fn colours_are_left_where_the_environment_says_so() {
        let with = |set: &'static [(&str, &str)]| {
            wanted(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(with(&[("TERM", "xterm")]), Colours::Shown);
        assert_eq!(with(&[("TERM", "xterm"), ("NO_COLOR", "")]), Colours::Shown);
        let refusals: [&'static [_]; 4] = [
            &[("TERM", "xterm"), ("NO_COLOR", "1")],
            &[("TERM", "xterm"), ("CLICOLOR", "0")],
            &[("TERM", "dumb")],
            &[],
        ];
        for set in refusals {
            assert_eq!(with(set), Colours::Left, "{set:?}");
        }
        assert_eq!(painted(Style::Bad, "failed", Colours::Shown), "\x1b[31mfailed\x1b[0m");
        assert_eq!(painted(Style::Bad, "failed", Colours::Left), "failed");
    }
}
