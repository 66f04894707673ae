//! Who takes what is routed directly to a user who is away; without a setting of their own the queue's holds.

use serde_json::{Map, Value};

use super::{Call, Operations};
use crate::answer::{Answer, Problem};
use crate::organisation::{AccountState, Organisation, PersonState};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getRoutingUserDirectroutingbackupSettings", get),
    ("putRoutingUserDirectroutingbackupSettings", put),
    ("deleteRoutingUserDirectroutingbackupSettings", delete),
];

const TOUCHED: &[Kind] = &[Kind::DirectRoutingBackup];

/// What of a body is kept; the users backed up by this one follow from theirs.
const WRITABLE: &[&str] = &["queueId", "userId", "waitForAgent", "agentWaitSeconds"];

/// The published range of `agentWaitSeconds`.
const WAIT_SECONDS: std::ops::RangeInclusive<u64> = 60..=864_000;

fn get(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let person = call.read(organisation, Kind::DirectRoutingBackup, call.value("userId"))?;
    body(organisation, &person).map(Answer::json).ok_or_else(Problem::not_found)
}

fn put(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    check(organisation, call.body)?;
    let fields = call.body.as_object().into_iter().flatten();
    let kept = fields.filter(|(name, value)| WRITABLE.contains(&name.as_str()) && !value.is_null());
    let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let id = call.value("userId");
    call.change(organisation, id, TOUCHED, |person| {
        person.direct_routing_backup = Some(Value::Object(kept));
    })?;
    let person = organisation.person(id).ok_or_else(Problem::not_found)?;
    body(organisation, &person).map(Answer::json).ok_or_else(Problem::not_found)
}

fn delete(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let removed = call
        .change(organisation, call.value("userId"), TOUCHED, |person| person.direct_routing_backup.take())?;
    removed.map(|_| Answer::empty(204)).ok_or_else(Problem::not_found)
}

fn body(organisation: &Organisation, person: &PersonState) -> Option<Value> {
    let mut body = person.direct_routing_backup.clone()?;
    let backed_up = organisation.views(Kind::DirectRoutingBackup).filter(|other| {
        let backup = other.direct_routing_backup.as_ref().and_then(|backup| backup.get("userId"));
        backup.is_some_and(|backup| *backup == person.id.as_str())
    });
    body["backedUpUsers"] = backed_up.map(|other| Value::from(other.id.as_str())).collect();
    Some(body)
}

fn check(organisation: &Organisation, body: &Value) -> Result<(), Problem> {
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    if field("queueId").is_some_and(|queue| !organisation.queues.contains_key(queue)) {
        return Err(Problem::bad_request("The backup queue does not exist."));
    }
    let exists =
        |id: &str| organisation.truth(id).is_some_and(|person| person.state != AccountState::Deleted);
    if field("userId").is_some_and(|user| !exists(user)) {
        return Err(Problem::bad_request("The backup user does not exist."));
    }
    let seconds = body.get("agentWaitSeconds").filter(|seconds| !seconds.is_null());
    if seconds.is_some_and(|seconds| seconds.as_u64().is_none_or(|seconds| !WAIT_SECONDS.contains(&seconds)))
    {
        return Err(Problem::bad_request("agentWaitSeconds must be between 60 and 864000."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::organisation::{Id, Person};
    use crate::probe::Probe;
    use crate::rules::Lag;

    fn path(user: &str) -> String {
        format!("/api/v2/routing/users/{user}/directroutingbackup/settings")
    }

    /// Gives Jane, Tom and a queue.
    async fn people() -> (Probe, Id, Id, Id) {
        let probe = Probe::start().await;
        let (jane, tom, queue) = probe.simulator.organisation(|org| {
            let home = org.home();
            let jane = org.add_person(Person::new("Jane", "jane@example.com"));
            (jane, org.add_person(Person::new("Tom", "tom@example.com")), org.add_queue("Sales", &home))
        });
        (probe, jane, tom, queue)
    }

    #[tokio::test]
    async fn without_a_backup_reading_and_deleting_are_404() {
        let (probe, jane, tom, queue) = people().await;
        assert_eq!(probe.get(&path(&jane)).await.status, 404);
        assert_eq!(probe.delete(&path(&jane)).await.status, 404);
        let body = json!({"queueId": queue, "userId": tom, "waitForAgent": true, "agentWaitSeconds": 60});
        assert_eq!(probe.send("PUT", &path(&jane), &body).await.status, 200);
        assert_eq!(probe.delete(&path(&jane)).await.status, 204);
        assert_eq!(probe.delete(&path(&jane)).await.status, 404);
        assert_eq!(probe.send("PUT", &path("nobody"), &body).await.status, 404);
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn what_was_read_can_be_put_back_and_the_backup_sees_whom_they_back_up() {
        let (probe, jane, tom, queue) = people().await;
        let set = json!({"queueId": queue, "userId": tom, "agentWaitSeconds": 864_000});
        probe.send("PUT", &path(&jane), &set).await;
        let snapshot = probe.get(&path(&jane)).await.body;
        probe.delete(&path(&jane)).await;
        assert_eq!(probe.send("PUT", &path(&jane), &snapshot).await.status, 200);
        assert_eq!(probe.simulator.person(&jane).unwrap().direct_routing_backup, Some(set));
        let own = probe.send("PUT", &path(&tom), &json!({"queueId": queue})).await;
        assert_eq!(own.body["backedUpUsers"], json!([jane]));
    }

    #[tokio::test]
    async fn a_backup_that_does_not_exist_and_a_wait_out_of_range_are_refused() {
        let (probe, jane, tom, _) = people().await;
        probe.simulator.organisation(|org| org.edit(&tom, |person| person.state = AccountState::Deleted));
        for body in [
            json!({"queueId": "nowhere"}),
            json!({"userId": "nobody"}),
            json!({"userId": tom}),
            json!({"agentWaitSeconds": 59}),
            json!({"agentWaitSeconds": 864_001}),
        ] {
            assert_eq!(probe.send("PUT", &path(&jane), &body).await.status, 400, "{body}");
        }
        assert_eq!(probe.simulator.person(&jane).unwrap().direct_routing_backup, None);
    }

    #[tokio::test]
    async fn a_lag_shows_the_old_backup_for_as_many_reads_as_told() {
        let (probe, jane, _, queue) = people().await;
        probe.send("PUT", &path(&jane), &json!({"queueId": queue})).await;
        probe.simulator.set_lag(Kind::DirectRoutingBackup, Lag::Reads(1));
        probe.delete(&path(&jane)).await;
        assert_eq!(probe.get(&path(&jane)).await.status, 200);
        assert_eq!(probe.get(&path(&jane)).await.status, 404);
    }
}
