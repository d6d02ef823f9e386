//! The websocket: it tells who is logged in now, and closes when the session is over.

use std::net::TcpStream;
use std::time::Duration;

use cloakroom_testing::examples::Member;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::task::block_in_place;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::{Error, Message, WebSocket};

use crate::{alice, login, root};

/// Opens a socket with the cookie and the headers of a visitor.
pub(crate) fn open(url: &str, member: &Member) -> Result<WebSocket<TcpStream>, StatusCode> {
    let address = url.trim_start_matches("http://");
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    request.headers_mut().extend(member.visitor.headers.clone());
    if let Some(cookie) = &member.visitor.cookie {
        request.headers_mut().insert("cookie", HeaderValue::from_str(cookie).unwrap());
    }
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status()),
        Err(error) => panic!("{error}"),
    }
}

/// Returns the answer to a message.
pub(crate) fn ask(socket: &mut WebSocket<TcpStream>) -> Value {
    block_in_place(|| {
        socket.send(Message::text("who am I?")).unwrap();
        let answer = socket.read().unwrap();
        serde_json::from_str(answer.to_text().unwrap()).unwrap()
    })
}

/// Waits until the server closes the socket, and returns the code.
pub(crate) fn closed(mut socket: WebSocket<TcpStream>) -> u16 {
    block_in_place(|| match socket.read().unwrap() {
        Message::Close(Some(frame)) => frame.code.into(),
        other => panic!("{other:?}"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_tells_the_user_and_closes_with_the_session() {
    let server = login(&[]);
    let (mut root, mut member) = (root(&server).await, alice(&server).await);
    let mut socket = open(&server.url, &member).unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&mut socket), json!({"user": "alice"}));
    }
    member.post("/api/logout", json!(null)).await;
    assert_eq!(closed(socket), 4401);

    let mut member = alice(&server).await;
    let (ended, handle) = (open(&server.url, &member).unwrap(), member.handle().await);
    let mut other = alice(&server).await;
    other.delete(&format!("/api/devices/{handle}")).await;
    assert_eq!(closed(ended), 4401, "ended from another device");

    let renewed = open(&server.url, &other).unwrap();
    other.log_in("alice", "wonderland").await;
    assert_eq!(closed(renewed), 4401, "a socket does not follow a login");
    let mut again = open(&server.url, &other).unwrap();
    assert_eq!(ask(&mut again), json!({"user": "alice"}));
    root.delete("/api/admin/users/alice/sessions").await;
    assert_eq!(closed(again), 4401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_socket_does_not_keep_its_session_alive() {
    let server = login(&[("IDLE", "6")]);
    let mut socket = open(&server.url, &alice(&server).await).unwrap();
    assert_eq!(ask(&mut socket), json!({"user": "alice"}));
    assert_eq!(closed(socket), 4401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_without_a_session_is_nobody() {
    let server = login(&[]);
    let mut socket = open(&server.url, &Member::at(&server.url)).unwrap();
    assert_eq!(ask(&mut socket), json!({"user": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_gets_no_socket() {
    let server = login(&[]);
    let mut member = alice(&server).await;
    for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
        member.visitor.headers.clear();
        member.visitor.headers.insert(name, HeaderValue::from_static(value));
        assert_eq!(
            open(&server.url, &member).err(),
            Some(StatusCode::FORBIDDEN),
            "{name}: {value}"
        );
    }
    member.visitor.headers.clear();
    member.visitor.headers.insert("origin", HeaderValue::from_str(&server.url).unwrap());
    assert!(open(&server.url, &member).is_ok());
}
