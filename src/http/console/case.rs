//! `GET /offboardings/{id}`: one offboarding whole. Its parts are also what a page that is open gets sent when one of them
//! changes.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Console;
use super::decide::{Choice, Said, choices};
use super::guard::Visitor;
use super::page::{Failure, Part, Shell, html, render};
use super::progress::{PhaseBox, now, phases};
use super::words::{Moment, Person, ending, marked_up, plain, state};
use crate::http::api::id as read_id;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::offboarding::{Goal, JournalEntry, OffboardingId, Status};
use crate::operate;
use crate::plan::{PLAN, Return};
use crate::store::callbacks::CallbackFilter;
use crate::store::console::Surroundings;
use crate::store::snapshot::Stored;
use crate::store::views::View;

/// Entries of a journal that are shown unfolded: the newest.
const ENTRIES_SHOWN: usize = 12;

/// Entries that are shown at all, the newest; the API has all of them.
const ENTRIES_MAX: usize = 1_000;

/// One thing that is known.
struct Fact {
    name: &'static str,
    /// Text from outside, or HTML of ours.
    text: Option<String>,
    html: Option<String>,
    link: Option<String>,
}

/// One entry of the journal.
struct EntryRow {
    at: String,
    actor: String,
    action: String,
    step: String,
    target: String,
    result: String,
    request_id: String,
    correlation_id: String,
}

/// What one step took away, or saw.
struct Kind {
    id: String,
    title: &'static str,
    comes_back: String,
    never: bool,
    things: Vec<Thing>,
}

/// One thing of the snapshot.
struct Thing {
    name: String,
    target: String,
    class: &'static str,
    state: &'static str,
    why: String,
}

/// One offboarding as the page shows it.
pub(super) struct Case {
    id: String,
    pub(super) title: String,
    state: String,
    ending: String,
    now: String,
    meaning: Option<(String, String)>,
    phases: Vec<PhaseBox>,
    /// Everything is being put back, or has been.
    back: bool,
    choices: Vec<Choice>,
    refusals: Vec<String>,
    facts: Vec<Fact>,
    snapshot: Vec<Kind>,
    /// Nothing more is stored in it.
    over: bool,
    restorable: usize,
    recent: Vec<EntryRow>,
    older: Vec<EntryRow>,
    left_out: usize,
    /// Of the state that is shown.
    shown: String,
}

#[derive(Template)]
#[template(path = "offboarding.html")]
struct CasePage {
    shell: Shell,
    case: Case,
}

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $path:literal;)+) => {
        $($(#[$doc])*
        #[derive(Template)]
        #[template(path = $path)]
        struct $name<'a> {
            case: &'a Case,
        })+
    };
}

parts! {
    /// The badge, the sentence and the phases.
    Progress = "case/progress.html";
    /// What may be done.
    Actions = "case/actions.html";
    /// Ids and moments.
    Facts = "case/facts.html";
    /// What was held, and what comes back.
    Snapshot = "case/snapshot.html";
    /// What was written down.
    Journal = "case/journal.html";
}

impl Case {
    /// Reads everything about one offboarding that this operator is shown.
    pub(super) async fn read(console: &Console, id: OffboardingId, caller: &Caller) -> Result<Self, Failure> {
        let store = &console.inner.api.store;
        // Before everything else: what changes in between is sent once more.
        let pulse = store.pulse(id).await?.ok_or(Problem::NotFound)?;
        let view = operate::show(store, id).await?.ok_or(Problem::NotFound)?;
        let around = store.surroundings(id).await?.ok_or(Problem::NotFound)?;
        let stored = store.stored(id).await?;
        let decisions = store.decisions(id, &caller.actor()).await?;
        let told = CallbackFilter { offboarding: Some(id.0), limit: 1, ..CallbackFilter::default() };
        let told = operate::callbacks(store, &told)
            .await?
            .items
            .first()
            .map(|_| super::offboardings::address("/callbacks", &[("offboarding", &id.to_string())]));
        let restorable = stored.iter().filter(|one| comes_back(one)).count();
        let (choices, refusals) = choices(console, &view, caller, &decisions, restorable);
        let mut entries: Vec<_> = view.journal.iter().flatten().rev().take(ENTRIES_MAX).map(entry).collect();
        let older = entries.split_off(entries.len().min(ENTRIES_SHOWN));
        let all = view.journal.as_ref().map_or(0, Vec::len);
        Ok(Self {
            id: id.to_string(),
            title: Person::of(&view.person).name,
            state: state(&view),
            ending: ending(&view),
            now: now(&view, &around),
            meaning: view
                .reason
                .filter(|_| view.outcome.is_none())
                .map(|reason| (marked_up(reason.meaning()), marked_up(reason.next_action()))),
            phases: phases(&view, &around, &stored),
            back: view.goal == Goal::Restored,
            facts: facts(&view, &around, told),
            snapshot: snapshot(&stored),
            over: matches!(view.status, Status::Done | Status::Cancelled),
            left_out: all.saturating_sub(ENTRIES_MAX),
            shown: mark(&pulse),
            choices,
            refusals,
            restorable,
            recent: entries,
            older,
        })
    }

