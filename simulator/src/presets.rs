//! People and organisations worth trying things on.

mod everything;

use serde_json::json;

pub use everything::everything_agent;

use crate::organisation::{Grant, Id, Joining, Media, Organisation, Person, RoutingStatus};

/// The authority under which the presets' external ids are kept.
pub const AUTHORITY: &str = "workday";

/// Gives an agent with assignments of every kind that can be removed one by one: 3 joined and 2 unjoined queues, 3 skills,
/// 2 languages, a utilization override, 2 roles in 2 divisions, both stations, 2 tokens.
pub fn fully_assigned_agent(
    organisation: &mut Organisation,
    name: &str,
    email: &str,
    external_id: &str,
) -> Id {
    let agent = assigned(organisation, name, email, external_id, 3, 2);
    organisation.add_person(agent)
}

/// Gives the same agent with 30 joined and 30 unjoined queues: more than one page of each.
pub fn agent_with_pages_of_queues(
    organisation: &mut Organisation,
    name: &str,
    email: &str,
    external_id: &str,
) -> Id {
    let agent = assigned(organisation, name, email, external_id, 30, 30);
    organisation.add_person(agent)
}

/// Gives the same agent with what can't be removed from them: a queue membership and a role through a group.
pub fn agent_with_inherited(
    organisation: &mut Organisation,
    name: &str,
    email: &str,
    external_id: &str,
) -> Id {
    let home = organisation.home();
    let role = organisation.add_role(&format!("Employee of {name}"));
    let group =
        organisation.add_group(&format!("Group of {name}"), &[Grant { role, division: home.clone() }]);
    let queue = organisation.add_queue(&format!("Group queue of {name}"), &home);
    let agent = assigned(organisation, name, email, external_id, 3, 2).group(&group).queue_by_group(&queue);
    organisation.add_person(agent)
}

/// Gives somebody without any assignment.
pub fn bare_person(organisation: &mut Organisation, name: &str, email: &str, external_id: &str) -> Id {
    organisation.add_person(Person::new(name, email).external_id(AUTHORITY, external_id))
}

/// Fills an organisation for a demonstration: two agents ready to leave, one in a call, one through groups, and a colleague.
/// Gives their ids in this order.
pub fn demonstration(organisation: &mut Organisation) -> Vec<Id> {
    let jane = fully_assigned_agent(organisation, "Jane Doe", "jane.doe@example.com", "E1001");
    let omar = agent_with_pages_of_queues(organisation, "Omar Haddad", "omar.haddad@example.com", "E1002");
    let busy = assigned(organisation, "Lena Fischer", "lena.fischer@example.com", "E1003", 2, 0)
        .routing_status(RoutingStatus::Interacting)
        .presence("On Queue")
        .conversations(Media::Call, 1);
    let busy = organisation.add_person(busy);
    let inherited = agent_with_inherited(organisation, "Priya Nair", "priya.nair@example.com", "E1004");
    let colleague = fully_assigned_agent(organisation, "Tom Berg", "tom.berg@example.com", "E1005");
    vec![jane, omar, busy, inherited, colleague]
}

fn assigned(
    organisation: &mut Organisation,
    name: &str,
    email: &str,
    external_id: &str,
    joined_queues: usize,
    unjoined_queues: usize,
) -> Person {
    let home = organisation.home();
    let division = organisation.add_division(&format!("Division of {name}"));
    let mut person = Person::new(name, email).external_id(AUTHORITY, external_id).tokens(2);
    for number in 1..=joined_queues + unjoined_queues {
        let queue = organisation.add_queue(&format!("{name} queue {number:02}"), &home);
        let joining = if number <= joined_queues { Joining::Joined } else { Joining::Unjoined };
        person = person.queue(&queue, joining);
    }
    for (skill, proficiency) in [("Billing", 5.0), ("Refunds", 3.0), ("Complaints", 2.5)] {
        person = person.skill(&organisation.add_skill(&format!("{skill} ({name})")), proficiency);
    }
    for (language, proficiency) in [("English", 5.0), ("German", 3.0)] {
        person = person.language(&organisation.add_language(&format!("{language} ({name})")), proficiency);
    }
    let agent = organisation.add_role(&format!("Agent {name}"));
    let supervisor = organisation.add_role(&format!("Supervisor {name}"));
    let desk = organisation.add_station(&format!("Desk of {name}"));
    let phone = organisation.add_station(&format!("WebRTC phone of {name}"));
    person
        .utilization(json!({
            "utilization": {"call": {"maximumCapacity": 2, "interruptableMediaTypes": ["email"], "includeNonAcd": true}},
            "labelUtilizations": {},
        }))
        .grant(&agent, &home)
        .grant(&agent, &division)
        .grant(&supervisor, &division)
        .associated_station(&desk)
        .default_station(&phone)
}
