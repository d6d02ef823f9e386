//! This server's memory in front of a store that several servers share.
//!
//! A look that may be a short while old is answered from memory, without a trip. Everything else goes to the store:
//! the contract's five commands are what they are without this memory, so no law of the contract is weakened, and
//! the library decides nothing on an old entry. What their answers show replaces what is held.
//!
//! ```text
//! look ─► held, and young enough?      ─► the entry, as of then
//!         a load under way, and young? ─► wait for that one
//!         otherwise                    ─► load, in a task of its own
//! load, create, replace, touch, delete ─► the store; the answer replaces what is held, if no other command came between
//! ```
//!
//! Two rules keep the order of things. An answer that another write of this process has overtaken is not kept, because
//! nobody knows which of the two came last in the store. And a write that got no answer leaves nothing held.
//!
//! `held` has the entries, `under_way` the commands and the two rules, `store` the store.

mod held;
mod store;
mod under_way;

pub(crate) use store::LONGEST_STALENESS;
pub use store::Near;
