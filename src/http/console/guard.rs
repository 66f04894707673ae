//! Who asks, and from where: every page belongs to a session, and every form comes from a page of that session.

use askama::Template;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use reqwest::Url;

use super::Console;
use super::assets::{ASSETS, Assets};
use super::offboardings::address;
use super::page::{self, Failure};
use crate::config::Role;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::session::{Session, Sessions};
use crate::http::wanted::Wanted;
use crate::http::webhooks::whole;

/// The longest form: every id that a page of held ones can tick, and a reason.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Where a form comes from, in the words of a browser.
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Somebody who is signed in.
pub(super) struct Visitor(pub(super) Session);

impl Visitor {
    /// The operator.
    pub(super) fn caller(&self) -> &Caller {
        &self.0.caller
    }
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        match console.inner.sessions.of(&parts.headers).await {
            Ok(Some(session)) => Ok(Self(session)),
            Ok(None) => Err(way_in(parts)),
            Err(problem) => Err(Failure::from(problem).into_response()),
        }
    }
}

/// Where somebody without a session is sent: to the sign-in, and from there to the page that was asked for.
fn way_in(parts: &Parts) -> Response {
    let named = Sessions::is_named(&parts.headers);
    let looks = parts.method == Method::GET;
    // A link in somebody else's page does not bring the cookie along, a page of our own does: so it is asked for from there.
    if looks && !named && parts.headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site") {
        return page::html(&Arrived { assets: &ASSETS }).unwrap_or_else(IntoResponse::into_response);
    }
    let asked = parts.uri.path_and_query().filter(|_| looks).map_or("/", PathAndQuery::as_str);
    let wanted = Wanted::read(asked);
    let over = match (named, looks) {
        (false, _) => "",
        (true, true) => "session",
        (true, false) => "form",
    };
    let next = wanted.beside_the_overview().unwrap_or_default();
    Redirect::to(&address("/sign-in", &[("over", over), ("next", next)])).into_response()
}

/// What a browser is shown for a moment that comes from somebody else's page.
#[derive(Template)]
#[template(path = "arrived.html")]
struct Arrived {
    assets: &'static Assets,
}

/// The fields of a form, in their order; a name may stand there several times.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads what a browser sends of a form.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        const FORM: &str = "application/x-www-form-urlencoded";
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM) {
            return Err(Problem::UnsupportedMedia(FORM));
        }
        let body = whole(body, FORM_BYTES_MAX).await?;
        let text = std::str::from_utf8(&body).map_err(|error| Problem::BadBody(error.to_string()))?;
        // A form is written like a query.
        let mut url = Url::parse("http://form/").map_err(|error| Problem::BadBody(error.to_string()))?;
        url.set_query(Some(text));
        Ok(Self(url.query_pairs().into_owned().collect()))
    }

    /// The field of this name without the spaces around it, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.trim()).filter(|text| !text.is_empty())
    }

    /// Every field of this name.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// A form of the session that it came with.
pub(super) struct Sent {
    /// Whose.
    pub(super) session: Session,
    /// What was filled in.
    pub(super) fields: Fields,
}

impl Sent {
    /// The operator, where the role is enough.
    pub(super) fn caller(&self, role: Role) -> Result<&Caller, Failure> {
        self.session.caller.needs(role)?;
        Ok(&self.session.caller)
    }
}

impl FromRequest<Console> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        own_origin(&parts.headers, console).map_err(IntoResponse::into_response)?;
        let Visitor(session) = Visitor::from_request_parts(&mut parts, console).await?;
        let fields = Fields::read(&parts.headers, body).await;
        let fields = fields.map_err(|problem| Failure::from(problem).into_response())?;
        if !fields.get("csrf").is_some_and(|csrf| session.sent(csrf)) {
            return Err(foreign().into_response());
        }
        Ok(Self { session, fields })
    }
}

/// Refuses a form that a page of somebody else's sent. Every browser says where such a form comes from; who says nothing is
/// none, and has to know the session's secret all the same.
pub(super) fn own_origin(headers: &HeaderMap, console: &Console) -> Result<(), Failure> {
    let only = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| foreign()),
            (Some(_), Some(_)) => Err(foreign()),
        }
    };
    let (site, origin) = (only(SEC_FETCH_SITE)?, only(header::ORIGIN.as_str())?);
    // The browser's own judgement, which knows the address that its person sees; a proxy may change the Host.
    if let Some(site) = site {
        return if site == "same-origin" { Ok(()) } else { Err(foreign()) };
    }
    let Some(origin) = origin else { return Ok(()) };
    let configured = console.inner.settings.url.as_ref();
    let configured = configured.is_some_and(|url| url.origin().ascii_serialization() == origin);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let same_host = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    if configured || same_host { Ok(()) } else { Err(foreign()) }
}

fn foreign() -> Failure {
    Failure::Said(StatusCode::FORBIDDEN, "This form did not come from a page of your session.", page::GO_BACK)
}
