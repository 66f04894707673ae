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
