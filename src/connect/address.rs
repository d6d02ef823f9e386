//! Splits a store's URL into scheme, place and options.
//!
//! A password that is not percent-encoded, or a URL without its scheme, shifts the borders between
//! these parts. Error texts therefore quote only what cannot be a piece of a login.

use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::error::ConnectError;

// Not by the crate `url`: to it, `host:1,host:2` is a host with an invalid port.
/// The parts of `scheme:place?option=value&option=value`. It has no `Debug`, because a place or an
/// option may hold a password.
pub(super) struct Address {
    scheme: String,
    place: String,
    options: Vec<(String, String)>,
}

impl Address {
    /// Splits a URL. Decodes the options; leaves the place as it was written.
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        let (scheme, rest) = url.split_once(':').ok_or(ConnectError::NotAUrl)?;
        if !is_scheme(scheme) || is_login(rest) {
            return Err(ConnectError::NotAUrl);
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut address =
            Self { scheme: scheme.to_ascii_lowercase(), place: place.to_owned(), options: vec![] };
        // They may be the rest of a password with a `?` in it, and would be taken for the name of an
        // option or for a file, which errors show.
        if query.contains('@') {
            return Err(address.invalid(
                "a `?` in a login or an `@` in an option must be percent-encoded, as `%3F` or `%40`",
            ));
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let (name, value) = (address.decode(name)?, address.decode(value)?);
            if address.options.iter().any(|(known, _)| *known == name) {
                return Err(address.invalid("an option is given twice"));
            }
            address.options.push((name, value));
        }
        Ok(address)
    }

    /// Whether `//` follows the scheme's colon. Without it, the text before an unknown scheme's colon
    /// may be a user, or the beginning of a password.
    pub(super) fn has_slashes(&self) -> bool {
        self.place.starts_with("//")
    }

    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the text between the scheme's colon and the question mark.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Refuses a place, for backends that have options only.
    pub(super) fn expect_no_place(&self) -> Result<(), ConnectError> {
        match self.place() {
            "" => Ok(()),
            _ => Err(self.invalid("only options may follow the colon")),
        }
    }

    /// Removes and returns an option. [`finish`](Self::finish) complains about those that stay.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.options.iter().position(|(known, _)| known == name)?;
        Some(self.options.swap_remove(at).1)
    }

    /// Takes an option that is a whole number.
    pub(super) fn take_number<N: FromStr>(
        &mut self,
        name: &str,
    ) -> Result<Option<N>, ConnectError> {
        let number = self.take(name).map(|value| value.parse());
        number
            .transpose()
            .map_err(|_| self.invalid(format!("`{name}` must be a whole number, zero or more")))
    }

    /// Takes `timeout_ms`, which every URL may have.
    pub(super) fn take_timeout(&mut self) -> Result<Option<Duration>, ConnectError> {
        Ok(self.take_number("timeout_ms")?.map(Duration::from_millis))
    }

    /// Takes `timeout_ms` for a backend that waits for no server, where every time-out is kept.
    /// Refusing the option instead would break the URL of an app that goes from a server to this
    /// backend by changing the scheme.
    pub(super) fn take_unneeded_timeout(&mut self) -> Result<(), ConnectError> {
        self.take_timeout().map(drop)
    }

    /// Refuses options that nobody has taken. To be called before connecting: an option with a typing
    /// error would otherwise be a setting that is silently not in force.
    pub(super) fn finish(self) -> Result<(), ConnectError> {
        let Some((name, _)) = self.options.first() else { return Ok(()) };
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_name {
            return Err(self.invalid(format!("there is no option `{name}`")));
        }
        Err(self.invalid("there is an unknown option, or a `?` in a login must be percent-encoded"))
    }

    pub(super) fn decode(&self, text: &str) -> Result<String, ConnectError> {
        let decoded = percent_decode_str(text).decode_utf8();
        Ok(decoded.map_err(|_| self.invalid("percent-encoded text is not UTF-8"))?.into_owned())
    }

    pub(super) fn invalid(&self, problem: impl Into<String>) -> ConnectError {
        ConnectError::Invalid { scheme: self.scheme.clone(), problem: problem.into() }
    }
}

