//! `private-cookie:?chunks=…`. The layer has the keys, so the URL holds none.

use super::cookie::with_options;
use super::open::Open;
use crate::session::CookieSessions;

pub(super) const OPEN: Option<Open> = Some(|address| {
    Box::pin(async { Ok(with_options(CookieSessions::encrypted(), address)?.into()) })
});
