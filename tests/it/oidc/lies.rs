//! What an issuer, or somebody in its place, may say, and that it is not believed.

use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, Page};
use super::forger::{Forger, Manners, PATIENCE, bare, by_secret, key, public, signed};
use super::issuer::CLIENT_SECRET;
use super::{refused, served, session, sessions, sign_on};
use crate::process::until;
use crate::support::{ALICE, Service, World, client};

/// The header of an id token that is right.
fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "JWT", "kid": "one"})
}

/// Begins a sign-in, lets the forger make its answer of the right claims, and comes back.
async fn sign_in(service: &Service, forger: &Forger, make: impl FnOnce(Value) -> Option<String>) -> Page {
    let mut browser = Browser::new(service);
    let page = browser.open("/sign-in/oidc").await;
    let to = page.location.unwrap_or_else(|| panic!("{} {}", page.status, page.text));
    let sent = |name: &str| to.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
    forger.give(make(forger.claims(&sent("nonce"))));
    browser.open(&format!("/sign-in/oidc/callback?code=any&state={}", sent("state"))).await
}

fn right(claims: Value) -> Option<String> {
    Some(signed(&key(1), &header(), &claims))
}

fn with(name: &'static str, value: Value) -> impl Fn(Value) -> Option<String> {
    move |mut claims| {
        claims[name] = value.clone();
        right(claims)
    }
}

type Lie = (&'static str, &'static str, Box<dyn Fn(Value) -> Option<String>>);

fn lies() -> Vec<Lie> {
    fn lie(what: &'static str, flaw: &'static str, make: impl Fn(Value) -> Option<String> + 'static) -> Lie {
        (what, flaw, Box::new(make))
    }
    let now = chrono::Utc::now().timestamp();
    const OTHER_CLIENT: &str = "it was made for another client";
    const OTHER_TIME: &str = "it is not of this time";
    const OTHER_SIGN_IN: &str = "it belongs to another sign-in";
    const UNSIGNED: &str = "it is not signed by RS256";
    vec![
        lie("another nonce", OTHER_SIGN_IN, with("nonce", json!("another"))),
        lie("no nonce", OTHER_SIGN_IN, with("nonce", json!(null))),
        lie("another issuer", "it names another issuer", with("iss", json!("https://login.example.com"))),
        lie("the audience of another client", OTHER_CLIENT, with("aud", json!("another"))),
        lie("one more audience", OTHER_CLIENT, with("aud", json!(["leaver", "another"]))),
        lie("another party", OTHER_CLIENT, with("azp", json!("another"))),
        lie("expired", OTHER_TIME, with("exp", json!(now - 1))),
        lie("issued later", OTHER_TIME, with("iat", json!(now + 600))),
        lie("issued long ago", OTHER_TIME, with("iat", json!(now - 3600))),
        lie("another key of this name", "its signature is not the issuer's", |claims| {
            Some(signed(&key(2), &header(), &claims))
        }),
        lie("a key that the issuer does not have", "the issuer has no such key", |claims| {
            Some(signed(&key(2), &json!({"alg": "EdDSA", "kid": "two"}), &claims))
        }),
        lie("no signature", UNSIGNED, |claims| Some(bare(&claims))),
        lie("signed with the client's secret", UNSIGNED, |claims| {
            Some(by_secret(CLIENT_SECRET.as_bytes(), &claims))
        }),
        lie("signed with the public key", UNSIGNED, |claims| {
            Some(by_secret(key(1).verifying_key().as_bytes(), &claims))
        }),
        lie("a header that must be understood", "it is not understood", |claims| {
            let header = json!({"alg": "EdDSA", "kid": "one", "crit": ["exp"]});
            Some(signed(&key(1), &header, &claims))
        }),
        lie("no id token", "the issuer gives no id token", |_| None),
        lie("no token at all", "the issuer gives no id token", |_| Some("x.y.z".to_owned())),
    ]
}

#[tokio::test]
async fn an_id_token_that_is_not_the_issuers_for_us_and_for_this_sign_in_opens_no_session() {
    let world = World::new().await;
    let forger = Forger::start().await;
    let service = served(&world, &forger, "");
    for (what, flaw, make) in lies() {
        let before = std::fs::read_to_string(&service.log).unwrap().len();
        let page = sign_in(&service, &forger, make).await;
        assert_eq!(page.status, 403, "{what}: {}", page.text);
        refused(&page, 403, "is not to be believed");
        let log = std::fs::read_to_string(&service.log).unwrap();
        assert!(log[before..].contains(flaw), "{what}: {}", &log[before..]);
    }
    assert_eq!(sessions(&world).await, []);
    let page = sign_in(&service, &forger, right).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(sign_in(&service, &forger, with("azp", json!("leaver"))).await.status, 200);
    assert_eq!(sessions(&world).await, vec![session("jane", "operator"); 2]);
}

