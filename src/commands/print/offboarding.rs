//! One offboarding as a page: who, where it stands and what is to be done, how far the two phases are, and the journal.

use chrono::{DateTime, Utc};

use super::terminal::{self, Cell, Column, Style};
use super::{ending, person, style, times, wrapped};
use crate::offboarding::{Action, Goal, JournalEntry, Reason, Status};
use crate::plan::{PLAN, Return};
use crate::store::views::{StepView, View};

/// How wide the names of the facts are.
const NAME_WIDTH: usize = 11;

/// An id is copied: where there is room for it, it stays on one line.
const ID_WIDTH: usize = 36;

/// A terminal that has this room.
const ROOMY: usize = 96;

/// The two phases, in the order in which the page shows them.
const PHASES: [&str; 2] = ["strip", "deactivate"];

pub(in crate::commands) fn offboarding(view: &View) {
    let now = Utc::now();
    let status = view.status.as_str();
    terminal::styled(&[
        (Style::Plain, &format!("{}  ", view.id)),
        (style(view.status), status),
        (Style::Plain, &format!("  {}", ending(view))),
    ]);
    fact("person", &person(view));
    fact("stands", &standing(view, now));
    if let Some(reason) = view.reason.filter(|_| view.status != Status::Done) {
        fact("means", reason.meaning());
        fact("do", reason.next_action());
    }
    if let Some(offer) = offered(view) {
        fact("offered", &offer);
    }
    fact("goal", view.goal.as_str());
    fact("source", &format!("{} ({})", view.source, view.event_ids.join(", ")));
    fact("effective", &times::both(view.effective_at, now));
    for phase in PHASES {
        steps(phase, view.steps.as_deref().unwrap_or_default());
    }
    lost(view);
    journal(view.journal.as_deref().unwrap_or_default());
}

fn fact(name: &str, text: &str) {
    let lines = wrapped(&format!("{name:<NAME_WIDTH$}"), &terminal::clean(text));
    lines.iter().for_each(|line| say!("{line}"));
}

/// Where it stands, in a sentence.
fn standing(view: &View, now: DateTime<Utc>) -> String {
    let since = times::both(view.completed_at.unwrap_or(view.updated_at), now);
    match view.status {
        Status::Scheduled => scheduled(view, now),
        Status::Held => format!("waits for a person since {since}"),
        Status::Done => format!("finished {since}"),
        Status::Failed => format!("given up {since}, until somebody retries it"),
        Status::Cancelled => format!("ended {since} without being carried out"),
    }
}

fn scheduled(view: &View, now: DateTime<Utc>) -> String {
    if let Some(until) = view.lease_until.filter(|until| *until > now) {
        return format!("a worker is at it, and has it until {} at least", times::both(until, now));
    }
    let Some(next) = view.next_attempt_at else {
        return "waits to be taken up".to_owned();
    };
    let attempt = match view.attempt {
        0 => String::new(),
        before => format!(" (attempt {})", before + 1),
    };
    if next <= now {
        return format!("due since {}{attempt}, waits for a worker", times::both(next, now));
    }
    format!("waits until {}{attempt}, because {}", times::both(next, now), because(view, next))
}

/// Why it is not taken up earlier, by the last thing that was written down about it.
fn because(view: &View, next: DateTime<Utc>) -> String {
    let postponed =
        view.journal.iter().flatten().rev().find(|entry| entry.action == Action::Postponed.as_str());
    match postponed.and_then(|entry| entry.result.as_deref()) {
        Some(result) => format!("the last attempt said: {result}"),
        None if next >= view.effective_at => "it does not take effect before".to_owned(),
        None => "it was put off".to_owned(),
    }
}

