//! The ticket: a random session id and its expiry, signed.
//!
//! ```text
//! base64url( version 1 | key hint 4 | expires 6, ms | session id 20 | HMAC-SHA256 32 )
//! base64url( version 2 | key hint 4 | expires 4, min | turn 2 | session id 20 | HMAC-SHA256 32 )
//! ```
//!
//! Version 2 is a ticket that was issued in place of an earlier one of the same id. Both have one length, by which a
//! request's tickets are found; so its expiry is rounded up to a minute.
//!
//! The 63 bytes are 84 characters, none of which a load balancer or a log has to escape. The MAC
//! covers a purpose string, the format version, the cookie's name and everything before the MAC
//! itself. A ticket can therefore not be moved to another cookie that shares the key; the `cookie`
//! crate's signed jar leaves the name out and cannot prevent that.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use zeroize::Zeroizing;

use super::refusal::Refusal;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::keys::{HmacSha256, KeyRing};

/// Characters of every ticket.
pub(crate) const TICKET_LEN: usize = RAW_LEN / 3 * 4;

const RAW_LEN: usize = 63;
const SIGNED_LEN: usize = RAW_LEN - 32;
const VERSION: u8 = 1;
const VERSION_WITH_TURN: u8 = 2;
const MINUTE_MILLIS: u64 = 60_000;
const PURPOSE: &[u8] = b"cloakroom ticket\0";

/// A ticket whose signature was verified, or one to be signed.
// It holds the absolute expiry alone. The idle timeout moves with every use, so in the ticket it would
// ask for a new cookie each time, and a late answer would put an old id over a fresh login.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Ticket {
    pub(crate) id: SessionId,
    pub(crate) expires: Timestamp,
    /// The key that has signed it, by its place on the ring.
    pub(crate) signer: usize,
    /// How many tickets of this id were issued before it.
    pub(crate) turn: u16,
}

impl Ticket {
    /// Creates the first ticket of an id, to be signed by the ring's signer, which stands first.
    pub(crate) fn new(id: SessionId, expires: Timestamp) -> Self {
        Self { id, expires, signer: 0, turn: 0 }
    }
}

/// Signs and verifies the tickets of one cookie name.
///
/// It holds one HMAC per key that has already taken in the purpose and the name, so a ticket costs
/// only the rest.
#[derive(Clone)]
pub(crate) struct TicketMint {
    keys: Vec<([u8; 4], HmacSha256)>,
}

impl TicketMint {
    pub(crate) fn new(ring: &KeyRing, cookie_name: &str) -> Self {
        let prefix = prefix(cookie_name);
        let keys = ring
            .keys()
            .map(|key| {
                let mut mac = key.mac(PURPOSE);
                mac.update(&prefix);
                (key.hint(), mac)
            })
            .collect();
        Self { keys }
    }

