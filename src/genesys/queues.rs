//! Queues: those of a user, the user as a member of one, and taking them out or putting them back.

use std::collections::{BTreeMap, btree_map::Entry as Slot};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Genesys,
    call::{Done, Missing, OneCall},
    error::{CallFailed, Error},
    ids::{DivisionId, QueueId, UserId, segment},
    page::{Entry, LONG_ENTRIES_PAGE_SIZE, PAGE_SIZE, Page},
    send::Request,
    users::UserGroup,
};

/// The members that one call can remove from a queue (400 above it).
pub const QUEUE_MEMBERS_PER_CALL: usize = 100;

/// The queues of a user that one call joins or leaves. No limit is published; it is that of the members of a queue.
pub const QUEUES_PER_CALL: usize = 100;

/// A queue that the user is a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserQueue {
    /// The queue's id.
    pub id: QueueId,
    /// The queue's name.
    pub name: Option<String>,
    /// Whether the user takes conversations of the queue at present.
    pub joined: bool,
    /// The division that the queue belongs to.
    pub division_id: Option<DivisionId>,
    /// The groups whose members are members of the queue: groups, teams and skill groups.
    pub member_groups: Vec<UserGroup>,
}

/// A user as a member of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMember {
    /// Whether the user takes conversations of the queue at present.
    pub joined: bool,
    /// The ring of bullseye routing, from 1.
    pub ring_number: u32,
    /// How the user came to be a member.
    pub by: MemberBy,
}

/// How a user came to be a member of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberBy {
    /// By themselves, so that they can be taken out alone.
    User,
    /// By way of a group: they leave with the group.
    Group,
    /// In a way that is not published; the text is Genesys's.
    Unknown(String),
}

impl From<String> for MemberBy {
    fn from(text: String) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "user" => Self::User,
            "group" => Self::Group,
            _ => Self::Unknown(text),
        }
    }
}

/// Whether a member takes conversations of the queue. Genesys divides the queues of a user by it; asked for neither
/// half, it gives the joined ones only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The member takes conversations.
    Joined,
    /// The member takes none until they join.
    NotJoined,
}

