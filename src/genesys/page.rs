//! Lists in pages: read to their end, and refused when the pages contradict each other.

use std::collections::HashSet;

use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Genesys,
    error::{Error, Fault, Trace},
    send::Request,
};

/// The entries asked for at once: the most that Genesys gives for these lists.
pub(super) const PAGE_SIZE: u32 = 100;

/// The entries asked for at once where an entry may have 10 KiB, as queues and expanded users do: a page of
/// the longest is still half of [`ANSWER_BYTES_MAX`](super::send::ANSWER_BYTES_MAX).
pub(super) const LONG_ENTRIES_PAGE_SIZE: u32 = 50;

/// The pages that are read of one list. 10,000 entries are more than one person can have of anything, and a list that
/// never ends must not hold a lease for ever.
pub(super) const PAGES_MAX: u32 = 100;

/// An entry of a list.
pub(super) trait Entry {
    /// What the entry is known by within its list.
    fn key(&self) -> &str;
}

/// A page as Genesys sends it; a search calls its entries `results`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    #[serde(alias = "results")]
    pub(super) entities: Vec<T>,
    pub(super) page_number: Option<u32>,
    pub(super) page_count: Option<u32>,
    pub(super) total: Option<u64>,
    pub(super) next_uri: Option<String>,
}

/// Says whether a list has everything that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It has.
    Whole,
    /// Genesys is still putting the data together (206): more may be missing than is there.
    Partial,
}

/// What was read of a list, to its end or as far as was needed.
pub(super) struct Walk<T> {
    pub(super) entries: Vec<T>,
    pub(super) completeness: Completeness,
    /// The exchange of the last page.
    pub(super) trace: Trace,
}

/// What was read of a list so far.
struct Collected<T> {
    entries: Vec<T>,
    seen: HashSet<String>,
}

impl Genesys {
    /// Reads all pages; `request` makes the request for one page number, counted from 1.
    pub(super) async fn read_pages<T: DeserializeOwned + Entry>(
        &self,
        subject: &'static str,
        request: impl Fn(u32) -> Request,
    ) -> Result<Vec<T>, Error> {
        Ok(self.walk_pages::<Page<T>, T>(subject, request, |_| false).await?.entries)
    }

    /// Reads pages of the shape `P` until their end, or until an entry is the `last` that is needed.
    pub(super) async fn walk_pages<P: DeserializeOwned + Into<Page<T>>, T: Entry>(
        &self,
        subject: &'static str,
        request: impl Fn(u32) -> Request,
        last: impl Fn(&T) -> bool,
    ) -> Result<Walk<T>, Error> {
        let mut list = Collected { entries: Vec::new(), seen: HashSet::new() };
        let mut completeness = Completeness::Whole;
        let mut last_trace = None;
        for number in 1..=PAGES_MAX {
            let (page, trace, status): (P, _, _) = self.read_with_status(subject, &request(number)).await?;
            if status == StatusCode::PARTIAL_CONTENT {
                completeness = Completeness::Partial;
            }
            let begin = list.entries.len();
            match list.add(page.into(), number) {
                Ok(More::Yes) if !list.entries[begin..].iter().any(&last) => last_trace = Some(trace),
                Ok(More::Yes | More::No) => {
                    return Ok(Walk { entries: list.entries, completeness, trace });
                }
                Err(fault) => {
                    return Err(Error::Malformed { subject, fault, trace });
                }
            }
        }
        match last_trace {
            Some(trace) => Err(Error::Malformed { subject, fault: Fault::TooManyPages, trace }),
            None => Err(Error::Unsendable("a list without pages was asked for")),
        }
    }
}

enum More {
    Yes,
    No,
}

