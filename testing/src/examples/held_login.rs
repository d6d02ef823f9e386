//! A login that is under way while something else happens.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;

use super::{Member, Reply};

/// The time that the login example waits between the check of the password and the save.
const HOLD: Duration = Duration::from_secs(5);

/// A login of alice that the server holds for five seconds before it saves.
///
/// The server is another process, and only its answer tells how far it has come. On a busy machine it may not have
/// begun when the other thing happens, or be done.
#[derive(Debug)]
pub struct HeldLogin {
    sent: Instant,
    answered: JoinHandle<(Reply, Instant)>,
}

impl HeldLogin {
    /// Sends the login, and returns when the server has probably begun it. Every attempt leaves it a little more time.
    pub async fn begin(mut member: Member, attempt: u32) -> Self {
        let login = json!({"user": "alice", "password": "wonderland"});
        let path = format!("/api/login?hold={}", HOLD.as_millis());
        let sent = Instant::now();
        let answered = tokio::spawn(async move {
            let reply = member.visitor.post(&path, login).await;
            (reply, Instant::now())
        });
        tokio::time::sleep(Duration::from_millis(1_000) + Duration::from_millis(500) * attempt)
            .await;
        Self { sent, answered }
    }

    /// Returns the answer; `None` if the login was perhaps not under way during all of the time between `begun`
    /// and `done`.
    pub async fn answer(self, begun: Instant, done: Instant) -> Option<Reply> {
        let (reply, answered) = self.answered.await.expect("a reply");
        let had_checked = answered < begun + HOLD;
        let had_not_saved = done < self.sent + HOLD;
        (had_checked && had_not_saved).then_some(reply)
    }
}
