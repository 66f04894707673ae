//! Groups: who fills them, and what being in one brings along.
//! Calls about groups are left to `operations::groups`; grants are inherited when they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Organisation;
use super::person::{Grant, Id, Joining, MemberBy, PersonState, QueueMembership};

/// Who decides about the members of a group. Nothing on the wire tells the kinds apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// Administrators and calls do.
    Ordinary,
    /// Rules over the attributes of users do.
    Dynamic,
    /// An identity provider does.
    DirectoryOwned,
}

/// A group, which hands its grants and its queues to its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub name: String,
    /// Who decides about its members.
    pub kind: GroupKind,
    /// Grants that its members inherit.
    pub grants: BTreeSet<Grant>,
    /// Queues that its members are members of.
    pub queues: BTreeSet<Id>,
    /// How many people are in it.
    pub member_count: usize,
    /// Rises with each person who joins or leaves.
    pub version: u64,
}

impl Organisation {
    /// Adds an ordinary group whose members inherit the grants.
    pub fn add_group(&mut self, name: &str, grants: &[Grant]) -> Id {
        let id = self.next_id();
        let group = Group {
            name: name.to_owned(),
            kind: GroupKind::Ordinary,
            grants: grants.iter().cloned().collect(),
            queues: BTreeSet::new(),
            member_count: 0,
            version: 1,
        };
        self.groups.insert(id.clone(), group);
        id
    }

    /// Gives everything true about a group.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<Group> {
        self.groups.get(id).cloned()
    }

    /// Says who decides about the members of a group; a group that doesn't exist is passed over.
    pub fn set_group_kind(&mut self, group: &str, kind: GroupKind) {
        if let Some(group) = self.groups.get_mut(group) {
            group.kind = kind;
        }
    }

    /// Lets a group serve a queue: its members, those of today too, are joined members of the queue.
    pub fn serve_queue(&mut self, group: &str, queue: &str) {
        let Some(state) = self.groups.get_mut(group) else {
            return;
        };
        state.queues.insert(queue.to_owned());
        for person in self.people.values_mut().filter(|person| person.groups.contains(group)) {
            let person = Arc::make_mut(person);
            let (groups, queues) = (person.groups.clone(), person.queues.len());
            follow(&mut self.groups, &groups, person);
            if person.queues.len() != queues {
                person.version += 1;
            }
        }
    }
}