impl From<bool> for Activation {
    fn from(joined: bool) -> Self {
        if joined { Self::Joined } else { Self::NotJoined }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawQueue {
    id: QueueId,
    name: Option<String>,
    joined: Option<bool>,
    division: Option<RawDivision>,
    #[serde(default)]
    member_groups: Vec<UserGroup>,
}

#[derive(Deserialize)]
struct RawDivision {
    id: DivisionId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMember {
    id: UserId,
    joined: bool,
    ring_number: u32,
    member_by: String,
}

impl Entry for RawQueue {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

impl Entry for RawMember {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

impl Genesys {
    /// Reads all queues of the user, joined or not, sorted by id. Queues in divisions that the OAuth client can't see
    /// may be missing.
    pub async fn queues_of(&self, user: &UserId) -> Result<Vec<UserQueue>, Error> {
        let mut queues = BTreeMap::new();
        for half in [Activation::Joined, Activation::NotJoined] {
            for raw in self.half_of_queues(user, half).await? {
                let joined = raw.joined.unwrap_or(half == Activation::Joined);
                let division_id = raw.division.map(|division| division.id);
                // One that changed sides between the two reads is in both; the later read is the newer truth.
                match queues.entry(raw.id.clone()) {
                    Slot::Vacant(slot) => {
                        let member_groups = raw.member_groups;
                        slot.insert(UserQueue {
                            id: raw.id,
                            name: raw.name,
                            joined,
                            division_id,
                            member_groups,
                        });
                    }
                    Slot::Occupied(mut slot) => slot.get_mut().joined = joined,
                }
            }
        }
        Ok(queues.into_values().collect())
    }

    async fn half_of_queues(&self, user: &UserId, half: Activation) -> Result<Vec<RawQueue>, Error> {
        let joined = half == Activation::Joined;
        let path = format!("/api/v2/users/{}/queues", segment(user.as_str()));
        let page = |number| {
            let paging = format!("pageSize={LONG_ENTRIES_PAGE_SIZE}&pageNumber={number}");
            Request::get(format!("{path}?{paging}&joined={joined}"))
        };
        self.read_pages("the queues of a user", page).await
    }

    /// Reads the user as a member of the queue; `None` when they are none. Looks among the members with `name` first,
    /// and through the whole list when they aren't there: the names of the list may be older than the user's. Fails
    /// with [`Error::NotFound`] when Genesys knows no such queue.
    pub async fn queue_member(
        &self,
        queue: &QueueId,
        user: &UserId,
        name: Option<&str>,
    ) -> Result<Option<QueueMember>, Error> {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            let filter = format!("&name={}", segment(name));
            if let Some(member) = self.member_among(queue, user, &filter).await? {
                return Ok(Some(member));
            }
        }
        self.member_among(queue, user, "").await
    }

    async fn member_among(
        &self,
        queue: &QueueId,
        user: &UserId,
        filter: &str,
    ) -> Result<Option<QueueMember>, Error> {
        let path = format!("/api/v2/routing/queues/{}/members", segment(queue.as_str()));
        let page = |number| Request::get(format!("{path}?pageSize={PAGE_SIZE}&pageNumber={number}{filter}"));
        let is_user = |member: &RawMember| member.id == *user;
        let found = self.walk_pages::<Page<RawMember>, _>("a member of a queue", page, is_user).await?;
        let member = found.entries.into_iter().find(is_user);
        Ok(member.map(|raw| QueueMember {
            joined: raw.joined,
            ring_number: raw.ring_number,
            by: MemberBy::from(raw.member_by),
        }))
    }
}

impl OneCall {
    /// Takes one user out of one queue. Not possible for a member by way of a group: those leave with the group.
    pub async fn delete_queue_member(self, queue: &QueueId, user: &UserId) -> Result<Done, CallFailed> {
        self.send(Request::delete(member_path(queue, user)), Missing::Gone).await
    }

    /// Takes up to [`QUEUE_MEMBERS_PER_CALL`] users out of one queue. Users who are no members are ignored by Genesys;
    /// it may take seconds until a read shows the effect.
    pub async fn remove_queue_members(self, queue: &QueueId, users: &[UserId]) -> Result<Done, CallFailed> {
        if !(1..=QUEUE_MEMBERS_PER_CALL).contains(&users.len()) {
            return Err(CallFailed::not_sent_for("it takes 1 to 100 members"));
        }
        let path = format!("/api/v2/routing/queues/{}/members?delete=true", segment(queue.as_str()));
        let members: Value = users.iter().map(|user| json!({ "id": user })).collect();
        self.send(Request::with_body(Method::POST, path, members), Missing::Gone).await
    }

    /// Makes the user a member of the queue; a member stays one. It may take seconds until a read shows the effect.
    pub async fn add_queue_member(self, queue: &QueueId, user: &UserId) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/routing/queues/{}/members", segment(queue.as_str()));
        self.apply(Request::with_body(Method::POST, path, json!([{ "id": user }]))).await
    }

    /// Sets for up to [`QUEUES_PER_CALL`] queues of the user whether they take conversations of them. Genesys passes over
    /// queues that the user is no member of, and does it later; the memberships stay.
    pub async fn set_joined(
        self,
        user: &UserId,
        queues: &[QueueId],
        activation: Activation,
    ) -> Result<Done, CallFailed> {
        if !(1..=QUEUES_PER_CALL).contains(&queues.len()) {
            return Err(CallFailed::not_sent_for("it takes 1 to 100 queues"));
        }
        let joined = activation == Activation::Joined;
        let path = format!("/api/v2/users/{}/queues", segment(user.as_str()));
        let body: Value = queues.iter().map(|queue| json!({"id": queue, "joined": joined})).collect();
        self.apply(Request::with_body(Method::PATCH, path, body)).await
    }

    /// Sets whether a member takes conversations, and their ring (from 1). Genesys does it later (202).
    pub async fn update_queue_member(
        self,
        queue: &QueueId,
        user: &UserId,
        activation: Activation,
        ring_number: u32,
    ) -> Result<Done, CallFailed> {
        let joined = activation == Activation::Joined;
        let body = json!({"id": user, "joined": joined, "ringNumber": ring_number});
        self.apply(Request::with_body(Method::PATCH, member_path(queue, user), body)).await
    }
}

fn member_path(queue: &QueueId, user: &UserId) -> String {
    format!("/api/v2/routing/queues/{}/members/{}", segment(queue.as_str()), segment(user.as_str()))
}
