//! Hostile text in everything that the console shows: nothing of it is markup, and no line is faked.

use serde_json::{Value, json};

use super::{Visitor, put, serve};
use crate::support::{BOB, World, termination};

/// What a page must never have as it came. Each begins with a mark, by which it is found again.
const HOSTILE: [&str; 10] = [
    "h0<script>alert(1)</script>",
    "h1\"><img src=x onerror=alert(1)>",
    "h2' onmouseover='alert(1)",
    "h3</title></textarea></style><svg onload=alert(1)>",
    "h4&lt;b&gt;&#x3c;i&#x3e;",
    "h5{{7*7}}${7*7}<%= 7 %>",
    "h6\u{202e}moc.elpmaxe\u{2066}@evil\u{200b}",
    "h7 done\n2026-01-01 operator:bob approved",
    "h8\u{7}\u{1b}[31m\r\u{85}\u{2028}\u{feff}",
    "h9 hx-get=/sign-out hx-trigger=load javascript:alert(1)//data:text/html,",
];

/// Tags and attributes that only hostile text would bring, and characters that nobody would see.
const NEVER: [&str; 14] = [
    "<script>",
    "<img src=x",
    "onerror=alert(1)>",
    "' onmouseover='",
    "<svg onload",
    "</title></textarea>",
    "&lt;b&gt;",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{7}",
    "\u{1b}",
    "\u{2028}",
    "\u{feff}",
];

fn assert_harmless(what: &str, page: &str) {
    // A `&` of the text is written as a reference, so its own references never count as one.
    let own = page.replace("&#38;lt;b&#38;gt;", "");
    for never in NEVER {
        assert!(!own.contains(never), "{what}: {never:?} in\n{page}");
    }
    for line in page.lines() {
        assert!(
            !line.trim_start().starts_with("2026-01-01 operator:bob approved"),
            "{what}: a faked line\n{page}"
        );
    }
    let handlers = ["onload", "onerror", "onclick", "onmouseover", "hx-get", "hx-on", "style", "srcdoc"];
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        // Within a tag, text from outside can only be inside quotation marks.
        let outside: String = tag.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        for name in handlers {
            let attribute = format!(" {name}=");
            assert!(!outside.contains(&attribute), "{what}: {name} in <{tag}>");
        }
    }
}

#[tokio::test]
async fn hostile_text_in_every_field_of_an_event_and_of_the_record_stays_text() {
    let world = World::new().await;
    let service = serve(&world);
    let bob = Visitor::sign_in(&service, BOB).await;
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for (index, hostile) in HOSTILE.iter().enumerate() {
        let mut event = termination(&format!("{hostile}-event"), &format!("{hostile}-worker"), hostile);
        event["terminationType"] = json!(hostile);
        event["name"] = json!(hostile);
        if index % 2 == 0 {
            event["terminationDate"] = json!(hostile);
        }
        let (status, receipt) = service.deliver(&event).await;
        assert_eq!(status, 202, "{receipt}");
        keys.push(receipt["event_id"].as_str().expect("an id").to_owned());
        ids.extend(
            receipt["offboardings"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| one["id"].as_str().map(str::to_owned)),
        );
    }
    assert!(ids.len() >= HOSTILE.len() / 2, "{ids:?}");
    fill(&world).await;
    for path in [
        "/",
        "/offboardings",
        "/held",
        "/events",
        "/sources",
        "/events?disposition=held",
        "/callbacks",
        "/layoffs",
    ] {
        assert_harmless(path, &bob.page(path).await);
    }
    for path in ["/callbacks", "/layoffs"] {
        assert!(bob.page(path).await.contains("h0&#60;script&#62;"), "{path} shows it, and as text");
    }
    for path in layoffs(&world).await {
        assert_harmless(&path, &bob.page(&path).await);
    }
    for id in &ids {
        let page = bob.page(&format!("/offboardings/{id}")).await;
        assert_harmless(id, &page);
        assert!(page.contains("h0&#60;script&#62;"), "it is shown, and as text: {page}");
        assert!(
            page.contains("[U+000A]2026-01-01 operator:bob approved"),
            "the end of a line is shown as one"
        );
        for decision in ["approve", "cancel"] {
            let answer = bob.get(&format!("/offboardings/{id}/{decision}")).await;
            assert_harmless(decision, &answer.text());
        }
    }
    let events: Vec<Value> = {
        let (_, page) = service.api(reqwest::Method::GET, "/api/v1/events", BOB).await;
        page["items"].as_array().expect("items").clone()
    };
    assert!(events.len() >= HOSTILE.len(), "{keys:?}");
    for event in events {
        assert_harmless(
            "event",
            &bob.page(&format!("/events/{}", event["id"].as_str().expect("an id"))).await,
        );
    }
}

