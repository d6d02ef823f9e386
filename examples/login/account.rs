//! One visitor's session: who is logged in, from which browser, and a note.

use std::time::Duration;

use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, Method};
use cloakroom::{Field, LazySession, Session, SessionError};
use serde::Deserialize;

use crate::App;
use crate::accounts::{NewPassword, Password, Role};
use crate::answer::Refusal;
use crate::guard::User;

/// The role of the user at the login, or what an administrator has made of it since.
pub(crate) const ROLE: Field<Role> = Field::new("role");
/// The browser that has logged in.
pub(crate) const AGENT: Field<String> = Field::new("agent");
const NOTE: Field<String> = Field::new("note");

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: UserName,
    password: Password,
    #[serde(default)]
    remember: Remember,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PasswordChange {
    old: Password,
    new: NewPassword,
}

/// Logs the user in if the password is right. The session keeps its note and gets a new id, so that nobody
/// who has planted or seen the old id can use it.
///
/// The login begins before the password is checked. Checking takes a while, and somebody may meanwhile end
/// all sessions of the user, as after a theft: this login is then refused.
pub(crate) async fn log_in(
    app: &App,
    session: &Session,
    login: Login,
    agent: &Agent,
) -> Result<(), Refusal> {
    let UserName(user) = login.user;
    let begun = session.begin_login(&user).await?;
    let Some(role) = app.accounts.check(&user, login.password).await else {
        return Err(Refusal::wrong_password());
    };
    begun.finish()?;
    session.insert(ROLE, &role)?;
    session.insert(AGENT, &agent.0)?;
    if login.remember.0 {
        session.remember(7 * DAY, 30 * DAY)?;
    }
    Ok(())
}

/// Ends the session. A `LazySession` is enough for that, so a visitor can also leave a session that can no
/// longer be read.
pub(crate) async fn log_out(session: &LazySession) -> Result<(), SessionError> {
    session.destroy().await
}

/// Changes the password, logs out the user's other browsers, and gives this session a new id. `tell` gets
/// how many sessions were ended, where they can be counted, and may leave a message.
///
/// The password comes first. A login with the old one that is under way is then refused, either because its
/// check fails or because it has begun before the others were ended. If a later step fails, as when the
/// store cannot be reached, the old password is put back: the user can then send the same change again.
pub(crate) async fn change_password(
    app: &App,
    User { session, name, .. }: &User,
    change: PasswordChange,
    tell: impl FnOnce(Option<usize>) -> Result<(), SessionError>,
) -> Result<(), Refusal> {
    let changed = app.accounts.change(name, change.old, change.new).await;
    let changed = changed.ok_or_else(Refusal::wrong_password)?;
    let ended = app.users.end_others(session).await?;
    tell(ended)?;
    session.renew()?;
    session.save().await?;
    changed.keep();
    Ok(())
}

/// Takes the messages that wait. axum calls the handler of `GET` also for `HEAD`, which takes none, because
/// its response would not show them.
pub(crate) async fn take_messages(
    method: &Method,
    session: &Session,
) -> Result<Vec<String>, SessionError> {
    if method == Method::HEAD {
        return Ok(Vec::new());
    }
    session.take_flashes().await
}

pub(crate) fn note(session: &Session) -> Result<Option<String>, SessionError> {
    session.get(NOTE)
}

/// Stores a note as it is, or removes the one that is there. Removing begins no session.
pub(crate) fn write_note(session: &Session, text: Option<&String>) -> Result<(), SessionError> {
    text.map_or_else(|| session.remove(NOTE), |text| session.insert(NOTE, text))
}

/// The name of a user: 1 to 64 characters, none of them a control character.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct UserName(pub(crate) String);

impl TryFrom<String> for UserName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = text.trim();
        if (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
            return Ok(Self(name.to_owned()));
        }
        Err("a user name has 1 to 64 characters and no control characters")
    }
}

/// A note or message: at most 500 characters.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Note(pub(crate) String);

impl TryFrom<String> for Note {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.chars().count() <= 500 {
            true => Ok(Self(text)),
            false => Err("a note has at most 500 characters"),
        }
    }
}

/// The answer to "remember me": a boolean in JSON, and any text in a form, where a box that is not ticked
/// is not sent at all.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Ticked")]
struct Remember(bool);

#[derive(Deserialize)]
#[serde(untagged)]
enum Ticked {
    Json(bool),
    Form(String),
}

impl From<Ticked> for Remember {
    fn from(ticked: Ticked) -> Self {
        Self(match ticked {
            Ticked::Json(remember) => remember,
            Ticked::Form(text) => text == "on",
        })
    }
}

/// The name that a browser gives itself. It is untrusted text, and only shown to the user.
pub(crate) struct Agent(String);

impl From<&HeaderMap> for Agent {
    fn from(headers: &HeaderMap) -> Self {
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self(agent.unwrap_or("unknown").chars().take(200).collect())
    }
}
