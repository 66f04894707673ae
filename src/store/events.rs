//! Accepting a delivery: the event, what it changes about the offboarding of its person, and the journal, in one
//! transaction. The offboardings themselves are in `cases`, what was said before in `words`.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::asked::{lock_user, note_requester};
use super::cases::{self, Case};
use super::journal::{self, NewEntry};
use super::look_ups;
use super::words::{self, Kept, Stored};
use super::{Store, StoreError, Tx, WAKE_CHANNEL, in_transaction, tokens, word};
use crate::offboarding::policy::{self, Act, Intake, LastWord, News, Said};
use crate::offboarding::{Action, Directive, OffboardingId, Outcome, PersonRef, Reason, Status};

pub use super::asked::AskedBy;

/// An authentic delivery, read and judged.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The source's name.
    pub source: String,
    /// Which of its keys verified the delivery, counted from 0.
    pub key_index: usize,
    /// The body as it came.
    pub body: Vec<u8>,
    /// The headers that the source's profile reads, by name; no other header is stored.
    pub headers: BTreeMap<String, String>,
    /// One item per person.
    pub items: Vec<Item>,
    /// Who asked for it, where it is an operator's own termination and no source's event.
    pub asked: Option<AskedBy>,
}

/// One person's part of a delivery.
#[derive(Clone, Debug)]
pub struct Item {
    /// The idempotency key within the source.
    pub event_id: String,
    /// SHA-256 of what has to be equal when the id arrives again.
    pub content_digest: [u8; 32],
    /// How much later the same id is another event; `None`: never.
    pub again_after: Option<TimeDelta>,
    /// Who.
    pub person: PersonRef,
    /// The kind of termination.
    pub termination_type: Option<String>,
    /// The sender's own count.
    pub sequence: Option<i64>,
    /// When it happened at the sender.
    pub occurred_at: Option<DateTime<Utc>>,
    /// What the policy makes of it.
    pub intake: Intake,
    /// Whether the HRIS is to be asked what the event does not say.
    pub look_up: bool,
    /// How it was read.
    pub noted: Noted,
}

/// How an item was read, for whoever looks at the event later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// The sender's own word for what happened.
    pub word: Option<String>,
    /// What the matching rule of the profile asks for; `None` where no rule matched or nothing could be read.
    pub directive: Option<Directive>,
    /// Why it could not be understood.
    pub unreadable: Option<&'static str>,
}

impl Noted {
    /// Whether it has a word for what happened, and the profile has no rule for that.
    pub fn is_unknown(&self) -> bool {
        self.word.is_some() && self.directive.is_none()
    }
}

/// What a delivery came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored for the first time.
    New(Receipt),
    /// Stored for the first time, and a person has to look.
    Held(Receipt),
    /// Stored for the first time, and there is nothing to act on.
    Ignored(Receipt),
    /// Stored before.
    Duplicate(Receipt),
    /// An id of it is known with other content; nothing of the delivery was stored.
    Conflict,
}

/// What the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The id of the delivery's first event.
    pub event_id: String,
    /// The offboardings that it belongs to, as they are now.
    pub offboardings: Vec<Brief>,
}

/// An offboarding in a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Which.
    pub id: OffboardingId,
    /// Where it stands.
    pub status: Status,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why it is held, failed or cancelled.
    pub reason: Option<Reason>,
}

/// What one item came to.
struct ItemResult {
    /// The id of the event that it is.
    event_id: String,
    came_to: CameTo,
}

enum CameTo {
    New(Option<OffboardingId>),
    Held(OffboardingId),
    Known(Option<OffboardingId>),
}

impl Store {
    /// Stores a delivery and opens or joins the offboardings it speaks of. Returns only after the commit.
    pub async fn accept_termination(&self, delivery: Delivery) -> Result<Accepted, StoreError> {
        let stored = in_transaction(&self.ingest, move |tx| {
            let delivery = delivery.clone();
            Box::pin(async move { accept(tx, &delivery).await })
        })
        .await;
        match stored {
            Err(StoreError::EventIdReused) => Ok(Accepted::Conflict),
            other => other,
        }
    }
}

