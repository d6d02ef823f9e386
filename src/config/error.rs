//! What can be wrong with the settings, under the name by which they were given.

use std::fmt;
use std::sync::Arc;

use crate::connect::ConnectError;
use crate::cookie::CookieError;
use crate::error_chain::WithCauses;
use crate::keys::KeyError;

/// Why a [`SessionConfig`](crate::SessionConfig) cannot be used.
///
/// The text says what to write, under the name of the setting, or of the option of the cookie or of the
/// URL's scheme. It never shows a store's URL or a key. `Debug`
/// prints the same sentence, followed by its causes, so that a `main` that returns the error explains
/// itself.
///
/// ```
/// use cloakroom::SessionConfig;
///
/// let error = SessionConfig::from_variables(|_| Some("no".into())).unwrap_err();
/// assert_eq!(format!("{error:?}"), error.to_string());
/// ```
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting that has no default is missing.
    #[error("{name} is not set: {hint}")]
    #[non_exhaustive]
    Missing {
        /// The name of the variable, or of the field.
        name: String,
        /// What to write.
        hint: &'static str,
    },
    /// A setting has a value that it cannot have.
    #[error("{name} is wrong: {problem}")]
    #[non_exhaustive]
    Invalid {
        /// The name of the variable, or of the field.
        name: String,
        /// A sentence that says what it can be.
        problem: String,
    },
    /// A file that a setting names cannot be read.
    // Without its path: whoever mistakes `…_FILE` for the variable without it has put the secret there.
    #[error("the file that {name} names cannot be read")]
    #[non_exhaustive]
    Unreadable {
        /// The name of the variable, or of the field.
        name: String,
        /// The problem.
        source: Arc<std::io::Error>,
    },
    /// The keys cannot be used.
    #[error("{name} is wrong: {source}")]
    #[non_exhaustive]
    Keys {
        /// The name of the variable, or of the field.
        name: String,
        /// The problem.
        source: KeyError,
    },
    /// The settings of the cookie do not fit together.
    #[error(transparent)]
    Cookie(CookieError),
    /// The store cannot be opened.
    #[error(transparent)]
    Connect(ConnectError),
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Its text has the cause in it.
            Self::Keys { .. } => write!(f, "{self}"),
            _ => write!(f, "{}", WithCauses(self)),
        }
    }
}

/// Where the settings come from, which decides how they are called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Where {
    Environment,
    File,
}

impl Where {
    pub(super) fn name(self, field: &str) -> String {
        match self {
            Self::Environment => format!("SESSION_{}", field.to_ascii_uppercase()),
            Self::File => field.to_owned(),
        }
    }

    pub(super) fn missing(self, field: &str) -> ConfigError {
        let hint = match field {
            "store" => {
                "`memory:` is for one server, `redis://host:6379` or another store for several"
            }
            _ => {
                "make a key with `openssl rand -base64 32 | tr '+/' '-_'`, the same for all servers"
            }
        };
        ConfigError::Missing { name: self.name(field), hint }
    }

    pub(super) fn wrong(self, field: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { name: self.name(field), problem: problem.into() }
    }

    pub(super) fn unreadable(self, field: &str, error: std::io::Error) -> ConfigError {
        ConfigError::Unreadable { name: self.name(field), source: Arc::new(error) }
    }
}
