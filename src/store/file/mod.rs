//! Keeps sessions as files that many servers share: on EFS, on any other NFSv4.1, on a local disk.
//!
//! Reading takes no lock. Every change of an existing session (replace, touch, delete, the sweeper's
//! removals) happens under a lock that holds on all hosts, after the file was read again under it, and
//! arrives by a rename. A new session is hard-linked into place, which needs no lock.
//!
//! The files, from the top down; each imports only files below it:
//!
//! | files | content |
//! |---|---|
//! | `builder` | the public options, and opening a store |
//! | `store` | the public store and its commands |
//! | `sweeper`, `election` | removing expired sessions; which server does it |
//! | `prepare` | checking the folder and laying it out |
//! | `command_runner` | a command's way to a worker thread and to its session's lock |
//! | `locked_session` | reading and changing a session under its lock |
//! | `folder` | reading and creating a session without its lock |
//! | `session_file`, `staged_file` | reading a file; writing one that nobody reads yet |
//! | `process_locks`, `lock_queue`, `session_turns`, `flock` | the locks within the process and between hosts |
//! | `worker_pool`, `deadline` | blocking work on a bounded number of threads, in bounded time |
//! | `error` | errors, and what they mean for a command |
//! | `owner`, `open` | whose files are accepted; opening without following a link |
//! | `defer_drop`, `file_id`, `format`, `layout`, `options` | no logic of the store |

mod builder;
mod command_runner;
mod deadline;
mod defer_drop;
mod election;
mod error;
mod file_id;
mod flock;
mod folder;
mod format;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod layout;
mod lock_queue;
mod locked_session;
mod open;
mod options;
mod owner;
mod prepare;
mod process_locks;
mod session_file;
mod session_turns;
mod staged_file;
mod store;
mod sweeper;
mod worker_pool;

pub use builder::FileStoreBuilder;
pub use options::Durability;
pub use store::FileStore;
pub use sweeper::Swept;
