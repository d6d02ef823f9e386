//! How long the session lasts if its visitor does nothing.
//!
//! The page shows it in a frame that loads itself again and again. It needs no script, and it peeks: a
//! page that asks by itself must not keep the session of a visitor alive who has left (ASVS 7.3.1).

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::response::Html;
use cloakroom::{LazySession, SessionError};
use serde::Serialize;

use crate::page;

/// The address of the frame.
pub(crate) const FRAME: &str = "/idle";

/// The visitor is warned when less time than this is left.
const WARN_BEFORE: u64 = 60;

#[derive(Debug, Serialize)]
pub(crate) struct Ttl {
    seconds: Option<u64>,
}

pub(crate) async fn seconds(session: LazySession) -> Result<Json<Ttl>, SessionError> {
    let seconds = left(&session).await?.map(|left| left.as_secs());
    Ok(Json(Ttl { seconds }))
}

/// Returns the time until the session ends, and does not move that; `None` if there is none.
async fn left(session: &LazySession) -> Result<Option<Duration>, SessionError> {
    let ends = session.peek().await?.expires_at();
    Ok(ends.map(|ends| ends.duration_since(SystemTime::now()).unwrap_or_default()))
}

pub(crate) async fn frame(session: LazySession) -> Result<Html<String>, SessionError> {
    let left = left(&session).await?.map(|left| left.as_secs());
    Ok(Html(match left {
        None => page::frame(
            None,
            r#"<p class="warning" id="idle">Your session has ended. <a target="_top" href="/">Log in again</a></p>"#,
        ),
        Some(left @ ..=WARN_BEFORE) => page::frame(
            Some((left / 4).clamp(1, 5)),
            &format!(
                r#"<p class="warning" id="idle">Your session ends in {left} seconds. <a target="_top" href="/">Stay logged in</a></p>"#
            ),
        ),
        Some(left) => page::frame(
            Some((left - WARN_BEFORE).clamp(1, 30)),
            &format!(
                r#"<p id="idle">Your session lasts {} more minutes if you do nothing.</p>"#,
                left.div_ceil(60)
            ),
        ),
    }))
}
