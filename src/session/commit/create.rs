//! A first ticket: a new record under an id that nobody has seen.

use super::Commit;
use crate::cookie::Ticket;
use crate::error::{SessionError, StoreErrorKind};
use crate::id::{CommitId, SessionId};
use crate::record::Record;
use crate::session::state::{CookieChange, Live};
use crate::store::{Created, NewEntry};

/// Fresh ids that one commit tries. One is enough but for a lost answer, or a node that is down
/// where the id decides about the node.
const ATTEMPTS: usize = 8;

impl Commit<'_> {
    pub(super) async fn create(&mut self, record: Record) -> Result<(), SessionError> {
        match self.put_under_new_id(record).await {
            Ok((live, _)) if self.shared.head.is_closed() => {
                self.forget(live.key).await;
                self.fail(SessionError::TooLate)
            }
            Ok((live, cookie)) => {
                tracing::debug!(session = %live.key, "session created");
                let mut state = self.shared.state();
                state.committed(live);
                state.cookie = Some(cookie);
                Ok(())
            }
            Err(error) => self.fail(error),
        }
    }

    /// Writes the record under a fresh id, and under another one if that failed or nobody knows:
    /// an id is never created twice, and a record that nobody has a ticket for expires.
    pub(super) async fn put_under_new_id(
        &mut self,
        mut record: Record,
    ) -> Result<(Live, CookieChange), SessionError> {
        let entropy = self.shared.settings.entropy;
        let commit = CommitId::draw(entropy)?;
        record.commits = Default::default();
        record.commits.push(commit);
        let deadline = record.deadline(self.now());
        let entry = NewEntry::new(commit, deadline, record.encode());
        let mut last_error = None;
        for _ in 0..ATTEMPTS {
            let id = SessionId::draw(entropy)?;
            let key = id.store_key();
            let store = self.store();
            match self.operate(StoreErrorKind::Indeterminate, store.create(&key, &entry)).await {
                Ok(Created::Done(version)) => {
                    let ticket = Ticket { id, expires: record.expires };
                    let max_age = record.remembered.then(|| record.expires.since(record.created));
                    let live = Live { key, version, deadline, record };
                    return Ok((live, CookieChange::Issue { ticket, max_age }));
                }
                Ok(Created::Exists) => {}
                Err(error) if is_worth_another_id(error.kind()) => last_error = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last_error.map_or(SessionError::Contended, SessionError::from))
    }
}

fn is_worth_another_id(kind: StoreErrorKind) -> bool {
    matches!(kind, StoreErrorKind::Unavailable | StoreErrorKind::Indeterminate)
}
