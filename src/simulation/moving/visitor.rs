//! A handle of a session: it loads, changes, touches and ends as the library does.

use std::time::Duration;

use tokio::time::sleep;

use super::caller::{Caller, Draft, Written};
use super::ledger::{Held, within};
use super::setup::{LIFETIME, LONGEST_IDLE, MARK};
use crate::clock::Timestamp;
use crate::id::CommitId;
use crate::simulation::random::Random;
use crate::store::StoreErrorKind;

/// How often a write is tried.
const ATTEMPTS: usize = 5;

pub(super) struct Visitor {
    pub(super) caller: Caller,
    pub(super) random: Random,
    /// Whether the key may be created again once its session is over, as that of a roster.
    pub(super) recreates: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Change,
    Touch,
    End,
    Delete,
    Advance,
    Look,
}

/// What a look shows of a write whose caller was left in doubt.
enum Settled {
    Done(Held),
    SendAgain,
    NotApplied(Held),
    Unclear,
}

impl Visitor {
    pub(super) async fn visit(mut self) {
        let Ok(found) = self.load().await else { return };
        let held = match found {
            // A create must find what is there, whoever has loaded what.
            Some(_) if self.recreates && self.random.chance(15) => self.create().await,
            Some(held) if !self.is_mark(held) => Some(held),
            Some(_) if self.random.chance(70) => None,
            _ => self.create().await,
        };
        let Some(mut held) = held else { return };
        for _ in 0..self.random.between(1, 3) {
            self.pause().await;
            match self.act(held).await {
                Some(now_held) if !self.is_mark(now_held) => held = now_held,
                _ => return,
            }
        }
    }

    async fn load(&mut self) -> Result<Option<Held>, StoreErrorKind> {
        let first = self.caller.load().await;
        match first {
            Err(_) if self.random.chance(60) => self.caller.load().await,
            other => other,
        }
    }

    async fn pause(&mut self) {
        let millis = match self.random.below(20) {
            0..8 => return,
            8..15 => self.random.between(1, 40),
            15..18 => self.random.between(40, 3_000),
            18 => self.random.between(50_000, 130_000),
            _ => self.random.between(200_000, 1_700_000),
        };
        sleep(Duration::from_millis(millis)).await;
    }

    async fn act(&mut self, held: Held) -> Option<Held> {
        let action = self.random.weighted(&[
            (40, Action::Change),
            (22, Action::Touch),
            (12, Action::End),
            (6, Action::Delete),
            (10, Action::Advance),
            (10, Action::Look),
        ]);
        match action {
            Action::Change => self.write(held, false).await,
            Action::End => {
                let ended = self.write(held, true).await;
                self.caller.count(|coverage| coverage.ended += u64::from(ended.is_some()));
                ended
            }
            Action::Touch => self.touch(held).await,
            Action::Delete => self.caller.delete().await.ok().and(None),
            Action::Advance => {
                let _ = self.caller.advance().await;
                Some(held)
            }
            Action::Look => self.load().await.ok().flatten(),
        }
    }

    /// Creates an entry. The library never creates the same id twice, except that of a roster.
    pub(super) async fn create(&mut self) -> Option<Held> {
        if !self.recreates {
            let ledgers = &mut self.caller.world.state().ledgers;
            if ledgers[self.caller.key].is_used() {
                return None;
            }
            ledgers[self.caller.key].use_up();
        }
        let commit = self.draw_commit();
        let op_and_content = |ledger: &mut super::ledger::Ledger, now| {
            let op = ledger.begin(now);
            ledger.draw_up(op, None, commit, false)
        };
        let content = self.caller.ledger(op_and_content);
        let deadline = self.deadline(content);
        self.caller.create(Draft { content, commit, deadline }).await.ok().flatten()
    }

    async fn touch(&mut self, held: Held) -> Option<Held> {
        let deadline = self.deadline(held.content);
        if deadline <= held.deadline {
            return Some(held);
        }
        match self.caller.touch(held, deadline).await {
            Ok(_) if self.random.chance(50) => self.load().await.ok().flatten(),
            Ok(_) => Some(held),
            Err(_) => None,
        }
    }

