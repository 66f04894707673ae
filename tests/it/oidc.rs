//! Sign-in at an issuer of OpenID Connect: with a certified issuer to its end, and with one that lies to its refusal.

mod browser;
mod forger;
mod issuer;
mod lies;

use serde_json::{Value, json};
use sqlx::Row;

use crate::support::{ALICE, Service, World, leaver};
use browser::{Browser, CONSOLE, Page};
use issuer::{CLIENT_SECRET, Claims, Issuer};

/// The configuration of a sign-in at this issuer; `more` is TOML within `[oidc]`.
fn sign_on(issuer: &str, client: &str, more: &str) -> String {
    let secret = match client {
        "public" => String::new(),
        _ => format!("client_secret = {CLIENT_SECRET:?}"),
    };
    format!(
        r#"
[console]
url = "{CONSOLE}"
[oidc]
issuer = "{issuer}"
client_id = "{client}"
{secret}
{more}
[oidc.roles]
viewer = ["leaver-viewers"]
operator = ["leaver-operators", "staff"]
approver = ["leaver-approvers"]
"#
    )
}

/// The sessions that were opened, in any order: who, and as what.
async fn sessions(world: &World) -> Vec<(String, String)> {
    let rows = world.rows("select operator, role from sessions order by operator, role").await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn session(name: &str, role: &str) -> (String, String) {
    (name.to_owned(), role.to_owned())
}

#[track_caller]
fn refused(page: &Page, status: u16, words: &str) {
    assert_eq!(page.status, status, "{}", page.text);
    assert!(page.text.contains(words), "{words:?} is not in {}", page.text);
    assert!(page.cookies.iter().all(|cookie| !cookie.starts_with("leaver_session")), "{:?}", page.cookies);
}

fn accounts() -> Value {
    json!({
        "s1": {"preferred_username": "vera.v", "roles": ["leaver-viewers", "other"]},
        "s2": {"preferred_username": "oscar@example.com", "roles": ["other", "staff", "leaver-viewers"]},
        "s3": {"preferred_username": "Ann", "roles": ["leaver-approvers"]},
        "s4": {"preferred_username": "nora", "roles": ["secret-group-of-nora"]},
        "s5": {"preferred_username": "none"},
        "s6": {"preferred_username": "alice", "roles": ["leaver-approvers"]},
        "s7": {"preferred_username": "robert.b@example.com", "roles": ["leaver-viewers"]},
        "s8": {"preferred_username": "ANN", "roles": ["leaver-approvers"]},
        "s9": {"preferred_username": "two words", "roles": ["leaver-approvers"]},
        "deep": {"preferred_username": "deep", "realm_access": {"roles": ["leaver-operators"]}},
    })
}

#[tokio::test]
async fn whoever_signs_in_at_the_issuer_has_the_role_that_the_claims_give_and_nobody_else_comes_in() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    let more = "[oidc.operators]\nbob = \"Robert.B@example.com\"";
    let service = world.serve(&sign_on(&issuer.url, "RS256", more), &["serve", "--no-worker"]);
    for account in ["s1", "s2", "s3", "s7"] {
        let mut browser = Browser::new(&service);
        let page = browser.sign_in(account).await;
        assert_eq!((page.status, page.location), (200, None), "{}", page.text);
        assert!(page.text.contains("http-equiv=\"refresh\" content=\"0; url=/\""), "{}", page.text);
        let session = page.cookies.iter().find(|cookie| cookie.starts_with("leaver_session=")).unwrap();
        for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Secure"] {
            assert!(session.split("; ").any(|part| part == word), "{session}");
        }
        assert_eq!(browser.cookie("leaver_sign_in"), None, "{:?}", page.cookies);
    }
    let opened = vec![
        session("Ann", "approver"),
        session("bob", "viewer"),
        session("oscar@example.com", "operator"),
        session("vera.v", "viewer"),
    ];
    assert_eq!(sessions(&world).await, opened);
    let refusals = [
        ("s4", "the claim roles has no value that is listed in [oidc.roles]"),
        ("s5", "the claim roles has no value that is listed in [oidc.roles]"),
        ("s6", "the name of an operator with a token"),
        ("s8", "Another account of the issuer has signed in under your name"),
        ("s9", "The claim preferred_username is missing, or is not a name"),
    ];
    for (account, words) in refusals {
        let page = Browser::new(&service).sign_in(account).await;
        refused(&page, 403, words);
        for claim in ["secret-group", "nora", "alice", "ANN", "two words"] {
            assert!(!page.text.contains(claim), "{}", page.text);
        }
    }
    assert_eq!(sessions(&world).await, opened);
    let log = std::fs::read_to_string(&service.log).unwrap();
    for claim in ["secret-group", "nora", "two words", CLIENT_SECRET] {
        assert!(!log.contains(claim), "{claim} is in the log");
    }
}

