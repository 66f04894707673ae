//! `GET /`: how it goes, at a glance.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::Console;
use super::chart;
use super::guard::Visitor;
use super::page::{Failure, Part, Shell, html};
use super::sources::SourceRow;
use super::words::{Moment, Person, badge, reason_words};
use crate::offboarding::Status;
use crate::store::console::Day;

/// The days that the chart shows.
const DAYS: i32 = 14;

/// How many have a status.
struct Counted {
    status: &'static str,
    badge: String,
    count: i64,
    says: &'static str,
}

/// How full one window of the brake is.
struct Window {
    name: &'static str,
    used: i64,
    limit: u32,
    full: bool,
}

/// One day in the table.
struct DayRow {
    day: String,
    events: i64,
    done: i64,
    failed: i64,
    cancelled: i64,
}

/// The one that has been due for the longest time.
struct OldestRow {
    href: String,
    badge: String,
    name: String,
    ending: String,
    age: String,
    since: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    counts: Vec<Counted>,
    oldest: Option<OldestRow>,
    brake: [Window; 2],
    brake_held: i64,
    chart: String,
    /// The same for a phone.
    narrow_chart: String,
    days: Vec<DayRow>,
    sources: Vec<SourceRow>,
}

#[derive(Deserialize)]
pub(super) struct Just {
    #[serde(default)]
    did: String,
}

/// Shows the overview.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Query(just): Query<Just>,
) -> Result<Response, Failure> {
    let shell = console.shell(&visitor.0, Part::Overview, "Overview").await?;
    let notice = console.switched(&just.did, &shell).await?;
    let (store, limits) = (&console.inner.api.store, console.inner.api.brake);
    let (all, _) = store.overview().await?;
    let used = store.brake_use().await?;
    let days = store.days(DAYS).await?;
    let oldest = store.oldest_unfinished().await?;
    let of =
        |status: Status| all.iter().filter(|one| one.status == status.as_str()).map(|one| one.count).sum();
    let counts = Status::ALL.iter().map(|status| Counted {
        status: status.as_str(),
        badge: badge(status.as_str(), status.as_str()),
        count: of(*status),
        says: says(*status),
    });
    let window = |name, used, limit| Window { name, used, limit, full: used >= i64::from(limit) };
    let brake =
        |one: &&crate::store::views::Count| one.reason == "brake" && one.status == Status::Held.as_str();
    html(&OverviewPage {
        shell: shell.saying(notice),
        counts: counts.collect(),
        oldest: oldest.map(|oldest| OldestRow {
            href: format!("/offboardings/{}", oldest.id),
            badge: badge(oldest.status.as_str(), oldest.status.as_str()),
            name: Person::of(&oldest.person).name,
            ending: oldest.reason.map(reason_words).unwrap_or_default(),
            age: Moment(oldest.effective_at).relative(),
            since: Moment(oldest.effective_at).exact(),
        }),
        brake: [
            window("within the last hour", used.hour, limits.per_hour),
            window("within the last day", used.day, limits.per_day),
        ],
        brake_held: all.iter().filter(brake).map(|one| one.count).sum(),
        chart: chart::draw(&days, chart::WIDE),
        narrow_chart: chart::draw(&days, chart::NARROW),
        days: days.iter().rev().map(row).collect(),
        sources: console.source_rows().await?,
    })
}

const fn says(status: Status) -> &'static str {
    match status {
        Status::Scheduled => "due at their moment, or at work",
        Status::Held => "wait for a person",
        Status::Done => "finished and proved",
        Status::Failed => "given up for now",
        Status::Cancelled => "ended before all was done",
    }
}

fn row(day: &Day) -> DayRow {
    DayRow {
        day: day.day.format("%a %d %b %Y").to_string(),
        events: day.events,
        done: day.done,
        failed: day.failed,
        cancelled: day.cancelled,
    }
}
