//! The events that an [`Observer`](crate::Observer) is told.
//!
//! An event names a session by its [`Fingerprint`], as the logs do, and by its public
//! [handle](crate::Session::handle) where it has one. No event has an id, a ticket, a cookie, a principal or a
//! value of a session, and its `Debug` shows nothing else than its fields.
//!
//! The structs and enums may gain fields and variants, so match them with `..` and `_`. The methods called
//! `name` return words of small fixed sets, which are good labels for metrics.

mod command;
mod conflict;
mod fingerprint;
mod refused;
mod session;

pub use crate::cookie::Refusal;
pub use command::{CommandKind, CommandOutcome, Outage, StoreCommand};
pub use conflict::{Conflict, ConflictOutcome};
pub use fingerprint::Fingerprint;
pub use refused::CookieRefused;
pub use session::{EndedBy, SessionChange, SessionEvent};
