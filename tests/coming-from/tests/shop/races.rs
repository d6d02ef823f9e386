//! What the change of the library is for: requests of one visitor that overlap.
//!
//! Nothing is left to chance. The clock stands still except where everybody waits, and each command to the
//! store takes 20 ms.

use axum::Router;
use axum::http::StatusCode;
use cloakroom::Key;
use coming_from_tests::{after, before};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::browser::Browser;
use crate::slow::{DISTANCE, SlowAfter, SlowBefore};

/// Requests that each put one thing into the cart, all at once.
pub const REQUESTS: usize = 20;

fn shops() -> [Router; 2] {
    let after = after::app(SlowAfter::default(), Key::generate().unwrap());
    [before::app(SlowBefore::default()), after]
}

/// How many things are missing in the cart although each request was answered 200.
async fn lost_items(shop: &Router) -> usize {
    let mut ada = Browser::new(shop);
    ada.home().await;
    let mut requests = JoinSet::new();
    for item in 0..REQUESTS {
        let mut tab = ada.clone();
        requests.spawn(async move { tab.post(&format!("/cart/item{item}")).await.status });
    }
    let answers = requests.join_all().await;
    assert_eq!(answers, [StatusCode::OK; REQUESTS]);
    let home = ada.home().await;
    (0..REQUESTS).filter(|item| !home.contains(&format!("\"item{item}\""))).count()
}

#[tokio::test(start_paused = true)]
async fn of_parallel_requests_before_keeps_one_and_after_keeps_all() {
    let [before, after] = shops();
    assert_eq!((lost_items(&before).await, lost_items(&after).await), (REQUESTS - 1, 0));
}

/// A request that changes the cart has loaded the session when the logout is carried out, and stores its
/// change after it. Returns what the cookie from before the logout opens, and the answer of the late request.
async fn late_change(shop: &Router) -> (String, StatusCode) {
    let mut ada = Browser::new(shop);
    ada.log_in("ada", "sesame").await;
    let (mut late, mut copy) = (ada.clone(), ada.clone());
    // It loads at 20 ms and stores at 40 ms; the logout reaches the store between them.
    let late = tokio::spawn(async move { late.post("/cart/apple").await.status });
    sleep(DISTANCE / 4).await;
    assert_eq!(ada.post("/logout").await.status, StatusCode::SEE_OTHER);
    let late = late.await.unwrap();
    (copy.home().await, late)
}

#[tokio::test(start_paused = true)]
async fn a_change_that_comes_late_undoes_the_logout_before_and_not_after() {
    let [before, after] = shops();
    let (home, _) = late_change(&before).await;
    assert!(home.contains(r#"user Some("ada"), cart ["apple"]"#), "{home}");
    let (home, _) = late_change(&after).await;
    assert!(home.contains("visit 1, user None, cart []"), "{home}");
}
