//! Values as people read them: moments, states, names from outside. A name is shown so that it can neither run nor pass for
//! something else: the templates escape it, and here its control characters become visible.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::{Goal, OffboardingId, Outcome, Reason, Status};
use crate::operate::OwnRules;
use crate::store::views::{PersonView, View};

/// The most characters of one value that a page shows; what is longer is a mistake or an attack.
const CHARS_MAX: usize = 2_000;

/// Makes what can't be seen visible: control characters, line breaks, marks that turn the direction of writing, characters
/// without width.
pub(super) fn plain(text: &str) -> String {
    plain_keeping(text, |_| false)
}

/// The same for a text of several lines.
pub(super) fn plain_lines(text: &str) -> String {
    plain_keeping(text, |c| matches!(c, '\n' | '\t'))
}

fn plain_keeping(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        if index == CHARS_MAX && !keeps('\n') {
            shown.push('…');
            break;
        }
        if keeps(c) || !is_unseen(c) {
            shown.push(c);
        } else {
            // Writing into a string can't fail.
            let _ = write!(shown, "[U+{:04X}]", u32::from(c));
        }
    }
    shown
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Words of ours with code between backticks, as HTML that begins like a sentence, unless it begins with code: a name has to
/// stay as it is written. Only for texts that stand in the program.
pub(super) fn marked_up(text: &'static str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = if index == 0 { capital(part) } else { part.to_owned() };
        let part = part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('*', "");
        match index % 2 {
            0 => html.push_str(&part),
            _ => {
                let _ = write!(html, "<code>{part}</code>");
            }
        }
    }
    html
}

/// A text with a capital at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{head}{}", chars.as_str())
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(pub(super) DateTime<Utc>);

