//! `leaver token`: the verification token that a source's sender has posted, and what to do with it.

use secrecy::ExposeSecret;
use serde_json::json;

use super::{Failure, Output, known_source, print};
use crate::config::Config;
use crate::hris::Handshake;
use crate::serve::Parts;

/// What has to be known before the token is used: posting one proves nothing.
const ADVICE: &str = "Anybody could have posted one. Confirm it at the sender first; only if the sender takes it, write it \
                      into the file or the variable that the source's secrets name.";

/// Prints the tokens that wait for an operator, newest first; none once the source has delivered.
pub async fn token(config: &Config, source: &str, output: Output) -> Result<(), Failure> {
    let source = known_source(config, "SOURCE", source)?;
    let Some(Handshake::Token(_)) = source.handshake() else {
        let name = source.name();
        return Err(Failure::Usage(format!("SOURCE: {name} has no handshake of the kind token")));
    };
    let waiting = Parts::new(config)?.store.waiting_tokens(source.name()).await.map_err(Failure::other)?;
    match output {
        Output::Json => {
            let waiting = waiting.iter().map(|waiting| {
                json!({
                    "token": waiting.token.expose_secret(),
                    "received_at": waiting.received_at,
                    "remote_address": waiting.remote_address,
                })
            });
            print::json(&waiting.collect::<Vec<_>>());
        }
        Output::Text => print::tokens(&waiting, ADVICE),
    }
    Ok(())
}
