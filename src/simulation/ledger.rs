//! The ledger: holds what visitors were told against what is true.
//!
//! The ledger sees what a visitor sees: answers, cookies, and the data that handlers find. From the
//! store it learns only which id a session moved to, and the deadlines that were sent. If it
//! compared with the model instead, it would repeat the library's own reasoning and its mistakes.

mod books;
mod entry;
mod lineage;
mod logouts;
mod open;
mod promises;
mod recording;
mod tickets;

pub(super) use books::Ledger;
pub(super) use entry::{Answer, ChangeKind, Commit, CommitResult, Contents};
pub(super) use lineage::Move;
pub(super) use open::Answered;
