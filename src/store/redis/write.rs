//! The writes of one session that the server carries out as one step.

use bytes::Bytes;
use fred::types::Value;

use super::script::{self, Script};
use crate::clock::Timestamp;

/// A write, with the arguments that every one of them has.
pub(super) struct Write {
    pub(super) kind: Kind,
    /// The name of the key.
    pub(super) key: Bytes,
    /// The first bytes of the value that may be written over.
    pub(super) expected: Bytes,
    pub(super) now: Timestamp,
    /// The new value; of a touch, the new deadline.
    pub(super) value: Bytes,
    /// In milliseconds.
    pub(super) time_to_live: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Writes where nothing is, or something past its deadline.
    Create,
    Replace,
    Touch,
}

/// The form of a write that is sent alone.
pub(super) enum Alone {
    Command(&'static str, Vec<Value>),
    Script(Script, Vec<Value>),
}

impl Write {
    /// Returns the cheapest form of this write alone.
    ///
    /// That of a `create` leaves a value alone that is past its deadline. A script each time would make the
    /// common case dearer; [`Write::over_expired`] is for the other.
    pub(super) fn alone(&self) -> Alone {
        match self.kind {
            Kind::Create => {
                let [only_new, for_millis] = ["NX", "PX"].map(Value::from_static_str);
                let (key, value) = (self.key.clone().into(), self.value.clone().into());
                let arguments = vec![key, value, only_new, for_millis, self.time_to_live.into()];
                Alone::Command("SET", arguments)
            }
            Kind::Replace => Alone::Script(script::REPLACE, self.arguments().into()),
            Kind::Touch => Alone::Script(script::TOUCH, self.arguments().into()),
        }
    }

    /// Returns the arguments of the script that creates also over a value that is past its deadline.
    pub(super) fn over_expired(&self) -> (Script, Vec<Value>) {
        (script::CREATE_OVER_EXPIRED, self.arguments().into())
    }

    /// Returns the letter of this write among others.
    pub(super) fn letter(&self) -> char {
        match self.kind {
            Kind::Create => 'c',
            Kind::Replace => 'r',
            Kind::Touch => 't',
        }
    }

    /// Returns the three arguments of this write among others, besides its letter and `now`.
    pub(super) fn gathered(&self) -> [Value; 3] {
        let (expected, value) = (self.expected.clone(), self.value.clone());
        [expected.into(), value.into(), self.time_to_live.into()]
    }

    fn arguments(&self) -> [Value; 4] {
        let [expected, value, time_to_live] = self.gathered();
        [expected, self.now.as_millis().to_string().into(), value, time_to_live]
    }
}
