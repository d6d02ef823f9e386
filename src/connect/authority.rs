//! The login and the servers in a URL: `//user:password@host:port,host:port/path`.

use super::address::Address;
use super::error::ConnectError;

/// User, password and path are percent-decoded. It has no `Debug`, because it may hold a password.
pub(super) struct Authority {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// At least one.
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) path: String,
}

impl Authority {
    /// Reads the place of an address. Hosts without a port get `default_port`.
    pub(super) fn parse(address: &Address, default_port: u16) -> Result<Self, ConnectError> {
        Self::parse_place(address, address.place(), default_port)
    }

    fn parse_place(
        address: &Address,
        place: &str,
        default_port: u16,
    ) -> Result<Self, ConnectError> {
        let place = place.strip_prefix("//");
        let place = place.ok_or_else(|| address.invalid("`//` is missing after the scheme"))?;
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        // A password with a slash in it ends up here. Its first half would pass for a host and its
        // second half for the name of a service, and both would be sent and shown.
        if path.contains('@') {
            return Err(address.invalid("a `/` in a login must be percent-encoded, as `%2F`"));
        }
        // The last `@`. After the first one, the rest of a password with an `@` would pass for a host,
        // be looked up and be shown.
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(address.decode(password)?)),
            None => (login, None),
        };
        let user = Some(address.decode(user)?).filter(|user| !user.is_empty());
        let hosts = hosts.split(',').map(|host| host_and_port(host, default_port));
        let hosts = hosts.collect::<Option<Vec<_>>>();
        let hosts = hosts
            .ok_or_else(|| address.invalid("the host list has an empty host or an invalid port"))?;
        Ok(Self { user, password, hosts, path: address.decode(path)? })
    }
}

#[cfg(feature = "postgres")]
impl Authority {
    /// Reads the place of an address whose host stands elsewhere, as in `//user:password@/path`.
    pub(super) fn without_host(address: &Address) -> Result<Self, ConnectError> {
        let place = address.place().strip_prefix("//");
        let place = place.ok_or_else(|| address.invalid("`//` is missing after the scheme"))?;
        let (login, path) = place.split_once('/').unwrap_or((place, ""));
        if !login.is_empty() && !login.ends_with('@') {
            return Err(address.invalid("the host is named twice"));
        }
        // Only the login and the path are used.
        Self::parse_place(address, &format!("//{login}elsewhere/{path}"), 1)
    }
}

#[allow(dead_code, reason = "only some stores need it")]
impl Authority {
    /// Returns the host where there is exactly one.
    pub(super) fn only_host(&self) -> Option<(String, u16)> {
        match self.hosts.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }
}

/// Reads `host`, `host:port`, `[::1]` or `[::1]:port`.
///
/// A host with a `%` is refused. The likely reason for one is that a whole login was percent-encoded,
/// its `@` included, and the errors of connecting show hosts.
fn host_and_port(text: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').filter(|(host, _)| is_ipv6(host))?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|&port| port != 0)?,
        None if port.is_empty() => default_port,
        None => return None,
    };
    (!host.is_empty() && !host.contains('%')).then(|| (host.to_owned(), port))
}

fn is_ipv6(host: &str) -> bool {
    host.parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn authority(url: &str) -> Result<Authority, String> {
        let address = Address::parse(url).map_err(|error| error.to_string())?;
        Authority::parse(&address, 7).map_err(|error| error.to_string())
    }

    #[test]
    fn an_authority_is_split_into_its_parts() {
        let parts =
            authority("redis://us%65r:p%40ss:w@a.example:1,[::1]:2,[::2],b/sess/2").ok().unwrap();
        assert_eq!(
            (parts.user.as_deref(), parts.password.as_deref()),
            (Some("user"), Some("p@ss:w"))
        );
        let hosts: Vec<_> = parts.hosts.iter().map(|(host, port)| (host.as_str(), *port)).collect();
        assert_eq!(hosts, [("a.example", 1), ("::1", 2), ("::2", 7), ("b", 7)]);
        assert_eq!(parts.path, "sess/2");
        assert_eq!(parts.only_host(), None);
    }

    #[test]
    fn user_and_password_are_both_optional() {
        for (url, user, password) in [
            ("redis://h", None, None),
            ("redis://u@h", Some("u"), None),
            ("redis://:p@h", None, Some("p")),
        ] {
            let parts = authority(url).ok().unwrap();
            assert_eq!(
                (parts.user.as_deref(), parts.password.as_deref()),
                (user, password),
                "{url}"
            );
            assert_eq!(parts.only_host(), Some(("h".to_owned(), 7)));
        }
    }

    #[test]
    fn errors_do_not_show_the_password() {
        for url in [
            "redis:host",
            "redis://",
            "redis://:secret@",
            "redis://u:secret@h:0",
            "redis://h:70000",
            "redis://u:secret@h:port",
            "redis://u:secret@[::1",
            "redis://[::1]x",
            "redis://h,,i",
            "redis://u:%ffsecret@h",
            "redis://u:secret/x@h",
            "redis://u:1/secret@h",
            "redis://secret/@h",
        ] {
            let error = authority(url).err().unwrap();
            assert!(
                !error.contains("secret") && error.starts_with("the `redis:` URL is wrong"),
                "{url}: {error}"
            );
        }
    }
}
