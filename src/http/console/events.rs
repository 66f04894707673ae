//! `/events`: what came, how it was read, and reading it again. Whoever may see offboardings may see the events behind them,
//! body included, as in the API; the body is folded away until somebody wants it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::Console;
use super::guard::{Sent, Visitor};
use super::offboardings::{Choice, address};
use super::page::{Failure, Part, Shell, html};
use super::words::{Moment, badge, plain, plain_lines};
use crate::config::Role;
use crate::http::problem::Problem;
use crate::offboarding::policy;
use crate::operate;
use crate::store::event_views::{EventDetail, EventFilter, EventView, FoundEvent};

/// Events of one page.
const PAGE: u32 = 25;

#[derive(Default, Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    source: String,
    #[serde(default)]
    disposition: String,
    #[serde(default)]
    word: String,
    #[serde(default)]
    after: String,
}

struct Row {
    id: String,
    event_id: String,
    badge: String,
    source: String,
    received: String,
    says: String,
    word: String,
    offboarding: Option<String>,
}

impl Row {
    fn of(event: &EventView) -> Self {
        let reading = &event.reading;
        let class = match reading.disposition.as_str() {
            "accepted" => "done",
            "held" => "held",
            _ => "cancelled",
        };
        let why =
            reading.unreadable.as_ref().or(reading.reason.as_ref()).map(|why| plain(why).replace('_', " "));
        let says = match reading.said.as_deref() {
            Some("leaves") => "leaves",
            Some(_) => "stays",
            None => "",
        };
        Self {
            id: event.id.to_string(),
            event_id: plain(&event.event_id),
            badge: badge(
                class,
                if class == "done" {
                    "accepted"
                } else if class == "held" {
                    "held"
                } else {
                    "ignored"
                },
            ),
            source: plain(&event.source),
            received: Moment(event.received_at).html(),
            says: why.unwrap_or_else(|| says.to_owned()),
            word: reading.word.as_deref().map(plain).unwrap_or_default(),
            offboarding: event.offboarding_id.map(|id| id.to_string()),
        }
    }
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    shell: Shell,
    rows: Vec<Row>,
    dispositions: Vec<Choice>,
    sources: Vec<Choice>,
    word: String,
    filtered: bool,
    next: Option<String>,
}