/// Puts hostile text into what only a worker, an operator or Genesys Cloud writes.
async fn fill(world: &World) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(world.database.url()).await.expect("a connection");
    let texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    for statement in [
        "insert into journal (offboarding_id, actor, action, step, target, result, correlation_id)
         select o.id, t, t, t, t, t, t from offboardings o, unnest($1::text[]) as t",
        "insert into assignments (offboarding_id, step, target, detail, lost)
         select o.id, 'strip.queue_memberships', t, jsonb_build_object('name', t), t
         from offboardings o, unnest($1::text[]) as t",
        "insert into approvals (offboarding_id, reason, approved_by, expires_at, set_digest, set_size)
         select o.id, t, t, now(), '', 1 from offboardings o, unnest($1::text[]) as t",
        "insert into callbacks (target, offboarding_id, event, offboarding_status, outcome, goal, effective_at, last_result)
         select t, o.id, t, 'held', t, 'offboarded', now(), t
         from (select id from offboardings limit 1) o, unnest($1::text[]) as t",
        "insert into layoffs (id, requested_by, why, starts_at, ends_at, count_max, list_digest, list_size, approved_by,
             approved_at)
         select gen_random_uuid(), t, t, now(), now() + interval '1 day', 1, '', 1, t, now() from unnest($1::text[]) as t",
        "insert into layoffs (id, requested_by, why, starts_at, ends_at, count_max, list_digest, list_size, cancelled_by,
             cancelled_at)
         select gen_random_uuid(), t, t, now(), now() + interval '1 day', 1, '', 1, t, now() from unnest($1::text[]) as t",
        "update offboardings set lease_worker = ($1::text[])[1], lease_token = null, genesys_user_id = ($1::text[])[2] || id",
    ] {
        sqlx::query(statement).bind(&texts).execute(&mut connection).await.expect("a statement that works");
    }
}

/// The pages that ask whether to cancel the layoffs that can be.
async fn layoffs(world: &World) -> Vec<String> {
    use sqlx::Row;
    let rows = world.rows("select id::text from layoffs where cancelled_at is null").await;
    rows.iter().map(|row| format!("/layoffs/{}/cancel", row.get::<String, _>(0))).collect()
}

#[tokio::test]
async fn hostile_words_above_every_page_stay_words() {
    let world = World::new().await;
    let service = serve(&world);
    let bob = Visitor::sign_in(&service, BOB).await;
    for hostile in HOSTILE {
        let statement = format!(
            "update pause set paused = true, since = now(), moved_by = {0}, reason = {0}",
            quoted(hostile)
        );
        put(&world, statement).await;
        for path in ["/", "/held", "/resume"] {
            let page = bob.page(path).await;
            assert!(page.contains("<strong>Paused</strong>"), "{path}");
            assert_harmless(path, &page);
        }
        world.sql("update pause set paused = false, reason = null").await;
        let answer = bob.post("/pause", &[("reason", hostile)]).await;
        assert_harmless("pause", &answer.text());
        assert_harmless("paused", &bob.page("/").await);
        assert_eq!(bob.post("/resume", &[]).await.status, 303);
    }
}

/// A text as Postgres writes it within a statement.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[tokio::test]
async fn hostile_parameters_come_back_as_text_or_not_at_all() {
    let world = World::new().await;
    let service = serve(&world);
    let bob = Visitor::sign_in(&service, BOB).await;
    for hostile in HOSTILE {
        let encoded: String = hostile.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in [
            format!("/offboardings?person={encoded}"),
            format!("/offboardings?status={encoded}"),
            format!("/offboardings?source={encoded}"),
            format!("/events?word={encoded}"),
            format!("/events/{encoded}"),
            format!("/offboardings/{encoded}"),
            format!("/offboardings/new?person={encoded}&type={encoded}"),
            format!("/held?approved={encoded}"),
            format!("/held/approve?reason={encoded}&id={encoded}"),
            format!("/assets/{encoded}"),
            format!("/?did={encoded}"),
            format!("/callbacks?status={encoded}"),
            format!("/callbacks?offboarding={encoded}&after={encoded}&did={encoded}"),
            format!("/layoffs?after={encoded}"),
            format!("/layoffs/{encoded}/approve"),
        ] {
            let answer = bob.get(&path).await;
            // Genesys Cloud may refuse to look for such a person; that is told as its trouble.
            assert!(answer.status < 500 || answer.status == 502, "{path}: {}", answer.status);
            if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
                assert_harmless(&path, &answer.text());
            }
        }
    }
    let nul = bob.get("/offboardings?person=%00").await;
    assert_eq!(nul.status, 400);
}

#[tokio::test]
async fn what_an_operator_types_wrong_is_given_back_as_text() {
    let world = World::new().await;
    let service = serve(&world);
    let bob = Visitor::sign_in(&service, BOB).await;
    for hostile in HOSTILE {
        let fields =
            [("person", hostile), ("reason", hostile), ("at", hostile), ("type", hostile), ("key", hostile)];
        let answer = bob.post("/offboardings/new", &fields).await;
        assert!(answer.status < 500 || answer.status == 502, "{}", answer.status);
        assert_harmless("new", &answer.text());
    }
}
