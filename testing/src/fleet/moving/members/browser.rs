//! One browser that is logged in at the login example, and goes on while nodes come and go.

use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::ledger::{Check, holds};
use super::super::told::{ATTEMPTS, PAUSE, Told, is_unanswered, told};
use super::super::trade::Counts;
use crate::examples::{Reply, Visitor};
use crate::fleet::logins::Person;

/// The outcome of a login, as far as its answer tells.
pub enum Login {
    Done(Box<Browser>),
    /// All sessions of the user have been ended meanwhile.
    Refused,
    /// Nobody has the cookie of this session, if there is one.
    Unanswered,
}

#[derive(Clone, Debug)]
pub struct Browser {
    user: Person,
    visitor: Visitor,
    counts: Counts,
    /// The public name of the session.
    pub handle: String,
    note: Option<String>,
}

/// The answer to a change.
pub struct Answer {
    pub reply: Reply,
    /// Attempts before this one got no answer, and may have been applied.
    pub is_repeated: bool,
}

impl Answer {
    /// Returns how many sessions an end has ended, if this answer tells all of them.
    pub fn ended(&self) -> Result<Option<u64>, String> {
        let Told::Done(body) = told(&self.reply)? else { return Err(self.unexpected()) };
        let ended = body["ended"].as_u64().ok_or_else(|| self.unexpected())?;
        Ok((!self.is_repeated).then_some(ended))
    }

    pub fn unexpected(&self) -> String {
        format!("{:?}", self.reply)
    }
}

impl Browser {
    /// Logs in without a cookie, by one request.
    pub async fn log_in(
        mut visitor: Visitor,
        user: Person,
        counts: Counts,
    ) -> Result<Login, String> {
        visitor.cookie = None;
        let reply = send_login(&mut visitor, user).await;
        match counted(&counts, &reply)? {
            Told::Done(me) => {
                let handle = me["handle"].as_str().unwrap_or_default().to_owned();
                let browser = Self { user, visitor, counts, handle, note: None };
                browser.check(&me)?;
                let has_cookie = browser.visitor.cookie.is_some() && !browser.handle.is_empty();
                holds(has_cookie, || format!("no session after a login: {reply:?}"))?;
                Ok(Login::Done(Box::new(browser)))
            }
            Told::Refused => Ok(Login::Refused),
            Told::Nothing => {
                counts.change(|trade| trade.given_up += 1);
                Ok(Login::Unanswered)
            }
        }
    }

    /// Logs in again, which gives the session a new id. Returns `false` if the answer was lost: then nobody has
    /// the new cookie, and the old one may be over.
    pub async fn log_in_again(&mut self) -> Result<bool, String> {
        let old = self.visitor.cookie.clone();
        let reply = send_login(&mut self.visitor, self.user).await;
        match counted(&self.counts, &reply)? {
            Told::Done(me) => {
                self.check(&me)?;
                holds(self.visitor.cookie != old, || format!("no new id: {reply:?}"))?;
                Ok(true)
            }
            Told::Refused => Err(format!("a second login is refused: {reply:?}")),
            Told::Nothing => {
                self.counts.change(|trade| trade.given_up += 1);
                Ok(false)
            }
        }
    }

    pub fn cookie(&self) -> String {
        self.visitor.cookie.clone().unwrap_or_default()
    }

    /// Checks that it is logged in, and that its note is there.
    pub async fn look(&mut self) -> Check {
        let me = self.ask("/api/me").await?;
        self.check(&me)?;
        let note = self.ask("/api/note").await?;
        holds(note["note"] == json!(self.note), || {
            format!("{} of {} has not the note {:?}: {note}", self.handle, self.user.0, self.note)
        })
    }

    /// Returns whether the session is over. Any other session than its own is an error.
    pub async fn is_over(&self) -> Result<bool, String> {
        // The answer may take the cookie away, and a session that is over is tried again.
        let me = self.clone().ask("/api/me").await?;
        if me["user"].is_null() {
            return Ok(true);
        }
        self.check(&me)?;
        Ok(false)
    }

    /// Writes a note, and reads it.
    pub async fn write(&mut self, text: String) -> Check {
        let answer = self.change("POST", "/api/note", &json!({"text": text})).await?;
        let is_written = answer.reply.status == StatusCode::OK;
        holds(is_written, || format!("{text} is not written: {}", answer.unexpected()))?;
        self.note = Some(text);
        self.look().await
    }

    /// Returns the handles of all devices of the user. One of them is this one.
    pub async fn devices(&mut self) -> Result<Vec<String>, String> {
        let list = self.ask("/api/devices").await?;
        let is_current = |device: &&Value| device["current"] == true;
        let current = handles(list.as_array().into_iter().flatten().filter(is_current));
        holds(current == [self.handle.as_str()], || {
            format!("{} is not the only current device in the list {list}", self.handle)
        })?;
        Ok(handles(list.as_array().into_iter().flatten()))
    }

    /// Returns the handles of all devices of another user, for an administrator.
    pub async fn devices_of(&mut self, user: &str) -> Result<Vec<String>, String> {
        let list = self.ask(&format!("/api/admin/users/{user}/sessions")).await?;
        Ok(handles(list.as_array().into_iter().flatten()))
    }

