//! Two real replicas under one limit: how many requests reach Genesys Cloud in any minute, what a 429 does, and that all
//! work gets done once.

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use leaver::offboarding::{OffboardingId, Status};
use leaver_simulator::{Action, Effect, Entry, Fault, Id, Joining, Matcher, Options, Person, Rules, presets};
use sqlx::{Connection, PgConnection};

use crate::evidence::{Outcomes, assert_intended, assert_one_writer, assert_order, busiest};
use crate::process::{Worker, until};
use crate::support::World;

const MINUTE: Duration = Duration::from_secs(60);

/// More than a minute and the spread of permits, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(150);

/// How long what was under way when the replicas were told of a 429 may take: below 50 ms on an idle machine, more where
/// other tests keep the processors busy.
const ON_THE_WIRE_MAX_MS: i64 = 500;

const NO_BRAKE: &str = "[policy]\nchanges_per_hour_max = 1000\nchanges_per_day_max = 1000\n";

/// People with a queue of their own, one that all share, a skill and a grant; and the offboardings of all of them.
async fn crowd(world: &World, size: usize) -> Vec<(Id, OffboardingId)> {
    let people: Vec<_> = world.simulator.organisation(|org| {
        let home = org.home();
        let (shared, skill, role) =
            (org.add_queue("All", &home), org.add_skill("Sales"), org.add_role("Agent"));
        presets::fully_assigned_agent(org, "Tom Berg", "tom.berg@example.com", "T1");
        (0..size)
            .map(|n| {
                let own = org.add_queue(&format!("Queue {n}"), &home);
                let email = format!("agent{n}@example.com");
                let agent = Person::new(&format!("Agent {n}"), &email).tokens(1);
                let agent = agent.queue(&own, Joining::Joined).queue(&shared, Joining::Unjoined);
                (org.add_person(agent.skill(&skill, 3.0).grant(&role, &home)), email)
            })
            .collect()
    });
    let mut crowd = Vec::with_capacity(size);
    for (person, email) in people {
        crowd.push((person, world.terminate(&email).await));
    }
    crowd
}

fn replica(world: &World, requests_per_minute: u32) -> Worker {
    Worker::start(&world.config(&format!(
        "requests_per_minute = {requests_per_minute}\n{NO_BRAKE}[worker]\npoll = \"50ms\"\n"
    )))
}

async fn ask(world: &World, question: &'static str) -> i64 {
    let mut connection = PgConnection::connect(world.database.url()).await.expect("a connection");
    sqlx::query_scalar(question).fetch_one(&mut connection).await.expect("a number")
}

/// Until when the replicas keep each other from calling.
async fn blocked_until(world: &World) -> DateTime<Utc> {
    let mut connection = PgConnection::connect(world.database.url()).await.expect("a connection");
    let question = "select blocked_until from genesys_limits where blocked_until is not null";
    sqlx::query_scalar(question).fetch_one(&mut connection).await.expect("a pause")
}

async fn until_all_done(world: &World) {
    until("all are done", LIMIT, async || {
        ask(world, "select count(*) from offboardings where status <> 'done'").await == 0
    })
    .await;
}

/// When each 429 was answered.
fn refusals(calls: &[Entry]) -> Vec<DateTime<Utc>> {
    let throttled = calls.iter().filter_map(|call| call.answered).filter(|answer| answer.status == 429);
    throttled.map(|answer| answer.at).collect()
}

/// Checks that nothing arrived inside a pause but what was under way when the replicas were told of it.
fn assert_silent(calls: &[Entry], told: DateTime<Utc>, until: DateTime<Utc>) {
    let arrivals = calls.iter().map(|call| call.request.arrived_at);
    let delays = arrivals.filter(|at| *at > told && *at < until).map(|at| (at - told).num_milliseconds());
    let delays: Vec<_> = delays.collect();
    let _ = writeln!(
        std::io::stderr(),
        "a 429: under way when the replicas were told, and arrived after ms: {delays:?}"
    );
    assert!(
        delays.iter().all(|delay| *delay < ON_THE_WIRE_MAX_MS),
        "requests inside a Retry-After: {delays:?}"
    );
}