#[allow(dead_code, reason = "not every build has a backend with such an option")]
impl Address {
    /// Takes an option that is `true` or `false`. Other words, such as `yes`, are refused: each that
    /// is understood would be one more that a reader has to know.
    pub(super) fn take_flag(&mut self, name: &str) -> Result<Option<bool>, ConnectError> {
        let flag = self.take(name).map(|value| value.parse());
        flag.transpose().map_err(|_| self.invalid(format!("`{name}` must be `true` or `false`")))
    }
}

/// Whether a text is a scheme by RFC 3986, section 3.1. `secret@host` of `secret@host:6379` is not
/// one, and must not be quoted as an unknown scheme.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether the text after the first colon shows that the URL has no scheme, as in
/// `user:password@host`: the text before the colon may then be a user or a piece of a password.
fn is_login(rest: &str) -> bool {
    rest.contains('@') && !rest.starts_with("//")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Address, ConnectError};

    #[test]
    fn a_url_is_split_into_its_parts() {
        let mut address = Address::parse("Redis://u:p%40@h:1/2?prefix=a%3Ab&plain").map_err(drop);
        let address = address.as_mut().unwrap();
        assert_eq!((address.scheme(), address.place()), ("redis", "//u:p%40@h:1/2"));
        assert_eq!(address.take("prefix").as_deref(), Some("a:b"));
        assert_eq!(address.take("prefix"), None);
        assert_eq!(address.take("plain").as_deref(), Some(""));
    }

    #[test]
    fn a_flag_is_true_or_false() {
        let mut address = Address::parse("memory:?on=true&off=false&yes=yes").ok().unwrap();
        assert_eq!(address.take_flag("on").unwrap(), Some(true));
        assert_eq!(address.take_flag("off").unwrap(), Some(false));
        assert_eq!(address.take_flag("absent").unwrap(), None);
        let error = address.take_flag("yes").unwrap_err().to_string();
        assert!(error.ends_with("`yes` must be `true` or `false`"), "{error}");
    }

    fn open(url: &str) -> Result<(), ConnectError> {
        let mut address = Address::parse(url)?;
        address.take_number::<usize>("max_bytes")?;
        address.take_flag("create")?;
        address.finish()
    }

    #[test]
    fn errors_name_the_mistake_and_show_no_value() {
        for (url, text) in [
            ("redis", "must be a URL"),
            ("redis:?a=secret&a=secret", "an option is given twice"),
            ("redis:?a=%ffsecret", "not UTF-8"),
            ("memory:?max_bytes=secret", "`max_bytes` must be a whole number"),
            ("dynamodb://t?create=secret", "`create` must be `true` or `false`"),
            ("redis:?prefx=secret", "no option `prefx`"),
        ] {
            let error = open(url).unwrap_err().to_string();
            assert!(error.contains(text) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_shown() {
        for (url, text) in [
            ("secret", "must be a url"),
            ("secret@host:6379", "must be a url"),
            ("u:secret@host:6379", "must be a url"),
            ("secret:secret@host:6379", "must be a url"),
            ("sec:ret@host:6379", "must be a url"),
            (":secret@host:6379", "must be a url"),
            ("secret/+=:6379", "must be a url"),
            ("//u:secret@host:6379", "must be a url"),
            ("redis:secret@host:6379", "must be a url"),
            ("redis://u:pass?secret@host", "a `?` in a login"),
            ("redis://u:1?secret=x@host", "a `?` in a login"),
            ("redis://u:1?secret&x@host", "a `?` in a login"),
            ("redis://u:1?SECRET=x", "a `?` in a login"),
        ] {
            let error = open(url).unwrap_err();
            let shown = format!("{error} {error:?}").to_ascii_lowercase();
            assert!(shown.contains(text) && !shown.contains("sec"), "{url}: {shown}");
        }
    }
}
