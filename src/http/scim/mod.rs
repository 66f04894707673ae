//! SCIM 2.0 (RFC 7643, RFC 7644) under `/scim/v2/{source}/`: an identity provider provisions users, and whoever it
//! deactivates leaves. The user and the event are committed together, and only then is the request answered.

mod change;
mod discovery;
mod filter;
mod patch;
mod path;
mod refusal;
mod resource;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use self::change::{Asker, Wish};
use self::discovery::PAGE_MAX;
use self::refusal::Refusal;
use self::resource::{Attributes, is_handy, location, shown};
use super::RemoteAddress;
use super::alarms::{Alarms, Heard};
use super::webhooks::{COMMIT_DEADLINE, IN_FLIGHT_MAX, whole};
use crate::hris::{KeyIndex, Scheme, Scim as Settings, Source, parse_json};
use crate::store::events::Accepted;
use crate::store::scim::{Changed, Wanted};
use crate::store::{Store, StoreError};

/// Users in an answer where the client names no number.
const PAGE_DEFAULT: i64 = 100;

/// A user that was patched may be this many times as large as a body may be.
const USER_PER_BODY: usize = 2;

/// What the endpoint needs.
#[derive(Clone, Debug)]
pub struct Scim {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    sources: BTreeMap<String, Arc<Source>>,
    body_limit: usize,
    room: Semaphore,
    alarms: Alarms,
}

/// A request of a client that has proved who it is.
struct Request<'a> {
    inner: &'a Inner,
    source: &'a Arc<Source>,
    key: KeyIndex,
    headers: &'a HeaderMap,
    uri: &'a Uri,
    body: Body,
}

/// An answer that is no refusal.
enum Answer {
    Shown(Value),
    Created(Value, String),
    Gone,
}

impl Scim {
    /// Makes the endpoint for these sources, all of which speak SCIM.
    pub fn new(store: Store, sources: Vec<Arc<Source>>, body_limit: usize) -> Self {
        let sources: BTreeMap<_, _> =
            sources.into_iter().map(|source| (source.name().to_owned(), source)).collect();
        let (alarms, room) = (Alarms::new(sources.keys()), Semaphore::new(IN_FLIGHT_MAX));
        Self { inner: Arc::new(Inner { store, sources, body_limit, room, alarms }) }
    }

    /// What this process has heard of a source.
    pub(super) fn heard(&self, source: &str) -> Heard {
        self.inner.alarms.heard(source)
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new().route("/scim/v2/{source}/{*rest}", any(receive)).with_state(self)
    }
}

