//! What `leaver check` says about each source's deliveries: which of its keys are in use, and whether a token waits.

use super::check::Finding;
use crate::hris::{Handshake, Source};
use crate::store::keys::KeyUse;
use crate::store::{Store, StoreError};

/// One finding for each source, and one more where a token waits. Nothing where the database can't be asked: that is a
/// finding of its own.
pub(super) async fn findings(store: &Store, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        findings.extend(of_source(store, source).await.unwrap_or_default());
    }
    findings
}

async fn of_source(store: &Store, source: &Source) -> Result<Vec<Finding>, StoreError> {
    let name = source.name();
    let uses = store.key_uses(name).await?;
    let mut findings = vec![Finding::good(&format!("keys of {name}"), in_words(&uses))];
    if let Some(Handshake::Token(_)) = source.handshake() {
        let waiting = store.waiting_tokens(name).await?.len();
        if waiting > 0 {
            let detail = format!("{waiting} waiting, and nothing has been delivered yet");
            let todo = format!("see `leaver token {name}` and confirm it at the sender");
            findings.push(Finding::doubtful(&format!("token of {name}"), detail).with_advice(todo));
        }
    }
    Ok(findings)
}

/// By position in the configuration, so that whoever rotates a key sees when the old one is no longer used.
fn in_words(uses: &[KeyUse]) -> String {
    let Some((newest, others)) = uses.split_first() else {
        return "no delivery has been stored yet".to_owned();
    };
    let mut words = format!("secrets[{}] verified the last delivery, {}", newest.key_index, at(newest));
    for other in others {
        words.push_str(&format!("; secrets[{}] the last one at {}", other.key_index, at(other)));
    }
    words
}

fn at(used: &KeyUse) -> impl std::fmt::Display {
    used.last.format("%Y-%m-%dT%H:%M:%SZ")
}
