//! The servers that a URL names: `//user:password@host:port,host:port/path`

use super::ConnectError;
use super::address::Address;

/// User, password and path are percent-decoded. Has no `Debug`, as it may hold a password.
pub(super) struct Authority {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// At least one.
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) path: String,
}

impl Authority {
    pub(super) fn of(address: &Address, default_port: u16) -> Result<Self, ConnectError> {
        let place = address.place().strip_prefix("//");
        let place = place.ok_or_else(|| address.invalid("`//` is missing after the scheme"))?;
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(address.decoded(password)?)),
            None => (login, None),
        };
        let user = Some(address.decoded(user)?).filter(|user| !user.is_empty());
        let hosts = hosts.split(',').map(|host| host_and_port(host, default_port));
        let hosts = hosts.collect::<Option<Vec<_>>>();
        let hosts = hosts.ok_or_else(|| address.invalid("a host, or a port, is none"))?;
        Ok(Self { user, password, hosts, path: address.decoded(path)? })
    }
}

/// `host`, `host:port`, `[::1]`, `[::1]:port`
fn host_and_port(text: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|&port| port != 0)?,
        None if port.is_empty() => default_port,
        None => return None,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn authority(url: &str) -> Result<Authority, String> {
        let address = Address::parse(url).map_err(|error| error.to_string())?;
        Authority::of(&address, 7).map_err(|error| error.to_string())
    }

    #[test]
    fn an_authority_comes_apart() {
        let parts =
            authority("redis://us%65r:p%40ss:w@a.example:1,[::1]:2,[::2],b/sess/2").ok().unwrap();
        assert_eq!(
            (parts.user.as_deref(), parts.password.as_deref()),
            (Some("user"), Some("p@ss:w"))
        );
        let hosts: Vec<_> = parts.hosts.iter().map(|(host, port)| (host.as_str(), *port)).collect();
        assert_eq!(hosts, [("a.example", 1), ("::1", 2), ("::2", 7), ("b", 7)]);
        assert_eq!(parts.path, "sess/2");
    }

    #[test]
    fn a_login_may_be_left_out_or_be_half() {
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
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
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
        ] {
            let error = authority(url).err().unwrap();
            assert!(
                !error.contains("secret") && error.starts_with("the `redis:` URL is wrong"),
                "{error}"
            );
        }
    }
}
