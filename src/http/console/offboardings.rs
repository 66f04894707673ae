//! `GET /offboardings`: the list, with filters, page by page.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::Console;
use super::guard::Visitor;
use super::page::{Failure, Part, Shell, html};
use super::words::{Moment, Person, ending, plain, short, state};
use crate::http::api::id;
use crate::http::problem::Problem;
use crate::offboarding::{Reason, Status, policy};
use crate::operate;
use crate::store::views::{Filter, View};

/// Offboardings of one page.
const PAGE: u32 = 25;

/// What was chosen; an empty choice is none.
#[derive(Default, Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    after: String,
}

/// One choice of a filter.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) text: String,
    pub(super) chosen: bool,
}

impl Choice {
    pub(super) fn of(value: &str, chosen: &str) -> Self {
        Self { value: value.to_owned(), text: value.replace('_', " "), chosen: value == chosen }
    }
}

/// One line of a list.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) short: String,
    pub(super) person: Person,
    pub(super) state: String,
    pub(super) ending: String,
    pub(super) source: String,
    pub(super) effective: String,
    pub(super) updated: String,
}

impl Row {
    pub(super) fn of(view: &View) -> Self {
        Self {
            id: view.id.to_string(),
            short: short(view.id),
            person: Person::of(&view.person),
            state: state(view),
            ending: ending(view),
            source: view.source.clone(),
            effective: Moment(view.effective_at).html(),
            updated: Moment(view.updated_at).brief(),
        }
    }
}

#[derive(Template)]
#[template(path = "offboardings.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
    statuses: Vec<Choice>,
    reasons: Vec<Choice>,
    sources: Vec<Choice>,
    person: String,
    filtered: bool,
    later: bool,
    next: Option<String>,
}

/// Shows a page of the list.
pub(super) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    Query(chosen): Query<Chosen>,
) -> Result<Response, Failure> {
    let page = operate::list(&console.inner.api.store, &chosen.filter()?).await?;
    let names = console.inner.sources.iter().map(|source| source.name.as_str());
    let sources = names.chain([policy::OPERATORS_SOURCE]).map(|name| Choice::of(name, &chosen.source));
    html(&ListPage {
        shell: console.shell(&visitor.0, Part::Offboardings, "Offboardings").await?,
        rows: page.items.iter().map(Row::of).collect(),
        statuses: Status::ALL.iter().map(|status| Choice::of(status.as_str(), &chosen.status)).collect(),
        reasons: Reason::ALL.iter().map(|reason| Choice::of(reason.as_str(), &chosen.reason)).collect(),
        sources: sources.collect(),
        next: page.next.map(|next| chosen.further(&next.to_string())),
        filtered: [&chosen.status, &chosen.reason, &chosen.source, &chosen.person]
            .iter()
            .any(|one| !one.is_empty()),
        later: !chosen.after.is_empty(),
        person: plain(&chosen.person),
    })
}

impl Chosen {
    fn filter(&self) -> Result<Filter, Problem> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let bad = |name| move |_| Problem::BadParameter(name);
        // Postgres stores no NUL and can't compare with one.
        if [&self.person, &self.source].iter().any(|text| text.contains('\0')) {
            return Err(Problem::BadParameter("person"));
        }
        Ok(Filter {
            status: given(&self.status)
                .map(|word| word.parse::<Status>())
                .transpose()
                .map_err(bad("status"))?,
            reason: given(&self.reason)
                .map(|word| word.parse::<Reason>())
                .transpose()
                .map_err(bad("reason"))?,
            source: given(&self.source),
            person: given(&self.person),
            after: given(&self.after)
                .map(|after| id(&after).ok_or(Problem::BadParameter("after")))
                .transpose()?,
            limit: PAGE,
        })
    }

    /// The address of the next page.
    fn further(&self, after: &str) -> String {
        let kept = [
            ("status", self.status.as_str()),
            ("reason", &self.reason),
            ("source", &self.source),
            ("person", &self.person),
            ("after", after),
        ];
        address("/offboardings", &kept)
    }
}

/// A path with those parameters that are not empty.
pub(super) fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    let written =
        given.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    let written = written.collect::<Vec<_>>().join("&");
    if written.is_empty() { path.to_owned() } else { format!("{path}?{written}") }
}
