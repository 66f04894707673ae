//! Tests of ids and of edits behind the client's back.

use super::*;

#[test]
fn the_same_seed_gives_the_same_ids_and_another_seed_others() {
    let ids = |seed| Organisation::new(seed).people();
    assert_eq!(ids(7), ids(7));
    assert_ne!(ids(7), ids(8));
}

#[test]
fn an_edit_that_changes_nothing_leaves_the_version() {
    let mut org = Organisation::new(1);
    let stranger = org.stranger();
    org.edit(&stranger, |person| person.tokens = 3);
    assert_eq!(org.person(&stranger).unwrap().version, 1);
    org.edit(&stranger, |person| person.tokens = 4);
    assert_eq!(org.person(&stranger).unwrap().version, 2);
}

#[test]
fn an_edit_of_nobody_and_one_that_changes_nothing_leave_no_record() {
    let mut org = Organisation::new(1);
    let stranger = org.stranger();
    assert_eq!(org.edit_as("admin", "nobody", "Routing", "Update", |_| ()), None);
    org.edit_as("admin", &stranger, "Routing", "Update", |person| person.tokens = 3);
    assert_eq!(org.audits(), []);
    org.edit_as("admin", &stranger, "Routing", "Update", |person| person.tokens = 4);
    assert_eq!(org.audits()[0].actor, Actor::Administrator("admin".to_owned()));
}

#[test]
fn ids_of_what_is_added_do_not_depend_on_the_records_made_in_between() {
    let mut quiet = Organisation::new(7);
    let mut busy = Organisation::new(7);
    let stranger = busy.stranger();
    busy.edit_as("admin", &stranger, "Routing", "Update", |person| person.tokens = 4);
    assert_eq!(quiet.add_queue("A", "home"), busy.add_queue("A", "home"));
    assert_ne!(busy.audits()[0].id, busy.own_id());
}

#[test]
fn the_oldest_records_are_forgotten_before_they_fill_the_memory() {
    let mut org = Organisation::new(1);
    let stranger = org.stranger();
    for tokens in 0..100_002 {
        org.edit_as("admin", &stranger, "Directory", "Update", |person| person.tokens = tokens);
    }
    let trail = org.audits();
    let ids: BTreeSet<&Id> = trail.iter().map(|record| &record.id).collect();
    assert_eq!((trail.len(), ids.len()), (100_000, 100_000));
}
