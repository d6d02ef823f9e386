//! The settings of a layer, read from the environment or from an app's configuration file.

mod error;
mod settings;

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use zeroize::Zeroizing;

pub use self::error::ConfigError;
use self::error::Where;
use self::settings::{FIELDS, Plain, Settings};
use crate::connect::connect;
use crate::cookie::CookieOptions;
use crate::keys::KeyRing;
use crate::middleware::SessionLayer;
use crate::session::Backend;

/// The settings of a session layer that differ between a laptop and production.
///
/// They come from the environment ([`from_env`](Self::from_env)), or from the app's own configuration
/// file through serde, under these names:
///
/// | variable | in a file | meaning | default |
/// |---|---|---|---|
/// | `SESSION_STORE` | `store` | the URL of the store, for [`connect`] | none: set this or `SESSION_STORE_FILE` |
/// | `SESSION_STORE_FILE` | `store_file` | a file with that URL, if it has a password | |
/// | `SESSION_KEYS` | `keys` | the [keys](KeyRing), in base64url with commas between them: the first signs, the others verify | none: set this or `SESSION_KEYS_FILE` |
/// | `SESSION_KEYS_FILE` | `keys_file` | a file with the keys, with commas or line breaks between them | |
/// | `SESSION_COOKIE_NAME` | `cookie_name` | [the cookie's name](crate::CookieOptionsBuilder::name) | `__Host-id` |
/// | `SESSION_COOKIE_DOMAIN` | `cookie_domain` | [its domain](crate::CookieOptionsBuilder::domain) | this host only |
/// | `SESSION_COOKIE_PATH` | `cookie_path` | [its path](crate::CookieOptionsBuilder::path) | `/` |
/// | `SESSION_COOKIE_SAME_SITE` | `cookie_same_site` | `strict`, `lax` or `none` | `lax` |
/// | `SESSION_COOKIE_PERSISTENT` | `cookie_persistent` | `true` lets it [outlive the browser](crate::CookieOptionsBuilder::persistent) | `false` |
/// | `SESSION_COOKIE_INSECURE_PLAIN_HTTP` | `cookie_insecure_plain_http` | `true` [drops `Secure`](crate::CookieOptionsBuilder::insecure_plain_http), for development; it needs a name without a prefix too, such as `id` | `false` |
/// | `SESSION_IDLE_TIMEOUT` | `idle_timeout` | [how long](SessionLayer::idle_timeout) a session lives without being used | `30m` |
/// | `SESSION_ANONYMOUS_IDLE_TIMEOUT` | `anonymous_idle_timeout` | [the same](SessionLayer::anonymous_idle_timeout) before a login | the idle timeout |
/// | `SESSION_ABSOLUTE_LIFETIME` | `absolute_lifetime` | [how long](SessionLayer::absolute_lifetime) a session lives at most | `12h` |
/// | `SESSION_COMMAND_TIMEOUT` | `command_timeout` | [the longest](SessionLayer::command_timeout) that one store command may take | `2s` |
/// | `SESSION_COMMIT_TIMEOUT` | `commit_timeout` | [the longest](SessionLayer::commit_timeout) that a commit or a logout may take | `5s` |
/// | `SESSION_MAX_BYTES` | `max_bytes` | [the most bytes](SessionLayer::max_session_bytes) of a session | `1048576` |
///
/// Times are whole numbers with a unit: `500ms`, `90s`, `15m`, `8h`, `30d`. Blanks and line breaks around
/// a value do not count, nor do those at the end of a file, because editors and secret managers add
/// them. An empty variable counts as one that is not set. The files are read by [`connect`](Self::connect) and
/// [`layer`](Self::layer), once; a new key takes a restart, as each step of a [rotation](KeyRing) does.
///
/// All other options are set on the layer that `layer` returns; [`SessionLayer::cookie`] then takes the
/// place of every `SESSION_COOKIE_…`.
///
/// Neither the store nor the keys have a default. Sessions in memory and a random key work on a laptop, and
/// lose every cart on the second server.
///
/// ```
/// use cloakroom::SessionConfig;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// # let from_env = || SessionConfig::from_variables(|name| Some(match name {
/// #     "SESSION_STORE" => "memory:".into(),
/// #     "SESSION_KEYS" => "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY".into(),
/// #     "SESSION_IDLE_TIMEOUT" => "15m".into(),
/// #     _ => return None,
/// # }));
/// // SESSION_STORE=memory: SESSION_KEYS=MDEy… SESSION_IDLE_TIMEOUT=15m
/// # /*
/// let config = SessionConfig::from_env()?;
/// # */
/// # let config = from_env()?;
/// let backend = config.connect().await?;
/// let sessions = config.layer(backend)?;
/// assert_eq!(
///     sessions.to_string(),
///     "sessions in cookie __Host-id: idle timeout 15m, absolute lifetime 12h",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// In a file, a name that is not in the table is an error. Among variables it goes unnoticed, because other
/// programs have variables that begin with `SESSION_`; print the layer at the start, as above, to see what
/// is in force.
///
/// ```
/// # use cloakroom::SessionConfig;
/// #[derive(serde::Deserialize)]
/// struct ShopConfig {
///     sessions: SessionConfig,
/// }
///
/// let file = r#"{ "sessions": { "store": "memory:", "keys_file": "/run/secrets/keys", "max_bytes": 65536 } }"#;
/// assert!(serde_json::from_str::<ShopConfig>(file).is_ok());
/// let mistyped = serde_json::from_str::<ShopConfig>(r#"{ "sessions": { "idle_timout": "15m" } }"#);
/// assert!(mistyped.is_err_and(|error| error.to_string().contains("`idle_timout`")));
/// ```
#[derive(Clone)]
pub struct SessionConfig {
    settings: Settings,
    from: Where,
}

