//! The calls that the library makes of its store, each bounded in time and entered in the ledger.

use std::sync::Arc;

use tokio::time::timeout;

use super::coverage::Coverage;
use super::ledger::{Held, Ledger, bytes_of};
use super::server::Server;
use super::setup::{COMMAND, key};
use super::world::{World, describe_entry};
use crate::clock::Timestamp;
use crate::id::{CommitId, StoreKey};
use crate::store::{Created, NewEntry, Replaced, StoreError, StoreErrorKind, Touched};

/// One who uses a key by one server.
pub(super) struct Caller {
    pub(super) world: Arc<World>,
    pub(super) server: Server,
    pub(super) key: usize,
}

/// Contents to be written, with the name of their commit.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) content: usize,
    pub(super) commit: CommitId,
    pub(super) deadline: Timestamp,
}

/// The answer to a replace.
pub(super) enum Written {
    Done(Held),
    Conflict(Held),
    Gone,
}

impl Draft {
    fn entry(self) -> NewEntry {
        NewEntry::new(self.commit, self.deadline, bytes_of(self.content))
    }
}

impl Caller {
    pub(super) async fn load(&self) -> Result<Option<Held>, StoreErrorKind> {
        let op = self.ledger(|ledger, now| ledger.begin(now));
        let result = self.call("load", |key| async move { self.server.store.load(&key).await });
        let found = result.await?;
        self.ledger(|ledger, now| match &found {
            None => {
                ledger.absent(op, now);
                Ok(None)
            }
            Some(entry) => Ok(ledger.found(op, entry, now)),
        })
    }

    pub(super) async fn create(&self, draft: Draft) -> Result<Option<Held>, StoreErrorKind> {
        let Draft { content, deadline, .. } = draft;
        let (op, attempt) =
            self.ledger(|ledger, now| (ledger.begin(now), ledger.sent(content, deadline)));
        let entry = &draft.entry();
        let result =
            self.call("create", |key| async move { self.server.store.create(&key, entry).await });
        let result = result.await;
        self.count(|coverage| match &result {
            Ok(Created::Done(_)) => coverage.created += 1,
            Ok(Created::Exists) => coverage.exists += 1,
            Err(_) => {}
        });
        self.ledger(|ledger, now| match result {
            Ok(Created::Done(version)) => {
                let held = Held { content, version, deadline };
                ledger.holds(op, held, now);
                Ok(Some(held))
            }
            Ok(Created::Exists) => {
                ledger.refused(content, attempt);
                ledger.exists(op);
                Ok(None)
            }
            Err(kind) => Err(refuse(ledger, draft, attempt, kind)),
        })
    }

    pub(super) async fn replace(
        &self,
        base: Held,
        draft: Draft,
    ) -> Result<Written, StoreErrorKind> {
        let Draft { content, deadline, .. } = draft;
        let (op, attempt) =
            self.ledger(|ledger, now| (ledger.begin(now), ledger.sent(content, deadline)));
        let (expected, entry) = (&base.version, &draft.entry());
        let result = self.call("replace", |key| async move {
            self.server.store.replace(&key, expected, entry).await
        });
        let result = result.await;
        self.count(|coverage| match &result {
            Ok(Replaced::Done(_)) => coverage.replaced += 1,
            Ok(Replaced::Conflict(_)) => coverage.conflicts += 1,
            Ok(Replaced::Gone) => coverage.gone += 1,
            Err(_) => {}
        });
        self.ledger(|ledger, now| match result {
            Ok(Replaced::Done(version)) => {
                let held = Held { content, version, deadline };
                ledger.holds(op, held, now);
                Ok(Written::Done(held))
            }
            Ok(Replaced::Conflict(there)) => {
                ledger.refused(content, attempt);
                let differs = there.version != base.version;
                ledger.demand(differs, "a conflict with the expected version", || {
                    describe_entry(&there)
                });
                Ok(ledger.found(op, &there, now).map_or(Written::Gone, Written::Conflict))
            }
            Ok(Replaced::Gone) => {
                ledger.refused(content, attempt);
                ledger.absent(op, now);
                Ok(Written::Gone)
            }
            Err(kind) => Err(refuse(ledger, draft, attempt, kind)),
        })
    }

