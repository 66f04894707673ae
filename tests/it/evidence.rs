//! What must be true of every run, read from the simulator's journal and from the offboarding's: the order of the calls,
//! an intention before each of them, one writer at a time. Knows nothing of the engine.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use leaver::offboarding::JournalEntry;
use leaver_simulator::{Effect, Entry, Intent};

/// How old the last complete read may be when an account is deactivated.
const FRESH: Duration = Duration::from_secs(5);

/// Every kind of assignment: a part of the path and of the query of the reads that show it.
const KINDS: [(&str, &str); 8] = [
    ("/queues", "joined=true"),
    ("/queues", "joined=false"),
    ("/api/v2/users/", "skills"),
    ("/api/v2/users/", "languages"),
    ("/api/v2/users/", "station"),
    ("/utilization", ""),
    ("/callforwarding", ""),
    ("/authorization/subjects/", ""),
];

fn concerns(entry: &Entry, user: &str) -> bool {
    entry.request.path.contains(user) || String::from_utf8_lossy(&entry.request.body).contains(user)
}

fn deactivates(entry: &Entry) -> bool {
    let named = entry.request.json().is_some_and(|body| body["state"] == "inactive");
    named && (entry.request.operation == Some("patchUser") || entry.request.operation == Some("putUserState"))
}

fn reads_kind(entry: &Entry, (path, query): (&str, &str)) -> bool {
    let whole = entry.answered.is_some_and(|answer| answer.status == 200);
    let request = &entry.request;
    whole && request.method == "GET" && request.path.contains(path) && request.query.contains(query)
}

/// Checks, for one person: the account is deactivated at most once; before each try two complete reads of every kind
/// came after the last removal, the last of them at most 5 s earlier and with the version of a fresh read of the user; the
/// tokens go last; nothing is taken away twice.
pub(crate) fn assert_order(entries: &[Entry], user: &str, verify_reads: usize) {
    let own: Vec<&Entry> = entries.iter().filter(|entry| concerns(entry, user)).collect();
    let mut counted = HashSet::new();
    let mut since_removal = 0;
    let mut deactivated = 0;
    for (index, entry) in own.iter().enumerate().filter(|(_, e)| e.request.intent == Intent::Changes) {
        let request = &entry.request;
        if entry.effect == Effect::Changed {
            let target = (request.operation, request.path.clone(), request.query.clone());
            assert!(counted.insert(target), "removed twice: {} {}", request.method, request.path);
        }
        if deactivates(entry) {
            assert_proved_empty(&own[since_removal..index], entry, verify_reads);
            assert_fresh_version(&own[..index], entry);
            deactivated += usize::from(entry.effect == Effect::Changed);
        } else if request.operation == Some("deleteToken") {
            assert_eq!(deactivated, 1, "tokens are revoked before the account is inactive");
        } else {
            since_removal = index + 1;
        }
    }
    assert!(deactivated <= 1, "deactivated {deactivated} times");
}

fn assert_proved_empty(since_removal: &[&Entry], deactivation: &Entry, verify_reads: usize) {
    for kind in KINDS {
        let reads: Vec<_> = since_removal.iter().filter(|entry| reads_kind(entry, kind)).collect();
        let sequence = deactivation.request.sequence;
        assert!(reads.len() >= verify_reads, "#{sequence} after {} reads of {kind:?}", reads.len());
        if let Some(last) = reads.last() {
            let age = deactivation.request.arrived.duration_since(last.request.arrived);
            assert!(age <= FRESH, "#{sequence}: the last read of {kind:?} is {age:?} old");
        }
    }
}

