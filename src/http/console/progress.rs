//! How far an offboarding is, as a picture: two phases, each with its steps, what each took away and when.

use std::collections::HashMap;

use crate::offboarding::{Goal, Outcome, Phase, Reason, Status};
use crate::plan::{PLAN, Step};
use crate::store::console::Surroundings;
use crate::store::snapshot::Stored;
use crate::store::views::{StepView, View};

use super::words::{Moment, reason_words, sentence_of_wait};

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Pending,
    AtWork,
    Done,
    Failed,
    /// It was to be done, and now it never is.
    NotDone,
    LeftOut,
}

impl Stage {
    const fn class(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::AtWork => "working",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotDone | Self::LeftOut => "skipped",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Pending => "to do",
            Self::AtWork => "at work",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotDone => "not done",
            Self::LeftOut => "left out",
        }
    }
}

/// One step.
pub(super) struct StepRow {
    pub(super) title: &'static str,
    pub(super) class: &'static str,
    pub(super) word: &'static str,
    /// What it took away, in words.
    pub(super) count: String,
    pub(super) at: Option<String>,
}

/// One phase.
pub(super) struct PhaseBox {
    pub(super) number: usize,
    pub(super) title: &'static str,
    pub(super) says: &'static str,
    pub(super) class: &'static str,
    pub(super) word: &'static str,
    pub(super) done: usize,
    pub(super) total: usize,
    pub(super) steps: Vec<StepRow>,
}

/// The phases in the order in which the plan has them.
pub(super) fn phases(view: &View, around: &Surroundings, stored: &[Stored]) -> Vec<PhaseBox> {
    let known: HashMap<&str, &StepView> =
        view.steps.iter().flatten().map(|step| (step.name.as_str(), step)).collect();
    let at_work = at_work(view);
    let phase = |number, phase: Phase, title, says| {
        let of_phase = PLAN.iter().filter(|step| step.phase() == phase);
        let rows: Vec<_> = of_phase
            .map(|step| {
                let view_of = known.get(step.name()).copied();
                let stage = stage(view, view_of, at_work == Some(step.name()));
                let own: Vec<_> = stored.iter().filter(|one| one.step == step.name()).collect();
                (stage, row(view, *step, stage, view_of, &own, around))
            })
            .collect();
        let counted: Vec<_> = rows.iter().filter(|(stage, _)| *stage != Stage::LeftOut).collect();
        let done = counted.iter().filter(|(stage, _)| *stage == Stage::Done).count();
        let total = counted.len();
        let stage = whole(view, &rows.iter().map(|(stage, _)| *stage).collect::<Vec<_>>());
        let steps = rows.into_iter().map(|(_, row)| row).collect();
        PhaseBox { number, title, says, class: stage.class(), word: stage.word(), done, total, steps }
    };
    match view.goal {
        Goal::Offboarded => vec![
            phase(
                1,
                Phase::Strip,
                "Strip",
                "Everything that is assigned is taken away, until complete reads find nothing.",
            ),
            phase(
                2,
                Phase::Deactivate,
                "Deactivate",
                "The account is switched off, its tokens are revoked, and all is read once more.",
            ),
        ],
        Goal::Restored => vec![
            phase(1, Phase::Deactivate, "Account", "The account is switched on again first."),
            phase(2, Phase::Strip, "Assignments", "What was taken away is put back, last things first."),
        ],
    }
}

/// The step that the journal spoke of last, while somebody works.
fn at_work(view: &View) -> Option<&'static str> {
    view.lease_until?;
    let last = view.journal.iter().flatten().rev().find_map(|entry| entry.step.as_deref())?;
    PLAN.iter().map(|step| step.name()).find(|name| *name == last)
}

fn stage(view: &View, step: Option<&StepView>, at_work: bool) -> Stage {
    match step.map(|step| step.status.as_str()) {
        Some("done") => Stage::Done,
        Some("failed") => Stage::Failed,
        Some("skipped") => Stage::LeftOut,
        _ if at_work => Stage::AtWork,
        _ if view.status == Status::Cancelled => Stage::NotDone,
        // Whoever was not in Genesys Cloud had nothing to be taken away.
        _ if view.status == Status::Done => Stage::LeftOut,
        _ => Stage::Pending,
    }
}

fn whole(view: &View, stages: &[Stage]) -> Stage {
    let counted = || stages.iter().filter(|stage| **stage != Stage::LeftOut);
    if counted().any(|stage| *stage == Stage::Failed) {
        Stage::Failed
    } else if counted().next().is_none() {
        Stage::LeftOut
    } else if counted().all(|stage| *stage == Stage::Done) {
        Stage::Done
    } else if view.status == Status::Cancelled {
        Stage::NotDone
    } else if view.lease_until.is_some()
        && counted().any(|stage| matches!(stage, Stage::Done | Stage::AtWork))
    {
        Stage::AtWork
    } else {
        Stage::Pending
    }
}

