//! Sessions on two servers: what a visitor sees late, and that nothing is lost or decided by an old read.

use cloakroom::{LazySession, Session, SessionError, SessionLayer};
use cloakroom_testing::Command::{Create, Load, Replace, Touch};
use cloakroom_testing::{Answer, MINUTE, Visitor, respond};

use crate::shop::{MILLISECOND, SECOND, Shop};

/// Two layers, and a visitor whose session holds `k = 1`. West has it in memory.
struct Town {
    shop: Shop,
    west: SessionLayer,
    east: SessionLayer,
    visitor: Visitor,
}

impl Town {
    async fn new() -> Self {
        Self::with(Shop::new(), |layer| layer).await
    }

    async fn with(shop: Shop, layer: impl Fn(SessionLayer) -> SessionLayer) -> Self {
        let (west, east) = (layer(shop.layer(&shop.west)), layer(shop.layer(&shop.east)));
        let visitor = Visitor::new(west.clone());
        visitor.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
        assert_eq!(shop.trips(), [Create]);
        Self { shop, west, east, visitor }
    }

    fn on_west(&self) -> Visitor {
        self.visitor.at(&self.west)
    }

    fn on_east(&self) -> Visitor {
        self.visitor.at(&self.east)
    }
}

async fn set(visitor: &Visitor, value: u32) -> Answer {
    visitor.visit(async |session| session.insert("k", &value)).await
}

async fn add(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.update("k", |k: &mut u32| *k += 1)).await
}

async fn get(visitor: &Visitor) -> String {
    visitor.visit(async |session| session.get::<u32>("k")).await.is_ok().body.clone()
}

async fn get_fresh(visitor: &Visitor) -> String {
    let read = async |lazy: LazySession| lazy.load_fresh().await?.get::<u32>("k");
    visitor.ask(async |lazy| respond(read(lazy).await)).await.is_ok().body.clone()
}

async fn log_out(visitor: &Visitor) {
    visitor.visit(async |session| session.destroy().await).await.is_ok();
}

#[tokio::test]
async fn reads_are_no_trip_within_the_staleness_and_one_after_it() {
    let Town { shop, visitor, .. } = &Town::new().await;
    for _ in 0..10 {
        assert_eq!(get(visitor).await, "Some(1)");
    }
    shop.no_trips();
    shop.pass_staleness();
    for _ in 0..10 {
        assert_eq!(get(visitor).await, "Some(1)");
    }
    assert_eq!(shop.trips(), [Load]);
}

#[tokio::test]
async fn a_write_is_one_trip_where_the_session_is_held() {
    let Town { shop, visitor, .. } = &Town::new().await;
    add(visitor).await.is_ok();
    assert_eq!(shop.trips(), [Replace]);
    assert_eq!(get(visitor).await, "Some(2)");
    shop.no_trips();
}

#[tokio::test]
async fn an_old_read_ends_in_a_merge() {
    let town = Town::new().await;
    add(&town.on_east()).await.is_ok();
    assert_eq!(
        get(&town.on_west()).await,
        "Some(1)",
        "the change of the other server is not seen yet"
    );
    add(&town.on_west()).await.is_ok();
    assert_eq!(town.shop.trips(), [Replace, Replace]);
    assert_eq!(get(&town.on_west()).await, "Some(3)");
    town.shop.no_trips();
}

#[tokio::test]
async fn a_change_on_top_of_an_old_value_is_a_conflict_and_of_a_fresh_one_is_not() {
    let town = Town::new().await;
    let read_and_set = async |session: Session| {
        let value = session.get::<u32>("k")?.unwrap_or_default();
        session.insert("k", &(value + 10))
    };
    add(&town.on_east()).await.is_ok();
    let answer = town.on_west().visit(read_and_set).await;
    assert!(matches!(answer.error, Some(SessionError::Conflict { .. })), "{answer:?}");
    // The refused write has shown what is there, so the next attempt of the client is based on it.
    town.on_west().visit(read_and_set).await.is_ok();
    assert_eq!(get(&town.on_west()).await, "Some(12)");

    add(&town.on_east()).await.is_ok();
    let fresh = async |lazy: LazySession| read_and_set(lazy.load_fresh().await?).await;
    town.on_west().ask(async |lazy| respond(fresh(lazy).await)).await.is_ok();
    assert_eq!(get(&town.on_west()).await, "Some(23)");
}

/// "It is there already, so there is nothing to write" would be believing an old read: the change that the other
/// server has acknowledged before would win over this later one.
#[tokio::test]
async fn a_change_that_leaves_an_old_record_as_it_was_is_stored() {
    let town = Town::new().await;
    set(&town.on_east(), 2).await.is_ok();
    set(&town.on_west(), 1).await.is_ok();
    assert_eq!(town.shop.trips(), [Replace, Replace]);
    town.shop.pass_staleness();
    assert_eq!(get(&town.on_east()).await, "Some(1)");
}

