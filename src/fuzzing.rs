//! Doors into private functions for the targets in `fuzz/`. Only cargo-fuzz compiles them, which sets
//! `cfg(fuzzing)`; they are no part of the interface.
//!
//! Each takes any bytes and panics when a promise about them does not hold.

use bytes::Bytes;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::clock::Timestamp;
use crate::cookie::{Carrier, CookieOptions, Form, PRIVATE, Pieces, Presented, SIGNED, Sealer};
use crate::cookie::{Ticket, TicketFinder, TicketMint};
use crate::entropy;
use crate::id::SessionId;
use crate::keys::{Key, KeyRing};
use crate::record::{Mark, Record, StoredRoster};
use crate::session::fuzzing::revocations;
use crate::store::moving_fuzzing::moving_form;

pub use crate::connect::fuzzing::url;
pub use crate::session::fuzzing::{decode_value, encode_value};

pub use crate::store::file_fuzzing::{file, file_name};
pub use crate::store::memcached_fuzzing::{memcached_line, memcached_value};
pub use crate::store::mount_fuzzing::mount;
pub use crate::store::redis_fuzzing::{redis_answer, redis_refusal};

/// Everything that a layer knows of its cookie.
pub struct Cookies {
    mint: TicketMint,
    finder: TicketFinder,
    signed: Sealer,
    private: Sealer,
    pieces: Pieces,
}

impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cookies")
    }
}

impl Cookies {
    /// For the cookie `id`, with a fixed key.
    pub fn new() -> Option<Self> {
        let ring = KeyRing::from(Key::from_bytes(&[7; 32]).ok()?);
        let options = CookieOptions::builder().name("id").build().ok()?;
        Some(Self {
            mint: TicketMint::new(&ring, "id"),
            finder: TicketFinder::new(&Carrier::Cookie(options)),
            signed: Sealer::new(SIGNED, &ring, "id"),
            private: Sealer::new(PRIVATE, &ring, "id"),
            pieces: Pieces::new("id"),
        })
    }

    /// Signs a ticket.
    pub fn ticket(&self, id: [u8; 20], expires: u64) -> String {
        let expires = Timestamp::from_millis(expires);
        self.mint.sign(&Ticket::new(SessionId::from_bytes(id), expires)).to_string()
    }

    /// Seals any bytes, signed or encrypted.
    pub fn sealed(&self, encrypted: bool, cookies: u8, bytes: &[u8]) -> String {
        let sealer = if encrypted { &self.private } else { &self.signed };
        sealer.seal(cookies, bytes, entropy::operating_system).unwrap_or_default()
    }

    /// Reads a `Cookie` header as a layer does.
    pub fn header(&self, header: &[u8]) {
        let Ok(value) = HeaderValue::from_bytes(header) else { return };
        let headers = HeaderMap::from_iter([(COOKIE, value)]);
        let presented = self.finder.present(&headers);
        assert!(presented.candidates().len() <= 8);
        for candidate in presented.candidates() {
            if let Ok(ticket) = self.mint.prove(candidate, Timestamp::from_millis(1_000)) {
                assert_eq!(self.mint.sign(&ticket).as_bytes(), candidate, "one text a ticket");
            }
        }
        let presented = Presented::hold(&headers);
        self.texts(SIGNED, &self.signed, &presented);
        self.texts(PRIVATE, &self.private, &presented);
    }

    fn texts(&self, form: &Form, sealer: &Sealer, presented: &Presented) {
        for text in self.pieces.texts(presented) {
            let opened = sealer.recognize(&text).and_then(|sealed| sealed.open());
            let Ok(bytes) = opened else { continue };
            compact(&bytes);
            let count = Sealer::announced(&text).and_then(|count| u8::try_from(count).ok());
            if std::ptr::eq(form, SIGNED)
                && let Some(count) = count
                && let Ok(again) = sealer.seal(count, &bytes, entropy::operating_system)
            {
                assert_eq!(again.as_bytes(), &*text, "one text for signed bytes");
            }
        }
    }
}

/// Reads bytes that a store has returned, as every kind of entry. Each has one encoding.
pub fn stored(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let found = Mark::find(&bytes);
    match Mark::decode(&bytes) {
        Ok(Some(mark)) => {
            assert_eq!(mark.encode_with(Mark::left(&bytes)), bytes);
            assert_eq!(found, Ok(Some(mark)));
        }
        Ok(None) => assert_eq!(found, Ok(None)),
        Err(_) => {}
    }
    if let Ok(record) = Record::decode(&bytes) {
        assert_eq!(record.encode(), bytes);
        assert_eq!(record.encoded_len(), bytes.len());
    }
    if let Ok(roster) = StoredRoster::decode(&bytes) {
        assert_eq!(roster.encode(), bytes);
        let now = Timestamp::from_millis(1_800_000_000_000);
        let (deadline, mut listed) = (roster.deadline(now), roster.listed.iter());
        assert!(deadline > now && listed.all(|listed| listed.expires <= deadline));
    }
    revocations(&bytes);
    moving_form(&bytes);
    compact(&bytes);
}

/// Reads the record in a cookie whose signature holds.
fn compact(bytes: &Bytes) {
    if let Ok((record, written)) = Record::decode_compact(bytes.clone()) {
        assert_eq!(record.encode_compact(written), bytes[..]);
    }
}
