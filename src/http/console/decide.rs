//! What an operator may decide about one offboarding: which buttons there are and what each will do, the page that asks once
//! more, and the decision itself. Who may is asked of the same rules as in the API.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::Console;
use super::guard::{Sent, Visitor};
use super::page::{self, Failure, Part, Shell, sentence};
use super::progress::removed;
use super::words::{Person, plain, reason_words, state, times};
use crate::config::Role;
use crate::http::api::{id as read_id, problem_of, trouble};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::session::Session;
use crate::offboarding::{Goal, OffboardingId, Status};
use crate::operate::{self, Completion};
use crate::store::console::can_be_completed;
use crate::store::decisions::{Decided, Decision, Fact};
use crate::store::views::View;

/// One thing that can be decided, in words.
struct Words {
    decision: Decision,
    path: &'static str,
    label: &'static str,
    role: Role,
    class: &'static str,
    did: &'static str,
}

const WORDS: [Words; 4] = [
    Words {
        decision: Decision::Approve,
        path: "approve",
        label: "Approve",
        role: Role::Approver,
        class: "primary",
        did: "Approved. A worker takes it up at its moment.",
    },
    Words {
        decision: Decision::Retry,
        path: "retry",
        label: "Retry",
        role: Role::Operator,
        class: "primary",
        did: "Scheduled again. A worker takes it up at its moment.",
    },
    Words {
        decision: Decision::Restore,
        path: "restore",
        label: "Restore",
        role: Role::Operator,
        class: "danger",
        did: "The restore is asked for. A worker puts everything back.",
    },
    Words {
        decision: Decision::Cancel,
        path: "cancel",
        label: "Cancel",
        role: Role::Operator,
        class: "danger",
        did: "Cancelled. It will not be carried out.",
    },
];

/// A button.
pub(super) struct Choice {
    pub(super) path: &'static str,
    pub(super) label: &'static str,
    pub(super) class: &'static str,
    pub(super) says: String,
}

/// What was just done, by the word in the address.
pub(super) struct Said;

impl Said {
    /// The sentence for a word; none for any other text.
    pub(super) fn of(did: &str) -> Option<String> {
        let known = WORDS.iter().find(|words| words.path == did).map(|words| words.did);
        let asked =
            (did == "asked").then_some("The termination is stored. A worker takes it up at its moment.");
        known.or(asked).map(str::to_owned)
    }
}

/// The buttons for this operator now, and why some that one might look for are not there.
pub(super) fn choices(
    console: &Console,
    view: &View,
    caller: &Caller,
    decisions: &[(Decision, Decided)],
    restorable: usize,
) -> (Vec<Choice>, Vec<String>) {
    let (mut offered, mut refused) = (Vec::new(), Vec::new());
    for words in &WORDS {
        let Some((_, decided)) = decisions.iter().find(|(decision, _)| *decision == words.decision) else {
            continue;
        };
        let completes = completes(view, words.decision, *decided);
        let possible = *decided == Decided::Yes || completes;
        if possible && operate::may_decide(console.inner.api.mode, words.decision).is_err() {
            refused.push("Nothing can be put back while the service runs dry.".to_owned());
        } else if possible && caller.role < words.role {
            refused.push(format!(
                "{} needs the role {}; you are {}.",
                gerund(words.decision),
                words.role.as_str(),
                caller.role.as_str()
            ));
        } else if possible {
            offered.push(Choice {
                path: words.path,
                label: words.label,
                class: words.class,
                says: says(view, words.decision, restorable),
            });
        } else {
            refused.extend(why_not(words.decision, *decided));
        }
    }
    (offered, refused)
}

/// Whether an approver can say what is missing, so that it can be approved all the same.
fn completes(view: &View, decision: Decision, decided: Decided) -> bool {
    let lacks = matches!(decided, Decided::FactsMissing(..));
    decision == Decision::Approve && lacks && view.reason.is_some_and(can_be_completed)
}

