//! What people and programs see of the commands. The dry run has a file of its own.

use chrono::Utc;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::check::{Finding, Level};
use crate::offboarding::Status;
use crate::offboarding::choices::Mode;
use crate::operate::Page;
use crate::store::tokens::WaitingToken;
use crate::store::views::View;

/// Prints one line, in which nothing that others wrote acts on the terminal.
macro_rules! say {
    ($($text:tt)*) => { $crate::commands::print::terminal::line(&format!($($text)*)) };
}

mod audit;
mod callbacks;
mod events;
mod layoffs;
mod offboarding;
mod pause;
mod preview;
mod reconcile;
mod terminal;
mod times;

pub(super) use audit::{audit_keys, verification};
pub(super) use callbacks::callbacks;
pub(super) use events::{event, events, replay};
pub(super) use layoffs::{layoffs, older_layoffs};
pub(super) use offboarding::offboarding;
pub(super) use pause::{paused, switch};
pub(super) use preview::preview;
pub(super) use reconcile::reconciliation;
use terminal::{Cell, Column, Style};

/// The widest line, in characters.
const WIDTH: usize = 110;

pub(super) fn json(value: &impl Serialize) {
    // Only maps with keys that are no strings can't be written, and there are none.
    terminal::json(&serde_json::to_string_pretty(value).unwrap_or_default());
}

pub(super) fn line(text: &str) {
    say!("{text}");
}

/// Says above everything else that nothing is changed, where that is so.
pub(super) fn mode(mode: Mode) {
    match mode {
        Mode::Live => {}
        Mode::DryRun => {
            say!("DRY RUN (policy.mode): the service changes nothing in Genesys Cloud");
            say!("");
        }
    }
}

/// A text of somebody else's, to be put into a line.
pub(super) fn cleaned(text: &str) -> String {
    terminal::clean(text)
}

/// Prints lines as they are, with nothing in them that acts on a terminal.
pub(super) fn lines(text: &str) {
    text.lines().for_each(terminal::line);
}

/// One line for what is well, more for what is not, and how many there are of each at the end.
pub(super) fn findings(findings: &[Finding]) {
    for finding in findings {
        let level = finding.severity.as_str();
        let style = match finding.severity {
            Level::Ok => Style::Good,
            Level::Warn => Style::Waiting,
            Level::Fail => Style::Bad,
        };
        let head = format!("{level:<4}  {:<28} ", terminal::clean(&finding.check));
        let text = wrapped(&head, &finding.what);
        let [first, more @ ..] = text.as_slice() else { continue };
        terminal::styled(&[(style, level), (Style::Plain, &first[level.len()..])]);
        more.iter().for_each(|line| say!("{line}"));
        if let Some(todo) = &finding.todo {
            wrapped(&format!("{:<35}do: ", ""), todo).iter().for_each(|line| say!("{line}"));
        }
    }
    let count = |level: Level| findings.iter().filter(|finding| finding.severity == level).count();
    let (warned, failed) = (count(Level::Warn), count(Level::Fail));
    say!("");
    say!("{} checks: {} ok, {warned} worth a look, {failed} failed", findings.len(), count(Level::Ok));
}

pub(super) fn tokens(waiting: &[WaitingToken], advice: &str) {
    if waiting.is_empty() {
        say!("no token waits: none has come within a day, or the source has delivered");
        return;
    }
    for one in waiting {
        let from = one.remote_address.as_deref().unwrap_or("unknown");
        let at = one.received_at.format("%Y-%m-%dT%H:%M:%SZ");
        say!("{at}  from {from:<15}  {}", one.token.expose_secret());
    }
    for line in wrapped("", advice) {
        say!("{line}");
    }
}

pub(super) fn list(page: &Page) {
    if page.items.is_empty() {
        say!("no offboardings");
        return;
    }
    let columns = [
        Column::whole("ID"),
        Column::whole("STATUS"),
        Column::down_to("OUTCOME / REASON", 12),
        Column::whole("EFFECTIVE"),
        Column::down_to("WHEN", 8),
        Column::down_to("SOURCE", 8),
        Column::down_to("PERSON", 12),
    ];
    let now = Utc::now();
    let row = |view: &View| {
        vec![
            Cell::new(view.id.to_string()),
            Cell::styled(style(view.status), view.status.as_str()),
            Cell::new(ending(view)),
            Cell::new(times::absolute(view.effective_at)),
            Cell::new(times::relative(view.effective_at, now)),
            Cell::new(&view.source),
            Cell::new(person(view)),
        ]
    };
    terminal::table(&columns, &page.items.iter().map(row).collect::<Vec<_>>());
    more(page.next, "--limit, --status, --person, --source");
}

/// Says that a list goes on, and how to see the rest or less.
pub(super) fn more(next: Option<impl std::fmt::Display>, options: &str) {
    if let Some(next) = next {
        say!("there are more: --after {next}, or {options}");
    }
}

pub(super) fn approved(size: usize, digest: &str) {
    say!("approved {size} offboardings, set sha256:{digest}");
}

fn style(status: Status) -> Style {
    match status {
        Status::Scheduled => Style::Plain,
        Status::Held => Style::Waiting,
        Status::Done => Style::Good,
        Status::Failed => Style::Bad,
        Status::Cancelled => Style::Plain,
    }
}

/// A text behind a head, in lines of at most [`WIDTH`], or the terminal's, where its words allow it; each further one is
/// indented like the first.
fn wrapped(head: &str, text: &str) -> Vec<String> {
    wrapped_to(terminal::width().map_or(WIDTH, |width| width.min(WIDTH)), head, text)
}

fn wrapped_to(width: usize, head: &str, text: &str) -> Vec<String> {
    let indent = head.chars().count();
    let mut lines = vec![head.to_owned()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let length = line.chars().count();
        if length > indent && length + 1 + word.chars().count() > width {
            lines.push(format!("{:indent$}{word}", ""));
        } else {
            line.push_str(if length > indent { " " } else { "" });
            line.push_str(word);
        }
    }
    lines
}

fn ending(view: &View) -> String {
    match (view.outcome, view.reason) {
        (Some(outcome), _) => outcome.to_string(),
        (None, Some(reason)) => reason.to_string(),
        (None, None) => "-".to_owned(),
    }
}

fn person(view: &View) -> String {
    let who = &view.person;
    let named = [&who.email, &who.external_id, &who.genesys_user_id].into_iter().flatten().cloned();
    let named: Vec<_> = named.collect();
    if named.is_empty() { "nobody named".to_owned() } else { named.join(" · ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_wrapped_behind_its_head_and_a_long_word_stays_whole() {
        let words = ["word"; 40].join(" ");
        let lines = wrapped_to(WIDTH, "ok    what ", &words);
        assert!(lines.len() == 2 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:?}");
        assert!(
            lines[1].starts_with("           word") && lines[0].starts_with("ok    what word"),
            "{lines:?}"
        );
        assert_eq!(wrapped_to(WIDTH, "- ", &"x".repeat(200)), [format!("- {}", "x".repeat(200))]);
    }
}
