//! The shared budget of calls, asked directly: windows, order, pauses and announced limits, through the real database
//! whose clock the test moves on by moving everything in it back.

use std::time::{Duration, Instant};

use leaver::genesys::UserId;
use leaver::store::Store;
use leaver::store::budget::Reservation;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::{Connection, PgConnection};

use crate::support::World;

const SLACK: Duration = Duration::from_secs(5);
const MINUTE_SECONDS: f64 = 60.0;

/// Timestamps have microseconds, and a sum of them as seconds is not more exact.
const EXACT: f64 = 1e-5;

/// What was reserved: from when, and how many calls.
#[derive(Clone, Copy, Debug)]
struct Block {
    start: f64,
    calls: u32,
}

/// A budget whose time is the database's plus what the test moved it on.
struct Budget {
    world: World,
    connection: PgConnection,
    moved: f64,
    reserved: Vec<Block>,
    blocked_until: f64,
}

impl Budget {
    async fn new() -> Self {
        let world = World::new().await;
        let connection = PgConnection::connect(world.database.url()).await.unwrap();
        Self { world, connection, moved: 0.0, reserved: Vec::new(), blocked_until: 0.0 }
    }

    async fn seconds(&mut self, question: &'static str) -> f64 {
        sqlx::query_scalar(question).fetch_one(&mut self.connection).await.unwrap()
    }

    async fn now(&mut self) -> f64 {
        self.seconds("select extract(epoch from clock_timestamp())::float8").await + self.moved
    }

    async fn reserve(&mut self, calls: u32, limit: u32) -> Reservation {
        let before = self.now().await;
        let reserved = self.world.store.reserve_calls(calls, limit, SLACK).await.unwrap();
        let after = self.now().await;
        let stamp = self.seconds("select extract(epoch from max(stamp))::float8 from genesys_calls").await;
        let start = stamp + self.moved - SLACK.as_secs_f64();
        let told = reserved.starts_in.as_secs_f64();
        assert!(
            start >= before + told - EXACT && start <= after + told + EXACT,
            "what is written is not what was told: {start} {before} {told}"
        );
        self.reserved.push(Block { start, calls: reserved.calls });
        reserved
    }

    /// Lets time go by.
    async fn advance(&mut self, seconds: f64) {
        for table in [
            "update genesys_calls set stamp = stamp - $1 * interval '1 second'",
            "update genesys_limits set blocked_until = blocked_until - $1 * interval '1 second'",
        ] {
            sqlx::query(table).bind(seconds).execute(&mut self.connection).await.unwrap();
        }
        self.moved += seconds;
    }

    async fn block(&mut self, pause: Duration) {
        self.world.store.block_calls(pause).await.unwrap();
        let until =
            self.seconds("select extract(epoch from blocked_until)::float8 from genesys_limits").await;
        self.blocked_until = self.blocked_until.max(until + self.moved);
    }

    async fn clear(&mut self) {
        for statement in [
            "delete from genesys_calls",
            "update genesys_limits set blocked_until = null, allowed_per_minute = null",
        ] {
            sqlx::query(statement).execute(&mut self.connection).await.unwrap();
        }
        (self.reserved, self.blocked_until) = (Vec::new(), 0.0);
    }

    /// The most calls that any minute may see: the first of them as late as its permit allows, the rest as early.
    fn worst_minute(&self) -> u32 {
        let worst = self.reserved.iter().enumerate().map(|(index, first)| {
            let ends = first.start + SLACK.as_secs_f64() + MINUTE_SECONDS - EXACT;
            let within = self.reserved[index..].iter().take_while(|block| block.start < ends);
            within.map(|block| block.calls).sum()
        });
        worst.max().unwrap_or_default()
    }

    fn is_in_order(&self) -> bool {
        self.reserved.windows(2).all(|pair| pair[0].start <= pair[1].start + EXACT)
    }
}

#[tokio::test]
async fn no_minute_ever_sees_more_than_the_limit_whatever_is_reserved_and_however_late_it_is_used() {
    let mut random = StdRng::seed_from_u64(7);
    let mut budget = Budget::new().await;
    let mut busiest_share: f64 = 0.0;
    for round in 0..25 {
        budget.clear().await;
        let limit = random.random_range(1..=60);
        for _ in 0..30 {
            match random.random_range(0..10) {
                0..=5 => {
                    let calls = random.random_range(1..=4);
                    budget.reserve(calls, limit).await;
                }
                6 => {
                    let calls = random.random_range(1..=limit * 2);
                    let granted = budget.reserve(calls, limit).await.calls;
                    assert_eq!(granted, calls.min(limit), "a bulk is cut down to what a minute holds");
                }
                7 | 8 => budget.advance(random.random_range(0.0..40.0)).await,
                _ => {
                    budget.block(Duration::from_millis(random.random_range(1_000..20_000))).await;
                    let before = budget.blocked_until;
                    budget.reserve(1, limit).await;
                    let start = budget.reserved.last().map(|block| block.start);
                    assert!(start >= Some(before - EXACT), "a call inside a pause");
                }
            }
        }
        let worst = budget.worst_minute();
        assert!(worst <= limit, "round {round}: {worst} calls in a minute of {limit}: {:?}", budget.reserved);
        assert!(budget.is_in_order(), "round {round}: {:?}", budget.reserved);
        busiest_share = busiest_share.max(f64::from(worst) / f64::from(limit));
    }
    assert!(busiest_share > 0.99, "the limit was never reached");
}

