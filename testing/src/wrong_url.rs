//! Errors for wrong store URLs.

use std::error::Error;

use cloakroom::store::StoreErrorKind;
use cloakroom::{ConnectError, connect};

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
