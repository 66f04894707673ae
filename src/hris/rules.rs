//! The rules of a profile: which directive an item is. The first rule whose conditions all hold decides.
//! Where a condition's value stands is left to the pointers, what follows from a directive to the policy.

use serde_json::Value as Json;
use toml::Value;

use super::mapping::Mapping;
use super::pointer::{Pointer, Scope};
use super::settings::{Problem, Section, SourceError, texts, word};
use crate::offboarding::Directive;

/// Rules of a profile, and conditions of a rule: the longest known have four and three.
const RULES_MAX: usize = 64;

const VERBS: [(&str, Directive); 5] = [
    ("terminate", Directive::Terminate),
    ("rescind", Directive::Rescind),
    ("lookup", Directive::Lookup),
    ("hold", Directive::Hold),
    ("ignore", Directive::Ignore),
];

/// All rules of a profile, in order.
#[derive(Debug)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    when: Vec<Condition>,
    directive: Directive,
}

/// A value and what must be true of it. Comparisons are exact, of strings only: an event name in another case, or
/// a number that looks like the word, is not the word.
#[derive(Debug)]
struct Condition {
    pointers: Vec<Pointer>,
    operator: Operator,
    words: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    /// The value is one of the words.
    In,
    /// The value is an array that has one of the words.
    ContainsAny,
    /// There is no value, null, or an empty string.
    Absent,
    /// The whole value fits one of the words, in which `*` stands for any characters, also none.
    Matches,
}

const OPERATORS: [(&str, Operator); 4] = [
    ("in", Operator::In),
    ("contains_any", Operator::ContainsAny),
    ("absent", Operator::Absent),
    ("matches", Operator::Matches),
];

impl Rules {
    /// Reads the rules. A condition's first member is a pointer or the name of a field of the map, which follows
    /// the field when an override moves it. A rule with an empty `when` always holds.
    pub(super) fn build(source: &Section<'_>, mapping: &Mapping) -> Result<Self, SourceError> {
        let written = source.array("rules")?.unwrap_or(&[]);
        if written.is_empty() {
            return Err(source.error("rules", Problem::Missing));
        }
        if written.len() > RULES_MAX {
            return Err(source.error("rules", Problem::Malformed("at most 64 rules")));
        }
        let rules = written.iter().enumerate().map(|(index, value)| {
            let path = source.path(&format!("rules[{index}]"));
            let table = value.as_table();
            let table = table.ok_or_else(|| SourceError::new(&path, Problem::Malformed("a table")))?;
            Rule::build(&Section::new(path, table), mapping)
        });
        rules.collect::<Result<_, _>>().map(Self)
    }

    /// Returns what the first matching rule says.
    pub(super) fn directive(&self, scope: &Scope<'_>) -> Option<Directive> {
        let holds = |rule: &&Rule| rule.when.iter().all(|condition| condition.holds(scope));
        self.0.iter().find(holds).map(|rule| rule.directive)
    }

    /// Returns every pointer that the rules read.
    pub(super) fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.0.iter().flat_map(|rule| &rule.when).flat_map(|condition| &condition.pointers)
    }
}

impl Rule {
    fn build(section: &Section<'_>, mapping: &Mapping) -> Result<Self, SourceError> {
        section.only(&["when", "do"])?;
        let directive = section.word("do", &VERBS)?.ok_or_else(|| section.error("do", Problem::Missing))?;
        let written = section.array("when")?.ok_or_else(|| section.error("when", Problem::Missing))?;
        let when = written.iter().enumerate();
        let when = when
            .map(|(index, value)| Condition::build(&section.path(&format!("when[{index}]")), value, mapping));
        Ok(Self { when: when.collect::<Result<_, _>>()?, directive })
    }
}

impl Condition {
    fn build(path: &str, value: &Value, mapping: &Mapping) -> Result<Self, SourceError> {
        let wrong = |problem| SourceError::new(path, problem);
        let form = "an array of a pointer, an operator and an array of strings";
        let (place, operator, words) = match value.as_array().map(Vec::as_slice) {
            Some([Value::String(place), Value::String(operator)]) => (place, operator, &[][..]),
            Some([Value::String(place), Value::String(operator), Value::Array(words)]) => {
                (place, operator, &words[..])
            }
            _ => return Err(wrong(Problem::Malformed(form))),
        };
        let operator = word(path, operator, &OPERATORS)?;
        let words: Vec<_> = texts(path, words)?.into_iter().map(str::to_owned).collect();
        match operator {
            Operator::Absent if !words.is_empty() => {
                return Err(wrong(Problem::Malformed("absent without strings")));
            }
            Operator::In | Operator::ContainsAny | Operator::Matches if words.is_empty() => {
                return Err(wrong(Problem::Malformed(form)));
            }
            Operator::Absent | Operator::In | Operator::ContainsAny | Operator::Matches => {}
        }
        let pointers = mapping.place(path, place)?;
        if pointers.is_empty() {
            return Err(wrong(Problem::UnmappedField(place.clone())));
        }
        Ok(Self { pointers, operator, words })
    }

    fn holds(&self, scope: &Scope<'_>) -> bool {
        let found = Pointer::first(&self.pointers, scope);
        let is_word =
            |value: &Json| value.as_str().is_some_and(|text| self.words.iter().any(|word| word == text));
        let value = found.as_deref();
        match self.operator {
            Operator::Absent => value.is_none(),
            Operator::In => value.is_some_and(is_word),
            Operator::ContainsAny => {
                value.and_then(Json::as_array).is_some_and(|values| values.iter().any(is_word))
            }
            Operator::Matches => {
                let fits = |text: &str| self.words.iter().any(|word| glob(word, text));
                value.and_then(Json::as_str).is_some_and(fits)
            }
        }
    }
}

/// Matches the whole text. Taking the first place for each piece is enough, as only the last piece is bound to an end.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let (middle, last) = tail.rsplit_once('*').unwrap_or(("", tail));
    for piece in middle.split('*') {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_the_rest_is_anchored() {
        let fits = [
            ("*.Termination", "a.b.Termination"),
            ("a*b*c", "abc"),
            ("a*b*c", "aXbbYc"),
            ("*", ""),
            ("a**", "a"),
            ("x", "x"),
        ];
        for (pattern, text) in fits {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        let others = [
            ("*.Termination", "a.Termination2"),
            ("a*b*c", "acb"),
            ("ab*b", "ab"),
            ("x", "X"),
            ("a*", "ba"),
            ("", "a"),
        ];
        for (pattern, text) in others {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }
}
