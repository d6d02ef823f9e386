//! The cookie: finding it in a request, proving it, and sending it.

mod attributes;
mod find;
mod ticket;

pub use attributes::{CookieError, CookieOptions, CookieOptionsBuilder, SameSite};
pub(crate) use find::{CookieFinder, Presented};
pub(crate) use ticket::{Ticket, TicketMint};