    /// Sends a change, with the token of the session, until it is answered.
    pub async fn change(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Answer, String> {
        for attempt in 0..ATTEMPTS {
            let me = self.ask("/api/me").await?;
            self.check(&me)?;
            let reply = self.send(&me, method, path, body).await?;
            count(&self.counts, reply.status);
            if !is_unanswered(reply.status) {
                return Ok(Answer { reply, is_repeated: attempt > 0 });
            }
            sleep(PAUSE).await;
        }
        Err(format!("no answer to {method} {path}"))
    }

    /// Logs out, and returns the cookie that was ended.
    pub async fn log_out(mut self) -> Result<String, String> {
        let cookie = self.cookie();
        for attempt in 0..ATTEMPTS {
            let me = self.ask("/api/me").await?;
            // An attempt without an answer may have ended the session.
            if attempt == 0 || !me["user"].is_null() {
                self.check(&me)?;
            }
            let reply = self.send(&me, "POST", "/api/logout", &Value::Null).await?;
            match counted(&self.counts, &reply)? {
                Told::Done(_) => return Ok(cookie),
                Told::Refused => return Err(format!("a logout is refused: {reply:?}")),
                Told::Nothing => sleep(PAUSE).await,
            }
        }
        Err("no answer to a logout".to_owned())
    }

    /// Checks the answer of `/api/me`.
    fn check(&self, me: &Value) -> Check {
        let is_it = me["user"] == self.user.0 && me["handle"] == *self.handle;
        holds(is_it, || format!("{} of {} is logged out: {me}", self.handle, self.user.0))
    }

    async fn ask(&mut self, path: &str) -> Result<Value, String> {
        ask(&mut self.visitor, path).await.map_err(|why| format!("{}: {why}", self.user.0))
    }

    /// Sends a change once.
    async fn send(
        &mut self,
        me: &Value,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Reply, String> {
        if let Some(token) = me["csrf"].as_str() {
            let token = HeaderValue::from_str(token).map_err(|error| error.to_string())?;
            self.visitor.headers.insert("x-csrf-token", token);
        }
        let (kind, body) = match body {
            Value::Null => (None, String::new()),
            body => (Some("application/json"), body.to_string()),
        };
        let reply = self.visitor.send(method, path, kind, body).await;
        self.visitor.headers.remove("x-csrf-token");
        is_let_in(&reply)?;
        Ok(reply)
    }
}

fn handles<'a>(devices: impl Iterator<Item = &'a Value>) -> Vec<String> {
    devices.map(|device| device["handle"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn send_login(visitor: &mut Visitor, (user, password): Person) -> Reply {
    visitor.post("/api/login", json!({"user": user, "password": password})).await
}

/// Checks that a request was not refused for the lack of a session or of its token. Each has both.
fn is_let_in(reply: &Reply) -> Check {
    let is_refused = matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    holds(!is_refused, || format!("somebody is logged out: {reply:?}"))
}

/// Reads something, as often as it takes for an answer.
async fn ask(visitor: &mut Visitor, path: &str) -> Result<Value, String> {
    for _ in 0..ATTEMPTS {
        let reply = visitor.get(path).await;
        is_let_in(&reply)?;
        match told(&reply)? {
            Told::Done(body) => return Ok(body),
            Told::Refused => return Err(format!("a look is refused: {reply:?}")),
            Told::Nothing => sleep(PAUSE).await,
        }
    }
    Err(format!("no answer to GET {path}"))
}

/// Reads an answer, and counts it.
fn counted(counts: &Counts, reply: &Reply) -> Result<Told, String> {
    count(counts, reply.status);
    told(reply)
}

fn count(counts: &Counts, status: StatusCode) {
    counts.change(|trade| match status {
        StatusCode::CONFLICT => trade.refused += 1,
        _ if status.is_success() => trade.done += 1,
        _ if is_unanswered(status) => trade.without_an_answer += 1,
        _ => {}
    });
}

/// Checks that a cookie, sent to where the visitor sends its own, opens nothing.
pub async fn check_dead(visitor: &Visitor, cookie: &str) -> Check {
    let me = ask(&mut with_cookie(visitor, cookie), "/api/me").await?;
    let is_nobody = me["user"].is_null() && me["handle"].is_null();
    holds(is_nobody, || format!("a session came back: {me}"))?;
    let note = ask(&mut with_cookie(visitor, cookie), "/api/note").await?;
    holds(note["note"].is_null(), || format!("a note came back: {note}"))
}

/// Checks that a note under the cookie of a session that is over goes into another session, or is refused.
pub async fn check_unwritable(visitor: &Visitor, cookie: &str) -> Check {
    let mut thief = with_cookie(visitor, cookie);
    // An anonymous visitor may write one, and a session with a user takes its token.
    let written = told(&thief.post("/api/note", json!({"text": "stolen"})).await);
    written.map_err(|reply| format!("a session came back: {reply}"))?;
    check_dead(visitor, cookie).await
}

fn with_cookie(visitor: &Visitor, cookie: &str) -> Visitor {
    let mut other = visitor.clone();
    other.cookie = Some(cookie.to_owned());
    other
}
