//! `private-cookie:?chunks=…`. Its keys are the layer's.

use super::Open;
use super::cookie::with_options;
use crate::session::CookieSessions;

pub(super) const OPEN: Option<Open> = Some(|address| {
    Box::pin(async { Ok(with_options(CookieSessions::encrypted(), address)?.into()) })
});