    /// Signs the ticket and returns its text.
    pub(crate) fn sign(&self, ticket: &Ticket) -> Zeroizing<String> {
        let mut raw = Zeroizing::new([0; RAW_LEN]);
        // A renewed ticket has the key of the one before: the seal of the session's values depends on it.
        let (hint, key) = self.keys.get(ticket.signer).unwrap_or(&self.keys[0]);
        raw[1..5].copy_from_slice(hint);
        if ticket.turn == 0 {
            raw[0] = VERSION;
            raw[5..11].copy_from_slice(&ticket.expires.to_six_bytes());
        } else {
            let minutes = ticket.expires.as_millis().div_ceil(MINUTE_MILLIS);
            raw[0] = VERSION_WITH_TURN;
            // In the year 10136 such a ticket ends.
            raw[5..9].copy_from_slice(&u32::try_from(minutes).unwrap_or(u32::MAX).to_be_bytes());
            raw[9..11].copy_from_slice(&ticket.turn.to_be_bytes());
        }
        raw[11..SIGNED_LEN].copy_from_slice(ticket.id.as_bytes());
        let mac = key.clone().chain_update(&raw[..SIGNED_LEN]).finalize().into_bytes();
        raw[SIGNED_LEN..].copy_from_slice(&mac);
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&raw[..]))
    }

    /// Returns the ticket, if one of the keys signed it and it has not expired. The MAC is verified
    /// before anything else in the ticket is believed (ASVS 9.1.1).
    pub(crate) fn prove(&self, text: &[u8; TICKET_LEN], now: Timestamp) -> Result<Ticket, Refusal> {
        let mut buffer = Zeroizing::new([0; RAW_LEN]);
        decode(text, &mut buffer).ok_or(Refusal::Malformed)?;
        let (signed, mac) = buffer.split_at(SIGNED_LEN);
        let mut keys = self.keys.iter().enumerate();
        let (signer, (_, key)) =
            keys.find(|(_, (known, _))| *known == signed[1..5]).ok_or(Refusal::ForeignKey)?;
        tracing::trace!("ticket verified");
        let verified = key.clone().chain_update(signed).verify_slice(mac);
        verified.map_err(|_| Refusal::Forged)?;
        let ticket = Self::read(signed, signer).ok_or(Refusal::Malformed)?;
        if ticket.expires > now { Ok(ticket) } else { Err(Refusal::Expired) }
    }

    /// Reads what a key of ours has signed.
    fn read(signed: &[u8], signer: usize) -> Option<Ticket> {
        let (&[version, _, _, _, _, a, b, c, d, e, f], id) = signed.split_first_chunk()?;
        let id = SessionId::from_bytes(id.try_into().ok()?);
        let (expires, turn) = match version {
            VERSION => (Timestamp::from_six_bytes([a, b, c, d, e, f]), 0),
            VERSION_WITH_TURN => {
                let minutes = u64::from(u32::from_be_bytes([a, b, c, d]));
                let turn = u16::from_be_bytes([e, f]);
                (Timestamp::from_millis(minutes * MINUTE_MILLIS), turn)
            }
            _ => return None,
        };
        Some(Ticket { id, expires, signer, turn })
    }
}

/// Decodes base64url of this one length, which has no padding and no bits to spare. The `base64` crate takes
/// texts of any length; for a short one it costs twice as much, and whoever sends forged tickets decides
/// how often.
fn decode(text: &[u8; TICKET_LEN], raw: &mut [u8; RAW_LEN]) -> Option<()> {
    let mut all = 0;
    for (four, three) in text.chunks_exact(4).zip(raw.chunks_exact_mut(3)) {
        let digits = four.iter().fold(0, |digits: u32, &character| {
            let digit = DIGITS[usize::from(character)];
            all |= digit;
            digits << 6 | u32::from(digit)
        });
        three.copy_from_slice(&digits.to_be_bytes()[1..]);
    }
    (all & NO_DIGIT == 0).then_some(())
}

/// A bit that no digit has.
const NO_DIGIT: u8 = 0x80;

