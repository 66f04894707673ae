//! `pick`: the one element of an array that a word names, for pointers `#name/x`.
//! Where the fields stand in it is left to the map.

use serde_json::Value;

use super::pointer::{Pointer, Scope};
use super::rules::Word;
use super::settings::{Problem, Section, SourceError};

/// Picks of a map; the longest known has one.
const PICKS_MAX: usize = 8;

const ARRAY: Problem = Problem::Malformed("a pointer into the body: /x or ^/x");
const WHERE: Problem = Problem::Malformed("a pointer into the element and the word that stands there");
const NAME: Problem = Problem::Malformed("a name of lower-case letters, digits and dashes");

/// All picks of a map.
#[derive(Debug, Default)]
pub(super) struct Picks {
    picks: Vec<Pick>,
    /// Whether an object where an array is expected counts as its only element.
    lone: bool,
}

#[derive(Debug)]
struct Pick {
    name: String,
    array: Pointer,
    /// RFC 6901, from the element.
    place: String,
    word: Word,
}

/// An element that was picked for an item, by its pick's name; `None` where there is none, or more than one.
pub(super) type Picked<'a> = (&'a str, Option<&'a Value>);

impl Picks {
    /// Reads `map.pick`, a table or an array of tables.
    pub(super) fn build(map: &Section<'_>, lone: bool) -> Result<Self, SourceError> {
        let sections = map.sections("pick")?;
        if sections.len() > PICKS_MAX {
            return Err(map.error("pick", Problem::Malformed("at most 8 picks")));
        }
        let mut picks: Vec<Pick> = Vec::with_capacity(sections.len());
        for section in &sections {
            let pick = Pick::build(section)?;
            if picks.iter().any(|other| other.name == pick.name) {
                return Err(section.error("as", Problem::SetTwice("the name of another pick")));
            }
            picks.push(pick);
        }
        Ok(Self { picks, lone })
    }

    /// Returns every array that something is picked from, with its key.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, &Pointer)> {
        self.picks.iter().map(|pick| ("map.pick.array".to_owned(), &pick.array))
    }

    /// Refuses a pointer that names a pick which isn't there.
    pub(super) fn check(&self, path: &str, pointer: &Pointer) -> Result<(), SourceError> {
        match pointer {
            Pointer::Picked(name, _) if self.find(name).is_none() => {
                Err(SourceError::new(path, Problem::UnknownPick(name.clone())))
            }
            Pointer::Picked(..) | Pointer::Item(_) | Pointer::Root(_) | Pointer::Header(_) => Ok(()),
        }
    }

    /// Whether the pointer finds the same value for every item of a delivery.
    pub(super) fn is_shared(&self, pointer: &Pointer) -> bool {
        match pointer {
            Pointer::Root(_) | Pointer::Header(_) => true,
            Pointer::Item(_) => false,
            Pointer::Picked(name, _) => {
                self.find(name).is_some_and(|pick| matches!(pick.array, Pointer::Root(_)))
            }
        }
    }

    /// Picks from the root, once for a delivery; what is picked from the items is still missing.
    pub(super) fn of_root<'a>(&'a self, root: &'a Value) -> Vec<Picked<'a>> {
        let picks = self.picks.iter();
        picks.map(|pick| (pick.name.as_str(), pick.element(root, self.lone, true))).collect()
    }

    /// Picks for one item, given what was picked from the root.
    pub(super) fn of_item<'a>(&'a self, item: &'a Value, of_root: &[Picked<'a>]) -> Vec<Picked<'a>> {
        let picks = self.picks.iter().zip(of_root);
        picks
            .map(|(pick, (name, of_root))| (*name, of_root.or_else(|| pick.element(item, self.lone, false))))
            .collect()
    }

    fn find(&self, name: &str) -> Option<&Pick> {
        self.picks.iter().find(|pick| pick.name == name)
    }
}

