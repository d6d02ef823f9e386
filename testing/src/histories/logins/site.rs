//! The login example on several nodes as its clients see it: sends a call, reads the answer and records both.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{Request, StatusCode, request};
use http_body_util::Full;
use serde_json::{Value, json};

use super::calls::{Answer, Call, Handle, Operation, User};
use crate::histories::http::{Http, Reply};
use crate::histories::recorder::{Moment, Recorder};

/// The cookie, the handle and the token that a client has received at a login.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub user: User,
    pub session: u32,
    /// Which of the session's tickets this is.
    pub number: u32,
    pub handle: Handle,
    cookie: String,
    /// The token that every change has to carry.
    csrf: String,
}

/// Who makes a call, of which node, and how long it waits for the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) number: usize,
    pub(super) node: usize,
    /// After this time the client hangs up.
    pub(super) patience: Duration,
}

impl Client {
    /// Returns a call of this client that begins, with the first ticket and without an answer.
    fn call(self, operation: Operation, user: User, session: u32, began: Moment) -> Call {
        let (held, answer) = (Duration::ZERO, Answer::NotSent);
        let (client, node) = (self.number, self.node);
        Call {
            client,
            node,
            user,
            session,
            ticket: 0,
            operation,
            held,
            began,
            ended: began,
            answer,
        }
    }
}

#[derive(Debug)]
pub struct Site {
    pub(super) http: Http,
    pub(super) recorder: Recorder<Call>,
}

impl Site {
    pub(super) fn open(urls: Vec<String>) -> Self {
        Self { http: Http::at(urls), recorder: Recorder::new() }
    }

    /// Logs in as a client without a cookie, so that a new session begins. The node waits for `held` between the
    /// login's success and its answer.
    pub(super) async fn log_in(
        &self,
        client: Client,
        user: User,
        session: u32,
        held: Duration,
    ) -> (Answer, Option<Ticket>) {
        let request = self.login(client.node, held).body(body_of(user));
        let began = self.recorder.now();
        let reply = self.send(request, client).await;
        let call = Call { held, ..client.call(Operation::LogIn, user, session, began) };
        let (answer, ticket) = match read_login(&reply, user) {
            Some(Ok(login)) => (Answer::LoggedIn(login.handle), Some(login.ticket(session, 0))),
            Some(Err(wrong)) => (Answer::Wrong(wrong), None),
            None => (read_answer(reply, Operation::LogIn, user, None), None),
        };
        (self.note(call, answer), ticket)
    }

    /// Logs in again in the ticket's session, as [`log_in`](Self::log_in) does without one. A login with the ticket
    /// of a session that is over begins a new one, that of the number `session`: this is recorded as two calls.
    pub(super) async fn renew(
        &self,
        client: Client,
        ticket: &Ticket,
        session: u32,
        held: Duration,
    ) -> (Answer, Option<Ticket>) {
        let user = ticket.user;
        let request = self.login(client.node, held).header(COOKIE, &ticket.cookie);
        let began = self.recorder.now();
        let reply = self.send(request.body(body_of(user)), client).await;
        let renewal = client.call(Operation::Renew, user, ticket.session, began);
        let renewal = Call { ticket: ticket.number, held, ..renewal };
        let login = Call { held, ..client.call(Operation::LogIn, user, session, began) };
        match read_login(&reply, user) {
            Some(Ok(read)) if read.handle == ticket.handle => {
                let next = read.ticket(ticket.session, ticket.number + 1);
                (self.note(renewal, Answer::LoggedIn(next.handle)), Some(next))
            }
            Some(Ok(read)) => {
                self.note(renewal, Answer::NotLoggedIn);
                let first = read.ticket(session, 0);
                (self.note(login, Answer::LoggedIn(first.handle)), Some(first))
            }
            Some(Err(wrong)) => (self.note(renewal, Answer::Wrong(wrong)), None),
            None => {
                let answer = read_answer(reply, Operation::Renew, user, None);
                if matches!(answer, Answer::Unknown(_)) {
                    self.note(login, answer.clone());
                }
                (self.note(renewal, answer), None)
            }
        }
    }

    fn login(&self, node: usize, held: Duration) -> request::Builder {
        let path = match held.as_millis() {
            0 => "login".to_owned(),
            hold => format!("login?hold={hold}"),
        };
        self.http.request(node, "POST", &path).header(CONTENT_TYPE, "application/json")
    }

    /// Makes one call, and records it.
    pub(super) async fn call(
        &self,
        client: Client,
        ticket: &Ticket,
        operation: Operation,
    ) -> Answer {
        let Ticket { user, session, handle, .. } = *ticket;
        let request = self.request(client.node, ticket, operation);
        let began = self.recorder.now();
        let reply = self.send(request, client).await;
        let call = client.call(operation, user, session, began);
        let answer = read_answer(reply, operation, user, Some(handle));
        self.note(Call { ticket: ticket.number, ..call }, answer)
    }

    async fn send(&self, request: http::Result<Request<Full<Bytes>>>, client: Client) -> Reply {
        self.http.send(request.expect("a valid request"), client.patience).await
    }

