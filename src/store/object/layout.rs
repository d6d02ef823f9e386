//! The names of objects.
//!
//! ```text
//! prefix/1f/2d…          a session: its store key in hexadecimal digits, the first two as a folder
//! prefix/probe/…         what the check at open writes and removes
//! prefix/sweep           when the bucket was swept last
//! ```
//!
//! The keys are hashes, so the load spreads over all folders. S3 allows 3,500 writes a second to each part of the
//! names that it keeps together, and divides the names further where there is more to do; it can do so anywhere,
//! because no part of the names is busier than another. The sweep lists one folder after the other, which bounds
//! what it holds in memory.

use object_store::path::Path;

use crate::hex::{Hex, digits};
use crate::id::StoreKey;

/// The last of the folders.
const LAST_SHARD: u8 = u8::MAX;
/// The length of a session's name in its folder.
const NAME_LEN: usize = 62;

/// The names under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Empty, or with a slash at its end.
    prefix: Box<str>,
}

impl Layout {
    /// Returns the names under `prefix`, or the problem with it.
    pub(super) fn new(prefix: &str) -> Result<Self, &'static str> {
        let prefix = prefix.trim_matches('/');
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = |name: &str| {
            !matches!(name, "" | "." | "..") && name.bytes().all(is_name_byte) && name.len() <= 128
        };
        if prefix.is_empty() {
            return Ok(Self { prefix: "".into() });
        }
        if prefix.len() > 512 || !prefix.split('/').all(is_name) {
            return Err("the prefix must be names of ASCII letters, digits, `.`, `_` and `-`, \
                        joined by slashes");
        }
        Ok(Self { prefix: format!("{prefix}/").into() })
    }

    /// Returns the prefix without a slash at its end.
    pub(super) fn prefix(&self) -> &str {
        self.prefix.trim_end_matches('/')
    }

    pub(super) fn session(&self, key: &StoreKey) -> Path {
        let mut name = String::with_capacity(self.prefix.len() + 2 + 1 + NAME_LEN);
        name.push_str(&self.prefix);
        let [first, rest @ ..] = key.as_bytes();
        name.extend(digits(&[*first]));
        name.push('/');
        name.extend(digits(rest));
        Path::from(name)
    }

    /// Returns all folders of sessions.
    pub(super) fn shards(&self) -> impl Iterator<Item = Path> {
        (0..=LAST_SHARD).map(|shard| Path::from(format!("{}{}", self.prefix, Hex(&[shard]))))
    }

    pub(super) fn probes(&self) -> Path {
        Path::from(format!("{}probe", self.prefix))
    }

    pub(super) fn probe(&self, random: &[u8]) -> Path {
        Path::from(format!("{}probe/{}", self.prefix, Hex(random)))
    }

    pub(super) fn sweep(&self) -> Path {
        Path::from(format!("{}sweep", self.prefix))
    }
}

/// Returns whether an object in a folder of sessions has the name of one.
pub(super) fn is_session(path: &Path) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    path.filename().is_some_and(|name| name.len() == NAME_LEN && name.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const KEY: StoreKey = StoreKey::from_bytes([0xa7; 32]);

    #[test]
    fn a_session_is_in_the_folder_of_its_first_two_digits() {
        let layout = Layout::new("shop/eu").unwrap();
        let path = layout.session(&KEY);
        assert_eq!(path.as_ref(), format!("shop/eu/a7/{}", "a7".repeat(31)));
        assert!(is_session(&path));
        let shards: Vec<_> = layout.shards().collect();
        assert_eq!(shards.len(), 256);
        assert!(shards.iter().any(|shard| path.prefix_matches(shard)));
        assert_eq!(shards[255].as_ref(), "shop/eu/ff");
    }

    #[test]
    fn other_objects_are_in_no_folder_of_sessions() {
        for prefix in ["", "shop"] {
            let layout = Layout::new(prefix).unwrap();
            for path in [layout.probe(&[1; 31]), layout.sweep()] {
                assert!(!layout.shards().any(|shard| path.prefix_matches(&shard)), "{path}");
            }
            assert_eq!(layout.prefix(), prefix);
            assert!(layout.probe(&[1]).prefix_matches(&layout.probes()));
        }
    }

    #[test]
    fn a_prefix_has_plain_names_only() {
        for prefix in ["", "/", "a", "/a/", "a/b.c/d-e_f"] {
            assert!(Layout::new(prefix).is_ok(), "{prefix}");
        }
        let long = "x".repeat(129);
        for prefix in ["a//b", "..", "a/./b", "a b", "ä", "a%2Fb", "u:secret@host", long.as_str()]
        {
            let problem = Layout::new(prefix).unwrap_err();
            assert!(!problem.contains("secret"), "{prefix}");
        }
    }

    #[test]
    fn another_name_in_a_folder_is_no_session() {
        let session = Layout::new("").unwrap().session(&KEY).to_string();
        for path in ["a7/x".to_owned(), session.to_uppercase(), format!("{session}0")] {
            assert!(!is_session(&Path::from(path.as_str())), "{path}");
        }
    }
}
