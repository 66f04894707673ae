//! Lists as they come: in each form that is read, and with each mistake, by line and column.

use std::collections::BTreeMap;

use super::*;
use crate::offboarding::Zone;
use crate::offboarding::choices::{EffectiveAt, OffQueue, OnQueue, Order, ShiftEnd, WhenBusy};
use crate::offboarding::policy::BusyPolicy;
use crate::operate::ExternalIds;
use crate::plan::{Choices, Plan};

fn rules(authority: Option<&str>) -> Rules {
    let none = std::time::Duration::ZERO;
    Rules {
        plan: Plan::new(Choices::default()),
        order: Order::StripFirst,
        order_by_type: BTreeMap::new(),
        protected: Vec::new(),
        busy: BusyPolicy {
            when_busy: WhenBusy::Wait,
            on_queue: OnQueue::Go,
            off_queue: OffQueue::Leave,
            shift_end: ShiftEnd::Ignore,
            shift_grace: none,
            recheck: none,
            wait_max: none,
        },
        immediate_types: Vec::new(),
        administrator_roles: Vec::new(),
        time_zone: Zone::utc(),
        external_id_authority: authority.map(str::to_owned),
        external_id_authority_by_source: BTreeMap::from([("csv".to_owned(), String::new())]),
    }
}

fn read_under(authority: Option<&str>, bytes: &[u8]) -> Result<Leavers, String> {
    let own_rules = OwnRules {
        zone: Zone::utc(),
        effective_at: EffectiveAt::EndOfDay,
        external_ids: ExternalIds::Unknown,
    };
    let sources = ["csv", "hr"].map(str::to_owned).into();
    read_leavers(bytes, &rules(authority), &own_rules, &sources).map_err(|error| error.to_string())
}

fn read(text: &str) -> Leavers {
    read_under(Some("hris"), text.as_bytes()).unwrap()
}

/// What is wrong with a list.
fn mistake(text: &str) -> String {
    read_under(Some("hris"), text.as_bytes()).unwrap_err()
}

const USER: &str = "4c3c9f7e-9a0b-4d6d-9e0e-0a1b2c3d4e5f";

#[test]
fn whoever_stands_behind_another_kind_of_line_end_is_on_the_list_too() {
    let list = read("email\na@b.c\rb@b.c\r\nc@b.c");
    let addresses: Vec<_> = list.people.iter().filter_map(|leaver| leaver.email.as_deref()).collect();
    assert_eq!(addresses, ["a@b.c", "b@b.c", "c@b.c"]);
    // A Kelvin sign is no k: these are two addresses.
    let list = read("email\nkate@b.c\n\u{212a}ate@b.c");
    assert!(list.people.iter().all(|leaver| leaver.same_as.is_none()), "{list:?}");
}

#[test]
fn a_list_is_read_in_every_form_in_which_spreadsheets_write_it() {
    let plain = "email,external_id,left_on,source,type\nA@b.c,W 1,2026-03-31,hr,voluntary\n";
    let forms = [
        plain.to_owned(),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        plain.replace(',', ";"),
        plain.replace(',', "\t"),
        format!("\u{feff}{plain}"),
        plain.trim_end().to_owned(),
        plain.replace("A@b.c", "\"A@b.c\"").replace("email", "\"E-Mail\""),
        plain.replace("W 1", "  W 1 ").replace("left_on", " Effective At"),
        plain.replace("external_id", "External ID").replace(",type", ",TYPE"),
    ];
    let expected = Leaver {
        line: 2,
        email: Some("A@b.c".to_owned()),
        external_id: Some("W 1".to_owned()),
        genesys_user_id: None,
        source: Some("hr".to_owned()),
        left_on: Some("2026-03-31".to_owned()),
        left_at: Some("2026-04-01T00:00:00Z".parse().unwrap()),
        termination_type: Some("voluntary".to_owned()),
        same_as: None,
    };
    for form in forms {
        let list = read(&form);
        assert_eq!((list.people, list.notes), (vec![expected.clone()], Vec::new()), "{form:?}");
    }
    let told = read(&format!("sep=;\r\n{}", plain.replace(',', ";")));
    assert_eq!(told.people, [Leaver { line: 3, ..expected }]);
}

#[test]
fn a_separator_inside_quotation_marks_separates_nothing() {
    let list = read("email;\"name, first, second, third\";left_on\na@b.c;\"Doe; Jane\";2026-01-02\n");
    assert_eq!(list.people[0].left_on.as_deref(), Some("2026-01-02"));
    assert_eq!(list.notes, ["columns that are not read: \"name, first, second, third\""]);
}