/// Lets the memberships of a person follow from their groups, after anything about the person has changed.
///
/// A membership of their own stays what it is; where it is removed while a group still serves the queue, the person stays
/// a member through the group.
pub(super) fn follow(groups: &mut BTreeMap<Id, Group>, before: &BTreeSet<Id>, person: &mut PersonState) {
    for id in person.groups.difference(before) {
        if let Some(group) = groups.get_mut(id) {
            group.member_count += 1;
            group.version += 1;
        }
    }
    let served: BTreeSet<&Id> =
        person.groups.iter().filter_map(|id| groups.get(id)).flat_map(|group| &group.queues).collect();
    let left = before.difference(&person.groups).filter_map(|id| groups.get(id));
    for queue in left.flat_map(|group| &group.queues).filter(|queue| !served.contains(queue)) {
        if person.queues.get(queue).is_some_and(|membership| membership.by == MemberBy::Group) {
            person.queues.remove(queue);
        }
    }
    for queue in served {
        let new = QueueMembership { joining: Joining::Joined, ring_number: 1, by: MemberBy::Group };
        person.queues.entry(queue.clone()).or_insert(new);
    }
    for id in before.difference(&person.groups) {
        if let Some(group) = groups.get_mut(id) {
            group.member_count = group.member_count.saturating_sub(1);
            group.version += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::Person;

    /// An organisation with two groups that both serve the first queue; the second group serves the second queue too.
    fn organisation() -> (Organisation, [Id; 2], [Id; 2]) {
        let mut org = Organisation::new(1);
        let home = org.home();
        let queues = ["Sales", "Service"].map(|name| org.add_queue(name, &home));
        let groups = ["North", "South"].map(|name| org.add_group(name, &[]));
        org.serve_queue(&groups[0], &queues[0]);
        org.serve_queue(&groups[1], &queues[0]);
        org.serve_queue(&groups[1], &queues[1]);
        (org, groups, queues)
    }

    fn by(org: &Organisation, person: &str) -> Vec<MemberBy> {
        org.person(person).unwrap().queues.values().map(|membership| membership.by).collect()
    }

    #[test]
    fn joining_adds_the_queues_of_the_group_and_leaving_takes_those_that_no_other_group_serves() {
        let (mut org, [north, south], [sales, _]) = organisation();
        let ann = org.add_person(Person::new("Ann", "ann@example.com").group(&north).group(&south));
        assert_eq!(by(&org, &ann), [MemberBy::Group; 2]);
        let unjoined = QueueMembership { joining: Joining::Unjoined, ring_number: 4, by: MemberBy::Group };
        org.edit(&ann, |person| person.queues.insert(sales.clone(), unjoined));
        org.edit(&ann, |person| person.groups.remove(&south));
        assert_eq!(org.person(&ann).unwrap().queues, BTreeMap::from([(sales, unjoined)]));
        org.edit(&ann, |person| person.groups.clear());
        assert!(org.person(&ann).unwrap().queues.is_empty());
    }

    #[test]
    fn an_own_membership_outlives_the_group_and_gives_way_to_that_of_the_group() {
        let (mut org, [north, _], [sales, _]) = organisation();
        let own = Person::new("Ann", "ann@example.com").queue(&sales, Joining::Unjoined);
        let ann = org.add_person(own.group(&north));
        assert_eq!(by(&org, &ann), [MemberBy::User]);
        org.edit(&ann, |person| person.groups.clear());
        assert_eq!(by(&org, &ann), [MemberBy::User]);
        org.edit(&ann, |person| person.groups.insert(north));
        org.edit(&ann, |person| person.queues.clear());
        assert_eq!(by(&org, &ann), [MemberBy::Group]);
        org.edit(&ann, |person| {
            person.queues.clear();
            person.groups.clear();
        });
        assert!(by(&org, &ann).is_empty());
    }

    #[test]
    fn a_queue_served_from_now_on_reaches_the_members_of_today() {
        let mut org = Organisation::new(1);
        let home = org.home();
        let (queue, group) = (org.add_queue("Sales", &home), org.add_group("North", &[]));
        let ann = org.add_person(Person::new("Ann", "ann@example.com").group(&group));
        org.serve_queue(&group, &queue);
        assert_eq!((by(&org, &ann), org.person(&ann).unwrap().version), (vec![MemberBy::Group], 2));
        org.serve_queue(&group, &queue);
        assert_eq!(org.person(&ann).unwrap().version, 2);
    }

    #[test]
    fn a_membership_by_an_unnamed_group_stays_whatever_groups_are_left() {
        let (mut org, [north, _], [_, service]) = organisation();
        let ann =
            org.add_person(Person::new("Ann", "ann@example.com").group(&north).queue_by_group(&service));
        org.edit(&ann, |person| person.groups.clear());
        assert_eq!(org.person(&ann).unwrap().queues.keys().collect::<Vec<_>>(), [&service]);
    }

    #[test]
    fn version_and_count_follow_those_who_join_and_leave() {
        let (mut org, [north, _], _) = organisation();
        let state = |org: &Organisation| {
            let group = org.group(&north).unwrap();
            (group.member_count, group.version)
        };
        let ann = org.add_person(Person::new("Ann", "ann@example.com").group(&north));
        assert_eq!(state(&org), (1, 2));
        org.edit(&ann, |person| person.tokens = 1);
        assert_eq!(state(&org), (1, 2));
        org.edit(&ann, |person| person.groups.clear());
        assert_eq!(state(&org), (0, 3));
    }
}