#[tokio::test]
async fn a_change_that_leaves_a_fresh_record_as_it_was_is_no_write() {
    let town = Town::new().await;
    town.shop.pass_staleness();
    set(&town.on_west(), 1).await.is_ok();
    assert_eq!(town.shop.trips(), [Load]);
}

#[tokio::test]
async fn a_save_acknowledges_no_old_read() {
    let town = Town::new().await;
    log_out(&town.on_east().copy()).await;
    let answer = town.on_west().visit(async |session| session.save().await).await;
    answer.is_gone();
    assert_eq!(town.shop.trips(), [Load]);
}

#[tokio::test]
async fn after_a_logout_elsewhere_reads_go_on_for_the_staleness_and_writes_do_not() {
    let town = Town::new().await;
    town.shop.pass(MILLISECOND);
    log_out(&town.on_east().copy()).await;
    assert_eq!(get(&town.on_west()).await, "Some(1)");
    town.shop.pass(SECOND - 2 * MILLISECOND);
    assert_eq!(get(&town.on_west()).await, "Some(1)");
    add(&town.on_west()).await.is_gone();
    assert_eq!(get(&town.on_west()).await, "None", "the write has shown that the session is over");

    let town = Town::new().await;
    log_out(&town.on_east().copy()).await;
    town.shop.pass_staleness();
    assert_eq!(get(&town.on_west()).await, "None");
    town.shop.pass(MINUTE);
    assert_eq!(get(&town.on_west()).await, "None", "its mark is over too");
}

#[tokio::test]
async fn every_way_to_ask_the_store_learns_of_a_logout_at_once() {
    for way in ["renew", "touch", "reload", "log_out_keeping_data"] {
        let town = Town::new().await;
        log_out(&town.on_east().copy()).await;
        let ask = async |session: Session| match way {
            "renew" => session.renew(),
            "touch" => session.touch().await,
            "reload" => session.reload().await,
            _ => {
                session.log_out_keeping_data()?;
                session.remove("k")
            }
        };
        town.on_west().visit(ask).await.is_gone();
    }
}

