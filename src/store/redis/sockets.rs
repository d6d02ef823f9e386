//! How long a peer may be silent on the level of TCP.

use std::time::Duration;

use fred::socket2::TcpKeepalive;
use fred::types::config::TcpConfig;

/// A peer that has vanished without a word is noticed after this much silence where nothing is sent.
const KEEPALIVE: Duration = Duration::from_secs(15);

pub(super) fn config() -> TcpConfig {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let config =
        TcpConfig { nodelay: Some(true), keepalive: Some(keepalive), ..TcpConfig::default() };
    acknowledged::within_seconds(config)
}

#[cfg(any(target_os = "android", target_os = "linux"))]
mod acknowledged {
    use super::{Duration, TcpConfig};

    /// After this much time without an acknowledgement of what was sent, the connection breaks. The
    /// kernel's own patience is a quarter of an hour.
    const TIMEOUT: Duration = Duration::from_secs(3);

    pub(super) fn within_seconds(config: TcpConfig) -> TcpConfig {
        TcpConfig { user_timeout: Some(TIMEOUT), ..config }
    }
}

/// Other systems have no such setting.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod acknowledged {
    pub(super) fn within_seconds(config: super::TcpConfig) -> super::TcpConfig {
        config
    }
}
