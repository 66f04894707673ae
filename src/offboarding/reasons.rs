//! What each reason means and what to do about it, in the words of the documentation.

use super::Reason;

/// Reason, meaning, what to do. A test holds it against the documentation's table.
const REASONS: &[(Reason, &str, &str)] = &[
    (
        Reason::AmbiguousPerson,
        "several users match; or the address differs from the user's, belongs to somebody with another id, or has characters outside ASCII",
        "mend it in the HR system or in Genesys Cloud and retry, or cancel",
    ),
    (
        Reason::PersonNotFound,
        "nobody matches, also at the second look",
        "check the address in the HR system and in Genesys Cloud",
    ),
    (
        Reason::Protected,
        "on the protected list (by address, id, role, division or group), the service's own user, or the last active user who stays with one of `policy.administrator_roles`; the journal says which",
        "an approver decides",
    ),
    (
        Reason::Brake,
        "too many people within the hour or the day",
        "make sure that it is no mistake, then `leaver approve ID…`",
    ),
    (
        Reason::Busy,
        "in an interaction (or on queue, by `policy.on_queue`), and the policy asks",
        "approve when the interaction may be cut off",
    ),
    (Reason::StaleEvent, "dated more than 30 days back", "approve if it is still meant"),
    (
        Reason::ContradictoryEvents,
        "the HR system said two things of which none is the later one, said that something changed but not what, or moved the date to a later one after the first change",
        "find out which one holds, then approve or cancel",
    ),
    (
        Reason::Reactivated,
        "carried out before, and the person is active again",
        "find out why, then approve or cancel",
    ),
    (
        Reason::Rehired,
        "hired after the termination took effect",
        "find out whether it is still meant, then approve or cancel",
    ),
    (
        Reason::DryRun,
        "the service runs dry; the journal says what would be done",
        "see *Start with a dry run*",
    ),
    (Reason::EffectiveDateMissing, "the event has no date", "approve: it runs at once"),
    (
        Reason::LookupRequired,
        "the event does not say whether, whom or when, and the HR system could not be asked or gave no clear answer; the journal says which",
        "`leaver approve ID`, with `--email` and `--at` for what is not known; or cancel",
    ),
    (
        Reason::Unreadable,
        "authentic, but it could not be understood",
        "mend the profile and `leaver replay` its event, or `leaver approve ID --email ADDRESS --at TIME`; or cancel",
    ),
    (
        Reason::InheritedAccess,
        "roles or queues come through a group",
        "take the person out of the group, or list it in `plan.removable_groups`, and retry; or an approver accepts that they stay",
    ),
    (
        Reason::ReportFound,
        "a report that is to hold found something, or could not be read",
        "look at the journal, then approve",
    ),
    (Reason::KeepsReturning, "somebody assigns faster than Leaver removes", "find out who, then retry"),
    (
        Reason::PermissionMissing,
        "Genesys Cloud names the permission in the journal",
        "give it to the OAuth client's role, then retry",
    ),
    (
        Reason::RefusedByGenesys,
        "refused for good; the journal has the code and the correlation id",
        "mend the cause, then retry",
    ),
    (
        Reason::AttemptsExhausted,
        "a dozen attempts without progress",
        "look at the journal's last results, then retry",
    ),
    (
        Reason::Rescinded,
        "taken back after the first change",
        "decide: approve to go on, or `leaver restore ID`",
    ),
    (
        Reason::Replayed,
        "nothing could be read of its event; now other offboardings stand for it, which the journal names",
        "nothing",
    ),
    (Reason::CancelledByOperator, "an operator ended it", "nothing"),
    (
        Reason::Recovery,
        "the database was restored or failed over",
        "make sure that it is still meant, then approve",
    ),
];

impl Reason {
    /// What it means, as a sentence goes on after "held:".
    pub fn meaning(self) -> &'static str {
        self.words().0
    }

    /// What a person does about it.
    pub fn next_action(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        let found = REASONS.iter().find(|(reason, ..)| *reason == self);
        found.map_or(("", ""), |(_, meaning, next_action)| (meaning, next_action))
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
