#![allow(clippy::unwrap_used, clippy::panic)]

use std::error::Error;
use std::fmt::Write;

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
            refused::<std::net::IpAddr>(&text),
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
}
