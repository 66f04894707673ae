//! The published interface as the simulator's own table: which operation a request is, and whether it keeps to the definition.
//! The table is an extract of the published definition, made once; what the operations do is left to `operations`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::answer::Problem;
use crate::schema::{self, Flaw, Schema};
use crate::text;

/// Every operation and schema the simulator knows.
#[derive(Debug, Deserialize)]
pub(crate) struct Definition {
    pub(crate) operations: Vec<Operation>,
    invented: Vec<Invented>,
    pub(crate) schemas: BTreeMap<String, Schema>,
}

/// One published operation.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) changes: bool,
    query: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) need: Need,
    pub(crate) permissions: Vec<String>,
    #[cfg(test)]
    pub(crate) success: Vec<String>,
    #[cfg(test)]
    pub(crate) answer: Option<Schema>,
    dangerous: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    required: bool,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
}

/// The body an operation takes.
#[derive(Debug, Deserialize)]
pub(crate) struct Body {
    #[serde(rename = "type")]
    pub(crate) content_type: String,
    required: bool,
    schema: Schema,
}

/// How many of the listed permissions an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Need {
    None,
    Any,
    All,
}

/// A call that circulates in tutorials and does not exist.
#[derive(Debug, Deserialize)]
struct Invented {
    method: String,
    path: String,
    real: String,
}

/// The values of a path's variables.
pub(crate) type PathValues = Vec<(&'static str, String)>;

/// What a method and a path mean.
#[derive(Debug)]
pub(crate) enum Match {
    Operation(&'static Operation, PathValues),
    /// The path exists, with other methods.
    OtherMethod,
    /// The call never existed; the text names the real one.
    Invented(&'static str),
    Unknown,
}

/// What the definition says about a request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) violations: Vec<String>,
    pub(crate) refusal: Option<Problem>,
    pub(crate) body: Value,
}

static DEFINITION: LazyLock<Definition> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is compiled in, and every test parses it")]
    serde_json::from_str(include_str!("definition.json")).expect("definition.json is well formed")
});

/// Gives the embedded definition.
pub(crate) fn definition() -> &'static Definition {
    &DEFINITION
}

impl Definition {
    /// Finds what a request is; a literal path segment wins over a variable, as on the real platform.
    pub(crate) fn find(&'static self, method: &str, path: &str) -> Match {
        for call in &self.invented {
            if call.method == method && variables(&call.path, path).is_some() {
                return Match::Invented(&call.real);
            }
        }
        let mut fitting: Vec<(&Operation, PathValues)> = Vec::new();
        for operation in &self.operations {
            if let Some(values) = variables(&operation.path, path) {
                fitting.push((operation, values));
            }
        }
        let Some(most_literal) = fitting.iter().map(|(_, values)| values.len()).min() else {
            return Match::Unknown;
        };
        fitting
            .into_iter()
            .find(|(operation, values)| values.len() == most_literal && operation.method == method)
            .map_or(Match::OtherMethod, |(operation, values)| Match::Operation(operation, values))
    }

    /// Compares a request with the definition of its operation.
    pub(crate) fn check(
        &self,
        operation: &Operation,
        query: &[(String, String)],
        content_type: Option<&str>,
        bytes: &[u8],
    ) -> Verdict {
        let mut verdict = Verdict::default();
        if let Some(reason) = &operation.dangerous {
            verdict.violations.push(format!("must not be called: {reason}"));
        }
        check_query(operation, query, &mut verdict);
        match &operation.body {
            Some(body) => self.check_body(body, content_type, bytes, &mut verdict),
            None if !bytes.is_empty() => {
                verdict.violations.push("takes no body, but one was sent".to_owned())
            }
            None => {}
        }
        verdict
    }

    fn check_body(&self, body: &Body, content_type: Option<&str>, bytes: &[u8], verdict: &mut Verdict) {
        let declared = content_type.and_then(|value| value.split(';').next()).map(str::trim);
        if !declared.is_some_and(|value| value.eq_ignore_ascii_case(&body.content_type)) {
            verdict.violations.push(format!("content type is {declared:?}, not {}", body.content_type));
            verdict.refusal = Some(Problem::unsupported_media_type());
            return;
        }
        if body.content_type != "application/json" {
            return;
        }
        if bytes.is_empty() && !body.required {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
            verdict.violations.push("body is not JSON".to_owned());
            verdict.refusal = Some(Problem::bad_request("The request body is not valid JSON."));
            return;
        };
        for flaw in schema::check(&self.schemas, &body.schema, &value) {
            verdict.violations.push(flaw.text().to_owned());
            if let Flaw::Broken(text) = flaw {
                verdict.refusal.get_or_insert_with(|| Problem::bad_request(&text));
            }
        }
        verdict.body = value;
    }
}

fn check_query(operation: &Operation, query: &[(String, String)], verdict: &mut Verdict) {
    for (name, value) in query {
        let Some(parameter) = operation.query.iter().find(|parameter| parameter.name == *name) else {
            // Genesys ignores what it doesn't know, which is exactly what makes `GET /users?email=` dangerous.
            verdict.violations.push(format!("query parameter {name} does not exist"));
            continue;
        };
        if !parameter.fits(value) {
            let text = format!("Value [{value}] is not valid for parameter [{name}].");
            verdict.violations.push(text.clone());
            verdict.refusal.get_or_insert_with(|| Problem::new(400, "invalid.value", text));
        }
    }
    for parameter in operation.query.iter().filter(|parameter| parameter.required) {
        if !query.iter().any(|(name, _)| *name == parameter.name) {
            let text = format!("query parameter {} is required", parameter.name);
            verdict.refusal.get_or_insert_with(|| Problem::bad_request(&text));
            verdict.violations.push(text);
        }
    }
}

impl Parameter {
    fn fits(&self, value: &str) -> bool {
        match self.kind.as_str() {
            "integer" => value.parse::<i64>().is_ok(),
            "boolean" => value == "true" || value == "false",
            // Official SDKs send lists both as repeated keys and joined by commas.
            "array" => value.split(',').all(|item| self.lists(item)),
            _ => self.lists(value),
        }
    }

    fn lists(&self, value: &str) -> bool {
        self.values.is_empty() || self.values.iter().any(|allowed| allowed == value)
    }
}

/// Gives the values of a template's variables, or nothing when the path doesn't fit it.
fn variables(template: &'static str, path: &str) -> Option<PathValues> {
    let fits = template.split('/').map(Some).chain([None]).zip(path.split('/').map(Some).chain([None])).all(
        |(expected, segment)| match (expected, segment) {
            (Some(expected), Some(segment)) if is_variable(expected) => !segment.is_empty(),
            (expected, segment) => expected == segment,
        },
    );
    // Decided before anything is allocated: every request is compared with every template.
    fits.then(|| {
        let segments = template.split('/').zip(path.split('/')).filter(|(expected, _)| is_variable(expected));
        let named = segments.map(|(name, segment)| (name.trim_matches(['{', '}']), segment));
        named.map(|(name, segment)| (name, text::decode_percent(segment))).collect()
    })
}

fn is_variable(segment: &str) -> bool {
    segment.starts_with('{')
}

#[cfg(test)]
mod tests;
