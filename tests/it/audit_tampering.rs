//! A thousand tamperings by somebody who owns the database and switches every trigger off: each is noticed, where it is in the
//! chain by the chain alone, and at its end or through all of it by a signed checkpoint.

use std::io::Write as _;

use leaver::offboarding::chain::Position;
use leaver::offboarding::checkpoint::CheckpointKey;
use leaver::operate::{self, Verification, Witness};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::audit::{connect, world_without_jane};
use crate::chain::assert_whole;
use crate::support::World;

/// How many are tried; each kind comes about sixty times.
const TAMPERINGS: usize = 1_020;

/// Runs differ; a run that fails prints its seed, with which it is repeated here.
const SEED: Option<u64> = None;

/// What finds a tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The chain, at this link or before.
    ByTheChain(i64),
    /// Only the checkpoints: the chain is whole in itself.
    ByACheckpoint,
}

struct Tampering {
    what: String,
    sql: String,
    found: Found,
}

/// Another value of this column than the one that it has, whatever that is.
fn other_value(column: &str, rng: &mut StdRng) -> String {
    match column {
        "seq" => "seq + 100000".to_owned(),
        "offboarding_id" | "request_id" if rng.random() => {
            format!("case when {column} is null then gen_random_uuid() end")
        }
        "offboarding_id" | "request_id" => "gen_random_uuid()".to_owned(),
        "at" => match rng.random_range(0..4) {
            0 => "at + interval '1 microsecond'".to_owned(),
            1 => "at - interval '1 day'".to_owned(),
            2 => "'infinity'".to_owned(),
            _ => "null".to_owned(),
        },
        text => match rng.random_range(0..4) {
            0 => format!("coalesce({text} || ' ', '')"),
            1 => format!("case when {text} is null then '-' end"),
            2 => format!("coalesce(reverse({text}) || E'\\n', '1:a')"),
            _ => format!("coalesce({text}, '') || chr({})", rng.random_range(1..0xd7ff)),
        },
    }
}

const JOURNAL: [&str; 10] = [
    "seq",
    "offboarding_id",
    "at",
    "actor",
    "action",
    "step",
    "target",
    "result",
    "request_id",
    "correlation_id",
];

/// The journal's row of a link.
fn row_of(link: i64) -> String {
    format!("(select journal_seq from audit_chain where seq = {link})")
}

/// Writes the chain anew from this link on, as the database itself would.
fn written_anew(from: i64) -> String {
    format!(
        "create temporary table again on commit drop as select journal_seq from audit_chain where seq >= {from};
         delete from audit_chain where seq >= {from};
         do $$ declare entry journal; begin
             for entry in select j.* from journal j join again on again.journal_seq = j.seq order by j.seq loop
                 perform audit_append(entry);
             end loop; end $$"
    )
}