fn steps(phase: &str, steps: &[StepView]) {
    let steps: Vec<_> = steps.iter().filter(|step| step.phase == phase).collect();
    if steps.is_empty() {
        return;
    }
    say!("");
    say!("{}", phase.to_uppercase());
    let columns = [
        Column::whole("STEP"),
        Column::whole("STATUS"),
        Column::whole("REMOVED"),
        Column::down_to("COMES BACK", 16),
    ];
    let row = |step: &&StepView| {
        vec![
            Cell::new(&step.name),
            Cell::styled(of_step(&step.status), &step.status),
            Cell::new(format!("{:>7}", step.removed)),
            Cell::new(comes_back(&step.name)),
        ]
    };
    terminal::table(&columns, &steps.iter().map(row).collect::<Vec<_>>());
}

fn of_step(status: &str) -> Style {
    match status {
        "done" => Style::Good,
        "failed" => Style::Bad,
        _ => Style::Plain,
    }
}

fn journal(entries: &[JournalEntry]) {
    say!("");
    say!("JOURNAL");
    let row = |entry: &JournalEntry| {
        let about = [&entry.step, &entry.target, &entry.result].into_iter().flatten().cloned();
        let about = about.collect::<Vec<_>>().join("  ");
        let request = entry.request_id.map(|id| id.to_string()).unwrap_or_default();
        let [by, what] = [&entry.actor, &entry.action].map(Cell::new);
        match terminal::width() {
            None => {
                let at = entry.at.format("%Y-%m-%d %H:%M:%S%.3f").to_string();
                vec![Cell::new(at), by, what, Cell::new(request), Cell::new(about)]
            }
            Some(_) => {
                let at = entry.at.format("%Y-%m-%d %H:%M:%S").to_string();
                vec![Cell::new(at), by, what, Cell::new(format!("{about}  {request}"))]
            }
        }
    };
    let mut columns = vec![Column::whole("AT (UTC)"), Column::down_to("BY", 10), Column::whole("WHAT")];
    match terminal::width() {
        None => columns.extend([Column::whole("REQUEST"), Column::whole("ABOUT")]),
        // The id of the request stands behind: beside a column of its own too little would be left.
        Some(room) => columns.push(Column::flowing("ABOUT", if room < ROOMY { 8 } else { ID_WIDTH })),
    }
    terminal::table(&columns, &entries.iter().map(row).collect::<Vec<_>>());
}

/// What whoever took a termination back too late for all of it can have instead: nothing comes back by itself.
fn offered(view: &View) -> Option<String> {
    let id = view.id;
    let restore = format!("leaver restore {id} puts back what is counted below under REMOVED");
    match (view.status, view.reason, view.rescinded_at) {
        (Status::Held, Some(Reason::Rescinded), _) => {
            Some(format!("{restore}; leaver approve {id} carries the termination out all the same"))
        }
        (Status::Done, _, Some(at)) if view.goal == Goal::Offboarded => {
            Some(format!("taken back at {} after the end: {restore}", at.to_rfc3339()))
        }
        (Status::Scheduled | Status::Held | Status::Done | Status::Failed | Status::Cancelled, _, _) => None,
    }
}

/// What was given up on the way back, and why.
fn lost(view: &View) {
    let lost = view.journal.iter().flatten().filter(|entry| entry.action == Action::NotRestorable.as_str());
    let lost: Vec<_> = lost.collect();
    if lost.is_empty() {
        return;
    }
    say!("");
    say!("DID NOT COME BACK");
    for entry in lost {
        let [step, why] = [&entry.step, &entry.result].map(|text| text.as_deref().unwrap_or("-"));
        // What is missing of a whole step names no target.
        let target = entry.target.as_ref().map(|target| format!("{target}: ")).unwrap_or_default();
        for line in wrapped(&format!("{step:<30} "), &format!("{target}{why}")) {
            say!("{line}");
        }
    }
}

fn comes_back(step: &str) -> String {
    match PLAN.iter().find(|known| known.name() == step).map(|known| known.comes_back()) {
        Some(Return::Whole) => "whole".to_owned(),
        Some(Return::Except(what)) => format!("except {what}"),
        Some(Return::Never(why)) => format!("never: {why}"),
        None => "-".to_owned(),
    }
}
