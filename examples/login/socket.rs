//! A websocket that learns when its session is over.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use cloakroom::{Session, SessionError};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

/// How long a socket may outlive its session. Each look is one store command for each open socket, so an
/// app with many of them looks less often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const SESSION_OVER: u16 = 4401;

pub(crate) async fn open(session: Session, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(16 * 1024).on_upgrade(|socket| talk(socket, session))
}

/// Answers each message with the user of the session as it is now.
///
/// The session is read again before each answer, and every second besides: nothing comes by itself to a
/// handle that stays open. After a login in another tab it is over too, because the handle does not
/// follow a new id. The page then connects again, with its new cookie.
async fn talk(mut socket: WebSocket, session: Session) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_asked = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(_))) => true,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            _ = looks.tick() => false,
        };
        let answer = match session.reload().await {
            Ok(()) if is_asked => json!({ "user": session.principal() }),
            Err(SessionError::Gone) => {
                let close = CloseFrame { code: SESSION_OVER, reason: "session over".into() };
                let _ = socket.send(Message::Close(Some(close))).await;
                return;
            }
            // While the store cannot be read, nobody knows who is logged in.
            Err(error) if is_asked => json!({ "error": error.to_string() }),
            Ok(()) | Err(_) => continue,
        };
        if socket.send(Message::Text(answer.to_string().into())).await.is_err() {
            return;
        }
    }
}
