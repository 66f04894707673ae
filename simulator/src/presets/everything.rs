//! The person with one of everything, and with more than a page of most: what a complete offboarding is tried on.

use serde_json::{Value, json};

use super::AUTHORITY;
use crate::organisation::{Grant, Id, Joining, MemberBy, Organisation, Person, QueueMembership};

/// Queues the agent is a member of in person; the groups add [`GROUPS`] times [`QUEUES_PER_GROUP`].
const OWN_QUEUES: usize = 126;

/// How many of them aren't joined: half of all memberships.
const UNJOINED: usize = 65;

const GROUPS: usize = 2;

const QUEUES_PER_GROUP: usize = 2;

const SKILLS: usize = 60;

/// The grants that each of the groups hands on.
const INHERITED_GRANTS: [usize; GROUPS] = [3, 2];

/// Gives an agent with everything that can be assigned: 130 queue memberships over 3 divisions (half of them not joined, 4
/// through 2 groups, rings 1 to 6), 60 skills, 3 languages, 12 direct grants, 5 inherited ones, a work team, both stations,
/// call forwarding to a private mobile, a direct routing backup, a utilization override, 2 tokens.
pub fn everything_agent(organisation: &mut Organisation, name: &str, email: &str, external_id: &str) -> Id {
    let home = organisation.home();
    let divisions = [
        home.clone(),
        organisation.add_division(&format!("North of {name}")),
        organisation.add_division(&format!("South of {name}")),
    ];
    let person = Person::new(name, email).external_id(AUTHORITY, external_id).tokens(2);
    let person = with_queues(organisation, person, name, &divisions);
    let person = with_groups(organisation, person, name, &divisions);
    let person = with_proficiencies(organisation, person, name);
    let person = with_grants(organisation, person, name, &divisions);
    let team = organisation.add_team(&format!("Team of {name}"), &home);
    let desk = organisation.add_station(&format!("Desk of {name}"));
    let phone = organisation.add_station(&format!("WebRTC phone of {name}"));
    let backup = organisation.add_queue(&format!("Backup of {name}"), &home);
    let person = person
        .team(&team)
        .associated_station(&desk)
        .default_station(&phone)
        .call_forwarding(forwarding())
        .direct_routing_backup(json!({"queueId": backup, "waitForAgent": true, "agentWaitSeconds": 60}))
        .utilization(json!({
            "utilization": {"call": {"maximumCapacity": 2, "interruptableMediaTypes": ["email"], "includeNonAcd": true}},
            "labelUtilizations": {},
        }));
    organisation.add_person(person)
}

fn forwarding() -> Value {
    json!({
        "enabled": true,
        "calls": [{"targets": [{"type": "PHONENUMBER", "value": "+4915112345678"}]}],
        "voicemail": "PURECLOUD",
    })
}

fn with_queues(
    organisation: &mut Organisation,
    mut person: Person,
    name: &str,
    divisions: &[Id; 3],
) -> Person {
    for (number, (division, ring_number)) in
        (1..=OWN_QUEUES).zip(divisions.iter().cycle().zip((1..=6).cycle()))
    {
        let queue = organisation.add_queue(&format!("{name} queue {number:03}"), division);
        let joining = if number <= UNJOINED { Joining::Unjoined } else { Joining::Joined };
        person = person.membership(&queue, QueueMembership { joining, ring_number, by: MemberBy::User });
    }
    person
}

fn with_groups(
    organisation: &mut Organisation,
    mut person: Person,
    name: &str,
    divisions: &[Id; 3],
) -> Person {
    for (number, grants) in (1..=GROUPS).zip(INHERITED_GRANTS) {
        let role = organisation.add_role(&format!("Role {number} by group of {name}"));
        let divisions = divisions.iter().take(grants);
        let grants: Vec<Grant> =
            divisions.map(|division| Grant { role: role.clone(), division: division.clone() }).collect();
        let group = organisation.add_group(&format!("Group {number} of {name}"), &grants);
        let home = organisation.home();
        for queue in 1..=QUEUES_PER_GROUP {
            let queue = organisation.add_queue(&format!("{name} group {number} queue {queue}"), &home);
            organisation.serve_queue(&group, &queue);
        }
        person = person.group(&group);
    }
    person
}

