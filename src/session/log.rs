//! The operations that are not stored yet: a list while it is short, with an index when it has grown.
//!
//! Most requests touch a few keys, and looking through a short list costs less than keeping an index.
//! Where a request touches thousands, looking through all operations for each key would take a minute.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use super::changes::{self, Change, Outcome};
use super::known_roster::KnownRoster;
use super::reads::FEW;
use crate::record::Text;

/// Operations, the oldest first.
#[derive(Default)]
pub(super) struct Log {
    changes: Vec<Change>,
    /// `Some` if there are more than a [`FEW`].
    index: Option<Box<Index>>,
}

/// Where in the log the latest operation on each key is.
#[derive(Default)]
struct Index {
    keys: BTreeMap<Text, usize>,
    cleared: Option<usize>,
    principal: Option<usize>,
}

impl Log {
    pub(super) fn push(&mut self, change: Change) {
        self.changes.push(change);
        let at = self.changes.len() - 1;
        match &mut self.index {
            Some(index) => index.note(at, &self.changes[at]),
            None if at == FEW => self.index = Some(Box::new(Index::new(&self.changes))),
            None => {}
        }
    }

    /// Moves all operations of `later` behind those of this log.
    pub(super) fn append(&mut self, later: &mut Self) {
        match self.is_empty() {
            // Handed on as it is: moving one by one would copy and allocate.
            true => *self = std::mem::take(later),
            false => std::mem::take(later).changes.into_iter().for_each(|change| self.push(change)),
        }
    }

    /// Takes one operation out, into `list`.
    pub(super) fn take_out(&mut self, is_meant: impl Fn(&Change) -> bool, list: &mut Vec<Change>) {
        if self.changes.iter().any(&is_meant) {
            for change in std::mem::take(self).changes {
                if is_meant(&change) { list.push(change) } else { self.push(change) }
            }
        }
    }

    /// Moves all operations into a plain list.
    pub(super) fn move_to(&mut self, list: &mut Vec<Change>) {
        let Self { mut changes, .. } = std::mem::take(self);
        match list.is_empty() {
            true => *list = changes,
            false => list.append(&mut changes),
        }
    }

    /// Returns the state in which the log leaves one key.
    pub(super) fn outcome_for(&self, key: &str) -> Outcome<'_> {
        match &self.index {
            None => changes::outcome_for(key, &self.changes),
            Some(index) => match index.latest(key) {
                Some(at) => changes::outcome_for(key, &self.changes[at..=at]),
                None => Outcome::Untouched,
            },
        }
    }

    /// Returns whether an operation has removed every key.
    pub(super) fn is_cleared(&self) -> bool {
        match &self.index {
            None => self.changes.iter().any(|change| matches!(change, Change::Clear { .. })),
            Some(index) => index.cleared.is_some(),
        }
    }

    /// Returns the rosters that logins have read.
    pub(super) fn known_rosters(&mut self) -> impl Iterator<Item = &mut Arc<KnownRoster>> {
        self.changes.iter_mut().filter_map(|change| match change {
            Change::Principal { known, .. } => known.as_mut(),
            _ => None,
        })
    }

    /// Returns the last login, or logout that keeps the data.
    pub(super) fn principal(&self) -> Option<&Change> {
        let is_about_it = |change: &&Change| matches!(change, Change::Principal { .. });
        match &self.index {
            None => self.changes.iter().rev().find(is_about_it),
            Some(index) => index.principal.map(|at| &self.changes[at]),
        }
    }
}

impl Deref for Log {
    type Target = [Change];

    fn deref(&self) -> &[Change] {
        &self.changes
    }
}

impl Index {
    fn new(changes: &[Change]) -> Self {
        let mut index = Self::default();
        changes.iter().enumerate().for_each(|(at, change)| index.note(at, change));
        index
    }

    fn note(&mut self, at: usize, change: &Change) {
        match change {
            Change::Set { key, .. }
            | Change::Remove { key, .. }
            | Change::Update { key, .. }
            | Change::Take { key, .. } => {
                self.keys.insert(key.clone(), at);
            }
            Change::Clear { .. } => self.cleared = Some(at),
            Change::Principal { .. } => self.principal = Some(at),
            Change::Renew { .. } => {}
        }
    }

