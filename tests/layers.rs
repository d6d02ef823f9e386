//! Nested layers, shared layers, and services that implement only what tower requires.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::rc::Rc;
use std::task::{Context, Poll};

use cloakroom::store::{MemoryStore, StoreErrorKind};
use cloakroom::{
    CookieOptions, CookieSessions, Key, LazySession, SameSite, SessionLayer, SessionService,
};
use cloakroom_testing::Command::{Create, Load, Replace};
use cloakroom_testing::{Answer, Fault, Handled, House, Trace, Visitor, reply, respond};
use http::{Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};

fn named(house: &House, name: &'static str) -> SessionLayer {
    house.layer.clone().cookie(CookieOptions::builder().name(name).build().unwrap())
}

/// Sends a request through `admin` around `shop` around the handler.
async fn through_both(
    visitor: &Visitor,
    admin: &SessionLayer,
    shop: &SessionLayer,
    handler: impl AsyncFn(LazySession) -> Handled,
) -> Answer {
    let service = admin.layer(shop.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap().clone();
        Ok::<_, Infallible>(handler(lazy).await)
    })));
    let Ok(answer) = visitor.send(service, Request::new(())).await;
    answer
}

#[tokio::test]
async fn nested_layers_keep_two_sessions_in_two_cookies() {
    let (admin, shop) = (House::open(), House::open());
    let layers = (named(&admin, "__Host-admin"), named(&shop, "__Host-shop"));
    let visitor = admin.visitor();
    let answer = through_both(&visitor, &layers.0, &layers.1, async |lazy| {
        let inner = lazy.load().await.unwrap();
        let outer = lazy.named("__Host-admin").unwrap().load().await.unwrap();
        inner.insert("at", "shop").unwrap();
        outer.insert("at", "admin").unwrap();
        assert!(lazy.named("__Host-id").is_none());
        reply(http::StatusCode::OK)
    });
    let answer = answer.await;
    assert_eq!(answer.set_cookies().len(), 2, "{answer:?}");
    assert_eq!(answer.headers.get_all("vary").iter().count(), 1);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!((admin.memory().len(), shop.memory().len()), (1, 1));

    let answer = through_both(&visitor, &layers.0, &layers.1, async |lazy| {
        let inner = lazy.named("__Host-shop").unwrap().load().await.unwrap();
        let outer = lazy.named("__Host-admin").unwrap().load().await.unwrap();
        respond(Ok((inner.get::<String>("at").unwrap(), outer.get::<String>("at").unwrap())))
    });
    assert_eq!(answer.await.body, r#"(Some("shop"), Some("admin"))"#);
}

#[tokio::test]
async fn the_extension_is_the_innermost_layers() {
    let (admin, shop) = (House::open(), House::open());
    let layers = (named(&admin, "__Host-admin"), named(&shop, "__Host-shop"));
    let visitor = admin.visitor();
    let answer = through_both(&visitor, &layers.0, &layers.1, async |lazy| {
        lazy.load().await.unwrap().insert("k", &1).unwrap();
        reply(http::StatusCode::OK)
    });
    let answer = answer.await;
    assert!(answer.set_cookies()[0].starts_with("__Host-shop="), "{answer:?}");
    assert_eq!((admin.memory().len(), shop.memory().len()), (0, 1));
}

#[tokio::test]
async fn an_inner_layers_cookie_survives_an_outer_layers_error() {
    let (admin, shop) = (House::open(), House::open());
    let layers = (named(&admin, "__Host-admin"), named(&shop, "__Host-shop"));
    admin.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    let visitor = admin.visitor();
    let answer = through_both(&visitor, &layers.0, &layers.1, async |lazy| {
        lazy.load().await.unwrap().insert("k", &1).unwrap();
        let outer = lazy.named("__Host-admin").unwrap().load().await.unwrap();
        outer.insert("k", &1).unwrap();
        reply(http::StatusCode::OK)
    });
    let answer = answer.await;
    answer.is_outage();
    assert_eq!(answer.set_cookies().len(), 1);
    assert!(answer.set_cookies()[0].starts_with("__Host-shop="));
    assert_eq!(shop.memory().len(), 1);
}

/// Counts in the extension's session, so that a change that is lost shows.
async fn count(request: Request<()>) -> Result<Handled, Infallible> {
    let lazy = request.extensions().get::<LazySession>().unwrap();
    let session = lazy.load().await.unwrap();
    Ok(respond(session.update("k", |k: &mut u32| {
        *k += 1;
        *k
    })))
}

/// Sends a request through two layers of one cookie name; both the app between them and the one
/// within both count.
async fn count_twice(visitor: &Visitor, outer: &SessionLayer, inner: &SessionLayer) -> Answer {
    let inner = inner.clone();
    let service = outer.layer(service_fn(move |request: Request<()>| {
        let mut within = inner.layer(service_fn(count));
        async move {
            let lazy = request.extensions().get::<LazySession>().unwrap().clone();
            lazy.load().await.unwrap().update("k", |k: &mut u32| *k += 1).unwrap();
            within.call(request).await
        }
    }));
    let Ok(answer) = visitor.send(service, Request::new(())).await;
    answer
}

#[tokio::test]
async fn a_layer_within_one_of_its_own_cookie_name_hands_that_session_on() {
    let (house, other) = (House::open(), House::open());
    for inner in [&house.layer, &other.layer] {
        let visitor = house.visitor();
        let answer = count_twice(&visitor, &house.layer, inner).await;
        assert_eq!((&*answer.body, answer.set_cookies().len()), ("2", 1), "{answer:?}");
        assert_eq!(house.counting.take(), [Create]);
        let answer = count_twice(&visitor, &house.layer, inner).await;
        assert_eq!((&*answer.body, answer.set_cookies().len()), ("4", 0), "{answer:?}");
        assert_eq!(house.counting.take(), [Load, Replace]);
        assert_eq!(visitor.visit(async |session| session.get::<u32>("k")).await.body, "Some(4)");
        house.counting.take();
    }
    assert_eq!(other.memory().len(), 0);
}

#[tokio::test]
async fn sessions_in_cookies_are_handed_on_too() {
    let layer = SessionLayer::new(CookieSessions::signed(), Key::generate().unwrap());
    let visitor = Visitor::new(layer.clone());
    for expected in ["2", "4"] {
        let answer = count_twice(&visitor, &layer, &layer).await;
        assert_eq!((&*answer.body, answer.set_cookies().len()), (expected, 1), "{answer:?}");
    }
}

#[tokio::test]
async fn the_outer_layer_of_one_cookie_name_chooses_the_attributes() {
    let house = House::open();
    let strict = CookieOptions::builder().same_site(SameSite::Strict).build().unwrap();
    let with_rule = house.layer.clone().cookie_when(strict, |_| true).unwrap();
    for (outer, inner, expected) in
        [(&with_rule, &house.layer, "Strict"), (&house.layer, &with_rule, "Lax")]
    {
        let answer = count_twice(&house.visitor(), outer, inner).await;
        assert!(answer.set_cookies()[0].contains(expected), "{answer:?}");
    }
}

#[tokio::test]
async fn a_layer_three_deep_with_another_name_between_hands_the_outermost_on() {
    let (house, admin) = (House::open(), House::open());
    let between = named(&admin, "__Host-admin");
    let visitor = house.visitor();
    let handler = service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        assert!(format!("{lazy:?}").contains("__Host-id"), "the innermost layer's");
        let admin = lazy.named("__Host-admin").unwrap();
        assert!(lazy.named("__Host-id").unwrap().named("__Host-admin").is_some());
        assert!(lazy.named("__Host-shop").is_none());
        admin.load().await.unwrap().insert("at", "admin").unwrap();
        count(request).await
    });
    let inner = house.layer.layer(house.layer.layer(handler));
    let service = house.layer.layer(between.layer(inner));
    let Ok(answer) = visitor.send(service, Request::new(())).await;
    assert_eq!(answer.set_cookies().len(), 2, "{answer:?}");
    assert_eq!((house.memory().len(), admin.memory().len()), (1, 1));
    assert_eq!(visitor.visit(async |session| session.get::<u32>("k")).await.body, "Some(1)");
}

