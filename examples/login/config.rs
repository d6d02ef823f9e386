//! The settings, read from environment variables.

use std::env::{self, VarError};
use std::error::Error;
use std::time::Duration;

use cloakroom::store::MemoryStore;
use cloakroom::{Key, KeyRing, Revocations, Roster, SessionLayer};

#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) port: u16,
    pub(crate) node: String,
    store: String,
    keys: KeyRing,
    idle: Option<Duration>,
    lifetime: Option<Duration>,
    timeout: Option<Duration>,
    limit: Option<usize>,
}

impl Config {
    pub(crate) fn from_environment() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            port: match variable("PORT")? {
                Some(port) => port.parse().map_err(|_| "PORT must be a number from 0 to 65535")?,
                None => 3000,
            },
            node: variable("NODE")?.unwrap_or_else(|| "node-1".into()),
            store: variable("STORE")?.unwrap_or_else(|| "memory:".into()),
            keys: keys()?,
            idle: number("IDLE")?.map(Duration::from_secs),
            lifetime: number("LIFETIME")?.map(Duration::from_secs),
            timeout: number("TIMEOUT")?.map(Duration::from_secs),
            limit: number("LIMIT")?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        })
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
        if self.is_in_cookies() {
            // Nobody can list sessions that travel in cookies, but those of a user can be revoked. An app
            // with several servers keeps the list of revocations in a store that they share.
            eprintln!(
                "warning: the revocations of sessions in cookies are in this server's memory: \
                 ending a user's sessions does not reach other servers, and a restart undoes it"
            );
            return Ok(layer.revocations(Revocations::new(MemoryStore::new())));
        }
        let roster = Roster::default();
        Ok(layer.roster(self.limit.map_or(roster, |limit| roster.limit(limit))))
    }

    fn is_in_cookies(&self) -> bool {
        matches!(self.store.split_once(':'), Some(("cookie" | "private-cookie", _)))
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

fn number(name: &str) -> Result<Option<u64>, Box<dyn Error>> {
    let Some(text) = variable(name)? else { return Ok(None) };
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("{name} must be a whole number, 1 or more").into()),
        Ok(number) => Ok(Some(number)),
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
