//! The cipher of sealed values: AES-256-GCM-SIV (RFC 8452).
//!
//! The cipher is set up for every record. Keeping it ready would keep fifteen round keys for every handle that
//! is open, where the key has 32 bytes.

use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit};

use super::sealing::{Cipher, Nonce, Tag};

#[derive(Debug)]
pub(crate) struct GcmSiv;

impl Cipher for GcmSiv {
    fn seal(&self, key: &[u8; 32], nonce: &Nonce, head: &[u8], values: &mut [u8]) -> Tag {
        let cipher = Aes256GcmSiv::new(key.into());
        #[expect(clippy::expect_used, reason = "it fails over 64 GiB, and records are smaller")]
        let tag = cipher
            .encrypt_inout_detached(nonce.into(), head, values.into())
            .expect("a session is smaller than 64 GiB");
        tag.into()
    }

    fn open(
        &self,
        key: &[u8; 32],
        nonce: &Nonce,
        head: &[u8],
        values: &mut [u8],
        tag: &Tag,
    ) -> bool {
        let cipher = Aes256GcmSiv::new(key.into());
        cipher.decrypt_inout_detached(nonce.into(), head, values.into(), tag.into()).is_ok()
    }
}