#[tokio::test]
async fn every_way_of_signing_that_is_announced_in_the_documentation_is_taken_and_no_other() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    for client in ["PS256", "ES256", "EdDSA", "public"] {
        let service = world.serve(&sign_on(&issuer.url, client, ""), &["serve", "--no-worker"]);
        let page = Browser::new(&service).sign_in("s3").await;
        assert_eq!(page.status, 200, "{client}: {}", page.text);
    }
    assert_eq!(sessions(&world).await, vec![session("Ann", "approver"); 4]);
    for client in ["RS512", "HS256"] {
        let service = world.serve(&sign_on(&issuer.url, client, ""), &["serve", "--no-worker"]);
        refused(&Browser::new(&service).sign_in("s3").await, 403, "is not to be believed");
        let log = std::fs::read_to_string(&service.log).unwrap();
        assert!(log.contains("it is not signed by RS256"), "{client}: {log}");
    }
    assert_eq!(sessions(&world).await.len(), 4);
}

#[tokio::test]
async fn claims_below_others_and_claims_that_are_not_in_the_id_token_are_found() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InUserInfo);
    let more = "role_claim = \"realm_access.roles\"";
    let service = world.serve(&sign_on(&issuer.url, "RS256", more), &["serve", "--no-worker"]);
    let page = Browser::new(&service).sign_in("deep").await;
    assert_eq!(page.status, 200, "{}", page.text);
    refused(&Browser::new(&service).sign_in("s3").await, 403, "the claim realm_access.roles has no value");
    assert_eq!(sessions(&world).await, [session("deep", "operator")]);
}

#[tokio::test]
async fn a_way_back_is_good_once_in_the_browser_that_began_it() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    let service = world.serve(&sign_on(&issuer.url, "RS256", ""), &["serve", "--no-worker"]);
    const NOT_HERE: &str = "was not begun in this browser";

    let mut browser = Browser::new(&service);
    let back = browser.way_back("account=s1").await;
    let began = browser.clone();
    // What somebody else sends to a person: their own way back, so that the person works under their name.
    let mut victim = Browser::new(&service);
    refused(&victim.go(&back).await, 400, NOT_HERE);
    let _ = victim.way_back("account=s2").await;
    refused(&victim.go(&back).await, 400, NOT_HERE);
    assert_eq!(browser.go(&back).await.status, 200);
    let mut again = began;
    refused(&again.go(&back).await, 400, NOT_HERE);
    assert_eq!(sessions(&world).await, [session("vera.v", "viewer")]);

    // A state that is not the one of this browser's sign-in spoils the sign-in too.
    let mut browser = Browser::new(&service);
    let back = browser.way_back("account=s1").await;
    let mut other: reqwest::Url = back.clone();
    let pairs: Vec<(String, String)> = back.query_pairs().into_owned().collect();
    other.query_pairs_mut().clear().extend_pairs(
        pairs
            .iter()
            .map(|(name, value)| (name.as_str(), if name == "state" { "another" } else { value.as_str() })),
    );
    let began = browser.clone();
    refused(&browser.go(&other).await, 400, NOT_HERE);
    let mut again = began;
    refused(&again.go(&back).await, 400, NOT_HERE);

    // Two cookies: one was put there by somebody else.
    let mut browser = Browser::new(&service);
    let back = browser.way_back("account=s1").await;
    browser.put("leaver_sign_in", "AAAA");
    refused(&browser.go(&back).await, 400, NOT_HERE);

    // Too late.
    let mut browser = Browser::new(&service);
    let back = browser.way_back("account=s1").await;
    world.sql("update sign_ins set expires_at = now()").await;
    refused(&browser.go(&back).await, 400, NOT_HERE);

    // The code of another sign-in.
    let mut browser = Browser::new(&service);
    let used = browser.way_back("account=s3").await;
    browser.forget();
    let fresh = browser.way_back("account=s3").await;
    let code =
        |url: &reqwest::Url| url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let injected = fresh.as_str().replace(&code(&fresh), &code(&used)).parse().unwrap();
    refused(&browser.go(&injected).await, 502, "The issuer refused the sign-in");

    assert_eq!(sessions(&world).await, [session("vera.v", "viewer")]);
    // The one from which nobody came back.
    assert_eq!(world.number("select count(*) from sign_ins where expires_at > now()").await, 1);
}

