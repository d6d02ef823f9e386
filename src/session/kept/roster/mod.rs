//! The roster of a principal: one entry of the store that lists the sessions of one user.
//!
//! It uses the five commands of a store and no others, so it works on every store and in a cluster. Three
//! rules hold it together:
//!
//! * A session enters the roster only after its record was created for certain, and before anybody has its
//!   ticket; or later, if its roster was lost. In the other order, an end would look for the record, find nothing, and take the session for
//!   over just before it begins.
//! * Whatever ends a session does so on a version that it has read. Deleting would let a renewal
//!   in flight find nothing where a mark should be, and go on.
//! * A renewal leaves the entry of the old id where it is. Whoever meets it follows the mark there to the
//!   new id, so no clock is needed to tell which of the two an end has to reach.

mod access;
mod ends;
mod join;
mod limit;
mod look;
mod prune;
mod walk;

pub(crate) use access::Rosters;
pub(crate) use ends::Spared;
pub(super) use join::{Joining, Listing};
pub(super) use look::{Standing, end_unlisted, look};
pub(super) use walk::Meant;