/// Accepts a delivery inside a transaction that may have changed something else with it.
pub(super) async fn accept(tx: Tx<'_>, delivery: &Delivery) -> Result<Accepted, StoreError> {
    lock_people(tx, delivery, Vec::new()).await?;
    // In the order of their ids, so that two deliveries that share events never wait for each other in a circle.
    let mut order: Vec<usize> = (0..delivery.items.len()).collect();
    order.sort_by(|a, b| delivery.items[*a].event_id.cmp(&delivery.items[*b].event_id));
    let (mut new, mut held, mut acting) = (false, false, false);
    let mut offboardings = Vec::new();
    let mut first = String::new();
    for index in order {
        let item = accept_item(tx, delivery, &delivery.items[index]).await?;
        if index == 0 {
            first = item.event_id;
        }
        let offboarding = match item.came_to {
            CameTo::New(offboarding) => {
                (new, acting) = (true, acting || offboarding.is_some());
                offboarding
            }
            CameTo::Held(offboarding) => {
                (new, held) = (true, true);
                Some(offboarding)
            }
            CameTo::Known(offboarding) => offboarding,
        };
        offboardings.extend(offboarding.map(|id| (index, id)));
    }
    if new {
        tokens::forget(tx, &delivery.source).await?;
    }
    offboardings.sort();
    let mut ids: Vec<OffboardingId> = Vec::new();
    for (_, id) in offboardings {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let receipt = Receipt { event_id: first, offboardings: briefs(tx, &ids).await? };
    Ok(match (new, acting, held) {
        (false, ..) => Accepted::Duplicate(receipt),
        (true, true, _) => Accepted::New(receipt),
        (true, false, true) => Accepted::Held(receipt),
        (true, false, false) => Accepted::Ignored(receipt),
    })
}

/// Serialises everything that opens or joins an offboarding of the same person, in one order for everybody. `others` are
/// people whom the delivery does not name any more.
pub(super) async fn lock_people(
    tx: Tx<'_>,
    delivery: &Delivery,
    others: Vec<PersonRef>,
) -> Result<(), StoreError> {
    let mut keys: Vec<String> = Vec::new();
    for person in delivery.items.iter().map(|item| &item.person).chain(&others) {
        keys.extend(person.email_key().map(|email| email_lock(&email)));
        keys.extend(person.external_id.as_ref().map(|id| format!("id {} {id}", delivery.source)));
    }
    lock_keys(tx, keys).await?;
    if let Some(user) = delivery.user() {
        lock_user(tx, user).await?;
    }
    Ok(())
}

/// The lock of an address, in the form in which addresses are compared.
pub(super) fn email_lock(email_key: &str) -> String {
    format!("email {email_key}")
}

/// Serialises everything about the same keys of people, in one order for everybody.
pub(super) async fn lock_keys(tx: Tx<'_>, mut keys: Vec<String>) -> Result<(), StoreError> {
    keys.sort();
    keys.dedup();
    for key in keys {
        sqlx::query!(
            // lock_people
            "select pg_advisory_xact_lock(hashtextextended($1, 0))",
            key
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn accept_item(tx: Tx<'_>, delivery: &Delivery, item: &Item) -> Result<ItemResult, StoreError> {
    let event = Uuid::now_v7();
    let (event_id, stored) = match words::store(tx, event, delivery, item).await? {
        Kept::New(event_id, stored) => (event_id, stored),
        Kept::Known(event_id) => return known_event(tx, delivery, item, event_id).await,
    };
    let taken = take(tx, delivery, item, stored).await?;
    let Some(id) = taken.offboarding else {
        return Ok(ItemResult { event_id, came_to: CameTo::New(None) });
    };
    words::belongs_to(tx, event, Some(id)).await?;
    let actor = delivery.actor();
    let words = delivery.asked.as_ref().map_or(taken.did, |asked| asked.why.as_str());
    let note = NewEntry::note(id, &actor, Action::EventAccepted, Some(words));
    journal::append(tx, NewEntry { target: Some(&event_id), ..note }).await?;
    if delivery.asked.is_some() {
        note_requester(tx, id, &actor).await?;
    }
    sqlx::query!("select pg_notify($1, '')", WAKE_CHANNEL).execute(&mut **tx).await?;
    let held = taken.held || matches!(item.intake, Intake::Hold(..));
    Ok(ItemResult { event_id, came_to: if held { CameTo::Held(id) } else { CameTo::New(Some(id)) } })
}

/// What became of an event.
pub(super) struct Taken {
    /// The offboarding that it belongs to.
    pub(super) offboarding: Option<OffboardingId>,
    /// Whether it put an offboarding into doubt.
    held: bool,
    /// What it changed, in words for the journal.
    pub(super) did: &'static str,
}

impl Taken {
    fn by(offboarding: Option<OffboardingId>, act: Act) -> Self {
        let held = matches!(act, Act::Doubt(_) | Act::OpenInDoubt(_));
        Self { offboarding, held, did: in_words(act) }
    }
}

fn in_words(act: Act) -> &'static str {
    match act {
        Act::Open => "opened it",
        Act::OpenInDoubt(_) => "opened it, in contradiction to another event",
        Act::OpenWithdrawn => "opened it, and it had been withdrawn before",
        Act::Move => "gave it its date and facts",
        Act::Resume => "later than the withdrawal: it goes on",
        Act::Doubt(_) => "put it into doubt",
        Act::Withdraw => "withdrew it",
        Act::Stop => "withdrew it after its first change",
        Act::Learn => "said it again",
        Act::Keep => "changed nothing",
    }
}

/// What an event, which is stored already, means for the offboardings of its person.
pub(super) async fn take(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    stored: Stored,
) -> Result<Taken, StoreError> {
    let taken = match (&item.intake, item.intake.said()) {
        (Intake::Ignore, _) => Taken::by(None, Act::Keep),
        (_, Some(said)) => take_word(tx, delivery, item, said, stored).await?,
        (_, None) => take_hint(tx, delivery, item, stored).await?,
    };
    if item.look_up {
        look_ups::ask_for(tx, taken.offboarding.as_slice()).await?;
    }
    Ok(taken)
}

/// An event that says whether its person leaves: the last word of all that was said decides.
async fn take_word(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    said: Said,
    stored: Stored,
) -> Result<Taken, StoreError> {
    let open = cases::find_open(tx, delivery, item).await?;
    let spoken = words::of_person(tx, delivery, item, &open, stored.arrival).await?;
    let last = policy::last_word(&spoken).ok_or(StoreError::UnknownValue { column: "events.said" })?;
    let hold = match item.intake {
        Intake::Hold(reason, _) => Some(reason),
        Intake::Schedule(_) | Intake::Rescind(_) | Intake::Ignore => None,
    };
    let news = News { said, arrival: stored.arrival, hold, now: stored.judged_at };
    let mut taken =
        match carry_out_all(tx, delivery, item, &open, |case| policy::act(Some(case), last, news)).await? {
            Some(taken) => taken,
            None => {
                let act = policy::act(None, last, news);
                Taken::by(cases::open(tx, delivery, item, act).await?, act)
            }
        };
    if matches!(said, Said::Stays(_)) && !matches!(last, LastWord::Leaves(_)) {
        let failed = match last {
            LastWord::Stays(_) => cases::withdraw_failed(tx, delivery, item).await?,
            LastWord::Contradiction { .. } | LastWord::Leaves(_) => None,
        };
        let late = cases::note_late_withdrawal(tx, delivery, item).await?;
        taken.offboarding = taken.offboarding.or(failed).or(late);
    }
    if taken.offboarding.is_none() {
        taken.offboarding = words::offboarding_of(tx, last).await?;
    }
    Ok(taken)
}

/// An event that only says that something changed, or that can't be understood.
async fn take_hint(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    stored: Stored,
) -> Result<Taken, StoreError> {
    let open = cases::find_open(tx, delivery, item).await?;
    let spoken = words::of_person(tx, delivery, item, &open, stored.arrival).await?;
    let order = policy::hint_order(&delivery.source, item.occurred_at, &spoken);
    let taken =
        carry_out_all(tx, delivery, item, &open, |case| policy::act_on_hint(Some(case), order)).await?;
    match taken {
        Some(taken) => Ok(taken),
        None => {
            let act = policy::act_on_hint(None, order);
            Ok(Taken::by(cases::open(tx, delivery, item, act).await?, act))
        }
    }
}

/// Carries out what the event means for each open offboarding of the person; `None` where there is none.
async fn carry_out_all(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    open: &[Case],
    decide: impl Fn(&policy::Case) -> Act,
) -> Result<Option<Taken>, StoreError> {
    // Of two each keeps its own key: no key may be in two open rows.
    let facts = if open.len() > 1 { PersonRef::default() } else { item.person.clone() };
    let mut taken = None;
    for case in open {
        let act = decide(&case.present);
        cases::carry_out(tx, delivery, item, &facts, case.id, act).await?;
        taken.get_or_insert(Taken::by(Some(case.id), act));
    }
    Ok(taken)
}

async fn known_event(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    event_id: String,
) -> Result<ItemResult, StoreError> {
    let known = sqlx::query!(
        // known_event
        "select content_digest, offboarding_id from events where source = $1 and event_id = $2",
        delivery.source,
        event_id,
    )
    .fetch_one(&mut **tx)
    .await?;
    if known.content_digest != item.content_digest {
        return Err(StoreError::EventIdReused);
    }
    Ok(ItemResult { event_id, came_to: CameTo::Known(known.offboarding_id.map(OffboardingId)) })
}

async fn briefs(tx: Tx<'_>, ids: &[OffboardingId]) -> Result<Vec<Brief>, StoreError> {
    let mut briefs = Vec::with_capacity(ids.len());
    for id in ids {
        let row = sqlx::query!("select status, outcome, reason from offboardings where id = $1", id.0)
            .fetch_one(&mut **tx)
            .await?;
        briefs.push(Brief {
            id: *id,
            status: word(&row.status, "offboardings.status")?,
            outcome: row.outcome.map(|o| word(&o, "offboardings.outcome")).transpose()?,
            reason: row.reason.map(|r| word(&r, "offboardings.reason")).transpose()?,
        });
    }
    Ok(briefs)
}
