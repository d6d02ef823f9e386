//! The settings, read from environment variables.

use std::env::{self, VarError};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use cloakroom::{Key, KeyRing, SessionLayer};

#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: IpAddr,
    pub(crate) port: u16,
    pub(crate) node: String,
    store: String,
    keys: KeyRing,
    idle: Option<Duration>,
    lifetime: Option<Duration>,
    timeout: Option<Duration>,
}

impl Config {
    pub(crate) fn from_environment() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            listen: match variable("LISTEN")? {
                Some(address) => address.parse().map_err(|_| "LISTEN must be an IP address")?,
                None => Ipv4Addr::LOCALHOST.into(),
            },
            port: match variable("PORT")? {
                Some(port) => port.parse().map_err(|_| "PORT must be a number from 0 to 65535")?,
                None => 3000,
            },
            node: variable("NODE")?.unwrap_or_else(|| "node-1".into()),
            store: variable("STORE")?.unwrap_or_else(|| "memory:".into()),
            keys: keys()?,
            idle: seconds("IDLE")?,
            lifetime: seconds("LIFETIME")?,
            timeout: seconds("TIMEOUT")?,
        })
    }

    /// Returns the scheme of the store's URL. The rest may contain a password, so it is never shown.
    pub(crate) fn store_name(&self) -> &str {
        self.store.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    pub(crate) async fn sessions(&self) -> Result<SessionLayer, Box<dyn Error>> {
        let backend = cloakroom::connect(&self.store).await?;
        let mut layer = SessionLayer::new(backend, self.keys.clone());
        if let Some(idle) = self.idle {
            layer = layer.idle_timeout(idle);
        }
        if let Some(lifetime) = self.lifetime {
            layer = layer.absolute_lifetime(lifetime);
        }
        if let Some(timeout) = self.timeout {
            layer = layer.command_timeout(timeout).commit_timeout(timeout);
        }
        Ok(layer)
    }
}

fn keys() -> Result<KeyRing, Box<dyn Error>> {
    if let Some(keys) = variable("SESSION_KEYS")? {
        return Ok(keys.parse().map_err(|error| format!("SESSION_KEYS: {error}"))?);
    }
    eprintln!(
        "warning: SESSION_KEYS is not set, so a random key signs the sessions: \
         other servers refuse them, and so does this one after a restart"
    );
    Ok(Key::generate()?.into())
}

fn seconds(name: &str) -> Result<Option<Duration>, Box<dyn Error>> {
    let Some(text) = variable(name)? else { return Ok(None) };
    match text.parse() {
        Ok(0) | Err(_) => {
            Err(format!("{name} must be a whole number of seconds, 1 or more").into())
        }
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
    }
}

/// Reads a variable. An empty one counts as not set, because many deployment tools set it so.
fn variable(name: &str) -> Result<Option<String>, Box<dyn Error>> {
    match env::var(name) {
        Ok(text) => Ok((!text.is_empty()).then_some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not valid Unicode").into()),
    }
}
