//! What the pages load besides themselves: one style sheet, htmx with its extension for server-sent events, a few lines of
//! our own. Part of the program, so that a machine without a network shows the same. A name carries the content's hash, so a
//! browser may keep it for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::problem::Problem;

/// Hexadecimal digits of a hash in a name.
const HASH_DIGITS: usize = 16;

const STYLE: Kind = Kind { stem: "leaver", suffix: "css", content_type: "text/css; charset=utf-8" };
const SCRIPT: &str = "text/javascript; charset=utf-8";

struct Kind {
    stem: &'static str,
    suffix: &'static str,
    content_type: &'static str,
}

/// One file.
pub(super) struct Asset {
    /// Where it is served.
    pub(super) path: String,
    content_type: &'static str,
    content: &'static [u8],
}

impl Asset {
    fn new(kind: Kind, content: &'static [u8]) -> Self {
        let hash = hex::encode(Sha256::digest(content));
        let path = format!("/assets/{}-{}.{}", kind.stem, &hash[..HASH_DIGITS], kind.suffix);
        Self { path, content_type: kind.content_type, content }
    }

    fn script(stem: &'static str, content: &'static [u8]) -> Self {
        Self::new(Kind { stem, suffix: "js", content_type: SCRIPT }, content)
    }
}

/// Everything that the pages load.
pub(super) struct Assets {
    pub(super) style: Asset,
    pub(super) htmx: Asset,
    pub(super) sse: Asset,
    pub(super) script: Asset,
    pub(super) icon: Asset,
}

/// The files of this version.
pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new(STYLE, include_bytes!("../assets/leaver.css")),
    htmx: Asset::script("htmx", include_bytes!("../assets/htmx.min.js")),
    sse: Asset::script("htmx-sse", include_bytes!("../assets/htmx-sse.min.js")),
    script: Asset::script("leaver", include_bytes!("../assets/leaver.js")),
    icon: Asset::new(
        Kind { stem: "leaver", suffix: "svg", content_type: "image/svg+xml" },
        include_bytes!("../assets/leaver.svg"),
    ),
});

/// Serves one file to anybody: nothing in them is secret, and the sign-in page needs them.
pub(super) async fn serve(Path(name): Path<String>) -> Result<Response, Problem> {
    let all = &*ASSETS;
    let known = [&all.style, &all.htmx, &all.sse, &all.script, &all.icon];
    let found = known.into_iter().find(|asset| asset.path.strip_prefix("/assets/") == Some(name.as_str()));
    let asset = found.ok_or(Problem::NotFound)?;
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)), (header::CACHE_CONTROL, kept)];
    Ok((headers, asset.content).into_response())
}
