//! A user as Genesys shows it, with the expansions a client may ask for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Call;
use super::proficiencies::{LANGUAGES, SKILLS};
use crate::organisation::{Media, Organisation, PersonState};
use crate::rules::{Expansions, Kind};

/// Gives a user without expansions.
pub(super) fn user(organisation: &Organisation, person: &PersonState) -> Value {
    let id = &person.id;
    json!({
        "id": id,
        "name": person.name,
        "division": division(organisation, &person.division),
        "chat": {"jabberId": format!("{id}@simulated.orgspan.com")},
        "email": person.email,
        "primaryContactInfo": [{"address": person.email, "mediaType": "EMAIL", "type": "PRIMARY"}],
        "addresses": [],
        "state": person.state.as_str(),
        "username": person.email,
        "version": person.version,
        "acdAutoAnswer": false,
        "selfUri": format!("/api/v2/users/{id}"),
    })
}

/// Gives a user with the expansions asked for; what isn't simulated is left out, for expansions are best effort.
pub(super) fn expanded(
    organisation: &mut Organisation,
    call: &Call<'_>,
    person: &PersonState,
    expand: &[String],
) -> Value {
    let mut json = user(organisation, person);
    let expand = match call.rules.expansions {
        Expansions::Given => expand,
        Expansions::Withheld => &[],
    };
    for name in expand {
        if let Some(value) = expansion(organisation, call, person, name) {
            json[name.as_str()] = value;
        }
    }
    json
}

fn expansion(
    organisation: &mut Organisation,
    call: &Call<'_>,
    person: &PersonState,
    name: &str,
) -> Option<Value> {
    let id = person.id.as_str();
    match name {
        "routingStatus" => Some(routing_status(call, person)),
        "presence" => Some(presence(call, person)),
        "conversationSummary" => Some(conversation_summary(person)),
        "station" => {
            let seen = organisation.read(Kind::Stations, id, call.now)?;
            Some(super::stations::stations(organisation, &seen))
        }
        "skills" => {
            let seen = organisation.read(Kind::Skills, id, call.now)?;
            Some(Value::from(SKILLS.entities(organisation, &seen)))
        }
        "languages" => {
            let seen = organisation.read(Kind::Languages, id, call.now)?;
            Some(Value::from(LANGUAGES.entities(organisation, &seen)))
        }
        "groups" => {
            let seen = organisation.read(Kind::Groups, id, call.now)?;
            Some(Value::from(super::groups::of(organisation, call, &seen)))
        }
        "team" => {
            let seen = organisation.read(Kind::Team, id, call.now)?;
            super::teams::of(organisation, call, &seen)
        }
        "employerInfo" => person.date_hire.as_ref().map(|date| json!({"dateHire": date})),
        "authorization" => {
            let seen = organisation.read(Kind::Grants, id, call.now)?;
            Some(super::grants::authorization(organisation, &seen))
        }
        _ => None,
    }
}

/// Gives a division in its short form.
pub(super) fn division(organisation: &Organisation, id: &str) -> Value {
    let name = organisation.divisions.get(id).map_or("", String::as_str);
    json!({"id": id, "name": name, "selfUri": format!("/api/v2/authorization/divisions/{id}")})
}

/// Gives the routing status.
pub(super) fn routing_status(call: &Call<'_>, person: &PersonState) -> Value {
    json!({"userId": person.id, "status": person.routing_status.as_str(), "startTime": call.date()})
}

fn presence(call: &Call<'_>, person: &PersonState) -> Value {
    json!({
        "id": person.id,
        "source": "PURECLOUD",
        "presenceDefinition": {"id": person.presence, "systemPresence": person.presence},
        "message": "",
        "modifiedDate": call.date(),
        "selfUri": format!("/api/v2/users/{}/presences/PURECLOUD", person.id),
    })
}

fn conversation_summary(person: &PersonState) -> Value {
    let mut summary: BTreeMap<&str, Value> = BTreeMap::new();
    summary.insert("userId", Value::from(person.id.as_str()));
    for media in Media::ALL {
        let active = person.conversations.get(&media).copied().unwrap_or(0);
        let contact_center = json!({"active": active, "acw": 0});
        let detail = json!({"contactCenter": contact_center, "enterprise": {"active": 0, "acw": 0}});
        summary.insert(media.as_str(), detail);
    }
    json!(summary)
}
