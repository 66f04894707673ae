//! One line for each person: how far both phases are, and what else there is to say.

use crate::people::{Who, assignments};
use crate::screen::{Colour, Screen};
use crate::service::Offboarding;
use leaver_simulator::PersonState;

/// The steps of the phase *deactivate*.
const DEACTIVATE: [&str; 2] = ["deactivate.account_state", "deactivate.tokens"];

/// What the cells of a line stand for.
pub(crate) const LEGEND: &str =
    "▓ gone: queues, skills, languages, utilization, team, stations, forwarding, roles; account, tokens";

/// What there is to say about somebody until the offboarding has ended, and then.
pub(crate) type Notes = (&'static str, &'static str);

/// One person whose offboarding the HRIS has asked for.
pub(crate) struct Row {
    pub(crate) who: Who,
    pub(crate) id: String,
    /// What the person held at the beginning, by step.
    held: Vec<(&'static str, usize)>,
    pub(crate) now: Option<Offboarding>,
    /// What there is to say until it has ended, and then.
    pub(crate) meanwhile: &'static str,
    finally: &'static str,
    /// What was last said in a pipe.
    said: String,
}

impl Row {
    pub(crate) fn new(who: Who, id: &str, before: Option<&PersonState>, notes: Notes) -> Self {
        let held = before.map(|person| assignments(person).to_vec()).unwrap_or_default();
        Self {
            who,
            id: id.to_owned(),
            held,
            now: None,
            meanwhile: notes.0,
            finally: notes.1,
            said: String::new(),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.now.as_ref().is_some_and(Offboarding::has_ended)
    }

    /// Begins anew: what is worked towards has changed.
    pub(crate) fn turn_round(&mut self, now: Offboarding) {
        self.now = Some(now);
        self.meanwhile = "an operator has it all put back";
        self.finally = "";
    }

    /// Status, outcome and reason, as the API says them.
    pub(crate) fn words(&self) -> String {
        self.now.as_ref().map_or_else(|| "unknown".to_owned(), Offboarding::words)
    }

    /// The line as it is now.
    pub(crate) fn line(&self, screen: &Screen) -> String {
        let state = match self.now.as_ref().map(|now| now.status.as_str()) {
            Some("done") => screen.paint(Colour::Good, &self.state()),
            Some("failed" | "cancelled") => screen.paint(Colour::Bad, &self.state()),
            Some("held") => screen.paint(Colour::Notice, &self.state()),
            Some(_) | None => self.state(),
        };
        format!("  {:<14} {}   {state}", self.who.name(), self.bars())
    }

    /// The line, if something about it has changed that is worth a line in a pipe.
    pub(crate) fn changed_line(&mut self, screen: &Screen) -> Option<String> {
        let mut said = self.bars();
        said.push_str(&self.state());
        if said == self.said {
            return None;
        }
        self.said = said;
        Some(self.line(screen).trim().to_owned())
    }

    fn bars(&self) -> String {
        if let Some(now) = self.now.as_ref().filter(|now| now.goal == "restored") {
            return format!("{:<38}", format!("{:>2} put back", now.put_back()));
        }
        let (total, removed) = self.counts();
        if total == 0 {
            return "strip ········   ·    deactivate ··".to_owned();
        }
        format!("strip {} {removed:>2}/{total:<2} deactivate {}", self.strip_cells(), self.deactivate_cells())
    }

    /// A cell for each kind of assignment, filled once all of that kind are gone.
    fn strip_cells(&self) -> String {
        let cells = self.held.iter().map(|(step, held)| {
            let gone = self.now.as_ref().map_or(0, |now| now.removed(step, *held));
            if gone == *held { '▓' } else { '░' }
        });
        cells.collect()
    }

    fn deactivate_cells(&self) -> String {
        let cells = DEACTIVATE.iter().map(|step| {
            let gone = self.now.as_ref().is_some_and(|now| now.removed(step, 1) == 1);
            if gone { '▓' } else { '·' }
        });
        cells.collect()
    }

    fn counts(&self) -> (usize, usize) {
        let removed = |(step, held): &(&'static str, usize)| {
            self.now.as_ref().map_or(0, |now| now.removed(step, *held))
        };
        (self.held.iter().map(|(_, held)| held).sum(), self.held.iter().map(removed).sum())
    }

    fn state(&self) -> String {
        let Some(now) = &self.now else {
            return String::new();
        };
        let words = match (now.status.as_str(), now.outcome.as_deref(), now.reason.as_deref()) {
            ("done", Some(outcome), _) => format!("done: {}", outcome),
            ("scheduled", ..) => String::new(),
            (status, _, Some(reason)) => format!("{status}: {}", reason),
            (status, ..) => status.to_owned(),
        };
        match (words.is_empty(), self.finally) {
            (true, _) => self.meanwhile.to_owned(),
            (false, "") => words,
            (false, finally) => format!("{words} ({finally})"),
        }
    }
}
