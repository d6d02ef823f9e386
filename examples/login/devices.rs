//! All sessions of a user: each browser that is logged in is a device.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use cloakroom::{Session, SessionError, SessionHandle};
use serde::Serialize;

use crate::App;
use crate::account::{AGENT, ROLE};
use crate::accounts::Role;
use crate::answer::Refusal;

#[derive(Debug, Serialize)]
pub(crate) struct Device {
    /// The public name of the session. Nobody can use the session with it.
    pub(crate) handle: String,
    pub(crate) agent: String,
    /// The time of the login, in seconds since 1970.
    pub(crate) since: Option<u64>,
    /// The time of the last use, to about a tenth of the idle timeout.
    pub(crate) last_used: Option<u64>,
    /// Whether this very request came from it.
    pub(crate) current: bool,
}

/// Returns the devices of a user, those that were used last first. `mine` is the session that asks.
pub(crate) async fn of(app: &App, user: &str, mine: &Session) -> Result<Vec<Device>, SessionError> {
    let sessions = app.users.sessions_of(user).await?;
    sessions.iter().map(|session| device(session, mine)).collect()
}

fn device(session: &Session, mine: &Session) -> Result<Device, SessionError> {
    Ok(Device {
        handle: session.handle().map(|handle| handle.to_string()).unwrap_or_default(),
        agent: session.get(AGENT)?.unwrap_or_default(),
        since: seconds(session.authenticated_at()),
        last_used: seconds(session.last_used_at()),
        current: session.handle() == mine.handle(),
    })
}

fn seconds(time: Option<SystemTime>) -> Option<u64> {
    Some(time?.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// Ends one of the user's sessions. The handle of somebody else's session finds nothing.
pub(crate) async fn end(app: &App, user: &str, handle: &str) -> Result<(), Refusal> {
    let ended = match handle.parse::<SessionHandle>() {
        Ok(handle) => app.users.end(user, handle).await?,
        Err(_) => {
            // No session has such a handle. The list is read for its error alone: where sessions cannot be
            // listed, that is the answer to every handle.
            app.users.sessions_of(user).await?;
            false
        }
    };
    match ended {
        true => Ok(()),
        false => Err(Refusal::told(StatusCode::NOT_FOUND, "there is no such device")),
    }
}

/// Takes a user's rights away, in all sessions at once. The user stays logged in and is told so; a new
/// login has the rights of the account again. Returns how many sessions were changed.
pub(crate) async fn ban(app: &App, user: &str) -> Result<usize, SessionError> {
    app.users.edit(user, |session| session.insert(ROLE, &Role::Banned)).await
}
