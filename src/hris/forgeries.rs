//! A million requests that are each a small change away from an authentic one of the vectors: none may be believed.
//!
//! A change is made where the meaning is, and not where it is only spelt: in the bytes of a signature and not in the case
//! of its digits or in its padding, in the entries of a list and not in their order, in the token and not in the word
//! before it. So every change makes another request, and nothing has to be left out afterwards.

use std::thread;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::auth::Signing;
use super::vectors::{Authentic, authentic};

const CASES: usize = 1_000_000;

/// Ed25519 takes thirty times as long as HMAC.
const CASES_OF_PAIRS: usize = 20_000;

/// Any number will do; it is fixed so that a failure can be looked at again.
const SEED: u64 = 20_261_122;

/// Longer than any window of the vectors, and than what a source may have.
const LATER_SECONDS: i64 = 8 * 86_400;

const SECRET: &str = "another-secret-of-enough-bytes";

/// RFC 8032, 7.1, test 3: of none of the vectors' sources.
const SEED_OF_ANOTHER: &str = "whsk_xaqN9D+fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc=";

/// A request that is no longer what its sender sent.
struct Forged {
    headers: HeaderMap,
    body: Vec<u8>,
    now: DateTime<Utc>,
    how: &'static str,
}

struct Forger<'a> {
    base: &'a Authentic,
    others: &'a [Authentic],
    random: StdRng,
}

