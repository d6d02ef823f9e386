//! The tower side: a layer, its service, its future, and what they do to a response.

mod config;
mod future;
mod headers;
mod layer;
mod notices;
mod plain_http;
mod policies;
mod response;
mod service;

pub use config::{OutagePolicy, UnreadablePolicy};
pub use future::ResponseFuture;
pub use layer::SessionLayer;
#[cfg(feature = "axum")]
pub(crate) use response::answer;
pub use service::SessionService;
