//! The cookie: finding it in a request, proving it, and sending it.

mod attributes;
mod find;
#[cfg(feature = "cookie")]
mod pieces;
#[cfg(feature = "cookie")]
mod seal;
mod ticket;

pub(crate) use attributes::SetCookies;
pub use attributes::{CookieError, CookieOptions, CookieOptionsBuilder, SameSite};
pub(crate) use find::{CookieFinder, Presented};
#[cfg(feature = "cookie")]
pub(crate) use pieces::{MOST_PIECES, Pieces};
#[cfg(feature = "private")]
pub(crate) use seal::PRIVATE;
#[cfg(feature = "cookie")]
pub(crate) use seal::{Form, SIGNED, Sealer};
pub(crate) use ticket::{Ticket, TicketMint};
