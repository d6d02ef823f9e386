//! "Log out everywhere" and its costs.

use std::time::Duration;

use cloakroom::store::{MemoryStore, StoreErrorKind};
use cloakroom::{
    CookieSessions, ManualClock, OutagePolicy, Revocations, Revoke, SessionError, SessionLayer,
};
use http::StatusCode;

use crate::{key, value};
use cloakroom_testing::Command::{Create, Load, Replace};
use cloakroom_testing::{
    Answer, COOKIE, Counting, Fault, Faulty, House, MINUTE, Visitor, all, clock,
};

pub(crate) const STALENESS: Duration = Duration::from_secs(10);

/// Returns a layer like that of another process: it shares the record of revocations, but has its
/// own copy.
pub(crate) struct Node {
    pub(crate) house: House,
    /// The clock of the revocations.
    pub(crate) clock: ManualClock,
    pub(crate) revocations: Revocations,
    pub(crate) store: MemoryStore,
    pub(crate) faulty: Faulty,
    pub(crate) counting: Counting,
}

impl Node {
    pub(crate) fn over(memory: &MemoryStore) -> Self {
        Self::keeping(memory, 400 * 24 * 60 * MINUTE)
    }

    /// Returns a node that keeps revocations for this time.
    pub(crate) fn keeping(memory: &MemoryStore, kept: Duration) -> Self {
        let store = memory.clone();
        let faulty = Faulty::new(memory.clone());
        let counting = Counting::new(faulty.clone());
        let revocations = Revocations::builder(counting.clone()).staleness(STALENESS).kept(kept);
        let clock = clock();
        let revocations = revocations.clock(clock.clone()).build();
        let house = House::in_cookies(CookieSessions::signed());
        let house = house.with(|layer| layer.revocations(revocations.clone()));
        Self { house, clock, revocations, store, faulty, counting }
    }

    pub(crate) fn here(&self, visitor: &Visitor) -> Visitor {
        visitor.copy().at(&self.house.layer)
    }

    pub(crate) async fn revoke(&self, whose: Revoke<'_>) {
        let now = self.house.clock.now().into();
        self.revocations.revoke_before(whose, now).await.unwrap();
    }

    pub(crate) async fn login(&self, user: &str) -> Visitor {
        let visitor = self.house.guest().await;
        let user = user.to_owned();
        visitor.visit(async move |session| session.log_in(&user).await).await.is_ok();
        visitor
    }
}

#[track_caller]
pub(crate) fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert!(matches!(answer.error, Some(SessionError::Store(_))), "{answer:?}");
}

pub(crate) fn memory() -> MemoryStore {
    MemoryStore::builder().clock(clock()).build()
}

