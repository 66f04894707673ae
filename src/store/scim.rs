//! The users that SCIM clients have provisioned. A change of one, and the event that it means, are one transaction.
//!
//! Locks are taken in one order by everybody: the user's row, then the people of the event, then the offboardings. No
//! other delivery takes a user's row, so nobody waits in a circle.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::events::{self, Accepted, Delivery};
use super::{Store, StoreError, Tx, in_transaction};

/// The constraint that keeps two users of a source from having one name.
const ONE_PER_NAME: &str = "scim_users_one_per_name";

/// A provisioned user.
#[derive(Clone, Debug, PartialEq)]
pub struct ScimUser {
    /// Which.
    pub id: Uuid,
    /// Counts the changes, from 1.
    pub version: i64,
    /// Whether the client says that the account is in use.
    pub active: bool,
    /// What the last change to inactive led to; `None` while active, and for whoever was never active.
    pub deactivation: Option<Deactivation>,
    /// The attributes, without id and meta.
    pub resource: Value,
    /// When the client provisioned it.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// What a change to inactive led to, and whom it named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deactivation {
    /// What was asked for, in the configuration's word.
    pub led_to: String,
    /// The address that it named.
    pub email: Option<String>,
    /// The id that it named.
    pub external_id: Option<String>,
}

/// What a user is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Unique within the source, whatever the case of its ASCII letters.
    pub user_name: String,
    /// The client's own id.
    pub external_id: Option<String>,
    /// Whether the account is in use.
    pub active: bool,
    /// What the change to inactive led to, where there was one.
    pub deactivation: Option<Deactivation>,
    /// The attributes.
    pub resource: Value,
}

/// What is done to a user.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing.
    Keep,
    /// It becomes this.
    Replace(Box<State>),
    /// It is gone.
    Remove,
}

/// A change, and the delivery that it means.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What is done to the user.
    pub change: Change,
    /// What it says about the person.
    pub delivery: Option<Delivery>,
}

/// What came of a request to change a user.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed<R> {
    /// The user as it is now, or was when it was removed; and what became of its event.
    Done(Box<ScimUser>, Option<Accepted>),
    /// The source has no such user.
    Unknown,
    /// Another user of the source has the name.
    NameTaken,
    /// The request does not fit the user as it is; nothing was changed.
    Refused(R),
}

/// The users that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    All,
    /// By name, whatever the case of its ASCII letters.
    UserName(String),
    /// By the client's own id.
    ExternalId(String),
    /// By id.
    Id(Uuid),
}

/// Some of the users that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// How many there are in all.
    pub total: i64,
    /// Those of this page, the oldest first.
    pub users: Vec<ScimUser>,
}

impl Store {
    /// Keeps a new user; `None` where its name is taken.
    pub async fn create_scim_user(&self, source: &str, state: State) -> Result<Option<ScimUser>, StoreError> {
        let source = source.to_owned();
        in_transaction(&self.ingest, move |tx| {
            let (source, state) = (source.clone(), state.clone());
            Box::pin(async move { create(tx, &source, &state).await })
        })
        .await
    }

    /// Lists users, `count` of them after the first `skip`.
    pub async fn scim_users(
        &self,
        source: &str,
        wanted: Wanted,
        skip: i64,
        count: i64,
    ) -> Result<Page, StoreError> {
        let source = source.to_owned();
        in_transaction(&self.ingest, move |tx| {
            let (source, wanted) = (source.clone(), wanted.clone());
            Box::pin(async move { list(tx, &source, &wanted, skip, count).await })
        })
        .await
    }

    /// Changes a user as `decide` says, which sees it locked and is told the present time: later than every earlier
    /// change of the user. The event that the change means is accepted with it, or neither is.
    pub async fn change_scim_user<R, D>(
        &self,
        source: &str,
        id: Uuid,
        decide: D,
    ) -> Result<Changed<R>, StoreError>
    where
        R: Send + 'static,
        D: Fn(&ScimUser, DateTime<Utc>) -> Result<Decision, R> + Send + Sync + 'static,
    {
        let (source, decide) = (source.to_owned(), std::sync::Arc::new(decide));
        let changed = in_transaction(&self.ingest, move |tx| {
            let (source, decide) = (source.clone(), std::sync::Arc::clone(&decide));
            Box::pin(async move { change(tx, &source, id, decide.as_ref()).await })
        })
        .await;
        match changed {
            Err(error) if violates(&error, ONE_PER_NAME) => Ok(Changed::NameTaken),
            other => other,
        }
    }
}

fn violates(error: &StoreError, constraint: &str) -> bool {
    let StoreError::Database(sqlx::Error::Database(database)) = error else {
        return false;
    };
    database.constraint() == Some(constraint)
}

/// Names are compared without the case of ASCII letters only: Unicode folding makes different people equal.
fn name_key(user_name: &str) -> String {
    user_name.to_ascii_lowercase()
}

