//! A new id for a live session.
//!
//! The new record is written first, under an id that nobody knows. Then the old one is replaced, on
//! the version that was loaded, by a mark that leads to it. A crash before the mark leaves the old
//! session whole; after it, the old id is worthless. Deleting the old record instead of marking it
//! would let a late write of another request find nothing and a lost answer find no trace.

use super::Commit;
use super::drive::Step;
use crate::error::{SessionError, StoreErrorKind};
use crate::id::CommitId;
use crate::record::{MARK_LIFETIME, Mark, Record};
use crate::session::state::{Becomes, InFlight, Live, NewHome};
use crate::store::{NewEntry, Replaced};

impl Commit<'_> {
    pub(super) async fn renew(&mut self, record: Record) -> Result<(), SessionError> {
        let record = self.shared.restart(record, self.now());
        let commit = match CommitId::draw(self.shared.settings.entropy) {
            Ok(commit) => commit,
            Err(error) => return self.fail(error.into()),
        };
        match self.put_under_new_id(record).await {
            Ok((live, _)) if self.shared.head.is_closed() => {
                self.forget(live.key).await;
                return self.fail(SessionError::TooLate);
            }
            Ok((live, cookie)) => self.mark_old(commit, NewHome { live, cookie }),
            Err(error) => return self.fail(error),
        }
        self.drive(Step::Send).await
    }

    /// After a conflict on the old id: brings the new record up to date and puts the mark in
    /// flight again.
    pub(super) async fn move_again(
        &mut self,
        commit: CommitId,
        mut home: NewHome,
        mut record: Record,
    ) -> Result<(), SessionError> {
        // The ticket is signed for the lifetime that the new record had at first.
        record.created = home.live.record.created;
        record.expires = home.live.record.expires;
        record.commits = home.live.record.commits;
        let rewrite = match CommitId::draw(self.shared.settings.entropy) {
            Ok(rewrite) => rewrite,
            Err(error) => return self.fail(error.into()),
        };
        record.commits.push(rewrite);
        let deadline = record.deadline(self.now());
        let entry = NewEntry::new(rewrite, deadline, record.encode());
        let Live { key, version, .. } = home.live;
        let store = self.store();
        let replaced = store.replace(&key, &version, &entry);
        match self.operate(StoreErrorKind::Indeterminate, replaced).await {
            Ok(Replaced::Done(version)) => home.live = Live { key, version, deadline, record },
            // Nobody else knows this id, so this is a lost answer or an outage: leave it behind.
            _ => match self.put_under_new_id(record).await {
                Ok((live, cookie)) => home = NewHome { live, cookie },
                Err(error) => return self.fail(error),
            },
        }
        self.mark_old(commit, home);
        Ok(())
    }

    fn mark_old(&self, commit: CommitId, home: NewHome) {
        let entry = NewEntry::new(
            commit,
            self.now().saturating_add(MARK_LIFETIME),
            Mark::Moved { commit, to: home.live.key }.encode(),
        )
        .last_word();
        let becomes = Becomes::Moved(Box::new(home));
        self.shared.state().in_flight =
            Some(Box::new(InFlight { commit, entry, becomes, doubtful: false }));
    }
}
