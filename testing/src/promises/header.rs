//! Tickets in a header of the app's own, by `SessionLayer::header`.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use cloakroom::{
    CookieError, CookieOptions, CookieSessions, HeaderError, LazySession, Session, SessionError,
    SessionLayer,
};
use http::header::{COOKIE, VARY};
use http::{HeaderValue, Request, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

use crate::Command::{Create, Load, Replace};
use crate::promises::Ground;
use crate::{Answer, Handled, House, MINUTE, reply, respond};

const NAME: &str = "x-session";

fn layer(house: &House) -> SessionLayer {
    house.layer.clone().header(NAME).unwrap()
}

/// A client without a cookie jar: it sends back what it was sent.
#[derive(Clone)]
struct Client {
    layer: SessionLayer,
    held: Arc<Mutex<Vec<String>>>,
}

impl Client {
    fn of(house: &House) -> Self {
        Self::holding(layer(house), &[])
    }

    fn holding(layer: SessionLayer, held: &[String]) -> Self {
        Self { layer, held: Arc::new(Mutex::new(held.to_vec())) }
    }

    fn held(&self) -> Vec<String> {
        self.held.lock().unwrap().clone()
    }

    fn copy(&self) -> Self {
        Self::holding(self.layer.clone(), &self.held())
    }

    async fn ask(&self, handler: impl AsyncFn(LazySession) -> Handled) -> Answer {
        let service = self.layer.layer(service_fn(async |request: Request<()>| {
            let lazy = request.extensions().get::<LazySession>().unwrap().clone();
            Ok::<_, Infallible>(handler(lazy).await)
        }));
        let mut request = Request::new(());
        for held in self.held() {
            request.headers_mut().append(NAME, held.parse().unwrap());
        }
        let Ok(response) = service.oneshot(request).await;
        let (parts, body) = response.into_parts();
        if let Some(sent) = parts.headers.get(NAME) {
            *self.held.lock().unwrap() = vec![sent.to_str().unwrap().to_owned()];
        }
        let error = parts.extensions.get().cloned();
        Answer { status: parts.status, headers: parts.headers, body, error }
    }

    async fn visit<T: std::fmt::Debug>(
        &self,
        handler: impl AsyncFn(Session) -> Result<T, SessionError>,
    ) -> Answer {
        let answer = self.ask(async |lazy| {
            respond(match lazy.load().await {
                Ok(session) => handler(session).await,
                Err(error) => Err(error),
            })
        });
        answer.await
    }
}

async fn put(session: Session) -> Result<(), SessionError> {
    session.insert("k", &1_u32)
}

async fn read(session: Session) -> Result<Option<u32>, SessionError> {
    session.get("k")
}

async fn leave(session: Session) -> Result<(), SessionError> {
    session.destroy().await
}

pub async fn a_ticket_travels_in_the_header_and_in_no_cookie(ground: Ground) {
    let house = ground();
    let client = Client::of(&house);
    let begun = client.visit(put).await;
    assert_eq!(begun.is_ok().header(NAME).map(str::len), Some(84));
    assert_eq!(begun.set_cookies(), Vec::<&str>::new());
    assert_eq!(begun.header("cache-control"), Some("no-store"));
    assert_eq!(begun.header("vary"), Some(NAME));
    assert!(begun.headers[NAME].is_sensitive());

    let seen = client.visit(read).await;
    assert_eq!((&*seen.body, seen.header(NAME)), ("Some(1)", None));
    assert_eq!(seen.header("cache-control"), Some("private, no-cache"));
    assert_eq!(seen.header("vary"), Some(NAME));
    assert_eq!(house.counting.take(), [Create, Load]);

    let untouched = client.ask(async |_| reply(StatusCode::OK)).await;
    assert!(untouched.headers.is_empty(), "{untouched:?}");
    assert_eq!(house.counting.take(), []);
}

pub async fn vary_has_the_tickets_header_beside_the_apps_own(ground: Ground) {
    let house = ground();
    for (own, expected) in [
        ("Cookie", vec!["Cookie", NAME]),
        ("accept, X-Session", vec!["accept, X-Session"]),
        ("*", vec!["*"]),
    ] {
        let client = Client::of(&house);
        let answer = client.ask(async |lazy| {
            lazy.load().await.unwrap();
            let mut response = reply(StatusCode::OK);
            response.headers_mut().insert(VARY, HeaderValue::from_static(own));
            response
        });
        assert_eq!(answer.await.headers.get_all(VARY).iter().collect::<Vec<_>>(), expected);
    }
}

/// The client puts the new value in the place of the old one.
pub async fn p7_a_login_sends_a_new_ticket_and_the_old_one_finds_nothing(ground: Ground) {
    let house = ground();
    let client = Client::of(&house);
    client.visit(put).await.is_ok();
    let old = client.copy();
    client.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_ne!(client.held(), old.held());
    assert_eq!(client.visit(read).await.body, "Some(1)");
    assert_eq!(old.visit(read).await.body, "None");
    // There is no `Max-Age` to tell, so "remember me" is the server's alone.
    let remembered = client.visit(async |session| session.remember(40 * MINUTE, 60 * MINUTE));
    assert_eq!(remembered.await.header(NAME).map(str::len), Some(84));
    house.clock.advance(39 * MINUTE);
    assert_eq!(client.visit(read).await.body, "Some(1)");
}

pub async fn p6_a_logout_answers_with_an_empty_header(ground: Ground) {
    let house = ground();
    let client = Client::of(&house);
    client.visit(put).await.is_ok();
    let thief = client.copy();
    let gone = client.visit(leave).await;
    assert_eq!(gone.is_ok().header(NAME), Some(""));
    assert_eq!(gone.header("cache-control"), Some("no-store"));
    assert_eq!(thief.visit(read).await.body, "None");
    // Whether or not the client understands it, an empty value is no ticket.
    assert_eq!(client.held(), [""]);
    house.counting.take();
    let nobody = client.visit(leave).await;
    assert_eq!(nobody.is_ok().header(NAME), None, "who has no ticket has none to lose");
    assert_eq!(house.counting.take(), []);
    client.visit(put).await.is_ok();
    assert_eq!(client.visit(read).await.body, "Some(1)");
}

pub async fn p1_a_ticket_from_a_cookie_is_forged_in_a_header_and_the_reverse(ground: Ground) {
    let house = ground();
    let cookie = CookieOptions::builder().name(NAME).build().unwrap();
    let in_cookie = house.layer.clone().cookie(cookie);
    let guest = house.visitor().at(&in_cookie);
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    let client = Client::of(&house);
    client.visit(put).await.is_ok();
    let (from_cookie, from_header) = (guest.cookie(NAME).unwrap(), client.held()[0].clone());
    house.counting.take();

    let moved = Client::holding(layer(&house), &[from_cookie]);
    assert_eq!(moved.visit(read).await.body, "None");
    guest.set_cookie(NAME, &from_header);
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "None");
    let elsewhere = house.layer.clone().header("x-other").unwrap();
    let service = elsewhere.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        Ok::<_, Infallible>(respond(lazy.load().await.unwrap().get::<u32>("k")))
    }));
    let request = Request::builder().header("x-other", from_header).body(()).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().body(), "None");
    assert_eq!(house.counting.take(), [], "signatures are bound to the name and to its kind");
}

