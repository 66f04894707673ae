//! `GET /held`: everything that waits for a person, by reason, with what to do; and the release of several at once, all of
//! them or none.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::Console;
use super::guard::{Sent, Visitor};
use super::offboardings::Row;
use super::page::{self, Failure, Part, Shell, sentence};
use super::words::{marked_up, reason_words};
use crate::config::Role;
use crate::http::api::{id as read_id, problem_of};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::offboarding::{OffboardingId, Reason, Status};
use crate::operate;
use crate::store::approvals::Approval;
use crate::store::console::can_be_completed;
use crate::store::views::{Filter, PAGE_MAX, View};

/// Held ones of one reason that are shown and can be ticked together: the newest.
const SHOWN_MAX: u32 = 100;

/// Held ones of one reason.
struct Group {
    reason: &'static str,
    title: String,
    meaning: String,
    next: String,
    rows: Vec<HeldRow>,
    /// How many there are, shown or not.
    count: i64,
    /// Where all of them stand, when these are the newest only.
    all: Option<String>,
    /// How many can be ticked; none where an approval does not mend the reason, or this operator gives none.
    tickable: usize,
}

struct HeldRow {
    row: Row,
    tickable: bool,
    own: bool,
}

#[derive(Template)]
#[template(path = "held.html")]
struct HeldPage {
    shell: Shell,
    groups: Vec<Group>,
    total: i64,
    approver: bool,
}

/// Shows what is held.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let store = &console.inner.api.store;
    let (counts, _) = store.overview().await?;
    let held = |reason: Reason| {
        let of_reason = counts.iter().filter(move |one| one.reason == reason.as_str());
        of_reason.filter(|one| one.status == Status::Held.as_str()).map(|one| one.count).sum::<i64>()
    };
    let mut groups = Vec::new();
    // Reason by reason, so that many of one never hide the few of another.
    for reason in Reason::ALL.iter().copied().filter(|reason| held(*reason) > 0) {
        let filter = Filter {
            status: Some(Status::Held),
            reason: Some(reason),
            limit: SHOWN_MAX,
            ..Filter::default()
        };
        let page = operate::list(store, &filter).await?;
        let asked_by = store.asked_by(page.items.iter().map(|view| view.id).collect()).await?;
        let actor = visitor.caller().actor();
        let own =
            |view: &View| asked_by.get(&view.id).into_iter().flatten().any(|by| actor.is_the_person(by));
        let count = held(reason).max(i64::try_from(page.items.len()).unwrap_or(i64::MAX));
        let all = page.next.is_some().then(|| format!("/offboardings?status=held&reason={reason}"));
        groups.push(Group { count, all, ..group(reason, &page.items, visitor.caller(), own) });
    }
    let approved = query.as_deref().and_then(|query| query.strip_prefix("approved="));
    let approved = approved.and_then(|count| count.parse::<usize>().ok());
    let notice = approved.map(|count| match count {
        1 => "One offboarding is approved.".to_owned(),
        _ => format!("{count} offboardings are approved."),
    });
    page::html(&HeldPage {
        total: groups.iter().map(|group| group.count).sum(),
        groups,
        approver: visitor.caller().role >= Role::Approver,
        shell: console.shell(&visitor.0, Part::Held, "Held").await?.saying(notice),
    })
}

fn group(reason: Reason, views: &[View], caller: &Caller, own: impl Fn(&View) -> bool) -> Group {
    let approvable = caller.role >= Role::Approver && an_approval_is_enough(reason);
    let rows: Vec<_> = views
        .iter()
        .map(|view| {
            let own = own(view);
            HeldRow { row: Row::of(view), tickable: approvable && !own, own }
        })
        .collect();
    Group {
        reason: reason.as_str(),
        title: reason_words(reason),
        meaning: marked_up(reason.meaning()),
        next: marked_up(reason.next_action()),
        tickable: rows.iter().filter(|row| row.tickable).count(),
        count: 0,
        all: None,
        rows,
    }
}

/// Whether an approver can release it without saying what is missing. One without a date runs at once, which is said where
/// it is approved alone.
fn an_approval_is_enough(reason: Reason) -> bool {
    !can_be_completed(reason) && reason != Reason::AmbiguousPerson
}

#[derive(Template)]
#[template(path = "approve.html")]
struct ApprovePage {
    shell: Shell,
    reason: &'static str,
    title: String,
    rows: Vec<Row>,
    error: Option<String>,
}

/// The ids and the reason of a set, as a form writes them.
struct Set {
    ids: Vec<OffboardingId>,
    reason: Reason,
}

impl Set {
    fn read(ids: &[&str], reason: Option<&str>) -> Result<Self, Problem> {
        let ids: Option<Vec<_>> = ids.iter().map(|text| read_id(text)).collect();
        let reason = reason.and_then(|word| word.parse().ok()).ok_or(Problem::BadParameter("reason"))?;
        let ids = ids.filter(|ids| !ids.is_empty() && ids.len() <= PAGE_MAX as usize);
        Ok(Self { ids: ids.ok_or(Problem::BadParameter("id"))?, reason })
    }

    /// Shows whom it is about, once more.
    async fn page(
        &self,
        console: &Console,
        shell: Shell,
        error: Option<String>,
    ) -> Result<ApprovePage, Failure> {
        let mut rows = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let view = operate::show(&console.inner.api.store, *id).await?.ok_or(Problem::NotFound)?;
            rows.push(Row::of(&view));
        }
        Ok(ApprovePage { shell, reason: self.reason.as_str(), title: reason_words(self.reason), rows, error })
    }
}

/// Asks once more before several are released.
pub(super) async fn ask(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    visitor.caller().needs(Role::Approver)?;
    let mut url = reqwest::Url::parse("http://form/").map_err(|_| Problem::MalformedAddress)?;
    url.set_query(query.as_deref());
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let of = |name: &str| {
        pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    if of("id").is_empty() {
        return Ok(Redirect::to("/held").into_response());
    }
    let set = Set::read(&of("id"), of("reason").first().copied())?;
    let shell = console.shell(&visitor.0, Part::Held, "Approve these offboardings?").await?;
    page::html(&set.page(&console, shell, None).await?)
}

/// Releases all of them, or none.
pub(super) async fn approve(State(console): State<Console>, sent: Sent) -> Result<Response, Failure> {
    let actor = sent.caller(Role::Approver)?.actor();
    let set = Set::read(&sent.fields.all("id"), sent.fields.get("reason"))?;
    match operate::approve(&console.inner.api.store, &set.ids, Some(set.reason), &actor).await? {
        Approval::Given(given) => {
            Ok(Redirect::to(&format!("/held?approved={}", given.ids.len())).into_response())
        }
        Approval::Refused(id, decided) => {
            let problem = problem_of(decided).unwrap_or(Problem::NotFound);
            let error = format!("Nothing was approved, because of {id}: {}", sentence(&problem.to_string()));
            let shell = console.shell(&sent.session, Part::Held, "Approve these offboardings?").await?;
            page::with_status(problem.status(), &set.page(&console, shell, Some(error)).await?)
        }
    }
}