impl<T: Entry> Collected<T> {
    /// Adds the page with this number and tells whether there is another. A page whose counts don't fit what was
    /// collected is a lie or shows a list that changed meanwhile: either way the list isn't known.
    fn add(&mut self, page: Page<T>, number: u32) -> Result<More, Fault> {
        if page.page_number.is_some_and(|echoed| echoed != number) {
            return Err(Fault::PagesContradict);
        }
        if page.entities.iter().any(|entry| self.seen.contains(entry.key())) {
            return Err(Fault::PagesContradict);
        }
        let is_empty = page.entities.is_empty();
        self.seen.extend(page.entities.iter().map(|entry| entry.key().to_owned()));
        self.entries.extend(page.entities);
        let collected = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        let promised = page.page_count.is_some_and(|count| count > number)
            || page.total.is_some_and(|total| total > collected)
            || page.next_uri.is_some();
        if promised {
            return if is_empty { Err(Fault::PagesContradict) } else { Ok(More::Yes) };
        }
        // Past the end: more entries than the total, or a page behind the last one (an empty list may count 0 or 1).
        let over = page.total.is_some_and(|total| total < collected)
            || page.page_count.is_some_and(|count| count.max(1) < number || (count == 0 && collected > 0));
        if over {
            return Err(Fault::PagesContradict);
        }
        // A list that says nothing of its size ends with an empty page.
        let silent = page.total.is_none() && page.page_count.is_none();
        Ok(if silent && !is_empty { More::Yes } else { More::No })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[derive(Deserialize)]
    struct Thing {
        id: String,
    }

    impl Entry for Thing {
        fn key(&self) -> &str {
            &self.id
        }
    }

    fn read(pages: &[Value]) -> Result<Option<usize>, Fault> {
        let mut list = Collected::<Thing> { entries: Vec::new(), seen: HashSet::new() };
        for (page, number) in pages.iter().zip(1..) {
            let page = serde_json::from_value(page.clone()).map_err(|_| Fault::WrongShape)?;
            if let More::No = list.add(page, number)? {
                return Ok(Some(list.entries.len()));
            }
        }
        Ok(None)
    }

    fn page(ids: &[&str], counts: Value) -> Value {
        let mut page = counts;
        page["entities"] = ids.iter().map(|id| json!({ "id": id })).collect();
        page
    }

    #[test]
    fn a_list_ends_where_its_counts_say_so() {
        assert_eq!(read(&[page(&[], json!({"total": 0, "pageCount": 0, "pageNumber": 1}))]), Ok(Some(0)));
        assert_eq!(read(&[page(&[], json!({"total": 0, "pageCount": 1}))]), Ok(Some(0)));
        assert_eq!(read(&[page(&["a"], json!({"total": 1}))]), Ok(Some(1)));
        assert_eq!(
            read(&[page(&["a"], json!({"total": 2})), page(&["b"], json!({"total": 2}))]),
            Ok(Some(2))
        );
        assert_eq!(
            read(&[page(&["a"], json!({"pageCount": 2})), page(&["b"], json!({"pageCount": 2}))]),
            Ok(Some(2))
        );
        assert_eq!(read(&[page(&["a"], json!({"total": 2, "pageCount": 1}))]), Ok(None), "one is still owed");
    }

    #[test]
    fn a_list_that_says_nothing_of_its_size_ends_with_an_empty_page() {
        assert_eq!(read(&[page(&["a"], json!({}))]), Ok(None));
        assert_eq!(read(&[page(&["a"], json!({})), page(&[], json!({}))]), Ok(Some(1)));
        assert_eq!(read(&[page(&["a"], json!({"nextUri": "/x", "total": 1}))]), Ok(None));
    }

    #[test]
    fn pages_that_contradict_each_other_are_no_list() {
        let first = || page(&["a"], json!({"total": 2, "pageCount": 2, "pageNumber": 1}));
        let lies = [
            vec![page(&[], json!({"total": 3}))],
            vec![page(&[], json!({"pageCount": 2}))],
            vec![page(&[], json!({"total": 0, "nextUri": "/x"}))],
            vec![page(&["a"], json!({"total": 0}))],
            vec![page(&["a"], json!({"pageCount": 0}))],
            vec![page(&["a"], json!({"total": 1, "pageNumber": 2}))],
            vec![first(), first()],
            vec![first(), page(&["a"], json!({"total": 2, "pageCount": 2, "pageNumber": 2}))],
            vec![first(), page(&["b"], json!({"total": 1, "pageCount": 2, "pageNumber": 2}))],
            vec![first(), page(&["b"], json!({"total": 2, "pageCount": 1, "pageNumber": 2}))],
            vec![first(), page(&[], json!({"total": 2, "pageCount": 2, "pageNumber": 2}))],
        ];
        for lie in lies {
            assert_eq!(read(&lie), Err(Fault::PagesContradict), "{lie:?}");
        }
    }
}
