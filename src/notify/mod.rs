//! Tells others what became of an offboarding: takes from the outbox what is due, sends it, signed, and writes down what came
//! of it. What is written into the outbox, and when, is left to the database; how it looks to a target, to the configuration.

mod client;
mod message;
mod places;
mod signing;
mod target;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use reqwest::Url;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::offboarding::Actor;
use crate::store::callbacks::{DueCallback, Health, Next, Tried};
use crate::store::{Store, StoreError};

pub use client::{BuildError, Failure};
use client::{Client, PAUSE_MAX};
use message::Message;
pub use target::{Target, TargetError};
pub use template::templates;

/// Calls at the same time, and to one target: one that does not answer must not keep the others waiting.
const CONCURRENCY: usize = 8;
const CONCURRENCY_OF_ONE: usize = 2;

/// The bounds of the pause after a failure, doubled each time, and for how long tries go on, all as Standard Webhooks
/// advises: a receiver that comes back after a long weekend still hears of everything.
const RETRY_BASE: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(6 * 3600);
const RETRY_MIN: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(3 * 86_400);

/// The bounds of the pause of a target that is away. Short, because one call at a time finds out that it is back.
const AWAY_BASE: Duration = Duration::from_secs(1);
const AWAY_MAX: Duration = Duration::from_secs(5 * 60);

/// How often is looked for what was kept or has waited long enough.
const SWEEP_PAUSE: Duration = Duration::from_secs(60);

/// What a target answered to a test, or why it did not.
pub type TestAnswer = Result<u16, Failure>;

/// Why a target can't be tried with nobody's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its address names a person, and a test is about nobody")]
pub struct NamesPerson;

/// Sends what is due. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    store: Store,
    client: Client,
    targets: Arc<BTreeMap<String, Target>>,
    console: Option<Url>,
    poll: Duration,
    worker: Actor,
}

impl Notifier {
    /// Makes it, with a name of its own for the journal. `console` is where people look at an offboarding, `poll` the time
    /// between two looks into the outbox.
    pub fn new(
        store: Store,
        targets: Vec<Target>,
        console: Option<Url>,
        poll: Duration,
    ) -> Result<Self, BuildError> {
        let mut id = Uuid::new_v4().simple().to_string();
        id.truncate(12);
        let targets = targets.into_iter().map(|target| (target.name.clone(), target)).collect();
        let targets = Arc::new(targets);
        Ok(Self { store, client: Client::new()?, targets, console, poll, worker: Actor::Worker(id) })
    }

