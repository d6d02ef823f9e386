//! Each fault, as the store's caller meets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom::Timestamp;
use cloakroom::store::StoreErrorKind::{Indeterminate, TooLarge, Unavailable};
use cloakroom::store::{
    CommitId, Created, MemoryStore, NewEntry, SessionStore, StoreError, StoreKey,
};
use cloakroom::testing::{CommandKind, Commands, Fault, FaultyStore};
use tokio::time::Instant;

const KEY: StoreKey = StoreKey::from_bytes([1; 32]);

fn store() -> FaultyStore {
    FaultyStore::new(MemoryStore::new())
}

async fn create(store: &FaultyStore) -> Result<Created, StoreError> {
    let entry = NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::MAX, "bytes");
    store.create(&KEY, &entry).await
}

async fn is_there(store: &FaultyStore) -> bool {
    store.load(&KEY).await.unwrap().is_some()
}

#[tokio::test(start_paused = true)]
async fn each_fault_does_what_its_name_says() {
    for (fault, kind, is_applied) in [
        (Fault::Pass, None, true),
        (Fault::Delay(Duration::from_secs(1)), None, true),
        (Fault::Fail(Unavailable), Some(Unavailable), false),
        (Fault::Fail(TooLarge), Some(TooLarge), false),
        (Fault::LoseReply, Some(Indeterminate), true),
        (Fault::LoseRequest, Some(Indeterminate), false),
        (Fault::Late, Some(Indeterminate), false),
        (Fault::after(|| async {}), None, true),
    ] {
        let (store, text) = (store(), format!("{fault:?}"));
        store.next(CommandKind::Create, fault);
        let result = create(&store).await;
        assert_eq!(result.err().map(|error| error.kind()), kind, "{text}");
        assert_eq!(is_there(&store).await, is_applied, "{text}");
        assert!(store.is_spent());
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_takes_its_time_and_a_hang_all_time() {
    let (store, began) = (store(), Instant::now());
    store.next(CommandKind::Create, Fault::Delay(Duration::from_secs(3)));
    create(&store).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    store.next(CommandKind::Load, Fault::Hang);
    let hanging = tokio::time::timeout(Duration::from_secs(3600), store.load(&KEY));
    assert!(hanging.await.is_err());
}

#[tokio::test]
async fn a_late_command_is_applied_when_it_is_delivered() {
    let store = store();
    store.next(CommandKind::Create, Fault::Late);
    create(&store).await.unwrap_err();
    store.clear_faults(); // does not recall it
    assert!(!is_there(&store).await);
    store.deliver().await;
    assert!(is_there(&store).await);
}

#[tokio::test]
#[should_panic = "no command of this store is late"]
async fn nothing_late_cannot_be_delivered() {
    store().deliver().await;
}

#[tokio::test]
async fn faults_meet_the_commands_in_turn() {
    let store = store();
    store.nth(CommandKind::Load, 3, Fault::Fail(TooLarge));
    store.next(CommandKind::Load, Fault::Fail(Unavailable));
    store.nth(CommandKind::Delete, 0, Fault::Fail(Unavailable));
    store.next(CommandKind::Load, Fault::LoseRequest);
    let mut met = Vec::new();
    for _ in 0..4 {
        met.push(store.load(&KEY).await.err().map(|error| error.kind()));
    }
    assert_eq!(met, [Some(Unavailable), Some(Indeterminate), Some(TooLarge), None]);
    assert!(!store.is_spent());
    assert!(store.delete(&KEY).await.is_err());
    assert!(store.is_spent());
}

#[tokio::test]
async fn a_fault_that_is_due_beside_another_waits_for_the_next_command() {
    let store = store();
    store.nth(Commands::All, 2, Fault::Fail(Unavailable));
    store.nth(CommandKind::Load, 2, Fault::Fail(TooLarge));
    store.load(&KEY).await.unwrap();
    assert_eq!(store.load(&KEY).await.unwrap_err().kind(), Unavailable);
    assert_eq!(store.load(&KEY).await.unwrap_err().kind(), TooLarge);
}

#[tokio::test]
async fn the_last_rule_for_a_command_counts_until_the_faults_are_cleared() {
    let (store, calls) = (store(), Arc::new(AtomicUsize::new(0)));
    store.outage();
    let counted = calls.clone();
    store.always(CommandKind::Load, move || match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Fault::Fail(TooLarge),
        _ => Fault::Pass,
    });
    store.next(CommandKind::Load, Fault::LoseRequest);
    assert_eq!(store.load(&KEY).await.unwrap_err().kind(), Indeterminate);
    assert_eq!(store.load(&KEY).await.unwrap_err().kind(), TooLarge);
    assert!(store.load(&KEY).await.is_ok());
    assert_eq!(create(&store).await.unwrap_err().kind(), Unavailable);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!(store.is_spent(), "rules are no debt");
    store.clear_faults();
    create(&store).await.unwrap();
}

#[tokio::test]
async fn what_an_action_does_goes_through_the_store_too() {
    let store = store();
    let inside = store.clone();
    store.next(
        CommandKind::Load,
        Fault::after(move || async move {
            create(&inside).await.unwrap();
        }),
    );
    assert!(is_there(&store).await);
}
