//! The text of our errors when a program ends with one.

use std::error::Error;
use std::fmt;

/// Prints an error's text and then those of its sources: `text: cause: cause`.
///
/// Public errors print this as their `Debug`, because `main() -> Result<(), Box<dyn Error>>` and
/// `unwrap` print nothing else. A derived `Debug` would show a user `TooShort { bytes: 2 }`, and keep
/// the text that says what to do.
pub(crate) struct WithCauses<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the cart cannot be saved")]
    struct Outer(#[source] io::Error);

    #[test]
    fn causes_follow_the_text() {
        let disk = io::Error::other(io::Error::other("no space is left"));
        assert_eq!(
            WithCauses(&Outer(disk)).to_string(),
            "the cart cannot be saved: no space is left"
        );
        let alone = io::Error::other("no space is left");
        assert_eq!(WithCauses(&alone).to_string(), "no space is left");
    }
}
