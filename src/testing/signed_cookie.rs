//! The cookie of a session that a test has made.

use http::HeaderMap;
use http::HeaderValue;
use http::header::COOKIE;

use crate::browser::{CookieJar, visit};
use crate::error::SessionError;
use crate::middleware::SessionLayer;
use crate::session::{LazySession, Session};

/// Stores a session that `action` has filled, and returns the `Cookie` header with its ticket: for tests
/// that build their requests themselves, over a socket for example.
///
/// Give it the layer that the app uses, or a clone. The session goes through that layer into its store, as
/// in a request, so the app accepts the cookie as long as it accepts any.
/// A [`TestVisitor`](crate::testing::TestVisitor) has
/// [`with_session`](crate::testing::TestVisitor::with_session) for the same.
///
/// # Errors
///
/// The action's, or that of the commit.
///
/// # Panics
///
/// If `action` leaves the session empty, or the layer sends its tickets in a
/// [header](crate::SessionLayer::header): then there is no cookie.
///
/// ```
/// # #[cfg(feature = "axum")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, body::Body, http::{Request, header::COOKIE}, routing::get};
/// use cloakroom::{Key, Session, SessionLayer, store::MemoryStore, testing::signed_cookie};
/// use tower::ServiceExt;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
/// let app = Router::new()
///     .route("/account", get(async |session: Session| session.principal().unwrap_or_default()))
///     .layer(layer.clone());
///
/// let cookie = signed_cookie(&layer, async |session| session.log_in("ada").await).await?;
/// let request = Request::get("/account").header(COOKIE, cookie).body(Body::empty())?;
/// let body = app.oneshot(request).await?.into_body();
/// assert_eq!(axum::body::to_bytes(body, 64).await?, "ada");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// # #[cfg(not(feature = "axum"))]
/// # fn main() {}
/// ```
#[expect(clippy::expect_used, reason = "a test that stores nothing must say so")]
pub async fn signed_cookie<E>(
    layer: &SessionLayer<E>,
    action: impl AsyncFnOnce(Session) -> Result<(), SessionError>,
) -> Result<HeaderValue, SessionError> {
    let jar = CookieJar::default();
    let handler = async |lazy: LazySession| action(lazy.load().await?).await;
    let mut response = visit(&layer.without_page(), &jar, handler).await;
    if let Some(error) = response.extensions_mut().remove() {
        return Err(error);
    }
    let mut headers = HeaderMap::new();
    jar.add_to(&mut headers, None);
    Ok(headers.remove(COOKIE).expect("no cookie: the session is empty, or the layer uses a header"))
}
