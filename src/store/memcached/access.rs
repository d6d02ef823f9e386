//! How every server of a store is talked to.

use std::time::Duration;

use crate::store::authorities::Authorities;

#[derive(Clone)]
pub(super) struct Access {
    pub(super) credentials: Option<(String, String)>,
    pub(super) tls: Option<Authorities>,
    /// Connections to one server at once.
    pub(super) max_connections: usize,
    pub(super) command_timeout: Duration,
}

impl Access {
    /// memcached takes the login as a value to be set, whatever its name. Were it ever kept, it
    /// would be over at once.
    pub(super) fn login(&self) -> Option<String> {
        let (user, password) = self.credentials.as_ref()?;
        let length = user.len() + 1 + password.len();
        Some(format!("set login 0 -1 {length}\r\n{user} {password}\r\n"))
    }
}
