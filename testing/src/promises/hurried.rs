//! Commits whose time ends, over servers that may be slow.

use std::time::Duration;

/// Runs a test with a commit timeout, and with longer ones up to 24 s for as long as it returns `None`: then it
/// was the time of a commit that has to succeed.
///
/// One request has one commit timeout for all that it saves. So a test that has to wait for the end of one can
/// neither give the commits before it more time, nor wait a minute in each of a hundred stores; and on a busy disk
/// a third of a second is too short for a commit now and then.
pub(super) async fn hurried<T>(test: impl AsyncFn(Duration) -> Option<T>) -> T {
    let mut timeout = Duration::from_millis(300);
    for _ in 0..5 {
        if let Some(result) = test(timeout).await {
            return result;
        }
        timeout *= 3;
    }
    panic!("the store has taken more than {:?} for a commit", timeout / 3);
}
