//! An issuer that lies as it is told: what it says about itself, its keys, and its tokens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// How it behaves beside its lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    Answers,
    /// Takes the request and says nothing.
    Hangs,
    /// Says what it should, and then far more.
    Babbles,
    /// Sends whoever asks somewhere else, where the right answer would be.
    Redirects,
    Fails,
}

/// What it says.
pub(super) struct Says {
    pub(super) manners: Manners,
    /// Replaces members of the discovery document.
    pub(super) about_itself: Value,
    pub(super) keys: Value,
    /// The answer to any code.
    pub(super) token: Value,
    pub(super) user_info: Value,
    pub(super) discoveries: usize,
}

/// The issuer, on loopback until it is dropped.
pub(super) struct Forger {
    pub(super) url: String,
    pub(super) says: Arc<Mutex<Says>>,
    task: tokio::task::JoinHandle<()>,
}

type Shared = (String, Arc<Mutex<Says>>);

impl Forger {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let says = Arc::new(Mutex::new(Says {
            manners: Manners::Answers,
            about_itself: json!({}),
            keys: json!({"keys": [public(&key(1), "one")]}),
            token: json!({}),
            user_info: json!({}),
            discoveries: 0,
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/moved", get(right_discovery))
            .route("/keys", get(keys))
            .route("/token", axum::routing::post(token))
            .route("/me", get(user_info))
            .with_state((url.clone(), Arc::clone(&says)));
        let task = tokio::spawn(async move { axum_serve(listener, router).await });
        Self { url, says, task }
    }

    pub(super) fn say(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().expect("no panic"));
    }

    /// The claims of an id token that is right.
    pub(super) fn claims(&self, nonce: &str) -> Value {
        let now = chrono::Utc::now().timestamp();
        json!({
            "iss": self.url, "aud": "leaver", "sub": "account-1", "iat": now, "exp": now + 300, "nonce": nonce,
            "preferred_username": "jane", "roles": ["leaver-operators"],
        })
    }

    /// Gives this id token for the next codes.
    pub(super) fn give(&self, id_token: Option<String>) {
        let mut token = json!({"access_token": "access", "token_type": "Bearer", "expires_in": 60});
        if let Some(id_token) = id_token {
            token["id_token"] = json!(id_token);
        }
        self.say(|says| says.token = token);
    }
}

impl Drop for Forger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn axum_serve(listener: tokio::net::TcpListener, router: Router) {
    leaver::http::serve(listener, router, tokio_util::sync::CancellationToken::new()).await;
}

/// A key, always the same for the same number.
pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// The half of a key that everybody may know.
pub(super) fn public(key: &SigningKey, id: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x})
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// An id token that is signed as it should be, or by another key.
pub(super) fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let text = unsigned(header, claims);
    let signature = key.sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// An id token without a signature.
pub(super) fn bare(claims: &Value) -> String {
    format!("{}.", unsigned(&json!({"alg": "none", "typ": "JWT"}), claims))
}

/// An id token that is signed with a secret that others know too.
pub(super) fn by_secret(secret: &[u8], claims: &Value) -> String {
    let text = unsigned(&json!({"alg": "HS256", "typ": "JWT", "kid": "one"}), claims);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length is a key");
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

async fn discovery(State((url, says)): State<Shared>) -> Response {
    let manners = {
        let mut says = says.lock().expect("no panic");
        says.discoveries += 1;
        says.manners
    };
    match manners {
        Manners::Answers => document(&url, &says),
        Manners::Hangs => {
            std::future::pending::<()>().await;
            StatusCode::OK.into_response()
        }
        Manners::Babbles => {
            let more =
                futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>([b' '; 64 * 1024].to_vec()));
            ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(more)).into_response()
        }
        Manners::Redirects => (StatusCode::FOUND, [(header::LOCATION, "/moved")]).into_response(),
        Manners::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn right_discovery(State((url, says)): State<Shared>) -> Response {
    document(&url, &says)
}

fn document(url: &str, says: &Mutex<Says>) -> Response {
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/me"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    });
    let says = says.lock().expect("no panic");
    for (name, value) in says.about_itself.as_object().expect("an object") {
        document[name] = value.clone();
    }
    axum::Json(document).into_response()
}

async fn keys(State((_, says)): State<Shared>) -> Response {
    axum::Json(says.lock().expect("no panic").keys.clone()).into_response()
}

async fn token(State((_, says)): State<Shared>) -> Response {
    let token = says.lock().expect("no panic").token.clone();
    let status = if token.get("error").is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    (status, axum::Json(token)).into_response()
}

async fn user_info(State((_, says)): State<Shared>) -> Response {
    axum::Json(says.lock().expect("no panic").user_info.clone()).into_response()
}

/// Longer than the service waits for anything here, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);
