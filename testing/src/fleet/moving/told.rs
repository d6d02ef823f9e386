//! The answers of nodes that come and go.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::examples::Reply;

/// How often a request is sent that gets no answer, and the pause before the next attempt.
pub const ATTEMPTS: usize = 100;
pub const PAUSE: Duration = Duration::from_millis(20);

/// The outcome of a request, as far as its answer tells.
pub enum Told {
    Done(Value),
    /// Proven not to be applied, because another request was quicker.
    Refused,
    /// Nothing: the store or the node was down, or went down in between.
    Nothing,
}

/// Reads an answer. Every status that neither a success nor the move of a store explains is an error.
pub fn told(reply: &Reply) -> Result<Told, String> {
    match reply.status {
        StatusCode::OK => Ok(Told::Done(reply.json())),
        StatusCode::NO_CONTENT => Ok(Told::Done(Value::Null)),
        StatusCode::CONFLICT => Ok(Told::Refused),
        status if is_unanswered(status) => Ok(Told::Nothing),
        _ => Err(format!("{reply:?}")),
    }
}

/// Returns whether an answer is none of the app's: the proxy reached no node, or the node not its store.
pub fn is_unanswered(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
}