    /// Writes as the library commits: a conflict is merged, and a lost answer settled. Returns `None` where
    /// the session is over or its state is not known.
    pub(super) async fn write(&mut self, mut base: Held, ends: bool) -> Option<Held> {
        let commit = self.draw_commit();
        let mut content = self.draw_up(base, commit, ends);
        let mut in_doubt = false;
        for _ in 0..ATTEMPTS {
            let deadline = match ends {
                true => self.caller.server.clock.now().saturating_add(MARK),
                false => self.deadline(content),
            };
            let draft = Draft { content, commit, deadline };
            let there = match self.caller.replace(base, draft).await {
                Ok(Written::Done(held)) => return Some(held),
                Ok(Written::Gone) => return None,
                Ok(Written::Conflict(there)) => self.judge(base, there, commit, in_doubt),
                Err(StoreErrorKind::Indeterminate) => {
                    in_doubt = true;
                    self.pause_before_look().await;
                    self.look(base, commit).await
                }
                Err(_) if self.random.chance(50) => Settled::SendAgain,
                Err(_) => return None,
            };
            match there {
                Settled::Done(held) => return Some(held),
                Settled::SendAgain => {}
                Settled::NotApplied(there) => {
                    if self.is_mark(there) {
                        return None;
                    }
                    (base, in_doubt) = (there, false);
                    content = self.draw_up(base, commit, ends);
                }
                Settled::Unclear => return None,
            }
        }
        None
    }

    async fn look(&mut self, base: Held, commit: CommitId) -> Settled {
        self.caller.count(|coverage| coverage.in_doubt += 1);
        let Ok(Some(there)) = self.load().await else { return Settled::Unclear };
        let settled = match there.version == base.version {
            true => Settled::SendAgain,
            false => self.judge(base, there, commit, true),
        };
        self.caller.count(|coverage| match settled {
            Settled::Done(_) => coverage.settled_as_done += 1,
            Settled::SendAgain => coverage.sent_again += 1,
            Settled::NotApplied(_) => coverage.settled_as_not_done += 1,
            Settled::Unclear => {}
        });
        settled
    }

    fn judge(&self, base: Held, there: Held, commit: CommitId, in_doubt: bool) -> Settled {
        self.caller.ledger(|ledger, _| {
            if ledger.lists(there.content, commit) {
                Settled::Done(there)
            } else if !in_doubt || ledger.descends(there.content, base.content) {
                Settled::NotApplied(there)
            } else {
                Settled::Unclear
            }
        })
    }

    async fn pause_before_look(&mut self) {
        let millis = match self.random.below(10) {
            0..6 => self.random.between(1, 20),
            6..9 => self.random.between(20, 2_000),
            _ => self.random.between(2_000, 400_000),
        };
        sleep(Duration::from_millis(millis)).await;
    }

    fn draw_up(&self, base: Held, commit: CommitId, ends: bool) -> usize {
        self.caller.ledger(|ledger, now| {
            let op = ledger.begin(now);
            ledger.draw_up(op, Some(base.content), commit, ends)
        })
    }

    /// Returns the deadline that the session gets now, by the clock of the server.
    fn deadline(&mut self, content: usize) -> Timestamp {
        let idle = match self.random.below(8) {
            0 => Duration::from_secs(70),
            1 => Duration::from_secs(125),
            2 => Duration::from_secs(600),
            3..6 => Duration::from_secs(1_800),
            _ => LONGEST_IDLE,
        };
        let created = self.caller.ledger(|ledger, _| ledger.created_at(content));
        within(self.caller.server.clock.now(), idle, created.saturating_add(LIFETIME))
    }

    fn is_mark(&self, held: Held) -> bool {
        self.caller.ledger(|ledger, _| ledger.is_mark(held.content))
    }

    fn draw_commit(&mut self) -> CommitId {
        CommitId::from_bytes(self.random.next().to_be_bytes())
    }
}
