//! A witness at the simulator's side: what one person's reads showed, when they were changed, and whether everything was
//! proved before the account was deactivated. It knows nothing of the engine.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use leaver::offboarding::{Outcome, Status};
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Action, Control, Fault, Intent, Matcher, Then};
use serde_json::Value;

use crate::stepped::{holdings, to_the_end};
use crate::support::World;

/// What a complete read consists of, and how many answers of each it takes: queues are read in two halves.
const COMPLETE_READ: [(&str, usize); 5] = [
    ("getUser", 1),
    ("getUserQueues", 2),
    ("getRoutingUserUtilization", 1),
    ("getUserCallforwarding", 1),
    ("getAuthorizationSubject", 1),
];

/// How old the last complete read may be when the deactivation arrives.
const FRESH: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
enum Sight {
    /// An answer went out, and whether it showed nothing.
    Read { operation: String, empty: bool, at: Instant },
    /// The person was about to be changed.
    Change,
    /// The account was about to be deactivated.
    Deactivation(Instant),
}

/// Writes down, at the simulator's side, what one person's reads showed and when they were changed.
pub(crate) struct Witness(Arc<Mutex<Vec<Sight>>>);

impl Witness {
    pub(crate) fn of(world: &World, user: &str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        for (operation, _) in COMPLETE_READ {
            let seen = Arc::clone(&seen);
            let note = move |answer: Value| {
                let empty = is_empty(&answer);
                let operation = operation.to_owned();
                seen.lock().unwrap().push(Sight::Read { operation, empty, at: Instant::now() });
                answer
            };
            let matcher = Matcher::operation(operation).path(user).always();
            world.simulator.inject(Fault::after(matcher, Action::mutate(note)));
        }
        let (sights, user) = (Arc::clone(&seen), user.to_owned());
        world.simulator.on_request(move |request| {
            let concerned =
                request.path.contains(&user) || String::from_utf8_lossy(&request.body).contains(&user);
            if request.intent == Intent::Changes && concerned {
                let deactivates = request.operation == Some("patchUser");
                let sight = if deactivates { Sight::Deactivation(Instant::now()) } else { Sight::Change };
                sights.lock().unwrap().push(sight);
            }
        });
        Self(seen)
    }

    /// Before each deactivation, and after whatever changed before it, every kind was read to its end at least so
    /// often, the last `reads` times of each showed nothing, and the last of them is fresh.
    pub(crate) fn assert_proved(&self, reads: usize) {
        let seen = self.0.lock().unwrap();
        let mut deactivations = 0;
        for (place, sight) in seen.iter().enumerate() {
            let Sight::Deactivation(moment) = sight else { continue };
            deactivations += 1;
            let before = &seen[..place];
            let changed = before.iter().rposition(|sight| !matches!(sight, Sight::Read { .. }));
            let fresh = &before[changed.map_or(0, |at| at + 1)..];
            for (wanted, each) in COMPLETE_READ {
                let shown: Vec<(bool, Instant)> = fresh
                    .iter()
                    .filter_map(|sight| match sight {
                        Sight::Read { operation, empty, at } if operation == wanted => Some((*empty, *at)),
                        Sight::Read { .. } | Sight::Change | Sight::Deactivation(_) => None,
                    })
                    .collect();
                let last: Vec<_> = shown.iter().rev().take(reads * each).collect();
                assert_eq!(last.len(), reads * each, "reads of {wanted} before deactivation {deactivations}");
                assert!(last.iter().all(|(empty, _)| *empty), "{wanted} was not empty: {last:?}");
                assert!(last.iter().take(each).all(|(_, at)| moment.duration_since(*at) < FRESH));
            }
        }
        assert!(deactivations > 0, "nobody was deactivated");
    }
}

/// Whether an answer shows that the person holds nothing of its kind.
fn is_empty(answer: &Value) -> bool {
    let none = |list: &str| answer[list].as_array().is_some_and(Vec::is_empty);
    let station = |kind: &str| !answer["station"][kind].is_null();
    let expanded = none("skills") && none("languages") && answer["station"].is_object();
    let bare_user = expanded && !station("associatedStation") && !station("defaultStation");
    let shows_none = none("entities") || none("grants") || answer["level"] == "Organization";
    shows_none || answer["enabled"] == false || (bare_user && answer["team"].is_null())
}

/// Lets something happen when the nth request of an operation about this user arrives.
pub(crate) fn when(
    world: &World,
    (operation, nth): (&str, u32),
    user: &str,
    happens: impl Fn(&Control) + Send + Sync + 'static,
) {
    let control: Control = (*world.simulator).clone();
    let matcher = Matcher::operation(operation).path(user).nth(nth);
    let action = Action::call(move |_| happens(&control), Then::Continue);
    world.simulator.inject(Fault::before(matcher, action));
}

pub(crate) fn reading(verify_reads: u32) -> Settings {
    Settings { verify_reads, ..World::settings() }
}

pub(crate) async fn assert_offboarded(world: &World, user: &str, settings: Settings) {
    let email = world.simulator.person(user).unwrap().email;
    let id = world.terminate(&email).await;
    let view = to_the_end(world, &world.engine_with(settings), id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)), "{:#?}", view.journal);
    let left = world.simulator.person(user).unwrap();
    assert_eq!((holdings(&left), left.state, left.tokens), (vec![], AccountState::Inactive, 0));
}
