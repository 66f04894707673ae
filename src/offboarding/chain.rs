//! The audit chain: what a link holds, and whether one link follows another. Computed here a second time, apart from the
//! database that wrote it; where links come from is left to the store and to exported files.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What every hash begins with; a chain that is made in another way begins with another word.
const DOMAIN: &[u8] = b"leaver1";

/// The fields of an entry, in the order in which they are hashed.
pub const FIELDS: [&str; 10] = [
    "journal_seq",
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

/// An entry of the journal as text: `at` in UTC with six decimals, ids in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry(pub [Option<String>; FIELDS.len()]);

impl Entry {
    /// The bytes that are hashed: for each field its length in bytes, a colon and the text, or a dash where there is none.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in &self.0 {
            match field {
                Some(text) => {
                    bytes.extend_from_slice(format!("{}:", text.len()).as_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
                None => bytes.push(b'-'),
            }
        }
        bytes
    }

    /// Reads the bytes back; nothing where they are not exactly the bytes of one entry.
    pub fn read(whole: &[u8]) -> Option<Self> {
        let mut bytes = whole;
        let mut fields: [Option<String>; FIELDS.len()] = Default::default();
        for field in &mut fields {
            if let Some(rest) = bytes.strip_prefix(b"-") {
                bytes = rest;
                continue;
            }
            let colon = bytes.iter().position(|byte| *byte == b':')?;
            let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
            let rest = &bytes[colon + 1..];
            *field = Some(std::str::from_utf8(rest.get(..length)?).ok()?.to_owned());
            bytes = &rest[length..];
        }
        // A length can be written in more than one way; only one of them is ours.
        Some(Self(fields)).filter(|entry| entry.bytes() == whole)
    }

    /// The first field in which two entries differ.
    fn differs_in(&self, other: &Self) -> Option<&'static str> {
        let pairs = FIELDS.iter().zip(self.0.iter().zip(&other.0));
        pairs.into_iter().find(|(_, (one, two))| one != two).map(|(name, _)| *name)
    }
}

/// One link as it is stored or exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub seq: i64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The hash of the link before.
    pub prev: Vec<u8>,
    /// Its own hash.
    pub hash: Vec<u8>,
}

/// What is wrong with a chain, at the first place where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Links were taken out, or one was slipped in.
    #[error("link {expected} is missing: the next is {found}")]
    Gap {
        /// The number that should follow.
        expected: i64,
        /// The number that does.
        found: i64,
    },
    /// The link names another one before it.
    #[error("link {0} does not continue the link before it")]
    Joint(i64),
    /// The link was changed.
    #[error("the hash of link {0} is not that of its content")]
    Content(i64),
    /// The entry is gone from the journal.
    #[error("the journal has no entry for link {0}")]
    EntryMissing(i64),
    /// The entry was changed in the journal.
    #[error("the journal's entry for link {seq} was changed: {field} is not what the chain recorded")]
    EntryChanged {
        /// The link.
        seq: i64,
        /// The first field that differs.
        field: &'static str,
    },
    /// The journal has an entry that came in past the chain.
    #[error("the journal's entry {0} is in no link of the chain")]
    EntryNotChained(i64),
    /// The chain is shorter than it was when it was signed.
    #[error("the chain ends at link {entries}, and link {signed} was signed")]
    TooShort {
        /// The last link.
        entries: i64,
        /// The link that a checkpoint covers.
        signed: i64,
    },
    /// The chain is another one than was signed.
    #[error("link {0} is not the one that was signed: the chain was written anew up to there or before")]
    Rewritten(i64),
}

impl Broken {
    /// The first link that is not as it should be; none where an entry has no link.
    pub fn seq(&self) -> Option<i64> {
        match self {
            Self::Gap { expected, .. } => Some(*expected),
            Self::Joint(seq) | Self::Content(seq) | Self::EntryMissing(seq) | Self::Rewritten(seq) => {
                Some(*seq)
            }
            Self::EntryChanged { seq, .. } => Some(*seq),
            Self::TooShort { entries, .. } => Some(entries + 1),
            Self::EntryNotChained(_) => None,
        }
    }
}

/// A place in a chain up to which everything is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last link's number; 0 before the first.
    pub seq: i64,
    /// The last link's hash; zeros before the first.
    pub hash: Hash,
}

impl Position {
    /// Before the first link.
    pub const START: Self = Self { seq: 0, hash: [0; 32] };

    /// Goes one link on, where that link follows.
    pub fn follow(&mut self, link: &Link) -> Result<(), Broken> {
        let expected = self.seq + 1;
        if link.seq != expected {
            return Err(Broken::Gap { expected, found: link.seq });
        }
        if link.prev != self.hash {
            return Err(Broken::Joint(link.seq));
        }
        let hash = hash(link.seq, &self.hash, &link.entry);
        if link.hash != hash {
            return Err(Broken::Content(link.seq));
        }
        *self = Self { seq: link.seq, hash };
        Ok(())
    }
}

