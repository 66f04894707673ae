//! The terminal: lines that stay, and below them a block that is drawn again in place. In a pipe there is no block and
//! there are no control codes. What is said is left to `story` and `report`.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// Columns and rows where the terminal does not say.
const SIZE_ASSUMED: (usize, usize) = (80, 24);

/// Colours with a meaning.
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Good,
    Bad,
    Notice,
    Faint,
    Strong,
}

/// Standard output.
pub(crate) struct Screen {
    started: Instant,
    live: bool,
    coloured: bool,
    block: Vec<String>,
    rows_drawn: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        let live = io::stdout().is_terminal() && !dumb;
        Self {
            started: Instant::now(),
            live,
            coloured: live && !set("NO_COLOR"),
            block: Vec::new(),
            rows_drawn: 0,
        }
    }

    /// Whether a block is drawn; else each change should be a line.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// The demo's clock starts here.
    pub(crate) fn start_clock(&mut self) {
        self.started = Instant::now();
    }

    /// Writes a line that stays, above the block.
    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        self.write(Some(&text.to_string()))
    }

    /// Writes a line that stays and begins with the time, of what fits into one row.
    pub(crate) fn event(&mut self, text: impl Display) -> io::Result<()> {
        let time = format!("{:>5.1} s", self.started.elapsed().as_secs_f64());
        let time = self.paint(Colour::Faint, &time);
        let line = format!("{time}  {text}");
        self.line(if self.live { cut(&line, size().0) } else { line })
    }

    /// Draws the block again.
    pub(crate) fn block(&mut self, lines: Vec<String>) -> io::Result<()> {
        if self.block == lines {
            return Ok(());
        }
        self.block = lines;
        if self.live { self.write(None) } else { Ok(()) }
    }

    /// Lets the block stay as it is; the next one begins below it.
    pub(crate) fn settle(&mut self) {
        self.block.clear();
        self.rows_drawn = 0;
    }

    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Good => "32",
            Colour::Bad => "1;31",
            Colour::Notice => "33",
            Colour::Faint => "2",
            Colour::Strong => "1",
        };
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// In one write, so that nobody sees the block half drawn.
    fn write(&mut self, line: Option<&str>) -> io::Result<()> {
        let mut text = String::new();
        if self.rows_drawn > 0 {
            text.push_str(&format!("\x1b[{}A\r\x1b[J", self.rows_drawn));
        }
        if let Some(line) = line {
            text.push_str(line);
            text.push('\n');
        }
        if self.live {
            let (columns, rows) = size();
            // A block higher than the terminal could not be drawn over.
            let shown = self.block.len().min(rows.saturating_sub(1));
            for line in &self.block[..shown] {
                text.push_str(&cut(line, columns));
                text.push('\n');
            }
            self.rows_drawn = shown;
        }
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }
}

fn size() -> (usize, usize) {
    terminal_size::terminal_size_of(io::stdout())
        .map(|(columns, rows)| (usize::from(columns.0), usize::from(rows.0)))
        .filter(|(columns, rows)| *columns > 0 && *rows > 0)
        .unwrap_or(SIZE_ASSUMED)
}

/// Cuts a line to what fits into one row, colours not counted: a line that wraps would be two rows to draw over.
fn cut(line: &str, columns: usize) -> String {
    let mut kept = String::new();
    let mut width = 0;
    let mut in_code = false;
    for character in line.chars() {
        if character == '\x1b' {
            in_code = true;
        } else if in_code {
            in_code = character != 'm';
        } else if width == columns {
            continue;
        } else {
            width += 1;
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_the_terminal_and_its_colours_end() {
        assert_eq!(cut("strip ▓▓░ 2/3", 9), "strip ▓▓░");
        assert_eq!(cut("\x1b[32mdone\x1b[0m and more", 6), "\x1b[32mdone\x1b[0m a");
        assert_eq!(cut("\x1b[32mdone\x1b[0m", 2), "\x1b[32mdo\x1b[0m");
    }
}
