//! The requests that each kind of app request sends to DynamoDB, counted where they leave the SDK.

use cloakroom::{Clock, Key, ManualClock, SessionLayer};

use crate::emulator::Table;
use crate::wire::Fate;
use cloakroom_testing::{COOKIE, MINUTE, Visitor, patient, respond};

pub struct House {
    pub table: Table,
    pub clock: ManualClock,
    pub layer: SessionLayer,
}

impl House {
    pub async fn open() -> Self {
        let table = Table::in_process().await;
        let clock = ManualClock::at(Clock::system().now());
        let store = table.store().clock(clock.clone()).build().unwrap();
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let layer = patient(SessionLayer::new(store, key).clock(clock.clone()));
        Self { table, clock, layer }
    }

    pub async fn guest(&self) -> Visitor {
        let guest = Visitor::new(self.layer.clone());
        guest.visit(async |session| session.insert("k", &0_u32)).await.is_ok();
        self.table.wire.take();
        guest
    }

    #[track_caller]
    fn sent<const N: usize>(&self, operations: [&str; N]) {
        assert_eq!(self.table.wire.take(), operations);
    }
}

#[tokio::test]
async fn an_unused_session_and_a_forged_cookie_send_nothing() {
    let house = House::open().await;
    let guest = house.guest().await;
    guest.ask(async |_| respond(Ok(()))).await.is_ok();
    house.sent([]);

    let mut forged = guest.ticket();
    forged.replace_range(10..11, if &forged[10..11] == "A" { "B" } else { "A" });
    guest.set_cookie(COOKIE, &forged);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([]);
}

#[tokio::test]
async fn a_read_is_one_request_and_moving_the_idle_timeout_one_more() {
    let house = House::open().await;
    let guest = house.guest().await;
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent(["GetItem"]);
    house.clock.advance(5 * MINUTE);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent(["GetItem", "UpdateItem"]);
}

#[tokio::test]
async fn a_write_is_two_requests_and_a_new_session_one() {
    let house = House::open().await;
    let guest = house.guest().await;
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    house.sent(["GetItem", "PutItem"]);
    house.guest().await;
    let newcomer = Visitor::new(house.layer.clone());
    newcomer.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    house.sent(["PutItem"]);
}

#[tokio::test]
async fn a_renewal_is_three_requests_and_a_logout_two() {
    let house = House::open().await;
    let guest = house.guest().await;
    let login = async |session: cloakroom::Session| {
        session.renew().unwrap();
        session.insert("k", &8_u32)
    };
    guest.visit(login).await.is_ok();
    house.sent(["GetItem", "PutItem", "PutItem"]);
    guest.visit(async |session| session.destroy().await).await.is_ok();
    house.sent(["GetItem", "PutItem"]);
}

#[tokio::test]
async fn a_conflict_is_one_request_more_and_no_second_read() {
    let house = House::open().await;
    let guest = house.guest().await;
    let handler = async |session: cloakroom::Session| {
        session.update("k", |count: &mut u32| *count += 1)?;
        guest.visit(async |other| other.insert("other", &1_u32)).await.is_ok();
        Ok(())
    };
    guest.visit(handler).await.is_ok();
    house.sent(["GetItem", "GetItem", "PutItem", "PutItem", "PutItem"]);
    let both = async |session: cloakroom::Session| {
        Ok((session.get::<u32>("k")?, session.get::<u32>("other")?))
    };
    assert_eq!(guest.visit(both).await.body, "(Some(1), Some(1))");
}

/// One read shows whether the write was applied; nothing is sent twice.
#[tokio::test]
async fn a_lost_answer_is_one_read_more_and_no_second_write() {
    let house = House::open().await;
    for (fate, operations) in [
        (Fate::ReplyLost, vec!["GetItem", "PutItem", "GetItem"]),
        (Fate::Answered(500), vec!["GetItem", "PutItem", "GetItem"]),
        (Fate::Answered(503), vec!["GetItem", "PutItem", "GetItem"]),
        (Fate::Lost, vec!["GetItem", "PutItem", "GetItem", "PutItem"]),
        (
            Fate::Refused(500, "InternalServerError"),
            vec!["GetItem", "PutItem", "GetItem", "PutItem"],
        ),
    ] {
        let guest = house.guest().await;
        house.table.wire.once("PutItem", fate.clone());
        let add =
            async |session: cloakroom::Session| session.update("k", |count: &mut u32| *count += 1);
        guest.visit(add).await.is_ok();
        assert_eq!(house.table.wire.take(), operations, "{fate:?}");
        let count = guest.visit(async |session| session.get::<u32>("k")).await.body;
        assert_eq!(count, "Some(1)", "{fate:?}");
    }
}
