//! The rules of a profile: which directive an item is. The first rule whose conditions all hold decides.
//! Where a condition's value stands is left to the pointers, what follows from a directive to the policy.

use regex::{Regex, RegexBuilder};
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

/// A value and what must be true of it.
#[derive(Debug)]
struct Condition {
    pointers: Vec<Pointer>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// The value is one of the words.
    In(Vec<Word>),
    /// The value is an array that has one of the words.
    ContainsAny(Vec<Word>),
    /// There is no value, null, or an empty string.
    Absent,
    /// The value is a string in which one of the expressions is found.
    Matches(Vec<Regex>),
}

/// What a value is compared with, exactly and in its own type: an event name in another case, or a number that looks
/// like the word, is not the word.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    Text(String),
    Bool(bool),
    Integer(i64),
}

#[derive(Clone, Copy)]
enum Operator {
    In,
    ContainsAny,
    Absent,
    Matches,
}

const OPERATORS: [(&str, Operator); 4] = [
    ("in", Operator::In),
    ("contains_any", Operator::ContainsAny),
    ("absent", Operator::Absent),
    ("matches", Operator::Matches),
];

const FORM: &str =
    "an array of a pointer, an operator and an array of words: strings, true, false or whole numbers";

/// Bytes of a compiled expression; what a rule needs takes a few thousand.
const REGEX_BYTES_MAX: usize = 256 * 1024;

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

    /// The rules of a source whose documents ask for nothing by themselves.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns what the first matching rule says.
    pub(super) fn directive(&self, scope: &Scope<'_>) -> Option<Directive> {
        let holds = |rule: &&Rule| rule.when.iter().all(|condition| condition.holds(scope));
        self.0.iter().find(holds).map(|rule| rule.directive)
    }

    /// Returns every pointer that the rules read with its key, for example `rules[1].when[0]`.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, &Pointer)> {
        let conditions = self.0.iter().enumerate().flat_map(|(rule, it)| {
            it.when.iter().enumerate().map(move |(index, condition)| (rule, index, condition))
        });
        conditions.flat_map(|(rule, index, condition)| {
            let key = format!("rules[{rule}].when[{index}]");
            condition.pointers.iter().map(move |pointer| (key.clone(), pointer))
        })
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
        let (place, operator, words) = match value.as_array().map(Vec::as_slice) {
            Some([Value::String(place), Value::String(operator)]) => (place, operator, &[][..]),
            Some([Value::String(place), Value::String(operator), Value::Array(words)]) => {
                (place, operator, &words[..])
            }
            _ => return Err(wrong(Problem::Malformed(FORM))),
        };
        let test = match word(path, operator, &OPERATORS)? {
            Operator::Absent if words.is_empty() => Test::Absent,
            Operator::Absent => return Err(wrong(Problem::Malformed("absent without words"))),
            Operator::In | Operator::ContainsAny | Operator::Matches if words.is_empty() => {
                return Err(wrong(Problem::Malformed(FORM)));
            }
            Operator::In => Test::In(Word::read(path, words)?),
            Operator::ContainsAny => Test::ContainsAny(Word::read(path, words)?),
            Operator::Matches => {
                let regex = |text: &str| RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
                let regexes: Result<_, _> = texts(path, words)?.into_iter().map(regex).collect();
                Test::Matches(regexes.map_err(|_| wrong(Problem::Malformed("regular expressions")))?)
            }
        };
        let pointers = mapping.place(path, place)?;
        if pointers.is_empty() {
            return Err(wrong(Problem::UnmappedField(place.clone())));
        }
        Ok(Self { pointers, test })
    }

    fn holds(&self, scope: &Scope<'_>) -> bool {
        let found = Pointer::first(&self.pointers, scope);
        let value = found.as_deref();
        let is_among = |words: &[Word], value: &Json| words.iter().any(|word| word.is(value));
        match &self.test {
            Test::Absent => value.is_none(),
            Test::In(words) => value.is_some_and(|value| is_among(words, value)),
            Test::ContainsAny(words) => {
                let values = value.and_then(Json::as_array);
                values.is_some_and(|values| values.iter().any(|value| is_among(words, value)))
            }
            Test::Matches(regexes) => {
                let text = value.and_then(Json::as_str);
                text.is_some_and(|text| regexes.iter().any(|regex| regex.is_match(text)))
            }
        }
    }
}

impl Word {
    fn read(path: &str, values: &[Value]) -> Result<Vec<Self>, SourceError> {
        let words: Option<Vec<_>> = values.iter().map(Self::of).collect();
        words.ok_or_else(|| SourceError::new(path, Problem::Malformed(FORM)))
    }

    /// Reads a word as it is written; `None` where it is none.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) if !text.is_empty() => Some(Self::Text(text.clone())),
            Value::Boolean(value) => Some(Self::Bool(*value)),
            Value::Integer(number) => Some(Self::Integer(*number)),
            Value::String(_) | Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                None
            }
        }
    }

    pub(super) fn is(&self, value: &Json) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Bool(word) => value.as_bool() == Some(*word),
            Self::Integer(number) => value.as_i64() == Some(*number),
        }
    }
}
