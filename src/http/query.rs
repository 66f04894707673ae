//! The query of a request, read into a type. What is not known is refused by name: a filter with a slip of the pen in its name
//! would show everything.

use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::api::Api;
use super::problem::Problem;

/// The query's parameters.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        // Who is nobody is told so, and not what is wrong with the query.
        api.operators.caller(&parts.headers)?;
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        read.map(|query| Self(query.0)).map_err(|refused| match refused {
            QueryRejection::FailedToDeserializeQueryString(error) => Problem::BadQuery(why(&error)),
            _ => Problem::MalformedAddress,
        })
    }
}

/// The innermost cause: the layers above it only say that a query was read.
fn why(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
