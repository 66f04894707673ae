//! Whether the service of the demo carries out what it accepts, and what has to come of a leaver then.

/// The service's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It does.
    Live,
    /// It looks, and changes nothing.
    DryRun,
}

impl Mode {
    /// The word in the configuration.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::DryRun => "dry_run",
        }
    }

    /// How a leaver's offboarding ends: status, and outcome or reason.
    pub(crate) fn end(self) -> (&'static str, &'static str) {
        match self {
            Self::Live => ("done", "offboarded"),
            Self::DryRun => ("held", "dry_run"),
        }
    }
}