async fn receive(
    State(scim): State<Scim>,
    Path((source, rest)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    remote_address: Option<Extension<RemoteAddress>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let inner = &scim.inner;
    let Some(source) = inner.sources.get(&source) else {
        return Refusal::NotFound.into_response();
    };
    let proved = prove(inner, source, remote_address, &headers);
    let answered = match proved {
        Ok(key) => {
            answer(Request { inner, source, key, headers: &headers, uri: &uri, body }, &method, &rest).await
        }
        Err(refusal) => Err(refusal),
    };
    let response = match answered {
        Ok(Answer::Shown(body)) => json_response(StatusCode::OK, &body),
        Ok(Answer::Created(body, location)) => {
            let mut response = json_response(StatusCode::CREATED, &body);
            if let Ok(location) = HeaderValue::try_from(location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Ok(Answer::Gone) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    };
    metrics::counter!(
        "leaver_scim_requests_total",
        "source" => source.name().to_owned(), "status" => response.status().as_str().to_owned()
    )
    .increment(1);
    metrics::histogram!("leaver_acknowledge_seconds").record(started.elapsed());
    response
}

/// Before anything is read: constant credentials do not depend on the body.
fn prove(
    inner: &Inner,
    source: &Source,
    remote_address: Option<Extension<RemoteAddress>>,
    headers: &HeaderMap,
) -> Result<KeyIndex, Refusal> {
    let key = source.verify(headers, &[], Utc::now()).map_err(|cause| {
        let remote_address = remote_address.map(|Extension(of)| of.0);
        inner.alarms.failed(source.name(), cause, remote_address, headers);
        let final_status = source.auth_failure_status() == StatusCode::UNAUTHORIZED.as_u16();
        if final_status { Refusal::Unauthenticated(scheme(source)) } else { Refusal::UnauthenticatedForNow }
    })?;
    inner.alarms.succeeded(source.name(), None);
    Ok(key)
}

fn scheme(source: &Source) -> Scheme {
    source.scim().map_or(Scheme::Bearer, |Settings { scheme, .. }| *scheme)
}

async fn answer(request: Request<'_>, method: &Method, rest: &str) -> Result<Answer, Refusal> {
    let (source, scheme) = (request.source, scheme(request.source));
    let segments: Vec<&str> = rest.split('/').collect();
    match (segments.as_slice(), method.as_str()) {
        (["Users"], "GET") => request.users().await,
        (["Users"], "POST") => request.provision().await,
        (["Users", id], "GET") => request.user(id).await,
        (["Users", id], "PUT") => {
            let attributes =
                request.document().await.and_then(|(rest, body)| Ok((rest, Attributes::read(body)?)));
            let (request, attributes) = attributes?;
            request.change(id, Wish::Put(attributes)).await
        }
        (["Users", id], "PATCH") => {
            let (request, patch) = request.document().await?;
            request.change(id, Wish::Patch(patch)).await
        }
        (["Users", id], "DELETE") => request.change(id, Wish::Delete).await,
        (["Users"], _) => Err(Refusal::MethodNotAllowed("GET, POST")),
        (["Users", _], _) => Err(Refusal::MethodNotAllowed("GET, PUT, PATCH, DELETE")),
        // Clients look for groups when they test the connection.
        (["Groups"], "GET") => Ok(Answer::Shown(list(0, 1, Vec::new()))),
        (["Groups", _], "GET") => Err(Refusal::NotFound),
        (["Groups"] | ["Groups", _], _) => Err(Refusal::NoGroups),
        (["ServiceProviderConfig"], "GET") => Ok(Answer::Shown(discovery::provider(source.name(), scheme))),
        (["ResourceTypes"], "GET") => {
            Ok(Answer::Shown(list(1, 1, vec![discovery::user_type(source.name())])))
        }
        (["ResourceTypes", "User"], "GET") => Ok(Answer::Shown(discovery::user_type(source.name()))),
        (["Schemas"], "GET") => Ok(Answer::Shown(discovery::schemas(source.name()))),
        (["Schemas", urn], "GET") => discovery::schema(source.name(), urn).map(Answer::Shown),
        (["ResourceTypes", _], "GET") => Err(Refusal::NotFound),
        (
            ["ServiceProviderConfig"] | ["ResourceTypes"] | ["ResourceTypes" | "Schemas", _] | ["Schemas"],
            _,
        ) => Err(Refusal::MethodNotAllowed("GET")),
        _ => Err(Refusal::NotFound),
    }
}

impl Request<'_> {
    fn asker(&self) -> Asker<'_> {
        let user_bytes_max = self.inner.body_limit.saturating_mul(USER_PER_BODY);
        Asker { source: self.source, key: self.key, user_bytes_max }
    }

    /// Reads the body, which leaves the rest of the request.
    async fn document(mut self) -> Result<(Self, Value), Refusal> {
        if self.headers.contains_key(header::CONTENT_ENCODING)
            || !self.source.accepts_content_type(self.headers)
        {
            return Err(Refusal::UnsupportedMedia);
        }
        let body = std::mem::take(&mut self.body);
        let body = whole(body, self.inner.body_limit).await.map_err(Refusal::Unread)?;
        let document = parse_json(&body).map_err(Refusal::Unreadable)?;
        if is_handy(&document) { Ok((self, document)) } else { Err(Refusal::Syntax("too many values")) }
    }

    async fn users(self) -> Result<Answer, Refusal> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(self.uri).map_err(|_| Refusal::Filter)?.0;
        let filter = once(&query, "filter")?;
        let number = |name: &str, default: i64| match once(&query, name)? {
            None => Ok(default),
            Some(text) => {
                text.parse().map_err(|_| Refusal::Value("startIndex and count have to be whole numbers"))
            }
        };
        // Less than the first is the first, less than none is none (RFC 7644, 3.4.2.4).
        let start = number("startIndex", 1)?.max(1);
        let count = number("count", PAGE_DEFAULT)?.clamp(0, PAGE_MAX);
        let wanted = filter::wanted(filter)?;
        let name = self.source.name();
        let page = self.inner.in_time(self.inner.store.scim_users(name, wanted, start - 1, count)).await?;
        let users = page.users.iter().map(|user| shown(name, user)).collect();
        Ok(Answer::Shown(list(usize::try_from(page.total).unwrap_or(usize::MAX), start, users)))
    }

    async fn user(self, id: &str) -> Result<Answer, Refusal> {
        let (name, wanted) = (self.source.name(), Wanted::Id(own_id(id)?));
        let page = self.inner.in_time(self.inner.store.scim_users(name, wanted, 0, 1)).await?;
        page.users.first().map(|user| Answer::Shown(shown(name, user))).ok_or(Refusal::NotFound)
    }

    async fn provision(self) -> Result<Answer, Refusal> {
        let (request, body) = self.document().await?;
        let state = request.asker().provision(Attributes::read(body)?, Utc::now())?;
        let name = request.source.name();
        let created = request.inner.in_time(request.inner.store.create_scim_user(name, state)).await?;
        let user = created.ok_or(Refusal::NameTaken)?;
        Ok(Answer::Created(shown(name, &user), location(name, &user)))
    }

    async fn change(self, id: &str, wish: Wish) -> Result<Answer, Refusal> {
        let id = own_id(id)?;
        let deletes = matches!(wish, Wish::Delete);
        let (source, key) = (Arc::clone(self.source), self.key);
        let user_bytes_max = self.asker().user_bytes_max;
        let decide =
            move |user: &_, now| Asker { source: &source, key, user_bytes_max }.decide(&wish, user, now);
        let name = self.source.name();
        match self.inner.in_time(self.inner.store.change_scim_user(name, id, decide)).await? {
            Changed::Done(user, accepted) => {
                if let Some(accepted) = accepted {
                    count_event(name, &accepted);
                }
                Ok(if deletes { Answer::Gone } else { Answer::Shown(shown(name, &user)) })
            }
            Changed::Unknown => Err(Refusal::NotFound),
            Changed::NameTaken => Err(Refusal::NameTaken),
            Changed::Refused(refusal) => Err(refusal),
        }
    }
}

