//! The small record that says which sessions are revoked.
//!
//! ```text
//! C1 | 01 | 03 | everybody's, before 6, ms | each: SHA-256 of the principal, first 16 | before 6, ms
//! ```
//!
//! The first two bytes are those of a session record, the third is a kind that those do not have.
//! Principals ascend. The store sees hashes of user names only.

use std::cmp::Reverse;

use bytes::{BufMut, Bytes};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::record::Record;

/// Selects the sessions that a revocation ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Revoke<'a> {
    /// Everybody's, anonymous visitors' included.
    All,
    /// Those of this [principal](crate::Session::log_in).
    Principal(&'a str),
}

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct List {
    everybody: Timestamp,
    principals: Vec<(Name, Timestamp)>,
}

type Name = [u8; 16];

/// [`Revoke`] with the hash in place of the name, so that a task can own it.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    Everybody,
    Principal(Name),
}

impl From<Revoke<'_>> for Whose {
    fn from(revoke: Revoke<'_>) -> Self {
        match revoke {
            Revoke::All => Self::Everybody,
            Revoke::Principal(principal) => Self::Principal(name(principal)),
        }
    }
}

const HEAD: [u8; 3] = [0xC1, 1, 3];
const CORRUPT: SessionError = SessionError::Corrupt("not a list of revocations");

impl List {
    /// Returns whether the session began before the revocation of its principal or of everybody.
    ///
    /// A session begins with its login, or with its creation when nobody is logged in. The last
    /// renewal does not count: a server that does not know of the revocation yet may renew a revoked
    /// session, which would then be free for good.
    pub(super) fn revokes(&self, record: &Record) -> bool {
        let began = record.authenticated.unwrap_or(record.created);
        if began < self.everybody {
            return true;
        }
        // No principal is listed as a rule, so hashing is spared.
        let Some(principal) = record.principal.as_ref().filter(|_| !self.principals.is_empty())
        else {
            return false;
        };
        let found = self.position(&name(principal.as_str()));
        found.is_ok_and(|at| began < self.principals[at].1)
    }

    /// Returns whether the list has every revocation of `other` from after `since`, or a later one in
    /// its place.
    pub(super) fn covers(&self, other: &Self, since: Timestamp) -> bool {
        let has = |(name, before): &(Name, Timestamp)| {
            *before <= since.max(self.everybody)
                || self.position(name).is_ok_and(|at| self.principals[at].1 >= *before)
        };
        (other.everybody <= since || self.everybody >= other.everybody)
            && other.principals.iter().all(has)
    }

    /// Adds a revocation, and forgets those from before `oldest`.
    pub(super) fn add(&mut self, whose: Whose, before: Timestamp, oldest: Timestamp) {
        match whose {
            Whose::Everybody => self.everybody = self.everybody.max(before),
            Whose::Principal(name) => match self.position(&name) {
                Ok(at) => self.principals[at].1 = self.principals[at].1.max(before),
                Err(at) => self.principals.insert(at, (name, before)),
            },
        }
        self.forget(oldest);
    }

    /// Adds all revocations of `other`, and forgets those from before `oldest`.
    pub(super) fn merge(&mut self, other: &Self, oldest: Timestamp) {
        self.everybody = self.everybody.max(other.everybody);
        self.principals.extend(&other.principals);
        // Sorting two lists that are in order takes linear time. Inserting one entry after the other
        // would move the rest of the list each time.
        self.principals.sort_by_key(|&(name, before)| (name, Reverse(before)));
        self.principals.dedup_by_key(|(name, _)| *name);
        self.forget(oldest);
    }

    fn forget(&mut self, oldest: Timestamp) {
        let everybody = self.everybody;
        self.principals.retain(|(_, before)| *before > oldest && *before > everybody);
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(HEAD.len() + 6 + self.principals.len() * 22);
        out.put_slice(&HEAD);
        out.put_slice(&self.everybody.to_six_bytes());
        for (name, before) in &self.principals {
            out.put_slice(name);
            out.put_slice(&before.to_six_bytes());
        }
        out.into()
    }

