//! The account that a client keeps of its own session.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The result of a check; the error names the broken promise.
pub type Check = Result<(), String>;

pub fn holds(condition: bool, broken: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(broken()) }
}

/// The user and the items that a session must have, and those that it may have. Every item is put into the
/// cart once, under a name of its own.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub user: Option<String>,
    acknowledged: BTreeSet<String>,
    /// Sent, and not acknowledged: the answer has not come yet, or does not tell.
    unclear: BTreeSet<String>,
}

impl Ledger {
    pub fn note_sent(&mut self, item: &str) {
        self.unclear.insert(item.to_owned());
    }

    pub fn note_acknowledged(&mut self, item: &str) {
        self.unclear.remove(item);
        self.acknowledged.insert(item.to_owned());
    }

    /// Checks the user and the items of an answer.
    pub fn check(&self, session: &Value) -> Check {
        holds(session["user"] == json!(self.user), || format!("not {:?}: {session}", self.user))?;
        self.check_items(session)
    }

    /// Checks that no acknowledged item is missing, and that nothing is there twice or unasked.
    pub fn check_items(&self, session: &Value) -> Check {
        let items: BTreeMap<String, u64> = serde_json::from_value(session["items"].clone())
            .map_err(|error| format!("{error}: {session}"))?;
        let lost: Vec<_> =
            self.acknowledged.iter().filter(|item| !items.contains_key(*item)).collect();
        holds(lost.is_empty(), || format!("{lost:?} were acknowledged, and are lost: {session}"))?;
        let is_ours = |item| self.acknowledged.contains(item) || self.unclear.contains(item);
        let mut wrong = items.iter().filter(|&(item, &count)| count != 1 || !is_ours(item));
        match wrong.next() {
            Some((item, count)) => Err(format!("{item} is there {count} times: {session}")),
            None => Ok(()),
        }
    }
}

/// Checks that this is the session of a new visitor.
pub fn check_empty(session: &Value) -> Check {
    Ledger::default().check(session).map_err(|error| format!("a session came back: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_notices_what_is_lost_doubled_or_foreign() {
        let mut ledger = Ledger { user: Some("ada".into()), ..Ledger::default() };
        for item in ["a", "b"] {
            ledger.note_sent(item);
        }
        ledger.note_acknowledged("a");
        let check = |user: &str, items| ledger.check(&json!({"user": user, "items": items}));
        check("ada", json!({"a": 1})).unwrap();
        check("ada", json!({"a": 1, "b": 1})).unwrap();
        assert!(check("ada", json!({"b": 1})).unwrap_err().contains("lost"));
        assert!(check("ada", json!({"a": 2})).unwrap_err().contains("2 times"));
        assert!(check("ada", json!({"a": 1, "c": 1})).unwrap_err().contains("c is there"));
        assert!(check("bob", json!({"a": 1})).unwrap_err().contains("not Some"));
        assert!(check_empty(&json!({"user": null, "items": {"a": 1}})).is_err());
        check_empty(&json!({"user": null, "items": {}})).unwrap();
    }
}
