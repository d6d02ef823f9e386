//! Measures the cost of a session that is stored in its cookie, in multiples of bare cryptography.
//!
//! Sealing is private to the library, so it is measured as the difference of two requests:
//! "open" is a read with the cookie less a read without one (finding, base64, proof, decoding),
//! "seal" is a write less that read (encoding, proof, base64, the `Set-Cookie`). The units
//! are one HMAC-SHA256 and one AES-256-GCM-SIV over as many bytes as the record has.

use std::hint::black_box;

use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, Nonce};
use cloakroom::CookieSessions;
use cloakroom_benches::apps::{self, Values};
use cloakroom_benches::{Effort, Lane, Traffic, compare, cookie_of};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The bytes of a record beside its one value: times, lengths, the key.
const BESIDE: usize = 36;

fn main() {
    let traffic = Traffic::new();
    println!("CPU time, in multiples of the bare cryptography over the same bytes\n");
    println!("value    kind      on the wire    open    seal");
    // The largest value almost fills one cookie.
    for bytes in [100, 1 << 10, 2900] {
        let signed = CookieSessions::signed();
        measure(&traffic, "signed", signed, hmac(bytes + BESIDE), bytes);
        let private = CookieSessions::encrypted();
        measure(&traffic, "private", private, aead(bytes + BESIDE), bytes);
    }
}

fn measure(traffic: &Traffic, kind: &str, backend: CookieSessions, bare: Lane<'_>, bytes: usize) {
    let mut app = apps::cloakroom(Values::of(bytes), backend);
    let cookie = cookie_of(&traffic.answer(&mut app, "/write", &None));
    let found = traffic.answer(&mut app, "/peek", &cookie);
    assert_eq!(found.body().len(), bytes, "the value is there");
    let wire = cookie.as_ref().map_or(0, |cookie| cookie.len());
    let mut lanes = [
        bare,
        traffic.lane(&app, "/read", None),
        traffic.lane(&app, "/read", cookie.clone()),
        traffic.lane(&app, "/write", cookie),
    ];
    let [_, anonymous, read, write] = compare(&mut lanes, Effort::from_args())[..] else {
        unreachable!("one result for each lane")
    };
    let (open, seal) = (read - anonymous, write - read);
    println!("{bytes:>5} B  {kind:8} {wire:>9} B {open:>9.2} {seal:>7.2}");
}

fn hmac<'a>(bytes: usize) -> Lane<'a> {
    let keyed = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("HMAC takes keys of any length");
    let data = vec![7; bytes];
    Traffic::lane_of(move || {
        black_box(keyed.clone().chain_update(black_box(&data)).finalize());
    })
}

fn aead<'a>(bytes: usize) -> Lane<'a> {
    let cipher = Aes256GcmSiv::new(&[7; 32].into());
    let mut data = vec![7; bytes];
    Traffic::lane_of(move || {
        let sealed = cipher.encrypt_inout_detached(
            &Nonce::from([7; 12]),
            &[7; 6],
            black_box(&mut data[..]).into(),
        );
        black_box(sealed.is_ok());
    })
}
