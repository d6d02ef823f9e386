//! One key on the server that owns it, and the commands on that key.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::entry::{self, CasToken, NotAnEntry, RunId, StoredEntry};
use super::expiry::expiry_for;
use super::failure::misconfigured;
use super::node::{Answer, Call, Node};
use super::nodes::{Nodes, Owner};
use super::protocol::{Command, Condition, Reply};
use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::hex;
use crate::id::StoreKey;
use crate::store::failure::Failure;

/// The length of a key's name after the prefix.
pub(super) const KEY_DIGITS: usize = 64;

/// A key's name on the server that owns it, and the deadline of the call.
pub(super) struct Target<'a> {
    node: Arc<Node>,
    /// The epoch that a new value is written in.
    pub(super) epoch: u64,
    /// Values of an earlier epoch are from before another server owned the key for a while.
    owned_since: u64,
    key_name: Arc<str>,
    deadline: Instant,
    clock: &'a Clock,
}

/// The outcome of a conditional write.
pub(super) enum WriteOutcome {
    Written(CasToken),
    /// There is no value to be replaced.
    Absent,
    /// There is a value where none should be, or one with another token.
    OtherValue,
}

impl<'a> Target<'a> {
    /// Looks up the server that owns `key` and starts the call's deadline.
    pub(super) fn new(
        nodes: &Nodes,
        prefix: &str,
        key: &StoreKey,
        timeout: Duration,
        clock: &'a Clock,
    ) -> Result<Self, StoreError> {
        let owner = nodes.owner_of(key);
        let Owner { node, epoch, owned_since } =
            owner.ok_or_else(|| misconfigured("the list of nodes is empty").for_read())?;
        let (key_name, deadline) = (key_name(prefix, key), Instant::now() + timeout);
        Ok(Self { node, epoch, owned_since, key_name, deadline, clock })
    }

    pub(super) fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Returns the entry that the server holds, even if its deadline has passed.
    pub(super) async fn find(&self) -> Result<Option<StoredEntry>, StoreError> {
        let Some((value, unique, run_id)) = self.find_value().await? else { return Ok(None) };
        let stored = entry::decode(&value, unique, self.bind_to_epoch(run_id));
        let stored = stored.map_err(|reason| self.unreadable(reason))?;
        // The session of a value from before another server owned the key may have ended on that
        // server.
        Ok(Some(stored).filter(|stored| stored.epoch >= self.owned_since))
    }

    /// Returns the value that the server holds, its token, and the run of the server. Asks once more if
    /// the connection breaks.
    async fn find_value(&self) -> Result<Option<(Bytes, u64, RunId)>, StoreError> {
        let get = || self.send(Command::Get, None);
        let answer = match get().await {
            Err(Failure::Indeterminate(_)) if self.has_time() => get().await,
            answer => answer,
        };
        match answer.map_err(Failure::for_read)? {
            (Reply::Value { token, bytes }, run_id) => Ok(Some((bytes, token, run_id))),
            (Reply::Absent, _) => Ok(None),
            // It changes nothing, so nothing is in doubt.
            (other, _) => {
                Err(misconfigured(unexpected(&other)).at(self.node.described()).for_read())
            }
        }
    }

    pub(super) async fn find_live(&self) -> Result<Option<StoredEntry>, StoreError> {
        let stored = self.find().await?;
        Ok(stored.filter(|stored| stored.entry.deadline > self.clock.now()))
    }

    /// Writes a value over the one that has the token `over`, or where there is none.
    pub(super) async fn write(
        &self,
        value: &Bytes,
        deadline: Timestamp,
        over: Option<CasToken>,
    ) -> Result<WriteOutcome, StoreError> {
        let condition = over.map_or(Condition::Absent, |token| Condition::Token(token.unique));
        let expiry = expiry_for(deadline, self.clock.now());
        let command = Command::Set { value: value.clone(), expiry, condition };
        let only_run = over.map(|token| self.bind_to_epoch(token.run_id));
        let (reply, run_id) = self.send(command, only_run).await.map_err(Failure::for_write)?;
        let run_id = self.bind_to_epoch(run_id);
        let outcome = written(&reply, |unique| CasToken { unique, run_id, deadline });
        outcome.map_err(|failure| failure.at(self.node.described()).for_write())
    }