#[tokio::test]
async fn a_failure_is_judged_by_the_layer_that_made_the_session() {
    let house = House::open();
    let visitor = house.visitor();
    let inner = house.layer.layer(service_fn(async |request: Request<()>| {
        drop(count(request).await);
        Err::<Handled, _>("out of paper")
    }));
    // An app between the two layers makes an answer of the error.
    let service = house.layer.layer(inner.map_result(|_| Ok::<_, &str>(Response::default())));
    let answer = visitor.send(service, Request::new(())).await.unwrap();
    assert_eq!(answer.is_ok().set_cookies().len(), 1);
    assert_eq!(house.memory().len(), 1);
}

/// Headers of an answer that has just become an error: what they say is no longer so.
const SAID_OF_THE_ANSWER: [&str; 40] = [
    "accept-ranges",
    "age",
    "cache-tag",
    "cdn-cache-control",
    "clear-site-data",
    "connection",
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "digest",
    "etag",
    "expires",
    "grpc-message",
    "grpc-status",
    "hx-redirect",
    "hx-trigger",
    "last-modified",
    "link",
    "location",
    "pragma",
    "refresh",
    "repr-digest",
    "retry-after",
    "sec-websocket-accept",
    "signature",
    "surrogate-control",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
    "x-accel-expires",
    "x-accel-redirect",
    "x-sendfile",
    "x-vendor-cache-control",
];

