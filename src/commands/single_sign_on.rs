//! What `leaver check` says about `[oidc]`: whether the issuer is who it should be, what has to be registered there, and
//! whether one person could count as two.

use super::check::Finding;
use crate::config::Config;
use crate::oidc::Oidc;

/// What is found; nothing where the section is absent.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    const WHAT: &str = "single sign-on";
    let Some(settings) = &config.oidc else { return Vec::new() };
    let looked = match Oidc::new(settings.clone()) {
        Ok(oidc) => oidc.look().await,
        Err(error) => return vec![Finding::bad(WHAT, super::with_causes(&error))],
    };
    let mut findings = vec![match looked {
        Err(error) => {
            let advice = "is oidc.issuer right, letter by letter, and can this machine reach it? Until then people sign in with tokens";
            Finding::bad(WHAT, format!("{}: {advice}", super::with_causes(&error)))
        }
        Ok(found) if found.token_endpoint.is_none() => {
            Finding::bad(WHAT, format!("{} has no token endpoint", settings.issuer))
        }
        Ok(found) if found.usable_keys == 0 => Finding::bad(
            WHAT,
            format!(
                "none of the {} keys of {} is for RS256, PS256, ES256 or EdDSA: have it sign id tokens with one of these",
                found.keys, settings.issuer
            ),
        ),
        Ok(found) => Finding::good(
            WHAT,
            format!(
                "{} calls itself so and has {} usable keys; people sign in at {}, codes are exchanged at {}{}",
                settings.issuer,
                found.usable_keys,
                found.authorization_endpoint,
                found.token_endpoint.unwrap_or_default(),
                found
                    .userinfo_endpoint
                    .map(|url| format!(", more claims are read at {url}"))
                    .unwrap_or_default(),
            ),
        ),
    }];
    findings.push(Finding::good(
        "redirect URI",
        format!("{}: register it, exactly so, for the client {}", settings.redirect_url, settings.client_id),
    ));
    findings.extend(unlinked(config, &settings.operators));
    findings
}

/// Whoever has a token under one name and an account under another could approve what they asked for.
fn unlinked(config: &Config, linked: &[(String, String)]) -> Option<Finding> {
    let is_linked = |name: &str| linked.iter().any(|(operator, _)| operator == name);
    let names = config.operators.iter().map(|operator| operator.name.as_str());
    let names: Vec<&str> = names.filter(|name| !is_linked(name)).collect();
    (!names.is_empty()).then(|| {
        let detail = format!(
            "{} sign in with tokens: whoever of them has an account at the issuer too has to stand in [oidc.operators], or counts as two people",
            names.join(", ")
        );
        Finding::doubtful("operators and single sign-on", detail)
    })
}
