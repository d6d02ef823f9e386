//! The way between the library and the model, on which everything goes wrong that can.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::model::{Command, Reply};
use super::random::Random;
use super::world::{State, World};
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreErrorKind, Touched, Version,
};

/// A store whose every command travels through the world.
#[derive(Clone)]
pub(super) struct Network(pub(super) Arc<World>);

/// What becomes of one command. A command that was sent is executed whether or not anybody still
/// waits for the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    /// Milliseconds until it is executed, if it ever is.
    pub(super) executes: Option<u64>,
    pub(super) answer: Answer,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// The reply arrives so long after the execution.
    Reply(u64),
    /// The caller is told so after so long.
    Unavailable(u64),
    Unknown(u64),
    /// The caller waits until its own patience is over.
    Never,
    /// A store that answers for what it has not done yet; only planted.
    Early(u64),
}

#[derive(Clone, Copy)]
enum Weather {
    Refused,
    ReplyLost,
    RequestLost,
    Late,
    Hangs,
    HangsAndIsLate,
    Slow,
}

impl Trip {
    pub(super) fn draw(state: &mut State, command: &Command) -> Self {
        let random = &mut state.random;
        let there = travel(random);
        if !random.chance(state.bad_weather) {
            return Self { executes: Some(there), answer: Answer::Reply(travel(random)) };
        }
        let weather = random.weighted(&[
            (20, Weather::Refused),
            (30, Weather::ReplyLost),
            (12, Weather::RequestLost),
            (25, Weather::Late),
            (6, Weather::Hangs),
            (7, Weather::HangsAndIsLate),
            (15, Weather::Slow),
        ]);
        let (executes, answer) = match weather {
            Weather::Refused => (None, Answer::Unavailable(travel(random))),
            // A read has nothing to be in doubt about.
            Weather::ReplyLost | Weather::Late if !command.is_write() => {
                (None, Answer::Unavailable(there))
            }
            Weather::ReplyLost => (Some(there), Answer::Unknown(there + travel(random))),
            Weather::RequestLost => (None, Answer::Unknown(there)),
            Weather::Late => (Some(there + delay(random)), Answer::Unknown(there)),
            Weather::Hangs => (random.chance(50).then_some(there), Answer::Never),
            Weather::HangsAndIsLate => (Some(there + delay(random)), Answer::Never),
            Weather::Slow => {
                let part = delay(random) % 2_500;
                (Some(there + part), Answer::Reply(travel(random) * 8))
            }
        };
        if command.is_write() {
            state.tally.lost_replies += u64::from(matches!(answer, Answer::Unknown(_)));
            let told = matches!(weather, Weather::Late | Weather::HangsAndIsLate);
            state.tally.late_executions += u64::from(told);
        }
        Self { executes, answer }
    }
}

fn travel(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => 0,
        1 => random.between(20, 120),
        _ => random.between(1, 12),
    }
}

/// How late a late command is: mostly while its request is still busy, sometimes when every mark of
/// that time has expired.
fn delay(random: &mut Random) -> u64 {
    match random.below(20) {
        0..9 => random.between(1, 60),
        9..15 => random.between(60, 2_000),
        15..19 => random.between(2_000, 9_000),
        _ => random.between(58_000, 75_000),
    }
}

impl Network {
    async fn send(&self, key: &StoreKey, command: Command) -> Result<Reply, StoreError> {
        let world = &self.0;
        let (serial, trip) = {
            let mut state = world.state();
            let trip = Trip::draw(&mut state, &command);
            let trip = state.planted.map_or(trip, |fault| fault.trip(&mut state, &command, trip));
            state.travelling += usize::from(trip.executes.is_some());
            (state.dispatched(*key, &command, &trip, world.now()), trip)
        };
        let executed = trip.executes.map(|after| {
            tokio::spawn(arrive(Arc::clone(world), serial, *key, command.clone(), after))
        });
        match (trip.answer, executed) {
            (Answer::Reply(after), Some(executed)) => {
                let reply = executed.await.expect("the model does not panic");
                rest(after).await;
                Ok(reply)
            }
            (Answer::Unavailable(after), _) => {
                rest(after).await;
                Err(StoreError::new(StoreErrorKind::Unavailable, "refused"))
            }
            (Answer::Unknown(after), _) => {
                rest(after).await;
                self.lost(key, &command)
            }
            (Answer::Early(after), _) => {
                rest(after).await;
                let commit = command.entry().map(|entry| entry.commit);
                Ok(Reply::Replaced(Replaced::Done(commit.expect("only replaces").into())))
            }
            (Answer::Never | Answer::Reply(_), _) => std::future::pending().await,
        }
    }

    /// What the caller is told when the answer was lost.
    fn lost(&self, key: &StoreKey, command: &Command) -> Result<Reply, StoreError> {
        let mut state = self.0.state();
        let now = self.0.now();
        match state.planted {
            Some(fault) => fault.lost(&mut state, *key, command, now),
            None => Err(StoreError::new(StoreErrorKind::Indeterminate, "reply lost")),
        }
    }
}

async fn arrive(
    world: Arc<World>,
    serial: usize,
    key: StoreKey,
    command: Command,
    after: u64,
) -> Reply {
    rest(after).await;
    let now = world.now();
    let mut state = world.state();
    state.travelling -= 1;
    state.execute(serial, key, &command, now)
}

async fn rest(millis: u64) {
    if millis > 0 {
        sleep(Duration::from_millis(millis)).await;
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

#[async_trait]
impl SessionStore for Network {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        match self.send(key, Command::Load).await? {
            Reply::Loaded(entry) => Ok(entry),
            other => panic!("{other:?} to a load"),
        }
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        match self.send(key, Command::Create(entry.clone())).await? {
            Reply::Created(created) => Ok(created),
            other => panic!("{other:?} to a create"),
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        match self.send(key, Command::Replace(*expected, entry.clone())).await? {
            Reply::Replaced(replaced) => Ok(replaced),
            other => panic!("{other:?} to a replace"),
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        match self.send(key, Command::Touch(*expected, deadline)).await? {
            Reply::Touched(touched) => Ok(touched),
            other => panic!("{other:?} to a touch"),
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.send(key, Command::Delete).await.map(|_| ())
    }
}
