//! The function that turns an address into a backend.

use std::pin::Pin;

use super::address::Address;
use super::error::ConnectError;
use crate::session::Backend;

/// Opens the backend of one scheme. A function pointer and not a trait: the table of schemes is a
/// constant, and nothing has state before the URL is read.
pub(super) type Open = fn(Address) -> Opening;

pub(super) type Opening = Pin<Box<dyn Future<Output = Result<Backend, ConnectError>> + Send>>;