fn row(
    view: &View,
    step: &dyn Step,
    stage: Stage,
    known: Option<&StepView>,
    stored: &[&Stored],
    around: &Surroundings,
) -> StepRow {
    let gone = known.map_or(0, |step| step.removed);
    let back = stored.iter().filter(|one| one.restored.is_some()).count();
    let taken = stored.iter().filter(|one| one.removed || one.altered).count();
    let count = match (view.goal, stage) {
        (_, Stage::LeftOut) => String::new(),
        (Goal::Restored, _) if taken == 0 => "nothing to put back".to_owned(),
        (Goal::Restored, _) => format!("{back} of {taken} back"),
        (Goal::Offboarded, Stage::Done) if stored.is_empty() && gone == 0 => "nothing there".to_owned(),
        (Goal::Offboarded, _) if stored.is_empty() => String::new(),
        (Goal::Offboarded, _) => format!("{gone} of {} gone", stored.len()),
    };
    let at = around.step_times.get(step.name()).filter(|_| stage == Stage::Done || stage == Stage::Failed);
    StepRow {
        title: step.title(),
        class: stage.class(),
        word: stage.word(),
        count,
        at: at.map(|at| Moment(*at).time_of_day()),
    }
}

/// What is going on, in one or two sentences.
pub(super) fn now(view: &View, around: &Surroundings) -> String {
    match view.status {
        Status::Scheduled => scheduled(view, around),
        Status::Held => match view.reason {
            Some(reason) => format!("Held as {}: a person decides what happens next.", reason_words(reason)),
            None => "Held: a person decides what happens next.".to_owned(),
        },
        Status::Failed => {
            "Given up for now. Nothing happens until somebody retries it or cancels it.".to_owned()
        }
        Status::Cancelled => cancelled(view),
        Status::Done => done(view),
    }
}

fn cancelled(view: &View) -> String {
    let who = match view.reason {
        Some(Reason::CancelledByOperator) => "An operator ended it".to_owned(),
        Some(reason) => format!("Ended as {}", reason_words(reason)),
        None => "Ended".to_owned(),
    };
    match (view.goal, removed(view)) {
        (Goal::Restored, _) => {
            format!("{who}: what was put back by then stays, the rest does not come back.")
        }
        (Goal::Offboarded, 0) => format!("{who} before anything was taken away."),
        (Goal::Offboarded, 1) => {
            format!("{who} midway: one thing was taken away, and stays so until a restore puts it back.")
        }
        (Goal::Offboarded, gone) => {
            format!(
                "{who} midway: {gone} things were taken away, and stay so until a restore puts them back."
            )
        }
    }
}

/// How many things were taken away.
pub(super) fn removed(view: &View) -> i64 {
    view.steps.iter().flatten().map(|step| step.removed).sum()
}

fn done(view: &View) -> String {
    if view.outcome == Some(Outcome::NotInGenesys) {
        return "Done: nobody in Genesys Cloud matches.".to_owned();
    }
    let how = view.outcome.map_or("finished", super::words::outcome_words);
    match (view.goal, view.rescinded_at) {
        (Goal::Offboarded, Some(at)) => {
            format!(
                "Done: {how}. The HR system took it back {}; a restore puts back what was removed.",
                Moment(at).relative()
            )
        }
        (Goal::Offboarded | Goal::Restored, _) => format!("Done: {how}, and read back."),
    }
}

fn scheduled(view: &View, around: &Surroundings) -> String {
    if let Some(until) = view.lease_until {
        let who = around.lease_worker.as_deref().map(super::words::plain).unwrap_or_default();
        let what = match view.goal {
            Goal::Offboarded => "At work",
            Goal::Restored => "Putting back",
        };
        return format!(
            "{what}: {who} holds it until {} and renews that while it lives.",
            Moment(until).exact()
        );
    }
    if let Some(since) = around.busy_at {
        let until = around.busy_until.map(|until| format!(", until {} at the latest", Moment(until).exact()));
        return format!(
            "Waits for the end of an interaction, since {}{}. {}",
            Moment(since).exact(),
            until.unwrap_or_default(),
            sentence_of_wait("Looked at again", view.next_attempt_at),
        );
    }
    if around.not_found_at.is_some() && view.person.genesys_user_id.is_none() {
        return format!(
            "Nobody in Genesys Cloud matched. {}",
            sentence_of_wait("A second look follows", view.next_attempt_at)
        );
    }
    if let Some(at) = around.look_up_at.filter(|_| view.attempt == 0) {
        return format!(
            "Waits for the answer of the HR system. {}",
            sentence_of_wait("It is asked", Some(at))
        );
    }
    match (view.attempt, view.goal) {
        (0, Goal::Restored) => sentence_of_wait("Everything is put back", view.next_attempt_at),
        (0, Goal::Offboarded) => sentence_of_wait("Starts", view.next_attempt_at),
        (attempts, _) => {
            let times = if attempts == 1 { "One attempt" } else { "Attempts" };
            let count = if attempts == 1 { String::new() } else { format!(": {attempts}") };
            format!(
                "{times} without progress{count}. {}",
                sentence_of_wait("The next one follows", view.next_attempt_at)
            )
        }
    }
}
