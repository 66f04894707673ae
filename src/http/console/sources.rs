//! `GET /sources`: who sends, when last, and how well it can be believed.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Console;
use super::guard::Visitor;
use super::page::{Failure, Part, Shell, html};
use super::words::Moment;
use crate::hris::Source;
use crate::store::keys::KeyUse;

/// What never changes about a source while the process runs.
pub(super) struct SourceFacts {
    pub(super) name: String,
    profile: String,
    provisions: bool,
    unverified: bool,
    asks: bool,
}

impl SourceFacts {
    pub(super) fn of(source: &Source) -> Self {
        Self {
            name: source.name().to_owned(),
            profile: source.profile_name().unwrap_or("its own tables").to_owned(),
            provisions: source.scim().is_some(),
            unverified: source.unverified().is_some(),
            asks: source.look_up().is_some(),
        }
    }

    /// Where its sender reaches it.
    fn path(&self) -> String {
        if self.provisions { format!("/scim/v2/{}/", self.name) } else { format!("/webhooks/{}", self.name) }
    }
}

/// One source as it is shown.
pub(super) struct SourceRow {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) profile: String,
    pub(super) unverified: bool,
    pub(super) asks: bool,
    pub(super) last: Option<String>,
    pub(super) failing: bool,
    pub(super) failures: u64,
    pub(super) failed: Option<(String, &'static str)>,
    pub(super) skew: Option<String>,
    pub(super) keys: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    shell: Shell,
    sources: Vec<SourceRow>,
}

/// Shows every configured source.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Response, Failure> {
    let mut sources = console.source_rows().await?;
    for source in &mut sources {
        let uses = console.inner.api.store.key_uses(&source.name).await?;
        source.keys = uses.into_iter().map(key).collect();
    }
    html(&SourcesPage { shell: console.shell(&visitor.0, Part::Sources, "Sources").await?, sources })
}

fn key(used: KeyUse) -> (String, String) {
    (format!("secrets[{}]", used.key_index), Moment(used.last).html())
}

impl Console {
    /// Every configured source, without its keys.
    pub(super) async fn source_rows(&self) -> Result<Vec<SourceRow>, Failure> {
        let names = self.inner.sources.iter().map(|source| source.name.clone()).collect();
        let last = self.inner.api.store.last_deliveries(names).await?;
        let row = |facts: &SourceFacts| {
            let heard = match facts.provisions {
                true => self.inner.scim.heard(&facts.name),
                false => self.inner.api.webhooks.heard(&facts.name),
            };
            SourceRow {
                name: facts.name.clone(),
                path: facts.path(),
                profile: facts.profile.clone(),
                unverified: facts.unverified,
                asks: facts.asks,
                last: last.get(&facts.name).map(|at| Moment(*at).html()),
                failing: heard.failures > 0,
                failures: heard.failures,
                failed: heard.failed.map(|(at, cause)| (Moment(at).html(), cause.as_str())),
                skew: heard.authentic.and_then(|(_, skew)| skew).map(skew_words),
                keys: Vec::new(),
            }
        };
        Ok(self.inner.sources.iter().map(row).collect())
    }
}

fn skew_words(seconds: i64) -> String {
    match seconds {
        0 => "none".to_owned(),
        1.. => format!("sent {seconds} s before it arrived"),
        _ => format!("the sender's clock is {} s ahead", seconds.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_clocks_says_which_one_is_ahead() {
        assert_eq!(skew_words(0), "none");
        assert_eq!(skew_words(12), "sent 12 s before it arrived");
        assert_eq!(skew_words(-7), "the sender's clock is 7 s ahead");
    }
}
