//! What one person costs in calls. The budget of an organisation is a few hundred a minute, and reads are most of it.

use std::collections::BTreeMap;
use std::io::Write;

use leaver::offboarding::{Outcome, PersonRef};
use leaver::plan::choices::{Reporting, RingNumbers, Switch};
use leaver::plan::{Choices, Plan};
use leaver::worker::Settings;
use leaver_simulator::{Joining, Organisation, Person, presets};

use crate::stepped::to_the_end;
use crate::support::World;

const QUEUES: usize = 20;
const GRANTS: usize = 6;
const SKILLS: usize = 15;
const LANGUAGES: usize = 2;

/// Queues and languages go one by one, skills and grants with one call each; no groups, teams or stations. The rest is
/// the same for everybody.
const FORMULA: usize = QUEUES + LANGUAGES + 14;

/// What the formula leaves out: the complete read after the deactivation, of four requests, and the tokens once more.
const AFTER_THE_DEACTIVATION: usize = 4 + 1;

fn agent(organisation: &mut Organisation) {
    let home = organisation.home();
    let mut person =
        Person::new("Jane Doe", "jane@example.com").external_id(presets::AUTHORITY, "E1").tokens(1);
    for number in 0..QUEUES {
        let queue = organisation.add_queue(&format!("Queue {number}"), &home);
        person = person.queue(&queue, if number % 2 == 0 { Joining::Joined } else { Joining::Unjoined });
    }
    for number in 0..GRANTS {
        person = person.grant(&organisation.add_role(&format!("Role {number}")), &home);
    }
    for number in 0..SKILLS {
        person = person.skill(&organisation.add_skill(&format!("Skill {number}")), 3.0);
    }
    for number in 0..LANGUAGES {
        person = person.language(&organisation.add_language(&format!("Language {number}")), 3.0);
    }
    organisation.add_person(person);
}

/// Every request for one person but the one for the token, which holds for a day; and how many there were of each kind.
async fn requests(settings: Settings) -> (usize, BTreeMap<&'static str, usize>) {
    requests_as("involuntary", settings).await
}

async fn requests_as(kind: &str, settings: Settings) -> (usize, BTreeMap<&'static str, usize>) {
    let world = World::new().await;
    world.simulator.organisation(agent);
    let person = PersonRef { email: None, external_id: Some("E1".to_owned()) };
    let id = world.terminate_as(person, Some(kind)).await;
    let settings = Settings { external_id_authority: Some(presets::AUTHORITY.to_owned()), ..settings };
    let view = to_the_end(&world, &world.engine_with(settings), id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
    let mut counted = BTreeMap::new();
    for entry in world.simulator.journal() {
        *counted.entry(entry.request.operation.unwrap_or("unknown")).or_default() += 1;
    }
    counted.remove("oauthToken");
    (counted.values().sum(), counted)
}

fn least() -> Choices {
    let off = ["strip.call_forwarding", "strip.direct_routing_backup", "strip.utilization"];
    let choices = Choices {
        ring_numbers: RingNumbers::LeftOut,
        reports: [("report.callbacks".to_owned(), Reporting::Off)].into(),
        ..Choices::default()
    };
    off.into_iter().fold(choices, |choices, step| choices.switched(step, Switch::Off))
}

#[tokio::test]
async fn one_person_costs_no_more_calls_than_the_formula_allows() {
    let once = |choices| Settings { verify_reads: 1, plan: Plan::new(choices), ..World::settings() };
    let (fewest, each) = requests(once(least())).await;
    let with_utilization = least().switched("strip.utilization", Switch::On);
    let (utilization, _) = requests(once(with_utilization)).await;
    let (default, _) = requests(World::settings()).await;
    let (waited_for, _) = requests_as("voluntary", once(least())).await;
    let _ = writeln!(
        std::io::stderr(),
        "calls for one person: {fewest}, with utilization {utilization}, by default {default}; \
         {waited_for} where interactions are waited for; the formula says {FORMULA} and {AFTER_THE_DEACTIVATION} after the deactivation: {each:?}"
    );
    assert!(fewest <= FORMULA + AFTER_THE_DEACTIVATION, "{fewest}: {each:#?}");
    assert_eq!(fewest, 39, "{each:#?}");
    assert_eq!(waited_for, fewest + 2, "a look before the first change, and one before the deactivation");
    assert!(waited_for <= FORMULA + AFTER_THE_DEACTIVATION, "{waited_for}");
    assert_eq!(utilization, fewest + 3, "one more for each complete read");
    assert_eq!(default, 76);
}
