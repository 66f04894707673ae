//! One file and one entry: a kind of assignment that the product doesn't know is looked at, stored, taken away, journalled,
//! proved and put back without a change anywhere else.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use leaver::genesys::{CallFailed, Done, Effect, Error, OneCall, UserId};
use leaver::offboarding::{Observation, Outcome, Phase, Status, StepName};
use leaver::plan::{Batch, Choices, Look, PLAN, Plan, PutBacks, Step};
use leaver::store::decisions::Decision;
use leaver::worker::Settings;
use leaver_simulator::AccountState;
use serde_json::json;

use crate::stepped::{decide, slim_agent, snapshot};
use crate::support::World;
use crate::whole::all_to_the_end;

/// The garage: who parks where. No other test parks.
static GARAGE: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

struct ParkingSpace;

#[async_trait]
impl Step for ParkingSpace {
    fn name(&self) -> StepName {
        "strip.parking_space"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "parking space"
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, _look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let garage = GARAGE.lock().unwrap();
        let spaces = cohort.iter().map(|user| garage.get(user.as_str()).map(|space| (user, space)));
        let seen = spaces.map(|found| match found {
            None => Observation::default(),
            Some((user, space)) => {
                Observation::one(user.as_str(), self.name(), space, json!({ "space": space }))
            }
        });
        seen.map(Ok).collect()
    }

    async fn remove(&self, _look: &Look<'_>, _call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        GARAGE.lock().unwrap().remove(&batch.first().user);
        Ok(Done { effect: Effect::Removed, correlation_id: None })
    }

    async fn restore(
        &self,
        _look: &Look<'_>,
        _call: OneCall,
        missing: &PutBacks,
    ) -> Result<Done, CallFailed> {
        let space = missing.first().stored.target.clone();
        GARAGE.lock().unwrap().insert(missing.user().to_owned(), space);
        Ok(Done { effect: Effect::Applied, correlation_id: None })
    }
}

#[tokio::test]
async fn a_kind_of_ones_own_is_carried_out_like_all_others() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    GARAGE.lock().unwrap().insert(user.clone(), "P1-042".to_owned());
    let steps: Vec<&'static dyn Step> =
        [&ParkingSpace as &dyn Step].into_iter().chain(PLAN.iter().copied()).collect();
    let plan = Plan::of(&steps, Choices::default());
    let engine = world.engine_with(Settings { plan, ..World::settings() });
    let id = world.terminate("jane@example.com").await;
    let view = all_to_the_end(&world, &engine, &[id]).await.remove(0);
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
    assert_eq!(GARAGE.lock().unwrap().get(&user), None);
    let stored = snapshot(&world, id).await;
    let parked = stored.iter().find(|(step, ..)| step == "strip.parking_space").unwrap();
    assert_eq!((parked.1.as_str(), &parked.2), ("P1-042", &json!({"space": "P1-042"})));
    let journal = view.journal.unwrap();
    let of_step = journal.iter().filter(|entry| entry.step.as_deref() == Some("strip.parking_space"));
    assert!(of_step.filter(|entry| entry.result.as_deref() == Some("removed")).count() > 0, "{journal:#?}");

    decide(&world, id, Decision::Restore).await;
    let view = all_to_the_end(&world, &engine, &[id]).await.remove(0);
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Restored)), "{:#?}", view.journal);
    assert_eq!(GARAGE.lock().unwrap().get(&user).map(String::as_str), Some("P1-042"));
    assert_eq!(world.simulator.person(&user).unwrap().state, AccountState::Active);
}

#[tokio::test]
async fn a_kind_of_ones_own_that_is_switched_off_is_left_alone() {
    let choices = Choices::default().switched("strip.parking_space", leaver::plan::choices::Switch::Off);
    let plan = Plan::of(&[&ParkingSpace], choices);
    assert!(plan.all().is_empty());
    assert_eq!(plan.left_out().len(), 1);
}
