//! The cart: visitors who add to it, and the check that no addition is lost and no session comes back.

mod calls;
mod checker;
mod counter;
mod scene;
mod shop;
mod visitors;

pub use calls::{Answer, Call, Cart, Item, Operation};
pub use checker::check;
pub use shop::{Shop, Ticket};
