//! Passwords, and where they come from.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

type BoxError = Box<dyn Error + Send + Sync>;
type Asking = Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>>;
type Ask = Arc<dyn Fn() -> Asking + Send + Sync>;

/// The password of a login. `Debug` does not show it.
#[derive(Clone)]
pub(super) enum Password {
    Fixed(Arc<str>),
    /// Made anew for each connection.
    Asked(Ask),
}

impl Password {
    pub(super) fn asked<F, E>(ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::Asked(Arc::new(move || {
            let asking = ask();
            Box::pin(async move { asking.await.map_err(Into::into) })
        }))
    }

    pub(super) async fn get(&self) -> Result<String, BoxError> {
        match self {
            Self::Fixed(password) => Ok(password.to_string()),
            Self::Asked(ask) => ask().await,
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