    /// Records the call with its answer, which has come now.
    fn note(&self, call: Call, answer: Answer) -> Answer {
        self.recorder.note(Call { ended: self.recorder.now(), answer: answer.clone(), ..call });
        answer
    }

    fn request(
        &self,
        node: usize,
        ticket: &Ticket,
        operation: Operation,
    ) -> http::Result<Request<Full<Bytes>>> {
        let (method, path) = match operation {
            Operation::LogIn | Operation::Renew => unreachable!("they have functions of their own"),
            Operation::Read => ("GET", "me".to_owned()),
            Operation::List => ("GET", "devices".to_owned()),
            Operation::LogOut => ("POST", "logout".to_owned()),
            Operation::End(handle) => ("DELETE", format!("devices/{handle}")),
            Operation::EndOthers => ("POST", "devices/end-others".to_owned()),
            Operation::EndAll(user) => ("DELETE", format!("admin/users/{}/sessions", user.name())),
        };
        let request = self.http.request(node, method, &path).header(COOKIE, &ticket.cookie);
        request.header("x-csrf-token", &ticket.csrf).body(Full::default())
    }
}

fn body_of(user: User) -> Full<Bytes> {
    json!({"user": user.name(), "password": user.password()}).to_string().into()
}

/// The answer to a login that was acknowledged.
#[derive(Debug)]
struct NewTicket {
    user: User,
    handle: Handle,
    cookie: String,
    csrf: String,
}

impl NewTicket {
    fn ticket(self, session: u32, number: u32) -> Ticket {
        let Self { user, handle, cookie, csrf } = self;
        Ticket { user, session, number, handle, cookie, csrf }
    }
}

/// Reads the answer to a login that was acknowledged. The error says what is wrong with it.
fn read_login(reply: &Reply, user: User) -> Option<Result<NewTicket, String>> {
    let Reply::Answered { status: StatusCode::OK, cookie, body } = reply else { return None };
    let read = || {
        let handle = read_me(body, user)?.ok_or_else(|| format!("nobody is logged in: {body}"))?;
        let me: Value = serde_json::from_str(body).unwrap_or_default();
        let csrf = me["csrf"].as_str().ok_or_else(|| format!("no token: {body}"))?.to_owned();
        let cookie = cookie.clone().ok_or_else(|| format!("no cookie: {body}"))?;
        Ok(NewTicket { user, handle, cookie, csrf })
    };
    Some(read())
}

/// Reads an answer to a call of this user, with the ticket of the session that has this handle.
fn read_answer(reply: Reply, operation: Operation, user: User, own: Option<Handle>) -> Answer {
    let (status, body) = match reply {
        Reply::Answered { status, body, .. } => (status, body),
        Reply::NotSent => return Answer::NotSent,
        Reply::Unknown(doubt) => return Answer::Unknown(doubt),
    };
    let wrong = |body: &str| Answer::Wrong(format!("{status}: {body}"));
    match (status, operation) {
        (StatusCode::OK, Operation::Read) => match read_me(&body, user) {
            Ok(Some(handle)) if Some(handle) == own => Answer::LoggedIn(handle),
            Ok(Some(_)) => Answer::Wrong(format!("another session: {body}")),
            Ok(None) => Answer::NotLoggedIn,
            Err(wrong) => Answer::Wrong(wrong),
        },
        (StatusCode::OK, Operation::List) => {
            read_list(&body, own).map_or_else(Answer::Wrong, Answer::Listed)
        }
        (StatusCode::OK, Operation::EndOthers | Operation::EndAll(_)) => Answer::Ended,
        (StatusCode::NO_CONTENT, Operation::LogOut | Operation::End(_)) => Answer::Ended,
        (StatusCode::NOT_FOUND, Operation::End(_)) => Answer::NoneOfThisHandle,
        (StatusCode::UNAUTHORIZED, Operation::List | Operation::End(_) | Operation::EndOthers) => {
            Answer::NotLoggedIn
        }
        // To everybody who is not logged in as an administrator.
        (StatusCode::FORBIDDEN, Operation::EndAll(_)) => Answer::NotLoggedIn,
        (StatusCode::CONFLICT, _) => Answer::Gone,
        (StatusCode::SERVICE_UNAVAILABLE, _) => {
            Answer::Unknown(crate::histories::Doubt::Unavailable)
        }
        _ => wrong(&body),
    }
}

/// Reads who is logged in, and with which session. The error says what is wrong with the body.
fn read_me(body: &str, user: User) -> Result<Option<Handle>, String> {
    let me: Value = serde_json::from_str(body).map_err(|_| format!("not JSON: {body}"))?;
    match (&me["user"], &me["handle"]) {
        (Value::Null, Value::Null) if me.get("user").is_some() => Ok(None),
        (Value::String(name), Value::String(handle)) if name == user.name() => {
            Handle::parse(handle).map(Some).ok_or_else(|| format!("not a handle: {body}"))
        }
        _ => Err(format!("another user: {body}")),
    }
}

