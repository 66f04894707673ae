//! A mass termination: 500 rightly signed events against four replicas that are killed and started again. The brake lets
//! exactly its limit through, and tells once.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::stream::{self, StreamExt};
use leaver_simulator::{AccountState, Person};
use reqwest::Client;
use serde_json::json;

use crate::approvals::post;
use crate::process::until;
use crate::stepped::is_about;
use crate::support::{BOB, HRIS_SECRET, Service, World, client, signature, termination};

const PEOPLE: usize = 500;
const PER_HOUR: usize = 7;

/// Fewer than the limit: while only they are there the brake can't trip, and so no page can be lost with a killed process.
const BEFORE_THE_TRIP: usize = 5;

/// Longer than any of it takes on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(150);

/// What is read of each person is kept short, so that 500 fit into one minute's requests: who they are and one skill.
const SETTINGS: &str = r#"requests_per_minute = 3000
[policy]
changes_per_hour_max = 7
when_busy = "now"
[plan]
callbacks = "report"
[plan.steps]
queue_memberships = "off"
callbacks = "off"
routing_languages = "off"
utilization = "off"
direct_routing_backup = "off"
groups = "off"
team = "off"
stations = "off"
call_forwarding = "off"
role_grants = "off"
[plan.reports]
callbacks = "off"
[worker]
lease = "4s"
poll = "100ms"
"#;

struct Replicas<'a> {
    world: &'a World,
    running: Vec<Service>,
    logs: Vec<PathBuf>,
}

impl<'a> Replicas<'a> {
    fn start(world: &'a World, count: usize) -> Self {
        let mut replicas = Self { world, running: Vec::new(), logs: Vec::new() };
        (0..count).for_each(|_| replicas.add());
        replicas
    }

    fn add(&mut self) {
        let service = self.world.serve(SETTINGS, &["serve", "--no-migrate"]);
        self.logs.push(service.log.clone());
        self.running.push(service);
    }

    /// Ends the oldest as `kill -9` does, and starts another.
    fn replace_one(&mut self) {
        self.running.remove(0).kill();
        self.add();
    }

    fn pages(&self) -> usize {
        let logs = self.logs.iter().map(|log| std::fs::read_to_string(log).unwrap_or_default());
        logs.map(|log| log.lines().filter(|line| line.contains("the brake has tripped")).count()).sum()
    }
}

async fn deliver(client: &Client, service: &str, number: usize) -> u16 {
    let event =
        termination(&format!("e{number}"), &format!("W{number}"), &format!("agent{number}@example.com"));
    let body = event.to_string();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let request =
        client.post(format!("{service}/webhooks/workday")).header("content-type", "application/json");
    let signed = request
        .header("x-timestamp", now.to_string())
        .header("x-signature", format!("sha256={}", signature(body.as_bytes(), HRIS_SECRET, now)));
    signed.body(body).send().await.map_or(0, |answer| answer.status().as_u16())
}

/// Delivers these events, each to the next replica, as often as it takes.
async fn deliver_all(client: &Client, replicas: &Replicas<'_>, numbers: std::ops::Range<usize>) {
    let services: Vec<_> = replicas.running.iter().map(|service| service.public.clone()).collect();
    let deliveries = numbers.map(|number| {
        let service = services[number % services.len()].clone();
        async move {
            for _ in 0..20 {
                if deliver(client, &service, number).await == 202 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("event {number} was not taken");
        }
    });
    stream::iter(deliveries).buffer_unordered(16).collect::<Vec<()>>().await;
}

async fn all_came_to_rest(world: &World) {
    until("everybody is changed or held", LIMIT, async || {
        world.number("select count(*) from offboardings where status = 'scheduled'").await == 0
    })
    .await;
}

/// The people whom any request was meant to change, and those who are changed in truth.
fn changed(world: &World, people: &[String]) -> (usize, usize) {
    let calls = world.simulator.changing();
    let touched: BTreeSet<_> =
        people.iter().filter(|user| calls.iter().any(|call| is_about(call, user))).collect();
    let everybody = world.simulator.everybody();
    let different = |user: &&String| {
        let person = &everybody[*user];
        person.state != AccountState::Active || person.skills.is_empty()
    };
    (touched.len(), people.iter().filter(different).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_500_people_exactly_the_hours_limit_is_changed_by_four_replicas_with_restarts_and_one_page() {
    let world = World::new().await;
    let people: Vec<_> = world.simulator.organisation(|org| {
        let skill = org.add_skill("Sales");
        let person = |number: usize| {
            let email = format!("agent{number}@example.com");
            Person::new(&email, &email).skill(&skill, 3.0)
        };
        (0..PEOPLE).map(|number| org.add_person(person(number))).collect()
    });
    let mut replicas = Replicas::start(&world, 4);
    let client = client();
    let begun = Instant::now();
    deliver_all(&client, &replicas, 0..BEFORE_THE_TRIP).await;
    replicas.replace_one();
    deliver_all(&client, &replicas, BEFORE_THE_TRIP..200).await;
    until("the brake has told", LIMIT, async || replicas.pages() > 0).await;
    replicas.replace_one();
    deliver_all(&client, &replicas, 200..350).await;
    replicas.replace_one();
    deliver_all(&client, &replicas, 350..PEOPLE).await;
    let delivered = begun.elapsed();
    all_came_to_rest(&world).await;
    let _ = writeln!(
        std::io::stderr(),
        "{PEOPLE} terminations delivered within {:.1} s, all at rest after {:.1} s, {} requests to Genesys Cloud",
        delivered.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        world.simulator.journal().len(),
    );
    assert_eq!(changed(&world, &people), (PER_HOUR, PER_HOUR));
    let held = "select count(*) from offboardings where status = 'held' and reason = 'brake'";
    let done = "select count(*) from offboardings where outcome = 'offboarded'";
    assert_eq!(world.number(done).await, i64::try_from(PER_HOUR).unwrap());
    assert_eq!(world.number(held).await, i64::try_from(PEOPLE - PER_HOUR).unwrap());
    assert_eq!(replicas.pages(), 1, "one page over all logs");

    // An approver releases three of them: exactly these are changed as well.
    let ids = "select id from offboardings where status = 'held' order by id limit 3";
    let ids: Vec<uuid::Uuid> = world.rows(ids).await.iter().map(|row| sqlx::Row::get(row, 0)).collect();
    let body = json!({"ids": ids, "reason": "brake"});
    let answer = post(&replicas.running[0], "/offboardings/approve", BOB, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    all_came_to_rest(&world).await;
    assert_eq!(changed(&world, &people), (PER_HOUR + 3, PER_HOUR + 3));
    assert_eq!(replicas.pages(), 1);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}