/// Headers that say something of the server or of the request, whatever the answer is.
const SAID_OF_THE_SERVER: [&str; 11] = [
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "content-security-policy",
    "content-security-policy-report-only",
    "cross-origin-resource-policy",
    "referrer-policy",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
    "x-request-id",
];

#[tokio::test]
async fn an_error_answer_keeps_the_headers_that_do_not_describe_the_refused_one() {
    let house = House::open();
    house.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    let visitor = house.visitor();
    let answer = visitor.ask(async |lazy| {
        lazy.load().await.unwrap().insert("k", &1).unwrap();
        let mut response = Response::builder().status(201).header("set-cookie", "theme=dark");
        for name in SAID_OF_THE_ANSWER {
            response = response.header(name, "0"); // as a `grpc-status`, success
        }
        for name in SAID_OF_THE_SERVER {
            response = response.header(name, "origin");
        }
        response.body("done".to_owned()).unwrap()
    });
    let answer = answer.await;
    answer.is_outage();
    for name in SAID_OF_THE_ANSWER.iter().filter(|name| **name != "retry-after") {
        assert_eq!(answer.header(name), None, "{name}");
    }
    for name in SAID_OF_THE_SERVER {
        assert_eq!(answer.header(name), Some("origin"), "{name}");
    }
    assert_eq!(answer.set_cookies(), ["theme=dark"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["origin", "Cookie"]);
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn a_ticket_of_one_name_is_nothing_under_another() {
    let house = House::open();
    let (one, other) = (named(&house, "__Host-one"), named(&house, "__Host-other"));
    let visitor = house.visitor().at(&one);
    visitor.visit(async |session| session.insert("k", &1)).await.is_ok();
    let ticket = visitor.cookie("__Host-one").unwrap();
    let thief = house.visitor().at(&other);
    thief.set_cookie("__Host-other", &ticket);
    house.counting.take();
    let answer = thief.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(answer.body, "None");
    assert_eq!(house.counting.take(), []);
}

#[tokio::test]
async fn one_layer_serves_many_routers() {
    let house = House::open();
    let guest = house.guest().await;
    for _ in 0..3 {
        let service = house.layer.layer(service_fn(async |request: Request<()>| {
            let lazy = request.extensions().get::<LazySession>().unwrap();
            let session = lazy.load().await.unwrap();
            Ok::<_, Infallible>(respond(session.update("k", |k: &mut u32| *k += 1)))
        }));
        let Ok(answer) = guest.send(service, Request::new(())).await;
        answer.is_ok();
    }
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(4)");
}

#[tokio::test]
async fn a_layer_that_is_changed_after_it_was_cloned_leaves_the_clone_as_it_was() {
    let house = House::open();
    let _stricter = house.layer.clone().idle_timeout(std::time::Duration::from_secs(1));
    assert!(house.layer.to_string().contains("idle timeout 30m"));
}

/// A service that is neither `Clone`, `Send` nor `Sync`, with its own types of error and body.
struct Bare {
    calls: Rc<std::cell::Cell<usize>>,
    ready: bool,
}

#[derive(Debug, PartialEq)]
struct OutOfPaper;

#[derive(Default, Debug)]
struct Paper(Rc<u8>);

impl Service<Request<Paper>> for Bare {
    type Response = Response<Paper>;
    type Error = OutOfPaper;
    type Future = std::future::Ready<Result<Self::Response, OutOfPaper>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OutOfPaper>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Paper>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without asking");
        assert!(request.extensions().get::<LazySession>().is_some());
        self.calls.set(self.calls.get() + 1);
        std::future::ready(match self.calls.get() {
            1 => Ok(Response::new(Paper(request.into_body().0))),
            _ => Err(OutOfPaper),
        })
    }
}

#[tokio::test]
async fn the_inner_service_needs_to_be_nothing_but_a_service() {
    let layer = SessionLayer::new(MemoryStore::new(), Key::generate().unwrap());
    let calls = Rc::default();
    let mut service = layer.layer(Bare { calls: Rc::clone(&calls), ready: false });
    let response = service.ready().await.unwrap().call(Request::new(Paper(Rc::new(7)))).await;
    assert_eq!(*response.unwrap().into_body().0, 7);
    let error = service.ready().await.unwrap().call(Request::default()).await.unwrap_err();
    assert_eq!((error, calls.get()), (OutOfPaper, 2));
}

#[tokio::test]
async fn the_inner_service_may_borrow() {
    let house = House::open();
    let greeting = String::from("hello");
    let service = house.layer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(greeting.clone()))
    }));
    let Ok(answer) = house.visitor().send(service, Request::new(())).await;
    assert_eq!(answer.body, greeting);
}