/// The values of the characters A-Z, a-z, 0-9, - and _.
const DIGITS: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut digits = [NO_DIGIT; 256];
    let mut at = 0;
    while at < alphabet.len() {
        digits[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    digits
};

/// Returns version, length of the name, name, and zeros up to SHA-256's next block of 64 bytes: a
/// ticket then costs two compressions, not three. The length separates the name from the bytes after
/// it.
fn prefix(cookie_name: &str) -> Vec<u8> {
    let mut prefix = vec![VERSION];
    prefix.extend((cookie_name.len() as u64).to_be_bytes());
    prefix.extend(cookie_name.as_bytes());
    let padded = (PURPOSE.len() + prefix.len()).next_multiple_of(64) - PURPOSE.len();
    prefix.resize(padded, 0);
    prefix
}

impl std::fmt::Debug for TicketMint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TicketMint({} keys)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Key;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte; 32]).unwrap()
    }

    fn mint(byte: u8) -> TicketMint {
        TicketMint::new(&key(byte).into(), "__Host-id")
    }

    fn ticket() -> Ticket {
        Ticket::new(SessionId::from_bytes([9; 20]), Timestamp::from_millis(1_000_001))
    }

    fn turned(turn: u16) -> Ticket {
        Ticket { turn, ..ticket() }
    }

    fn text(mint: &TicketMint) -> [u8; TICKET_LEN] {
        mint.sign(&ticket()).as_bytes().try_into().unwrap()
    }

    #[test]
    fn what_was_signed_is_proven() {
        assert_eq!(mint(1).prove(&text(&mint(1)), NOW), Ok(ticket()));
    }

    #[test]
    fn the_format_never_changes_unnoticed() {
        let golden = include_str!("../golden/ticket-v1.txt").trim();
        assert_eq!(*mint(1).sign(&ticket()), golden);
        let golden = include_str!("../golden/ticket-v2.txt").trim();
        assert_eq!(*mint(1).sign(&turned(3)), golden);
    }

    #[test]
    fn a_renewed_ticket_ends_with_the_minute() {
        let mint = mint(1);
        let minute = Timestamp::from_millis(17 * 60_000);
        let text = |ticket| <[u8; TICKET_LEN]>::try_from(mint.sign(&ticket).as_bytes()).unwrap();
        for turn in [1, u16::MAX] {
            let expected = Ticket { expires: minute, ..turned(turn) };
            assert_eq!(mint.prove(&text(turned(turn)), NOW), Ok(expected));
            assert_eq!(mint.prove(&text(turned(turn)), minute), Err(Refusal::Expired));
        }
        let latest =
            mint.prove(&text(Ticket { expires: Timestamp::MAX, ..turned(1) }), NOW).unwrap();
        assert_eq!(latest.expires.as_millis(), u64::from(u32::MAX) * 60_000);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mint = mint(1);
        let good = URL_SAFE_NO_PAD.decode(text(&mint)).unwrap();
        assert_eq!(mint.prove(&text(&mint), NOW).unwrap().turn, 0);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad = URL_SAFE_NO_PAD.encode(&bad);
            assert_eq!(mint.prove(bad.as_bytes().try_into().unwrap(), NOW).ok(), None, "bit {bit}");
        }
    }

    #[test]
    fn r59_an_expired_ticket_is_not_proven() {
        let text = text(&mint(1));
        assert_eq!(mint(1).prove(&text, Timestamp::from_millis(1_000_001)), Err(Refusal::Expired));
    }

    #[test]
    fn r60_another_cookies_ticket_is_not_proven() {
        let other = TicketMint::new(&key(1).into(), "__Host-admin");
        assert_eq!(other.prove(&text(&mint(1)), NOW), Err(Refusal::Forged));
    }

    #[test]
    fn r65_two_nodes_half_way_through_a_key_roll_out_accept_each_other() {
        let ring = |signer, verifier| KeyRing::new(key(signer)).verify_also(key(verifier)).unwrap();
        let step_0 = mint(1);
        let step_1 = TicketMint::new(&ring(1, 2), "__Host-id");
        let step_2 = TicketMint::new(&ring(2, 1), "__Host-id");
        let step_3 = mint(2);
        // Neighbouring steps run side by side; the last one waits until the old key's tickets are
        // over.
        for (signs, proves) in [
            (&step_0, &step_1),
            (&step_1, &step_0),
            (&step_1, &step_2),
            (&step_2, &step_1),
            (&step_2, &step_3),
            (&step_3, &step_2),
        ] {
            assert!(proves.prove(&text(signs), NOW).is_ok());
        }
        assert_eq!(step_3.prove(&text(&step_1), NOW), Err(Refusal::ForeignKey));
        assert_eq!(step_0.prove(&text(&step_2), NOW), Err(Refusal::ForeignKey));
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", mint(b'k')), "TicketMint(1 keys)");
    }

    proptest! {
        #[test]
        fn a_text_is_decoded_as_by_the_crate(raw in prop::collection::vec(any::<u8>(), RAW_LEN), at in 0..TICKET_LEN) {
            let mut text: [u8; TICKET_LEN] =
                URL_SAFE_NO_PAD.encode(raw).as_bytes().try_into().unwrap();
            for byte in 0..=u8::MAX {
                text[at] = byte;
                let mut decoded = [0; RAW_LEN];
                let expected = URL_SAFE_NO_PAD.decode(text).ok();
                prop_assert_eq!(decode(&text, &mut decoded).map(|()| decoded.to_vec()), expected);
            }
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), TICKET_LEN)) {
            let bytes: [u8; TICKET_LEN] = bytes.try_into().unwrap();
            prop_assert_eq!(mint(1).prove(&bytes, NOW).ok(), None);
        }

        #[test]
        fn every_ticket_survives_the_trip(id: [u8; 20], millis in 1_000_001..(1u64 << 48)) {
            let ticket = Ticket::new(SessionId::from_bytes(id), Timestamp::from_millis(millis));
            let text = mint(3).sign(&ticket);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(mint(3).prove(text.as_bytes().try_into().unwrap(), NOW), Ok(ticket));
        }
    }
}
