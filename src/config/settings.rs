//! The list of settings, and how the text of each is read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use zeroize::Zeroizing;

use crate::cookie::{CookieError, CookieOptions, SameSite};
use crate::span::span;

/// The names of all settings.
pub(super) const FIELDS: &[&str] = &[
    "store",
    "store_file",
    "keys",
    "keys_file",
    "cookie_name",
    "cookie_domain",
    "cookie_path",
    "cookie_same_site",
    "cookie_persistent",
    "cookie_insecure_plain_http",
    "idle_timeout",
    "anonymous_idle_timeout",
    "absolute_lifetime",
    "command_timeout",
    "commit_timeout",
    "max_bytes",
];

#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) store: Option<Zeroizing<String>>,
    pub(super) store_file: Option<PathBuf>,
    pub(super) keys: Option<Zeroizing<String>>,
    pub(super) keys_file: Option<PathBuf>,
    cookie_name: Option<String>,
    cookie_domain: Option<String>,
    cookie_path: Option<String>,
    cookie_same_site: Option<SameSite>,
    cookie_persistent: bool,
    cookie_insecure_plain_http: bool,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) anonymous_idle_timeout: Option<Duration>,
    pub(super) absolute_lifetime: Option<Duration>,
    pub(super) command_timeout: Option<Duration>,
    pub(super) commit_timeout: Option<Duration>,
    pub(super) max_bytes: Option<usize>,
}

impl Settings {
    /// Reads one setting. The error says what it can be, and quotes nothing.
    pub(super) fn set(&mut self, field: &str, text: &str) -> Result<(), String> {
        match field {
            "store" => self.store = Some(text.to_owned().into()),
            "store_file" => self.store_file = Some(text.into()),
            "keys" => self.keys = Some(text.to_owned().into()),
            "keys_file" => self.keys_file = Some(text.into()),
            "cookie_name" => self.cookie_name = Some(text.to_owned()),
            "cookie_domain" => self.cookie_domain = Some(text.to_owned()),
            "cookie_path" => self.cookie_path = Some(text.to_owned()),
            "cookie_same_site" => self.cookie_same_site = Some(same_site(text)?),
            "cookie_persistent" => self.cookie_persistent = yes_or_no(text)?,
            "cookie_insecure_plain_http" => self.cookie_insecure_plain_http = yes_or_no(text)?,
            "idle_timeout" => self.idle_timeout = Some(span(text)?),
            "anonymous_idle_timeout" => self.anonymous_idle_timeout = Some(span(text)?),
            "absolute_lifetime" => self.absolute_lifetime = Some(span(text)?),
            "command_timeout" => self.command_timeout = Some(span(text)?),
            "commit_timeout" => self.commit_timeout = Some(span(text)?),
            "max_bytes" => {
                let most = text.parse().ok().filter(|most| *most > 0);
                self.max_bytes = Some(most.ok_or("it must be a whole number of bytes, 1 or more")?);
            }
            _ => return Err("there is no such setting".into()),
        }
        Ok(())
    }

    pub(super) fn cookie(&self) -> Result<CookieOptions, CookieError> {
        let mut cookie = CookieOptions::builder();
        if let Some(name) = &self.cookie_name {
            cookie = cookie.name(name.clone());
        }
        if let Some(domain) = &self.cookie_domain {
            cookie = cookie.domain(domain.clone());
        }
        if let Some(path) = &self.cookie_path {
            cookie = cookie.path(path.clone());
        }
        if let Some(same_site) = self.cookie_same_site {
            cookie = cookie.same_site(same_site);
        }
        if self.cookie_persistent {
            cookie = cookie.persistent();
        }
        if self.cookie_insecure_plain_http {
            cookie = cookie.insecure_plain_http();
        }
        cookie.build()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password. The name of a file may be the secret itself, by mistake.
        let hidden = |is_set: bool| is_set.then_some("..");
        f.debug_struct("SessionConfig")
            .field("store", &hidden(self.store.is_some()))
            .field("store_file", &hidden(self.store_file.is_some()))
            .field("keys", &hidden(self.keys.is_some()))
            .field("keys_file", &hidden(self.keys_file.is_some()))
            .field("cookie", &self.cookie())
            .field("idle_timeout", &self.idle_timeout)
            .field("anonymous_idle_timeout", &self.anonymous_idle_timeout)
            .field("absolute_lifetime", &self.absolute_lifetime)
            .field("command_timeout", &self.command_timeout)
            .field("commit_timeout", &self.commit_timeout)
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}

fn same_site(text: &str) -> Result<SameSite, String> {
    match &*text.to_ascii_lowercase() {
        "strict" => Ok(SameSite::Strict),
        "lax" => Ok(SameSite::Lax),
        "none" => Ok(SameSite::None),
        _ => Err("it must be `strict`, `lax` or `none`".into()),
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "it must be `true` or `false`".into())
}

/// A value as a configuration file has it, as text: a string, a number or a truth value. `None` for a
/// null.
pub(super) struct Plain(pub(super) Option<Zeroizing<String>>);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfValue)
    }
}

struct OfValue;

impl Visitor<'_> for OfValue {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, or true or false")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Plain, E> {
        Ok(Plain(Some(text.to_owned().into())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Plain, E> {
        Ok(Plain(Some(text.into())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Plain, E> {
        self.visit_string(value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Plain, E> {
        self.visit_string(value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Plain, E> {
        self.visit_string(value.to_string())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Plain, E> {
        // serde's own error would quote the number, which may be a key that is not in quotes.
        Err(E::custom("a text in quotes, a whole number, or true or false is expected"))
    }

    fn visit_unit<E: Error>(self) -> Result<Plain, E> {
        Ok(Plain(None))
    }
}
