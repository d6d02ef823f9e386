//! Cookies that are not good.

use std::net::IpAddr;

use crate::cookie::Refusal;

/// A request that has brought cookies of the layer's name, none of which was good.
///
/// Told once per request, and only by requests that ask for their session: nothing is verified for the others.
///
/// ```
/// use cloakroom::events::{CookieRefused, Refusal};
///
/// /// Old bookmarks and replaced keys are no attack.
/// fn is_suspicious(event: &CookieRefused) -> bool {
///     matches!(event.why, Refusal::Forged | Refusal::Malformed)
/// }
/// # use std::sync::{Arc, Mutex};
/// # struct Suspicious(Arc<Mutex<u32>>);
/// # impl cloakroom::Observer for Suspicious {
/// #     fn cookie_refused(&self, event: &CookieRefused) {
/// #         *self.0.lock().unwrap() += u32::from(is_suspicious(event));
/// #     }
/// # }
/// # let count = Arc::default();
/// # let mut visitor = cloakroom::documentation::Visitor::observed_by(Suspicious(Arc::clone(&count)));
/// # visitor.bring("nonsense");
/// # visitor.visit(async |_| Ok(()));
/// # let count = *count.lock().unwrap();
/// assert_eq!(count, 1); // after a request with a cookie that somebody has made up
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct CookieRefused {
    /// The reason; of several cookies, that of the best one.
    pub why: Refusal,
    /// The client that has sent them, as [`SessionLayer::client_address`](crate::SessionLayer::client_address) says;
    /// `None` without that.
    pub client: Option<IpAddr>,
}
