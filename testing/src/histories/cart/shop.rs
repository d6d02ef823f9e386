//! The cart on several nodes as its clients see it: sends a call, reads the answer and records both.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::calls::{Answer, Call, Cart, Item, Operation};
use crate::histories::http::{Http, Reply};
use crate::histories::recorder::{Doubt, Recorder};

/// A ticket of a session, and the cookie that carries it. A client that opens a session has no cookie yet.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub session: u32,
    /// 0 for the first, and one more with each login.
    pub number: u32,
    pub cookie: Option<String>,
}

#[derive(Debug)]
pub struct Shop {
    pub(super) http: Http,
    pub(super) recorder: Recorder<Call>,
}

impl Shop {
    pub(super) fn open(urls: Vec<String>) -> Self {
        Self { http: Http::at(urls), recorder: Recorder::new() }
    }

    /// Makes one call, and records it. Returns the answer, and the cookie that it sets. After `patience` the
    /// client hangs up.
    pub async fn call(
        &self,
        client: usize,
        node: usize,
        ticket: &Ticket,
        operation: Operation,
        patience: Duration,
    ) -> (Answer, Option<String>) {
        let request = self.request(node, ticket, operation);
        let began = self.recorder.now();
        let (answer, cookie) = match self.http.send(request, patience).await {
            Reply::Answered { status, cookie, body } => {
                (read_answer(status, &body, ticket), cookie)
            }
            Reply::NotSent => (Answer::NotSent, None),
            Reply::Unknown(doubt) => (Answer::Unknown(doubt), None),
        };
        let ended = self.recorder.now();
        let Ticket { session, number, .. } = *ticket;
        let call = Call { client, node, session, ticket: number, operation, began, ended, answer };
        self.recorder.note(call.clone());
        (call.answer, cookie)
    }

    fn request(&self, node: usize, ticket: &Ticket, operation: Operation) -> Request<Full<Bytes>> {
        let session = ticket.session;
        let (method, path, body) = match operation {
            Operation::Add(item) => {
                ("POST", "items", json!({"sku": item.name(session), "qty": 1}).to_string())
            }
            Operation::Read => ("GET", "session", String::new()),
            Operation::LogIn => ("POST", "login", json!({"user": user(session)}).to_string()),
            Operation::LogOut => ("POST", "logout", String::new()),
        };
        let mut request = self.http.request(node, method, path);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(cookie) = &ticket.cookie {
            request = request.header(COOKIE, cookie);
        }
        request.body(Full::new(body.into())).expect("a valid request")
    }
}

fn user(session: u32) -> String {
    format!("user-{session}")
}

/// Reads an answer to a call with this ticket.
fn read_answer(status: StatusCode, body: &str, ticket: &Ticket) -> Answer {
    match status {
        StatusCode::OK => read_session(body, ticket).unwrap_or_else(Answer::Wrong),
        StatusCode::NO_CONTENT => Answer::LoggedOut,
        StatusCode::CONFLICT => Answer::Gone,
        StatusCode::SERVICE_UNAVAILABLE => Answer::Unknown(Doubt::Unavailable),
        _ => Answer::Wrong(format!("{status}: {body}")),
    }
}

/// Reads the session in a body. The error says what is wrong with it.
fn read_session(body: &str, ticket: &Ticket) -> Result<Answer, String> {
    let session: Value = serde_json::from_str(body).map_err(|_| format!("not JSON: {body}"))?;
    let items = session["items"].as_object().ok_or_else(|| format!("no items: {body}"))?;
    if !items.keys().any(|name| name.starts_with("owner-")) {
        return Ok(Answer::Absent);
    }
    let mut cart = Cart::new();
    for (name, number) in items {
        let item = Item::parse(name, ticket.session)?;
        let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
        cart.insert(item, number.ok_or_else(|| format!("no number of {name}: {body}"))?);
    }
    match session["user"].as_str() {
        Some(name) if name != user(ticket.session) => Err(format!("another user: {body}")),
        _ => Ok(Answer::Shown(cart)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket { session: 7, number: 0, cookie: None }
    }

    fn answer(status: u16, body: &str) -> Answer {
        read_answer(StatusCode::from_u16(status).unwrap(), body, &ticket())
    }

    #[test]
    fn a_cart_is_read_and_one_of_another_session_refused() {
        let body = r#"{"user": null, "items": {"owner-7": 1, "counter-0": 3, "key-12": 1}}"#;
        let cart = [(Item::Owner, 1), (Item::Counter(0), 3), (Item::Key(12), 1)];
        assert_eq!(answer(200, body), Answer::Shown(cart.into()));
        let own = r#"{"user": "user-7", "items": {"owner-7": 1}}"#;
        assert_eq!(answer(200, own), Answer::Shown([(Item::Owner, 1)].into()));
        for wrong in [
            r#"{"user": null, "items": {"owner-8": 1}}"#,
            r#"{"user": null, "items": {"owner-7": 1, "owner-8": 1}}"#,
            r#"{"user": "user-8", "items": {"owner-7": 1}}"#,
            r#"{"user": null, "items": {"owner-7": 1, "apple": 1}}"#,
            r#"{"user": null, "items": {"owner-7": -1}}"#,
            r#"{"user": null}"#,
            "owner-7",
        ] {
            assert!(matches!(answer(200, wrong), Answer::Wrong(_)), "{wrong}");
        }
    }

    #[test]
    fn a_status_is_an_answer() {
        // A new visitor's session, which another call of the same client may have begun.
        for body in [r#"{"user": null, "items": {}}"#, r#"{"items": {"counter-0": 1}}"#] {
            assert_eq!(answer(200, body), Answer::Absent);
        }
        assert_eq!(answer(204, ""), Answer::LoggedOut);
        assert_eq!(answer(409, "{}"), Answer::Gone);
        assert_eq!(answer(503, "{}"), Answer::Unknown(Doubt::Unavailable));
        for status in [400, 401, 413, 500, 502] {
            assert!(matches!(answer(status, "{}"), Answer::Wrong(_)), "{status}");
        }
    }
}
