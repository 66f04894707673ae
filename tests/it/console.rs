//! The console: who may come in, what each may do there, that nothing from outside runs or passes for something else, and in a
//! browser that it works for people.

mod browser;
mod forms;
mod hostile;
mod layoffs;
mod pages;
mod roles;
mod sessions;
mod switch;
mod told;

use reqwest::redirect::Policy;

use crate::edge::Answer;
use crate::support::{Service, World, termination};

/// The token of the viewer `vera`.
pub(crate) const VERA: &str = "vera-token-0123456789";

/// The table of the viewer `vera`.
pub(crate) const WITH_VERA: &str =
    "[[operators]]\nname = \"vera\"\nrole = \"viewer\"\ntoken = \"vera-token-0123456789\"\n";

/// A service without a worker, with a viewer, an operator and an approver.
fn serve(world: &World) -> Service {
    world.serve(WITH_VERA, &["serve", "--no-worker"])
}

/// A browser without JavaScript: keeps its cookie, follows nothing by itself.
pub(crate) struct Visitor {
    client: reqwest::Client,
    admin: String,
    cookie: String,
    csrf: String,
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client")
}

/// Posts a token as the sign-in page does.
async fn post_token(service: &Service, token: &str) -> Answer {
    let request = client().post(format!("{}/sign-in", service.admin)).header("origin", &service.admin);
    Answer::to(request.form(&[("token", token)])).await
}

impl Visitor {
    pub(crate) async fn sign_in(service: &Service, token: &str) -> Self {
        let answer = post_token(service, token).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{}", answer.text());
        let cookie = answer.header("set-cookie").expect("a cookie");
        let cookie = cookie.split(';').next().expect("a value").to_owned();
        let mut visitor =
            Self { client: client(), admin: service.admin.clone(), cookie, csrf: String::new() };
        let page = visitor.page("/").await;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        visitor.csrf = csrf.expect("a form").to_owned();
        visitor
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.admin)).header("cookie", &self.cookie)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(reqwest::Method::GET, path)).await
    }

    /// A page that is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// Sends a form of a page of this session.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_as(path, &[fields, &[("csrf", &self.csrf)]].concat(), Some(&self.admin)).await
    }

    async fn post_as(&self, path: &str, fields: &[(&str, &str)], origin: Option<&str>) -> Answer {
        let request = self.request(reqwest::Method::POST, path).form(fields);
        Answer::to(match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        })
        .await
    }
}

/// Runs a statement that a test has put together.
async fn put(world: &World, statement: String) {
    use sqlx::{Connection, Executor};
    let mut connection = sqlx::PgConnection::connect(world.database.url()).await.expect("a connection");
    connection.execute(sqlx::AssertSqlSafe(statement)).await.expect("a statement that works");
}

/// An offboarding that is held, because its event has no date.
async fn held(service: &Service, event: &str, email: &str) -> String {
    let mut undated = termination(event, event, email);
    undated.as_object_mut().expect("an object").remove("terminationDate");
    let (status, receipt) = service.deliver(&undated).await;
    assert_eq!(status, 202, "{receipt}");
    receipt["offboardings"][0]["id"].as_str().expect("an id").to_owned()
}

/// One that is due.
async fn scheduled(service: &Service, event: &str, email: &str) -> String {
    let (status, receipt) = service.deliver(&termination(event, event, email)).await;
    assert_eq!(status, 202, "{receipt}");
    receipt["offboardings"][0]["id"].as_str().expect("an id").to_owned()
}