fn tampering(kind: usize, entries: i64, rng: &mut StdRng) -> Tampering {
    let k = rng.random_range(1..=entries);
    // Not the last, where something has to follow.
    let inner = rng.random_range(1..entries);
    let other = (k + rng.random_range(1..entries) - 1) % entries + 1;
    let (row, inner_row, other_row) = (row_of(k), row_of(inner), row_of(other));
    let byte = rng.random_range(0..32);
    let by = |at: i64| Found::ByTheChain(at);
    let (what, sql, found) = match kind {
        0..=9 => {
            let (column, value) = (JOURNAL[kind], other_value(JOURNAL[kind], rng));
            (format!("journal.{column}"), format!("update journal set {column} = {value} where seq = {row}"), by(k))
        }
        10 => ("a link's entry".to_owned(), {
            let at = rng.random_range(0..40);
            format!("update audit_chain set entry = set_byte(entry, {at}, get_byte(entry, {at}) # 1) where seq = {k}")
        }, by(k)),
        11 => ("a link's hash".to_owned(), format!(
            "update audit_chain set hash = set_byte(hash, {byte}, get_byte(hash, {byte}) # 128) where seq = {k}"), by(k)),
        12 => ("a link's prev".to_owned(), format!(
            "update audit_chain set prev = set_byte(prev, {byte}, get_byte(prev, {byte}) # 4) where seq = {k}"), by(k)),
        13 => ("a link's number".to_owned(), format!("update audit_chain set seq = -seq where seq = {k}"), by(1)),
        14 => ("a link's row".to_owned(), format!(
            "update audit_chain set journal_seq = 900000 + seq where seq = {k}"), by(k)),
        15 => ("a deleted entry".to_owned(), format!("delete from journal where seq = {row}"), by(k)),
        16 => ("a deleted link".to_owned(), format!("delete from audit_chain where seq = {inner}"), by(inner)),
        17 => ("a deleted last link".to_owned(), format!("delete from audit_chain where seq = {entries}"), by(entries)),
        18 => ("an entry deleted with its link".to_owned(), format!(
            "delete from journal where seq = {inner_row}; delete from audit_chain where seq = {inner}"), by(inner)),
        19 => ("an entry without a link".to_owned(), "insert into journal (actor, action) values ('a', 'b')".to_owned(),
            by(entries + 1)),
        20 => ("a link without an entry".to_owned(), format!(
            "insert into audit_chain select {}, 800000, entry, hash, hash from audit_chain where seq = {entries}",
            rng.random_range(entries + 1..entries + 9)), by(entries + 1)),
        21 => ("two entries that changed places".to_owned(), format!(
            "update journal set seq = case seq when {row} then {other_row} + 500000 else {row} + 500000 end
                 where seq in ({row}, {other_row});
             update journal set seq = seq - 500000 where seq > 500000"), by(k.min(other))),
        22 => ("two links that changed places".to_owned(), format!(
            "update audit_chain set seq = case seq when {k} then -{other} else -{k} end where seq in ({k}, {other});
             update audit_chain set seq = -seq where seq < 0"), by(k.min(other))),
        23 => ("an entry that was changed with its link's bytes and hash".to_owned(), format!(
            "update journal set result = coalesce(result, '') || '!' where seq = {inner_row};
             update audit_chain c set entry = audit_entry(j), hash = sha256(convert_to('leaver1', 'UTF8') || int8send(c.seq)
                 || c.prev || audit_entry(j)) from journal j where j.seq = c.journal_seq and c.seq = {inner}"),
            by(inner + 1)),
        24 | 25 => ("the end cut off".to_owned(), format!(
            "delete from journal where seq in (select journal_seq from audit_chain where seq >= {k});
             delete from audit_chain where seq >= {k}"), Found::ByACheckpoint),
        26 | 27 => ("an entry changed and the chain written anew".to_owned(), format!(
            "update journal set actor = actor || '!' where seq = {row}; {}", written_anew(k)), Found::ByACheckpoint),
        28 => ("an entry deleted and the chain written anew".to_owned(), format!(
            "delete from journal where seq = {row}; {}", written_anew(k)), Found::ByACheckpoint),
        29 => ("the last entry exchanged with its link".to_owned(), format!(
            "update journal set target = coalesce(target, '') || '!' where seq = {}; {}",
            row_of(entries), written_anew(entries)), Found::ByACheckpoint),
        _ => ("everything deleted".to_owned(), "truncate journal, audit_chain".to_owned(), Found::ByACheckpoint),
    };
    Tampering { what: format!("{what} ({k}, {inner}, {other})"), sql, found }
}

const KINDS: usize = 31;

/// Two signed checkpoints of the chain as it is now, one of them of its end.
async fn witness(world: &World, entries: i64) -> Witness {
    let key = CheckpointKey::of_seed([5; 32]);
    let hashes = world.store.audit_hashes(&[entries / 2, entries]).await.unwrap();
    let mut text = String::new();
    for seq in [entries / 2, entries] {
        let position = Position { seq, hash: hashes[&seq].clone().try_into().unwrap() };
        let line = serde_json::to_string(&key.sign(&position, chrono::Utc::now())).unwrap();
        text.push_str(&format!("{line}\n"));
    }
    let file = world.folder.path().join("checkpoints.jsonl");
    std::fs::write(&file, text).unwrap();
    Witness { files: vec![file], keys: vec![key.proof()] }
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
}

fn judge(tampering: &Tampering, alone: &Verification, witnessed: &Verification) {
    let Tampering { what, sql, found } = tampering;
    assert!(!witnessed.ok && witnessed.problem.is_some(), "not noticed: {what}: {sql}");
    match found {
        Found::ByTheChain(link) => {
            assert!(!alone.ok, "noticed by the checkpoints only: {what}: {sql}");
            assert!(alone.first_bad.is_none_or(|bad| bad <= *link), "{what}: {alone:?}");
            assert!(alone.entries < *link, "{what}: {alone:?}");
        }
        Found::ByACheckpoint => {
            assert!(alone.ok, "{what} is whole in itself: {alone:?}");
            assert!(witnessed.first_bad.is_some(), "{what}: {witnessed:?}");
        }
    }
}

#[tokio::test]
async fn a_thousand_tamperings_by_the_owner_of_the_database_are_noticed() {
    let (mut world, _) = world_without_jane().await;
    world.sql("insert into journal (actor, action, result) values ('operator:alice', 'paused', 'ä')").await;
    let entries = assert_whole(&world.store).await;
    let witness = witness(&world, entries).await;
    let fits = operate::verify(&world.store, Some(&witness)).await.unwrap();
    assert!(
        fits.ok && fits.checkpoints.as_ref().is_some_and(|told| (told.count, told.covers) == (2, entries)),
        "{fits:?}"
    );
    let mut connection = connect(&world).await;
    let prepared = "set session_replication_role = replica; set synchronous_commit = off;
        set client_min_messages = warning;
        create table journal_kept as table journal; create table chain_kept as table audit_chain;
        alter table journal alter seq set generated by default, alter actor drop not null, alter action drop not null, alter at drop not null";
    execute(&mut connection, prepared).await;
    let back = "truncate journal, audit_chain;
        insert into journal overriding system value table journal_kept; insert into audit_chain table chain_kept";
    let seed = SEED.unwrap_or_else(rand::random);
    let mut rng = StdRng::seed_from_u64(seed);
    println!("seed {seed}");
    for number in 0..TAMPERINGS {
        let tampering = tampering(number % KINDS, entries, &mut rng);
        execute(&mut connection, &format!("begin; {}; commit", tampering.sql)).await;
        let alone = operate::verify(&world.store, None).await.unwrap();
        let witnessed = operate::verify(&world.store, Some(&witness)).await.unwrap();
        judge(&tampering, &alone, &witnessed);
        execute(&mut connection, &format!("begin; {back}; commit")).await;
        if number % 100 == 0 {
            assert_whole(&world.store).await;
        }
    }
    let _ = writeln!(std::io::stderr(), "tamperings noticed: {TAMPERINGS} of {TAMPERINGS} (seed {seed})");
    assert_eq!(assert_whole(&world.store).await, entries);
    world.chain.is_broken_on_purpose();
}
