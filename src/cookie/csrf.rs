//! The token against cross-site requests, which an app puts into its forms.
//!
//! ```text
//! base64url( nonce 16 | HMAC-SHA256 32 )
//! ```
//!
//! The 48 bytes are 64 characters, none of which a form or a header has to escape. The MAC covers a
//! purpose string, the cookie's name, the nonce, and the store key of the session. This is the
//! HMAC-based token pattern of OWASP's cheat sheet on cross-site request forgery.
//!
//! Nothing is stored for a token. It is good for as long as the session has its id, and each one is
//! different, so that a compressed page that shows it twice does not give it away (BREACH).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use serde::{Serialize, Serializer};

use crate::entropy::{Entropy, EntropyError};
use crate::id::StoreKey;
use crate::keys::{HmacSha256, Key, KeyRing};

const NONCE_LEN: usize = 16;
const RAW_LEN: usize = NONCE_LEN + 32;
const TEXT_LEN: usize = RAW_LEN / 3 * 4;
const PURPOSE: &[u8] = b"cloakroom csrf token v1\0";

/// A token that proves that a form or a script was made for one session; see
/// [`Session::csrf_token`](crate::Session::csrf_token).
///
/// `Display` writes its 64 characters, which need no escape in HTML, in a header or in a URL. `Debug`
/// shows nothing of it, because whoever reads the token in a log can forge requests of its session.
///
/// ```
/// # cloakroom::documentation::Visitor::new().visit(async |session| {
/// # session.insert("name", "Ada")?;
/// # session.save().await?;
/// let token = session.csrf_token()?.expect("the session is stored");
/// assert_eq!(token.as_str().len(), 64);
/// assert_eq!(format!("{token:?}"), "CsrfToken(..)");
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// Returns the token's text.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// # session.insert("name", "Ada")?;
    /// # session.save().await?;
    /// # let token = session.csrf_token()?.expect("the session is stored");
    /// let field = format!(r#"<input type="hidden" name="csrf" value="{token}">"#);
    /// assert!(field.contains(token.as_str()));
    /// # Ok(()) });
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(..)")
    }
}

impl Serialize for CsrfToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Makes and verifies the tokens of one cookie name.
///
/// It holds one HMAC per key that has already taken in the purpose and the name; the signer's is the first.
#[derive(Clone)]
pub(crate) struct CsrfMint(Vec<HmacSha256>);

impl CsrfMint {
    pub(crate) fn new(ring: &KeyRing, cookie_name: &str) -> Self {
        // The length separates the name from the bytes after it.
        let name_len = (cookie_name.len() as u64).to_be_bytes();
        let covering_name =
            |key: &Key| key.mac(PURPOSE).chain_update(name_len).chain_update(cookie_name);
        Self(ring.keys().map(covering_name).collect())
    }

    /// Makes a token for the session with this store key.
    pub(crate) fn issue(
        &self,
        session: &StoreKey,
        entropy: Entropy,
    ) -> Result<CsrfToken, EntropyError> {
        let mut raw = [0; RAW_LEN];
        let (nonce, mac) = raw.split_at_mut(NONCE_LEN);
        entropy(nonce)?;
        mac.copy_from_slice(&covering(&self.0[0], nonce, session).finalize().into_bytes());
        Ok(CsrfToken(URL_SAFE_NO_PAD.encode(raw)))
    }

    /// Returns whether one of the keys has made this token for the session with this store key.
    ///
    /// The keys are tried one by one. A hint in the token, as tickets have one, would save a forger's
    /// requests a MAC or two, which is little beside the load of the session that has come before.
    pub(crate) fn verify(&self, text: &[u8], session: &StoreKey) -> bool {
        let Ok(text) = <&[u8; TEXT_LEN]>::try_from(text) else { return false };
        let mut raw = [0; RAW_LEN];
        if URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut raw).is_err() {
            return false;
        }
        let (nonce, mac) = raw.split_at(NONCE_LEN);
        self.0.iter().any(|key| covering(key, nonce, session).verify_slice(mac).is_ok())
    }
}

