//! Form 2: encrypted and authenticated with AES-256-GCM-SIV (RFC 8452), the head as its
//! associated data.
//!
//! The nonce is 12 random bytes. Two cookies get the same one if a process forks, or a machine is
//! restored from a snapshot, and both go on with the same random bytes. This mode then shows only
//! whether both hold the same session. AES-GCM and (X)ChaCha20-Poly1305 would reveal both contents,
//! and AES-GCM its authentication key too.

use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit, Nonce, Tag};

use super::form::{Form, HEAD_LEN, Protect};
use crate::keys::Key;

pub(crate) const PRIVATE: &Form = &Form { number: 2, nonce: NONCE_LEN, tag: TAG_LEN, key };

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const PURPOSE: &[u8] = b"cloakroom private cookie, form 2\0";

struct Encrypting(Aes256GcmSiv);

fn key(key: &Key, cookie_name: &str) -> Box<dyn Protect> {
    let derived = key.derive(PURPOSE, cookie_name.as_bytes());
    Box::new(Encrypting(Aes256GcmSiv::new(&(*derived).into())))
}

impl Protect for Encrypting {
    fn seal(&self, raw: &mut Vec<u8>) {
        let (head, rest) = raw.split_at_mut(HEAD_LEN);
        let (nonce, bytes) = rest.split_at_mut(NONCE_LEN);
        #[expect(clippy::expect_used, reason = "it fails over 64 GiB, and split off 12 bytes")]
        let tag = Nonce::try_from(&*nonce)
            .ok()
            .and_then(|nonce| self.0.encrypt_inout_detached(&nonce, head, bytes.into()).ok())
            .expect("a session is smaller than 64 GiB");
        raw.extend(tag);
    }

    fn open(&self, raw: &mut [u8]) -> bool {
        let (head, rest) = raw.split_at_mut(HEAD_LEN);
        let (nonce, rest) = rest.split_at_mut(NONCE_LEN);
        let (bytes, tag) = rest.split_at_mut(rest.len() - TAG_LEN);
        let (Ok(nonce), Ok(tag)) = (Nonce::try_from(&*nonce), Tag::try_from(&*tag)) else {
            return false;
        };
        self.0.decrypt_inout_detached(&nonce, head, bytes.into(), &tag).is_ok()
    }
}
