//! `GET /offboardings/{id}/live`: what changes about one offboarding while its page is open, as server-sent events. A part is
//! sent only when it is another than the page has; the stream ends with the session.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::Console;
use super::case::{Case, mark};
use super::page::Failure;
use crate::http::api::id as read_id;
use crate::http::problem::Problem;
use crate::offboarding::OffboardingId;

/// The pause between two looks at the row.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A browser whose connection broke comes back after this time.
const COME_BACK: Duration = Duration::from_secs(2);

/// Through proxies that close what is silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The event with which a page learns that nothing follows.
const ENDED: &str = "ended";

/// One page that is open.
struct Watching {
    console: Console,
    id: OffboardingId,
    headers: HeaderMap,
    /// Of the state that the page shows already.
    shown: String,
    pulse: Option<String>,
    sent: Vec<(&'static str, String)>,
    waiting: Vec<Event>,
    over: bool,
    _room: OwnedSemaphorePermit,
}

#[derive(Deserialize)]
pub(super) struct LiveQuery {
    #[serde(default)]
    shown: String,
}

/// Sends what changes.
pub(super) async fn stream(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(path): Path<String>,
    Query(query): Query<LiveQuery>,
) -> Result<Response, Failure> {
    let id = read_id(&path).ok_or(Problem::NotFound)?;
    if console.inner.closing.is_cancelled() {
        return Err(Problem::Unavailable.into());
    }
    let room = console.inner.watched.clone().try_acquire_owned().map_err(|_| Problem::Unavailable)?;
    let watching = Watching {
        console,
        id,
        headers,
        shown: query.shown,
        pulse: None,
        sent: Vec::new(),
        waiting: Vec::new(),
        over: false,
        _room: room,
    };
    let events = stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Some((Ok::<_, Infallible>(event), watching))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

impl Watching {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            if self.pulse.is_some() {
                let closing = self.console.inner.closing.clone();
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                    () = closing.cancelled() => return None,
                }
            }
            if self.look().await.is_err() {
                // The browser comes back by itself, and meets a database that is there again, or a page that says why not.
                return None;
            }
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let Some(session) = self.console.inner.sessions.watched(&self.headers).await? else {
            self.over = true;
            self.waiting.push(
                Event::default().event(ENDED).data("Your session has ended. Load the page again to sign in."),
            );
            return Ok(());
        };
        let pulse = self.console.inner.api.store.pulse(self.id).await?.ok_or(Problem::NotFound)?;
        if self.pulse.as_ref() == Some(&pulse) {
            return Ok(());
        }
        let case = Case::read(&self.console, self.id, &session.caller).await?;
        // What the page has already is not sent again: whoever has begun to use it would lose their place.
        let has = self.pulse.is_none() && mark(&pulse) == self.shown;
        for (name, part) in case.parts()? {
            if has {
                self.sent.push((name, part));
                continue;
            }
            let known = self.sent.iter_mut().find(|(sent, _)| *sent == name);
            match known {
                Some((_, before)) if *before == part => continue,
                Some((_, before)) => before.clone_from(&part),
                None => self.sent.push((name, part.clone())),
            }
            let event = Event::default().event(name).retry(COME_BACK);
            // A carriage return would end a line of the stream, and none is needed in HTML.
            self.waiting.push(event.data(part.replace('\r', "")));
        }
        self.pulse = Some(pulse);
        Ok(())
    }
}
