//! `[[operators]]`: who may use the operator API and as what; leaves checking a request's token to `http`.

use secrecy::{ExposeSecret, SecretString};

use super::error::ConfigError;
use super::section::Section;

pub(super) const KEYS: &[&str] = &["name", "role", "token"];

/// The name stands in every journal entry that the operator causes.
pub(super) const NAME_CHARS_MAX: usize = 64;

/// Somebody who may use the operator API.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The name in the journal; unique without regard to case. Required.
    pub name: String,
    /// What the operator may do. Required.
    pub role: Role,
    /// The bearer token; unique. Required, at least 16 bytes of visible ASCII.
    pub token: SecretString,
}

/// What an operator may do; each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May look.
    Viewer,
    /// May start, retry, cancel, restore and pause.
    Operator,
    /// May release what is held.
    Approver,
}

impl Role {
    /// Every role, each before those that include it.
    pub const ALL: &[Self] = &[Self::Viewer, Self::Operator, Self::Approver];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
        }
    }
}

/// Whether a text can stand in the journal as an operator's name: nothing in it can be taken for a mark of the journal's own.
pub fn is_operator_name(name: &str) -> bool {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.bytes().all(usable)
}

/// Reads all operators and compares them: who asked and who approved must be told apart for certain.
pub(super) fn read(sections: Vec<Section<'_>>) -> Result<Vec<Operator>, ConfigError> {
    let mut operators: Vec<Operator> = Vec::with_capacity(sections.len());
    for section in sections {
        let (name_key, token_key) = (section.key("name"), section.key("token"));
        let operator = read_one(section)?;
        for (index, other) in operators.iter().enumerate() {
            if other.name.eq_ignore_ascii_case(&operator.name) {
                return Err(ConfigError::refused(
                    name_key,
                    format!("is the same as operators[{index}].name"),
                ));
            }
            if other.token.expose_secret() == operator.token.expose_secret() {
                return Err(ConfigError::refused(
                    token_key,
                    format!("is the same as operators[{index}].token"),
                ));
            }
        }
        operators.push(operator);
    }
    Ok(operators)
}

fn read_one(mut section: Section<'_>) -> Result<Operator, ConfigError> {
    let expected = format!("at most {NAME_CHARS_MAX} letters, digits and . _ - @");
    let name =
        section.required("name")?.parse(&expected, |name| is_operator_name(name).then(|| name.to_owned()))?;
    let role = section.required("role")?.choice(Role::ALL, Role::as_str)?;
    let token = section.secret("token")?;
    if !token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError::refused(
            section.key("token"),
            "has characters that no bearer token can have",
        ));
    }
    Ok(Operator { name, role, token })
}