#[tokio::test]
async fn what_the_issuer_says_about_somebody_else_is_not_taken() {
    let world = World::new().await;
    let forger = Forger::start().await;
    let service = served(&world, &forger, "");
    let approver = |subject: &str| json!({"sub": subject, "roles": ["leaver-approvers"]});
    forger.say(|says| says.user_info = approver("account-2"));
    let page = sign_in(&service, &forger, with("roles", json!(null))).await;
    // A null is a claim that is there; without it, the other place is asked.
    refused(&page, 403, "the claim roles has no value");
    let without = |mut claims: Value| {
        claims.as_object_mut().unwrap().remove("roles");
        right(claims)
    };
    refused(&sign_in(&service, &forger, without).await, 403, "is not to be believed");
    assert_eq!(sessions(&world).await, []);
    forger.say(|says| says.user_info = approver("account-1"));
    assert_eq!(sign_in(&service, &forger, without).await.status, 200);
    assert_eq!(sessions(&world).await, [session("jane", "approver")]);
}

#[tokio::test]
async fn an_account_keeps_its_first_name_and_no_other_account_gets_it() {
    let world = World::new().await;
    let forger = Forger::start().await;
    let service = served(&world, &forger, "");
    let as_person = |subject: &'static str, name: &'static str| {
        move |mut claims: Value| {
            claims["sub"] = json!(subject);
            claims["preferred_username"] = json!(name);
            right(claims)
        }
    };
    assert_eq!(sign_in(&service, &forger, as_person("one", "jane")).await.status, 200);
    // Asks under one name and approves under another.
    assert_eq!(sign_in(&service, &forger, as_person("one", "jane.new")).await.status, 200);
    assert_eq!(sessions(&world).await, vec![session("jane", "operator"); 2]);
    let page = sign_in(&service, &forger, as_person("two", "JANE")).await;
    refused(&page, 403, "Another account of the issuer has signed in under your name");
    assert_eq!(sign_in(&service, &forger, as_person("two", "jane.new")).await.status, 200);
    assert_eq!(sessions(&world).await.len(), 3);
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_fetched_and_not_more_often_than_now_and_then() {
    let world = World::new().await;
    let forger = Forger::start().await;
    let service = served(&world, &forger, "");
    assert_eq!(sign_in(&service, &forger, right).await.status, 200);
    forger.say(|says| says.keys = json!({"keys": [public(&key(2), "two")]}));
    let by_new_key = |claims: Value| Some(signed(&key(2), &json!({"alg": "EdDSA", "kid": "two"}), &claims));
    until("the new key is known", PATIENCE, async || {
        sign_in(&service, &forger, by_new_key).await.status == 200
    })
    .await;
    // The first sign-in's, and one for the new key; a busy machine may have passed the pause before that.
    let read = forger.says.lock().unwrap().discoveries;
    assert!((2..=3).contains(&read), "{read}");
    for _ in 0..20 {
        let unknown = |claims: Value| Some(signed(&key(3), &json!({"alg": "EdDSA", "kid": "x"}), &claims));
        refused(&sign_in(&service, &forger, unknown).await, 403, "is not to be believed");
    }
    let again = forger.says.lock().unwrap().discoveries - read;
    assert!(again <= 5, "{again}");
    refused(&sign_in(&service, &forger, right).await, 403, "is not to be believed");
}

#[tokio::test]
async fn an_issuer_that_is_away_or_out_of_its_mind_holds_up_nothing_else() {
    let world = World::new().await;
    let forger = Forger::start().await;
    let service = served(&world, &forger, "");
    let other_name = json!({"issuer": "https://login.example.com"});
    let in_the_clear = json!({"token_endpoint": "http://login.example.com/token"});
    let cases = [
        (Manners::Hangs, json!({}), 503, "it did not answer in time"),
        (Manners::Babbles, json!({}), 503, "its answer is too long"),
        (Manners::Redirects, json!({}), 503, "it redirects"),
        (Manners::Fails, json!({}), 503, "it answers 500"),
        (Manners::Answers, other_name, 502, "the issuer calls itself by another name"),
        (Manners::Answers, in_the_clear, 502, "an endpoint is neither https nor on this machine"),
        (Manners::Answers, json!({"jwks_uri": 7}), 502, "something is missing, or of another type"),
    ];
    for (manners, about_itself, status, why) in cases {
        forger.say(|says| {
            says.manners = manners;
            says.about_itself = about_itself;
        });
        // For a moment after a failure the issuer isn't asked again.
        until(why, PATIENCE, async || {
            let page = Browser::new(&service).open("/sign-in/oidc").await;
            assert!(page.location.is_none() && page.cookies.is_empty(), "{why}: {page:?}");
            let told = std::fs::read_to_string(&service.log).unwrap().contains(why);
            told && page.status == status
        })
        .await;
        let page = Browser::new(&service).open("/sign-in/oidc").await;
        assert!(page.text.contains("Signing in with a token works"), "{}", page.text);
        assert_eq!(service.api(Method::GET, "/api/v1/offboardings", ALICE).await.0, 200);
        let ready = client().get(format!("{}/readyz", service.public)).send().await.unwrap();
        assert_eq!(ready.status(), 200);
    }
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let service = world.serve(&sign_on(&nobody, "leaver", ""), &["serve", "--no-worker"]);
    refused(&Browser::new(&service).open("/sign-in/oidc").await, 503, "can&#39;t be reached");
}

#[tokio::test]
async fn an_issuer_that_comes_back_is_used_without_a_restart() {
    let world = World::new().await;
    let forger = Forger::start().await;
    forger.say(|says| says.manners = Manners::Fails);
    let service = served(&world, &forger, "");
    refused(&Browser::new(&service).open("/sign-in/oidc").await, 503, "Signing in with a token works");
    forger.say(|says| says.manners = Manners::Answers);
    until("the issuer is asked again", PATIENCE, async || {
        Browser::new(&service).open("/sign-in/oidc").await.status == 303
    })
    .await;
    assert_eq!(sign_in(&service, &forger, right).await.status, 200);
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_for_the_sign_in_of_another() {
    let world = World::new().await;
    let forger = Forger::start().await;
    let service = served(&world, &forger, "");
    for (issuer, status) in [("https://login.example.com", 400), (forger.url.as_str(), 200)] {
        let mut browser = Browser::new(&service);
        let to = browser.open("/sign-in/oidc").await.location.expect("the issuer's address");
        let sent = |name: &str| to.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
        forger.give(right(forger.claims(&sent("nonce"))));
        let back = format!("/sign-in/oidc/callback?code=any&state={}&iss={issuer}", sent("state"));
        let page = browser.open(&back).await;
        assert_eq!(page.status, status, "{issuer}: {}", page.text);
    }
    assert_eq!(sessions(&world).await, [session("jane", "operator")]);
}

#[tokio::test]
async fn an_account_whose_first_name_has_become_that_of_a_token_comes_in_no_more() {
    let world = World::new().await;
    let forger = Forger::start().await;
    assert_eq!(sign_in(&served(&world, &forger, ""), &forger, right).await.status, 200);
    let token = "[[operators]]\nname = \"JANE\"\nrole = \"approver\"\ntoken = \"jane-token-0123456789\"\n";
    let service = world.serve(&(sign_on(&forger.url, "leaver", "") + token), &["serve", "--no-worker"]);
    let renamed = with("preferred_username", json!("jane.new"));
    for make in [Box::new(right) as Box<dyn Fn(Value) -> Option<String>>, Box::new(renamed)] {
        let page = sign_in(&service, &forger, make).await;
        refused(&page, 403, "the name of an operator with a token");
    }
    assert_eq!(sessions(&world).await, [session("jane", "operator")]);
}

#[tokio::test]
async fn whoever_begins_to_sign_in_again_and_again_fills_nothing() {
    let world = World::new().await;
    let forger = Forger::start().await;
    let service = served(&world, &forger, "");
    world
        .sql(
            "insert into sign_ins (id_hash, state_hash, nonce, code_verifier, created_at, expires_at)
             select sha256(n::text::bytea), '', '', '', now() - n * interval '1 millisecond', now() + interval '9 minutes'
             from generate_series(1, 10005) n",
        )
        .await;
    assert_eq!(sign_in(&service, &forger, right).await.status, 200);
    assert_eq!(world.number("select count(*) from sign_ins").await, 9_999, "and the one that came back");
    let newest = "select count(*) from sign_ins where created_at > now() - interval '9 seconds'";
    assert!(world.number(newest).await > 0, "the oldest have gone");
}
