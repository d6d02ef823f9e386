//! Processes that run the examples of `cloakroom`, and a visitor who reaches them over HTTP.

#[cfg(feature = "fleet")]
mod held_login;
#[cfg(feature = "fleet")]
mod member;
mod server;
#[cfg(feature = "fleet")]
mod upload;
#[cfg(feature = "fleet")]
mod visitor;

#[cfg(feature = "fleet")]
pub use held_login::HeldLogin;
#[cfg(feature = "fleet")]
pub use member::Member;
#[cfg(feature = "histories")]
pub(crate) use server::{STARTS, is_slow_store};
pub use server::{Server, command};
#[cfg(feature = "fleet")]
pub use upload::Upload;
#[cfg(feature = "fleet")]
pub use visitor::{Reply, Visitor};
