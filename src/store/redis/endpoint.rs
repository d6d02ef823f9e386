//! Names the servers in errors, so that the operator sees which host and port to look at.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use fred::types::config::{Server, ServerConfig};

use crate::error::StoreError;

/// The servers of a client as a text: hosts and ports, never a user or a password.
#[derive(Clone, Debug)]
pub(super) struct Endpoint(Arc<str>);

impl Endpoint {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let hosts = || config.hosts().iter().map(host_and_port).collect::<Vec<_>>().join(", ");
        let text = match config {
            ServerConfig::Centralized { .. } => format!("Redis at {}", hosts()),
            ServerConfig::Clustered { .. } => format!("the Redis cluster at {}", hosts()),
            ServerConfig::Sentinel { service_name, .. } => {
                format!("the Redis service {service_name:?} of the Sentinels at {}", hosts())
            }
            ServerConfig::Unix { path } => format!("Redis at {}", path.display()),
        };
        Self(text.into())
    }

    /// Puts the servers between the error's kind and its source.
    pub(super) fn add_to(&self, error: StoreError) -> StoreError {
        StoreError::new(error.kind(), AtEndpoint { endpoint: self.clone(), error })
    }
}

/// Writes an IPv6 address in brackets.
fn host_and_port(server: &Server) -> String {
    match server.host.contains(':') {
        true => format!("[{}]:{}", server.host, server.port),
        false => format!("{}:{}", server.host, server.port),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug)]
struct AtEndpoint {
    endpoint: Endpoint,
    error: StoreError,
}

impl fmt::Display for AtEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

/// Skips the error that it was added to, whose text is that of its kind, which is said already.
impl Error for AtEndpoint {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::StoreErrorKind;

    #[test]
    fn every_topology_is_named_with_hosts_and_ports() {
        let servers = || vec![Server::new("a.example", 1), Server::new("::1", 2)];
        let (username, password) = (Some("user".to_owned()), Some("secret".to_owned()));
        let sentinel = ServerConfig::Sentinel {
            hosts: servers(),
            service_name: "sessions".to_owned(),
            username,
            password,
        };
        for (config, text) in [
            (ServerConfig::new_centralized("a.example", 1), "Redis at a.example:1"),
            (
                ServerConfig::Clustered { hosts: servers(), policy: Default::default() },
                "the Redis cluster at a.example:1, [::1]:2",
            ),
            (sentinel, r#"the Redis service "sessions" of the Sentinels at a.example:1, [::1]:2"#),
            (ServerConfig::Unix { path: "/run/redis.sock".into() }, "Redis at /run/redis.sock"),
        ] {
            assert_eq!(Endpoint::new(&config).to_string(), text);
        }
    }

    #[test]
    fn an_error_keeps_its_kind_and_its_source() {
        let refused = StoreError::new(StoreErrorKind::Denied, "WRONGPASS");
        let error = Endpoint::new(&ServerConfig::new_centralized("h", 1)).add_to(refused);
        assert_eq!(error.kind(), StoreErrorKind::Denied);
        let endpoint = error.source().unwrap();
        assert_eq!(endpoint.to_string(), "Redis at h:1");
        assert_eq!(endpoint.source().unwrap().to_string(), "WRONGPASS");
    }
}
