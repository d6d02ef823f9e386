//! Logs in again on open connections, for credentials that are valid for a limited time.
//!
//! The client library can do this too, but its way is not used: on a cluster it stops all commands
//! until every node has answered, a frozen one for ever, and it goes on after the store is dropped.
//!
//! One connection is left out: the one on which the library asks for a cluster's shape. It carries
//! no requests, and the library gives no access to it. When the server closes it, the library opens
//! another one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, ClusterInterface};
use fred::types::config::{CredentialProvider, Options, Server};
use fred::types::{ClientState, ClusterHash, CustomCommand, Value};

use crate::abort_on_drop::AbortOnDrop;

/// The longest that one node may take to answer. One that takes longer keeps its old login until the next
/// time.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Gives credentials to new connections only. It hides the provider's refresh interval, so that the
/// client library does not log in again by itself.
#[derive(Debug)]
pub(super) struct CredentialsForNewConnections(pub(super) Arc<dyn CredentialProvider>);

#[async_trait]
impl CredentialProvider for CredentialsForNewConnections {
    async fn fetch(
        &self,
        server: Option<&Server>,
    ) -> Result<(Option<String>, Option<String>), Error> {
        self.0.fetch(server).await
    }
}

/// The task that logs in again. It ends when this is dropped.
pub(super) type Reauthentication = AbortOnDrop<()>;

/// Starts the task. Returns `None` for credentials that stay valid.
pub(super) fn start(
    client: &Client,
    provider: &Arc<dyn CredentialProvider>,
) -> Option<Reauthentication> {
    let interval = provider.refresh_interval()?;
    let task = keep_logging_in(client.clone(), provider.clone(), interval);
    Some(AbortOnDrop::new(tokio::spawn(task)))
}

async fn keep_logging_in(
    client: Client,
    provider: Arc<dyn CredentialProvider>,
    interval: Duration,
) {
    loop {
        tokio::time::sleep(interval).await;
        // New connections log in by themselves.
        if client.state() != ClientState::Connected {
            continue;
        }
        if let Err(error) = log_in_everywhere(&client, &*provider).await {
            tracing::warn!(%error, "the session store's credentials were not renewed");
        }
    }
}

/// Logs in on every connection, also after one has failed. Returns the first error.
async fn log_in_everywhere(
    client: &Client,
    provider: &dyn CredentialProvider,
) -> Result<(), Error> {
    let (user, secret) = provider.fetch(None).await?;
    let login: Vec<Value> = [user, secret].into_iter().flatten().map(Value::from).collect();
    let options = Options { max_attempts: Some(1), timeout: Some(TIMEOUT), ..Options::default() };
    let client = client.with_options(&options);
    let mut outcome = Ok(());
    for slot in one_slot_per_node(&client) {
        // A command like any other, so that it takes its turn among the others on the connection.
        let auth = CustomCommand::new_static("AUTH", ClusterHash::Custom(slot), false);
        let answer = client.custom::<Value, _>(auth, login.clone()).await;
        outcome = outcome.and(answer.map(drop));
    }
    outcome
}

/// Returns one slot of each primary. Nodes are addressed by slot and not by name, because a command
/// for a node without a connection would make the library break all other connections.
fn one_slot_per_node(client: &impl ClusterInterface) -> Vec<u16> {
    if !client.is_clustered() {
        return vec![0];
    }
    let state = client.cached_cluster_state();
    let mut ranges: Vec<_> = state.iter().flat_map(|state| state.slots()).collect();
    ranges.sort_by(|a, b| a.primary.cmp(&b.primary));
    ranges.dedup_by(|a, b| a.primary == b.primary);
    ranges.iter().map(|range| range.start).collect()
}
