//! The text that a signature covers: the raw body, headers as they were sent, and literals, in the sender's order.
//! What is computed over it is left to the signature.

use axum::http::{HeaderMap, HeaderName};

use super::auth::{Refusal, header_name, single};
use super::settings::{Problem, Section, SourceError};
use super::window::Digits;

/// Parts of the signed text; the longest known scheme has five.
const PARTS_MAX: usize = 16;

/// The parts in order, the body exactly once.
#[derive(Debug)]
pub(super) struct SignedText(Vec<Part>);

/// One part of the text.
#[derive(Debug)]
pub(super) enum Part {
    Body,
    Header(HeaderName),
    Literal(String),
}

impl SignedText {
    pub(super) fn build(auth: &Section<'_>, signature: &HeaderName) -> Result<Self, SourceError> {
        let written = auth.texts("signed")?.ok_or_else(|| auth.error("signed", Problem::Missing))?;
        if written.len() > PARTS_MAX || written.iter().filter(|part| **part == "body").count() != 1 {
            return Err(auth.error("signed", Problem::Malformed("a few parts with body exactly once")));
        }
        let parts = written.into_iter().enumerate();
        let parts = parts.map(|(index, text)| part(&auth.path(&format!("signed[{index}]")), text, signature));
        parts.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }

    pub(super) fn covers(&self, header: &HeaderName) -> bool {
        self.0.iter().any(|part| part.is_header(header))
    }

    /// Collects the text of a request, each header being there exactly once.
    pub(super) fn collect<'a>(
        &'a self,
        headers: &'a HeaderMap,
        body: &'a [u8],
    ) -> Result<Vec<&'a [u8]>, Refusal> {
        let bytes = |part: &'a Part| match part {
            Part::Body => Ok(body),
            Part::Header(name) => single(headers, name).map(str::as_bytes),
            Part::Literal(literal) => Ok(literal.as_bytes()),
        };
        self.0.iter().map(bytes).collect()
    }

    /// Says how many digits the timestamp may have, which depends on what stands beside it.
    pub(super) fn digits(&self, timestamp: &HeaderName) -> Digits {
        let touching = |pair: &[Part]| {
            let literal = pair.iter().any(|part| matches!(part, Part::Literal(_)));
            pair.iter().any(|part| part.is_header(timestamp)) && !literal
        };
        if self.0.windows(2).any(touching) { Digits::Fixed } else { Digits::Any }
    }
}

impl Part {
    fn is_header(&self, header: &HeaderName) -> bool {
        matches!(self, Self::Header(name) if name == header)
    }
}

fn part(path: &str, text: &str, signature: &HeaderName) -> Result<Part, SourceError> {
    let wrong = |form| SourceError::new(path, Problem::Malformed(form));
    if text == "body" {
        return Ok(Part::Body);
    }
    if let Some(literal) = text.strip_prefix("lit:").filter(|literal| !literal.is_empty()) {
        return Ok(Part::Literal(literal.to_owned()));
    }
    let name = text.strip_prefix("header:").ok_or_else(|| wrong("body, header:NAME or lit:TEXT"))?;
    let name = header_name(path, name)?;
    if name == *signature {
        return Err(wrong("another header than the signature's own"));
    }
    Ok(Part::Header(name))
}
