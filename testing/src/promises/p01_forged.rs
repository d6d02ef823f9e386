//! P1: a forged cookie costs no store command.

use std::convert::Infallible;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use cloakroom::store::MemoryStore;
use cloakroom::{CookieOptions, Key, LazySession, SessionLayer};
use http::header::COOKIE;
use http::{Request, Response};
use tower::{Layer, Service, service_fn};

use crate::promises::Ground;
use crate::{Command, Counting, HOUR, House, clock};

/// Returns a ticket that a layer with this cookie name and key has signed.
async fn ticket(name: &str, key: Key) -> String {
    let clock = clock();
    let cookie = CookieOptions::builder().name(name.to_owned()).build().unwrap();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = SessionLayer::new(store, key).clock(clock).cookie(cookie);
    let visitor = crate::Visitor::new(layer);
    visitor.visit(async |session| session.insert("k", &1)).await.is_ok();
    visitor.cookie(name).unwrap()
}

/// A fast random number generator. Its numbers need not be good.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }
}

fn random(dice: &mut Dice) -> String {
    let mut raw = [0; 63];
    raw.iter_mut().for_each(|byte| *byte = dice.roll().to_le_bytes()[0]);
    BASE64URL.encode(raw)
}

fn flipped(good: &str, dice: &mut Dice) -> String {
    let mut raw = BASE64URL.decode(good).unwrap();
    let bit = dice.below(raw.len() * 8);
    raw[bit / 8] ^= 1 << (bit % 8);
    BASE64URL.encode(raw)
}

/// Returns a ticket with a correct key hint and random bytes behind it. Each costs a signature
/// check.
fn right_hint(good: &str, dice: &mut Dice) -> String {
    let mut raw = BASE64URL.decode(good).unwrap();
    raw[5..].iter_mut().for_each(|byte| *byte = dice.roll().to_le_bytes()[0]);
    BASE64URL.encode(raw)
}

pub async fn p1_a_million_forged_cookies_never_reach_the_store() {
    forged_cookies_never_reach_the_store(House::open, 50_000).await;
}

/// The same in seconds. The cookies are refused before there is a store, so that one store is enough for the
/// million.
pub async fn p1_ten_thousand_forged_cookies_never_reach_the_store(ground: Ground) {
    forged_cookies_never_reach_the_store(ground, 500).await;
}

/// Presents twenty times as many cookies, half of them random.
async fn forged_cookies_never_reach_the_store(ground: Ground, of_each: usize) {
    let house = ground();
    let good = ticket("__Host-id", house.key.clone()).await;
    let wrong_key = ticket("__Host-id", Key::from_bytes(&[8; 32]).unwrap()).await;
    let other_name = ticket("__Host-admin", house.key.clone()).await;
    let mut service = house.layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        assert!(lazy.load().await.unwrap().is_new());
        Ok::<_, Infallible>(Response::new(()))
    }));
    let mut present = async |value: String| {
        let cookie = format!("__Host-id={value}");
        let request = Request::builder().header(COOKIE, cookie).body(()).unwrap();
        service.call(request).await.unwrap();
    };
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..10 * of_each {
        present(random(&mut dice)).await;
    }
    for _ in 0..2 * of_each {
        present(good[..dice.below(84)].to_owned()).await;
        present(wrong_key.clone()).await;
        present(other_name.replace('a', "b")).await;
    }
    for _ in 0..of_each {
        present(flipped(&good, &mut dice)).await;
        present(other_name.clone()).await;
        present(right_hint(&good, &mut dice)).await;
    }
    house.clock.advance(12 * HOUR);
    for _ in 0..of_each {
        present(good.clone()).await;
    }
    assert_eq!(house.counting.take(), []);
}

pub async fn p1_the_same_ticket_unharmed_does_reach_the_store(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    assert_eq!(house.counting.take(), [Command::Load]);
}

pub async fn p1_a_write_with_a_forged_cookie_is_a_new_visitors_under_a_new_id(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let forger = house.visitor();
    let mut forged = guest.ticket();
    let last = if forged.ends_with('A') { "B" } else { "A" };
    forged.replace_range(83.., last);
    forger.set_cookie("__Host-id", &forged);

    forger.visit(async |session| session.insert("k", &2)).await.is_ok();

    assert_eq!(house.counting.take(), [Command::Create]);
    assert_ne!(forger.ticket()[..40], guest.ticket()[..40]);
    let kept = guest.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(kept.body, "Some(1)");
}

pub async fn p1_a_write_with_an_expired_ticket_is_a_new_visitors_under_a_new_id(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let old = guest.ticket();
    house.clock.advance(12 * HOUR);
    guest.visit(async |session| session.insert("k", &2)).await.is_ok();
    assert_eq!(house.counting.take(), [Command::Create]);
    assert_ne!(guest.ticket()[..40], old[..40]);
}

pub async fn p1_a_logout_with_a_forged_cookie_ends_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let forger = house.visitor();
    forger.set_cookie("__Host-id", &flipped(&guest.ticket(), &mut Dice(1)));
    forger.ask(async |lazy| crate::respond(lazy.destroy().await)).await.is_ok();
    assert_eq!(house.counting.take(), []);
}

pub async fn p1_a_ticket_whose_session_has_gone_gets_a_new_id_on_its_first_write(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let old = guest.ticket();
    house.clock.advance(HOUR);
    guest.visit(async |session| session.insert("k", &2)).await.is_ok();
    assert_eq!(house.counting.take(), [Command::Load, Command::Create]);
    assert_ne!(guest.ticket()[20..40], old[20..40]);
}

/// `Counting` logs each command and forwards it.
pub async fn p1_the_counting_store_counts() {
    use cloakroom::store::{SessionStore, StoreKey};
    let store = Counting::new(MemoryStore::new());
    let key = StoreKey::from_bytes([1; 32]);
    assert_eq!(store.load(&key).await.unwrap(), None);
    store.delete(&key).await.unwrap();
    assert_eq!(store.take(), [Command::Load, Command::Delete]);
    assert_eq!(store.last_key(), key);
}

/// Two apps with one secret, one store and one cookie name.
pub async fn p1_the_ticket_of_another_app_under_one_secret_never_reaches_the_store(ground: Ground) {
    let house = ground();
    let app = |name| {
        let layer = SessionLayer::new(house.counting.clone(), house.key.derived_for(name));
        layer.clock(house.clock.clone()).cookie(house.cookie_options())
    };
    let (shop, admin) = (app("shop"), app("admin"));
    let guest = house.visitor().at(&shop);
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    house.counting.take();
    let read = async |layer: &SessionLayer| {
        guest.at(layer).visit(async |session| session.get::<u32>("k")).await.body
    };
    assert_eq!(read(&admin).await, "None");
    assert_eq!(read(&house.layer).await, "None", "nor does the secret itself read it");
    assert_eq!(house.counting.take(), []);
    assert_eq!(read(&app("shop")).await, "Some(1)", "another server of the shop");
}
