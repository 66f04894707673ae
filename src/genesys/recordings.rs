//! Recorded conversations of a user, counted: what keeps them is the organization's retention policy, and never the user.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    Genesys,
    audit::interval,
    error::{Error, Trace},
    ids::UserId,
    send::Request,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCount {
    total_hits: u64,
}

impl Genesys {
    /// Counts the conversations with a recording in which the user took part and that began between `since` and `until`.
    /// The index lags by seconds to minutes.
    pub async fn recorded_conversations_of(
        &self,
        user: &UserId,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<u64, Error> {
        let theirs = json!({"type": "dimension", "dimension": "userId", "value": user});
        let recorded = json!({"type": "dimension", "dimension": "recording", "operator": "exists"});
        let body = json!({
            "interval": interval(since, until),
            "segmentFilters": [{"type": "and", "predicates": [theirs, recorded]}],
            // The total counts; the conversations themselves are nobody's business here.
            "paging": {"pageSize": 1, "pageNumber": 1},
        });
        let path = "/api/v2/analytics/conversations/details/query".to_owned();
        let request = Request::with_body(Method::POST, path, body);
        let (found, _): (RawCount, Trace) =
            self.read("the recorded conversations of a user", &request).await?;
        Ok(found.total_hits)
    }
}
