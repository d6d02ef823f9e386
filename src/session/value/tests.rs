#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serializer};
use serde_json::Value;

use super::*;

/// Runs with half of the stack that tokio gives its threads.
fn on_a_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap();
    thread.join().unwrap()
}

/// A struct, and not a list: what a derived decoder needs of the stack for a level.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Folder {
    name: String,
    size: Option<u64>,
    within: Option<Box<Folder>>,
}

/// The library's decoder does not count its levels.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Chain {
    Link(Box<Chain>),
    End,
}

fn folders(levels: usize) -> Option<Box<Folder>> {
    (0..levels)
        .fold(None, |within, _| Some(Box::new(Folder { name: "a".into(), size: Some(1), within })))
}

fn chain(levels: usize) -> Chain {
    (0..levels).fold(Chain::End, |chain, _| Chain::Link(Box::new(chain)))
}

#[test]
fn a_value_of_128_levels_goes_in_and_out_on_a_small_stack() {
    on_a_small_stack(|| {
        let bytes = encode("k", &folders(MOST_LEVELS)).unwrap();
        assert_eq!(decode::<Option<Box<Folder>>>("k", &bytes).unwrap(), folders(MOST_LEVELS));
        let bytes = encode("k", &chain(MOST_LEVELS)).unwrap();
        assert_eq!(decode::<Chain>("k", &bytes).unwrap(), chain(MOST_LEVELS));
        let list =
            (1..MOST_LEVELS).fold(Value::from(Vec::<u8>::new()), |v, _| Value::from(vec![v]));
        assert_eq!(decode::<Value>("k", &encode("k", &list).unwrap()).unwrap(), list);
    });
}

#[test]
fn a_deeper_value_is_refused_before_it_uses_up_the_stack() {
    on_a_small_stack(|| {
        let refusals = [
            encode("k", &folders(MOST_LEVELS + 1)).unwrap_err(),
            encode("k", &chain(MOST_LEVELS + 1)).unwrap_err(),
            decode::<Value>("k", &[0x91].repeat(1_000_000)).unwrap_err(),
            decode::<Value>("k", b"\x81\xA1a".repeat(1_000_000).as_slice()).unwrap_err(),
            decode::<Chain>("k", b"\x81\xA4Link".repeat(1_000_000).as_slice()).unwrap_err(),
            decode::<serde::de::IgnoredAny>("k", &[0x91].repeat(1_000_000)).unwrap_err(),
        ];
        for refused in refusals {
            assert!(told(&refused).contains("over 128 levels deep"), "{refused:?}");
        }
    });
}

/// Returns everything that can be printed of an error.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, " {error} {error:?} {error:#?}").unwrap();
        source = error.source();
    }
    text
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is never made")]
struct Profile {
    age: u32,
    mail: String,
}

#[derive(Deserialize, Debug)]
enum Theme {
    Dark,
}

/// A type whose own code quotes what it was given.
#[derive(Debug)]
struct Quoting;

impl<'de> Deserialize<'de> for Quoting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(serde::de::Error::custom(format_args!("missing field `{text}`")))
    }
}

impl Serialize for Quoting {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("quetzal"))
    }
}

#[track_caller]
fn refused<T: DeserializeOwned + std::fmt::Debug>(value: &Value) -> String {
    let bytes = encode("k", value).unwrap();
    told(&decode::<T>("k", &bytes).unwrap_err())
}

#[test]
fn p9_no_error_shows_anything_of_a_value() {
    for canary in ["quetzal", "quetzal\u{1b}[31m\r\nquetzal", "quetzal_1"] {
        let text = Value::from(canary);
        let field = serde_json::json!({ "age": 1, "mail": "", canary: 1 });
        for shown in [
            refused::<u32>(&text),
            refused::<Vec<u8>>(&text),
            refused::<char>(&text),
            refused::<Profile>(&text),
            refused::<Profile>(&field),
            refused::<Theme>(&text),
            refused::<Theme>(&serde_json::json!({ canary: 1 })),
            refused::<IpAddr>(&text),
            refused::<Quoting>(&text),
            told(&encode("k", &Quoting).unwrap_err()),
        ] {
            assert!(!shown.contains("quetzal"), "{shown}");
            assert!(!shown.contains(char::is_control) || shown.contains("{\n"), "{shown:?}");
        }
    }
    let number = refused::<String>(&Value::from(7_355_608));
    assert!(!number.contains("7355608"), "{number}");
}

