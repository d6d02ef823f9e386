//! Form 1: readable, and signed with HMAC-SHA256. It has no nonce; the tag is the whole MAC.

use hmac::{KeyInit, Mac};
use zeroize::Zeroizing;

use super::form::{Form, Protect};
use crate::keys::{HmacSha256, Key};

pub(crate) const SIGNED: &Form = &Form { number: 1, nonce: 0, tag: TAG_LEN, key };

const TAG_LEN: usize = 32;
const PURPOSE: &[u8] = b"cloakroom signed cookie, form 1\0";

struct Signing(HmacSha256);

fn key(key: &Key, cookie_name: &str) -> Box<dyn Protect> {
    // A whole block of the hash, as `new` takes it. HMAC pads a shorter key with zeros to the same
    // block (RFC 2104 section 2); `new_from_slice` would do that, and return an error to be handled.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(&*key.derive(PURPOSE, cookie_name.as_bytes()));
    Box::new(Signing(HmacSha256::new(&(*block).into())))
}

impl Protect for Signing {
    fn seal(&self, raw: &mut Vec<u8>) {
        let mac = self.0.clone().chain_update(&*raw).finalize().into_bytes();
        raw.extend(mac);
    }

    fn open(&self, raw: &mut [u8]) -> bool {
        let (signed, mac) = raw.split_at(raw.len() - TAG_LEN);
        self.0.clone().chain_update(signed).verify_slice(mac).is_ok()
    }
}
