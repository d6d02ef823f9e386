//! Commits whose time ends, over servers that may be slow.

use std::time::Duration;

/// Runs `test` with a commit timeout of 0.3 s. If it returns `None`, a commit that must succeed ran out of time;
/// then runs it again with three times the timeout, up to 24 s.
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
    panic!("a commit that must succeed ran out of time, even with {:?}", timeout / 3);
}
