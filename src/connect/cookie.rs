//! `cookie:?chunks=…`. The layer has the keys, so the URL holds none.

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use crate::session::CookieSessions;

pub(super) const OPEN: Option<Open> =
    Some(|address| Box::pin(async { Ok(with_options(CookieSessions::signed(), address)?.into()) }));

/// Reads the options that the signed and the encrypted form share.
pub(super) fn with_options(
    mut cookie: CookieSessions,
    mut address: Address,
) -> Result<CookieSessions, ConnectError> {
    address.expect_no_place()?;
    address.take_unneeded_timeout()?;
    if let Some(most) = address.take_number("chunks")? {
        cookie = cookie.chunks(most);
    }
    address.finish().map(|()| cookie)
}
