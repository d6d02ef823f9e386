#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Every form this build has.
impl Sealer {
    fn open(&self, text: &[u8]) -> Option<Bytes> {
        self.recognize(text).ok()?.open().ok()
    }
}

fn forms() -> Vec<&'static Form> {
    vec![SIGNED, PRIVATE]
}

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap()
}

fn sealer(form: &'static Form, byte: u8) -> Sealer {
    Sealer::new(form, &key(byte).into(), "__Host-id")
}

/// Not random, so that a golden file can hold a nonce.
fn fixed(buffer: &mut [u8]) -> Result<(), EntropyError> {
    buffer.fill(9);
    Ok(())
}

fn text(sealer: &Sealer) -> String {
    sealer.seal(1, b"a cart", fixed).unwrap()
}

#[test]
fn the_forms_never_change_unnoticed() {
    let golden = [
        include_str!("../../golden/cookie-signed-v1.txt"),
        include_str!("../../golden/cookie-private-v2.txt"),
    ];
    for (form, golden) in forms().into_iter().zip(golden) {
        assert_eq!(text(&sealer(form, 1)), golden.trim());
        assert_eq!(sealer(form, 1).open(golden.trim().as_bytes()).unwrap(), &b"a cart"[..]);
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    for form in forms() {
        let sealer = sealer(form, 1);
        let good = text(&sealer).into_bytes();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sealer.open(&bad), None, "{form:?} bit {bit}");
        }
        for len in 0..good.len() {
            assert_eq!(sealer.open(&good[..len]), None, "{form:?} {len}");
            assert_eq!(sealer.open(&good[len + 1..]), None, "{form:?} from {len}");
        }
        assert_eq!(sealer.open(&[&good[..], b"A"].concat()), None);
    }
}

#[test]
fn r60_another_name_another_form_or_another_key_opens_nothing() {
    let [signed, private] = forms()[..] else { panic!("two forms") };
    for (form, other) in [(signed, private), (private, signed)] {
        let text = text(&sealer(form, 1));
        assert!(sealer(form, 1).open(text.as_bytes()).is_some());
        assert_eq!(sealer(other, 1).open(text.as_bytes()), None);
        assert_eq!(sealer(form, 2).open(text.as_bytes()), None);
        let elsewhere = Sealer::new(form, &key(1).into(), "__Host-admin");
        assert_eq!(elsewhere.open(text.as_bytes()), None);
    }
}

#[test]
fn one_form_does_not_pass_for_another_by_its_first_byte() {
    let [signed, private] = forms()[..] else { panic!("two forms") };
    for (form, other) in [(signed, private), (private, signed)] {
        let mut raw = URL_SAFE_NO_PAD.decode(text(&sealer(form, 1))).unwrap();
        raw[0] = other.number;
        assert_eq!(sealer(other, 1).open(URL_SAFE_NO_PAD.encode(raw).as_bytes()), None);
    }
}

#[test]
fn a_private_text_shows_nothing_of_its_bytes() {
    let raw = URL_SAFE_NO_PAD.decode(text(&sealer(PRIVATE, 1))).unwrap();
    assert!(!raw.windows(4).any(|window| b"a cart".windows(4).any(|part| part == window)));
    let raw = URL_SAFE_NO_PAD.decode(text(&sealer(SIGNED, 1))).unwrap();
    assert!(raw.windows(6).any(|window| window == b"a cart"), "a signed one is readable");
}

#[test]
fn a_repeated_nonce_shows_only_that_two_texts_are_equal() {
    let sealer = sealer(PRIVATE, 1);
    let sealed =
        |bytes: &[u8]| URL_SAFE_NO_PAD.decode(sealer.seal(1, bytes, fixed).unwrap()).unwrap();
    let (one, two) = (sealed(b"attack at dawn"), sealed(b"attack at dusk"));
    assert_eq!(one, sealed(b"attack at dawn"));
    // A stream cipher under the same nonce would show here where the two agree.
    let body = HEAD_LEN + PRIVATE.nonce..one.len();
    let same = one[body.clone()].iter().zip(&two[body]).filter(|(a, b)| a == b).count();
    assert!(same < 8, "{same} of 30 bytes agree");
}

#[test]
fn no_two_private_texts_are_alike() {
    let sealer = sealer(PRIVATE, 1);
    let draw = || sealer.seal(1, b"a cart", crate::entropy::operating_system).unwrap();
    assert_ne!(draw(), draw());
}

#[test]
fn the_length_of_a_text_is_known_before() {
    for form in forms() {
        for len in 0..100 {
            let text = sealer(form, 1).seal(3, &vec![7; len], fixed).unwrap();
            assert_eq!(text.len(), sealer(form, 1).text_len(len));
            assert_eq!(Sealer::announced(text.as_bytes()), Some(3));
        }
    }
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", sealer(SIGNED, b'k')), "Sealer(form 1, 1 keys)");
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for form in forms() {
            prop_assert_eq!(sealer(form, 1).open(&bytes), None);
            // With the right head, so that it gets further.
            let mut raw = vec![form.number, 1];
            raw.extend(key(1).hint());
            raw.extend(&bytes);
            prop_assert_eq!(sealer(form, 1).open(URL_SAFE_NO_PAD.encode(raw).as_bytes()), None);
            let _ = Sealer::announced(&bytes);
        }
    }

    #[test]
    fn all_bytes_survive_the_trip(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        for form in forms() {
            let text = sealer(form, 1).seal(1, &bytes, fixed).unwrap();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(sealer(form, 1).open(text.as_bytes()), (!bytes.is_empty()).then(|| bytes.clone().into()));
        }
    }
}