    fn latest(&self, key: &str) -> Option<usize> {
        self.keys.get(key.as_bytes()).copied().max(self.cleared)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn text(n: usize) -> Text {
        Text::new(&format!("k{}", n % 9)).unwrap()
    }

    fn change(n: usize) -> Change {
        match n * n % 13 {
            0 => Change::Clear { known: None },
            1 => Change::Remove { key: text(n), read: None },
            4 => Change::Take { key: text(n), receive: Arc::new(|_| Ok(())) },
            3 => Change::Principal {
                principal: None,
                at: Default::default(),
                assurance: Default::default(),
                known: None,
            },
            _ => Change::Set { key: text(n), value: Bytes::from(vec![n as u8]), read: None },
        }
    }

    /// What an outcome is, in a form that can be compared.
    fn shown(outcome: &Outcome<'_>) -> Option<Option<Bytes>> {
        match outcome {
            Outcome::Untouched => None,
            Outcome::Removed => Some(None),
            Outcome::Value(value) => Some(Some((*value).clone())),
        }
    }

    #[test]
    fn a_long_log_answers_as_if_it_were_looked_through() {
        for len in 0..90 {
            let mut log = Log::default();
            (0..len / 2).for_each(|n| log.push(change(n)));
            let mut later = Log::default();
            (len / 2..len).for_each(|n| later.push(change(n)));
            log.append(&mut later);
            assert_eq!((log.len(), later.len()), (len, 0));
            for n in 0..10 {
                let key = format!("k{n}");
                let expected = changes::outcome_for(&key, &log.changes);
                assert_eq!(shown(&log.outcome_for(&key)), shown(&expected), "{key} of {len}");
            }
            let is_clear = |change: &Change| matches!(change, Change::Clear { .. });
            assert_eq!(log.is_cleared(), log.iter().any(is_clear));
            let last = log.iter().rev().find(|change| is_principal(change));
            assert_eq!(log.principal().map(std::ptr::from_ref), last.map(std::ptr::from_ref));
        }
    }

    fn is_principal(change: &Change) -> bool {
        matches!(change, Change::Principal { .. })
    }

    #[test]
    fn a_log_goes_on_without_the_operations_that_are_taken_out() {
        for len in [1, 3, 30, 90] {
            let (mut log, mut rest) = (Log::default(), Log::default());
            (0..len).for_each(|n| log.push(change(n)));
            (0..len).map(change).filter(|change| !is_principal(change)).for_each(|c| rest.push(c));
            let mut list = Vec::new();
            log.take_out(is_principal, &mut list);
            assert!(list.iter().all(is_principal) && log.principal().is_none());
            assert_eq!((log.len(), list.len()), (rest.len(), len - rest.len()));
            for n in 0..10 {
                let key = format!("k{n}");
                assert_eq!(shown(&log.outcome_for(&key)), shown(&rest.outcome_for(&key)), "{key}");
            }
        }
    }

    #[test]
    fn a_log_is_moved_behind_the_operations_of_a_list() {
        let mut list = Vec::new();
        for (part, len) in [(0..2, 2), (2..5, 5)] {
            let mut log = Log::default();
            part.for_each(|n| log.push(change(n)));
            log.move_to(&mut list);
            assert_eq!((log.len(), list.len()), (0, len));
        }
        assert_eq!(format!("{list:?}"), format!("{:?}", (0..5).map(change).collect::<Vec<_>>()));
    }

    #[test]
    fn only_logins_that_have_read_a_roster_have_one() {
        let known = KnownRoster {
            key: crate::id::StoreKey::from_bytes([1; 32]),
            version: None,
            roster: Default::default(),
            damage: None,
            asked: tokio::time::Instant::now(),
        };
        let mut log = Log::default();
        (0..40).for_each(|n| log.push(change(n)));
        assert_eq!(log.known_rosters().count(), 0);
        log.push(Change::Principal {
            principal: None,
            at: Default::default(),
            assurance: Default::default(),
            known: Some(Arc::new(known)),
        });
        assert_eq!(log.known_rosters().count(), 1);
    }
}
