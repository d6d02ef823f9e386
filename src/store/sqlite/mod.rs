//! Keeps sessions in a SQLite file, for the processes of one machine.
//!
//! One thread writes and a few threads read, each on a connection of its own; no request's thread waits
//! for the disk. The writing thread takes the lock of the database first, then takes the commands that
//! wait by then, and commits them together. A command is answered when its commit is on the disk.
//!
//! The files, from the top down; each imports only files below it:
//!
//! | files | content |
//! |---|---|
//! | `builder` | the public options, and opening a store |
//! | `store` | the public store and its commands |
//! | `sweeper` | removing expired sessions, a few at a time |
//! | `commands` | a command's way to a thread, and its answer's way back |
//! | `writer`, `reader` | the threads |
//! | `checkpoint` | moving what was committed from the log into the database |
//! | `jobs` | a command in a queue, with its answer |
//! | `changes` | the statements of each writing command |
//! | `table`, `row` | the statements, and a row as an entry |
//! | `prepare`, `connection` | making the file; opening it and checking whose it is |
//! | `place` | the file's path, and whether the file is still there |
//! | `error` | errors, and what they mean for a command |
//! | `busy` | waiting for the lock of another process |
//! | `queue`, `ticket` | the commands that wait, and whether one is taken or withdrawn |
//! | `options` | the values of the options |

mod builder;
mod busy;
mod changes;
mod checkpoint;
mod commands;
mod connection;
mod error;
mod jobs;
mod options;
mod place;
mod prepare;
mod queue;
mod reader;
mod row;
mod store;
mod sweeper;
mod table;
mod ticket;
mod writer;

pub use builder::SqliteStoreBuilder;
pub use options::SqliteSynchronous;
pub use store::SqliteStore;