/// A proxy may have joined or repeated the header, and a client may send anything.
pub async fn p12_any_values_of_the_header_get_an_answer(ground: Ground) {
    let house = ground();
    for held in ["", " ", "x", &"A".repeat(84), &"-".repeat(9000), "a, b"] {
        let client = Client::holding(layer(&house), &[held.to_owned()]);
        assert_eq!(client.visit(read).await.body, "None", "{held:?}");
    }
    assert_eq!(house.counting.take(), []);
    let (one, other) = (Client::of(&house), Client::of(&house));
    one.visit(put).await.is_ok();
    house.clock.advance(MINUTE);
    other.visit(async |session| session.insert("k", &2_u32)).await.is_ok();
    let both = [&one.held()[..], &other.held()].concat();
    let both = Client::holding(layer(&house), &both);
    assert_eq!(both.visit(read).await.body, "Some(2)", "the newest");
    house.counting.take();
    both.visit(leave).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Load, Replace, Load, Replace]);
    for client in [one, other] {
        assert_eq!(client.visit(read).await.body, "None", "a logout ends all of them");
    }
}

pub async fn a_layer_with_a_cookie_and_one_with_a_header_can_be_nested(ground: Ground) {
    let house = ground();
    // Of one name: a cookie and a header are told apart all the same.
    let cookie = CookieOptions::builder().name(NAME).build().unwrap();
    let (outer, inner) = (house.layer.clone().cookie(cookie), layer(&house));
    let send = async |cookie: Option<&str>, header: Option<&str>| {
        let handler = service_fn(async |request: Request<()>| {
            let lazy = request.extensions().get::<LazySession>().unwrap();
            let session = lazy.load().await.unwrap();
            Ok::<_, Infallible>(respond(session.update("k", |k: &mut u32| {
                *k += 1;
                *k
            })))
        });
        // The innermost two are one layer.
        let service = outer.layer(inner.layer(inner.layer(handler)));
        let mut request = Request::new(());
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        }
        if let Some(header) = header {
            request.headers_mut().insert(NAME, header.parse().unwrap());
        }
        service.oneshot(request).await.unwrap()
    };
    let first = send(None, None).await;
    assert_eq!((&**first.body(), first.headers().get("set-cookie")), ("1", None));
    let ticket = first.headers()[NAME].to_str().unwrap().to_owned();
    assert_eq!(send(None, Some(&ticket)).await.body(), "2");
    let moved = format!("{NAME}={ticket}");
    assert_eq!(send(Some(&moved), None).await.body(), "1", "a ticket in the wrong place");
}

