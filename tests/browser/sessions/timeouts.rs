//! A POST that runs into a timeout within the session layer. Chromium repeats it by itself, because a
//! 408 on a kept connection may mean that the server had closed it before the request arrived.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use cloakroom::{Session, SessionError, SessionLayer};
use cloakroom_testing::chromium::{Scripts, Tab, browse};
use cloakroom_testing::{Command, House};
use http::StatusCode;
use tokio::sync::Notify;

use crate::shop::shop;
use crate::site::Site;

/// Takes orders of ten apples, which also log in. The handlers of the first orders get stuck.
struct Desk {
    /// How many get stuck.
    stuck: usize,
    arrived: AtomicUsize,
}

/// Tells the timeout layer that the handler has done all that it does.
#[derive(Clone)]
struct Stuck(Arc<Notify>);

async fn order(
    State(desk): State<Arc<Desk>>,
    Extension(Stuck(stuck)): Extension<Stuck>,
    session: Session,
) -> Result<(), SessionError> {
    session.update("apples", |apples: &mut u32| *apples += 10)?;
    session.log_in("ada").await?;
    if desk.arrived.fetch_add(1, Ordering::SeqCst) < desk.stuck {
        stuck.notify_one();
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Drops the handler and answers 408, as tower-http's `TimeoutLayer` does; not after a time, but once
/// the handler is stuck.
async fn time_out(mut request: Request, next: Next) -> Response {
    let stuck = Arc::new(Notify::new());
    request.extensions_mut().insert(Stuck(stuck.clone()));
    tokio::select! {
        response = next.run(request) => response,
        () = stuck.notified() => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

impl Desk {
    fn shop(self: &Arc<Self>, layer: &SessionLayer) -> Router {
        let order = post(order).layer(from_fn(time_out));
        let order = Router::new().route("/shop/order", order).with_state(self.clone());
        shop().merge(order).layer(layer.clone())
    }
}

const ORDER: &str = "
    fetch('/shop/order', {method: 'POST', body: 'ten apples'}).then(answer => {
        document.querySelector('#answers').textContent = answer.status;
    });";

/// Opens the shop as a visitor with one apple and sends an order, whose first requests get stuck.
async fn send_order(tab: &Tab, house: &House, stuck: usize) -> (Site, Arc<Desk>) {
    let desk = Arc::new(Desk { stuck, arrived: AtomicUsize::new(0) });
    let site = Site::open(desk.shop(&house.layer)).await;
    tab.open(&site.url("/shop/")).await;
    tab.click("#apple").await;
    tab.sees("#apples", "1").await;
    house.counting.take();
    tab.0.execute(ORDER, vec![]).await.unwrap();
    (site, desk)
}

async fn finds(tab: &Tab, site: &Site, user: &str, apples: &str) {
    tab.open(&site.url("/shop/")).await;
    tab.sees("#user", user).await;
    tab.sees("#apples", apples).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p8_a_post_that_times_out_stores_nothing_however_often_it_is_repeated() {
    browse(Scripts::On, |tab| async move {
        let house = House::open();
        let (site, desk) = send_order(&tab, &house, usize::MAX).await;
        tab.sees("#answers", "408").await;
        let arrived = desk.arrived.load(Ordering::SeqCst);
        assert!(arrived > 1, "Chromium repeats a POST that is answered 408");
        finds(&tab, &site, "nobody", "1").await;
        let commands = house.counting.take();
        assert_eq!(commands, vec![Command::Load; arrived + 1]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p8_a_post_whose_repeat_succeeds_is_stored_once() {
    browse(Scripts::On, |tab| async move {
        let house = House::open();
        let (site, desk) = send_order(&tab, &house, 1).await;
        tab.sees("#answers", "200").await;
        assert_eq!(desk.arrived.load(Ordering::SeqCst), 2);
        finds(&tab, &site, "ada", "11").await;
    })
    .await;
}
