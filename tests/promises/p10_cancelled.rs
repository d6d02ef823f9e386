//! P10: a request that is cut off anywhere leaves the old state or the new one.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched, Version,
};
use cloakroom::{Session, SessionError, SessionLayer, Timestamp};
use tokio::task::yield_now;

use cloakroom_testing::Command::{Load, Replace};
use cloakroom_testing::{Fault, House, Visitor, hang_up, settle};

/// A store that waits once before and once after each command, as every store over a network does.
/// A request can be cut off there.
#[derive(Clone, Debug)]
struct InSteps(Arc<dyn SessionStore>);

impl InSteps {
    async fn step<T>(&self, command: impl Future<Output = T>) -> T {
        yield_now().await;
        let result = command.await;
        yield_now().await;
        result
    }
}

#[async_trait]
impl SessionStore for InSteps {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.step(self.0.load(key)).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.step(self.0.create(key, entry)).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.step(self.0.replace(key, expected, entry)).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.step(self.0.touch(key, expected, deadline)).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.step(self.0.delete(key)).await
    }
}

fn in_steps(house: &House) -> SessionLayer {
    let store = InSteps(Arc::new(house.counting.clone()));
    SessionLayer::new(store, house.key.clone()).clock(house.clock.clone())
}

/// Changes both keys to the same value.
async fn guest(house: &House) -> Visitor {
    let guest = house.visitor();
    guest.visit(async |session| write(&session, 1)).await.is_ok();
    guest
}

fn write(session: &Session, value: u32) -> Result<(), SessionError> {
    session.insert("a", &value)?;
    session.insert("b", &value)
}

async fn pair(visitor: &Visitor) -> String {
    let look =
        visitor.visit(async |session| Ok((session.get::<u32>("a")?, session.get::<u32>("b")?)));
    look.await.is_ok().body.clone()
}

const OLD: &str = "(Some(1), Some(1))";
const NEW: &str = "(Some(2), Some(2))";
const NONE: &str = "(None, None)";

/// Cuts `request` off after 0, 1, 2 … polls, until it completes. Returns the states after each cut,
/// once all tasks have ended.
async fn cut_everywhere(
    request: impl AsyncFn(&Visitor),
    found: impl AsyncFn(&House, &Visitor) -> String,
) -> Vec<String> {
    let mut findings = Vec::new();
    for polls in 0.. {
        let house = House::open();
        let guest = guest(&house).await;
        let hurried = guest.copy().at(&in_steps(&house));
        let finished = hang_up(request(&hurried), polls).await.is_some();
        settle().await;
        findings.push(found(&house, &guest).await);
        if finished {
            return findings;
        }
    }
    unreachable!("every request ends")
}

#[tokio::test]
async fn p10_a_write_cut_off_anywhere_leaves_the_old_or_the_new() {
    let write = async |visitor: &Visitor| {
        visitor.visit(async |session| write(&session, 2)).await.is_ok();
    };
    let findings = cut_everywhere(write, async |_, guest| pair(guest).await).await;
    // Nothing is stored while the handler runs. A commit that has begun runs to its end.
    assert_eq!(findings, [OLD, OLD, OLD, NEW, NEW, NEW]);
}

#[tokio::test]
async fn p10_a_logout_cut_off_anywhere_leaves_the_session_or_none() {
    let log_out = async |visitor: &Visitor| {
        visitor.visit(async |session| session.destroy().await).await.is_ok();
    };
    let mut findings = cut_everywhere(log_out, async |_, guest| pair(guest).await).await;
    assert!(findings.len() > 5, "{findings:?}");
    findings.dedup();
    assert_eq!(findings, [OLD, NONE]);
}

#[tokio::test]
async fn p10_a_login_cut_off_anywhere_leaves_the_old_session_or_the_new_one() {
    let log_in = async |visitor: &Visitor| {
        let answer = visitor.visit(async |session| {
            session.renew().unwrap();
            write(&session, 2)
        });
        answer.await.is_ok();
    };
    let findings = cut_everywhere(log_in, async |house, guest| {
        let old = pair(guest).await;
        format!("{old} {}", house.memory().len())
    });
    let before = format!("{OLD} 1");
    let after = format!("{NONE} 2");
    let [before, after] = [&*before, &*after];
    assert_eq!(findings.await, [before, before, before, after, after, after, after, after]);
}

#[tokio::test]
async fn p10_a_first_session_cut_off_anywhere_is_there_or_not() {
    for polls in 0.. {
        let house = House::open();
        let visitor = house.visitor().at(&in_steps(&house));
        let finished =
            hang_up(visitor.visit(async |session| write(&session, 2)), polls).await.is_some();
        settle().await;
        assert_eq!(house.memory().len(), usize::from(polls > 0));
        if finished {
            assert_eq!(polls, 3);
            return;
        }
    }
}

