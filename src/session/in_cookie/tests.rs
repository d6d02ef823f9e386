#![allow(clippy::unwrap_used, clippy::panic)]

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::*;
use crate::cookie::SIGNED;
use crate::keys::Key;
use crate::session::{Backend, LazySession, Settings};

fn keys() -> KeyRing {
    Key::from_bytes(&[7; 32]).unwrap().into()
}

/// A request whose cookie holds exactly these bytes, sealed as ours.
fn request(bytes: &[u8]) -> LazySession {
    let settings = Settings::new(Backend::from(CookieSessions::signed()), keys());
    let sealer = Sealer::new(SIGNED, &keys(), settings.carrier.name());
    let text = sealer.seal(1, bytes, settings.terms.entropy).unwrap();
    let header = HeaderValue::try_from(format!("{}={text}", settings.carrier.name())).unwrap();
    let headers = HeaderMap::from_iter([(COOKIE, header)]);
    LazySession::new(settings.into(), &headers, None, Default::default(), None)
}

#[tokio::test]
async fn p12_a_newer_releases_session_is_an_error_and_not_replaced() {
    let lazy = request(&[0x30, 1, 2, 3]);
    let error = lazy.load().await.unwrap_err();
    assert!(matches!(error, SessionError::NewerFormat { version: 3 }), "{error:?}");
    lazy.clone().finish(false).await.unwrap();
    assert!(lazy.take_response_effect().set_cookies.is_none());
}

#[tokio::test]
async fn p12_what_was_sealed_and_makes_no_sense_can_still_be_left() {
    let lazy = request(b"\x10nonsense");
    let error = lazy.load().await.unwrap_err();
    assert!(matches!(error, SessionError::Corrupt(_)), "{error:?}");
    lazy.destroy().await.unwrap();
    lazy.clone().finish(false).await.unwrap();
    assert_eq!(lazy.take_response_effect().set_cookies.into_iter().flatten().count(), 1);
}

#[test]
fn debug_shows_nothing_of_keys_or_sessions() {
    let lazy = request(&[0x10; 40]);
    let shown = format!(
        "{lazy:?} {:?}",
        InCookie::new(&CookieSessions::signed(), &keys(), &Default::default())
    );
    assert!(shown.contains("Sealer(form 1, 1 keys)"), "{shown}");
    assert!(shown.contains("session: None"), "{shown}");
}
