//! A shop on tower-sessions ([`before`]), the same shop on cloakroom ([`after`]), and the middleware that
//! carries its visitors from one to the other ([`carry`]).
//!
//! `docs/coming-from.md` shows the difference between the two files and the whole middleware; the tests of
//! this package compare the page with the files.

pub mod after;
pub mod before;
pub mod carry;
