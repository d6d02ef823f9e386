//! Values of many shapes: what is written is read, and any bytes get an answer.
#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;

use arbitrary::Arbitrary;
use cloakroom::fuzzing::{decode_value, encode_value};
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Arbitrary, Serialize, Deserialize, PartialEq, Clone, Debug)]
struct Parts {
    list: Vec<u8>,
    maybe: Option<Vec<u8>>,
    lists: Vec<Vec<u8>>,
    number: i64,
    text: String,
}

#[derive(Arbitrary, Serialize, Deserialize, PartialEq, Clone, Debug)]
enum External {
    Unit,
    Within(Box<External>),
    Two(u8, Vec<u8>),
    Named { parts: Parts },
}

#[derive(Arbitrary, Serialize, Deserialize, PartialEq, Clone, Debug)]
#[serde(tag = "kind")]
enum Internal {
    Unit,
    Parts(Parts),
    Named { list: Vec<u8>, within: Vec<Internal> },
}

#[derive(Arbitrary, Serialize, Deserialize, PartialEq, Clone, Debug)]
#[serde(tag = "kind", content = "is")]
enum Adjacent {
    Unit,
    List(Vec<u8>),
    Parts(Parts),
    Within(Box<Adjacent>),
}

#[derive(Arbitrary, Serialize, Deserialize, PartialEq, Clone, Debug)]
#[serde(untagged)]
enum Untagged {
    Flag(bool),
    Text(String),
    List(Vec<u8>),
    Parts(Parts),
    Map(BTreeMap<String, Untagged>),
}

#[derive(Arbitrary, Serialize, Deserialize, PartialEq, Clone, Debug)]
struct Flattened {
    name: String,
    #[serde(flatten)]
    parts: Option<Parts>,
    #[serde(flatten)]
    kind: Adjacent,
}

#[derive(Arbitrary, Serialize, Deserialize, PartialEq, Clone, Debug)]
struct All {
    external: External,
    internal: Internal,
    adjacent: Adjacent,
    untagged: Untagged,
    flattened: Flattened,
    maps: BTreeMap<u32, Vec<u8>>,
    // Not `Option<()>`: as in JSON, `Some(())` is written as nothing, and read as `None`.
    tuple: (u8, i128, char, Option<bool>),
}

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    All(Box<All>),
    One(External, Internal, Adjacent, Untagged, Flattened),
    Bytes(&'a [u8]),
}

/// A value that is too deep is refused when it is written. Any other is read back as it was.
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    if let Some(bytes) = encode_value(value) {
        assert_eq!(decode_value::<T>(&bytes).as_ref(), Some(value), "{bytes:?}");
        let _ = decode_value::<serde_json::Value>(&bytes);
    }
}

/// What is read can be written, and is then read as the same.
fn is_answered<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Some(value) = decode_value::<T>(bytes) {
        comes_back(&value);
    }
}

fuzz_target!(|input: Input<'_>| match input {
    Input::All(all) => comes_back(&*all),
    Input::One(external, internal, adjacent, untagged, flattened) => {
        comes_back(&external);
        comes_back(&internal);
        comes_back(&adjacent);
        comes_back(&untagged);
        comes_back(&flattened);
    }
    Input::Bytes(bytes) => {
        is_answered::<All>(bytes);
        is_answered::<External>(bytes);
        is_answered::<Internal>(bytes);
        is_answered::<Adjacent>(bytes);
        is_answered::<Untagged>(bytes);
        is_answered::<Flattened>(bytes);
        is_answered::<Vec<Vec<Vec<u64>>>>(bytes);
        let _ = decode_value::<serde_json::Value>(bytes);
    }
});