#[test]
fn an_error_tells_what_a_developer_needs() {
    let shown = refused::<Profile>(&serde_json::json!({ "age": 1 }));
    assert!(shown.contains("\"k\"") && shown.contains("Profile"), "{shown}");
    assert!(shown.contains("it lacks the field `mail`"), "{shown}");
    for value in [Value::from("x"), Value::from(-1), Value::from(1_u64 << 40)] {
        let shown = refused::<u32>(&value);
        assert!(shown.contains("another type, shape or range"), "{value}: {shown}");
    }
    let cut = told(&decode::<String>("k", &[0xA5, b'a']).unwrap_err());
    assert!(cut.contains("end too early"), "{cut}");
    let none = told(&decode::<String>("k", &[]).unwrap_err());
    assert!(none.contains("end too early"), "{none}");
    let long = refused::<(u8, u8)>(&serde_json::json!([1, 2, 3]));
    assert!(long.contains("another length"), "{long}");
    let no_text = told(&decode::<String>("k", &[0xA2, b'a', 0xFF]).unwrap_err());
    assert!(no_text.contains("not UTF-8"), "{no_text}");
    let own = told(&encode("k", &Quoting).unwrap_err());
    assert!(own.contains("refused it") && !own.contains("levels"), "{own}");
}

#[test]
fn a_field_is_named_only_if_the_name_is_no_stored_text() {
    let named = |name: &str, stored: &str| {
        missing_field(&format!("missing field `{name}`"), stored.as_bytes())
            == Some(Mismatch::MissingField(name.to_owned()))
    };
    assert!(named("a_1", "") && named(&"a".repeat(64), "other"));
    assert!(!named("a_1", "this is a_1, too"));
    for name in ["", "a-b", "a b", "größe", &"a".repeat(65)] {
        assert!(!named(name, ""), "{name}");
    }
    assert_eq!(missing_field("missing value", b""), None);
}

#[test]
fn a_key_is_refused_if_its_length_cannot_be_stored() {
    assert_eq!(super::text(&"k".repeat(65_535)).unwrap().as_str().len(), 65_535);
    let refused = super::text(&"k".repeat(65_536));
    assert!(matches!(refused, Err(SessionError::KeyTooLong { length: 65_536 })));
}

#[test]
fn a_value_that_outgrows_the_stack_is_encoded_as_a_small_one() {
    for length in [1000, 1024, 1025, 5000] {
        let text = "x".repeat(length);
        let bytes = encode("k", &text).unwrap();
        assert_eq!(bytes, rmp_serde::to_vec_named(&text).unwrap());
    }
}

/// A type whose decoder is not to be called.
#[derive(Debug)]
struct Never;

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("it is called")
    }
}

#[test]
fn nothing_is_reserved_for_a_list_that_announces_more_than_it_has() {
    let list = [0xDD, 0xFF, 0xFF, 0xFF, 0xFF];
    let map = [0x81, 0xA1, b'a', 0xDF, 0xFF, 0xFF, 0xFF, 0xFF];
    for bytes in [list.to_vec(), list.repeat(MOST_LEVELS), map.to_vec(), vec![0xC6, 255, 0, 0, 0]] {
        let shown = told(&decode::<Never>("k", &bytes).unwrap_err());
        assert!(shown.contains("end too early"), "{shown}");
    }
}

/// Bytes that say so themselves, as those of `serde_bytes` and `bytes` do.
#[derive(Clone, PartialEq, Debug)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyBytes;

        impl serde::de::Visitor<'_> for OnlyBytes {
            type Value = Blob;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(OnlyBytes)
    }
}

/// Everything that holds bytes, in one.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Parts {
    list: Vec<u8>,
    blob: Blob,
    maybe: Option<Vec<u8>>,
    lists: Vec<Vec<u8>>,
    named: HashMap<String, Vec<u8>>,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(tag = "kind")]
