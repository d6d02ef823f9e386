//! The values in a session: typed keys, and values that are read as they were written.

use std::cell::Cell;

use cloakroom::{Field, SessionError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::promises::Ground;

const COUNT: Field<u32> = Field::new("k");

pub async fn a_typed_field_and_its_name_are_the_same_key(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            assert_eq!(session.get(COUNT)?, Some(1));
            session.insert(COUNT, &2)?;
            assert_eq!(session.update(COUNT, |count| std::mem::replace(count, 3))?, 2);
            assert_eq!(session.get::<u32>("k")?, Some(3));
            assert_eq!(session.get::<u32>(&String::from("k"))?, Some(3));
            assert!(session.contains(COUNT)?);
            session.remove(COUNT).unwrap();
            assert!(!session.contains("k")?);
            Ok(session.keys())
        })
        .await;
    assert_eq!(answer.is_ok().body, "[]");
}

pub async fn a_value_of_another_type_is_an_error_that_names_the_key_and_stays(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest.visit(async |session| session.get::<String>("k")).await;
    let Some(SessionError::Decode { key, type_name, .. }) = &answer.error else {
        panic!("{answer:?}")
    };
    assert_eq!((&**key, *type_name), ("k", "alloc::string::String"));
    let text = answer.error.as_ref().unwrap().to_string();
    assert!(text.contains("\"k\"") && text.contains("String"), "{text}");
    assert_eq!(answer.status, 500);
    assert_eq!(guest.visit(async |session| session.get(COUNT)).await.body, "Some(1)");
}

struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

pub async fn a_value_that_cannot_be_encoded_is_an_error_that_names_the_key(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            let error = session.insert("k", &Stubborn).unwrap_err();
            assert!(matches!(&error, SessionError::Encode { key, .. } if &**key == "k"));
            assert_eq!(error.to_string(), "the value for \"k\" cannot be encoded");
            session.get(COUNT)
        })
        .await;
    assert_eq!(answer.is_ok().body, "Some(1)", "the session is as it was");
}

pub async fn a_key_may_have_65535_bytes(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let longest = "k".repeat(65_535);
    let too_long = "k".repeat(65_536);
    visitor.visit(async |session| session.insert(&longest, &1)).await.is_ok();
    let answer = visitor
        .visit(async |session| {
            assert_eq!(session.get::<u32>(&longest)?, Some(1));
            session.remove(&too_long).unwrap();
            assert!(session.contains(&too_long).is_err());
            session.insert(&too_long, &1)
        })
        .await;
    assert!(matches!(answer.error, Some(SessionError::KeyTooLong { length: 65_536 })));
}

#[derive(Serialize, Deserialize, Debug)]
struct CartOfLastYear {
    items: Vec<String>,
}

#[derive(Serialize, Deserialize, Debug, Default)]
struct Cart {
    items: Vec<String>,
    #[serde(default)]
    voucher: Option<String>,
}

pub async fn a_struct_may_gain_and_lose_fields(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let old = CartOfLastYear { items: vec!["hat".into()] };
    visitor.visit(async |session| session.insert("cart", &old)).await.is_ok();
    let answer = visitor
        .visit(async |session| {
            session.update("cart", |cart: &mut Cart| cart.voucher = Some("TEN".into()))?;
            session.get::<Cart>("cart")
        })
        .await;
    assert_eq!(answer.body, r#"Some(Cart { items: ["hat"], voucher: Some("TEN") })"#);
    let back = visitor.visit(async |session| session.get::<CartOfLastYear>("cart")).await;
    assert_eq!(back.body, r#"Some(CartOfLastYear { items: ["hat"] })"#);
}

/// Bytes that say so themselves, as those of `serde_bytes` do.
#[derive(PartialEq, Debug)]
struct Photo(Vec<u8>);

impl Serialize for Photo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Photo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

pub async fn bytes_are_stored_as_bytes(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let photo = Photo((0..=255).collect());
    visitor.visit(async |session| session.insert("photo", &photo)).await.is_ok();
    let stored = house.entry().await.bytes;
    // MessagePack's `bin 16` with 256 bytes. An array of numbers would begin otherwise.
    let expected = [&[0xC5, 1, 0], &*photo.0].concat();
    assert!(stored.windows(expected.len()).any(|window| window == expected));
    let back = visitor.visit(async |session| Ok(session.get::<Photo>("photo")? == Some(photo)));
    assert_eq!(back.await.body, "true");
}

/// As bytes it could not be read back from every type, see the tests of `session::value`.
pub async fn a_list_of_small_numbers_is_stored_as_a_list(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    visitor.visit(async |session| session.insert("k", &vec![9_u8, 200])).await.is_ok();
    let stored = house.entry().await.bytes;
    assert!(stored.ends_with(&[b'k', 0x92, 9, 0xCC, 200]), "{stored:?}");
    let back = visitor.visit(async |session| session.get::<Vec<u8>>("k")).await;
    assert_eq!(back.body, "Some([9, 200])");
}

thread_local! {
    /// Each test has a thread of its own, and the same test may run on two grounds at once.
    static DECODED: Cell<usize> = const { Cell::new(0) };
}

#[derive(Default, Debug)]
struct Heavy;

impl Serialize for Heavy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(0)
    }
}

impl<'de> Deserialize<'de> for Heavy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DECODED.set(DECODED.get() + 1);
        u8::deserialize(deserializer).map(|_| Self)
    }
}

pub async fn reading_one_key_decodes_that_key_alone(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let fill = visitor.visit(async |session| {
        (0..20).try_for_each(|at| session.insert(&format!("heavy {at}"), &Heavy))?;
        session.insert("light", &1_u8)
    });
    fill.await.is_ok();
    let answer = visitor.visit(async |session| {
        session.insert("light", &2_u8)?;
        session.remove("heavy 3").unwrap();
        session.contains("heavy 4")?;
        session.keys();
        session.get::<u8>("light")
    });
    assert_eq!(answer.await.is_ok().body, "Some(2)");
    assert_eq!(DECODED.get(), 0);
    visitor.visit(async |session| session.get::<Heavy>("heavy 1")).await.is_ok();
    assert_eq!(DECODED.get(), 1);
}

pub async fn a_field_prints_its_name() {
    assert_eq!(format!("{COUNT:?} {}", COUNT.name()), "Field(\"k\") k");
}