pub async fn a_layer_has_a_cookie_or_a_header_and_the_last_call_decides(ground: Ground) {
    let house = ground();
    let strict = || CookieOptions::builder().name("id").build().unwrap();
    let again = layer(&house).cookie(strict());
    let guest = house.visitor().at(&again);
    let answer = guest.visit(async |session| session.insert("k", &1)).await;
    assert_eq!((answer.set_cookies().len(), answer.header(NAME)), (1, None));
    let refused = layer(&house).cookie_when(strict(), |_| true);
    assert_eq!(refused.unwrap_err(), CookieError::NoCookie);
    let varied = house.layer.clone().cookie(strict()).cookie_when(strict(), |_| true).unwrap();
    let client = Client::holding(varied.header(NAME).unwrap(), &[]);
    let begun = client.visit(put).await;
    assert_eq!((begun.set_cookies().len(), begun.header(NAME).is_some()), (0, true));
    // The last of them are taken off answers with a ticket and off errors.
    for name in [
        "Authorization",
        "cookie",
        "grpc-timeout",
        "x-session-bin",
        "connection",
        "signature",
        "hx-trigger",
        "surrogate-control",
        "Netlify-CDN-Cache-Control",
    ] {
        assert_eq!(house.layer.clone().header(name).unwrap_err(), HeaderError::Taken, "{name}");
    }
    assert_eq!(house.layer.clone().header("x_session").unwrap_err(), HeaderError::Name);
    let in_cookies = SessionLayer::new(CookieSessions::signed(), house.key.clone());
    assert_eq!(in_cookies.header(NAME).unwrap_err(), HeaderError::NeedsStore);
}

pub async fn p8_a_commit_that_fails_sends_no_ticket(ground: Ground) {
    let house = ground();
    house
        .faulty
        .always(Create, || crate::Fault::Fail(cloakroom::store::StoreErrorKind::Unavailable));
    let answer = Client::of(&house).visit(put).await;
    answer.is_outage();
    assert_eq!(answer.header(NAME), None);
}
