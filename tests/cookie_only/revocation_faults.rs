//! Futures that nobody polls, and a record of revocations that the store has lost.

use std::pin::pin;
use std::time::Duration;

use cloakroom::Revoke;
use cloakroom::store::{SessionStore, StoreErrorKind};

use crate::revocation::{Node, STALENESS, memory, refused};
use crate::value;
use cloakroom_testing::Command::{Create, Load};
use cloakroom_testing::{Fault, MINUTE, Trace, settle};

/// Polls each of these futures once, and leaves them all pending.
macro_rules! poll_once {
    ($futures:expr) => {
        for future in &mut $futures {
            let polled = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())
            });
            assert!(polled.await, "it has not ended yet");
        }
    };
}

#[tokio::test(start_paused = true)]
async fn revocations_that_nobody_polls_keep_nothing_from_others() {
    let node = Node::over(&memory());
    let (alice, bob) = (node.login("alice").await, node.login("bob").await);
    node.house.clock.advance(MINUTE);
    let now = node.house.clock.now().into();
    tokio::time::advance(STALENESS).await;
    node.faulty.always(Load, || Fault::Delay(Duration::from_millis(20)));
    let names: Vec<_> = (0..32).map(|n| format!("user-{n}")).collect();
    let mut left: Vec<_> = names
        .iter()
        .map(|name| Box::pin(node.revocations.revoke_before(Revoke::Principal(name), now)))
        .collect();
    poll_once!(left);

    let began = tokio::time::Instant::now();
    assert_eq!(value(&bob).await, Some(1), "who is not revoked goes on");
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    node.revoke(Revoke::Principal("alice")).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(value(&alice).await, None);
    for revoked in left {
        revoked.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn loads_that_nobody_polls_keep_nothing_from_others() {
    let node = Node::over(&memory());
    let bob = node.login("bob").await;
    tokio::time::advance(STALENESS).await;
    node.faulty.always(Load, || Fault::Delay(Duration::from_millis(20)));
    let tabs: Vec<_> = (0..32).map(|_| bob.copy()).collect();
    let mut left: Vec<_> = tabs.iter().map(|tab| Box::pin(value(tab))).collect();
    poll_once!(left);

    let began = tokio::time::Instant::now();
    assert_eq!(value(&bob).await, Some(1));
    node.revoke(Revoke::Principal("alice")).await;
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    for tab in left {
        assert_eq!(tab.await, Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_is_dropped_still_comes_into_force() {
    let node = Node::over(&memory());
    let alice = node.login("alice").await;
    node.house.clock.advance(MINUTE);
    let now = node.house.clock.now().into();
    node.faulty.always(Load, || Fault::Delay(Duration::from_millis(20)));
    {
        let revoking = pin!(node.revocations.revoke_before(Revoke::Principal("alice"), now));
        poll_once!([revoking]);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(value(&alice).await, None);
}

/// A store that loses the record between two loads of it.
async fn lose_the_record(node: &Node) {
    node.store.delete(&node.counting.last_key()).await.unwrap();
    tokio::time::advance(STALENESS).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_process_has_seen_as_revoked_stays_so_when_the_store_loses_the_record() {
    let memory = memory();
    let [west, east] = [Node::over(&memory), Node::over(&memory)];
    let (alice, bob) = (west.login("alice").await, west.login("bob").await);
    west.house.clock.advance(MINUTE);
    east.house.clock.advance(MINUTE);
    west.revoke(Revoke::Principal("alice")).await;
    lose_the_record(&west).await;
    let trace = Trace::listen();
    assert_eq!(value(&alice).await, None, "known here");
    assert_eq!(value(&bob).await, Some(1), "this one asks the store");
    assert_eq!(value(&alice).await, None);
    settle().await;
    let warnings = trace.lines().into_iter().filter(|line| line.starts_with("WARN"));
    let warnings: Vec<_> = warnings.collect();
    assert!(warnings.len() == 1 && warnings[0].contains("lost"), "{warnings:?}");
    assert!(!warnings[0].contains("alice"), "{warnings:?}");
    assert_eq!(value(&east.here(&alice)).await, None, "it was written again, for everybody");
}

#[tokio::test(start_paused = true)]
async fn a_revocation_writes_what_was_lost_together_with_its_own() {
    let memory = memory();
    let node = Node::over(&memory);
    let visitors = [node.login("alice").await, node.login("bob").await, node.house.guest().await];
    node.house.clock.advance(MINUTE);
    node.revoke(Revoke::Principal("alice")).await;
    lose_the_record(&node).await;
    node.revoke(Revoke::Principal("bob")).await;
    let fresh = Node::over(&memory);
    let values = [
        value(&fresh.here(&visitors[0])).await,
        value(&fresh.here(&visitors[1])).await,
        value(&fresh.here(&visitors[2])).await,
    ];
    assert_eq!(values, [None, None, Some(1)]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_again_is_tried_again_and_stays_revoked_here() {
    let memory = memory();
    let node = Node::over(&memory);
    let (alice, bob) = (node.login("alice").await, node.login("bob").await);
    node.house.clock.advance(MINUTE);
    node.revoke(Revoke::All).await;
    let carol = node.login("carol").await;
    lose_the_record(&node).await;
    node.faulty.always(Create, || Fault::Fail(StoreErrorKind::Denied));
    assert_eq!(value(&carol).await, Some(1));
    settle().await;
    assert_eq!((value(&alice).await, value(&bob).await), (None, None));
    node.faulty.clear_faults();
    tokio::time::advance(STALENESS).await;
    assert_eq!(value(&carol).await, Some(1));
    settle().await;
    let fresh = Node::over(&memory);
    assert_eq!(value(&fresh.here(&alice)).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_is_known_to_be_revoked_is_so_during_an_outage_and_costs_nothing() {
    let node = Node::over(&memory());
    let (alice, bob) = (node.login("alice").await, node.login("bob").await);
    node.house.clock.advance(MINUTE);
    node.revoke(Revoke::Principal("alice")).await;
    node.faulty.always(Load, || Fault::Fail(StoreErrorKind::Unavailable));
    tokio::time::advance(STALENESS).await;
    node.counting.take();
    assert_eq!(value(&alice).await, None);
    assert_eq!(node.counting.take(), []);
    refused(&bob.visit(async |session| session.get::<u32>("k")).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_forgotten_when_its_sessions_are_over() {
    let kept = 10 * MINUTE;
    let node = Node::keeping(&memory(), kept);
    let bob = node.login("bob").await;
    node.house.clock.advance(MINUTE);
    node.revoke(Revoke::Principal("alice")).await;
    node.clock.advance(MINUTE + kept);
    lose_the_record(&node).await;
    node.counting.take();
    assert_eq!(value(&bob).await, Some(1));
    settle().await;
    assert_eq!(node.counting.take(), [Load], "nothing that matters was lost");
}

#[tokio::test(start_paused = true)]
async fn a_load_that_began_before_a_revocation_finds_nothing_lost() {
    let node = Node::over(&memory());
    let (alice, bob) = (node.login("alice").await, node.login("bob").await);
    node.house.clock.advance(MINUTE);
    tokio::time::advance(STALENESS).await;
    node.counting.take();
    node.faulty.next(Load, Fault::Delay(Duration::from_millis(100)));
    let trace = Trace::listen();
    let mut asks = Box::pin(value(&bob));
    poll_once!([asks.as_mut()]);
    settle().await;
    node.revoke(Revoke::Principal("alice")).await;
    assert_eq!(asks.await, Some(1));
    settle().await;
    assert_eq!(value(&alice).await, None);
    assert_eq!(node.counting.take(), [Load, Load, Create]);
    assert!(!trace.lines().concat().contains("WARN"), "{:?}", trace.lines());
}