/// Shows a page of the list.
pub(super) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    Query(chosen): Query<Chosen>,
) -> Result<Response, Failure> {
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    if [&chosen.source, &chosen.word].iter().any(|text| text.contains('\0')) {
        return Err(Problem::BadParameter("source").into());
    }
    let after = given(&chosen.after).map(|after| Uuid::try_parse(&after));
    let disposition = given(&chosen.disposition);
    if disposition.as_ref().is_some_and(|word| !operate::DISPOSITIONS.contains(&word.as_str())) {
        return Err(Problem::BadParameter("disposition").into());
    }
    let filter = EventFilter {
        source: given(&chosen.source),
        disposition,
        word: given(&chosen.word),
        after: after.transpose().map_err(|_| Problem::BadParameter("after"))?,
        limit: PAGE,
    };
    let page = operate::events(&console.inner.api.store, &filter).await?;
    let names = console.inner.sources.iter().map(|source| source.name.as_str());
    let next = page.next.map(|next| {
        let kept = [
            ("source", chosen.source.as_str()),
            ("disposition", &chosen.disposition),
            ("word", &chosen.word),
            ("after", &next.to_string()),
        ];
        address("/events", &kept)
    });
    html(&EventsPage {
        shell: console.shell(&visitor.0, Part::Events, "Events").await?,
        rows: page.items.iter().map(Row::of).collect(),
        dispositions: operate::DISPOSITIONS
            .iter()
            .map(|word| Choice::of(word, &chosen.disposition))
            .collect(),
        sources: names
            .chain([policy::OPERATORS_SOURCE])
            .map(|name| Choice::of(name, &chosen.source))
            .collect(),
        filtered: [&chosen.source, &chosen.disposition, &chosen.word].iter().any(|one| !one.is_empty()),
        word: plain(&chosen.word),
        next,
    })
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    shell: Shell,
    row: Row,
    facts: Vec<(&'static str, String)>,
    moments: Vec<(&'static str, String)>,
    headers: Vec<(String, String)>,
    body: String,
    replays: Vec<(String, String)>,
    replaced: bool,
}

#[derive(Deserialize)]
pub(super) struct OneQuery {
    source: Option<String>,
    #[serde(default)]
    did: String,
}

/// Shows one event.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(key): Path<String>,
    Query(query): Query<OneQuery>,
) -> Result<Response, Failure> {
    let event = one(&console, &key, query.source.as_deref()).await?;
    let notice = match query.did.as_str() {
        "replayed" => Some("The delivery was read again, and something about it changed. The journal of its offboarding says what.".to_owned()),
        "unchanged" => Some("The delivery was read again; everything is read as it was.".to_owned()),
        _ => None,
    };
    let reading = &event.view.reading;
    let text = |name, value: Option<&str>| Some((name, plain(value?)));
    let facts = [
        text("Id of the sender", Some(&event.view.event_id)),
        text("Source", Some(&event.view.source)),
        text("Read as", Some(&reading.disposition)),
        text("Held as", reading.reason.as_deref()),
        text("Unreadable", reading.unreadable.as_deref()),
        text("Sender's word", reading.word.as_deref()),
        text("Rule", reading.directive.as_deref()),
        text("Says that the person", reading.said.as_deref()),
        text("E-mail", reading.email.as_deref()),
        text("External id", reading.external_id.as_deref()),
        text("Type", reading.termination_type.as_deref()),
        text("Key", Some(&format!("secrets[{}]", event.view.key_index))),
        text("Id", Some(&event.view.id.to_string())),
    ];
    let moments = [
        ("Received", Some(event.view.received_at)),
        ("Takes effect", reading.effective_at),
        ("Happened at the sender", reading.occurred_at),
        ("Gave way to others", event.view.replaced_at),
    ];
    html(&EventPage {
        shell: console.shell(&visitor.0, Part::Events, "Event").await?.saying(notice),
        row: Row::of(&event.view),
        facts: facts.into_iter().flatten().collect(),
        moments: moments.into_iter().filter_map(|(name, at)| Some((name, Moment(at?).html()))).collect(),
        headers: event.headers.iter().flatten().map(|(name, value)| (plain(name), plain(value))).collect(),
        body: body(&event.body),
        replays: event
            .replays
            .iter()
            .map(|replay| (Moment(replay.at).html(), plain(&replay.actor)))
            .collect(),
        replaced: event.view.replaced_at.is_some(),
    })
}

/// The body as text, indented where it is JSON.
fn body(bytes: &[u8]) -> String {
    let text = match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(json) => serde_json::to_string_pretty(&json).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    };
    plain_lines(&text)
}

async fn one(console: &Console, key: &str, source: Option<&str>) -> Result<EventDetail, Failure> {
    match operate::event(&console.inner.api.store, key, source).await? {
        FoundEvent::One(event) => Ok(*event),
        FoundEvent::None => Err(Problem::NotFound.into()),
        FoundEvent::InSources(sources) => Err(Problem::SourceNeeded(sources.join(", ")).into()),
    }
}

/// Reads an event's delivery again by the present profile.
pub(super) async fn replay(
    State(console): State<Console>,
    Path(key): Path<String>,
    sent: Sent,
) -> Result<Response, Failure> {
    let actor = sent.caller(Role::Operator)?.actor();
    let event = one(&console, &key, None).await?;
    let (id, api) = (event.view.id, &console.inner.api);
    let read = |event: &EventDetail| api.webhooks.read_again(event);
    match operate::replay(&api.store, event, read, &actor).await? {
        Ok(answer) => Ok(Redirect::to(&format!("/events/{id}?did={}", answer.status)).into_response()),
        Err(refused) => Err(Problem::ReplayNotPossible(refused).into()),
    }
}