#[tokio::test]
async fn a_login_over_an_old_read_begins_anew() {
    let town = Town::new().await;
    let tab = town.on_east().copy();
    tab.visit(async |session| session.log_in("ada").await).await.is_ok();
    // This tab has the old cookie, and the same user logs in.
    town.on_west().visit(async |session| session.log_in("ada").await).await.is_ok();
    for visitor in [town.on_west(), tab.at(&town.west)] {
        let who =
            visitor.visit(async |session| Ok((session.principal(), session.get::<u32>("k")?)));
        assert_eq!(who.await.body, r#"(Some("ada"), Some(1))"#);
    }
}

#[tokio::test]
async fn a_login_elsewhere_leaves_its_old_id_to_readers_for_the_staleness() {
    let town = Town::new().await;
    let thief = town.on_west().copy();
    town.on_east().visit(async |session| session.log_in("ada").await).await.is_ok();
    let who =
        async |visitor: &Visitor| visitor.visit(async |session| Ok(session.principal())).await.body;
    assert_eq!(
        who(&town.on_west()).await,
        r#"Some("ada")"#,
        "nobody has asked for the new id before"
    );
    assert_eq!(get(&thief).await, "Some(1)");
    assert_eq!(who(&thief).await, "None", "never the new session");
    add(&thief).await.is_gone();

    let town = Town::new().await;
    let thief = town.on_west().copy();
    town.on_east().visit(async |session| session.log_in("ada").await).await.is_ok();
    town.shop.pass_staleness();
    assert_eq!(get(&thief).await, "None");
}

#[tokio::test]
async fn a_fresh_load_goes_past_the_memory() {
    let town = Town::new().await;
    add(&town.on_east()).await.is_ok();
    assert_eq!(get(&town.on_west()).await, "Some(1)");
    assert_eq!(get_fresh(&town.on_west()).await, "Some(2)");
    assert_eq!(town.shop.trips(), [Load]);
    assert_eq!(get(&town.on_west()).await, "Some(2)", "and what it found is held");
    town.shop.no_trips();

    log_out(&town.on_east().copy()).await;
    assert_eq!(get_fresh(&town.on_west()).await, "None", "a new visitor, not an error");
    town.on_west().visit(async |session| session.insert("k", &9_u32)).await.is_ok();
}

#[tokio::test]
async fn a_fresh_load_after_one_from_memory_reloads() {
    let town = Town::new().await;
    add(&town.on_east()).await.is_ok();
    let both = async |lazy: LazySession| {
        let session = lazy.load().await?;
        let before = session.get::<u32>("k")?;
        session.insert("other", &true)?;
        lazy.load_fresh().await?;
        let after = session.get::<u32>("k")?;
        lazy.load_fresh().await?; // it is fresh already
        Ok((before, after))
    };
    let answer = town.on_west().ask(async |lazy| respond(both(lazy).await)).await;
    assert_eq!(answer.is_ok().body, "(Some(1), Some(2))");
    assert_eq!(town.shop.trips(), [Load, Replace]);

    log_out(&town.on_east().copy()).await;
    let answer = town.on_west().ask(async |lazy| respond(both(lazy).await)).await;
    answer.is_gone();
}

#[tokio::test]
async fn without_a_memory_a_fresh_load_is_a_load() {
    let house = cloakroom_testing::House::open();
    let guest = house.guest().await;
    assert_eq!(get_fresh(&guest).await, "Some(1)");
    assert_eq!(house.counting.take(), [Load]);
}

#[tokio::test]
async fn a_reload_shows_what_another_server_has_stored() {
    let town = Town::new().await;
    add(&town.on_east()).await.is_ok();
    let reloaded = async |session: Session| {
        let before = session.get::<u32>("k")?;
        session.reload().await?;
        Ok((before, session.get::<u32>("k")?))
    };
    let answer = town.on_west().visit(reloaded).await;
    assert_eq!(answer.is_ok().body, "(Some(1), Some(2))");
    assert_eq!(town.shop.trips(), [Load]);
}

#[tokio::test]
async fn a_logout_on_top_of_an_old_read_ends_what_is_there() {
    let town = Town::new().await;
    add(&town.on_east()).await.is_ok();
    log_out(&town.on_west()).await;
    assert_eq!(town.shop.trips(), [Replace, Replace]);
    town.shop.pass_staleness();
    assert_eq!(get(&town.on_east()).await, "None");

    // It has got a new id since, and this server does not know.
    let town = Town::new().await;
    let tab = town.on_east().copy();
    tab.visit(async |session| session.renew()).await.is_ok();
    log_out(&town.on_west()).await;
    town.shop.pass_staleness();
    assert_eq!(get(&tab).await, "None");
}

/// The session is over by this layer's shorter idle timeout as it is held, and was used on another server since.
#[tokio::test]
async fn a_session_that_seems_over_by_an_old_read_is_asked_for_again() {
    let town = Town::with(Shop::with(MINUTE), |layer| layer).await;
    let short = town.shop.layer(&town.shop.west).idle_timeout(MINUTE / 2);
    town.shop.pass(MINUTE / 4);
    add(&town.on_east()).await.is_ok();
    town.shop.pass(MINUTE / 4);
    assert_eq!(get(&town.visitor.at(&short)).await, "Some(2)");
    // Half of the timeout is over by now, so it is moved too.
    assert_eq!(town.shop.trips(), [Load, Touch]);
}

/// The mark of a renewal lives for a minute here. A handle whose read is older than it knows would take the place
/// where the mark was for the end of its session.
#[tokio::test]
async fn a_logout_counts_the_age_of_its_read() {
    let town = Town::with(Shop::with(MINUTE), |layer| layer.idle_timeout(MINUTE)).await;
    let tab = town.on_east().copy();
    town.shop.pass(SECOND);
    tab.visit(async |session| session.renew()).await.is_ok();
    town.shop.pass(58 * SECOND);
    let answer = town
        .on_west()
        .visit(async |session| {
            assert_eq!(session.get::<u32>("k")?, Some(1));
            assert_eq!(get(&tab).await, "Some(1)");
            town.shop.pass(41 * SECOND);
            session.destroy().await
        })
        .await;
    assert!(matches!(answer.error, Some(SessionError::Unconfirmed(_))), "{answer:?}");
    assert_eq!(get(&tab).await, "Some(1)");
}

#[tokio::test]
async fn a_read_from_memory_moves_the_idle_timeout_when_it_is_due() {
    let town = Town::with(Shop::with(MINUTE), |layer| layer.idle_timeout(MINUTE)).await;
    for _ in 0..5 {
        town.shop.pass(MINUTE * 3 / 4);
        assert_eq!(get(&town.on_west()).await, "Some(1)");
        // The touch has shown that it is there, so it is held for a minute more.
        assert_eq!(town.shop.trips(), [Touch]);
    }
}

#[tokio::test]
async fn a_mark_that_is_held_costs_a_trip_and_is_never_the_answer() {
    let town = Town::new().await;
    let thief = town.on_west().copy();
    log_out(&town.on_west()).await;
    assert_eq!(town.shop.trips(), [Replace]);
    for _ in 0..2 {
        assert_eq!(get(&thief).await, "None");
        assert_eq!(town.shop.trips(), [Load]);
    }
}

#[tokio::test]
async fn several_tickets_are_loaded_from_the_store() {
    let town = Town::new().await;
    let other = Visitor::new(town.west.clone());
    set(&other, 7).await.is_ok();
    town.shop.trips();
    let both =
        format!("{}; {}={}", town.visitor.ticket(), cloakroom_testing::COOKIE, other.ticket());
    let two = Visitor::new(town.west.clone());
    two.set_cookie(cloakroom_testing::COOKIE, &both);
    get(&two).await;
    assert_eq!(town.shop.trips(), [Load, Load]);
}