impl Moment {
    /// For machines.
    fn iso(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// To the second, as in a journal.
    pub(super) fn exact(self) -> String {
        self.0.format("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    /// How long ago, or how long until then.
    pub(super) fn relative(self) -> String {
        relative(self.0, Utc::now())
    }

    /// The moment with how long ago it was. Nothing in it comes from outside.
    pub(super) fn html(self) -> String {
        format!(
            "<time datetime=\"{}\">{}</time> <span class=\"ago\">{}</span>",
            self.iso(),
            self.0.format("%d %b %Y, %H:%M UTC"),
            self.relative()
        )
    }

    /// How long ago, with the moment behind it.
    pub(super) fn brief(self) -> String {
        format!("<time datetime=\"{}\" title=\"{}\">{}</time>", self.iso(), self.exact(), self.relative())
    }

    /// The time of day alone, where the day is told beside it; today's is not.
    pub(super) fn time_of_day(self) -> String {
        let today = self.0.date_naive() == Utc::now().date_naive();
        let text = self.0.format(if today { "%H:%M:%S" } else { "%d %b, %H:%M" });
        format!("<time datetime=\"{}\" title=\"{}\">{text}</time>", self.iso(), self.exact())
    }

    /// Date and time to the second, for tables.
    pub(super) fn precise(self) -> String {
        format!(
            "<time datetime=\"{}\">{}</time>",
            self.0.to_rfc3339_opts(SecondsFormat::Millis, true),
            self.0.format("%Y-%m-%d %H:%M:%S%.3f")
        )
    }
}

fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let far = (at - now).abs();
    if far < TimeDelta::seconds(2) {
        return "now".to_owned();
    }
    let length = span(far);
    if at > now { format!("in {length}") } else { format!("{length} ago") }
}

/// How a time is read that somebody types.
pub(super) fn times(rules: &OwnRules) -> String {
    let day = match rules.effective_at {
        EffectiveAt::StartOfDay => "the beginning of that day".to_owned(),
        EffectiveAt::EndOfDay => "the end of that day".to_owned(),
        EffectiveAt::At(time) => format!("{} on that day", time.format("%H:%M")),
    };
    let zone = rules.zone.name();
    format!("A date, or a date with a time, in the time zone {zone}. A date alone means {day}.")
}

/// A length of time in its largest unit.
pub(super) fn span(length: TimeDelta) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = length.num_seconds().max(0);
    // A day and a half is told in hours, not rounded to a day.
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds >= unit * 2).unwrap_or((1, "second"));
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// When something happens next, as a sentence.
pub(super) fn sentence_of_wait(what: &str, at: Option<DateTime<Utc>>) -> String {
    match at {
        Some(at) if at > Utc::now() => {
            format!("{what} at {} ({}).", Moment(at).exact(), Moment(at).relative())
        }
        Some(_) | None => format!("{what} as soon as a worker is free."),
    }
}

/// Who an offboarding is about.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// The best name that there is.
    pub(super) name: String,
    /// What else is known.
    pub(super) others: Vec<(&'static str, String)>,
}

impl Person {
    pub(super) fn of(person: &PersonView) -> Self {
        let known = [
            ("e-mail", &person.email),
            ("external id", &person.external_id),
            ("Genesys user", &person.genesys_user_id),
        ];
        let mut known = known.into_iter().filter_map(|(what, value)| Some((what, plain(value.as_ref()?))));
        match known.next() {
            Some((_, name)) => Self { name, others: known.collect() },
            None => Self { name: "Nobody named".to_owned(), others: Vec::new() },
        }
    }
}

/// A state with its shape and its word: never told by colour alone.
pub(super) fn badge(class: &str, word: &str) -> String {
    let shape = match class {
        "done" => "<path d=\"M4.400 8.300 7 10.900l4.700-5.400\"/><circle cx=\"8\" cy=\"8\" r=\"6.700\"/>",
        "held" => "<path d=\"M6.200 5.200v5.600M9.800 5.200v5.600\"/><circle cx=\"8\" cy=\"8\" r=\"6.700\"/>",
        "failed" => "<path d=\"M8 2 14.600 13.800H1.400zM8 6.400v3.400M8 11.600v.3\"/>",
        "cancelled" => "<path d=\"M3.400 3.400l9.200 9.200\"/><circle cx=\"8\" cy=\"8\" r=\"6.700\"/>",
        "working" => {
            "<path d=\"M8 1.300a6.700 6.700 0 0 1 0 13.400z\" class=\"fill\"/><circle cx=\"8\" cy=\"8\" r=\"6.700\"/>"
        }
        _ => "<path d=\"M8 4.200V8l2.600 1.600\"/><circle cx=\"8\" cy=\"8\" r=\"6.700\"/>",
    };
    format!(
        "<span class=\"badge {class}\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">{shape}</svg>{word}</span>"
    )
}

/// Where an offboarding stands, in one badge.
pub(super) fn state(view: &View) -> String {
    if view.status == Status::Scheduled && view.lease_until.is_some() {
        return badge("working", "at work");
    }
    badge(view.status.as_str(), view.status.as_str())
}

/// How it ended, or why it has not.
pub(super) fn ending(view: &View) -> String {
    match (view.outcome, view.reason) {
        (Some(outcome), _) => outcome_words(outcome).to_owned(),
        (None, Some(reason)) => reason_words(reason),
        (None, None) if view.goal == Goal::Restored => "being put back".to_owned(),
        (None, None) => String::new(),
    }
}

/// A reason as words instead of a word.
pub(super) fn reason_words(reason: Reason) -> String {
    reason.as_str().replace('_', " ").replace("genesys", "Genesys")
}

/// An outcome as words.
pub(super) const fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Offboarded => "offboarded",
        Outcome::AlreadyInactive => "was inactive already",
        Outcome::NotInGenesys => "not in Genesys Cloud",
        Outcome::Restored => "restored",
    }
}

/// The end of an id, by which people tell two apart.
pub(super) fn short(id: OffboardingId) -> String {
    let text = id.to_string();
    text.rsplit('-').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown_and_what_can_stays() {
        assert_eq!(plain("Jäne <b>O'Neil</b> 李"), "Jäne <b>O'Neil</b> 李");
        assert_eq!(plain("a\nb\u{202e}c\u{200b}\u{7}"), "a[U+000A]b[U+202E]c[U+200B][U+0007]");
        assert_eq!(plain_lines("a\n\tb\r"), "a\n\tb[U+000D]");
        assert_eq!(plain(&"x".repeat(CHARS_MAX + 1)).chars().count(), CHARS_MAX + 1);
    }

    #[test]
    fn a_length_is_told_in_the_unit_that_says_enough() {
        let cases = [
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_199, "119 minutes"),
            (90_000, "25 hours"),
            (172_800, "2 days"),
        ];
        for (seconds, words) in cases {
            assert_eq!(span(TimeDelta::seconds(seconds)), words);
        }
    }

    #[test]
    fn code_in_our_words_is_marked_and_nothing_else_is() {
        assert_eq!(marked_up("see `a<b>` & *c*"), "See <code>a&lt;b&gt;</code> &amp; c");
        assert_eq!(marked_up("`policy.x` attempts"), "<code>policy.x</code> attempts");
    }
}
