//! Random bytes from the operating system. When it has none, the result is an error.
//!
//! Every draw is one call into the operating system, and nothing is kept for the next one. Fetching
//! more bytes than a draw needs would save about 0.3 µs a draw, and after a `fork` (a server that
//! loads the app and then forks its workers) parent and child would hand out the same session ids. So
//! would two machines that were restored from one snapshot. A buffer could notice a fork by the
//! process id, but asking for that is a call into the system too, and shows no snapshot.

/// Fills a buffer with random bytes. A plain function, so that a simulation can replay a seed.
pub(crate) type Entropy = fn(&mut [u8]) -> Result<(), EntropyError>;

/// The operating system returned no random bytes.
///
/// There is no fallback: a session id that can be guessed is worse than an error (ASVS 11.5.2).
#[derive(Clone, Debug, thiserror::Error)]
#[error("the operating system returned no random bytes: {0}")]
pub(crate) struct EntropyError(String);

/// Fills `buffer` with random bytes of the operating system. This is the default [`Entropy`].
pub(crate) fn operating_system(buffer: &mut [u8]) -> Result<(), EntropyError> {
    // `getrandom::Error` is an error only with that crate's `std` feature; its text says it all.
    getrandom::fill(buffer).map_err(|error| EntropyError(error.to_string()))
}

/// Draws a random byte for a pause, or the middle one if there is none: a pause that can be guessed
/// does no harm, so nothing has to fail for it.
pub(crate) fn for_a_pause(entropy: Entropy) -> u8 {
    let mut byte = [0];
    entropy(&mut byte).map_or(128, |()| byte[0])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    #[test]
    fn no_bytes_are_handed_out_twice() {
        let draws: HashSet<[u8; 20]> = (0..10_000)
            .map(|_| {
                let mut bytes = [0; 20];
                operating_system(&mut bytes).unwrap();
                bytes
            })
            .collect();
        assert_eq!(draws.len(), 10_000);
        assert!(!draws.contains(&[0; 20]));
    }

    /// No test can fork this program (it has threads), so this one reads the code: where nothing is
    /// kept, a fork has nothing to copy.
    #[test]
    fn nothing_is_kept_between_two_draws_that_a_fork_could_copy() {
        let code = include_str!("entropy.rs").split("#[cfg(test)]").next().unwrap();
        for state in ["static ", "thread_local", "Cell", "Mutex", "Atomic"] {
            assert!(!code.contains(state), "{state}");
        }
    }

    #[tokio::test]
    async fn r02_without_random_bytes_there_is_an_error_and_no_session() {
        let dry = |_: &mut [u8]| Err(EntropyError("there are none".to_owned()));
        let key = crate::Key::from_bytes(&[1; 32]).unwrap();
        let layer = crate::SessionLayer::new(crate::store::MemoryStore::new(), key).entropy(dry);
        let app = layer.layer(service_fn(async |request: http::Request<()>| {
            let lazy = request.extensions().get::<crate::LazySession>().unwrap();
            lazy.load().await?.insert("k", "value")?;
            Ok::<_, crate::SessionError>(http::Response::new(()))
        }));
        let response = app.oneshot(http::Request::new(())).await.unwrap();
        assert_eq!(response.status(), http::StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!response.headers().contains_key(http::header::SET_COOKIE));
    }
}
