//! Random bytes from the operating system. When it has none, the result is an error.

use std::cell::RefCell;

use zeroize::Zeroize;

/// Fills a buffer with random bytes. A plain function, so that a simulation can replay a seed.
pub(crate) type Entropy = fn(&mut [u8]) -> Result<(), EntropyError>;

/// The operating system returned no random bytes.
///
/// There is no fallback: a session id that can be guessed is worse than an error (ASVS 11.5.2).
#[derive(Clone, Debug, thiserror::Error)]
#[error("the operating system returned no random bytes: {0}")]
pub(crate) struct EntropyError(String);

/// The number of bytes that one call into the kernel fetches. Such a call costs more than everything else that
/// a new session does; with this number about one draw in twenty makes one.
const FETCHED: usize = 512;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; FETCHED], left: 0 }) };
}

/// The operating system's bytes, each handed out once and then wiped. A generator in this process
/// would be as quick, but its state would tell whoever reads the memory every id to come.
struct Pool {
    bytes: [u8; FETCHED],
    left: usize,
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Fills `buffer` with random bytes of the operating system. This is the default [`Entropy`].
pub(crate) fn operating_system(buffer: &mut [u8]) -> Result<(), EntropyError> {
    if buffer.len() > FETCHED {
        return fetch(buffer);
    }
    POOL.with_borrow_mut(|pool| {
        if pool.left < buffer.len() {
            // If this fails, half-filled bytes must not be handed out later.
            pool.left = 0;
            fetch(&mut pool.bytes)?;
            pool.left = FETCHED;
        }
        let taken = pool.left - buffer.len()..pool.left;
        pool.left = taken.start;
        buffer.copy_from_slice(&pool.bytes[taken.clone()]);
        pool.bytes[taken].zeroize();
        Ok(())
    })
}

/// Draws a random byte for a pause, or the middle one if there is none: a pause that can be guessed
/// does no harm, so nothing has to fail for it.
pub(crate) fn for_a_pause(entropy: Entropy) -> u8 {
    let mut byte = [0];
    entropy(&mut byte).map_or(128, |()| byte[0])
}

fn fetch(buffer: &mut [u8]) -> Result<(), EntropyError> {
    // `getrandom::Error` is an error only with that crate's `std` feature; its text says it all.
    getrandom::fill(buffer).map_err(|error| EntropyError(error.to_string()))
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

    #[test]
    fn what_was_handed_out_is_wiped() {
        operating_system(&mut [0; 100]).unwrap();
        POOL.with_borrow(|pool| assert!(pool.bytes[pool.left..].iter().all(|&byte| byte == 0)));
    }

    #[test]
    fn more_than_the_pool_holds_comes_straight_from_the_source() {
        let mut bytes = vec![0; 2 * FETCHED];
        operating_system(&mut bytes).unwrap();
        assert_ne!(bytes[..FETCHED], bytes[FETCHED..]);
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
