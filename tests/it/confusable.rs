//! Addresses that look the same, sound the same, or mean the same to some mail server: each belongs to somebody else, in
//! both directions, however much the search of Genesys Cloud shows.

use std::io::Write;
use std::time::Duration;

use leaver::offboarding::{Outcome, PersonRef, Reason, Status};
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Action, Fault, Id, Matcher, Person, PersonState};
use serde_json::{Value, json};

use crate::stepped::{changes_of, ended, to_the_end};
use crate::support::World;

/// An address, and one that somebody may take for the same.
const CONFUSABLE: &[(&str, &str)] = &[
    // Unicode case folding and compatibility forms.
    ("kate@a01.example", "\u{212A}ate@a01.example"),
    ("dirk@a02.example", "d\u{131}rk@a02.example"),
    ("iris@a03.example", "\u{130}ris@a03.example"),
    ("susan@a04.example", "\u{17F}usan@a04.example"),
    ("strasse@a05.example", "stra\u{DF}e@a05.example"),
    ("fiona@a06.example", "\u{FB01}ona@a06.example"),
    ("jane@a07.example", "\u{FF4A}ane@a07.example"),
    ("jane@a08.example", "jane\u{FF20}a08.example"),
    ("jane@a09.example", "jane@\u{24B6}09.example"),
    ("jane@a10.example", "jane@a10\u{3002}example"),
    // Other scripts.
    ("anna@a11.example", "\u{430}nna@a11.example"),
    ("omar@a12.example", "\u{3BF}mar@a12.example"),
    ("jane@a13.example", "jane@\u{430}13.example"),
    // Marks that are seen by nobody, and two ways to write one letter.
    ("jose@a14.example", "jose\u{301}@a14.example"),
    ("jos\u{E9}@a15.example", "jose\u{301}@a15.example"),
    ("mary@a16.example", "ma\u{200D}ry@a16.example"),
    ("mary@a17.example", "ma\u{200B}ry@a17.example"),
    ("mary@a18.example", "\u{FEFF}mary@a18.example"),
    ("mary@a19.example", "mary\u{AD}@a19.example"),
    ("mary@a20.example", "\u{202E}mary@a20.example"),
    // White space and control characters.
    ("jane@a21.example", "jane@a21.example "),
    ("jane@a22.example", " jane@a22.example"),
    ("jane@a23.example", "jane\t@a23.example"),
    ("jane@a24.example", "jane@a24.example\u{0}"),
    ("jane@a25.example", "jane@a25.example\r\n"),
    ("jane@a26.example", "jane\u{A0}@a26.example"),
    // What some mail server or some parser takes for the same mailbox.
    ("jane@a27.example", "jane+work@a27.example"),
    ("jane.doe@a28.example", "janedoe@a28.example"),
    ("jane@a29.example", "\"jane\"@a29.example"),
    ("jane@a30.example", "jane@a30.example."),
    ("jane@a31.example", "jane@mail.a31.example"),
    ("jane@a32.example", "<jane@a32.example>"),
    ("jane@a33.example", "jane@a33.example,x@a33.example"),
    ("jane@a34.example", "jane%a34.example@a34.example"),
    ("jane@a35.example", "jane(x)@a35.example"),
    ("jane@a36.example", "a36.example!jane@a36.example"),
    ("jane@a37.example", "jane@a37.example@a37.example"),
    ("jane@a38.example", "jane%40a38.example@a38.example"),
    ("jane@a39.example", "%6Aane@a39.example"),
    ("jane@a40.example", "mailto:jane@a40.example"),
    ("jane@a41.example", "jane\\@a41.example"),
    ("jane@xn--mnchen-3ya.a42.example", "jane@m\u{FC}nchen.a42.example"),
    ("jane@[192.0.2.43]", "jane@192.0.2.43"),
    ("jane@a44.example", "jane*@a44.example"),
    // Mere letters.
    ("bill@a45.example", "bi11@a45.example"),
    ("modern@a46.example", "modem@a46.example"),
    ("jane@a47.example", "jane@a47.examp1e"),
    ("jane.o@a48.example", "jane.0@a48.example"),
];

/// The fewest that the table has to have.
const PAIRS_MIN: usize = 30;

