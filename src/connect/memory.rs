//! `memory:?max_sessions=…&max_bytes=…`

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;
use crate::store::MemoryStore;

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(async { open(address) }));

fn open(mut address: Address) -> Result<Backend, ConnectError> {
    address.expect_no_place()?;
    address.take_unneeded_timeout()?;
    let mut store = MemoryStore::builder();
    if let Some(most) = address.take_number("max_sessions")? {
        store = store.max_sessions(most);
    }
    if let Some(most) = address.take_number("max_bytes")? {
        store = store.max_bytes(most);
    }
    address.finish().map(|()| store.build().into())
}