    pub(super) async fn touch(
        &self,
        base: Held,
        deadline: Timestamp,
    ) -> Result<Touched, StoreErrorKind> {
        let op = self.ledger(|ledger, now| {
            ledger.touching(base.content, deadline);
            ledger.begin(now)
        });
        let expected = &base.version;
        let touch = |key| async move { self.server.store.touch(&key, expected, deadline).await };
        let touched = match self.server.step {
            2 => self.call_that_moves("touch", touch).await?,
            _ => self.call("touch", touch).await?,
        };
        self.count(|coverage| match touched {
            Touched::Done => coverage.touched += 1,
            Touched::Skipped => coverage.skipped += 1,
            Touched::Gone => coverage.gone += 1,
        });
        self.ledger(|ledger, now| match touched {
            Touched::Done => ledger.holds(op, Held { deadline, ..base }, now),
            Touched::Skipped => {
                ledger.skipped(base.version, deadline);
                ledger.exists(op);
            }
            Touched::Gone => ledger.absent(op, now),
        });
        Ok(touched)
    }

    pub(super) async fn delete(&self) -> Result<(), StoreErrorKind> {
        let op = self.ledger(|ledger, now| {
            ledger.deleting();
            ledger.begin(now)
        });
        let result = self.call("delete", |key| async move { self.server.store.delete(&key).await });
        let result = result.await;
        let in_doubt = matches!(result, Err(StoreErrorKind::Indeterminate));
        self.ledger(|ledger, _| ledger.deleted(op, result.is_ok(), in_doubt));
        self.count(|coverage| coverage.deleted += u64::from(result.is_ok()));
        result
    }

    /// Moves the entry, as an app does in the background.
    pub(super) async fn advance(&self) -> Result<(), StoreErrorKind> {
        let Some(moving) = &self.server.moving else { return Ok(()) };
        let advance = |key| async move { moving.advance(&key).await };
        self.call_that_moves("advance", advance).await?;
        self.count(|coverage| coverage.advanced += 1);
        Ok(())
    }

    /// Calls a server that may move the entry as it is.
    async fn call_that_moves<'a, T, F>(
        &'a self,
        name: &'static str,
        call: impl FnOnce(StoreKey) -> F,
    ) -> Result<T, StoreErrorKind>
    where
        T: std::fmt::Debug,
        F: Future<Output = Result<T, StoreError>> + 'a,
    {
        self.ledger(|ledger, _| ledger.moving());
        let result = self.call(name, call).await;
        self.ledger(|ledger, _| ledger.moved());
        result
    }

    async fn call<'a, T, F>(
        &'a self,
        name: &'static str,
        call: impl FnOnce(StoreKey) -> F,
    ) -> Result<T, StoreErrorKind>
    where
        T: std::fmt::Debug,
        F: Future<Output = Result<T, StoreError>> + 'a,
    {
        let Server { number, step, .. } = self.server;
        self.world.note(|| format!("server {number} at step {step}: {name} begins"));
        let answer = timeout(COMMAND, call(key(self.key))).await;
        let is_late = answer.is_err();
        let result = match answer {
            Ok(result) => result.map_err(|error| error.kind()),
            Err(_) => Err(StoreErrorKind::Indeterminate),
        };
        self.world.note(|| format!("server {number} at step {step}: {name}: {result:?}"));
        self.count(|coverage| {
            coverage.ran_out_of_time += u64::from(is_late);
            match step {
                0 => coverage.calls_at_step_0 += 1,
                1 => coverage.calls_at_step_1 += 1,
                2 => coverage.calls_at_step_2 += 1,
                _ => coverage.calls_at_step_3 += 1,
            }
        });
        if let Err(kind) = &result {
            let is_fault =
                matches!(kind, StoreErrorKind::Unavailable | StoreErrorKind::Indeterminate);
            self.ledger(|ledger, _| {
                ledger.demand(is_fault, "an error that no store gave", || format!("{kind:?}"));
            });
        }
        result
    }

    pub(super) fn ledger<T>(&self, enter: impl FnOnce(&mut Ledger, Timestamp) -> T) -> T {
        let now = self.world.now();
        enter(&mut self.world.state().ledgers[self.key], now)
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Coverage)) {
        count(&mut self.world.state().coverage);
    }
}

fn refuse(
    ledger: &mut Ledger,
    draft: Draft,
    attempt: usize,
    kind: StoreErrorKind,
) -> StoreErrorKind {
    if kind != StoreErrorKind::Indeterminate {
        ledger.refused(draft.content, attempt);
    }
    kind
}