    /// The parts of the page, each with the name under which an open page waits for it.
    pub(super) fn parts(&self) -> Result<[(&'static str, String); 6], Failure> {
        let case = self;
        Ok([
            ("progress", render(&Progress { case })?),
            ("actions", render(&Actions { case })?),
            ("facts", render(&Facts { case })?),
            ("snapshot", render(&Snapshot { case })?),
            ("journal", render(&Journal { case })?),
            ("said", self.said()),
        ])
    }

    /// What somebody who listens is told of a change: where it stands, and how far each phase is.
    fn said(&self) -> String {
        let phases =
            self.phases.iter().map(|phase| format!("{} {} of {}", phase.title, phase.done, phase.total));
        format!("{} {}", phases.collect::<Vec<_>>().join(", "), self.ending)
    }
}

/// A short mark of a state, for telling whether it is the same.
pub(super) fn mark(pulse: &str) -> String {
    hex::encode(&Sha256::digest(pulse)[..8])
}

#[derive(Deserialize)]
pub(super) struct CaseQuery {
    #[serde(default)]
    did: String,
}

/// Shows one offboarding.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(path): Path<String>,
    Query(query): Query<CaseQuery>,
) -> Result<Response, Failure> {
    let id = read_id(&path).ok_or(Problem::NotFound)?;
    let case = Case::read(&console, id, visitor.caller()).await?;
    let shell = console.shell(&visitor.0, Part::Offboardings, case.title.clone()).await?;
    html(&CasePage { shell: shell.saying(Said::of(&query.did)), case })
}

fn facts(view: &View, around: &Surroundings, told: Option<String>) -> Vec<Fact> {
    let text = |name, text: Option<&str>| {
        text.map(|text| Fact { name, text: Some(plain(text)), html: None, link: None })
    };
    let moment = |name, at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map(|at| Fact { name, text: None, html: Some(Moment(at).html()), link: None })
    };
    let person = &view.person;
    let open = matches!(view.status, Status::Scheduled | Status::Held | Status::Failed);
    let mut all = vec![
        text("E-mail", person.email.as_deref()),
        text("External id", person.external_id.as_deref()),
        text("Genesys user", person.genesys_user_id.as_deref()),
        text("Source", Some(&view.source)),
        text("Type", around.termination_type.as_deref()),
        moment("Takes effect", Some(view.effective_at)),
        moment("Next attempt", view.next_attempt_at),
        moment("Lease until", view.lease_until),
        text("Worker", around.lease_worker.as_deref().filter(|_| view.lease_until.is_some())),
        text(
            "Attempts without progress",
            Some(&view.attempt.to_string()).filter(|_| view.attempt > 0 && open).map(String::as_str),
        ),
        moment("First change", around.changes_began_at),
        moment("Opened", Some(view.created_at)),
        moment("Changed last", Some(view.updated_at)),
        moment("Ended", view.completed_at),
        moment("Taken back", view.rescinded_at),
    ];
    for approval in &around.approvals {
        let words = format!(
            "{} by {}, counts until {}",
            approval.reason.replace('_', " "),
            plain(&approval.approved_by),
            Moment(approval.expires_at).exact()
        );
        all.push(text("Approval", Some(&words)));
    }
    for event in &view.event_ids {
        let link =
            super::offboardings::address(&format!("/events/{}", encoded(event)), &[("source", &view.source)]);
        all.push(Some(Fact { name: "Event", text: Some(plain(event)), html: None, link: Some(link) }));
    }
    let words = |link| Fact {
        name: "Callbacks",
        text: Some("What others were told".to_owned()),
        html: None,
        link: Some(link),
    };
    all.push(told.map(words));
    all.push(text("Id", Some(&view.id.to_string())));
    all.into_iter().flatten().collect()
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn entry(entry: &JournalEntry) -> EntryRow {
    let words = |text: &Option<String>| text.as_deref().map(plain).unwrap_or_default();
    EntryRow {
        at: Moment(entry.at).precise(),
        actor: plain(&entry.actor),
        action: plain(&entry.action).replace('_', " "),
        step: words(&entry.step),
        target: words(&entry.target),
        result: words(&entry.result),
        request_id: entry.request_id.map(|id| id.to_string()).unwrap_or_default(),
        correlation_id: words(&entry.correlation_id),
    }
}

/// Whether a restore would put it back.
pub(super) fn comes_back(one: &Stored) -> bool {
    let step = PLAN.iter().find(|step| step.name() == one.step);
    let never = step.is_some_and(|step| matches!(step.comes_back(), Return::Never(_)));
    (one.removed || one.altered) && one.restored.is_none() && one.lost.is_none() && !never
}

fn snapshot(stored: &[Stored]) -> Vec<Kind> {
    let kinds = PLAN.iter().filter_map(|step| {
        let things: Vec<_> = stored.iter().filter(|one| one.step == step.name()).map(thing).collect();
        let (comes_back, never) = match step.comes_back() {
            Return::Whole => ("A restore puts back all of it.".to_owned(), false),
            Return::Except(what) => (format!("A restore puts it back, except {what}."), false),
            Return::Never(why) => (format!("Does not come back: {why}."), true),
        };
        let id = format!("kind-{}", step.name().replace('.', "-"));
        (!things.is_empty()).then_some(Kind { id, title: step.title(), comes_back, never, things })
    });
    kinds.collect()
}

fn thing(one: &Stored) -> Thing {
    let name = one.detail.get("name").and_then(serde_json::Value::as_str).map(plain);
    let target = plain(&one.target);
    let (class, state) = match (one.lost.is_some(), one.restored.is_some(), one.removed) {
        (true, _, _) => ("lost", "did not come back"),
        (false, true, _) => ("back", "put back"),
        (false, false, true) => ("gone", "removed"),
        (false, false, false) => ("there", "still there"),
    };
    Thing {
        target: if name.as_deref() == Some(target.as_str()) { String::new() } else { target.clone() },
        name: name.unwrap_or(target),
        class,
        state,
        why: one.lost.as_deref().map(plain).unwrap_or_default(),
    }
}