impl Forger<'_> {
    fn key(&self, key: &str) -> &str {
        self.base.auth.get(key).and_then(toml::Value::as_str).unwrap_or("")
    }

    fn header(&self, key: &str) -> Option<HeaderName> {
        let name = self.key(key);
        (!name.is_empty()).then(|| name.parse().unwrap())
    }

    fn proof(&self) -> HeaderName {
        self.header("signature_header").unwrap()
    }

    /// The headers that the proof needs.
    fn needed(&self) -> Vec<HeaderName> {
        ["signature_header", "timestamp_header", "id_header"]
            .iter()
            .filter_map(|key| self.header(key))
            .collect()
    }

    fn signs(&self) -> bool {
        matches!(self.key("kind"), "hmac" | "ed25519")
    }

    /// Returns other bytes than these: one of them flipped, left out or put in, some of them twice, or only a part.
    fn other_bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let random = &mut self.random;
        let mut other = bytes.to_vec();
        if bytes.is_empty() {
            return vec![random.random()];
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 | 1 => other[at] ^= 1 << random.random_range(0..8),
            2 => drop(other.remove(at)),
            3 => other.insert(at, random.random()),
            4 => other.truncate(at),
            _ => {
                let again = bytes[at..random.random_range(at..bytes.len()) + 1].to_vec();
                other.splice(at..at, again);
            }
        }
        other
    }

    /// Returns another text of visible characters.
    fn other_text(&mut self, text: &str) -> String {
        loop {
            let other = self.other_bytes(text.as_bytes());
            if other.iter().all(u8::is_ascii_graphic)
                && let Ok(other) = String::from_utf8(other)
            {
                return other;
            }
        }
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        match self.key("encoding") {
            "hex" => hex::decode(text).ok(),
            "base64" => STANDARD.decode(text).ok(),
            _ => URL_SAFE
                .decode(format!(
                    "{}{}",
                    text.trim_end_matches('='),
                    "=".repeat(text.trim_end_matches('=').len().wrapping_neg() % 4)
                ))
                .ok(),
        }
    }

    fn encode(&self, bytes: &[u8]) -> String {
        match self.key("encoding") {
            "hex" => hex::encode(bytes),
            "base64" => STANDARD.encode(bytes),
            _ => URL_SAFE.encode(bytes),
        }
    }

    /// Returns the proof's header with other bytes in every signature of ours, or with another credential.
    fn other_proof(&mut self) -> String {
        let value = self.base.headers[self.proof()].to_str().unwrap().to_owned();
        match self.key("kind") {
            "header" => self.other_text(&value),
            "bearer" => {
                let (word, token) = value.split_once(' ').unwrap();
                format!("{word} {}", self.other_text(token))
            }
            "basic" => {
                let (word, credential) = value.split_once(' ').unwrap();
                let other = self.other_bytes(&STANDARD.decode(credential).unwrap());
                format!("{word} {}", STANDARD.encode(other))
            }
            _ => {
                let prefix = self.key("prefix").to_owned();
                let entries = value.split(' ').map(|entry| {
                    match entry.strip_prefix(&prefix).and_then(|text| self.decode(text)) {
                        Some(bytes) => format!("{prefix}{}", {
                            let other = self.other_bytes(&bytes);
                            self.encode(&other)
                        }),
                        None => entry.to_owned(),
                    }
                });
                entries.collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// `None` where HTTP could not carry it, or where this request has nothing to change in this way.
    fn forge(&mut self) -> Option<Forged> {
        let base = self.base;
        let mut forged =
            Forged { headers: base.headers.clone(), body: base.body.clone(), now: base.now, how: "" };
        let proof = self.proof();
        let needed = self.needed();
        let name = needed[self.random.random_range(0..needed.len())].clone();
        forged.how = match self.random.random_range(0..16) {
            0..5 if self.signs() => {
                forged.body = self.other_bytes(&base.body);
                "another body"
            }
            0..9 => {
                let other = self.other_proof();
                forged.headers.insert(proof, other.parse::<HeaderValue>().ok()?);
                "another signature or credential"
            }
            9 | 10 if name != proof => {
                let other = self.other_text(base.headers[&name].to_str().unwrap());
                forged.headers.insert(name, other.parse::<HeaderValue>().ok()?);
                "another signed header"
            }
            11 => {
                forged.headers.remove(&name);
                "a header left out"
            }
            12 => {
                forged.headers.append(&name, base.headers[&name].clone());
                "a header twice"
            }
            13 if needed.len() > 1 => {
                let other = needed.iter().find(|other| **other != name)?;
                let (one, two) = (base.headers[&name].clone(), base.headers[other].clone());
                forged.headers.insert(&name, two);
                forged.headers.insert(other, one);
                "two headers exchanged"
            }
            14 => {
                // What was signed for another request, or for another sender.
                let other = &self.others[self.random.random_range(0..self.others.len())];
                let same_text = self.signs() && other.body == base.body;
                if same_text || (!self.signs() && other.auth["kind"] == base.auth["kind"]) {
                    return None;
                }
                let value = other.headers.get(other.auth["signature_header"].as_str()?)?;
                forged.headers.insert(proof, value.clone());
                "the proof of another request"
            }
            15 if needed.len() > 1 => {
                let seconds = self.random.random_range(LATER_SECONDS..1_000 * LATER_SECONDS);
                let earlier = self.random.random_bool(0.5);
                forged.now += TimeDelta::seconds(if earlier { -seconds } else { seconds });
                "another time"
            }
            _ => {
                let encoded = STANDARD.encode(SECRET);
                let secret = match self.key("kind") {
                    "ed25519" => SEED_OF_ANOTHER,
                    "basic" => "user:another-secret",
                    _ if self.key("key_encoding") == "base64" => &encoded,
                    _ => SECRET,
                };
                let signing = Signing { secret: Some(secret), headers: &[], now: base.now };
                for (name, value) in base.source.sign_as(&base.body, &signing).unwrap() {
                    forged.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
                }
                "another key"
            }
        };
        Some(forged)
    }
}

/// Forges this many requests from one authentic one, and returns how those were made that were believed.
fn forge_from(base: &Authentic, others: &[Authentic], seed: u64, cases: usize) -> Vec<String> {
    assert!(base.source.verify(&base.headers, &base.body, base.now).is_ok());
    let mut forger = Forger { base, others, random: StdRng::seed_from_u64(seed) };
    let mut believed = Vec::new();
    let mut made = 0;
    while made < cases {
        let Some(forged) = forger.forge() else { continue };
        made += 1;
        if base.source.verify(&forged.headers, &forged.body, forged.now).is_ok() {
            believed.push(format!(
                "{} {:?} {}",
                forged.how,
                forged.headers,
                String::from_utf8_lossy(&forged.body)
            ));
        }
    }
    believed
}

#[test]
fn none_of_a_million_requests_that_were_changed_is_believed() {
    let bases = authentic();
    let pairs = bases.iter().filter(|base| base.auth["kind"].as_str() == Some("ed25519")).count();
    let of_pairs = CASES_OF_PAIRS / pairs;
    let of_others = (CASES - CASES_OF_PAIRS).div_ceil(bases.len() - pairs);
    let (mut made, mut believed) = (0, Vec::new());
    thread::scope(|scope| {
        let threads = 4;
        let started: Vec<_> = (0..threads)
            .map(|thread| {
                let bases = &bases;
                scope.spawn(move || {
                    let (mut made, mut believed) = (0, Vec::new());
                    for (index, base) in bases.iter().enumerate().skip(thread).step_by(threads) {
                        let pair = base.auth["kind"].as_str() == Some("ed25519");
                        let cases = if pair { of_pairs } else { of_others };
                        believed.extend(forge_from(base, bases, SEED + index as u64, cases));
                        made += cases;
                    }
                    (made, believed)
                })
            })
            .collect();
        for thread in started {
            let (cases, wrong) = thread.join().unwrap();
            made += cases;
            believed.extend(wrong);
        }
    });
    println!("{made} changed requests, {} believed", believed.len());
    believed.truncate(20);
    assert_eq!(believed, Vec::<String>::new());
    assert!(made >= CASES - CASES_OF_PAIRS);
}
