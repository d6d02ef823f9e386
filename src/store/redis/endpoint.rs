//! Names the servers in errors, so that the operator sees which host and port to look at.

use std::fmt;
use std::sync::Arc;

use fred::types::config::{Server, ServerConfig};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
