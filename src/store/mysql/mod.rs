//! Sessions in MariaDB or MySQL: one row per session, in a table with a primary key and no other index.
//!
//! Every write is one statement that commits by itself. One that did not find what it expects
//! reads the row in a second statement on the same connection. There are no transactions of several
//! statements, so each command locks one row, and no two of them can wait for each other in a circle.
//!
//! | file | is |
//! |---|---|
//! | `store`, `builder`, `server` | the public types |
//! | `table` | the table and the connections to it |
//! | `shape`, `probe` | creating the table, and what is checked before the store is used |
//! | `sweeper` | removing expired rows |
//! | `connections` | the pool, and the tasks in which commands run |
//! | `queue`, `job` | the commands that wait for a connection |
//! | `greeting` | the first statements on each connection |
//! | `exchange` | a statement and its answer |
//! | `statements`, `row` | the texts of the statements, and what the rows mean |
//! | `failure`, `refusals` | what an error proves about its command |

mod builder;
mod connections;
mod exchange;
mod failure;
mod greeting;
mod job;
mod probe;
mod queue;
mod refusals;
mod row;
mod server;
mod shape;
mod statements;
mod store;
mod sweeper;
mod table;

pub use builder::MysqlStoreBuilder;
pub use server::MysqlServer;
pub use store::MysqlStore;
