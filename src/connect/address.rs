//! A store's URL, taken apart.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::ConnectError;

/// `scheme:place?option=value&option=value`. Has no `Debug`: a place or an option may hold a
/// password.
pub(super) struct Address {
    scheme: String,
    place: String,
    options: Vec<(String, String)>,
}

impl Address {
    /// Options are percent-decoded, the place is as it was written.
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        let (scheme, rest) = url.split_once(':').ok_or(ConnectError::NotAUrl)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut address =
            Self { scheme: scheme.to_ascii_lowercase(), place: place.to_owned(), options: vec![] };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let (name, value) = (address.decoded(name)?, address.decoded(value)?);
            if address.options.iter().any(|(known, _)| *known == name) {
                return Err(address.invalid("an option is given twice"));
            }
            address.options.push((name, value));
        }
        Ok(address)
    }

    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the scheme's colon and the question mark.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The option of this name, which is then no longer there.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.options.iter().position(|(known, _)| known == name)?;
        Some(self.options.swap_remove(at).1)
    }

    /// The option of this name as a whole number.
    pub(super) fn take_number<N: FromStr>(
        &mut self,
        name: &str,
    ) -> Result<Option<N>, ConnectError> {
        let number = self.take(name).map(|value| value.parse());
        number.transpose().map_err(|_| self.invalid(format!("`{name}` is no number")))
    }

    /// To be called when every known option has been taken: one that is left was mistyped, and a
    /// mistyped option that is ignored is a setting that is not in force.
    pub(super) fn finish(self) -> Result<(), ConnectError> {
        match self.options.first() {
            // What does not look like a name may be part of a password with a `?` in it.
            Some((name, _))
                if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
            {
                Err(self.invalid(format!("there is no option `{name}`")))
            }
            Some(_) => Err(self.invalid("there is an option that no store has")),
            None => Ok(()),
        }
    }

    pub(super) fn decoded(&self, text: &str) -> Result<String, ConnectError> {
        let decoded = percent_decode_str(text).decode_utf8();
        Ok(decoded.map_err(|_| self.invalid("percent-encoded text is not UTF-8"))?.into_owned())
    }

    pub(super) fn invalid(&self, problem: impl Into<String>) -> ConnectError {
        ConnectError::Invalid { scheme: self.scheme.clone(), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Address, ConnectError};

    #[test]
    fn a_url_comes_apart() {
        let mut address = Address::parse("Redis://u:p%40@h:1/2?prefix=a%3Ab&plain").map_err(drop);
        let address = address.as_mut().unwrap();
        assert_eq!((address.scheme(), address.place()), ("redis", "//u:p%40@h:1/2"));
        assert_eq!(address.take("prefix").as_deref(), Some("a:b"));
        assert_eq!(address.take("prefix"), None);
        assert_eq!(address.take("plain").as_deref(), Some(""));
    }

    fn opened(url: &str) -> Result<(), ConnectError> {
        let mut address = Address::parse(url)?;
        address.take_number::<usize>("max_bytes")?;
        address.finish()
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_shown() {
        for (url, says) in [
            ("redis", "is given as a URL"),
            ("redis:?a=secret&a=secret", "an option is given twice"),
            ("redis:?a=%ffsecret", "not UTF-8"),
            ("memory:?max_bytes=secret", "`max_bytes` is no number"),
            ("redis://u:pass?secret@host", "an option that no store has"),
            ("redis:?prefx=secret", "no option `prefx`"),
        ] {
            let error = opened(url).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
