//! What a person has to do about an offboarding that does not go on by itself, in a sentence.

use super::status::Reason;

impl Reason {
    /// The next action, for somebody who sees nothing but this.
    pub const fn next_action(self) -> &'static str {
        match self {
            Self::AmbiguousPerson => {
                "Mend the person's address or id in the HR system or in Genesys Cloud and retry, or cancel."
            }
            Self::PersonNotFound => {
                "Check the person's address in the HR system and in Genesys Cloud, then retry."
            }
            Self::Protected => "An approver decides.",
            Self::Brake => "Make sure that so many terminations are no mistake, then approve.",
            Self::Busy => "Approve when the interaction may be cut off.",
            Self::StaleEvent => "Approve if it is still meant, or cancel.",
            Self::ContradictoryEvents => {
                "Find out which of the HR system's words holds, then approve or cancel."
            }
            Self::Reactivated => "Find out why the person is active again, then approve or cancel.",
            Self::Rehired => "Find out whether it is still meant, then approve or cancel.",
            Self::DryRun => "Nothing: the service runs dry, and the journal says what would be done.",
            Self::Unreadable => {
                "Mend the profile and replay the event, or approve with an address and a date."
            }
            Self::LookupRequired => "Approve, saying what the HR system did not, or cancel.",
            Self::EffectiveDateMissing => "Approve: it runs at once; or cancel.",
            Self::InheritedAccess => {
                "Take the person out of the group and retry, or accept that the access stays."
            }
            Self::KeepsReturning => "Find out who assigns it again, then retry.",
            Self::ReportFound => "Look at the journal, then approve.",
            Self::PermissionMissing => {
                "Give the permission that the journal names to the OAuth client's role, then retry."
            }
            Self::RefusedByGenesys => "Mend the cause that the journal names, then retry.",
            Self::AttemptsExhausted => "Look at the journal's last results, then retry.",
            Self::Rescinded => "Decide: approve to go on, or restore.",
            Self::Replayed | Self::CancelledByOperator => "Nothing.",
            Self::Recovery => "Make sure that it is still meant, then approve.",
        }
    }
}
