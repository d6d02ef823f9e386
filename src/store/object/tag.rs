//! The tag of an object's present content, and the version that is made of it.
//!
//! ```text
//! version: commit, 8 | deadline, 6 | form, 1 | the tag, packed, at most 17
//! or:      commit, 8                          when the tag does not fit
//! ```
//!
//! A version carries the tag, so that a replace is one request. The deadline in it tells until when the tag may
//! be used without a load before it, since the bucket keeps an object for longer. Deadlines are in milliseconds
//! since 1970, big-endian.

use crate::clock::Timestamp;
use crate::id::CommitId;
use crate::store::entry::Version;

const COMMIT_LEN: usize = 8;
const DEADLINE_LEN: usize = 6;
const PACKED_AT: usize = COMMIT_LEN + DEADLINE_LEN + 1;

/// The forms of a packed tag. S3's are 32 hexadecimal digits in quotes, Azure's about 17 characters in quotes,
/// and Google's generations 16 decimal digits.
const PLAIN: u8 = 1;
const QUOTED: u8 = 2;
const PLAIN_HEX: u8 = 3;
const QUOTED_HEX: u8 = 4;
/// Hexadecimal tags of this length are packed into half of it. Shorter ones fit as they are.
const HEX_LEN: usize = 32;

/// The tag of one state of an object, and the deadline until which that state is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) tag: Box<str>,
    pub(super) deadline: Timestamp,
}

/// Returns the version of a commit that the bucket holds under `tag`.
pub(super) fn version_of(commit: CommitId, deadline: Timestamp, tag: &str) -> Version {
    let mut bytes = Vec::with_capacity(Version::MAX_BYTES);
    bytes.extend_from_slice(commit.as_bytes());
    bytes.extend_from_slice(&deadline.to_six_bytes());
    let (form, text) = match tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => (QUOTED, inner),
        None => (PLAIN, tag),
    };
    match packed_digits(text) {
        Some(digits) => {
            bytes.push(if form == QUOTED { QUOTED_HEX } else { PLAIN_HEX });
            bytes.extend_from_slice(&digits);
        }
        None => {
            bytes.push(form);
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    Version::new(&bytes).unwrap_or_else(|| commit.into())
}

/// Returns the token in a version, or `None` when the tag did not fit or another store made the version.
pub(super) fn token_of(version: &Version) -> Option<Token> {
    let bytes = version.as_bytes();
    let deadline = Timestamp::from_six_bytes(*bytes.get(COMMIT_LEN..)?.first_chunk()?);
    let form = *bytes.get(PACKED_AT - 1)?;
    let packed = bytes.get(PACKED_AT..)?;
    let text = match form {
        PLAIN | QUOTED => String::from_utf8(packed.to_vec()).ok()?,
        PLAIN_HEX | QUOTED_HEX => crate::hex::digits(packed).collect(),
        _ => return None,
    };
    let is_quoted = matches!(form, QUOTED | QUOTED_HEX);
    let tag = if is_quoted { format!("\"{text}\"") } else { text };
    Some(Token { tag: tag.into(), deadline })
}

/// Returns half as many bytes for a tag of hexadecimal digits in lower case.
fn packed_digits(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let digits = Some(text.as_bytes()).filter(|digits| digits.len() == HEX_LEN)?;
    digits.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const COMMIT: CommitId = CommitId::from_bytes([9; 8]);
    const DEADLINE: Timestamp = Timestamp::from_millis(0x0102_0304_0506);

    #[test]
    fn a_version_leads_back_to_its_tag() {
        for (tag, len) in [
            ("\"d41d8cd98f00b204e9800998ecf8427e\"", 31),
            ("d41d8cd98f00b204e9800998ecf8427e", 31),
            ("\"0x8DCA1B2C3D4E5F6\"", 32),
            ("\"0\"", 16),
            ("1700000000000000", 31),
            ("\"\"", 15),
            ("\"", 16),
            ("", 15),
        ] {
            let version = version_of(COMMIT, DEADLINE, tag);
            assert_eq!(version.as_bytes().len(), len, "{tag}");
            assert_eq!(version.as_bytes()[..8], [9; 8]);
            let token = Token { tag: tag.into(), deadline: DEADLINE };
            assert_eq!(token_of(&version), Some(token), "{tag}");
        }
    }

    /// Two different tags never become one version with one commit, or a write could hit another state.
    #[test]
    fn a_tag_that_does_not_fit_is_left_out() {
        for tag in [
            "\"D41D8CD98F00B204E9800998ECF8427E\"",
            "\"d41d8cd98f00b204e9800998ecf8427e-2\"",
            "a tag of eighteen.",
        ] {
            let version = version_of(COMMIT, DEADLINE, tag);
            assert_eq!(version, Version::from(COMMIT), "{tag}");
            assert_eq!(token_of(&version), None);
        }
    }

    #[test]
    fn versions_of_other_stores_have_no_tag() {
        for token in [&b""[..], b"etag", &[0; 14], &[0; 15], &[5; 32], &[0xff; 31]] {
            assert_eq!(token_of(&Version::new(token).unwrap()), None, "{token:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_tag_is_packed_or_left_out(tag: String, quoted: bool) {
            let tag = if quoted { format!("\"{tag}\"") } else { tag };
            if let Some(token) = token_of(&version_of(COMMIT, DEADLINE, &tag)) {
                proptest::prop_assert_eq!(&*token.tag, tag);
            }
        }
    }
}
