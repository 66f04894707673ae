//! What each reason means and what to do about it, in words for people. The README's table and the console say the same
//! words, with code between backticks.

use super::status::Reason;

impl Reason {
    /// What it means.
    pub const fn meaning(self) -> &'static str {
        self.words().0
    }

    /// What a person does about it.
    pub const fn next_action(self) -> &'static str {
        self.words().1
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::AmbiguousPerson => (
                "several users match; or the address differs from the user's, belongs to somebody with another id, or has characters outside ASCII",
                "mend it in the HR system or in Genesys Cloud and retry, or cancel",
            ),
            Self::PersonNotFound => (
                "nobody matches, also at the second look",
                "check the address in the HR system and in Genesys Cloud",
            ),
            Self::Protected => (
                "on the protected list (by address, id, role, division or group), the service's own user, or the last active user who stays with one of `policy.administrator_roles`; the journal says which",
                "an approver decides",
            ),
            Self::Brake => (
                "too many people within the hour or the day",
                "make sure that it is no mistake, then `leaver approve ID…`",
            ),
            Self::Busy => (
                "in an interaction (or on queue, by `policy.on_queue`), and the policy asks",
                "approve when the interaction may be cut off",
            ),
            Self::StaleEvent => ("dated more than 30 days back", "approve if it is still meant"),
            Self::ContradictoryEvents => (
                "the HR system said two things of which none is the later one, said that something changed but not what, or moved the date to a later one after the first change",
                "find out which one holds, then approve or cancel",
            ),
            Self::Reactivated => {
                ("carried out before, and the person is active again", "find out why, then approve or cancel")
            }
            Self::Rehired => (
                "hired after the termination took effect",
                "find out whether it is still meant, then approve or cancel",
            ),
            Self::DryRun => {
                ("the service runs dry; the journal says what would be done", "see *Start with a dry run*")
            }
            Self::Unreadable => (
                "authentic, but it could not be understood",
                "mend the profile and `leaver replay` its event, or `leaver approve ID --at TIME`, with `--email ADDRESS` where it names nobody; or cancel",
            ),
            Self::LookupRequired => (
                "the event does not say whether, whom or when, and the HR system could not be asked or gave no clear answer; the journal says which",
                "`leaver approve ID`, with `--email` and `--at` for what is not known; or cancel",
            ),
            Self::EffectiveDateMissing => ("the event has no date", "approve: it runs at once"),
            Self::InheritedAccess => (
                "roles or queues come through a group",
                "take the person out of the group, or list it in `plan.removable_groups`, and retry; or an approver accepts that they stay",
            ),
            Self::KeepsReturning => {
                ("somebody assigns faster than Leaver removes", "find out who, then retry")
            }
            Self::ReportFound => (
                "a report that is to hold found something, or could not be read",
                "look at the journal, then approve",
            ),
            Self::PermissionMissing => (
                "Genesys Cloud names the permission in the journal",
                "give it to the OAuth client's role, then retry",
            ),
            Self::RefusedByGenesys => (
                "refused for good; the journal has the code and the correlation id",
                "mend the cause, then retry",
            ),
            Self::AttemptsExhausted => (
                "`policy.attempts_max` attempts without progress",
                "look at the journal's last results, then retry",
            ),
            Self::Rescinded => {
                ("taken back after the first change", "decide: approve to go on, or `leaver restore ID`")
            }
            Self::Replayed => (
                "nothing could be read of its event; now other offboardings stand for it, which the journal names",
                "nothing",
            ),
            Self::CancelledByOperator => ("an operator ended it", "nothing"),
            Self::Recovery => (
                "reserved for a restored or failed-over database; nothing is held for it by itself",
                "make sure that it is still meant, then approve",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_the_words_of_the_documentation() {
        let page = include_str!("../../README.md");
        for reason in Reason::ALL {
            let row = format!("| `{reason}` | {} | {} |", reason.meaning(), reason.next_action());
            assert!(page.lines().any(|line| line == row), "README.md has no line {row}");
        }
    }
}
