//! Pages of every list: each row once, none twice, none missing, while new ones arrive and old ones change.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::api_document::{VERA, document, operations, vera};
use crate::edge::Answer;
use crate::support::{ALICE, Service, World, client, termination};

const RECEIVE: &[&str] = &["serve", "--no-worker"];

/// How many rows there are before the first page is read.
const ROWS: usize = 11;

async fn add(service: &Service, list: &str, name: &str) {
    if list.ends_with("/layoffs") {
        let body =
            json!({"reason": name, "from": "2026-01-01", "until": "2026-01-02", "people": ["a@example.com"]});
        let request = client().post(format!("{}{list}", service.admin)).bearer_auth(ALICE).json(&body);
        let planned = Answer::to(request).await;
        assert_eq!(planned.status, 201, "{}", planned.text());
    } else {
        let (status, receipt) =
            service.deliver(&termination(name, name, &format!("{name}@example.com"))).await;
        assert_eq!(status, 202, "{receipt}");
    }
}

async fn page(service: &Service, list: &str, query: &str) -> (Vec<String>, Option<String>) {
    let (status, page) = service.api(Method::GET, &format!("{list}?{query}"), VERA).await;
    assert_eq!(status, 200, "{page}");
    let id = |item: &Value| item["id"].as_str().expect("an id").to_owned();
    let ids = page["items"].as_array().expect("items").iter().map(id).collect();
    (ids, page["next"].as_str().map(str::to_owned))
}

/// The lists of the document: everything that has a cursor.
async fn lists(service: &Service) -> Vec<String> {
    let document = document(service).await;
    let all = operations(&document).into_iter().filter(|(_, _, operation)| {
        let parameters = operation["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|parameter| parameter["name"] == "after"))
    });
    let lists: Vec<_> = all.map(|(_, path, _)| path).collect();
    assert!(lists.len() >= 3, "{lists:?}");
    lists
}

#[tokio::test]
async fn every_row_comes_once_while_others_arrive_and_change() {
    let world = World::new().await;
    let service = world.serve(&vera(), RECEIVE);
    for list in ["/api/v1/offboardings", "/api/v1/events", "/api/v1/layoffs"] {
        let name = |number: usize| format!("{}{number}", list.rsplit('/').next().unwrap());
        for number in 0..ROWS {
            add(&service, list, &name(number)).await;
        }
        let (before, _) = page(&service, list, "limit=200").await;
        assert!(before.len() >= ROWS, "{list}");
        let (mut seen, mut query, mut pages) = (Vec::new(), "limit=3".to_owned(), 0);
        loop {
            let (ids, next) = page(&service, list, &query).await;
            assert!(ids.len() == 3 || next.is_none(), "{list}: a page that is not full is the last");
            seen.extend(ids);
            pages += 1;
            add(&service, list, &name(100 + pages)).await;
            // What was listed and what is still to come changes, and not what it is sorted by.
            world.sql("update offboardings set updated_at = now(), attempt = attempt + 1").await;
            world.sql("update offboardings set status = 'cancelled', reason = 'cancelled_by_operator'
                where id = (select id from offboardings where status = 'scheduled' order by random() limit 1)").await;
            world.sql("update layoffs set cancelled_at = now(), cancelled_by = 'operator:bob'").await;
            let Some(next) = next else { break };
            query = format!("limit=3&after={next}");
        }
        assert_eq!(seen, before, "{list}: newest first, each once");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
        let full = format!("limit={}", before.len() + pages);
        let (all, next) = page(&service, list, &full).await;
        assert_eq!((all.len(), next), (before.len() + pages, None), "{list}: no page that would be empty");
    }
}

#[tokio::test]
async fn every_list_names_the_parameter_that_it_does_not_understand() {
    let world = World::new().await;
    let service = world.serve(&vera(), RECEIVE);
    for list in lists(&service).await {
        for (query, parameter) in [
            ("after=yesterday", "after"),
            ("after=%00", "after"),
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=1.5", "limit"),
        ] {
            let request = client().get(format!("{}{list}?{query}", service.admin)).bearer_auth(VERA);
            let refused = Answer::to(request).await;
            refused.is_problem(400, "bad-parameter");
            assert!(
                refused.text().contains(&format!("parameter {parameter} ")),
                "{list}: {}",
                refused.text()
            );
        }
        let whole = page(&service, &list, "").await;
        for query in ["after=&limit=", "limit=201", "limit=99999999999999999999"] {
            assert_eq!(page(&service, &list, query).await, whole, "{list}: {query}");
        }
        for (query, named) in [("limt=5", "limt"), ("limt=", "limt"), ("limit=1&limit=2", "limit")] {
            let request = client().get(format!("{}{list}?{query}", service.admin)).bearer_auth(VERA);
            let refused = Answer::to(request).await;
            refused.is_problem(400, "malformed-address");
            let of_nobody = client().get(format!("{}{list}?{query}", service.admin));
            Answer::to(of_nobody).await.is_problem(401, "token-needed");
            assert!(refused.text().contains(named), "{list}: {}", refused.text());
        }
    }
}

#[tokio::test]
async fn a_filter_that_nothing_stored_can_match_is_an_empty_page() {
    let world = World::new().await;
    let service = world.serve(&vera(), RECEIVE);
    add(&service, "/api/v1/events", "jane").await;
    for query in
        ["offboardings?person=a%00b", "offboardings?source=%00", "events?source=%00", "events?event=%00"]
    {
        let (status, page) = service.api(Method::GET, &format!("/api/v1/{query}"), VERA).await;
        assert_eq!((status, &page["items"]), (200, &json!([])), "{query}: {page}");
    }
}