/// Reads a list of sessions. The error says what is wrong with it.
fn read_list(body: &str, own: Option<Handle>) -> Result<BTreeSet<Handle>, String> {
    let devices: Value = serde_json::from_str(body).map_err(|_| format!("not JSON: {body}"))?;
    let devices = devices.as_array().ok_or_else(|| format!("no list: {body}"))?;
    let mut handles = BTreeSet::new();
    for device in devices {
        let handle = device["handle"].as_str().and_then(Handle::parse);
        let handle = handle.ok_or_else(|| format!("not a handle: {body}"))?;
        if !handles.insert(handle) {
            return Err(format!("{handle} is there twice: {body}"));
        }
        if device["current"] != (Some(handle) == own) {
            return Err(format!("{handle} is not the one that asks: {body}"));
        }
    }
    Ok(handles)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Handle = Handle(0xabc);

    fn answer(status: u16, operation: Operation, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        let reply = Reply::Answered { status, cookie: None, body: body.to_owned() };
        read_answer(reply, operation, User::Alice, Some(OWN))
    }

    #[track_caller]
    fn is_wrong(answer: Answer) {
        assert!(matches!(answer, Answer::Wrong(_)), "{answer:?}");
    }

    #[test]
    fn a_read_shows_the_own_session_or_none() {
        let read = |body: &str| answer(200, Operation::Read, body);
        let own = r#"{"user": "alice", "handle": "0000000000000abc"}"#;
        assert_eq!(read(own), Answer::LoggedIn(OWN));
        assert_eq!(read(r#"{"user": null, "handle": null}"#), Answer::NotLoggedIn);
        for body in [
            r#"{"user": "mallory", "handle": "0000000000000abc"}"#,
            r#"{"user": "alice", "handle": "0000000000000abd"}"#,
            r#"{"user": "alice", "handle": "abc"}"#,
            r#"{"user": "alice", "handle": null}"#,
            "{}",
            "alice",
        ] {
            is_wrong(read(body));
        }
    }

    #[test]
    fn a_list_marks_the_session_that_asks() {
        let list = |body: &str| answer(200, Operation::List, body);
        let device = |handle, current| format!(r#"{{"handle": "{handle}", "current": {current}}}"#);
        let (own, other) = (device(OWN, true), device(Handle(1), false));
        let both = Answer::Listed([OWN, Handle(1)].into());
        assert_eq!(list(&format!("[{own}, {other}]")), both);
        assert_eq!(list("[]"), Answer::Listed(BTreeSet::new()));
        is_wrong(list(&format!("[{own}, {own}]")));
        is_wrong(list(&format!("[{}]", device(OWN, false))));
        is_wrong(list(&format!("[{}]", device(Handle(1), true))));
        is_wrong(list("{}"));
    }

    #[test]
    fn a_status_is_an_answer() {
        let end = Operation::End(Handle(1));
        assert_eq!(answer(204, end, ""), Answer::Ended);
        assert_eq!(answer(404, end, "{}"), Answer::NoneOfThisHandle);
        assert_eq!(answer(401, end, "{}"), Answer::NotLoggedIn);
        assert_eq!(answer(204, Operation::LogOut, ""), Answer::Ended);
        assert_eq!(answer(200, Operation::EndOthers, r#"{"ended": 1}"#), Answer::Ended);
        assert_eq!(answer(409, Operation::EndOthers, "{}"), Answer::Gone);
        let end_all = Operation::EndAll(User::Mallory);
        assert_eq!(answer(200, end_all, r#"{"ended": 1}"#), Answer::Ended);
        assert_eq!(answer(403, end_all, "{}"), Answer::NotLoggedIn);
        for operation in [Operation::Read, Operation::LogIn, end] {
            let unavailable = answer(503, operation, "{}");
            assert_eq!(unavailable, Answer::Unknown(crate::histories::Doubt::Unavailable));
            for status in [400, 403, 500, 501] {
                is_wrong(answer(status, operation, "{}"));
            }
        }
        is_wrong(answer(401, Operation::LogIn, "{}"));
        is_wrong(answer(404, Operation::List, "{}"));
    }

    #[test]
    fn a_login_needs_a_cookie_a_handle_and_a_token() {
        let body = r#"{"user": "alice", "handle": "0000000000000abc", "csrf": "t"}"#;
        let login = |cookie: Option<&str>, body: &str| {
            let (status, cookie) = (StatusCode::OK, cookie.map(str::to_owned));
            let reply = Reply::Answered { status, cookie, body: body.to_owned() };
            read_login(&reply, User::Alice).expect("acknowledged")
        };
        let ticket = login(Some("id=1"), body).unwrap();
        assert_eq!((ticket.handle, &*ticket.cookie, &*ticket.csrf), (OWN, "id=1", "t"));
        assert!(login(None, body).is_err());
        assert!(login(Some("id=1"), r#"{"user": null, "handle": null}"#).is_err());
        assert!(login(Some("id=1"), &body.replace("csrf", "other")).is_err());
        assert!(read_login(&Reply::NotSent, User::Alice).is_none());
    }
}