const fn gerund(decision: Decision) -> &'static str {
    match decision {
        Decision::Retry => "Retrying it",
        Decision::Approve => "Releasing it",
        Decision::Cancel => "Cancelling it",
        Decision::Restore => "Putting it back",
    }
}

/// What will happen, in a sentence or two.
fn says(view: &View, decision: Decision, restorable: usize) -> String {
    match decision {
        Decision::Approve => {
            let from = view.reason.map(reason_words).unwrap_or_default();
            format!(
                "Releases it from the hold “{from}”. At its moment everything that is assigned to the person is taken away and the account is deactivated."
            )
        }
        Decision::Retry => match view.status {
            Status::Scheduled => {
                "Does not wait for the next attempt: everything is looked at anew, now.".to_owned()
            }
            Status::Held | Status::Done | Status::Failed | Status::Cancelled => {
                "Schedules it again: everything is looked at anew, and what is still there is taken away."
                    .to_owned()
            }
        },
        Decision::Cancel if view.goal == Goal::Restored => "Ends the restore where it stands.".to_owned(),
        Decision::Cancel if removed(view) == 0 => {
            "Ends it for good. Nothing was taken away so far.".to_owned()
        }
        Decision::Cancel => {
            "Ends it for good. What was taken away so far stays away, until a restore puts it back."
                .to_owned()
        }
        Decision::Restore => restores(view, restorable),
    }
}

/// What a restore does; of the account and the tokens only where they were touched.
fn restores(view: &View, restorable: usize) -> String {
    let things = match restorable {
        0 => "none of it known to the snapshot".to_owned(),
        1 => "one thing by the snapshot".to_owned(),
        count => format!("{count} things by the snapshot"),
    };
    let touched = |name: &str| view.steps.iter().flatten().any(|step| step.name == name && step.removed > 0);
    let account = if touched("deactivate.account_state") { " The account is switched on again." } else { "" };
    let tokens = if touched("deactivate.tokens") { " Live tokens do not come back." } else { "" };
    format!("Puts back what was taken away: {things}.{account}{tokens}")
}

/// Why there is no button where somebody may miss one.
fn why_not(decision: Decision, decided: Decided) -> Option<String> {
    match decided {
        Decided::OwnRequest => {
            Some("You asked for this one yourself: somebody else has to approve it.".to_owned())
        }
        Decided::FactsMissing(_, Fact::User) if decision == Decision::Approve => {
            Some("Who is meant can't be approved: mend it where the people are kept and retry.".to_owned())
        }
        Decided::AnotherOpen(other) => Some(format!("Another offboarding of this person is open: {other}.")),
        Decided::Yes
        | Decided::Unknown
        | Decided::NotFrom(_)
        | Decided::UnderLease
        | Decided::ApprovalNeeded(_)
        | Decided::FactsMissing(..)
        | Decided::NothingToRestore
        | Decided::NamedAlready
        | Decided::HeldFor(_) => None,
    }
}

#[derive(Template)]
#[template(path = "decide.html")]
struct DecidePage {
    shell: Shell,
    id: String,
    person: Person,
    state: String,
    reason: String,
    choice: Choice,
    error: Option<String>,
    /// What was asked for can be sent, again where it was not taken.
    open: bool,
    asks_email: bool,
    asks_at: bool,
    email: String,
    at: String,
    /// How a time without a zone is read.
    times: String,
}

struct Asked {
    id: OffboardingId,
    view: View,
    words: &'static Words,
    decided: Decided,
    restorable: usize,
}

async fn asked(console: &Console, caller: &Caller, path: &(String, String)) -> Result<Asked, Failure> {
    let id = read_id(&path.0).ok_or(Problem::NotFound)?;
    let words = WORDS.iter().find(|words| words.path == path.1).ok_or(Problem::NotFound)?;
    caller.needs(words.role)?;
    operate::may_decide(console.inner.api.mode, words.decision)?;
    let store = &console.inner.api.store;
    let view = operate::show(store, id).await?.ok_or(Problem::NotFound)?;
    let decisions = store.decisions(id, &caller.actor()).await?;
    let decided = decisions.into_iter().find(|(decision, _)| *decision == words.decision);
    let decided = decided.map_or(Decided::Unknown, |(_, decided)| decided);
    let stored = store.stored(id).await?;
    let restorable = stored.iter().filter(|one| super::case::comes_back(one)).count();
    Ok(Asked { id, view, words, decided, restorable })
}