enum Tagged {
    Photo(Parts),
    Raw { list: Vec<u8> },
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(tag = "kind", content = "is")]
enum Adjacent {
    List(Vec<u8>),
    Photo(Parts),
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(untagged)]
enum Untagged {
    Text(String),
    List(Vec<u8>),
    Photo(Parts),
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Flattened {
    name: String,
    #[serde(flatten)]
    photo: Option<Parts>,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

#[track_caller]
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = encode("k", value).unwrap();
    assert_eq!(decode::<T>("k", &bytes).as_ref().ok(), Some(value), "{bytes:?}");
}

/// Puts a value into other values.
#[track_caller]
fn comes_back_from_anywhere<T>(value: &T)
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug,
{
    comes_back(value);
    comes_back(&Some(value.clone()));
    comes_back(&vec![value.clone(); 2]);
    comes_back(&HashMap::from([(7_u8, value.clone())]));
    comes_back(&(1_u8, value.clone()));
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(tag = "kind")]
enum Event {
    Login { from: IpAddr },
    Proxied { by: SocketAddr, path: Vec<Ipv6Addr> },
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(untagged)]
enum Origin {
    Address(Ipv4Addr),
    Bytes(Vec<u8>),
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Visit {
    number: u8,
    #[serde(flatten)]
    event: Event,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Origins {
    number: u8,
    #[serde(flatten)]
    others: BTreeMap<String, Origin>,
}

/// What serde keeps back expects text of types that have a text, as in JSON.
#[test]
fn addresses_come_back_from_types_of_every_kind() {
    let (four, six) = (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::LOCALHOST);
    let login = Event::Login { from: four.into() };
    let proxied = Event::Proxied { by: (six, 443).into(), path: vec![six; 2] };
    let origins = [Origin::Address(four), Origin::Bytes(four.octets().to_vec())];
    for event in [login, proxied] {
        comes_back_from_anywhere(&event);
        comes_back_from_anywhere(&Visit { number: 1, event });
    }
    for origin in origins {
        comes_back_from_anywhere(&origin);
        let others = BTreeMap::from([("origin".into(), origin)]);
        comes_back_from_anywhere(&Origins { number: 1, others });
    }
    comes_back_from_anywhere(&IpAddr::from(six));
    comes_back_from_anywhere(&SocketAddr::from((four, 80)));
    assert_eq!(decode::<String>("k", &encode("k", &four).unwrap()).unwrap(), "192.0.2.1");
}

/// serde keeps what is in such types back before it decodes it, and then takes no bytes for a list.
#[test]
fn bytes_come_back_from_types_of_every_kind() {
    // Without an element, with one, as text, and with numbers that need two bytes.
    for list in [vec![], vec![7], b"abc".to_vec(), (0..=255).collect::<Vec<u8>>()] {
        let parts = Parts {
            list: list.clone(),
            blob: Blob(list.clone()),
            maybe: Some(list.clone()),
            lists: vec![list.clone(); 2],
            named: HashMap::from([("a".into(), list.clone())]),
        };
        comes_back_from_anywhere(&list);
        comes_back_from_anywhere(&parts);
        comes_back_from_anywhere(&Tagged::Photo(parts.clone()));
        comes_back_from_anywhere(&Tagged::Raw { list: list.clone() });
        comes_back_from_anywhere(&Adjacent::List(list.clone()));
        comes_back_from_anywhere(&Adjacent::Photo(parts.clone()));
        comes_back_from_anywhere(&Untagged::List(list.clone()));
        comes_back_from_anywhere(&Untagged::Photo(parts.clone()));
        for photo in [None, Some(parts)] {
            let rest = BTreeMap::from([("other".into(), Untagged::List(list.clone()))]);
            comes_back_from_anywhere(&Flattened { name: "a".into(), photo, rest });
        }
        let json = Value::from(list.clone());
        assert_eq!(decode::<Value>("k", &encode("k", &list).unwrap()).unwrap(), json);
    }
}

#[test]
fn a_list_that_an_earlier_build_has_written_as_bytes_is_read() {
    let list: Vec<u8> = (0..=255).collect();
    let bytes = [&[0xC5, 1, 0], &*list].concat();
    assert_eq!(decode::<Vec<u8>>("k", &bytes).unwrap(), list);
    assert_eq!(decode::<Option<Vec<u8>>>("k", &bytes).unwrap(), Some(list));
}
