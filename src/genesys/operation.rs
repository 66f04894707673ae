//! What a call is named in metrics and traces: its path without any id.

use reqwest::Method;

/// The words of all paths that the client calls. Any other segment is an id, or text from outside.
const WORDS: &[&str] = &[
    "agents",
    "agentschedules",
    "analytics",
    "api",
    "architect",
    "associatedstation",
    "audits",
    "authorization",
    "bulk",
    "bulkadd",
    "bulkremove",
    "callbacks",
    "callforwarding",
    "consumingresources",
    "conversations",
    "defaultstation",
    "dependencytracking",
    "details",
    "didpools",
    "dids",
    "directroutingbackup",
    "divisions",
    "edges",
    "externalid",
    "groups",
    "license",
    "managementunit",
    "managementunits",
    "me",
    "members",
    "messages",
    "oauth",
    "organization",
    "participants",
    "phones",
    "providers",
    "query",
    "queue",
    "queues",
    "realtime",
    "replace",
    "roles",
    "routing",
    "routinglanguages",
    "routingskills",
    "routingstatus",
    "search",
    "settings",
    "state",
    "station",
    "subjects",
    "teams",
    "telephony",
    "token",
    "tokens",
    "users",
    "utilization",
    "v2",
    "voicemail",
    "workforcemanagement",
];

/// The path in front of which every other begins.
const BASE: &str = "/api/v2/";

/// Gives the method and the path, with `{id}` for everything that is no word of the interface.
pub(super) fn operation(method: &Method, path: &str) -> String {
    let segments = path.trim_start_matches('/').split('/');
    let known = segments.map(|segment| if WORDS.contains(&segment) { segment } else { "{id}" });
    format!("{method} /{}", known.collect::<Vec<_>>().join("/"))
}

/// Gives the part of the interface that a path belongs to: its first word.
pub(super) fn family(path: &str) -> &'static str {
    let rest = path.strip_prefix(BASE).unwrap_or(path.trim_start_matches('/'));
    let first = rest.split('/').next().unwrap_or_default();
    WORDS.iter().find(|word| **word == first).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn ids_and_text_from_outside_are_left_out() {
        let named = |path| operation(&Method::GET, path);
        assert_eq!(named("/api/v2/users/8c1a-7/queues"), "GET /api/v2/users/{id}/queues");
        assert_eq!(named("/api/v2/users/externalid/hris/jane"), "GET /api/v2/users/externalid/{id}/{id}");
        assert_eq!(named("/oauth/token"), "GET /oauth/token");
        assert_eq!(family("/api/v2/users/8c1a-7/queues"), "users");
        assert_eq!((family("/oauth/token"), family("/api/v2/jane")), ("oauth", "other"));
    }

    /// Every path that stands in the client's sources, its holes as `{id}`.
    #[test]
    fn every_word_of_the_clients_paths_is_known_and_none_is_spare() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/genesys");
        let mut used = std::collections::BTreeSet::from(["oauth", "token"].map(str::to_owned));
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() || path.ends_with("operation.rs") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for from in text.match_indices("\"/api/v2/").map(|(at, _)| at + 2) {
                let path = text[from..].split(['"', '?']).next().unwrap();
                used.extend(path.split('/').filter(|word| !word.contains('{')).map(str::to_owned));
            }
        }
        assert!(used.len() > 40, "the paths are written in another way: {used:?}");
        assert_eq!(used, WORDS.iter().map(|word| (*word).to_owned()).collect());
    }
}
