//! `cookie:?chunks=…`. Its keys are the layer's.

use super::address::Address;
use super::{ConnectError, Open};
use crate::session::CookieSessions;

pub(super) const OPEN: Option<Open> =
    Some(|address| Box::pin(async { Ok(with_options(CookieSessions::signed(), address)?.into()) }));

pub(super) fn with_options(
    mut cookie: CookieSessions,
    mut address: Address,
) -> Result<CookieSessions, ConnectError> {
    if !address.place().is_empty() {
        return Err(address.invalid("nothing comes after the colon but options"));
    }
    if let Some(most) = address.take_number("chunks")? {
        cookie = cookie.chunks(most);
    }
    address.finish().map(|()| cookie)
}