impl Pick {
    fn build(section: &Section<'_>) -> Result<Self, SourceError> {
        section.only(&["array", "where", "as"])?;
        let array = Pointer::parse(section.required_text("array")?);
        let array = array.filter(|pointer| matches!(pointer, Pointer::Item(_) | Pointer::Root(_)));
        let written = section.array("where")?.ok_or_else(|| section.error("where", Problem::Missing))?;
        let [toml::Value::String(place), word] = written else {
            return Err(section.error("where", WHERE));
        };
        let (Some(Pointer::Item(place)), Some(word)) = (Pointer::parse(place), Word::of(word)) else {
            return Err(section.error("where", WHERE));
        };
        let name = section.required_text("as")?;
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return Err(section.error("as", NAME));
        }
        let array = array.ok_or_else(|| section.error("array", ARRAY))?;
        Ok(Self { name: name.to_owned(), array, place, word })
    }

    /// Never the first of two: whom the sender means is not known then.
    fn element<'a>(&self, base: &'a Value, lone: bool, is_root: bool) -> Option<&'a Value> {
        let path = match &self.array {
            Pointer::Root(path) if is_root => path,
            Pointer::Item(path) if !is_root => path,
            Pointer::Root(_) | Pointer::Item(_) | Pointer::Header(_) | Pointer::Picked(..) => return None,
        };
        let elements = elements(base.pointer(path)?, lone)?.iter();
        let is_meant = |value: &&Value| value.pointer(&self.place).is_some_and(|value| self.word.is(value));
        let mut meant = elements.filter(is_meant);
        let one = meant.next()?;
        meant.next().is_none().then_some(one)
    }
}

/// The elements of an array. In a format without arrays of one, a single object is its own only element.
pub(super) fn elements(value: &Value, lone: bool) -> Option<&[Value]> {
    match value {
        Value::Array(values) => Some(values),
        Value::Object(_) if lone => Some(std::slice::from_ref(value)),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Reads a place in what was picked.
pub(super) fn find<'a>(scope: &Scope<'a>, name: &str, path: &str) -> Option<&'a Value> {
    let (_, element) = scope.picked.iter().find(|(known, _)| *known == name)?;
    (*element)?.pointer(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn picks(toml: &str, lone: bool) -> Result<Picks, SourceError> {
        let table: toml::Table = toml.parse().unwrap();
        Picks::build(&Section::new("map", &table), lone)
    }

    const USER: &str = "pick = { array = '/target', where = ['/type', 'User'], as = 'target' }";

    fn picked(picks: &Picks, root: &Value, item: &Value) -> Option<Value> {
        let of_root = picks.of_root(root);
        picks.of_item(item, &of_root)[0].1.cloned()
    }

    #[test]
    fn the_one_element_that_the_word_names_is_picked_and_never_the_first_of_two() {
        let picks = picks(USER, false).unwrap();
        let picked = |target: Value| picked(&picks, &json!({}), &json!({ "target": target }));
        let (app, user) = (json!({"type": "App", "id": 1}), json!({"type": "User", "id": 2}));
        assert_eq!(picked(json!([app, user])), Some(user.clone()));
        for none in
            [json!([app, user, user]), json!([app]), json!([]), json!({"type": "User"}), json!(["User"])]
        {
            assert_eq!(picked(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn a_lone_object_is_an_array_of_one_where_the_format_has_no_other() {
        let item = json!({"target": {"type": "User", "id": 2}});
        assert_eq!(picked(&picks(USER, true).unwrap(), &json!({}), &item), Some(item["target"].clone()));
    }

    #[test]
    fn what_stands_at_the_root_is_picked_for_every_item() {
        let picks = picks("pick = [{ array = '^/people', where = ['/role', 'leaver'], as = 'p' }]", false);
        let root = json!({"people": [{"role": "leaver", "id": 1}]});
        let picks = picks.unwrap();
        assert_eq!(picked(&picks, &root, &json!({"people": []})), Some(json!({"role": "leaver", "id": 1})));
        assert!(picks.is_shared(&Pointer::Picked("p".to_owned(), "/id".to_owned())));
    }

    #[test]
    fn what_is_written_wrongly_is_named() {
        let pick = |array: &str, place: &str, name: &str| {
            let pick = format!("pick = {{ array = '{array}', where = ['{place}', 'User'], as = '{name}' }}");
            picks(&pick, false).unwrap_err().to_string()
        };
        assert_eq!(pick("@x", "/type", "t"), "map.pick.array: must be a pointer into the body: /x or ^/x");
        assert_eq!(
            pick("/a", "^/type", "t"),
            "map.pick.where: must be a pointer into the element and the word that stands there"
        );
        assert_eq!(
            pick("/a", "/t", "T/"),
            "map.pick.as: must be a name of lower-case letters, digits and dashes"
        );
        let message = |toml: &str| picks(toml, false).unwrap_err().to_string();
        let one = "{ array = '/a', where = ['/b', 'c'], as = 'd' }";
        assert_eq!(
            message(&format!("pick = [{one}, {one}]")),
            "map.pick[1].as: is set twice, here and as the name of another pick"
        );
        assert_eq!(message("pick = [1]"), "map.pick[0]: must be a table");
        assert_eq!(message("pick = { array = '/a', as = 'd', is = 1 }"), "map.pick.is: unknown key");
        assert_eq!(message("pick = { array = '/a', as = 'd' }"), "map.pick.where: missing");
    }
}