    /// Deletes what is there, readable or not, unless it is of a newer format. Returns whether it did:
    /// another value may have come meanwhile.
    ///
    /// The value is read first, because memcached compares nothing but tokens.
    pub(super) async fn delete(&self) -> Result<bool, StoreError> {
        let Some((value, token, run_id)) = self.find_value().await? else { return Ok(true) };
        if let Err(newer @ NotAnEntry::Newer(_)) = entry::decode(&value, token, run_id) {
            return Err(self.unreadable(newer));
        }
        let sent = self.send(Command::Delete { token }, Some(run_id)).await;
        let (reply, _) = sent.map_err(Failure::for_write)?;
        deleted(&reply).map_err(|failure| failure.at(self.node.described()).for_write())
    }

    async fn send(&self, command: Command, only_run: Option<RunId>) -> Result<Answer, Failure> {
        let (key_name, deadline) = (self.key_name.clone(), self.deadline);
        self.node.send(Call { key_name, command, only_run, deadline }).await
    }

    /// XORs the server's run id with the epoch since which it owns this key. Applying it twice undoes
    /// it.
    ///
    /// A token that was read before another server owned the key is thereby a token of another run,
    /// and no write succeeds with it.
    fn bind_to_epoch(&self, run_id: RunId) -> RunId {
        (u64::from_be_bytes(run_id) ^ self.owned_since).to_be_bytes()
    }

    /// A value of a newer release is not `Corrupt`: a logout may delete what is corrupt, and during a
    /// roll-out another server of the app can read this one.
    fn unreadable(&self, reason: NotAnEntry) -> StoreError {
        let (kind, problem) = match reason {
            NotAnEntry::Foreign => (
                StoreErrorKind::Corrupt,
                "the value under the key of a session is not an entry of this library".to_owned(),
            ),
            NotAnEntry::Newer(format) => (
                StoreErrorKind::NewerFormat,
                format!("its format {format} is newer than this release reads; update this server"),
            ),
        };
        Failure::not_applied(kind, problem).at(self.node.described()).for_read()
    }
}

/// Reads the reply to a write. `token` makes a token of the number that the server has given to the new value.
///
/// A reply that memcached never gives to the command may be a proxy's, or that to another command. It proves neither
/// that the write was applied nor that it was not.
fn written(reply: &Reply, token: impl FnOnce(u64) -> CasToken) -> Result<WriteOutcome, Failure> {
    match reply {
        Reply::Done { token: unique } => Ok(WriteOutcome::Written(token(*unique))),
        Reply::Absent => Ok(WriteOutcome::Absent),
        Reply::NotStored | Reply::Changed => Ok(WriteOutcome::OtherValue),
        Reply::Value { .. } => Err(Failure::indeterminate(unexpected(reply))),
    }
}

/// Reads the reply to a delete, as [`written`] does that to a write. Returns whether the value is away: another one may
/// have come meanwhile.
fn deleted(reply: &Reply) -> Result<bool, Failure> {
    match reply {
        Reply::Done { .. } | Reply::Absent => Ok(true),
        Reply::Changed => Ok(false),
        Reply::NotStored | Reply::Value { .. } => Err(Failure::indeterminate(unexpected(reply))),
    }
}

/// Describes a reply that memcached never gives to the command. It does not show a value in the reply.
fn unexpected(reply: &Reply) -> String {
    let kind = match reply {
        Reply::Value { .. } => "VA",
        Reply::Done { .. } => "HD",
        Reply::Absent => "EN or NF",
        Reply::NotStored => "NS",
        Reply::Changed => "EX",
    };
    format!("the server answered {kind}, which memcached never does here")
}

/// Returns the prefix and the key in hexadecimal digits.
fn key_name(prefix: &str, key: &StoreKey) -> Arc<str> {
    let mut name = String::with_capacity(prefix.len() + KEY_DIGITS);
    name.push_str(prefix);
    name.extend(hex::digits(key.as_bytes()));
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_unknown_reply_to_a_write_proves_nothing() {
        let value = Reply::Value { token: 1, bytes: Bytes::from_static(b"a session") };
        let token = |unique| CasToken { unique, run_id: [0; 8], deadline: Timestamp::MAX };
        let failures = [
            written(&value, token).map(drop).unwrap_err(),
            deleted(&value).map(drop).unwrap_err(),
            deleted(&Reply::NotStored).map(drop).unwrap_err(),
        ];
        for failure in failures {
            let error = failure.for_write();
            assert_eq!(error.kind(), StoreErrorKind::Indeterminate);
            assert!(!format!("{error:?}").contains("a session"));
        }
    }
}