#[test]
fn what_is_left_out_is_said() {
    let list = read("Email,Name,Department\na@b.c,Ann,X\n\n,,\n  \nd@e.f,Dan,Y\n");
    assert_eq!(list.people.iter().map(|leaver| leaver.line).collect::<Vec<_>>(), [2, 6]);
    assert_eq!(
        list.notes,
        [
            "columns that are not read: \"Name\", \"Department\"",
            "no column left_on or effective_at: everybody counts as gone by now",
            "empty lines left out: 3",
        ]
    );
}

#[test]
fn the_same_words_twice_are_one_person_and_other_words_are_not() {
    let list = read("email,left_on\na@b.c,2026-01-02\nA@B.C,2026-01-02\na@b.c,2026-01-03\n");
    assert_eq!(list.people.iter().map(|leaver| leaver.same_as).collect::<Vec<_>>(), [None, Some(2), None]);
}

#[test]
fn every_mistake_names_its_line_and_its_column() {
    let head = "email,external_id,genesys_user_id,left_on,source,type\n";
    for (line, expected) in [
        ("a,,,,,", "line 2, column email: is no e-mail address"),
        (",,4c3c,,,", "line 2, column genesys_user_id: is no id of a Genesys user"),
        ("a@b.c,,,31.03.2026,,", "line 2, column left_on: expected RFC 3339"),
        ("a@b.c,,,0001-01-01,,", "line 2, column left_on: "),
        ("a@b.c,,,,workday,", "line 2, column source: is no configured source; there is csv, hr"),
        ("a@b.c\u{7},,,,,", "line 2, column email: has control characters"),
        ("a@b.c,W\u{0}1,,,,", "line 2, column external_id: has control characters"),
        (",,,2026-03-31,,", "line 2, columns email, external_id, genesys_user_id: all are empty"),
        (",W1,,,csv,", "line 2, column external_id: no authority is configured"),
        ("a@b.c,,,", "line 2: has 4 values, and the heading names 6 columns"),
        ("a@b.c,,,,,,x", "line 2: has 7 values, and the heading names 6 columns"),
        ("a@b.c,\"W1,,,,", "line 2: a quotation mark is missing"),
        ("\"a@b.c\nd@e.f\",,,,,", "line 2: a quotation mark is missing"),
    ] {
        let mistake = mistake(&format!("{head}{line}\n"));
        assert!(
            mistake.starts_with("--csv: nobody was looked up: ") && mistake.contains(expected),
            "{mistake}"
        );
    }
    let long = mistake(&format!("{head}{}@b.c,,,,,\n", "x".repeat(300)));
    assert!(long.contains("column email: has more than 254 characters") && !long.contains("xx"), "{long}");
    let two = mistake(&format!("{head}a,,{USER}x,,,\n,,,,,\nb,,,,,\n"));
    for part in ["line 2, column email", "line 2, column genesys_user_id", "line 4, column email"] {
        assert!(two.contains(part), "{part}: {two}");
    }
    let many = mistake(&format!("{head}{}", "x,,,,,\n".repeat(25)));
    assert!(
        many.ends_with("; and 5 more") && many.contains("line 21,") && !many.contains("line 22,"),
        "{many}"
    );
}

#[test]
fn a_list_that_is_none_is_refused_as_a_whole() {
    for (text, expected) in [
        ("", "--csv: is empty"),
        ("\n  \n", "--csv: is empty"),
        ("jane@example.com\ntom@example.com\n", "line 1: the heading names none of the columns"),
        ("left_on,source\n2026-01-01,hr\n", "line 1: the heading names none of the columns"),
        ("email,E-Mail\na@b.c,d@e.f\n", "line 1: the heading names email more than once"),
        ("email,left_on,effective_at\n", "line 1: the heading names left_on more than once"),
    ] {
        let mistake = mistake(text);
        assert!(mistake.contains(expected), "{text:?}: {mistake}");
    }
    let raw = |bytes: &[u8]| read_under(None, bytes).unwrap_err();
    assert!(raw(b"\xff\xfee\0m\0a\0i\0l\0").contains("UTF-16"));
    assert!(raw(b"email\na@b.c\nm\xfcller@b.c\n").contains("line 3: is not UTF-8"));
    assert!(raw(&vec![b'x'; BYTES_MAX + 1]).contains("is larger than"));
    let people = (0..=PEOPLE_MAX).map(|number| format!("a{number}@b.c\n")).collect::<String>();
    assert!(mistake(&format!("email\n{people}")).contains("names more than 10000 people"));
}

#[test]
fn an_external_id_needs_an_authority_and_nothing_else_does() {
    let list = format!("email,external_id,genesys_user_id\na@b.c,W1,\n,W2,{USER}\n");
    assert_eq!(read_under(None, list.as_bytes()).unwrap().people.len(), 2);
    let alone = read_under(None, b"external_id\nW1\n").unwrap_err();
    assert!(alone.contains("line 2, column external_id: no authority is configured"), "{alone}");
    assert_eq!(read("external_id\nW1\n").people.len(), 1);
}