#[tokio::test]
async fn what_the_issuer_says_instead_of_a_code_is_told_in_our_own_words() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    let service = world.serve(&sign_on(&issuer.url, "RS256", ""), &["serve", "--no-worker"]);
    let mut browser = Browser::new(&service);
    let back = browser.way_back("deny").await;
    assert!(back.query().unwrap().contains("error=access_denied"), "{back}");
    let page = browser.go(&back).await;
    refused(&page, 403, "signing in was cancelled, or that you may not use Leaver");
    assert!(!page.text.contains("not today"), "{}", page.text);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_eq!(page.headers["cache-control"], "no-store");
    let error = "error=%3Cscript%3E&error_description=%3Cscript%3E";
    let mut browser = Browser::new(&service);
    let back = browser.way_back("account=s1").await;
    let state = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let page = browser.open(&format!("/sign-in/oidc/callback?{error}&state={state}")).await;
    refused(&page, 502, "The issuer refused the sign-in");
    assert!(!page.text.contains("script"), "{}", page.text);
    assert_eq!(sessions(&world).await, []);
}

#[tokio::test]
async fn the_way_to_the_issuer_carries_what_protects_the_way_back() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    let more = "scopes = [\"openid\", \"profile\", \"groups\"]";
    let service = world.serve(&sign_on(&issuer.url, "RS256", more), &["serve", "--no-worker"]);
    let mut browser = Browser::new(&service);
    let page = browser.open("/sign-in/oidc").await;
    assert_eq!(page.status, 303);
    let to = page.location.unwrap();
    let sent =
        |name: &str| to.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    assert_eq!(sent("response_type").as_deref(), Some("code"));
    assert_eq!(sent("client_id").as_deref(), Some("RS256"));
    assert_eq!(sent("scope").as_deref(), Some("openid profile groups"));
    assert_eq!(sent("redirect_uri").unwrap(), format!("{CONSOLE}/sign-in/oidc/callback"));
    assert_eq!(sent("code_challenge_method").as_deref(), Some("S256"));
    for (name, length) in [("state", 22), ("nonce", 22), ("code_challenge", 43)] {
        assert!(sent(name).unwrap().len() >= length, "{to}");
    }
    let cookie = page.cookies.iter().find(|cookie| cookie.starts_with("leaver_sign_in=")).unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/sign-in/oidc", "Max-Age=600", "Secure"] {
        assert!(cookie.split("; ").any(|known| known == part), "{cookie}");
    }
    let kept = browser.cookie("leaver_sign_in").unwrap();
    assert!(!to.as_str().contains(&kept), "what the browser keeps must not be sent to the issuer");
    let second = Browser::new(&service).open("/sign-in/oidc").await.location.unwrap();
    assert_ne!(sent("state"), second.query_pairs().find(|(n, _)| n == "state").map(|(_, v)| v.into_owned()));
}

