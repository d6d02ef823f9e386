//! The store as one load, commit or logout uses it: every command is bounded in time.

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::events::CommandKind;
use crate::id::StoreKey;
use crate::record::Record;
use crate::session::command::TimeLimit;
use crate::session::report::Reporter;
use crate::session::terms::Terms;
use crate::store::{Created, Entry, NewEntry, Replaced, SessionStore, Touched, Version};

/// A load that is late was not applied; any other command may have been.
#[derive(Clone, Copy)]
pub(super) struct Commands<'a> {
    pub(super) store: &'a dyn SessionStore,
    pub(super) limit: TimeLimit,
    pub(super) report: &'a Reporter,
}

impl Commands<'_> {
    /// Whether a session looks now and then whether it is still listed. One from before its layer kept a
    /// roster looks in every store.
    pub(super) fn looks(&self, terms: &Terms, record: &Record) -> bool {
        let Some(roster) = terms.roster.filter(|_| record.principal.is_some()) else {
            return false;
        };
        record.handle.is_none() || roster.look.unwrap_or_else(|| self.store.may_evict())
    }

    /// Returns the moment by which the whole commit must be done.
    pub(super) fn deadline(&self) -> Instant {
        self.limit.deadline.unwrap_or_else(|| Instant::now() + self.limit.command)
    }

    pub(super) async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let began = self.report.begin_command();
        let loaded = self.limit.run(StoreErrorKind::Unavailable, self.store.load(key)).await;
        self.note(CommandKind::Load, began, &loaded, |_| true);
        loaded
    }

    pub(super) async fn create(
        &self,
        key: &StoreKey,
        entry: &NewEntry,
    ) -> Result<Created, StoreError> {
        let create = self.store.create(key, entry);
        let began = self.report.begin_command();
        let created = self.limit.run(StoreErrorKind::Indeterminate, create).await;
        let is_met = |created: &Created| matches!(created, Created::Done(_));
        self.note(CommandKind::Create, began, &created, is_met);
        created
    }

    pub(super) async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let replace = self.store.replace(key, expected, entry);
        let began = self.report.begin_command();
        let replaced = self.limit.run(StoreErrorKind::Indeterminate, replace).await;
        let is_met = |replaced: &Replaced| matches!(replaced, Replaced::Done(_));
        self.note(CommandKind::Replace, began, &replaced, is_met);
        replaced
    }

    pub(super) async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let touch = self.store.touch(key, expected, deadline);
        let began = self.report.begin_command();
        let touched = self.limit.run(StoreErrorKind::Indeterminate, touch).await;
        let is_met = |touched: &Touched| matches!(touched, Touched::Done);
        self.note(CommandKind::Touch, began, &touched, is_met);
        touched
    }

    pub(super) async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let began = self.report.begin_command();
        let deleted = self.limit.run(StoreErrorKind::Indeterminate, self.store.delete(key)).await;
        self.note(CommandKind::Delete, began, &deleted, |()| true);
        deleted
    }

    fn note<T>(
        &self,
        command: CommandKind,
        began: Option<Instant>,
        result: &Result<T, StoreError>,
        is_met: impl FnOnce(&T) -> bool,
    ) {
        // A store that was given a moment only, because the time of the whole commit was over, is not out.
        let cut_short = result.is_err() && self.limit.is_over();
        self.report.command(command, began, result, is_met, cut_short);
    }
}
