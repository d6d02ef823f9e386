//! The options of every connection, whichever server it goes to.

use std::time::Duration;

use crate::store::authorities::Authorities;

#[derive(Clone)]
pub(super) struct ConnectOptions {
    pub(super) credentials: Option<(String, String)>,
    pub(super) tls: Option<Authorities>,
    /// The most connections to one server at once.
    pub(super) max_connections: usize,
    pub(super) command_timeout: Duration,
}

impl ConnectOptions {
    /// Returns the command that logs in.
    ///
    /// memcached takes the login as a value to be set; the key's name does not matter. The expiry -1
    /// makes the value expire at once on a server that stores it after all.
    pub(super) fn login_command(&self) -> Option<String> {
        let (user, password) = self.credentials.as_ref()?;
        let length = user.len() + 1 + password.len();
        Some(format!("set login 0 -1 {length}\r\n{user} {password}\r\n"))
    }
}
