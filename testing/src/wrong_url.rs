//! Errors for wrong store URLs.

use std::error::Error;
use std::time::Instant;

use cloakroom::store::StoreErrorKind;
use cloakroom::{ConnectError, connect};

use crate::MINUTE;
use crate::patience::SLOW;

/// The password in the URLs of the tests.
pub const SECRET: &str = "open-sesame";

/// Returns the error for a URL that must be refused. Panics if the error shows the password.
pub async fn refused(url: &str) -> ConnectError {
    let error = connect(url).await.expect_err("a wrong URL is refused");
    let mut shown = format!("{error} {error:?}");
    let mut cause: Option<&dyn Error> = error.source();
    while let Some(error) = cause {
        shown += &format!(" {error} {error:?}");
        cause = error.source();
    }
    assert!(!shown.contains(SECRET), "{shown}");
    error
}

pub async fn kind_of(url: &str) -> StoreErrorKind {
    match refused(url).await {
        ConnectError::Store(error) => error.kind(),
        other => panic!("{other}"),
    }
}

/// Returns the error for a URL that a server must refuse as `kind`. Asks again for up to a minute while the server is
/// unavailable instead: one that is slow to answer has not refused anything.
pub async fn refused_as(kind: StoreErrorKind, url: &str) -> ConnectError {
    let begun = Instant::now();
    loop {
        let tried = Instant::now();
        let error = refused(url).await;
        match &error {
            ConnectError::Store(refusal) if refusal.kind() == kind => return error,
            ConnectError::Store(refusal)
                if refusal.kind() == StoreErrorKind::Unavailable
                    && tried.elapsed() > SLOW
                    && begun.elapsed() < MINUTE => {}
            _ => panic!("{url}: {error:?} instead of {kind:?}"),
        }
    }
}
