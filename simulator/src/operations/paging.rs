//! Pages: sizes, caps and the fields of a published listing.

use serde_json::{Value, json};

use super::Call;
use crate::answer::Problem;

/// The published default.
const SIZE_DEFAULT: usize = 25;

/// The page size Genesys publishes for queue members; assumed where it publishes none.
pub(super) const SIZE_MAX: usize = 100;

/// A page asked for.
#[derive(Clone, Copy)]
pub(super) struct Page {
    pub(super) number: usize,
    pub(super) size: usize,
}

impl Page {
    /// Reads `pageNumber` and `pageSize`; refuses sizes above the cap rather than shorten them.
    pub(super) fn of(call: &Call<'_>, size_max: usize) -> Result<Self, Problem> {
        let number = |name: &str, default: usize| match call.parameter(name) {
            Some(value) => value.parse::<usize>().ok().filter(|number| *number >= 1),
            None => Some(default),
        };
        let page = number("pageNumber", 1).zip(number("pageSize", SIZE_DEFAULT));
        let page = page.map(|(number, size)| Self { number, size });
        page.filter(|page| page.size <= size_max)
            .ok_or_else(|| Problem::bad_request(&format!("pageSize must be between 1 and {size_max}.")))
    }

    /// Reads the paging of a search, which is part of its body.
    pub(super) fn of_body(call: &Call<'_>, size_max: usize) -> Result<Self, Problem> {
        let number =
            |name: &str, default: u64| call.body.get(name).and_then(Value::as_u64).unwrap_or(default);
        let size = usize::try_from(number("pageSize", SIZE_DEFAULT as u64)).unwrap_or(usize::MAX);
        let page = usize::try_from(number("pageNumber", 1)).unwrap_or(usize::MAX);
        if !(1..=size_max).contains(&size) || page == 0 {
            return Err(Problem::bad_request(&format!("pageSize must be between 1 and {size_max}.")));
        }
        Ok(Self { number: page, size })
    }

    /// Gives the items on this page.
    pub(super) fn cut<T>(self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        let skipped = (self.number - 1).saturating_mul(self.size);
        items.into_iter().skip(skipped).take(self.size).collect()
    }

    pub(super) fn count(self, total: usize) -> usize {
        total.div_ceil(self.size)
    }

    /// Gives a listing with a total.
    pub(super) fn listing(self, call: &Call<'_>, entities: Vec<Value>, total: usize) -> Value {
        let mut listing = self.listing_without_total(call, entities, total);
        let last = self.count(total).max(1);
        listing["total"] = Value::from(total);
        listing["pageCount"] = Value::from(self.count(total));
        listing["lastUri"] = Value::from(self.uri(call, last));
        listing
    }

    /// Gives a listing that doesn't tell how much there is, as that of queue members.
    pub(super) fn listing_without_total(self, call: &Call<'_>, entities: Vec<Value>, total: usize) -> Value {
        let mut listing = json!({
            "entities": entities,
            "pageSize": self.size,
            "pageNumber": self.number,
            "firstUri": self.uri(call, 1),
            "selfUri": self.uri(call, self.number),
        });
        if self.number > 1 {
            listing["previousUri"] = Value::from(self.uri(call, self.number - 1));
        }
        if self.number < self.count(total) {
            listing["nextUri"] = Value::from(self.uri(call, self.number + 1));
        }
        listing
    }

    fn uri(self, call: &Call<'_>, number: usize) -> String {
        let others = call.query.iter().filter(|(name, _)| name != "pageSize" && name != "pageNumber");
        let others: String = others.map(|(name, value)| format!("&{name}={value}")).collect();
        format!("{}?pageSize={}&pageNumber={number}{others}", call.path, self.size)
    }
}