/// Lets every search find these people, whatever is looked for.
fn show(world: &World, people: Vec<PersonState>) {
    let rewrite = move |mut answer: Value| {
        let shown = people.iter().map(|person| {
            json!({"id": person.id, "name": person.name, "email": person.email, "version": person.version,
                   "state": person.state.as_str(), "division": {"id": person.division}})
        });
        answer["results"] = shown.collect::<Vec<_>>().into();
        answer["total"] = people.len().into();
        answer["pageCount"] = 1.into();
        answer
    };
    let matcher = Matcher::operation("postUsersSearch").always();
    world.simulator.inject(Fault::after(matcher, Action::mutate(rewrite)));
}

/// Whether the address can be compared at all.
fn is_plain(address: &str) -> bool {
    address.bytes().all(|byte| byte.is_ascii_graphic())
}

fn at_once() -> Settings {
    Settings { not_found_recheck: Duration::ZERO, ..World::settings() }
}

/// How often the wrong one was changed when `named` leaves and `other` is shown as well, or is all that is shown.
async fn wrong_changes(world: &World, named: &str, other: &str, leaver: Leaver) -> usize {
    let there: Vec<Id> = world.simulator.organisation(|org| {
        let named = matches!(leaver, Leaver::IsShown).then_some(named);
        let people = [Some(other), named].into_iter().flatten();
        people.map(|email| org.add_person(Person::new(email, email).tokens(1))).collect()
    });
    let person = |id: &Id| world.simulator.person(id).unwrap();
    show(world, there.iter().map(person).collect());
    let before = person(&there[0]);
    let who = PersonRef { email: Some(named.to_owned()), external_id: None };
    let id = world.terminate_as(who, None).await;
    let view = to_the_end(world, &world.engine_with(at_once()), id).await;
    match (is_plain(named), leaver) {
        (false, _) => {
            assert_eq!(ended(&view), (Status::Held, Some(Reason::AmbiguousPerson)), "{named:?}");
        }
        (true, Leaver::IsShown) => {
            assert_eq!(view.outcome, Some(Outcome::Offboarded), "{named:?} {:#?}", view.journal);
            assert_eq!(person(&there[1]).state, AccountState::Inactive, "{named:?}");
        }
        (true, Leaver::IsNotThere) => {
            assert_eq!(view.outcome, Some(Outcome::NotInGenesys), "{named:?} {:#?}", view.journal);
        }
    }
    world.simulator.clear_faults();
    let touched = changes_of(world, &there[0]).len();
    assert_eq!(person(&there[0]) == before, touched == 0, "{named:?} and {other:?}");
    // So that the next pair with this domain starts afresh.
    for id in &there {
        world.simulator.organisation(|org| org.edit(id, |person| person.state = AccountState::Deleted));
    }
    touched
}

#[derive(Clone, Copy)]
enum Leaver {
    IsShown,
    IsNotThere,
}

#[tokio::test]
async fn an_address_that_only_looks_the_same_is_somebody_elses() {
    let mut pairs: Vec<_> = CONFUSABLE.to_vec();
    pairs.sort_unstable();
    pairs.dedup();
    assert!(pairs.len() >= PAIRS_MIN && pairs.iter().all(|(one, other)| one != other), "{}", pairs.len());
    let world = World::new().await;
    let (mut wrong, mut cases) = (0, 0);
    for (one, other) in &pairs {
        // A NUL is refused with the whole delivery, because Postgres can't store it.
        let both = [(one, other), (other, one)].into_iter().filter(|(named, _)| !named.contains('\0'));
        for (named, other) in both {
            for leaver in [Leaver::IsShown, Leaver::IsNotThere] {
                wrong += wrong_changes(&world, named, other, leaver).await;
                cases += 1;
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "{} pairs of confusable addresses in {cases} cases: the wrong one changed {wrong} times",
        pairs.len()
    );
    assert_eq!(wrong, 0);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn only_the_case_of_ascii_letters_does_not_matter_before_and_behind_the_at() {
    let world = World::new().await;
    let jane =
        world.simulator.organisation(|org| org.add_person(Person::new("Jane", "Jane.DOE@Example.COM")));
    let id = world.terminate("jANE.doe@eXAMPLE.com").await;
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
    assert_eq!(world.simulator.person(&jane).unwrap().state, AccountState::Inactive);
}
