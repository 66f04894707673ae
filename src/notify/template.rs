//! Templates as data: the formats that a chat, an on-call desk or an HR system wants instead of the usual body.

use serde::Deserialize;

use crate::config::{Method, Share};

/// Name and text of every built-in template. No vendor's name belongs into the code.
const BUILT_IN: &[(&str, &str)] = &include!("templates/list.in");

/// A format.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Template {
    method: String,
    pub(super) content_type: String,
    person: String,
    pub(super) body: String,
    /// The names that `with` has to give a value to.
    #[serde(default)]
    pub(super) with: Vec<String>,
}

impl Template {
    /// The built-in template of this name.
    pub(super) fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        toml::from_str(text).ok()
    }

    pub(super) fn method(&self) -> Option<Method> {
        Method::ALL.iter().copied().find(|method| method.as_str() == self.method)
    }

    pub(super) fn person(&self) -> Option<Share> {
        Share::ALL.iter().copied().find(|share| share.as_str() == self.person)
    }
}

/// Returns the names of the built-in templates, sorted.
pub fn templates() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}