    /// Sends until `stop`, and finishes what is being sent.
    pub async fn run(&self, stop: CancellationToken) {
        if !self.announced(&stop).await {
            return;
        }
        let mut sending = JoinSet::new();
        let mut under_way: BTreeMap<String, usize> = BTreeMap::new();
        let mut swept: Option<Instant> = None;
        while !stop.is_cancelled() {
            if swept.is_none_or(|at| at.elapsed() >= SWEEP_PAUSE) {
                swept = Some(Instant::now());
                self.announce_again().await;
                self.sweep().await;
            }
            while sending.len() < CONCURRENCY {
                let Some(due) = self.next(&under_way).await else { break };
                let (this, target) = (self.clone(), due.target.clone());
                *under_way.entry(target.clone()).or_default() += 1;
                sending.spawn(async move {
                    this.tell(due).await;
                    target
                });
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.poll) => {}
                Some(sent) = sending.join_next() => match sent {
                    Ok(target) => {
                        let count = under_way.entry(target).or_default();
                        *count = count.saturating_sub(1);
                    }
                    // One that panicked is not counted any more, nor is any other.
                    Err(_) => under_way.clear(),
                },
            }
        }
        while sending.join_next().await.is_some() {}
    }

    /// Says whom the outbox is written for from now on; whom nobody has named for some minutes is not any more. For tests; `run`
    /// does it by itself.
    pub async fn announce(&self) -> Result<(), StoreError> {
        let targets: Vec<_> =
            self.targets.values().map(|target| (target.name.clone(), target.events.clone())).collect();
        self.store.set_callback_targets(&targets).await
    }

    /// Sends one that is due; false where there is none. For tests and for whoever wants to decide about the rhythm.
    pub async fn step(&self) -> Result<bool, StoreError> {
        match self.take(&BTreeMap::new()).await? {
            Some(due) => {
                self.tell(due).await;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Sends a signed test to a target and returns what it answered; nothing is stored.
    pub async fn test(&self, name: &str) -> Option<Result<TestAnswer, NamesPerson>> {
        let target = self.targets.get(name)?;
        if target.names_person() {
            return Some(Err(NamesPerson));
        }
        Some(Ok(self.client.send(target, &Message::test(Utc::now())).await))
    }

    /// Until the database has taken it; false where it is to stop before.
    async fn announced(&self, stop: &CancellationToken) -> bool {
        while let Err(error) = self.announce().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the targets of callbacks are not stored yet"
            );
            tokio::select! { () = tokio::time::sleep(self.poll) => {} () = stop.cancelled() => return false }
        }
        !stop.is_cancelled()
    }

    /// Who is told stays told as long as somebody who is configured so runs.
    async fn announce_again(&self) {
        if let Err(error) = self.announce().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the targets of callbacks could not be stored"
            );
        }
    }

    async fn next(&self, under_way: &BTreeMap<String, usize>) -> Option<DueCallback> {
        self.take(under_way).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "no callback can be taken");
            None
        })
    }

    async fn take(&self, under_way: &BTreeMap<String, usize>) -> Result<Option<DueCallback>, StoreError> {
        let has_room = |name: &&String| under_way.get(*name).is_none_or(|count| *count < CONCURRENCY_OF_ONE);
        let names: Vec<_> = self.targets.keys().filter(has_room).cloned().collect();
        if names.is_empty() {
            return Ok(None);
        }
        self.store.take_callback(&names).await
    }

    async fn tell(&self, due: DueCallback) {
        let Some(target) = self.targets.get(&due.target) else { return };
        let message = Message::new(&due, target.share, self.console.as_ref());
        let answer = self.client.send(target, &message).await;
        let tried = judge(&due, &answer);
        let result = match (&answer, tried.next) {
            (Ok(_), _) => "delivered",
            (Err(_), Next::GiveUp) => "gave_up",
            (Err(failure), _) => failure.as_str(),
        };
        metrics::counter!("leaver_callbacks_total", "event" => due.event.clone(), "result" => result)
            .increment(1);
        say(&due, &answer, &tried);
        // Where it can't be stored it stays taken for a while, and is then sent again under the same id.
        if let Err(error) = self.store.callback_tried(&due, &self.worker, &tried).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                offboarding = %due.offboarding,
                to = due.target,
                "what came of a callback could not be stored"
            );
        }
    }

    async fn sweep(&self) {
        match self.store.sweep_callbacks(PATIENCE).await {
            Ok(given_up) => {
                for (target, count) in given_up {
                    tracing::warn!(
                        to = target,
                        count,
                        "callbacks are given up: their target was away all the time"
                    );
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the outbox could not be swept");
            }
        }
    }
}

/// Says in words what came of a try, and what follows.
fn judge(due: &DueCallback, answer: &TestAnswer) -> Tried {
    let failure = match answer {
        Ok(status) => {
            let words = format!("answers {status}");
            return Tried { words, next: Next::Delivered, target: Health::Answers };
        }
        Err(failure) => failure,
    };
    let asked = failure.pause().unwrap_or_default();
    let tired = due.failing_for.is_some_and(|for_| for_ >= PATIENCE);
    let next = if failure.is_final() || tired {
        Next::GiveUp
    } else {
        let most = doubled(RETRY_BASE, due.attempt.saturating_sub(1)).min(RETRY_MAX);
        // Full jitter: many that failed together must not return together.
        Next::Again(rand::random_range(RETRY_MIN..=most).max(asked))
    };
    let target = if failure.is_of_target() {
        let most = doubled(AWAY_BASE, due.target_failures).min(AWAY_MAX);
        Health::Away(most.mul_f64(rand::random_range(0.5..=1.0)).max(asked).min(PAUSE_MAX))
    } else {
        Health::Answers
    };
    Tried { words: failure.to_string(), next, target }
}

fn doubled(base: Duration, times: u32) -> Duration {
    base.saturating_mul(2_u32.saturating_pow(times.min(30)))
}

/// Each trouble once, and not once for each try.
fn say(due: &DueCallback, answer: &TestAnswer, tried: &Tried) {
    let (offboarding, to, callback) = (due.offboarding, due.target.as_str(), due.id);
    match (answer, tried.next, tried.target) {
        (Ok(_), ..) if due.target_failures > 0 => {
            tracing::info!(to, "a target of callbacks answers again");
        }
        (Ok(_), ..) => {}
        (Err(_), Next::GiveUp, _) => tracing::warn!(
            %offboarding, to, %callback, result = tried.words,
            "a callback is given up; leaver callbacks repeat sends it once more"
        ),
        (Err(_), _, Health::Away(_)) if due.target_failures == 0 => tracing::warn!(
            %offboarding, to, result = tried.words,
            "a target of callbacks does not take what it is told; it is tried again"
        ),
        (Err(_), _, Health::Answers) if due.attempt == 1 => tracing::warn!(
            %offboarding, to, result = tried.words, "a callback was refused; it is tried again"
        ),
        (Err(_), ..) => {}
    }
}