    pub(super) fn decode(bytes: &Bytes) -> Result<Self, SessionError> {
        match bytes.split_first_chunk() {
            Some((&HEAD, body)) => Self::decode_body(body).ok_or(CORRUPT),
            Some((&[0xC1, version, _], _)) if version > HEAD[1] => {
                Err(SessionError::NewerFormat { version })
            }
            _ => Err(CORRUPT),
        }
    }

    fn decode_body(body: &[u8]) -> Option<Self> {
        let (everybody, entries) = body.split_first_chunk()?;
        let principals = entries.chunks(22).map(|entry| {
            let (name, before) = entry.split_first_chunk()?;
            Some((*name, Timestamp::from_six_bytes(before.try_into().ok()?)))
        });
        let everybody = Timestamp::from_six_bytes(*everybody);
        let principals = principals.collect::<Option<Vec<_>>>()?;
        // In a list out of order, a search would miss a principal, whose sessions would go on.
        let ascend = principals.is_sorted_by(|(one, _), (next, _)| one < next);
        ascend.then_some(Self { everybody, principals })
    }

    fn position(&self, name: &Name) -> Result<usize, usize> {
        self.principals.binary_search_by(|(listed, _)| listed.cmp(name))
    }
}

fn name(principal: &str) -> Name {
    let digest = Sha256::digest(principal);
    let mut name = [0; 16];
    name.copy_from_slice(&digest[..16]);
    name
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::record::Text;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn session(principal: Option<&str>, created: u64) -> Record {
        let mut record = Record::new(at(created), Duration::MAX, Duration::MAX);
        record.principal = principal.and_then(Text::new);
        record
    }

    fn list(revoked: &[(Revoke<'_>, u64)]) -> List {
        let mut list = List::default();
        revoked.iter().for_each(|(whose, before)| list.add((*whose).into(), at(*before), at(0)));
        list
    }

    fn has(list: &List, whose: Revoke<'_>, before: u64) -> bool {
        list.covers(&self::list(&[(whose, before)]), at(0))
    }

    #[test]
    fn what_began_before_is_revoked_and_nothing_else() {
        let list = list(&[(Revoke::Principal("alice"), 100), (Revoke::All, 50)]);
        for (principal, created, revoked) in [
            (None, 49, true),
            (None, 50, false),
            (Some("bob"), 49, true),
            (Some("bob"), 50, false),
            (Some("alice"), 99, true),
            (Some("alice"), 100, false),
        ] {
            assert_eq!(
                list.revokes(&session(principal, created)),
                revoked,
                "{principal:?} {created}"
            );
        }
    }

    #[test]
    fn an_earlier_time_takes_nothing_back() {
        let list = list(&[(Revoke::Principal("alice"), 100), (Revoke::Principal("alice"), 50)]);
        assert!(has(&list, Revoke::Principal("alice"), 100));
        assert!(!has(&list, Revoke::Principal("alice"), 101));
    }

    #[test]
    fn what_no_longer_matters_is_forgotten() {
        let mut list = list(&[(Revoke::Principal("alice"), 100), (Revoke::Principal("bob"), 200)]);
        list.add(Revoke::Principal("carol").into(), at(300), at(100));
        assert!(!has(&list, Revoke::Principal("alice"), 1));
        assert!(has(&list, Revoke::Principal("bob"), 200));
        list.add(Revoke::All.into(), at(250), at(0));
        assert_eq!(list.principals.len(), 1, "everybody's covers bob's");
        assert!(has(&list, Revoke::Principal("carol"), 300));
    }

    #[test]
    fn a_list_covers_another_by_later_times_and_by_everybodys() {
        let (alice, bob) = (Revoke::Principal("alice"), Revoke::Principal("bob"));
        for (one, other, since, covers) in [
            (list(&[]), list(&[]), 0, true),
            (list(&[(alice, 100)]), list(&[(alice, 100)]), 0, true),
            (list(&[(alice, 100)]), list(&[(alice, 101)]), 0, false),
            (list(&[(alice, 100)]), list(&[(alice, 101)]), 101, true),
            (list(&[(alice, 100)]), list(&[(bob, 1)]), 0, false),
            (list(&[(Revoke::All, 100)]), list(&[(bob, 100), (alice, 99)]), 0, true),
            (list(&[(Revoke::All, 100)]), list(&[(bob, 101)]), 0, false),
            (list(&[(bob, 100)]), list(&[(Revoke::All, 100)]), 0, false),
            (list(&[(bob, 100)]), list(&[(Revoke::All, 100)]), 100, true),
        ] {
            assert_eq!(one.covers(&other, at(since)), covers, "{one:?} {other:?} {since}");
        }
    }

    #[test]
    fn the_format_never_changes_unnoticed() {
        let list = list(&[(Revoke::All, 1), (Revoke::Principal("alice"), 2)]);
        let mut golden = vec![0xC1, 1, 3, 0, 0, 0, 0, 0, 1];
        golden.extend(&Sha256::digest("alice")[..16]);
        golden.extend([0, 0, 0, 0, 0, 2]);
        assert_eq!(list.encode(), golden);
        assert_eq!(List::decode(&golden.into()).unwrap(), list);
    }

    #[test]
    fn a_newer_format_is_named_and_other_bytes_are_corrupt() {
        let decode = |bytes: &'static [u8]| List::decode(&Bytes::from_static(bytes));
        let newer = decode(&[0xC1, 2, 3]);
        assert!(matches!(newer, Err(SessionError::NewerFormat { version: 2 })), "{newer:?}");
        for bytes in
            [&b""[..], &[0xC1], &[0xC1, 1, 0], &[0xC1, 1, 3, 0], &[0xC1, 1, 3, 0, 0, 0, 0, 0, 0, 7]]
        {
            assert!(matches!(decode(bytes), Err(SessionError::Corrupt(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_list_out_of_order_is_corrupt() {
        let list = list(&[(Revoke::Principal("alice"), 1), (Revoke::Principal("bob"), 2)]);
        let encoded = list.encode();
        let (first, second) = (&encoded[9..31], &encoded[31..]);
        assert_eq!(List::decode(&encoded).unwrap(), list);
        for principals in [[second, first], [first, first]] {
            let bytes = [&encoded[..9], &principals.concat()].concat();
            let decoded = List::decode(&bytes.into());
            assert!(matches!(decoded, Err(SessionError::Corrupt(_))), "{decoded:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_merged_is_the_same_as_what_is_added_one_by_one(
            some in prop::collection::vec((0..6_u8, 1..20_u64), 0..12),
            more in prop::collection::vec((0..6_u8, 1..20_u64), 0..12),
            oldest in 0..10_u64,
        ) {
            let names = ["a", "b", "c", "d", "e"];
            let revoke = |who: u8| names.get(usize::from(who)).map_or(Revoke::All, |n| Revoke::Principal(n));
            let list = |entries: &[(u8, u64)]| {
                let mut list = List::default();
                entries.iter().for_each(|(who, before)| list.add(revoke(*who).into(), at(*before), at(0)));
                list
            };
            let mut merged = list(&some);
            merged.merge(&list(&more), at(oldest));
            let mut added = list(&[some.clone(), more.clone()].concat());
            added.forget(at(oldest));
            prop_assert_eq!(&merged, &added);
            prop_assert!(merged.covers(&list(&some), at(oldest)) && merged.covers(&list(&more), at(oldest)));
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = List::decode(&bytes.clone().into());
            let _ = List::decode(&[&HEAD[..], &bytes].concat().into());
        }
    }
}
