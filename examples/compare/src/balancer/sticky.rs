//! The balancer's own cookie.
//!
//! ALB encrypts its cookie. This one names the node in the clear, which is all that it is good for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cookie::Cookie;
use http::HeaderValue;

const NAME: &str = "BALANCER";

/// Binds visitors to nodes for some seconds after each answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stickiness(Duration);

impl Stickiness {
    pub(crate) fn seconds(seconds: u32) -> Self {
        Self(Duration::from_secs(seconds.into()))
    }

    pub(super) fn cookie(self, target: &str, now: SystemTime) -> String {
        let (until, seconds) = (seconds_of(now + self.0), self.0.as_secs());
        format!("{NAME}={target}.{until}; Path=/; Max-Age={seconds}; HttpOnly")
    }
}

/// Returns the node that a request's cookies name, unless the cookie has expired.
pub(super) fn bound_to<'a>(
    headers: impl IntoIterator<Item = &'a HeaderValue>,
    now: SystemTime,
) -> Option<String> {
    let texts = headers.into_iter().filter_map(|header| header.to_str().ok());
    let mut cookies = texts.flat_map(Cookie::split_parse).flatten();
    let cookie = cookies.find(|cookie| cookie.name() == NAME)?;
    let (target, until) = cookie.value().rsplit_once('.')?;
    let is_valid = until.parse::<u64>().ok()? > seconds_of(now);
    is_valid.then(|| target.to_owned())
}

fn seconds_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(cookies: &str, now: SystemTime) -> Option<String> {
        bound_to([&HeaderValue::from_str(cookies).unwrap()], now)
    }

    #[test]
    fn the_cookie_is_believed_for_its_duration() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let cookie = Stickiness::seconds(60).cookie("node-1", now);
        let (pair, _) = cookie.split_once(';').unwrap();
        let cookies = format!("__Host-id=ticket; {pair}");
        assert_eq!(bound(&cookies, now).as_deref(), Some("node-1"));
        assert_eq!(bound(&cookies, now + Duration::from_secs(59)).as_deref(), Some("node-1"));
        assert_eq!(bound(&cookies, now + Duration::from_secs(60)), None);
        assert!(cookie.contains("Max-Age=60"));
    }

    #[test]
    fn what_is_no_such_cookie_binds_nobody() {
        for cookies in ["", "id=node-1.99", "BALANCER=node-1", "BALANCER=node-1.soon", "BALANCER"] {
            assert_eq!(bound(cookies, UNIX_EPOCH), None, "{cookies}");
        }
    }
}
