//! Sessions in PostgreSQL, RDS or Aurora.
//!
//! Each of the five commands is one statement in a transaction of its own. The rows and the statements are
//! drawn in `row.rs` and `statements.rs`. The files from the ground up:
//!
//! ```text
//! builder                                options, connecting
//! store · table                          the five commands · making and checking the table
//! sweeper                                removing expired rows
//! connections                            the store's own connections, or a pool's
//! lane · pooled                          a connection that opens itself again · a pool of the app
//! opening                                finds the primary and logs in
//! link                                   one open connection
//! call                                   one command and its parameters
//! server · statements
//! failure · password · row · table_name
//! ```

mod builder;
mod call;
mod connections;
mod failure;
mod lane;
mod link;
mod opening;
mod password;
mod pooled;
mod row;
mod server;
mod statements;
mod store;
mod sweeper;
mod table;
mod table_name;

pub use builder::PostgresStoreBuilder;
pub use server::PostgresServer;
pub use store::PostgresStore;
