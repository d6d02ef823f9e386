//! Two stores as one, so that an app can change its store without logging anybody out.
//!
//! The entry under a key counts where the old store says so:
//!
//! ```text
//! the old store has               the new store has           the entry is
//! an entry of the library's       anything                    the old store's
//! a fence that leads to u         the tentative entry u       that tentative entry
//! a fence, or nothing             an entry of the library's   the new store's
//! anything else                                               absent
//! ```
//!
//! A move has three writes. The *tentative entry* in the new store holds the changed entry and the version in
//! the old store that it was made for; by itself it is junk. The *fence* in the old store, a replace of that
//! very version, is the moment of the move. *Settling* turns the tentative entry into the entry itself, and
//! whoever meets it does so. Once there is a fence, the old store has no entry of the library's again while
//! the fence lives, so no late write can land there.
//!
//! A copy into the new store and a delete in the old one, which seems simpler, loses a logout: a crash between
//! the two leaves both, and whatever ends one leaves the other.
//!
//! `format` draws the bytes. `old_store` and `new_store` turn the answers of the two stores into these words,
//! `loading` finds the entry that counts, and `changing`, `creating` and `deleting` have a command each.
//! The bit of a [`Version`](crate::store::Version) that tells in which store its entry is never reaches a
//! store; the version of a fence or a tentative entry never leaves this folder.

mod breaker;
mod changing;
mod creating;
mod deleting;
mod format;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod loading;
mod new_store;
mod old_store;
mod pair;
mod store;
mod tally;

pub use store::Moving;
