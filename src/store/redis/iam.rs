//! Logs in to ElastiCache without a password, by a token that is signed with the machine's AWS
//! credentials.

mod login;
mod options;
mod token;

pub(super) use login::Login;
pub use options::RedisIam;
