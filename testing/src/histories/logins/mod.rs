//! Logins: users who list the sessions that they have and end them, and the check that an ended one stays
//! ended, that no other one is over, and that every list is whole.

mod calls;
mod checker;
mod members;
mod scene;
mod site;

pub use calls::{Answer, Call, Handle, Operation, User};
pub use checker::check;
pub use site::{Site, Ticket};
