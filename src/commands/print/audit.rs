//! What people see of the audit chain.

use crate::operate::Verification;

/// What was verified; what is wrong is the command's failure and stands on standard error.
pub(in crate::commands) fn verification(verified: &Verification) {
    let Verification { ok, entries, head, first_bad, problem: _, checkpoints } = verified;
    say!("{entries} entries are as they were written; the last has the hash {head}");
    if let Some(seq) = first_bad {
        say!("the first that is not: {seq}");
    }
    match checkpoints {
        Some(witnessed) => {
            let when =
                witnessed.signed_at.as_deref().map(|at| format!(", signed at {at}")).unwrap_or_default();
            say!("{} checkpoints fit; the last covers entry {}{when}", witnessed.count, witnessed.covers);
            if witnessed.unreadable_lines > 0 {
                say!("{} lines are no checkpoint", witnessed.unreadable_lines);
            }
        }
        None if *ok => {
            say!(
                "not held against checkpoints: a chain that was cut off or written anew would not be noticed"
            );
        }
        None => {}
    }
}

/// A public key, and the private key of a new pair.
pub(in crate::commands) fn audit_keys(public: &str, private: Option<&str>) {
    if let Some(private) = private {
        say!("audit.checkpoint_key (secret): {private}");
    }
    say!("public key: {public}");
}
