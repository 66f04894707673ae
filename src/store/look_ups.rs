//! Which offboardings the HRIS has to be asked about, who asks, and what its answers change. The asking itself is left to
//! `lookup`; no transaction is open while it goes on.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::events::{self, Accepted, Delivery};
use super::journal::{self, NewEntry};
use super::leases::interval;
use super::{Store, StoreError, Tx, WAKE_CHANNEL, in_transaction, word};
use crate::offboarding::policy::Intake;
use crate::offboarding::{Action, Actor, OffboardingId, PersonRef, Reason, Status};

/// How long whoever has taken a look-up may need for it: longer than the longest call and its outcome.
const TAKEN_FOR: Duration = Duration::from_secs(90);

/// A look-up that is ours for now.
#[derive(Clone, Debug)]
pub struct DueLookUp {
    /// The offboarding that it is about.
    pub id: OffboardingId,
    /// Its source, whose HRIS is asked.
    pub source: String,
    /// Who leaves, as far as it is known.
    pub person: PersonRef,
    /// When it takes effect by what is known so far.
    pub effective_at: DateTime<Utc>,
    /// Whether it waits for its moment or is held.
    pub status: Status,
    /// Look-ups before this one that brought no answer.
    pub attempt: u32,
    /// How long answers have said that the person stays.
    pub stays_for: Option<Duration>,
    /// Whether the HRIS has said a date before.
    pub dated: bool,
    /// When it was taken, by the database's clock: an answer tells what was so at this moment.
    asked_at: DateTime<Utc>,
    /// Until when it is ours; an answer counts only where nothing has happened meanwhile.
    until: DateTime<Utc>,
}

/// What an answer changes.
#[derive(Clone, Debug)]
pub enum Answered {
    /// The person leaves as the offboarding says already.
    Confirmed,
    /// It says something that is a word of the HRIS like any event.
    Says(Delivery),
    /// Not yet: the HRIS is asked again after this time.
    Again(Duration),
    /// The person stays, as far as one look tells: the HRIS is asked a second time after this one.
    StaysSoFar(Duration),
    /// No answer: the HRIS is asked again after this time, and whatever is due is held meanwhile where the flag says so.
    Failed {
        /// From now.
        delay: Duration,
        /// Whether it was tried often enough for a person to be told.
        hold: bool,
    },
    /// It can't be understood, or is about somebody else: a person has to look.
    Unclear,
}

impl Store {
    /// Takes one offboarding whose HRIS has to be asked and may be asked now. `sources` are those with a look-up, each
    /// with the least time between two requests to it.
    pub async fn take_look_up(
        &self,
        sources: &[(String, Duration)],
    ) -> Result<Option<DueLookUp>, StoreError> {
        let (names, gaps): (Vec<_>, Vec<_>) =
            sources.iter().map(|(name, gap)| (name.clone(), gap.as_secs_f64())).unzip();
        in_transaction(&self.worker, move |tx| {
            let (names, gaps) = (names.clone(), gaps.clone());
            Box::pin(async move { take(tx, &names, &gaps).await })
        })
        .await
    }

    /// Writes down what a look-up brought, in words without personal data, and carries out what it changes. False where the
    /// offboarding has changed since it was taken: the answer is dropped.
    pub async fn look_up_answered(
        &self,
        due: &DueLookUp,
        worker: &Actor,
        words: &str,
        answered: Answered,
    ) -> Result<bool, StoreError> {
        let (due, worker, words) = (due.clone(), worker.clone(), words.to_owned());
        in_transaction(&self.worker, move |tx| {
            let (due, worker, words, answered) =
                (due.clone(), worker.clone(), words.clone(), answered.clone());
            Box::pin(async move { record(tx, &due, &worker, &words, answered).await })
        })
        .await
    }

