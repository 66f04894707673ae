//! The services that log changes: which one logs an operation, and what the service mapping says.

use serde_json::{Value, json};

/// The type of everything that is logged: every change is filed under the person.
pub(super) const ENTITY: &str = "User";

/// What can be done to a person, by calls and by administrators.
const ACTIONS: &[&str] = &["Add", "Create", "Delete", "MemberAdd", "MemberRemove", "Remove", "Update"];

/// Which service logs calls whose path contains a text; the first that fits.
const SERVICES: &[(&str, &str)] = &[
    ("/authorization/", "PeoplePermissions"),
    ("/license/", "PeoplePermissions"),
    ("/tokens/", "PeoplePermissions"),
    ("/workforcemanagement/", "WorkforceManagement"),
    ("/station", "Telephony"),
    ("/callforwarding", "Telephony"),
    ("/groups/", "Groups"),
    ("/teams/", "Groups"),
    ("/presences/", "Presence"),
    ("/routing", "Routing"),
    ("/queues", "Routing"),
    ("/", "Directory"),
];

/// Gives the service that logs calls of this path.
pub(super) fn service(path: &str) -> &'static str {
    SERVICES.iter().find(|(part, _)| path.contains(part)).map_or("Directory", |(_, service)| service)
}

pub(super) fn is_known(service: &str) -> bool {
    SERVICES.iter().any(|(_, known)| *known == service)
}

pub(super) fn mapping() -> Value {
    let mut names: Vec<&str> = SERVICES.iter().map(|(_, service)| *service).collect();
    names.sort_unstable();
    names.dedup();
    let services: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "entities": [{"name": ENTITY, "actions": ACTIONS}]}))
        .collect();
    json!({"services": services})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_logged_by_the_service_it_belongs_to() {
        let cases = [
            ("/api/v2/routing/queues/{queueId}/members/{memberId}", "Routing"),
            ("/api/v2/users/{userId}/routingskills/bulk", "Routing"),
            ("/api/v2/users/{userId}/queues", "Routing"),
            ("/api/v2/authorization/subjects/{subjectId}/bulkreplace", "PeoplePermissions"),
            ("/api/v2/users/{userId}/station/associatedstation", "Telephony"),
            ("/api/v2/users/{userId}", "Directory"),
        ];
        for (path, expected) in cases {
            assert_eq!(service(path), expected, "{path}");
        }
    }
}
