//! The session, from the handle in a request down to the store or the cookie that keeps it.
//!
//! ```text
//! session, lazy      the two handles that an app sees; access has the values of a session
//! visit              one request and one layer: load, commit, end; the commit's skeleton
//! settings           what all requests of a layer share
//! backend            in a store, or in a cookie
//! kept, in_cookie    the two kinds
//! turn               what one commit or logout works with
//! slot, terms        the state behind its lock; plain values
//! command            one bounded store command
//! state, in_flight, changes, decision, found, field, value
//! ```
//!
//! Each file imports only those below it.

mod access;
mod backend;
mod changes;
mod command;
mod decision;
mod field;
mod found;
mod in_cookie;
mod in_flight;
mod kept;
mod lazy;
#[expect(clippy::module_inception, reason = "the handle is called what the folder is about")]
mod session;
mod settings;
mod slot;
mod state;
mod terms;
mod turn;
mod value;
mod visit;

pub use backend::Backend;
pub use field::{Field, FieldName, FieldOf};
pub use in_cookie::{CookieSessions, Revocations, RevocationsBuilder, Revoke};
pub use lazy::LazySession;
pub use session::Session;
pub(crate) use settings::Settings;
pub(crate) use visit::Outcome;
