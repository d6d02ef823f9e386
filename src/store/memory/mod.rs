//! Sessions in the memory of this process: the default, the store of most tests, and the right one for
//! a single server.
//!
//! 64 shards, each a B-tree under a short lock of its own. A hash map would be a little faster to
//! search, but when a large one grows it stalls one unlucky request for hundreds of milliseconds; a
//! B-tree grows and shrinks one node at a time.
//!
//! There is no background task, because a store may be created outside a runtime. Every command that
//! changes something looks at a few entries of its shard, round and round, and frees the expired ones.

mod builder;
mod shards;
mod store;

pub use builder::MemoryStoreBuilder;
pub use store::MemoryStore;

#[cfg(test)]
mod tests;