fn is_send_sync_static<T: Send + Sync + 'static>(_: &T) {}
fn is_clone<T: Clone>(_: &T) {}

#[test]
fn the_service_is_what_its_inner_service_is() {
    let layer = SessionLayer::new(MemoryStore::new(), Key::generate().unwrap());
    let service: SessionService<_> =
        layer.layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(()))));
    is_send_sync_static(&service);
    is_clone(&service);
    is_send_sync_static(&layer);
    is_clone(&layer);
}

#[tokio::test]
async fn the_response_future_is_send_when_the_handlers_is() {
    let layer = SessionLayer::new(MemoryStore::new(), Key::generate().unwrap());
    let service = layer.layer(service_fn(|request: Request<()>| async move {
        let lazy = request.extensions().get::<LazySession>().unwrap().clone();
        lazy.load().await.unwrap().insert("k", &1).unwrap();
        Ok::<_, Infallible>(Response::new(()))
    }));
    let response = tokio::spawn(service.oneshot(Request::new(()))).await.unwrap().unwrap();
    assert!(response.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn a_store_is_chosen_at_run_time() {
    use cloakroom::store::SessionStore;
    use std::sync::Arc;
    let shared: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
    let key = Key::generate().unwrap();
    let visitor = Visitor::new(SessionLayer::new(Arc::clone(&shared), key.clone()));
    visitor.visit(async |session| session.insert("k", &1)).await.is_ok();
    let twin = visitor.at(&SessionLayer::new(shared, key));
    assert_eq!(twin.visit(async |session| session.get::<u32>("k")).await.body, "Some(1)");
}

fn plain_http_warnings(trace: &Trace) -> usize {
    let is_warning = |line: &&String| line.starts_with("WARN") && line.contains("plain HTTP");
    trace.lines().iter().filter(is_warning).count()
}

/// Sends a request that a browser has sent over plain HTTP, with this `Host`, through a proxy.
async fn over_plain_http(layer: &SessionLayer, host: &str, writes: bool) {
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        let session = lazy.load().await.unwrap();
        if writes {
            session.insert("k", &1).unwrap();
            // The end of the request has nothing to store any more.
            session.save().await.unwrap();
        }
        Ok::<_, Infallible>(reply(http::StatusCode::OK))
    }));
    let request = Request::builder().header("host", host).header("x-forwarded-proto", "http");
    let Ok(_) = service.oneshot(request.body(()).unwrap()).await;
}

#[tokio::test]
async fn a_secure_cookie_over_plain_http_is_warned_about_once_per_layer() {
    for layer in [House::open().layer, House::in_cookies(cloakroom::CookieSessions::signed()).layer]
    {
        let trace = Trace::listen();
        over_plain_http(&layer, "localhost:3000", true).await;
        over_plain_http(&layer, "192.168.1.5", false).await;
        assert_eq!(plain_http_warnings(&trace), 0, "no cookie is lost");
        for _ in 0..3 {
            over_plain_http(&layer.clone(), "192.168.1.5", true).await;
        }
        assert_eq!(plain_http_warnings(&trace), 1);
    }
}

/// A browser may hold a cookie of that name from another library.
#[tokio::test]
async fn a_cookie_of_our_name_does_not_hide_that_a_browser_drops_ours() {
    let cookie = CookieOptions::builder().name("id").build().unwrap();
    let layer = House::open().layer.cookie(cookie);
    let trace = Trace::listen();
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        lazy.load().await.unwrap().insert("k", &1).unwrap();
        Ok::<_, Infallible>(reply(http::StatusCode::OK))
    }));
    let request = Request::builder()
        .header("host", "192.168.1.5")
        .header("x-forwarded-proto", "http")
        .header("cookie", "id=of-another-library");
    let Ok(_) = service.oneshot(request.body(()).unwrap()).await;
    assert_eq!(plain_http_warnings(&trace), 1);
}

#[tokio::test]
async fn a_cookie_without_secure_may_go_over_plain_http() {
    let plain = CookieOptions::builder().name("id").insecure_plain_http().build().unwrap();
    let trace = Trace::listen();
    over_plain_http(&House::open().layer.cookie(plain), "192.168.1.5", true).await;
    assert_eq!(plain_http_warnings(&trace), 0);
}
