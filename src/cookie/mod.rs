//! The cookie, or a header in its place: finding it in a request, verifying it, and sending it.

mod attributes;
mod builder;
mod carrier;
mod csrf;
mod error;
mod find;
mod header;
mod pieces;
mod refusal;
mod rules;
mod seal;
mod ticket;

pub use attributes::{CookieOptions, SameSite};
pub(crate) use attributes::{MAX_COOKIE_BYTES, SetCookies};
pub use builder::CookieOptionsBuilder;
pub(crate) use carrier::{Carrier, TicketFinder};
pub(crate) use csrf::CsrfMint;
pub use csrf::CsrfToken;
pub use error::CookieError;
pub(crate) use find::Presented;
pub use header::HeaderError;
pub(crate) use header::TicketHeader;
pub(crate) use pieces::{MOST_PIECES, Pieces};
pub use refusal::Refusal;
#[cfg(feature = "private")]
pub(crate) use seal::PRIVATE;
pub(crate) use seal::{Form, SIGNED, Sealer};
pub(crate) use ticket::{Ticket, TicketMint};