fn assert_each_deactivated_once(calls: &[Entry], crowd: &[(Id, OffboardingId)]) {
    let mut deactivations: HashMap<&str, usize> = HashMap::new();
    for call in calls {
        if call.request.operation == Some("patchUser") && call.effect == Effect::Changed {
            let user = call.request.path.rsplit('/').next().unwrap_or_default();
            *deactivations.entry(user).or_default() += 1;
        }
    }
    assert_eq!(deactivations.len(), crowd.len());
    assert!(crowd.iter().all(|(person, _)| deactivations.get(person.as_str()) == Some(&1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_one_limit_and_one_pause_and_finish_everybody_once() {
    const PEOPLE: usize = 60;
    const PER_MINUTE: u32 = 2000;
    const PAUSE: TimeDelta = TimeDelta::seconds(3);
    let world = World::new().await;
    let crowd = crowd(&world, PEOPLE).await;
    let pause = Action::too_many_requests(3);
    // When both replicas close accounts, on permits that were reserved before.
    world.simulator.inject(Fault::before(Matcher::operation("patchUser").nth(15), pause));
    let replicas = [replica(&world, PER_MINUTE), replica(&world, PER_MINUTE)];
    until_all_done(&world).await;
    drop(replicas);
    let calls = world.simulator.journal();
    let most = busiest(&calls, MINUTE);
    let _ = writeln!(
        std::io::stderr(),
        "busiest minute of two replicas: {most} of {PER_MINUTE} requests, {} in all",
        calls.len(),
    );
    assert!(most <= PER_MINUTE as usize, "{most} requests in a minute");
    assert!(
        calls.len() > PER_MINUTE as usize && most > PER_MINUTE as usize * 3 / 4,
        "the limit was not reached"
    );
    let [refused] = refusals(&calls)[..] else { panic!("not one 429: {:?}", refusals(&calls)) };
    let told = blocked_until(&world).await - PAUSE;
    assert!(told - refused < TimeDelta::seconds(1), "the replicas were told {} later", told - refused);
    assert_silent(&calls, told, refused + PAUSE);
    assert_each_deactivated_once(&calls, &crowd);
    let mut journals = Vec::new();
    for (person, id) in &crowd {
        assert_order(&calls, person, 2);
        journals.push(world.view(*id).await.journal.unwrap_or_default());
    }
    assert!(journals.iter().all(|journal| assert_one_writer(&calls, journal) >= 1));
    let workers: std::collections::HashSet<_> =
        journals.iter().flatten().filter(|line| line.action == "done").map(|line| &line.actor).collect();
    assert_eq!(workers.len(), 2, "both replicas worked");
    assert_intended(&calls, &journals, Outcomes::One);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_limit_that_genesys_announces_wins_over_the_configured_one() {
    const ALLOWED: u32 = 150;
    let rules = Rules { requests_allowed: ALLOWED, ..Rules::default() };
    let world = World::with(Options { rules, ..Options::default() }).await;
    crowd(&world, 16).await;
    let replicas = [replica(&world, 3000), replica(&world, 3000)];
    until("calls have to wait for the next minute", LIMIT, async || {
        ask(
            &world,
            "select count(*) from genesys_calls where stamp > clock_timestamp() + interval '30 seconds'",
        )
        .await
            > 0
    })
    .await;
    for replica in &replicas {
        replica.signal("TERM");
    }
    // Whoever waits for a permit stops as soon as anybody else.
    for replica in &replicas {
        until("the replica has ended", Duration::from_secs(25), async || replica.ended().is_some()).await;
        assert_eq!(replica.ended().and_then(|status| status.code()), Some(0), "{}", replica.log());
    }
    let calls = world.simulator.journal();
    let refused = refusals(&calls).len();
    let _ = writeln!(
        std::io::stderr(),
        "a limit of {ALLOWED} announced: {} requests, {refused} 429s",
        calls.len()
    );
    assert!(refused <= 3, "{refused} requests were refused");
    assert!(calls.len() > ALLOWED as usize * 3 / 4 && busiest(&calls, MINUTE) <= ALLOWED as usize + 3);
    assert_eq!(ask(&world, "select count(*) from offboardings where lease_token is not null").await, 0);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offboarding_costs_no_more_requests_and_time_than_it_needs() {
    const PEOPLE: usize = 24;
    let world = World::new().await;
    let crowd = crowd(&world, PEOPLE).await;
    let engine = world.engine();
    let started = Instant::now();
    for _ in 0..PEOPLE {
        engine.step().await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64() / PEOPLE as f64;
    let requests = world.simulator.journal().len() as f64 / PEOPLE as f64;
    for (_, id) in &crowd {
        assert_eq!(world.view(*id).await.status, Status::Done);
    }
    let _ = writeln!(
        std::io::stderr(),
        "a modest termination without a limit: {requests:.1} requests, {seconds:.3} s one after the other"
    );
    // Two looks, two more complete reads, who it is, what they do right before the first change and the last one, the change of
    // state and its proof, and four removals at the most.
    assert!(requests <= 42.0, "{requests} requests for one person");
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}