/// Compares a link with the journal's own row for it.
pub fn compare(link: &Link, journal: Option<&Entry>) -> Result<(), Broken> {
    let Some(journal) = journal else {
        return Err(Broken::EntryMissing(link.seq));
    };
    if link.entry == journal.bytes() {
        return Ok(());
    }
    let field = Entry::read(&link.entry).and_then(|recorded| recorded.differs_in(journal));
    Err(field.map_or(Broken::Content(link.seq), |field| Broken::EntryChanged { seq: link.seq, field }))
}

fn hash(seq: i64, prev: &Hash, entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(seq.to_be_bytes());
    hasher.update(prev);
    hasher.update(entry);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: [Option<&str>; 10]) -> Entry {
        Entry(fields.map(|field| field.map(str::to_owned)))
    }

    fn noted(result: &str) -> Entry {
        entry([
            Some("1"),
            None,
            Some("2026-01-01T00:00:00.000000Z"),
            Some("worker:a"),
            Some("held"),
            None,
            None,
            Some(result),
            None,
            None,
        ])
    }

    fn link(after: &Position, entry: &Entry) -> Link {
        let (seq, entry) = (after.seq + 1, entry.bytes());
        let hash = hash(seq, &after.hash, &entry).to_vec();
        Link { seq, entry, prev: after.hash.to_vec(), hash }
    }

    #[test]
    fn no_text_in_one_field_looks_like_two_fields() {
        let texts = ["", "-", "1:a", "-3:abc", "ä\u{2028}\n", "0:"];
        let mut seen = std::collections::HashSet::new();
        for (target, result) in texts.iter().flat_map(|one| texts.iter().map(move |two| (*one, *two))) {
            for fields in [[Some(target), Some(result)], [None, Some(result)], [Some(target), None]] {
                let mut whole = noted("");
                whole.0[6] = fields[0].map(str::to_owned);
                whole.0[7] = fields[1].map(str::to_owned);
                assert_eq!(Entry::read(&whole.bytes()), Some(whole.clone()));
                seen.insert(whole.bytes());
            }
        }
        assert_eq!(seen.len(), 36 + 6 + 6);
    }

    #[test]
    fn bytes_that_are_not_one_entry_are_none() {
        let whole = noted("brake").bytes();
        for cut in 0..whole.len() {
            assert_eq!(Entry::read(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(Entry::read(&[&whole[..], b"-"].concat()), None);
        assert_eq!(Entry::read(b"-1:a-------"), None);
        assert_eq!(Entry::read(b"99999999999999999999999:a---------"), None);
        assert_eq!(Entry::read(b"1:\xff---------"), None);
        assert_eq!(Entry::read(b"+1:a---------"), None);
        assert_eq!(Entry::read(b"01:a---------"), None);
        assert!(Entry::read(b"1:a---------").is_some());
    }

    #[test]
    fn every_changed_byte_of_a_link_is_noticed() {
        let first = link(&Position::START, &noted("brake"));
        let mut position = Position::START;
        position.follow(&first).unwrap();
        let second = link(&position, &noted("busy"));
        let changed = |change: &dyn Fn(&mut Link)| {
            let mut link = second.clone();
            change(&mut link);
            position.clone().follow(&link).expect_err("noticed")
        };
        for index in 0..second.entry.len() {
            assert_eq!(changed(&|link| link.entry[index] ^= 1), Broken::Content(2));
        }
        for index in 0..32 {
            assert_eq!(changed(&|link| link.prev[index] ^= 1), Broken::Joint(2));
            assert_eq!(changed(&|link| link.hash[index] ^= 1), Broken::Content(2));
        }
        assert_eq!(changed(&|link| link.seq = 3), Broken::Gap { expected: 2, found: 3 });
        assert_eq!(changed(&|link| link.seq = 1), Broken::Gap { expected: 2, found: 1 });
        assert_eq!(changed(&|link| link.prev.truncate(31)), Broken::Joint(2));
        assert_eq!(position.follow(&second), Ok(()));
    }

    #[test]
    fn a_changed_row_is_told_by_its_field() {
        let link = link(&Position::START, &noted("brake"));
        assert_eq!(compare(&link, Some(&noted("brake"))), Ok(()));
        let changed = Broken::EntryChanged { seq: 1, field: "result" };
        assert_eq!(compare(&link, Some(&noted("busy"))), Err(changed));
        assert_eq!(compare(&link, None), Err(Broken::EntryMissing(1)));
    }
}
