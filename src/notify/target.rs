//! A target as configured, checked as a whole before anything is sent: its address, its body, its places and its keys.

use std::fmt;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::message::{Message, PLACES};
use super::places::{Missing, Places, Writing};
use super::template::{Template, templates};
use crate::config::{Callback, CallbackEvent, Method, Share, signing_key};

/// What the usual body is sent as.
const JSON: &str = "application/json";

/// Stands in every place while a target is checked: what breaks out of a place with it would break out with a name too.
const PROBE: &str = "x\"'<&>\\{}\u{e9} 1";

/// Why a target can't be used as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct TargetError {
    key: String,
    problem: String,
}

/// Somebody who is told.
#[derive(Clone)]
pub struct Target {
    pub(super) name: String,
    pub(super) events: Vec<String>,
    pub(super) share: Share,
    url: Places,
    method: Method,
    content_type: HeaderValue,
    headers: HeaderMap,
    body: Option<(Places, Writing)>,
    values: Vec<(String, SecretString)>,
    keys: Vec<SecretString>,
}

/// What is to be sent.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) content_type: HeaderValue,
    pub(super) body: String,
    pub(super) keys: Vec<Vec<u8>>,
}

impl Target {
    /// Checks one section of the configuration.
    pub fn new(callback: &Callback) -> Result<Self, TargetError> {
        let refused =
            |key: &str, problem: String| TargetError { key: format!("{}.{key}", callback.key), problem };
        let template = match &callback.template {
            None => None,
            Some(name) => Some(Template::built_in(name).ok_or_else(|| {
                let known = templates().collect::<Vec<_>>().join(", ");
                refused("template", format!("expected {known}, found {name:?}"))
            })?),
        };
        let template = template.as_ref();
        let body = callback.body.as_deref().or(template.map(|template| template.body.as_str()));
        let content_type = callback.content_type.as_deref();
        let content_type = content_type.or(template.map(|template| template.content_type.as_str()));
        let content_type = content_type.unwrap_or(JSON);
        let writing = writing(content_type).ok_or_else(|| {
            let expected = "JSON, a form, XML or text/plain";
            refused("content_type", format!("expected the media type of {expected}, found {content_type:?}"))
        })?;
        let share = callback.person.or_else(|| template.and_then(Template::person)).unwrap_or(Share::Ids);
        let target = Self {
            name: callback.name.clone(),
            events: callback.events.iter().map(|event| CallbackEvent::as_str(*event).to_owned()).collect(),
            share,
            url: Places::parse(&callback.url),
            method: callback.method.or_else(|| template.and_then(Template::method)).unwrap_or(Method::Post),
            content_type: HeaderValue::try_from(content_type)
                .map_err(|_| refused("content_type", "expected a media type".to_owned()))?,
            headers: headers(callback).ok_or_else(|| refused("headers", "is no header".to_owned()))?,
            body: body.map(|text| (Places::parse(text), writing)),
            values: callback.values.clone(),
            keys: callback.secrets.clone(),
        };
        let wanted = template.map(|template| template.with.as_slice()).unwrap_or_default();
        target.check(wanted).map_err(|(key, problem)| refused(&key, problem))?;
        Ok(target)
    }