#[tokio::test]
async fn whoever_signed_in_under_one_name_does_not_come_back_under_another_by_configuration() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    let named = |more: &str| world.serve(&sign_on(&issuer.url, "RS256", more), &["serve", "--no-worker"]);
    let first = named("");
    assert_eq!(Browser::new(&first).sign_in("s7").await.status, 200);
    let second = named("[oidc.operators]\nbob = \"robert.b@example.com\"");
    let page = Browser::new(&second).sign_in("s7").await;
    refused(&page, 403, "under another name than the one that [oidc.operators] gives you now");
    assert_eq!(sessions(&world).await, [session("robert.b@example.com", "viewer")]);
    world.sql("delete from oidc_people where name = 'robert.b@example.com'").await;
    assert_eq!(Browser::new(&second).sign_in("s7").await.status, 200);
    assert_eq!(Browser::new(&second).sign_in("s7").await.status, 200);
    let opened = ["bob", "bob", "robert.b@example.com"].map(|name| session(name, "viewer"));
    assert_eq!(sessions(&world).await, opened);
}

#[tokio::test]
async fn the_page_that_somebody_wanted_is_shown_after_the_way_by_the_issuer() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    let service = world.serve(&sign_on(&issuer.url, "RS256", ""), &["serve", "--no-worker"]);
    for (wanted, shown) in [("/held", "/held"), ("//evil.example", "/")] {
        let mut browser = Browser::new(&service);
        let back = browser.way_back_wanting(wanted, "account=s3").await;
        let page = browser.go(&back).await;
        assert!(page.text.contains(&format!("content=\"0; url={shown}\"")), "{wanted}: {}", page.text);
    }
}

#[tokio::test]
async fn a_session_ends_with_what_gave_its_role() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    let config = sign_on(&issuer.url, "RS256", "");
    let no_worker = ["serve", "--no-worker"];
    let service = world.serve(&config, &no_worker);
    let mut browser = Browser::new(&service);
    assert_eq!(browser.sign_in("s3").await.status, 200);
    let changes = [
        ("another client", config.replace("\"RS256\"", "\"PS256\"")),
        ("another claim", config.replace("[oidc.roles]", "role_claim = \"groups\"\n[oidc.roles]")),
        ("another group", config.replace("leaver-approvers", "leaver-chiefs")),
        ("another issuer", config.replace(&issuer.url, "https://login.example.com")),
        ("no issuer", format!("[console]\nurl = \"{CONSOLE}\"\n")),
    ];
    for (what, changed) in changes {
        assert_ne!(changed, config, "{what}");
        let replica = world.serve(&changed, &no_worker);
        browser.move_to(&replica);
        let page = browser.open("/").await;
        assert_eq!(
            (page.status, page.location.as_ref().map(|to| to.path())),
            (303, Some("/sign-in")),
            "{what}"
        );
    }
    let replica = world.serve(&config, &no_worker);
    browser.move_to(&replica);
    assert_eq!(browser.open("/").await.status, 200, "another replica with the same configuration knows it");
}

#[tokio::test]
async fn without_the_section_nothing_is_there() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    for path in ["/sign-in/oidc", "/sign-in/oidc/callback?code=x&state=y"] {
        let page = Browser::new(&service).open(path).await;
        assert_eq!((page.status, page.cookies.len()), (404, 0), "{}", page.text);
    }
}

#[tokio::test]
async fn check_says_what_it_finds_at_the_issuer_and_what_has_to_be_registered_there() {
    let world = World::new().await;
    let issuer = Issuer::start(&accounts(), Claims::InIdToken);
    let check = |config: &str| {
        let output = leaver(&world.config(config)).args(["check"]).output().expect("a process");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let said = check(&sign_on(&issuer.url, "RS256", "[oidc.operators]\nbob = \"bob@example.com\""));
    let words = [
        format!("{} calls itself so and has 3 usable keys", issuer.url),
        format!("people sign in at {}/auth", issuer.url),
        format!("{CONSOLE}/sign-in/oidc/callback: register it, exactly so, for the client RS256"),
        "alice sign in with tokens".to_owned(),
    ];
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in words {
        assert!(flat.contains(&words), "{words:?} is not in {said}");
    }
    let said = check(&sign_on(&format!("{}/", issuer.url), "RS256", ""));
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("the issuer calls itself by another name than oidc.issuer"), "{said}");
    assert!(!flat.contains(CLIENT_SECRET) && !flat.contains(ALICE));
}

/// A service that signs people in at a forger.
fn served(world: &World, forger: &forger::Forger, more: &str) -> Service {
    world.serve(&sign_on(&forger.url, "leaver", more), &["serve", "--no-worker"])
}