#[tokio::test(start_paused = true)]
async fn a_revoked_principal_is_logged_out_everywhere_and_nobody_else_is() {
    let memory = memory();
    let [west, east] = [Node::over(&memory), Node::over(&memory)];
    let (alice, bob) = (west.login("alice").await, west.login("bob").await);
    let anonymous = west.house.guest().await;
    let stolen = alice.copy();
    west.house.clock.advance(MINUTE);
    west.revoke(Revoke::Principal("alice")).await;
    for node in [&west, &east] {
        assert_eq!(value(&node.here(&stolen)).await, None);
        assert_eq!(value(&node.here(&bob)).await, Some(1));
        assert_eq!(value(&node.here(&anonymous)).await, Some(1));
    }
    let again = west.login("alice").await;
    assert_eq!(value(&east.here(&again)).await, Some(1), "a new login is not revoked");
    west.house.clock.advance(MINUTE);
    west.revoke(Revoke::All).await;
    tokio::time::advance(STALENESS).await;
    for visitor in [&again, &bob, &anonymous] {
        assert_eq!(value(&east.here(visitor)).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_handle_learns_that_it_is_revoked() {
    let node = Node::over(&memory());
    let alice = node.login("alice").await;
    let answer = alice.visit(async |session| {
        node.house.clock.advance(MINUTE);
        node.revoke(Revoke::Principal("alice")).await;
        assert!(matches!(session.reload().await, Err(SessionError::Gone)));
        assert_eq!(session.principal(), None);
        Ok(())
    });
    answer.await.is_ok();
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_renews_its_own_session_keeps_it() {
    let node = Node::over(&memory());
    let alice = node.login("alice").await;
    let elsewhere = alice.copy();
    node.house.clock.advance(MINUTE);
    let (revocations, now) = (node.revocations.clone(), node.house.clock.now());
    let answer = alice.visit(async move |session| {
        revocations.revoke_before(Revoke::Principal("alice"), now.into()).await?;
        session.log_in("alice").await?;
        Ok(())
    });
    answer.await.is_ok();
    assert_eq!((value(&alice).await, value(&elsewhere).await), (Some(1), None));
}

#[tokio::test(start_paused = true)]
async fn a_revocation_is_in_force_elsewhere_within_the_staleness_and_not_a_load_sooner() {
    let memory = memory();
    let [west, east] = [Node::over(&memory), Node::over(&memory)];
    let alice = west.login("alice").await;
    assert_eq!(value(&east.here(&alice)).await, Some(1));
    west.house.clock.advance(MINUTE);
    west.revoke(Revoke::Principal("alice")).await;
    tokio::time::advance(STALENESS - Duration::from_millis(1)).await;
    assert_eq!(value(&east.here(&alice)).await, Some(1), "not known here yet");
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(value(&east.here(&alice)).await, None);
    assert_eq!(east.counting.take(), [Load, Load]);
}

#[tokio::test(start_paused = true)]
async fn at_most_one_load_per_staleness_interval_however_many_requests() {
    let node = Node::over(&memory());
    let guest = node.house.guest().await;
    assert_eq!(node.counting.take(), [], "a first visit asks nothing");
    for _ in 0..3 {
        let guests: Vec<_> = (0..100).map(|_| guest.copy()).collect();
        let values = all(guests.iter().map(value)).await;
        assert_eq!(values, [Some(1); 100]);
        assert_eq!(node.counting.take(), [Load]);
        tokio::time::advance(STALENESS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn p1_p2_nobody_without_a_valid_cookie_costs_a_command() {
    let node = Node::over(&memory());
    let guest = node.house.guest().await;
    let forger = node.house.visitor();
    forger.set_cookie(COOKIE, &format!("{}A", guest.ticket()));
    assert_eq!((value(&forger).await, value(&node.house.visitor()).await), (None, None));
    guest.ask(async |_| cloakroom_testing::reply(StatusCode::OK)).await;
    node.house.clock.advance(30 * MINUTE);
    assert_eq!(value(&guest).await, None, "an expired one neither");
    assert_eq!(node.counting.take(), []);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_out_nobody_is_believed_and_it_is_asked_once_a_second() {
    let node = Node::over(&memory());
    let guest = node.house.guest().await;
    node.faulty.always(Load, || Fault::Fail(StoreErrorKind::Unavailable));
    for _ in 0..50 {
        refused(&guest.visit(async |session| session.get::<u32>("k")).await);
    }
    assert_eq!(node.counting.take(), [Load]);
    tokio::time::advance(Duration::from_secs(1)).await;
    refused(&guest.visit(async |session| session.get::<u32>("k")).await);
    assert_eq!(node.counting.take(), [Load]);
    let anonymous = node.house.layer.clone().on_outage(|_| OutagePolicy::Anonymous);
    let as_anonymous = guest.copy().at(&anonymous);
    assert_eq!(value(&as_anonymous).await, None, "as the app has chosen");
    node.faulty.clear_faults();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(value(&guest).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_waited_for_no_longer_than_one_operation() {
    let node = Node::over(&memory());
    let guest = node.house.guest().await;
    node.faulty.always(Load, || Fault::Hang);
    let start = tokio::time::Instant::now();
    let guests: Vec<_> = (0..20).map(|_| guest.copy()).collect();
    let asked = guests.iter().map(|guest| guest.visit(async |session| session.get::<u32>("k")));
    for answer in all(asked).await {
        refused(&answer);
    }
    assert!(start.elapsed() <= Duration::from_millis(2_100), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_known_freshly_outlasts_an_outage() {
    let node = Node::over(&memory());
    let alice = node.login("alice").await;
    value(&alice).await;
    node.faulty.always(Load, || Fault::Fail(StoreErrorKind::Unavailable));
    tokio::time::advance(STALENESS - Duration::from_millis(1)).await;
    assert_eq!(value(&alice).await, Some(1));
}

#[tokio::test]
async fn revocations_that_meet_all_count() {
    let memory = memory();
    let nodes = [Node::over(&memory), Node::over(&memory), Node::over(&memory)];
    let names: Vec<_> = (0..30).map(|n| format!("user-{n}")).collect();
    let mut visitors = Vec::new();
    for name in &names {
        visitors.push(nodes[0].login(name).await);
    }
    for node in &nodes {
        node.house.clock.advance(MINUTE);
    }
    let revoke = |(at, name): (usize, &String)| {
        let node = &nodes[at % 3];
        let name = name.clone();
        async move { node.revoke(Revoke::Principal(&name)).await }
    };
    all(names.iter().enumerate().map(revoke)).await;
    let fresh = Node::over(&memory);
    for visitor in &visitors {
        assert_eq!(value(&fresh.here(visitor)).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_whose_answer_was_lost_is_looked_up() {
    for fault in [|| Fault::LoseReply, || Fault::LoseRequest] {
        for command in [Create, Replace] {
            let node = Node::over(&memory());
            let alice = node.login("alice").await;
            node.house.clock.advance(MINUTE);
            if command == Replace {
                node.revoke(Revoke::Principal("bob")).await;
            }
            node.faulty.next(command, fault());
            node.revoke(Revoke::Principal("alice")).await;
            assert!(node.faulty.is_spent());
            assert_eq!(value(&alice).await, None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_cannot_be_stored_is_an_error() {
    let node = Node::over(&memory());
    for (command, kind) in [
        (Load, StoreErrorKind::Unavailable),
        (Create, StoreErrorKind::Denied),
        (Create, StoreErrorKind::TooLarge),
    ] {
        node.faulty.next(command, Fault::Fail(kind));
        let now = node.house.clock.now().into();
        let refused = node.revocations.revoke_before(Revoke::All, now).await;
        assert!(refused.is_err(), "{command:?} {kind:?}");
    }
    node.faulty.always(Create, || Fault::LoseRequest);
    let now = node.house.clock.now().into();
    let start = tokio::time::Instant::now();
    let lost = node.revocations.revoke_before(Revoke::All, now).await;
    assert!(lost.is_err() && start.elapsed() <= Duration::from_millis(5_100));
}

#[tokio::test]
async fn a_login_that_was_revoked_begins_anew_with_its_next_change() {
    let node = Node::over(&memory());
    let alice = node.login("alice").await;
    node.house.clock.advance(MINUTE);
    node.revoke(Revoke::All).await;
    let answer = alice.visit(async |session| {
        assert!(session.is_new() && session.principal().is_none());
        session.insert("other", &1_u32)
    });
    assert_eq!(answer.await.is_ok().set_cookies().len(), 1);
    assert_eq!(alice.visit(async |session| Ok(session.keys())).await.body, "[\"other\"]");
}

#[tokio::test]
async fn without_revocations_there_is_no_store_to_ask() {
    let layer = SessionLayer::new(CookieSessions::signed(), key(7));
    assert!(!format!("{layer:?}").contains("Store("), "{layer:?}");
}
