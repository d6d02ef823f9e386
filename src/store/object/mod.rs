//! Sessions in a bucket: one object per session, on S3 and what speaks its protocol (R2, MinIO), Google Cloud
//! Storage and Azure Blob Storage.
//!
//! Every write is conditional. A new session is put only where no object is. A change is put only over the
//! object whose tag (the ETag, at Google the generation) is the one that was read. A tag may be a hash of the
//! content, so that equal contents have equal tags; therefore no two writes have equal bytes: the id of the
//! commit, or the deadline of the touch, is in them.
//!
//! A bucket expires nothing at a moment that a session could rely on. The deadline is in the object, and a sweep
//! removes what is over. The crate below has no conditional delete, so a plain one could remove an object that
//! was written a moment before. The sweep first puts a *fence* over the expired object, on its tag. A create that
//! finds a young fence waits until it is gone, and fails rather than write over it. Then the sweep deletes. An
//! expired session has nobody who could create it again; the entry with the list of a user's sessions has.
//!
//! A bucket with versions and a native conditional delete were considered: the first leaves a second object for
//! each write, the second is not offered by the crate, nor by all servers.
//!
//! | file | is |
//! |---|---|
//! | `store`, `builder`, `http` | the public types |
//! | `probe` | the check, at open, that the server honours conditions |
//! | `sweeper`, `election` | removing what is over, and which server does it when |
//! | `command` | one key, and the steps that commands are made of |
//! | `requests` | the four requests |
//! | `format`, `tag`, `layout` | the bytes, versions, and names of objects |
//! | `failure` | what an error proves about its request |

mod builder;
mod command;
mod election;
mod failure;
mod format;
mod http;
mod layout;
mod probe;
mod requests;
mod store;
mod sweeper;
mod tag;

pub use builder::BucketStoreBuilder;
pub use http::BucketHttp;
pub use store::BucketStore;
pub use sweeper::BucketSwept;
