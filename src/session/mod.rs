//! The session, from the handle in a request down to the store or the cookie that keeps it.
//!
//! ```text
//! access, times, login
//!                    the values of a session, its times, and logging in
//! flash, csrf        messages for the next page; the token against cross-site requests
//! users, edit        all sessions of one user, from outside of any request
//! inspect            what the feature `testing` tells about a handle
//! lazy               the handle that costs nothing until it is used
//! session            the handle that an app sees
//! visit, head        one request and one layer: load, commit, end; the commit's skeleton
//! settings           what all requests of a layer share
//! backend            in a store, or in a cookie
//! kept, in_cookie    the two kinds
//! work, retry        the things that one commit or logout works with; its pauses
//! slot, flags, terms the state behind its lock, and without; plain values
//! revocations        sessions that are over because of when they began
//! command, own_task, together
//!                    one bounded store command; work that goes on while its caller is not polled;
//!                    commands at the same time
//! authentication     when and how strongly the user was authenticated
//! state, log, in_flight, changes, decision, found, field, value, nesting, reading, report,
//! roster, known_roster, sealing
//! ```
//!
//! Each file imports only those below it.
//!
//! A change goes this way. `Session::insert` pushes a `Change` onto `State::changes`. A commit, which
//! is a `save` or the end of the request, moves them to `State::sending` (`begin_commit`), applies them
//! to the loaded record (`draft`), decides what must be written (`decide`) and writes it (`carry_out`).
//! A conditional write waits for its answer in `State::in_flight`; `settle` finds out what became of
//! it. Then the state is `committed`, or `fail` puts the changes back.

mod access;
mod authentication;
mod backend;
mod changes;
mod command;
mod csrf;
mod decision;
mod edit;
mod field;
mod flags;
mod flash;
mod found;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod head;
mod in_cookie;
mod in_flight;
#[cfg(feature = "testing")]
mod inspect;
mod kept;
mod known_roster;
mod lazy;
mod log;
mod login;
mod nesting;
mod own_task;
mod reading;
mod reads;
mod report;
mod retry;
mod revocations;
mod roster;
mod sealing;
#[expect(clippy::module_inception, reason = "the handle is called what the folder is about")]
mod session;
mod settings;
mod slot;
mod state;
mod terms;
mod times;
mod together;
mod unwatched;
mod users;
mod value;
mod visit;
mod work;

pub use backend::Backend;
pub use field::{Field, FieldName, FieldOf};
pub(crate) use head::ResponseEffect;
pub use in_cookie::CookieSessions;
pub use lazy::LazySession;
pub use login::Login;
pub(crate) use reading::Tolerated;
pub use revocations::{Revocations, RevocationsBuilder, Revoke};
pub use roster::{Roster, WhenFull};
pub use sealing::Sealing;
pub use session::Session;
pub(crate) use settings::Settings;
pub(crate) use terms::{LEAST_TIME, Terms};
pub use users::Users;
