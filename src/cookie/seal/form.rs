//! The common part of the forms of sealed bytes.

use crate::keys::Key;

/// Bytes before the nonce: form 1, cookies 1, key hint 4.
pub(super) const HEAD_LEN: usize = 6;

/// A way to protect bytes.
#[derive(Debug)]
pub(crate) struct Form {
    /// The first byte; also the version of everything below.
    pub(super) number: u8,
    pub(super) nonce: usize,
    pub(super) tag: usize,
    pub(super) key: fn(&Key, &str) -> Box<dyn Protect>,
}

/// One key of a form, bound to a cookie name.
pub(crate) trait Protect: Send + Sync {
    /// Protects the bytes after the nonce in place, and appends the tag.
    fn seal(&self, raw: &mut Vec<u8>);

    /// Verifies all of `raw`, and puts the bytes back as they were, in place. `raw` is long enough
    /// for head, nonce and tag.
    fn open(&self, raw: &mut [u8]) -> bool;
}