impl Asked {
    fn page(
        &self,
        console: &Console,
        shell: Shell,
        completion: &Completion,
        error: Option<String>,
    ) -> DecidePage {
        let words = self.words;
        let completed = words.decision == Decision::Approve && self.view.reason.is_some_and(can_be_completed);
        DecidePage {
            shell,
            id: self.id.to_string(),
            person: Person::of(&self.view.person),
            state: state(&self.view),
            reason: self.view.reason.map(reason_words).unwrap_or_default(),
            choice: Choice {
                path: words.path,
                label: words.label,
                class: words.class,
                says: says(&self.view, words.decision, self.restorable),
            },
            error,
            open: self.is_open(),
            asks_email: completed && self.view.person.email.is_none(),
            asks_at: completed,
            email: plain(completion.email.as_deref().unwrap_or_default()),
            at: plain(completion.at.as_deref().unwrap_or_default()),
            times: times(&console.inner.api.own_rules),
        }
    }

    /// Whether it can be decided now.
    fn is_open(&self) -> bool {
        self.decided == Decided::Yes || completes(&self.view, self.words.decision, self.decided)
    }

    async fn shell(&self, console: &Console, session: &Session) -> Result<Shell, Failure> {
        console.shell(session, Part::Offboardings, format!("{} this offboarding?", self.words.label)).await
    }
}

/// Asks once more, and says what will happen.
pub(super) async fn ask(
    State(console): State<Console>,
    visitor: Visitor,
    Path(path): Path<(String, String)>,
) -> Result<Response, Failure> {
    let asked = asked(&console, visitor.caller(), &path).await?;
    let problem = (!asked.is_open()).then(|| problem_of(asked.decided)).flatten();
    match problem {
        Some(problem @ Problem::NotFound) => Err(problem.into()),
        Some(problem) => {
            let shell = asked.shell(&console, &visitor.0).await?;
            let said = Some(sentence(&problem.to_string()));
            page::with_status(problem.status(), &asked.page(&console, shell, &Completion::default(), said))
        }
        None => page::html(&asked.page(
            &console,
            asked.shell(&console, &visitor.0).await?,
            &Completion::default(),
            None,
        )),
    }
}

/// Carries it out.
pub(super) async fn carry_out(
    State(console): State<Console>,
    Path(path): Path<(String, String)>,
    sent: Sent,
) -> Result<Response, Failure> {
    let asked = asked(&console, &sent.session.caller, &path).await?;
    let (api, actor) = (&console.inner.api, sent.session.caller.actor());
    let given = |name| sent.fields.get(name).map(str::to_owned);
    let completion = Completion { email: given("email"), at: given("at") };
    let decided = if asked.words.decision == Decision::Approve && !completion.is_empty() {
        operate::complete(&api.store, &api.own_rules, asked.id, &completion, &actor).await
    } else {
        operate::decide(&api.store, asked.id, asked.words.decision, &actor).await
    };
    let problem = match decided {
        Ok((decided, _)) => problem_of(decided),
        Err(error) => Some(trouble(&error)),
    };
    let Some(problem) = problem else {
        let to = format!("/offboardings/{}?did={}", asked.id, asked.words.path);
        return Ok(Redirect::to(&to).into_response());
    };
    match problem.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::NOT_FOUND => Err(problem.into()),
        status => {
            // As it is now: somebody else, or another page of the same person, was faster.
            let asked = self::asked(&console, &sent.session.caller, &path).await?;
            let shell = asked.shell(&console, &sent.session).await?;
            page::with_status(
                status,
                &asked.page(&console, shell, &completion, Some(sentence(&problem.to_string()))),
            )
        }
    }
}