async fn create(tx: Tx<'_>, source: &str, state: &State) -> Result<Option<ScimUser>, StoreError> {
    let id = Uuid::now_v7();
    let created = sqlx::query!(
        // create_scim_user
        "insert into scim_users (id, source, user_name_key, user_name, external_id, active, resource)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint scim_users_one_per_name do nothing
         returning version, created_at, updated_at",
        id,
        source,
        name_key(&state.user_name),
        state.user_name,
        state.external_id,
        state.active,
        state.resource,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(created.map(|row| ScimUser {
        id,
        version: row.version,
        active: state.active,
        deactivation: None,
        resource: state.resource.clone(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }))
}

async fn change<R, D>(tx: Tx<'_>, source: &str, id: Uuid, decide: &D) -> Result<Changed<R>, StoreError>
where
    D: Fn(&ScimUser, DateTime<Utc>) -> Result<Decision, R> + Send + Sync,
{
    let Some(mut user) = lock(tx, source, id).await? else {
        return Ok(Changed::Unknown);
    };
    let now = later_than(tx, user.updated_at).await?;
    let decision = match decide(&user, now) {
        Ok(decision) => decision,
        Err(refused) => return Ok(Changed::Refused(refused)),
    };
    match decision.change {
        Change::Keep => {}
        Change::Replace(state) => {
            replace(tx, id, &state, now).await?;
            user = ScimUser {
                version: user.version + 1,
                active: state.active,
                deactivation: state.deactivation,
                resource: state.resource,
                updated_at: now,
                ..user
            };
        }
        Change::Remove => {
            sqlx::query!("delete from scim_users where id = $1", id).execute(&mut **tx).await?;
        }
    }
    let accepted = match &decision.delivery {
        Some(delivery) => Some(events::accept(tx, delivery).await?),
        None => None,
    };
    Ok(Changed::Done(Box::new(user), accepted))
}

async fn replace(tx: Tx<'_>, id: Uuid, state: &State, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        // replace_scim_user
        "update scim_users
         set user_name_key = $2, user_name = $3, external_id = $4, active = $5, deactivation = $6, resource = $7,
             version = version + 1, updated_at = $8
         where id = $1",
        id,
        name_key(&state.user_name),
        state.user_name,
        state.external_id,
        state.active,
        state.deactivation.as_ref().map(sqlx::types::Json) as _,
        state.resource,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The present time by the database, read after the lock, so that the changes of one user are in order; also where the
/// clock was put back in between.
async fn later_than(tx: Tx<'_>, earlier: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
    let now = sqlx::query_scalar!(
        // later_than
        r#"select greatest(clock_timestamp(), $1::timestamptz + interval '1 microsecond') as "now!""#,
        earlier,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(now)
}

/// A row as it is read.
struct Row {
    id: Uuid,
    version: i64,
    active: bool,
    deactivation: Option<sqlx::types::Json<Deactivation>>,
    resource: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for ScimUser {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            version: row.version,
            active: row.active,
            deactivation: row.deactivation.map(|json| json.0),
            resource: row.resource,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

async fn lock(tx: Tx<'_>, source: &str, id: Uuid) -> Result<Option<ScimUser>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        // lock_scim_user
        r#"select id, version, active, deactivation as "deactivation: sqlx::types::Json<Deactivation>", resource,
               created_at, updated_at
           from scim_users where source = $1 and id = $2 for update"#,
        source,
        id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(ScimUser::from))
}

async fn list(tx: Tx<'_>, source: &str, wanted: &Wanted, skip: i64, count: i64) -> Result<Page, StoreError> {
    let (mut name, mut external_id, mut id) = (None, None, None);
    match wanted {
        Wanted::All => {}
        Wanted::UserName(user_name) => name = Some(name_key(user_name)),
        Wanted::ExternalId(text) => external_id = Some(text.as_str()),
        Wanted::Id(wanted) => id = Some(*wanted),
    }
    let total = sqlx::query_scalar!(
        // count_scim_users
        r#"select count(*) as "total!" from scim_users
           where source = $1 and ($2::text is null or user_name_key = $2) and ($3::text is null or external_id = $3)
             and ($4::uuid is null or id = $4)"#,
        source,
        name,
        external_id,
        id,
    )
    .fetch_one(&mut **tx)
    .await?;
    let rows = sqlx::query_as!(
        Row,
        // list_scim_users
        r#"select id, version, active, deactivation as "deactivation: sqlx::types::Json<Deactivation>", resource,
               created_at, updated_at
           from scim_users
           where source = $1 and ($2::text is null or user_name_key = $2) and ($3::text is null or external_id = $3)
             and ($4::uuid is null or id = $4)
           order by id offset $5 limit $6"#,
        source,
        name,
        external_id,
        id,
        skip,
        count,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Page { total, users: rows.into_iter().map(ScimUser::from).collect() })
}