#[tokio::test]
async fn a_bulk_waits_its_turn_and_is_not_overtaken_by_single_calls() {
    let mut budget = Budget::new().await;
    budget.reserve(8, 10).await;
    let bulk = budget.reserve(10, 10).await;
    assert!(bulk.starts_in > Duration::from_secs(60), "the first eight count for a minute: {bulk:?}");
    let single = budget.reserve(1, 10).await;
    assert!(single.starts_in >= bulk.starts_in, "{single:?} overtakes {bulk:?}");
    assert!(budget.is_in_order() && budget.worst_minute() <= 10);
}

#[tokio::test]
async fn calls_that_are_a_minute_old_no_longer_count() {
    let mut budget = Budget::new().await;
    budget.reserve(10, 10).await;
    assert!(budget.reserve(1, 10).await.starts_in > Duration::from_secs(60));
    budget.advance(130.5).await;
    assert_eq!(budget.reserve(10, 10).await.starts_in, Duration::ZERO);
    let kept: i64 = sqlx::query_scalar("select count(*) from genesys_calls")
        .fetch_one(&mut budget.connection)
        .await
        .unwrap();
    assert_eq!(kept, 10, "what counts no longer is not kept");
}

#[tokio::test]
async fn a_shorter_pause_does_not_end_a_longer_one() {
    let mut budget = Budget::new().await;
    budget.block(Duration::from_secs(30)).await;
    budget.block(Duration::from_secs(2)).await;
    let blocked = budget.world.store.calls_blocked_for().await.unwrap();
    assert!(blocked > Duration::from_secs(25) && blocked <= Duration::from_secs(30), "{blocked:?}");
    assert!(budget.reserve(1, 10).await.starts_in > Duration::from_secs(25));
    budget.advance(40.0).await;
    assert_eq!(budget.world.store.calls_blocked_for().await.unwrap(), Duration::ZERO);
    assert_eq!(budget.reserve(1, 10).await.starts_in, Duration::ZERO);
}

#[tokio::test]
async fn the_lower_of_the_announced_and_the_configured_limit_holds() {
    for (announced, configured) in [(6, 10), (10, 6)] {
        let mut budget = Budget::new().await;
        budget.world.store.announce_limit(announced).await.unwrap();
        for _ in 0..6 {
            assert_eq!(budget.reserve(1, configured).await.starts_in, Duration::ZERO);
        }
        assert!(budget.reserve(1, configured).await.starts_in > Duration::from_secs(55));
        assert_eq!(budget.worst_minute(), 6);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_reserve_at_the_same_time_do_not_exceed_the_limit_together() {
    const LIMIT: u32 = 20;
    let mut budget = Budget::new().await;
    let replicas = [budget.world.store.clone(), Store::open(budget.world.database.url()).unwrap()];
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let store = replicas[n % 2].clone();
            tokio::spawn(async move { store.reserve_calls(1 + n as u32 % 3, LIMIT, SLACK).await.unwrap() })
        })
        .collect();
    let mut asked = 0;
    for task in tasks {
        asked += task.await.unwrap().calls;
    }
    let stamps: Vec<f64> =
        sqlx::query_scalar("select extract(epoch from stamp)::float8 from genesys_calls order by stamp")
            .fetch_all(&mut budget.connection)
            .await
            .unwrap();
    assert_eq!(stamps.len(), asked as usize);
    budget.reserved =
        stamps.iter().map(|stamp| Block { start: stamp - SLACK.as_secs_f64(), calls: 1 }).collect();
    assert_eq!(budget.worst_minute(), LIMIT);
}

#[tokio::test]
async fn permits_that_were_reserved_before_another_replica_was_told_to_wait_are_used_after_the_wait() {
    let world = World::new().await;
    let user: UserId = world.simulator.organisation(|org| org.stranger()).parse().unwrap();
    let prepaid = world.genesys(1_000_000).prepaid(5).await.unwrap();
    prepaid.user(&user).await.unwrap();
    // What another replica does when it gets a 429.
    world.store.block_calls(Duration::from_secs(1)).await.unwrap();
    let left = world.store.calls_blocked_for().await.unwrap();
    let asked = Instant::now();
    prepaid.user(&user).await.unwrap();
    let calls = world.simulator.journal();
    let arrived = calls.last().unwrap().request.arrived;
    assert!(arrived.duration_since(asked) + Duration::from_millis(20) >= left, "a call inside the pause");
    assert_eq!(calls.len(), 3, "the token and two reads");
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}
