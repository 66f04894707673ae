//! What a browser does for a sign-in: keeps cookies for each server and shows where it is sent.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Url, redirect};

use crate::support::Service;

/// Where people reach the console in these tests. Nobody listens there: the browser finds the way to the service.
pub(super) const CONSOLE: &str = "https://console.example";

/// One browser of one person.
#[derive(Clone)]
pub(super) struct Browser {
    client: Client,
    /// The server, the name and the value.
    cookies: Vec<(String, String, String)>,
    console: String,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) location: Option<Url>,
    pub(super) cookies: Vec<String>,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) text: String,
}

impl Browser {
    pub(super) fn new(service: &Service) -> Self {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build();
        Self { client: client.expect("a client"), cookies: Vec::new(), console: service.admin.clone() }
    }

    /// From now on the console is reached at this service.
    pub(super) fn move_to(&mut self, service: &Service) {
        self.console.clone_from(&service.admin);
    }

    /// Asks for a page of the console.
    pub(super) async fn open(&mut self, path: &str) -> Page {
        self.go(&format!("{CONSOLE}{path}").parse().expect("an address")).await
    }

    pub(super) async fn go(&mut self, url: &Url) -> Page {
        let origin = url.origin().ascii_serialization();
        let address = url.as_str().replacen(CONSOLE, &self.console, 1);
        let mut request = self.client.get(address);
        let of_server = self.cookies.iter().filter(|(server, ..)| *server == origin);
        let kept: Vec<String> = of_server.map(|(_, name, value)| format!("{name}={value}")).collect();
        if !kept.is_empty() {
            request = request.header(COOKIE, kept.join("; "));
        }
        let answer = request.send().await.expect("an answer");
        let headers = answer.headers().clone();
        let cookies = headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().expect("ASCII").to_owned());
        let cookies: Vec<String> = cookies.collect();
        for line in &cookies {
            let (name, value) =
                line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.retain(|(server, known, _)| *server != origin || known != name);
            if !value.is_empty() {
                self.cookies.push((origin.clone(), name.to_owned(), value.to_owned()));
            }
        }
        let location =
            headers.get(LOCATION).map(|to| url.join(to.to_str().expect("ASCII")).expect("an address"));
        Page {
            status: answer.status().as_u16(),
            location,
            cookies,
            headers,
            text: answer.text().await.expect("a body"),
        }
    }

    /// The value of a cookie of the console.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let mut of_console = self.cookies.iter().filter(|(server, ..)| server == CONSOLE);
        of_console.find(|(_, known, _)| known == name).map(|(.., value)| value.clone())
    }

    /// Puts a cookie of the console there, as somebody else might.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        self.cookies.push((CONSOLE.to_owned(), name.to_owned(), value.to_owned()));
    }

    pub(super) fn forget(&mut self) {
        self.cookies.clear();
    }

    /// Begins a sign-in and goes on, as this account, until the issuer sends the browser back; gives the address of the way back.
    pub(super) async fn way_back(&mut self, account: &str) -> Url {
        self.way_back_wanting("", account).await
    }

    /// The same for somebody who wants this page of the console.
    pub(super) async fn way_back_wanting(&mut self, wanted: &str, account: &str) -> Url {
        const STEPS_MAX: usize = 10;
        let mut url: Url = format!("{CONSOLE}/sign-in/oidc").parse().expect("an address");
        url.query_pairs_mut().append_pair("next", wanted);
        for _ in 0..STEPS_MAX {
            let page = self.go(&url).await;
            url =
                page.location.unwrap_or_else(|| panic!("{url} leads nowhere: {} {}", page.status, page.text));
            if url.as_str().starts_with(CONSOLE) {
                return url;
            }
            if url.path().starts_with("/interaction/") {
                url.set_query(Some(account));
            }
        }
        panic!("still on the way after {STEPS_MAX} steps: {url}");
    }

    /// Signs in from the beginning to the end.
    pub(super) async fn sign_in(&mut self, account: &str) -> Page {
        let back = self.way_back(&format!("account={account}")).await;
        self.go(&back).await
    }
}