/// Returns the MAC of a token, ready to be compared in constant time.
fn covering(key: &HmacSha256, nonce: &[u8], session: &StoreKey) -> HmacSha256 {
    key.clone().chain_update(nonce).chain_update(session.as_bytes())
}

impl fmt::Debug for CsrfMint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CsrfMint({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entropy;

    const SESSION: StoreKey = StoreKey::from_bytes([5; 32]);

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte; 32]).unwrap()
    }

    fn mint(byte: u8) -> CsrfMint {
        CsrfMint::new(&key(byte).into(), "__Host-id")
    }

    fn issue(mint: &CsrfMint) -> String {
        mint.issue(&SESSION, entropy::operating_system).unwrap().to_string()
    }

    #[test]
    fn a_token_is_good_for_its_session_alone() {
        let token = issue(&mint(1));
        assert!(mint(1).verify(token.as_bytes(), &SESSION));
        assert!(!mint(1).verify(token.as_bytes(), &StoreKey::from_bytes([6; 32])));
    }

    #[test]
    fn a_token_for_another_cookie_or_of_another_key_is_refused() {
        for other in [CsrfMint::new(&key(1).into(), "__Host-admin"), mint(2)] {
            assert!(!mint(1).verify(issue(&other).as_bytes(), &SESSION));
        }
    }

    #[test]
    fn every_key_of_the_ring_verifies_and_the_first_signs() {
        let ring = |signer, verifier| KeyRing::new(key(signer)).verify_also(key(verifier)).unwrap();
        let (old_first, new_first) =
            (CsrfMint::new(&ring(1, 2), "__Host-id"), CsrfMint::new(&ring(2, 1), "__Host-id"));
        for (signs, verifies) in [(&old_first, &new_first), (&new_first, &old_first)] {
            assert!(verifies.verify(issue(signs).as_bytes(), &SESSION));
        }
        assert!(mint(2).verify(issue(&new_first).as_bytes(), &SESSION));
        assert!(!mint(2).verify(issue(&old_first).as_bytes(), &SESSION));
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        let tokens: std::collections::HashSet<_> = (0..1000).map(|_| issue(&mint(1))).collect();
        assert_eq!(tokens.len(), 1000);
    }

    /// Servers of two releases serve one visitor during a roll-out.
    #[test]
    fn the_format_never_changes_unnoticed() {
        let counted: Entropy = |bytes| {
            (0..).zip(bytes).for_each(|(at, byte)| *byte = at);
            Ok(())
        };
        let token = mint(1).issue(&SESSION, counted).unwrap();
        assert_eq!(token.as_str(), include_str!("../golden/csrf-token-v1.txt").trim());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = URL_SAFE_NO_PAD.decode(issue(&mint(1))).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad = URL_SAFE_NO_PAD.encode(&bad);
            assert!(!mint(1).verify(bad.as_bytes(), &SESSION), "bit {bit}");
        }
    }

    #[test]
    fn garbage_of_every_length_is_refused() {
        let good = issue(&mint(1));
        for len in 0..300 {
            for byte in [b'A', b'=', b' ', 0, 0xff] {
                assert!(!mint(1).verify(&vec![byte; len], &SESSION), "{len} of {byte}");
            }
            let cut_or_longer: Vec<u8> = good.bytes().cycle().take(len).collect();
            assert_eq!(mint(1).verify(&cut_or_longer, &SESSION), len == good.len());
        }
        for padded in [format!("{good}="), format!(" {good}"), format!("{good}\0")] {
            assert!(!mint(1).verify(padded.as_bytes(), &SESSION), "{padded}");
        }
    }

    #[test]
    fn debug_shows_neither_token_nor_key() {
        let token = mint(1).issue(&SESSION, entropy::operating_system).unwrap();
        assert_eq!(format!("{token:?} {:?}", mint(1)), "CsrfToken(..) CsrfMint(1 keys)");
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(!mint(1).verify(&bytes, &SESSION));
        }
    }
}
