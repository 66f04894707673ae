//! From the bytes of an HRIS's webhook to termination events: is it authentic, who leaves, when, what is asked.
//! Sources are data: a profile says how a sender signs and where its fields are, and no sender is named in code.
//! Storing, answering and deciding what follows are left to others.
//!
//! A request goes through [`Source::verify`] over the raw bytes, and only then through [`Source::read`].

#[cfg(test)]
mod agreement;
mod algorithm;
mod auth;
mod credential;
mod dates;
mod delivery;
#[cfg(test)]
mod forgeries;
mod form;
#[cfg(test)]
mod guards;
mod handshake;
mod identity;
mod json;
mod keys;
mod look_up;
mod mapping;
#[cfg(test)]
mod moments;
mod pick;
mod pointer;
mod profile;
#[cfg(test)]
mod readings;
mod recipe;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replays;
mod rules;
mod samples;
mod scim;
mod settings;
#[cfg(test)]
mod shapes;
mod signature;
mod signed_text;
mod source;
mod template;
#[cfg(test)]
mod vectors;
mod window;
mod xml;

pub use auth::{Refusal, SignError, Signing};
pub use delivery::{Format, Reading};
pub use handshake::{Challenge, Consent, Consented, Handshake, Ping, Token};
pub use json::{DEPTH_MAX, ReadError, parse as parse_json};
pub use keys::{KeyIndex, SECRET_BYTES_MIN};
pub use look_up::{LookUp, LookUpAnswer, LookUpCredential, LookUpRequest};
pub use profile::builtin_profiles;
pub use recipe::look_up_recipes;
pub use samples::{Misfit, Samples, SamplesError};
pub use scim::{Ending, Scheme, Scim};
pub use settings::{Problem, SourceError};
pub use source::Source;
