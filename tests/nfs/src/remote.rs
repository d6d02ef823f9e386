//! The driver's side of the protocol: an actor on another host, and its stores as local ones.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched, Version,
};
use tokio::net::TcpStream;

use crate::protocol::{Answer, Command, kind_from_number, receive, send};

/// A process on one of the hosts.
#[derive(Clone, Debug)]
pub struct Actor {
    address: Arc<str>,
    idle: Arc<Mutex<Vec<TcpStream>>>,
}

impl Actor {
    pub fn at(address: &str) -> Self {
        Self { address: address.into(), idle: Arc::default() }
    }

    pub async fn ask(&self, command: &Command) -> Answer {
        self.try_ask(command).await.unwrap_or_else(|error| panic!("{}: {error}", self.address))
    }

    /// Sends a command on an idle connection or a new one. A connection carries one command at a time.
    pub async fn try_ask(&self, command: &Command) -> std::io::Result<Answer> {
        let idle = self.idle.lock().unwrap().pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&*self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        send(&mut stream, command).await?;
        let answer = receive(&mut stream).await?;
        self.idle.lock().unwrap().push(stream);
        Ok(answer)
    }

    /// Runs a shell command that has to succeed, and returns its output.
    pub async fn run(&self, command: &str) -> String {
        match self.ask(&Command::Run(command.to_owned())).await {
            Answer::Ran { success: true, output } => output,
            other => panic!("{}: {command}: {other:?}", self.address),
        }
    }

    pub async fn open(&self, root: &str, now: Timestamp) -> Remote {
        self.try_open(root, now, None).await.unwrap()
    }

    pub async fn try_open(
        &self,
        root: &str,
        now: Timestamp,
        shared_mount: Option<bool>,
    ) -> Result<Remote, String> {
        let open = Command::Open { root: root.to_owned(), now: now.as_millis(), shared_mount };
        match self.ask(&open).await {
            Answer::Opened(store) => Ok(Remote { actor: self.clone(), store }),
            Answer::Failed(_, why) => Err(why),
            other => panic!("{}: {root}: {other:?}", self.address),
        }
    }

    /// Returns an address at which other hosts reach a port that listens on the host's loopback address.
    pub async fn relay(&self, port: u16) -> String {
        match self.ask(&Command::Relay(port)).await {
            Answer::Relayed(port) => format!("{}:{port}", self.host()),
            other => panic!("{}: {port}: {other:?}", self.address),
        }
    }

    fn host(&self) -> &str {
        self.address.split(':').next().unwrap()
    }
}

/// A store in an actor's process.
#[derive(Clone, Debug)]
pub struct Remote {
    pub actor: Actor,
    pub store: usize,
}

impl Remote {
    async fn ask(&self, command: Command) -> Result<Answer, StoreError> {
        match self.actor.ask(&command).await {
            Answer::Failed(number, text) => Err(StoreError::new(kind_from_number(number), text)),
            answer => Ok(answer),
        }
    }
}

#[async_trait]
impl SessionStore for Remote {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        match self.ask(Command::Load { store: self.store, key: *key.as_bytes() }).await? {
            Answer::Loaded(entry) => Ok(entry.map(Entry::from)),
            other => panic!("load: {other:?}"),
        }
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        let key = *key.as_bytes();
        match self.ask(Command::Create { store: self.store, key, entry: entry.into() }).await? {
            Answer::Created(Some(version)) => Ok(Created::Done(Version::new(&version).unwrap())),
            Answer::Created(None) => Ok(Created::Exists),
            other => panic!("create: {other:?}"),
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (key, expected) = (*key.as_bytes(), expected.as_bytes().to_vec());
        let replace = Command::Replace { store: self.store, key, expected, entry: entry.into() };
        match self.ask(replace).await? {
            Answer::Replaced(version) => Ok(Replaced::Done(Version::new(&version).unwrap())),
            Answer::Conflict(entry) => Ok(Replaced::Conflict(entry.into())),
            Answer::Gone => Ok(Replaced::Gone),
            other => panic!("replace: {other:?}"),
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let (key, expected) = (*key.as_bytes(), expected.as_bytes().to_vec());
        let deadline = deadline.as_millis();
        match self.ask(Command::Touch { store: self.store, key, expected, deadline }).await? {
            Answer::Touched => Ok(Touched::Done),
            Answer::Skipped => Ok(Touched::Skipped),
            Answer::Gone => Ok(Touched::Gone),
            other => panic!("touch: {other:?}"),
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        match self.ask(Command::Delete { store: self.store, key: *key.as_bytes() }).await? {
            Answer::Deleted => Ok(()),
            other => panic!("delete: {other:?}"),
        }
    }
}
