//! Identity: by which ids other systems know a user, and which of some users are active.

use serde::Deserialize;

use super::{
    Genesys,
    error::{Error, Trace},
    ids::{UserId, segment},
    page::PAGE_SIZE,
    send::Request,
    users::{User, UserState},
};

/// The users that one read may ask for by their ids. Genesys documents this limit.
const IDS_PER_READ: usize = 100;

/// An id that another system gave a user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalId {
    /// The system.
    pub authority_name: String,
    /// The id there; its case matters.
    pub external_key: String,
}

impl Genesys {
    /// Reads the ids that other systems gave a user.
    pub async fn external_ids_of(&self, user: &UserId) -> Result<Vec<ExternalId>, Error> {
        let path = format!("/api/v2/users/{}/externalid", segment(user.as_str()));
        let (found, _): (Vec<ExternalId>, Trace) =
            self.read("the external ids of a user", &Request::get_list(path)).await?;
        Ok(found)
    }

    /// Tells whether one of these users is active. Whoever was not asked for does not count, whatever is answered.
    pub async fn any_active(&self, users: &[UserId]) -> Result<bool, Error> {
        for some in users.chunks(IDS_PER_READ) {
            let ids: String = some.iter().map(|user| format!("&id={}", segment(user.as_str()))).collect();
            let request = |number| {
                let paging = format!("pageSize={PAGE_SIZE}&pageNumber={number}");
                Request::get(format!("/api/v2/users?{paging}&state=active{ids}"))
            };
            let found = self.read_pages::<User>("users by their ids", request).await?;
            if found.iter().any(|user| user.state == UserState::Active && some.contains(&user.id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
