//! Sessions in DynamoDB: one item per session, in a table with a hash key and nothing else.
//!
//! Every command is one request on one item. The version is the commit's id. Writes are conditional on
//! the version and on the deadline, because DynamoDB removes an expired item days late. When the
//! condition does not hold, the answer brings the item that is there, from which the store tells
//! `Conflict`, `Gone`, `Skipped` and `Corrupt` apart without a second request.
//!
//! Transactions would allow the same and cost twice as much; one item per command needs none.
//!
//! | file | is |
//! |---|---|
//! | `store`, `builder`, `capacity` | the public types |
//! | `table` | creating a table, for development |
//! | `requests` | the four requests |
//! | `item`, `condition` | the attributes, and the conditions on them |
//! | `location` | the table, the region and the host, for errors |
//! | `retries` | when the SDK may send a write again |
//! | `failure` | what an error proves about its command |

mod builder;
mod capacity;
mod condition;
mod failure;
mod item;
mod location;
mod requests;
mod retries;
mod store;
mod table;

pub use builder::DynamoDbStoreBuilder;
pub use capacity::DynamoDbCapacity;
pub use store::DynamoDbStore;
