//! Asks the HRIS where an event says only that something changed, and again at the moment a termination takes effect: a
//! withdrawn one often sends no event at all. What is asked and how an answer reads is said by `hris`; what an answer
//! changes, by the policy, as for any event.

mod client;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::hris::{LookUp, LookUpAnswer};
use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::policy::{self, Intake};
use crate::offboarding::{Actor, Directive, Effective, PersonRef, Status, TerminationEvent, Zone};
use crate::store::events::{Delivery, Item, Noted};
use crate::store::look_ups::{Answered, DueLookUp};
use crate::store::{Store, StoreError};

pub use client::{BuildError, Client, Failure};

/// Look-ups at the same time, and to one HRIS: one that does not answer must not keep the others waiting.
const CONCURRENCY: usize = 8;
const CONCURRENCY_OF_ONE: usize = 2;

/// How often the HRIS is asked about somebody who should have left by now and still works.
const NOT_YET_RECHECK: Duration = Duration::from_secs(15 * 60);

/// How long after the effective moment a record may still say that the person works, before somebody has to look.
const SETTLES_WITHIN: chrono::TimeDelta = chrono::TimeDelta::hours(24);

/// What look-ups need to know of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By source.
    pub look_ups: BTreeMap<String, Arc<LookUp>>,
    /// The zone of dates whose source has none.
    pub zone: Zone,
    /// When on a date without a time it takes effect, where the source doesn't say.
    pub effective_at: EffectiveAt,
    /// The time between two looks where no notification comes.
    pub poll: Duration,
    /// The first wait after a failure, doubled each time.
    pub retry_base: Duration,
    /// The longest wait after a failure.
    pub retry_max: Duration,
    /// Failures in a row before somebody is told.
    pub attempts_max: u32,
    /// How long answers have to say that a person stays before it is believed: records lag behind events.
    pub second_look: Duration,
}

/// Asks for everything that is due. Cheap to clone.
#[derive(Clone)]
pub struct LookUps {
    store: Store,
    client: Client,
    settings: Arc<Settings>,
    worker: Actor,
}

impl LookUps {
    /// Makes them, with a name of its own for the journal.
    pub fn new(store: Store, client: Client, settings: Settings) -> Self {
        let mut id = Uuid::new_v4().simple().to_string();
        id.truncate(12);
        Self { store, client, settings: Arc::new(settings), worker: Actor::Worker(id) }
    }

    /// Asks until `stop`, and finishes what is being asked.
    pub async fn run(&self, stop: CancellationToken) {
        if self.settings.look_ups.is_empty() {
            return stop.cancelled().await;
        }
        let mut asking = JoinSet::new();
        let mut under_way: BTreeMap<String, usize> = BTreeMap::new();
        while !stop.is_cancelled() {
            while asking.len() < CONCURRENCY {
                match self.take(&under_way).await {
                    Ok(Some(due)) => {
                        let (this, source) = (self.clone(), due.source.clone());
                        *under_way.entry(source.clone()).or_default() += 1;
                        asking.spawn(async move {
                            this.ask(due).await;
                            source
                        });
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "no look-up can be taken");
                        break;
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.settings.poll) => {}
                Some(asked) = asking.join_next() => match asked {
                    Ok(source) => {
                        let count = under_way.entry(source).or_default();
                        *count = count.saturating_sub(1);
                    }
                    // One that panicked is not counted any more, nor is any other.
                    Err(_) => under_way.clear(),
                },
            }
        }
        while asking.join_next().await.is_some() {}
    }

    /// Asks for one that is due; false where there is none. For tests and for whoever wants to decide about the rhythm.
    pub async fn step(&self) -> Result<bool, StoreError> {
        match self.take(&BTreeMap::new()).await? {
            Some(due) => {
                self.ask(due).await;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn take(&self, under_way: &BTreeMap<String, usize>) -> Result<Option<DueLookUp>, StoreError> {
        let has_room = |name: &String| under_way.get(name).is_none_or(|count| *count < CONCURRENCY_OF_ONE);
        let look_ups = self.settings.look_ups.iter().filter(|(name, _)| has_room(name));
        let sources: Vec<_> = look_ups.map(|(name, look_up)| (name.clone(), look_up.gap())).collect();
        if sources.is_empty() {
            return Ok(None);
        }
        self.store.take_look_up(&sources).await
    }

    async fn ask(&self, due: DueLookUp) {
        let Some(look_up) = self.settings.look_ups.get(&due.source) else { return };
        let span = tracing::info_span!(
            "look_up",
            otel.kind = "client",
            source = due.source,
            offboarding = %due.id,
            result = tracing::field::Empty
        );
        let begun = Instant::now();
        let answer = self.client.ask(&due.source, look_up, &due.person).instrument(span.clone()).await;
        metrics::histogram!("leaver_look_up_seconds", "source" => due.source.clone()).record(begun.elapsed());
        let result = match &answer {
            Ok(_) => "answered",
            Err(failure) => failure.as_str(),
        };
        span.record("result", result);
        metrics::counter!("leaver_look_ups_total", "source" => due.source.clone(), "result" => result)
            .increment(1);
        if let Err(Failure::Throttled(Some(pause))) = &answer
            && let Err(error) = self.store.pause_look_ups(&due.source, *pause).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "a source's pause is not stored");
        }
        let (words, answered) = self.judge(look_up, &due, answer, Utc::now());
        match self.store.look_up_answered(&due, &self.worker, &words, answered).await {
            Ok(true) => {}
            Ok(false) => tracing::info!(offboarding = %due.id, "it changed while the HRIS was asked"),
            // It stays taken for a while, and is then asked again.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an answer could not be stored");
            }
        }
    }

