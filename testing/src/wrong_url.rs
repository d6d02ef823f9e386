//! What a store URL that is wrong leads to.

use std::error::Error;

use cloakroom::store::StoreErrorKind;
use cloakroom::{ConnectError, connect};

/// The password in the URLs that have one.
pub const SECRET: &str = "open-sesame";

/// Of an URL that has to be refused, without its password in any of the words.
pub async fn refused(url: &str) -> ConnectError {
    let error = connect(url).await.expect_err("it is wrong");
    let mut says = format!("{error} {error:?}");
    let mut cause: Option<&dyn Error> = error.source();
    while let Some(error) = cause {
        says += &format!(" {error} {error:?}");
        cause = error.source();
    }
    assert!(!says.contains(SECRET), "{says}");
    error
}

pub async fn kind_of(url: &str) -> StoreErrorKind {
    match refused(url).await {
        ConnectError::Store(error) => error.kind(),
        other => panic!("{other}"),
    }
}
