//! Where somebody wanted to go before they had to sign in: a page of the console, and never an address elsewhere.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use reqwest::Url;

use super::problem::Problem;

/// Nothing is loaded, framed or sent from pages that only lead on.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// The overview: where everybody goes who wants nothing else.
const OVERVIEW: &str = "/";

/// Stands for the console's own origin, whatever that is.
const HERE: &str = "http://console.invalid";

/// The longest way that is remembered; filters of a list are far shorter.
const BYTES_MAX: usize = 1_024;

/// A path of the console with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted(String);

impl Wanted {
    /// Reads what a request or a form says. Whatever leads elsewhere leads to the overview.
    pub(super) fn read(text: &str) -> Self {
        let own = Url::parse(HERE).ok().filter(|_| text.starts_with('/') && text.len() <= BYTES_MAX);
        let found = own.and_then(|own| own.join(text).ok().filter(|url| url.origin() == own.origin()));
        // As the browser will read it: `/.//elsewhere` comes out as `//elsewhere`.
        let found = found.map(|url| match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        });
        // Signing in and out are no pages to come to.
        let found = found.filter(|path| !path.starts_with("//") && !path.starts_with("/sign-"));
        Self(found.unwrap_or_else(|| OVERVIEW.to_owned()))
    }

    /// The path.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, unless it is the one where everybody goes.
    pub(super) fn beside_the_overview(&self) -> Option<&str> {
        (self.0 != OVERVIEW).then_some(self.0.as_str())
    }

    /// This way of signing in, which leads on to the page.
    pub(super) fn through(&self, way: &str) -> String {
        let (Some(wanted), Ok(mut url)) = (self.beside_the_overview(), Url::parse(HERE)) else {
            return way.to_owned();
        };
        url.query_pairs_mut().append_pair("next", wanted);
        format!("{way}?{}", url.query().unwrap_or_default())
    }

    /// A page that goes on to this one by itself.
    pub(super) fn page(&self, title: &str) -> Response {
        match (GoOn { title, to: &self.0 }).render() {
            Ok(page) => (HEADERS, page).into_response(),
            Err(_) => Problem::Unavailable.into_response(),
        }
    }
}

#[derive(Template)]
#[template(
    ext = "html",
    source = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{{ title }}</title>\n\
              <meta http-equiv=\"refresh\" content=\"0; url={{ to }}\"></head>\n\
              <body><p><a href=\"{{ to }}\">Go on to the console</a></p></body></html>\n"
)]
struct GoOn<'a> {
    title: &'a str,
    to: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_the_console_is_wanted() {
        for page in ["/", "/held", "/offboardings?status=held&person=a%40b.c", "/offboardings/0198"] {
            assert_eq!(Wanted::read(page).as_str(), page);
        }
        let elsewhere =
            ["", "held", "//evil.example", "/\\evil.example", "\\\\evil.example", "/.//evil.example"];
        let more =
            ["https://evil.example/", "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "///x"];
        for text in elsewhere.into_iter().chain(more) {
            assert_eq!(Wanted::read(text).as_str(), "/", "{text:?}");
        }
        assert_eq!(Wanted::read(&format!("/{}", "x".repeat(BYTES_MAX))).as_str(), "/");
        assert_eq!(Wanted::read("/x\"><script>").as_str(), "/x%22%3E%3Cscript%3E");
    }

    #[test]
    fn the_way_of_signing_in_leads_on_to_the_page() {
        assert_eq!(Wanted::read("/").through("/sign-in"), "/sign-in");
        assert_eq!(Wanted::read("/held?a=b&c").through("/sign-in"), "/sign-in?next=%2Fheld%3Fa%3Db%26c");
    }
}
