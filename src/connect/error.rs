//! The errors of [`connect`](crate::connect).

use std::fmt;

use crate::error::StoreError;
use crate::error_chain::WithCauses;

/// Explains why a URL gives no backend.
///
/// The text shows the scheme, the name of an unknown option, the path of a file that cannot be read,
/// and the host and port of a server that refuses. It never shows a user, a password or anything
/// else that may be a part of one.
///
/// `Debug` prints the same sentence as `Display`, followed by its causes, so that a `main` that
/// returns the error explains itself:
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use cloakroom::{ConnectError, connect};
///
/// let error = connect("carrier-pigeon://loft").await.unwrap_err();
/// assert!(matches!(&error, ConnectError::UnknownScheme { scheme, .. } if scheme == "carrier-pigeon"));
/// assert!(error.to_string().starts_with("unknown session store `carrier-pigeon:`"));
/// assert_eq!(format!("{error:?}"), error.to_string());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text does not begin with a scheme.
    #[error("the session store must be a URL, such as `memory:` or `redis://host:6379`")]
    NotAUrl,
    /// No store has this scheme.
    #[error("unknown session store `{scheme}:`; this build knows {known}")]
    #[non_exhaustive]
    UnknownScheme {
        /// The scheme, in lower case.
        scheme: String,
        /// The schemes that this build can open, as a list for people.
        known: String,
    },
    /// A store has this scheme, but the feature that it needs is off in this build.
    #[error("`{scheme}:` needs cloakroom's feature `{feature}`, which is off in this build")]
    FeatureOff {
        /// The scheme, in lower case.
        scheme: String,
        /// The feature to turn on in `Cargo.toml`.
        feature: &'static str,
    },
    /// The store that the scheme names does not understand the URL.
    #[error("the `{scheme}:` URL is wrong: {problem}")]
    Invalid {
        /// The scheme, in lower case.
        scheme: String,
        /// A sentence that names the mistake.
        problem: String,
    },
    /// The store cannot be reached, or it refuses. Its [kind](StoreError::kind) says which.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Prints the text and its causes: `main() -> Result<(), ConnectError>` prints nothing else.
impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StoreErrorKind;

    #[test]
    fn debug_prints_the_sentence_and_its_causes() {
        let refused = StoreError::new(StoreErrorKind::Denied, "WRONGPASS at cache:6379");
        let error = ConnectError::from(refused);
        assert_eq!(
            format!("{error:?}"),
            "the session store denied access: WRONGPASS at cache:6379"
        );
        let error = ConnectError::FeatureOff { scheme: "redis".to_owned(), feature: "redis" };
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}
