//! The tower side: a layer, its service, its future, and what they do to a response.

mod carriers;
mod config;
mod error_answer;
mod future;
mod headers;
mod layer;
mod notices;
mod plain_http;
mod policies;
mod response;
#[cfg(feature = "sealed")]
mod sealing;
mod service;
mod site_data;
mod timeouts;

pub use config::{OutagePolicy, UnreadablePolicy};
pub use error_answer::{EmptyBody, ErrorAnswer, ErrorPage};
pub use future::ResponseFuture;
pub use layer::SessionLayer;
pub use service::SessionService;
pub use site_data::SiteData;
pub use timeouts::Timeouts;