    /// Says in words what came back, and what it changes.
    fn judge(
        &self,
        look_up: &LookUp,
        due: &DueLookUp,
        answer: Result<LookUpAnswer, Failure>,
        now: DateTime<Utc>,
    ) -> (String, Answered) {
        let moment = |event: &TerminationEvent| {
            let zone = look_up.date_zone().unwrap_or(&self.settings.zone);
            let time = look_up.effective_at().and_then(|text| text.parse().ok());
            policy::effective_moment(&event.effective, zone, time.unwrap_or(self.settings.effective_at))
        };
        match answer {
            Err(failure) if failure.is_final() => (failure.to_string(), Answered::Unclear),
            Err(failure) => (failure.to_string(), self.failed(due)),
            Ok(LookUpAnswer::NoAnswer) => ("there is no record in the answer".to_owned(), self.failed(due)),
            Ok(LookUpAnswer::Unclear(why)) => (why.to_owned(), Answered::Unclear),
            Ok(LookUpAnswer::Stays(_))
                if due.stays_for.is_none_or(|since| since < self.settings.second_look) =>
            {
                let rest = self.settings.second_look.saturating_sub(due.stays_for.unwrap_or_default());
                ("stays, as far as one look tells".to_owned(), Answered::StaysSoFar(rest))
            }
            Ok(LookUpAnswer::Stays(event)) => {
                let intake = Intake::Rescind(None);
                ("stays".to_owned(), Answered::Says(said(due, event, intake, now)))
            }
            Ok(LookUpAnswer::Left(event)) => match (&event.effective, moment(&event)) {
                // What it confirms is known already.
                (Effective::Missing, _) if due.status == Status::Scheduled => {
                    ("has left".to_owned(), Answered::Confirmed)
                }
                // A date is never given up for none.
                (Effective::Missing, _) if due.dated => self.leaves(due, event, Some(due.effective_at), now),
                (Effective::Unreadable, _) => ("the date can't be read".to_owned(), Answered::Unclear),
                (_, at) => self.leaves(due, event, at, now),
            },
            Ok(LookUpAnswer::NotYet(event)) => match moment(&event) {
                None => ("still works, and no date is known".to_owned(), Answered::Unclear),
                Some(at) if at > now => self.leaves(due, event, Some(at), now),
                Some(at) if now < at.max(due.effective_at) + SETTLES_WITHIN => (
                    format!("should have left {} and still works", at.to_rfc3339()),
                    Answered::Again(NOT_YET_RECHECK),
                ),
                Some(at) => {
                    (format!("should have left {} and still works", at.to_rfc3339()), Answered::Unclear)
                }
            },
        }
    }

    fn leaves(
        &self,
        due: &DueLookUp,
        event: TerminationEvent,
        at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> (String, Answered) {
        // As fine as the database keeps it.
        let at = at.map(|at| at.trunc_subsecs(6));
        let words = at.map_or_else(|| "has left".to_owned(), |at| format!("leaves {}", at.to_rfc3339()));
        let email = event.person.email_key();
        let nothing_new = email.is_none() || email == due.person.email_key();
        if due.status == Status::Scheduled && at == Some(due.effective_at) && nothing_new {
            return (words, Answered::Confirmed);
        }
        let judged = TerminationEvent {
            directive: Directive::Terminate,
            effective: at.map_or(Effective::Missing, Effective::At),
            person: known(&due.person, &event.person),
            ..event.clone()
        };
        let intake = policy::intake(&judged, &self.settings.zone, self.settings.effective_at, now);
        (words, Answered::Says(said(due, event, intake, now)))
    }

    fn failed(&self, due: &DueLookUp) -> Answered {
        let doubled = self.settings.retry_base.saturating_mul(2_u32.saturating_pow(due.attempt.min(30)));
        // Half of it at least: many that failed together must not return together, nor at once.
        let delay = doubled.min(self.settings.retry_max).mul_f64(rand::random_range(0.5..=1.0));
        Answered::Failed { delay, hold: due.attempt + 1 >= self.settings.attempts_max }
    }
}

/// Who was asked for, and what the answer adds.
fn known(asked: &PersonRef, found: &PersonRef) -> PersonRef {
    PersonRef {
        email: found.email.clone().or_else(|| asked.email.clone()),
        external_id: asked.external_id.clone().or_else(|| found.external_id.clone()),
    }
}

/// An answer as a word of the HRIS: what was understood of it is kept, and not the record, which holds more about the person
/// than this service has to know.
fn said(due: &DueLookUp, event: TerminationEvent, intake: Intake, now: DateTime<Utc>) -> Delivery {
    let person = known(&due.person, &event.person);
    let effective = match (&intake, &event.effective) {
        (Intake::Schedule(at) | Intake::Hold(_, at), _) => Some(at.to_rfc3339()),
        (Intake::Rescind(_) | Intake::Ignore, _) => None,
    };
    let word = match intake {
        Intake::Rescind(_) => "stays",
        Intake::Schedule(_) | Intake::Hold(..) | Intake::Ignore => "leaves",
    };
    let body = json!({
        "look_up": { "offboarding": due.id, "says": word, "email": person.email,
                     "external_id": person.external_id, "effective_at": effective, "at": now.to_rfc3339() },
    });
    let body = body.to_string().into_bytes();
    let item = Item {
        event_id: format!("{}{}", policy::LOOKED_UP, Uuid::now_v7()),
        content_digest: Sha256::digest(&body).into(),
        again_after: None,
        person,
        termination_type: event.termination_type,
        sequence: None,
        occurred_at: Some(now),
        intake,
        look_up: false,
        noted: Noted::default(),
    };
    Delivery {
        source: due.source.clone(),
        key_index: 0,
        headers: BTreeMap::new(),
        body,
        items: vec![item],
        asked: None,
    }
}
