//! Why a configuration was refused, in one line that names the key; leaves printing and exit code to `main`.

use std::{fmt, io, path::PathBuf};

/// What is wrong with the configuration.
///
/// `Display` is one line, names the key and never shows a secret's value. It includes the operating system's words
/// about an unreadable file, because that line is all an operator gets to see.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file itself can't be read.
    #[error("{}: cannot be read: {cause} (leaver.example.toml shows a complete one)", path.display())]
    UnreadableConfig {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The text is not TOML.
    #[error("configuration file, line {line}: {problem}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// The parser's words without the excerpt, which could show a secret.
        problem: String,
    },
    /// Nothing of this name can be set.
    #[error("{key}: unknown key{}", DidYouMean(suggestion.as_deref()))]
    UnknownKey {
        /// The whole path of the key.
        key: String,
        /// The known name that looks most like it.
        suggestion: Option<String>,
    },
    /// A setting without a default is absent.
    #[error("{key}: is missing")]
    MissingKey {
        /// The whole path of the key.
        key: String,
    },
    /// `env:NAME` names a variable that doesn't exist.
    #[error("{key}: environment variable {variable} is not set")]
    MissingVariable {
        /// The whole path of the key.
        key: String,
        /// The variable's name.
        variable: String,
    },
    /// `file:/path` names a file that can't be read.
    #[error("{key}: file {} cannot be read: {cause}", path.display())]
    UnreadableFile {
        /// The whole path of the key.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The value is not one that this setting can have.
    #[error("{key}: {problem}")]
    Refused {
        /// The whole path of the key.
        key: String,
        /// What was expected and, unless it could be a secret, what was found.
        problem: String,
    },
    /// What is wrong came from an override in the environment and not from the file.
    #[error("{problem} (set by {variable})")]
    Overridden {
        /// The variable's name.
        variable: String,
        /// What is wrong.
        problem: Box<ConfigError>,
    },
}

impl ConfigError {
    /// The path of the setting that is at fault; `None` where the file as a whole is.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::UnreadableConfig { .. } | Self::Syntax { .. } => None,
            Self::UnknownKey { key, .. }
            | Self::MissingKey { key }
            | Self::MissingVariable { key, .. }
            | Self::UnreadableFile { key, .. }
            | Self::Refused { key, .. } => Some(key),
            Self::Overridden { problem, .. } => problem.key(),
        }
    }

    pub(super) fn refused(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Refused { key: key.into(), problem: problem.into() }
    }

    pub(super) fn unknown(key: String, name: &str, known: &[&str]) -> Self {
        Self::UnknownKey { key, suggestion: nearest(name, known).map(str::to_owned) }
    }
}

/// The known name that a mistyped one most likely means: at most two letters away.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    // Two edits cover a swap of neighbours, which is the commonest slip; with three, short names resemble anything.
    const EDITS_MAX: usize = 2;
    known
        .iter()
        .map(|candidate| (edits(name, candidate), *candidate))
        .filter(|(edits, candidate)| *edits <= EDITS_MAX && *edits < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Writes ` (did you mean NAME?)`, or nothing.
pub(super) struct DidYouMean<'a>(pub(super) Option<&'a str>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " (did you mean {name}?)"),
            None => Ok(()),
        }
    }
}

/// Levenshtein's distance, one row of the matrix at a time.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant_and_a_stranger_finds_none() {
        let known = ["lease", "poll", "concurrency"];
        assert_eq!(nearest("leese", &known), Some("lease"));
        assert_eq!(nearest("laese", &known), Some("lease"));
        assert_eq!(nearest("concurency", &known), Some("concurrency"));
        assert_eq!(nearest("heartbeat", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
