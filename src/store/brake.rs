//! The brake: how many distinct people have been changed within the hour and the day, over all replicas and restarts, by
//! the database's clock alone. Whoever is on an approved layoff passes beside it, and is counted against the layoff.

use super::journal::{self, NewEntry};
use super::leases::Fence;
use super::progress::{BrakeLimits, Intention};
use super::{Store, StoreError, Tx, in_transaction, layoffs};
use crate::offboarding::{Action, OffboardingId};

/// How many people have been changed. The windows slide: neither midnight nor a restart empties them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrakeUse {
    /// Within the last 60 minutes.
    pub hour: i64,
    /// Within the last 24 hours.
    pub day: i64,
}

/// Whether a person's first change may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// The person is counted.
    Through,
    /// The person would be one too many.
    Full {
        /// Where nobody has been told of it within the hour, what there is to tell.
        trip: Option<BrakeUse>,
    },
}

impl Store {
    /// How many people count against the brake now.
    pub async fn brake_use(&self) -> Result<BrakeUse, StoreError> {
        in_transaction(&self.operators, |tx| Box::pin(changed_besides(tx, ""))).await
    }
}

/// Counts a person's first change; without limits it was approved, and is only counted. The lock on the brake's row makes
/// the count exact over all replicas, and the times are taken under it.
pub(super) async fn pass(
    tx: Tx<'_>,
    fence: &Fence,
    intention: &Intention,
    limits: Option<BrakeLimits>,
) -> Result<Passage, StoreError> {
    sqlx::query!("select only_row from brake for update").fetch_one(&mut **tx).await?;
    let id = intention.offboarding;
    let layoff = match limits {
        Some(_) => layoffs::with_room_for(tx, id, &intention.user).await?,
        None => None,
    };
    if let (Some(limits), None) = (limits, layoff) {
        let changed = changed_besides(tx, &intention.user).await?;
        if changed.hour >= i64::from(limits.per_hour) || changed.day >= i64::from(limits.per_day) {
            return Ok(Passage::Full { trip: trip(tx).await?.then_some(changed) });
        }
    }
    sqlx::query!(
        // pass
        "insert into changed_people (offboarding_id, genesys_user_id, changed_at, layoff_id)
         values ($1, $2, clock_timestamp(), $3) on conflict do nothing",
        id.0,
        intention.user,
        layoff.map(|layoff| layoff.0),
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("update offboardings set changes_began_at = clock_timestamp() where id = $1", id.0)
        .execute(&mut **tx)
        .await?;
    if let Some(layoff) = layoff {
        let target = layoff.to_string();
        let note = NewEntry::note(id, &fence.worker, Action::UnderLayoff, Some("planned and approved"));
        journal::append(tx, NewEntry { target: Some(&target), ..note }).await?;
    }
    Ok(Passage::Through)
}

/// The distinct people changed, without this user: whoever was changed within the window before takes up no second place.
/// A stamp in the future, from before somebody set the clock back, counts.
pub(super) async fn changed_besides(tx: Tx<'_>, user: &str) -> Result<BrakeUse, StoreError> {
    let changed = sqlx::query!(
        // changed_besides
        r#"select count(distinct genesys_user_id)
                    filter (where changed_at > clock_timestamp() - interval '1 hour') as "hour!",
                  count(distinct genesys_user_id) as "day!"
           from changed_people
           where changed_at > clock_timestamp() - interval '1 day' and layoff_id is null and genesys_user_id <> $1"#,
        user,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(BrakeUse { hour: changed.hour, day: changed.day })
}

/// Whether nobody has been told within the hour. A time in the future tells nothing: the clock was set back.
async fn trip(tx: Tx<'_>) -> Result<bool, StoreError> {
    let told = sqlx::query!(
        // trip
        "update brake set paged_at = clock_timestamp()
         where paged_at is null or paged_at <= clock_timestamp() - interval '1 hour' or paged_at > clock_timestamp()"
    )
    .execute(&mut **tx)
    .await?;
    Ok(told.rows_affected() == 1)
}

/// Takes a person out of the count for whom every call so far certainly never left this process, in the transaction that
/// says so of the last one. Whoever takes a lease over says first of every open call that its outcome is unknown, so a late
/// word of the worker before frees nothing; nor does a crash.
pub(super) async fn give_back(tx: Tx<'_>, id: OffboardingId) -> Result<(), StoreError> {
    // Two statements: what is known of the calls has to be read after the row is locked.
    let counted = sqlx::query!(
        // give_back_slot
        "select id from offboardings
         where id = $1 and goal = 'offboarded' and changes_began_at is not null for update",
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    if counted.is_none() {
        return Ok(());
    }
    let untouched = sqlx::query!(
        "update offboardings set changes_began_at = null, strip_began_at = null
         where id = $1 and not exists (
             select from journal intended
             where intended.offboarding_id = $1 and intended.action = 'call_intended' and (
                 not exists (
                     select from journal finished
                     where finished.offboarding_id = $1 and finished.action = 'call_finished'
                       and finished.request_id = intended.request_id)
                 or exists (
                     select from journal finished
                     where finished.offboarding_id = $1 and finished.action = 'call_finished'
                       and finished.request_id = intended.request_id and finished.result not like 'not_sent:%')))",
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    if untouched.rows_affected() == 1 {
        sqlx::query!("delete from changed_people where offboarding_id = $1", id.0).execute(&mut **tx).await?;
    }
    Ok(())
}
