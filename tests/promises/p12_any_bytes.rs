//! P12 with random bytes.

use cloakroom::{LazySession, SessionError};
use cloakroom_testing::{Answer, House, Visitor, respond};
use http::header::COOKIE;
use http::{HeaderValue, Request};
use proptest::prelude::*;
use tower::{Layer, service_fn};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn read(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.get::<u32>("k")).await
}

async fn present(house: &House, cookies: &[HeaderValue]) -> Answer {
    let service = house.layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        let session = lazy.load().await;
        Ok::<_, std::convert::Infallible>(respond(session.map(|session| session.is_new())))
    }));
    let mut request = Request::new(());
    for cookie in cookies {
        request.headers_mut().append(COOKIE, cookie.clone());
    }
    let Ok(answer) = house.visitor().send(service, request).await;
    answer
}

fn header(bytes: &[u8]) -> HeaderValue {
    let visible = bytes.iter().map(|&byte| if byte < 32 || byte == 127 { b' ' } else { byte });
    HeaderValue::from_bytes(&visible.collect::<Vec<_>>()).unwrap()
}

proptest! {
    #[test]
    fn p12_any_cookie_header_gets_an_answer(
        cookies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5),
    ) {
        let house = House::open();
        let cookies: Vec<_> = cookies.iter().map(|bytes| header(bytes)).collect();
        let answer = block_on(present(&house, &cookies));
        prop_assert_eq!(answer.body, "true");
        prop_assert_eq!(house.counting.take(), []);
    }

    #[test]
    fn p12_any_value_of_our_cookie_gets_an_answer(
        before in "[ -~]{0,40}",
        value in prop::collection::vec(any::<u8>(), 80..90),
    ) {
        let house = House::open();
        let mut bytes = format!("{before}; __Host-id=").into_bytes();
        bytes.extend(value);
        let answer = block_on(present(&house, &[header(&bytes)]));
        prop_assert_eq!(answer.body, "true");
        prop_assert_eq!(house.counting.take(), []);
    }

    #[test]
    fn p12_any_stored_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        block_on(async {
            let house = House::open();
            let guest = house.guest().await;
            house.overwrite(bytes).await;
            let answer = read(&guest).await;
            assert!(matches!(
                answer.error,
                Some(SessionError::Corrupt(_) | SessionError::NewerFormat { .. })
            ));
        });
    }

    #[test]
    fn p12_any_bytes_behind_our_own_head_get_an_answer(
        kind in 0..4_u8,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        block_on(async {
            let house = House::open();
            let guest = house.guest().await;
            house.overwrite([&[0xC1, 1, kind], &*bytes].concat()).await;
            let answer = guest.visit(async |session| {
                drop(session.get::<u32>("k"));
                session.insert("k", &2)
            });
            let defined = [200, 409, 500];
            assert!(defined.contains(&answer.await.status.as_u16()));
            // A mark from long ago, which the id alone may not follow, is answered 409.
            let left = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
            assert!([200, 409].contains(&left.status.as_u16()), "{left:?}");
        });
    }
}
