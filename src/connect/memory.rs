//! `memory:?max_sessions=…&max_bytes=…`

use super::address::Address;
use super::{ConnectError, Open};
use crate::session::Backend;
use crate::store::MemoryStore;

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(async { open(address) }));

fn open(mut address: Address) -> Result<Backend, ConnectError> {
    if !address.place().is_empty() {
        return Err(address.invalid("`memory:` takes nothing after it but options"));
    }
    let mut store = MemoryStore::builder();
    if let Some(most) = address.take_number("max_sessions")? {
        store = store.max_sessions(most);
    }
    if let Some(most) = address.take_number("max_bytes")? {
        store = store.max_bytes(most);
    }
    address.finish().map(|()| store.build().into())
}