/// The version is that of the last read of the user, which is fresh, and nothing was changed in between.
fn assert_fresh_version(before: &[&Entry], deactivation: &Entry) {
    let body = deactivation.request.json().unwrap_or_default();
    let keys = body.as_object().map_or(0, serde_json::Map::len);
    assert!(keys == 2 && body["version"].is_u64(), "not exactly state and version: {body}");
    let read = before.iter().rposition(|entry| entry.request.operation == Some("getUser"));
    let since = &before[read.expect("a read of the user")..];
    let sequence = deactivation.request.sequence;
    let age = deactivation.request.arrived.duration_since(since[0].request.arrived);
    assert!(age <= FRESH, "#{sequence}: the version is {age:?} old");
    let changed = since.iter().any(|entry| entry.request.intent == Intent::Changes);
    assert!(!changed, "#{sequence}: the user was changed after their version was read");
}

/// Checks that each changing call has an intention that is older than its arrival, and each intention outcomes: exactly
/// one, or where a worker lived on after its lease at least one.
pub(crate) fn assert_intended(entries: &[Entry], journals: &[Vec<JournalEntry>], outcomes: Outcomes) {
    let mut intended = HashMap::new();
    for journal in journals {
        let mut finished: HashMap<_, usize> = HashMap::new();
        for line in journal.iter().filter(|line| line.action == "call_finished") {
            assert!(line.result.is_some(), "an outcome without a result");
            *finished.entry(line.request_id).or_default() += 1;
        }
        for line in journal.iter().filter(|line| line.action == "call_intended") {
            let count = finished.get(&line.request_id).copied().unwrap_or_default();
            match outcomes {
                Outcomes::One => assert_eq!(count, 1, "outcomes of {:?}", line.request_id),
                Outcomes::OneOrMore => assert!(count >= 1, "no outcome of {:?}", line.request_id),
            }
            // The last of those who share a bulk call: it was sent after all of them.
            let at: &mut _ = intended
                .entry(line.request_id.map(|id| id.to_string()).unwrap_or_default())
                .or_insert(line.at);
            *at = line.at.max(*at);
        }
    }
    for entry in entries.iter().filter(|entry| entry.request.intent == Intent::Changes) {
        let id = entry.request.request_id.clone().unwrap_or_default();
        let at = intended.get(&id).unwrap_or_else(|| panic!("no intention of {}", entry.request.path));
        assert!(*at <= entry.request.arrived_at, "{} came before its intention", entry.request.path);
    }
}

/// How many outcomes an intention has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcomes {
    /// Its own, or `unknown` from the worker that came after.
    One,
    /// Both, where the first worker was not dead.
    OneOrMore,
}

/// Checks that every changing call was intended by the worker that held the lease, and arrived before the next one took
/// it; gives how many workers made changing calls.
pub(crate) fn assert_one_writer(entries: &[Entry], journal: &[JournalEntry]) -> usize {
    let mut arrivals = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.request.intent == Intent::Changes) {
        arrivals.insert(entry.request.request_id.clone().unwrap_or_default(), entry.request.arrived_at);
    }
    let mut writers = HashSet::new();
    let mut holder: Option<&JournalEntry> = None;
    let mut open: Vec<(String, &JournalEntry)> = Vec::new();
    for line in journal {
        match line.action.as_str() {
            "lease_acquired" => {
                for (id, intention) in open.drain(..) {
                    let late = arrivals.get(&id).is_some_and(|at| *at > line.at);
                    assert!(
                        !late || intention.actor == line.actor,
                        "a call arrived after its lease was taken over"
                    );
                }
                holder = Some(line);
            }
            "call_intended" => {
                assert_eq!(holder.map(|h| &h.actor), Some(&line.actor), "an intention without the lease");
                let id = line.request_id.map(|id| id.to_string()).unwrap_or_default();
                if arrivals.contains_key(&id) {
                    writers.insert(&line.actor);
                }
                open.push((id, line));
            }
            _ => {}
        }
    }
    writers.len()
}

/// The most requests that arrived within any window of this length.
pub(crate) fn busiest(entries: &[Entry], window: Duration) -> usize {
    let mut arrivals: Vec<_> = entries.iter().map(|entry| entry.request.arrived).collect();
    arrivals.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, arrived) in arrivals.iter().enumerate() {
        while arrived.duration_since(arrivals[first]) >= window {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}