    /// Lets nobody ask a source's HRIS before this time is over.
    pub async fn pause_look_ups(&self, source: &str, pause: Duration) -> Result<(), StoreError> {
        let source = source.to_owned();
        in_transaction(&self.worker, move |tx| {
            let source = source.clone();
            Box::pin(async move {
                sqlx::query!(
                    // pause_look_ups
                    "update look_up_pace set next_at = greatest(next_at, now() + $2) where source = $1",
                    source,
                    interval(pause),
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
    }
}

async fn take(tx: Tx<'_>, sources: &[String], gaps: &[f64]) -> Result<Option<DueLookUp>, StoreError> {
    sqlx::query!(
        // open_look_up_pace
        "insert into look_up_pace (source, next_at) select name, now() from unnest($1::text[]) as name
         on conflict do nothing",
        sources,
    )
    .execute(&mut **tx)
    .await?;
    // Rows of the pace that another process holds are skipped: it has just taken that source's turn.
    let turns = sqlx::query_scalar!(
        // look_up_turns
        "select source from look_up_pace where source = any($1) and next_at <= now() order by next_at
         for update skip locked",
        sources,
    )
    .fetch_all(&mut **tx)
    .await?;
    let row = sqlx::query!(
        // take_look_up
        r#"with due as (
             select id from offboardings o
             where o.goal = 'offboarded' and o.source = any($1) and o.status in ('scheduled', 'held')
               and (o.look_up_at <= now()
                    or (o.look_up_at is null and o.status = 'scheduled' and o.available_at <= now()
                        and o.effective_at <= now() and wants_look_up(o, $1)))
             order by coalesce(o.look_up_at, o.available_at) limit 1 for update skip locked)
           update offboardings o
           set look_up_at = now() + $2, look_up_attempt = o.look_up_attempt + 1
           from due where o.id = due.id
           returning o.id, o.source, o.email, o.external_id, o.effective_at, o.status, o.look_up_attempt,
               o.look_up_at as "until!", now() as "asked_at!",
               extract(epoch from now() - o.stays_at)::float8 as stays_for,
               exists (select from events e where e.offboarding_id = o.id and e.said = 'leaves'
                       and e.effective_at is not null) as "dated!""#,
        &turns,
        interval(TAKEN_FOR),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    sqlx::query!(
        // look_up_turn_taken
        "update look_up_pace set next_at = now() + make_interval(secs => gap)
         from unnest($2::text[], $3::float8[]) as asked (name, gap) where source = $1 and name = $1",
        row.source,
        sources,
        gaps,
    )
    .execute(&mut **tx)
    .await?;
    Ok(Some(DueLookUp {
        id: OffboardingId(row.id),
        source: row.source,
        person: PersonRef { email: row.email, external_id: row.external_id },
        effective_at: row.effective_at,
        status: word(&row.status, "offboardings.status")?,
        attempt: u32::try_from(row.look_up_attempt - 1).unwrap_or_default(),
        stays_for: row.stays_for.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))),
        dated: row.dated,
        asked_at: row.asked_at,
        until: row.until,
    }))
}

async fn record(
    tx: Tx<'_>,
    due: &DueLookUp,
    worker: &Actor,
    words: &str,
    answered: Answered,
) -> Result<bool, StoreError> {
    if let Answered::Says(delivery) = &answered {
        // Before the row, like every delivery.
        events::lock_people(tx, delivery, Vec::new()).await?;
    }
    let ours = sqlx::query_scalar!(
        // look_up_is_ours
        r#"select true as "ours!" from offboardings
           where id = $1 and status = $2 and look_up_at = $3 and effective_at = $4 and goal = 'offboarded' for update"#,
        due.id.0,
        due.status.as_str(),
        due.until,
        due.effective_at,
    )
    .fetch_optional(&mut **tx)
    .await?;
    if ours.is_none() {
        return Ok(false);
    }
    let Some(moment) = moment_of_answer(tx, due).await? else {
        // What was said meanwhile may be newer than the answer: the question is put once more.
        ask_again(tx, due, Duration::ZERO).await?;
        return Ok(false);
    };
    let action = match answered {
        Answered::Failed { .. } => Action::LookUpFailed,
        Answered::Confirmed
        | Answered::Says(_)
        | Answered::Again(_)
        | Answered::StaysSoFar(_)
        | Answered::Unclear => Action::LookedUp,
    };
    journal::append(tx, NewEntry::note(due.id, worker, action, Some(words))).await?;
    match answered {
        Answered::Confirmed => answer_came(tx, due).await?,
        Answered::Says(mut delivery) => {
            delivery.items.iter_mut().for_each(|item| item.occurred_at = Some(moment));
            if events::accept(tx, &delivery).await? == Accepted::Conflict {
                return Err(StoreError::EventIdReused);
            }
            answer_came(tx, due).await?;
            doubt_what_did_not_follow(tx, due, worker, &delivery).await?;
        }
        Answered::Again(delay) => {
            not_counted(tx, due, false).await?;
            ask_again(tx, due, delay).await?;
        }
        Answered::StaysSoFar(delay) => {
            not_counted(tx, due, true).await?;
            ask_again(tx, due, delay).await?;
        }
        Answered::Failed { delay, hold } => {
            ask_again(tx, due, delay).await?;
            if hold && due.status == Status::Scheduled {
                hold_for_look_up(tx, due, worker).await?;
            }
        }
        Answered::Unclear => {
            no_more_questions(tx, due).await?;
            if due.status == Status::Scheduled {
                hold_for_look_up(tx, due, worker).await?;
            }
        }
    }
    sqlx::query!("select pg_notify($1, '')", WAKE_CHANNEL).execute(&mut **tx).await?;
    Ok(true)
}

/// The moment that an answer speaks of: when it was asked for, and later than everything that was known then, whatever
/// the clocks of the senders say. `None` where something has been said about the person since.
async fn moment_of_answer(tx: Tx<'_>, due: &DueLookUp) -> Result<Option<DateTime<Utc>>, StoreError> {
    let known = sqlx::query!(
        // known_before_answer
        r#"select coalesce(bool_or(received_at > $2), false) as "since!",
               greatest($2, max(occurred_at) + interval '1 microsecond') as "moment!"
           from events
           where offboarding_id = $1 or (source = $3 and external_id = $4) or email_key = $5"#,
        due.id.0,
        due.asked_at,
        due.source,
        due.person.external_id,
        due.person.email_key(),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((!known.since).then_some(known.moment))
}

/// An answer after which the offboarding would still go on in another way than it says: somebody has to look.
async fn doubt_what_did_not_follow(
    tx: Tx<'_>,
    due: &DueLookUp,
    worker: &Actor,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let wanted = delivery.items.first().and_then(|item| match item.intake {
        Intake::Schedule(at) => Some(at),
        Intake::Rescind(_) | Intake::Hold(..) | Intake::Ignore => None,
    });
    let reason = Reason::ContradictoryEvents.as_str();
    let doubted = sqlx::query!(
        // doubt_what_did_not_follow
        "update offboardings
         set status = 'held', reason = $3, updated_at = now(), lease_token = null, lease_worker = null
         where id = $1 and status = 'scheduled' and changes_began_at is null and effective_at is distinct from $2",
        due.id.0,
        wanted,
        reason,
    )
    .execute(&mut **tx)
    .await?;
    if doubted.rows_affected() == 1 {
        journal::append(tx, NewEntry::note(due.id, worker, Action::Held, Some(reason))).await?;
    }
    Ok(())
}

/// An answer is no failure, and what was confirmed before it is confirmed no more.
async fn not_counted(tx: Tx<'_>, due: &DueLookUp, stays: bool) -> Result<(), StoreError> {
    sqlx::query!(
        // look_up_not_counted
        "update offboardings
         set look_up_attempt = 0, looked_up_at = null,
             stays_at = case when $2 then coalesce(stays_at, now()) end
         where id = $1",
        due.id.0,
        stays,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn answer_came(tx: Tx<'_>, due: &DueLookUp) -> Result<(), StoreError> {
    sqlx::query!(
        // answer_came
        "update offboardings
         set look_up_at = null, look_up_attempt = 0, stays_at = null, looked_up_at = now(), updated_at = now()
         where id = $1",
        due.id.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn ask_again(tx: Tx<'_>, due: &DueLookUp, delay: Duration) -> Result<(), StoreError> {
    sqlx::query!(
        // ask_again
        "update offboardings set look_up_at = now() + $2, updated_at = now() where id = $1",
        due.id.0,
        interval(delay),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn no_more_questions(tx: Tx<'_>, due: &DueLookUp) -> Result<(), StoreError> {
    sqlx::query!(
        // no_more_questions
        "update offboardings set look_up_at = null, look_up_attempt = 0, stays_at = null, updated_at = now() where id = $1",
        due.id.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Nothing is changed for somebody of whom the HRIS could not be asked. Whoever has been changed already goes on: a question
/// without an answer is no withdrawal.
async fn hold_for_look_up(tx: Tx<'_>, due: &DueLookUp, worker: &Actor) -> Result<(), StoreError> {
    let reason = Reason::LookupRequired.as_str();
    let held = sqlx::query!(
        // hold_for_look_up
        "update offboardings
         set status = 'held', reason = $2, updated_at = now(), lease_token = null, lease_worker = null
         where id = $1 and changes_began_at is null",
        due.id.0,
        reason,
    )
    .execute(&mut **tx)
    .await?;
    if held.rows_affected() == 1 {
        journal::append(tx, NewEntry::note(due.id, worker, Action::Held, Some(reason))).await?;
    }
    Ok(())
}

/// Has the HRIS asked about these offboardings at once, as an event wants that says only that something changed.
pub(super) async fn ask_for(tx: Tx<'_>, ids: &[OffboardingId]) -> Result<(), StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    sqlx::query!(
        // ask_for
        "update offboardings set look_up_at = now(), look_up_attempt = 0, stays_at = null, looked_up_at = null
         where id = any($1) and status in ('scheduled', 'held') and goal = 'offboarded'",
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
