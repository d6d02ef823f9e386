//! Counts each visitor's visits. Run it, then open http://localhost:3000.

use axum::{Router, routing::get};
use cloakroom::{Field, Key, KeyRing, Session, SessionError, SessionLayer, store::MemoryStore};

const VISITS: Field<u32> = Field::new("visits");

async fn visit(session: Session) -> Result<String, SessionError> {
    let visits = session.update(VISITS, |visits| {
        *visits += 1;
        *visits
    })?;
    Ok(format!("Visit number {visits}.\n"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The keys sign the cookies. They are secret, and the same on every server of the app. Usually it is
    // one, of 32 random bytes: make it once, with `openssl rand -base64 32 | tr '+/' '-_'` or with
    // `Key::generate` and `Key::to_base64url`, and keep it where you keep passwords. The key that is
    // generated here without `SESSION_KEYS` is new at each start, so a restart ends all sessions.
    let keys: KeyRing = match std::env::var("SESSION_KEYS") {
        Ok(keys) => keys.parse()?,
        Err(_) => Key::generate()?.into(),
    };
    // Any other store can stand here; nothing else changes.
    let sessions = SessionLayer::new(MemoryStore::new(), keys);
    let app = Router::new().route("/", get(visit)).layer(sessions);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://localhost:3000");
    Ok(axum::serve(listener, app).await?)
}