    fn check(&self, wanted: &[String]) -> Result<(), (String, String)> {
        let given = |name: &str| self.values.iter().any(|(known, _)| known == name);
        if let Some(name) = wanted.iter().find(|name| !given(name)) {
            return Err((format!("with.{name}"), "is missing, and the template needs it".to_owned()));
        }
        if let Some((name, _)) = self.values.iter().find(|(name, _)| PLACES.contains(&name.as_str())) {
            return Err((
                format!("with.{name}"),
                "is the name of a place that Leaver fills itself".to_owned(),
            ));
        }
        let body_names = self.body.iter().flat_map(|(body, _)| body.names().map(|name| ("body", name)));
        for (key, name) in self.url.names().map(|name| ("url", name)).chain(body_names) {
            if key == "url" && given(name) || !given(name) && !PLACES.contains(&name) {
                let own = self.values.iter().map(|(name, _)| name.as_str()).filter(|_| key == "body");
                let known = PLACES.iter().copied().chain(own).collect::<Vec<_>>().join(", ");
                return Err((key.to_owned(), format!("{{{name}}} is no place: there is {known}")));
            }
            let needs = match name {
                "email" => Share::Full,
                "external_id" | "genesys_user_id" => Share::Ids,
                _ => Share::None,
            };
            if !covers(self.share, needs) {
                let problem = format!(
                    "{{{name}}} is not told with person = \"{}\": say person = \"{}\"",
                    self.share.as_str(),
                    needs.as_str()
                );
                return Err((key.to_owned(), problem));
            }
        }
        for (name, _) in &self.values {
            let used = self.body.iter().any(|(body, _)| body.names().any(|place| place == name));
            if !used {
                return Err((format!("with.{name}"), "stands nowhere in the body".to_owned()));
            }
        }
        self.check_form()
    }

    /// A body that is none once something stands in its places would be refused by its receiver, again and again.
    fn check_form(&self) -> Result<(), (String, String)> {
        let Some((body, writing)) = &self.body else { return Ok(()) };
        let filled = body.fill(*writing, |_| Some(PROBE.to_owned())).unwrap_or_default();
        let well_formed = match writing {
            Writing::Json => serde_json::from_str::<serde_json::Value>(&filled).is_ok(),
            Writing::Xml => roxmltree::Document::parse(&filled).is_ok(),
            Writing::Form | Writing::Plain | Writing::Address => true,
        };
        if well_formed {
            return Ok(());
        }
        let kind = self.content_type.to_str().unwrap_or_default();
        Err((
            "body".to_owned(),
            format!("is no {kind} once its places are filled: each has to stand inside a string"),
        ))
    }

    /// Whether the address says whom it is about: such a one can't be tried with nobody.
    pub(super) fn names_person(&self) -> bool {
        self.url.names().next().is_some()
    }

    /// What this message looks like for this target.
    pub(super) fn request(&self, message: &Message) -> Result<Request, Missing> {
        let url = self.url.fill(Writing::Address, |place| message.value(place))?;
        let url = Url::parse(&url).map_err(|_| Missing("url".to_owned()))?;
        let own = |name: &str| self.values.iter().find(|(known, _)| known == name);
        let value = |place: &str| match own(place) {
            Some((_, value)) => Some(value.expose_secret().to_owned()),
            None => message.value(place),
        };
        let body = match &self.body {
            Some((body, writing)) => body.fill(*writing, value)?,
            None => message.body(),
        };
        Ok(Request {
            method: self.method,
            url,
            headers: self.headers.clone(),
            content_type: self.content_type.clone(),
            body,
            keys: self.keys.iter().map(signing_key).collect(),
        })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Address, headers, body and values may hold what only the receiver should know.
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("events", &self.events)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

fn covers(share: Share, needed: Share) -> bool {
    let rank = |share: Share| match share {
        Share::None => 0,
        Share::Ids => 1,
        Share::Full => 2,
    };
    rank(share) >= rank(needed)
}

fn writing(content_type: &str) -> Option<Writing> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        JSON => Some(Writing::Json),
        "application/x-www-form-urlencoded" => Some(Writing::Form),
        "application/xml" | "text/xml" => Some(Writing::Xml),
        "text/plain" => Some(Writing::Plain),
        other if other.ends_with("+json") => Some(Writing::Json),
        other if other.ends_with("+xml") => Some(Writing::Xml),
        _ => None,
    }
}

fn headers(callback: &Callback) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &callback.headers {
        let mut value = HeaderValue::try_from(value.expose_secret()).ok()?;
        value.set_sensitive(true);
        headers.insert(name.clone(), value);
    }
    Some(headers)
}

#[cfg(test)]
mod tests;
