//! The organisation of the demo: who is in it, who leaves, and what was true of everybody before anything happened.

use std::collections::BTreeMap;

use leaver_simulator::{AccountState, Id, Media, Organisation, PersonState, RoutingStatus, presets};
use serde_json::{Value, json};

/// Everybody whom the HRIS talks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Leaves, and nothing goes wrong.
    Jane,
    /// Somebody forges her termination.
    Mia,
    /// The date of his termination can be read in two ways.
    Ines,
    /// Leaves next month.
    Priya,
    /// Leaves, and never was in Genesys Cloud.
    Nora,
    /// Leaves while he talks with a customer.
    Kai,
    /// Leaves while Genesys Cloud is overloaded, and comes back: HR was wrong.
    Omar,
    /// Leaves while a worker process dies.
    Lena,
}

impl Who {
    pub(crate) const ALL: [Self; 8] =
        [Self::Jane, Self::Mia, Self::Ines, Self::Priya, Self::Nora, Self::Kai, Self::Omar, Self::Lena];

    /// Those whose account is to be closed in the end.
    pub(crate) const LEAVERS: [Self; 3] = [Self::Jane, Self::Lena, Self::Kai];

    /// The one who is to have everything again in the end.
    pub(crate) const RESTORED: Self = Self::Omar;

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jane => "Jane Doe",
            Self::Mia => "Mia Lindqvist",
            Self::Ines => "Ines Moreau",
            Self::Priya => "Priya Nair",
            Self::Nora => "Nora Quist",
            Self::Kai => "Kai Sommer",
            Self::Omar => "Omar Haddad",
            Self::Lena => "Lena Fischer",
        }
    }

    pub(crate) fn email(self) -> &'static str {
        match self {
            Self::Jane => "jane.doe@example.com",
            Self::Mia => "mia.lindqvist@example.com",
            Self::Ines => "ines.moreau@example.com",
            Self::Priya => "priya.nair@example.com",
            Self::Nora => "nora.quist@example.com",
            Self::Kai => "kai.sommer@example.com",
            Self::Omar => "omar.haddad@example.com",
            Self::Lena => "lena.fischer@example.com",
        }
    }

    /// The HRIS's own id of the person.
    pub(crate) fn worker_id(self) -> &'static str {
        match self {
            Self::Jane => "WRK-10471",
            Self::Mia => "WRK-10472",
            Self::Ines => "WRK-10473",
            Self::Priya => "WRK-10474",
            Self::Nora => "WRK-10475",
            Self::Kai => "WRK-10476",
            Self::Omar => "WRK-10477",
            Self::Lena => "WRK-10478",
        }
    }
}

/// Everybody in the organisation, and everything that was true of them at the beginning.
pub(crate) struct People {
    ids: BTreeMap<Who, Id>,
    before: BTreeMap<Id, PersonState>,
}

impl People {
    /// Fills an organisation.
    pub(crate) fn hire(organisation: &mut Organisation) -> Self {
        let mut ids = BTreeMap::new();
        for who in Who::ALL.into_iter().filter(|who| *who != Who::Nora) {
            let id = presets::fully_assigned_agent(organisation, who.name(), who.email(), who.worker_id());
            let home = organisation.home();
            let team = organisation.add_team(&format!("Team of {}", who.name()), &home);
            organisation.edit(&id, |person| {
                person.team = Some(team);
                person.call_forwarding = Some(to_a_private_phone());
            });
            ids.insert(who, id);
        }
        let people = Self { ids, before: BTreeMap::new() };
        organisation.edit(people.id(Who::Kai), |kai| {
            kai.routing_status = RoutingStatus::Interacting;
            kai.presence = "On Queue".to_owned();
            kai.conversations.insert(Media::Call, 1);
        });
        let everybody = organisation.people().into_iter();
        let before = everybody.filter_map(|id| organisation.person(&id).map(|state| (id, state))).collect();
        Self { before, ..people }
    }

    /// The Genesys user's id; empty for somebody who has none.
    pub(crate) fn id(&self, who: Who) -> &str {
        self.ids.get(&who).map_or("", String::as_str)
    }

    pub(crate) fn before(&self, who: Who) -> Option<&PersonState> {
        self.before.get(self.id(who))
    }

    /// Everybody, as they were.
    pub(crate) fn everybody(&self) -> impl Iterator<Item = &PersonState> {
        self.before.values()
    }

    /// Everybody whose account is not to be touched, as they were: those of whom the HRIS has spoken come first.
    pub(crate) fn bystanders(&self) -> Vec<&PersonState> {
        let spoken_of = Who::ALL.map(|who| self.id(who));
        let others = self.before.keys().map(String::as_str).filter(|id| !spoken_of.contains(id));
        let leavers = Who::LEAVERS.map(|who| self.id(who));
        let changed = |id: &&str| leavers.contains(id) || *id == self.id(Who::RESTORED);
        let all = spoken_of.into_iter().chain(others).filter(|id| !changed(id));
        all.filter_map(|id| self.before.get(id)).collect()
    }

    /// What identifies somebody and must stand in no log.
    pub(crate) fn identifying(&self) -> Vec<String> {
        let hris = Who::ALL.into_iter().flat_map(|who| [who.name(), who.email(), who.worker_id()]);
        let genesys = self.before.values().flat_map(|person| [person.name.as_str(), person.email.as_str()]);
        let words = hris.chain(genesys);
        // An address also without its domain.
        words.map(|word| word.split('@').next().unwrap_or(word).to_owned()).collect()
    }
}

fn to_a_private_phone() -> Value {
    let target = json!({"type": "PHONENUMBER", "value": "+491701234567"});
    json!({"enabled": true, "calls": [{"targets": [target]}], "voicemail": "NONE"})
}

/// What somebody holds, by the kinds of the phase *strip* and in its order.
pub(crate) fn assignments(person: &PersonState) -> [(&'static str, usize); 8] {
    let stations = [&person.associated_station, &person.default_station];
    let forwards = person.call_forwarding.as_ref().is_some_and(|set| set["enabled"] == true);
    [
        ("strip.queue_memberships", person.queues.len()),
        ("strip.routing_skills", person.skills.len()),
        ("strip.routing_languages", person.languages.len()),
        ("strip.utilization", usize::from(person.utilization.is_some())),
        ("strip.team", usize::from(person.team.is_some())),
        ("strip.stations", stations.into_iter().flatten().count()),
        ("strip.call_forwarding", usize::from(forwards)),
        ("strip.role_grants", person.grants.len()),
    ]
}

/// Whether somebody is as they were, but for what nobody can give back: tokens, and the number of changes.
pub(crate) fn is_as_before(now: &PersonState, before: &PersonState) -> bool {
    let tokens = (before.tokens, before.tokens_revoked);
    let but_for_these =
        PersonState { version: before.version, tokens: tokens.0, tokens_revoked: tokens.1, ..now.clone() };
    but_for_these == *before
}

/// Whether somebody is out of Genesys Cloud altogether.
pub(crate) fn is_gone(person: &PersonState) -> bool {
    let nothing_assigned = assignments(person).iter().all(|(_, count)| *count == 0);
    nothing_assigned && person.state == AccountState::Inactive && person.tokens == 0
}
