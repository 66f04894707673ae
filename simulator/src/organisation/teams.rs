//! Work teams; who is in one is part of the person, because nobody is in two.

use super::Organisation;
use super::person::Id;

/// A work team.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) name: String,
    pub(crate) division: Id,
}

impl Organisation {
    /// Adds a work team in a division.
    pub fn add_team(&mut self, name: &str, division: &str) -> Id {
        let id = self.next_id();
        self.teams.insert(id.clone(), Team { name: name.to_owned(), division: division.to_owned() });
        id
    }
}
