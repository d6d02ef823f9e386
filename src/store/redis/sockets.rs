//! TCP options, so that a peer that has vanished without a word is noticed.

use std::time::Duration;

use fred::socket2::TcpKeepalive;
use fred::types::config::TcpConfig;

/// The time that a connection may be idle before the kernel asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Returns the TCP options of every connection.
pub(super) fn tcp_config() -> TcpConfig {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let config =
        TcpConfig { nodelay: Some(true), keepalive: Some(keepalive), ..TcpConfig::default() };
    user_timeout::set(config)
}

#[cfg(any(target_os = "android", target_os = "linux"))]
mod user_timeout {
    use super::{Duration, TcpConfig};

    /// The time that sent data may stay without an acknowledgement until the connection breaks. Left to
    /// itself, the kernel goes on for a quarter of an hour.
    const TIMEOUT: Duration = Duration::from_secs(3);

    pub(super) fn set(config: TcpConfig) -> TcpConfig {
        TcpConfig { user_timeout: Some(TIMEOUT), ..config }
    }
}

/// Other systems have no such option.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod user_timeout {
    pub(super) fn set(config: super::TcpConfig) -> super::TcpConfig {
        config
    }
}