/// The process is killed, so its tasks do not run to their ends.
#[test]
fn p10_a_server_killed_anywhere_leaves_the_old_or_the_new() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut findings = Vec::new();
    for polls in 0.. {
        let house = House::open();
        let guest = runtime().block_on(guest(&house));
        let doomed = runtime();
        let hurried = guest.copy().at(&in_steps(&house));
        let change = hurried.visit(async |session| {
            session.renew().unwrap();
            write(&session, 2)
        });
        let finished = doomed.block_on(async { hang_up(change, polls).await.is_some() });
        drop(doomed);
        findings.push(runtime().block_on(pair(&guest)));
        if finished {
            break;
        }
    }
    // The old session is whole until the mark is written, and worthless from then on.
    assert_eq!(findings, [OLD, OLD, OLD, OLD, OLD, OLD, NONE, NONE]);
}

#[tokio::test]
async fn p10_a_commit_once_begun_runs_to_its_end_when_the_client_hangs_up() {
    let house = House::open();
    let guest = guest(&house).await;
    let hurried = guest.copy().at(&in_steps(&house));
    // The first two polls load the session; the third one begins the commit.
    assert!(hang_up(hurried.visit(async |session| write(&session, 2)), 3).await.is_none());
    assert_eq!(pair(&guest).await, OLD, "not stored when the client hung up");
    settle().await;
    assert_eq!(pair(&guest).await, NEW);
}

#[tokio::test]
async fn p10_a_dropped_save_is_applied_exactly_once() {
    for polls in 0..=4 {
        let house = House::open();
        let guest = guest(&house).await;
        let hurried = guest.at(&in_steps(&house));
        let answer = hurried
            .visit(async |session| {
                session.update("a", |value: &mut u32| *value += 1)?;
                let _ = hang_up(session.save(), polls).await;
                session.update("b", |value: &mut u32| *value += 1)
            })
            .await;
        answer.is_ok();
        assert_eq!(pair(&guest).await, NEW, "dropped after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn p10_a_dropped_save_that_never_arrived_is_sent_by_the_commit() {
    let house = House::open();
    let guest = guest(&house).await;
    house.faulty.next(Replace, Fault::Hang);
    let answer = guest
        .visit(async |session| {
            session.update("a", |value: &mut u32| *value += 1)?;
            assert!(hang_up(session.save(), 1).await.is_none());
            session.update("b", |value: &mut u32| *value += 1)
        })
        .await;
    answer.is_ok();
    assert_eq!(pair(&guest).await, NEW);
}

#[tokio::test]
async fn p10_a_dropped_save_of_a_login_ends_in_one_new_ticket() {
    for polls in 0..=6 {
        let house = House::open();
        let guest = guest(&house).await;
        let old = guest.copy();
        let hurried = guest.at(&in_steps(&house));
        let answer = hurried
            .visit(async |session| {
                session.renew().unwrap();
                session.update("a", |value: &mut u32| *value += 1)?;
                drop(hang_up(session.save(), polls).await);
                session.update("b", |value: &mut u32| *value += 1)
            })
            .await;
        assert_eq!(answer.is_ok().set_cookies().len(), 1, "dropped after {polls} polls");
        assert_eq!(pair(&guest).await, NEW, "dropped after {polls} polls");
        assert_eq!(pair(&old).await, NONE, "dropped after {polls} polls");
    }
}

/// A save is dropped while its write is on the network. The write arrives later.
#[tokio::test(start_paused = true)]
async fn p10_a_dropped_save_that_arrives_late_is_applied_exactly_once() {
    let house = House::open();
    let guest = guest(&house).await;
    house.faulty.next(Replace, Fault::Late);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(Load, Fault::Hang);
    let answer = guest
        .visit(async |session| {
            session.update("a", |value: &mut u32| *value += 1)?;
            assert!(hang_up(session.save(), 1).await.is_none());
            house.faulty.deliver().await;
            session.update("b", |value: &mut u32| *value += 1)
        })
        .await;
    answer.is_ok();
    assert_eq!(pair(&guest).await, NEW);
}

#[tokio::test]
async fn p10_a_dropped_logout_is_finished_by_the_commit() {
    for polls in 1..=3 {
        let house = House::open();
        let guest = guest(&house).await;
        let hurried = guest.copy().at(&in_steps(&house));
        let answer = hurried
            .visit(async |session| {
                let _ = hang_up(session.destroy(), polls).await;
                Ok(())
            })
            .await;
        answer.is_ok();
        assert!(answer.set_cookies()[0].contains("Max-Age=0"), "{answer:?}");
        assert_eq!(pair(&guest).await, NONE, "dropped after {polls} polls");
    }
}

#[tokio::test]
async fn p10_a_dropped_load_can_be_repeated() {
    for polls in 0..=3 {
        let house = House::open();
        let guest = guest(&house).await;
        let hurried = guest.at(&in_steps(&house));
        let answer = hurried
            .ask(async |lazy| {
                drop(hang_up(lazy.load(), polls).await);
                let session = lazy.load().await.unwrap();
                cloakroom_testing::respond(session.get::<u32>("a"))
            })
            .await;
        assert_eq!(answer.body, "Some(1)");
    }
}