impl SessionConfig {
    /// Reads the settings from the process's environment variables.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a variable that has to be set, one that has no valid value, and two that
    /// contradict each other. The text never shows a store's URL or a key. The keys and the cookie are
    /// checked by [`layer`](Self::layer), and the URL by [`connect`](Self::connect).
    ///
    /// ```
    /// use cloakroom::SessionConfig;
    ///
    /// # if std::env::var_os("SESSION_STORE").is_none() {
    /// let error = SessionConfig::from_env().unwrap_err(); // here, nothing is set
    /// assert!(error.to_string().starts_with("SESSION_STORE is not set"));
    /// # }
    /// ```
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut config = Self::new(Where::Environment);
        for field in FIELDS {
            let Some(text) = std::env::var_os(config.from.name(field)) else { continue };
            let text =
                text.to_str().ok_or_else(|| config.from.wrong(field, "not valid Unicode"))?;
            config.set(field, text)?;
        }
        config.complete()
    }

    /// Reads the settings from variables that come from elsewhere: `value_of` gets the names in the first
    /// column of the table above.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    ///
    /// ```
    /// use cloakroom::SessionConfig;
    ///
    /// // Two apps in one process.
    /// let shop = SessionConfig::from_variables(|name| std::env::var(format!("SHOP_{name}")).ok());
    /// assert!(shop.is_err()); // SHOP_SESSION_STORE is not set
    /// ```
    pub fn from_variables(value_of: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut config = Self::new(Where::Environment);
        for field in FIELDS {
            if let Some(text) = value_of(&config.from.name(field)).map(Zeroizing::new) {
                config.set(field, &text)?;
            }
        }
        config.complete()
    }

    fn new(from: Where) -> Self {
        Self { settings: Settings::default(), from }
    }

    fn set(&mut self, field: &str, text: &str) -> Result<(), ConfigError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        self.settings.set(field, text).map_err(|problem| self.from.wrong(field, problem))
    }

    fn complete(self) -> Result<Self, ConfigError> {
        let Settings { store, store_file, keys, keys_file, .. } = &self.settings;
        for (field, text, file) in [("store", store, store_file), ("keys", keys, keys_file)] {
            match (text, file) {
                (None, None) => return Err(self.from.missing(field)),
                (Some(_), Some(_)) => {
                    let other = self.from.name(&format!("{field}_file"));
                    return Err(self
                        .from
                        .wrong(field, format!("{other} is set too: set only one of them")));
                }
                _ => {}
            }
        }
        Ok(self)
    }

    /// Connects to the store, as [`connect`] does.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Connect`], or [`ConfigError::Unreadable`] for the file with the URL.
    ///
    /// ```
    /// # use cloakroom::SessionConfig;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let config: SessionConfig = serde_json::from_str(r#"{ "store": "memory:", "keys": "…" }"#)?;
    /// let backend = config.connect().await?;
    /// assert!(backend.check().await.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn connect(&self) -> Result<Backend, ConfigError> {
        let Settings { store, store_file, .. } = &self.settings;
        let url = self.text_or_file("store", store.as_ref(), store_file.as_deref())?;
        connect(url.trim()).await.map_err(ConfigError::Connect)
    }

    /// Makes the layer over a backend: the one that [`connect`](Self::connect) returns, or another.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Keys`], [`ConfigError::Cookie`], or [`ConfigError::Unreadable`] for the file with the
    /// keys.
    ///
    /// ```
    /// # use cloakroom::{ConfigError, SessionConfig, store::MemoryStore};
    /// let config: SessionConfig = serde_json::from_str(r#"{ "store": "memory:", "keys": "short" }"#)?;
    /// let refused = config.layer(MemoryStore::new());
    /// assert!(matches!(refused, Err(ConfigError::Keys { .. })));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn layer(&self, backend: impl Into<Backend>) -> Result<SessionLayer, ConfigError> {
        let mut layer = SessionLayer::new(backend, self.keys()?).cookie(self.cookie()?);
        let settings = &self.settings;
        if let Some(timeout) = settings.idle_timeout {
            layer = layer.idle_timeout(timeout);
        }
        if let Some(timeout) = settings.anonymous_idle_timeout {
            layer = layer.anonymous_idle_timeout(timeout);
        }
        if let Some(lifetime) = settings.absolute_lifetime {
            layer = layer.absolute_lifetime(lifetime);
        }
        if let Some(timeout) = settings.command_timeout {
            layer = layer.command_timeout(timeout);
        }
        if let Some(timeout) = settings.commit_timeout {
            layer = layer.commit_timeout(timeout);
        }
        if let Some(most) = settings.max_bytes {
            layer = layer.max_session_bytes(most);
        }
        Ok(layer)
    }

    fn keys(&self) -> Result<KeyRing, ConfigError> {
        let Settings { keys, keys_file, .. } = &self.settings;
        let text = self.text_or_file("keys", keys.as_ref(), keys_file.as_deref())?;
        let field = if keys.is_some() { "keys" } else { "keys_file" };
        text.parse().map_err(|source| ConfigError::Keys { name: self.from.name(field), source })
    }

    fn cookie(&self) -> Result<CookieOptions, ConfigError> {
        self.settings.cookie().map_err(ConfigError::Cookie)
    }

    fn text_or_file(
        &self,
        field: &str,
        text: Option<&Zeroizing<String>>,
        file: Option<&Path>,
    ) -> Result<Zeroizing<String>, ConfigError> {
        match (text, file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(file)) => match std::fs::read_to_string(file) {
                Ok(text) => Ok(Zeroizing::new(text)),
                Err(error) => Err(self.from.unreadable(&format!("{field}_file"), error)),
            },
            (None, None) => Err(self.from.missing(field)),
        }
    }
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl<'de> Deserialize<'de> for SessionConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfFile)
    }
}

struct OfFile;

impl<'de> Visitor<'de> for OfFile {
    type Value = SessionConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings of a session layer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SessionConfig, A::Error> {
        let mut config = SessionConfig::new(Where::File);
        while let Some(field) = map.next_key::<String>()? {
            if !FIELDS.contains(&&*field) {
                return Err(A::Error::unknown_field(&field, FIELDS));
            }
            if let Plain(Some(text)) = map.next_value()? {
                config.set(&field, &text).map_err(A::Error::custom)?;
            }
        }
        config.complete().map_err(A::Error::custom)
    }
}
