//! The style sheet and the script: in the program, at addresses that change with what is in them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::source::Refusal;

/// Colours and the look of charts and tables are those of the report; the rest is the dashboard's.
static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let text = format!(
        "{}{}",
        gristmill_picture::style_sheet(),
        concat!(
            include_str!("../assets/dashboard.css"),
            include_str!("../assets/rows.css"),
            include_str!("../assets/arena.css")
        )
    );
    Asset::new("dashboard.css", "text/css; charset=utf-8", text)
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let text = concat!(
        include_str!("../assets/dashboard.js"),
        include_str!("../assets/rows.js"),
        include_str!("../assets/map.js"),
        include_str!("../assets/arena.js")
    )
    .to_owned();
    Asset::new("dashboard.js", "text/javascript; charset=utf-8", text)
});

struct Asset {
    address: String,
    kind: &'static str,
    text: String,
}

impl Asset {
    fn new(name: &str, kind: &'static str, text: String) -> Self {
        let hash = blake3::hash(text.as_bytes()).to_hex();
        Self {
            address: format!("/assets/{}-{name}", &hash[..12]),
            kind,
            text,
        }
    }
}

/// The address of the style sheet.
pub(crate) fn style() -> &'static str {
    &STYLE.address
}

/// The address of the script.
pub(crate) fn script() -> &'static str {
    &SCRIPT.address
}

/// Answers a request for one of them; anybody may see them.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let address = format!("/assets/{name}");
    let Some(asset) = [&*STYLE, &*SCRIPT]
        .into_iter()
        .find(|asset| asset.address == address)
    else {
        return Refusal::not_found("there is no such file").status.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.text.as_str()).into_response()
}
