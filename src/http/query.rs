//! The query of a request, read into a type. What is not known is refused by name: a filter with a slip of the pen in its name
//! would show everything.

use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::api::Api;
use super::problem::Problem;

/// The query of a route that takes no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

/// The query's parameters.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        // Who is nobody is told so, and not what is wrong with the query.
        api.operators.caller(&parts.headers)?;
        // First as it came: a name that is not known, or is there twice, is refused also without a value.
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .and_then(|_| axum::extract::Query::<T>::try_from_uri(&given(&parts.uri)));
        read.map(|query| Self(query.0)).map_err(|refused| match refused {
            QueryRejection::FailedToDeserializeQueryString(error) => Problem::BadQuery(why(&error)),
            _ => Problem::MalformedAddress,
        })
    }
}

/// The same query without the parameters that have no value: a form sends every field, and those count as left out.
fn given(uri: &Uri) -> Uri {
    let parameters = uri.query().unwrap_or_default().split('&');
    let has_value = |parameter: &&str| parameter.split_once('=').is_some_and(|(_, value)| !value.is_empty());
    let given: Vec<&str> = parameters.filter(has_value).collect();
    format!("/?{}", given.join("&")).parse().unwrap_or_else(|_| uri.clone())
}

/// The innermost cause: the layers above it only say that a query was read.
fn why(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