fn with_proficiencies(organisation: &mut Organisation, mut person: Person, name: &str) -> Person {
    // 0.0 to 5.0 in steps of a half.
    for (number, halves) in (1..=SKILLS).zip((0..=10_u8).cycle()) {
        let skill = organisation.add_skill(&format!("Skill {number:02} ({name})"));
        person = person.skill(&skill, f64::from(halves) / 2.0);
    }
    for (language, proficiency) in [("English", 5.0), ("German", 3.5), ("French", 1.0)] {
        person = person.language(&organisation.add_language(&format!("{language} ({name})")), proficiency);
    }
    person
}

/// Grants 4 roles in each of the 3 divisions.
fn with_grants(
    organisation: &mut Organisation,
    mut person: Person,
    name: &str,
    divisions: &[Id; 3],
) -> Person {
    for role in ["Agent", "Supervisor", "Quality", "Reports"] {
        let role = organisation.add_role(&format!("{role} {name}"));
        for division in divisions {
            person = person.grant(&role, division);
        }
    }
    person
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::probe::Probe;

    #[test]
    fn everything_is_there_in_the_numbers_promised() {
        let mut org = Organisation::new(1);
        let id = everything_agent(&mut org, "Jane", "jane@example.com", "E1");
        let jane = org.person(&id).unwrap();
        let count = |holds: &dyn Fn(&QueueMembership) -> bool| {
            jane.queues.values().filter(|membership| holds(membership)).count()
        };
        assert_eq!(jane.queues.len(), 130);
        assert_eq!(count(&|membership| membership.joining == Joining::Unjoined), 65);
        assert_eq!(count(&|membership| membership.by == MemberBy::Group), 4);
        let rings: BTreeSet<u8> = jane.queues.values().map(|membership| membership.ring_number).collect();
        assert_eq!(rings, (1..=6).collect());
        let divisions: BTreeSet<&Id> = jane.queues.keys().map(|queue| &org.queues[queue].division).collect();
        assert_eq!(divisions.len(), 3);
        assert_eq!((jane.skills.len(), jane.languages.len(), jane.grants.len()), (60, 3, 12));
        assert!(jane.skills.values().any(|proficiency| proficiency.fract() > 0.0));
        let inherited = jane.groups.iter().map(|group| org.group(group).unwrap().grants.len());
        assert_eq!(inherited.sum::<usize>(), 5);
        assert!(jane.team.is_some() && jane.utilization.is_some() && jane.tokens == 2);
        assert!(jane.associated_station.is_some() && jane.default_station.is_some());
    }

    #[tokio::test]
    async fn every_part_is_readable_in_its_published_form() {
        let probe = Probe::start().await;
        let jane =
            probe.simulator.organisation(|org| everything_agent(org, "Jane", "jane@example.com", "E1"));
        let forwarding = probe.get(&format!("/api/v2/users/{jane}/callforwarding")).await.body;
        assert_eq!(forwarding["enabled"], true);
        assert_eq!(
            probe.send("PUT", &format!("/api/v2/users/{jane}/callforwarding"), &forwarding).await.status,
            200
        );
        let backup = format!("/api/v2/routing/users/{jane}/directroutingbackup/settings");
        let settings = probe.get(&backup).await;
        assert_eq!(settings.status, 200);
        assert_eq!(probe.send("PUT", &backup, &settings.body).await.status, 200);
        let utilization = format!("/api/v2/routing/users/{jane}/utilization");
        assert_eq!(probe.get(&utilization).await.body["level"], "Agent");
        let unjoined = format!("/api/v2/users/{jane}/queues?joined=false&pageSize=100");
        assert_eq!(probe.get(&unjoined).await.body["total"], 65);
        probe.assert_no_violations();
    }
}