impl Inner {
    /// Waits for the database no longer than clients do, and only where there is room.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, Refusal> {
        let _room = self.room.try_acquire().map_err(|_| Refusal::Unavailable)?;
        match tokio::time::timeout(COMMIT_DEADLINE, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a provisioned user could not be read or stored"
                );
                Err(Refusal::Unavailable)
            }
            // It may still be committed; said again, it changes nothing.
            Err(_) => {
                tracing::error!("the database did not answer about a provisioned user in time");
                Err(Refusal::Unavailable)
            }
        }
    }
}

fn count_event(source: &str, accepted: &Accepted) {
    let word = match accepted {
        Accepted::New(_) => "accepted",
        Accepted::Held(_) => "held",
        Accepted::Ignored(_) => "ignored",
        Accepted::Duplicate(_) => "duplicate",
        Accepted::Conflict => "conflict",
    };
    metrics::counter!("leaver_deliveries_total", "source" => source.to_owned(), "result" => word)
        .increment(1);
}

/// What is no id of ours is nobody's.
fn own_id(text: &str) -> Result<Uuid, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

/// A parameter that may be there once.
fn once<'a>(query: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refusal::Filter),
    }
}

/// A list as RFC 7644, 3.4.2 has it.
fn list(total: usize, start: i64, resources: Vec<Value>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let kind = HeaderValue::from_static("application/scim+json");
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}
