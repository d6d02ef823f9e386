//! Logs in again, on the connections there are, with credentials that are good for a time only.
//!
//! The client library has a way of its own, which is not used. On a cluster it stops all commands
//! until every node has answered, a silent one for ever; and it outlives the store.
//!
//! One connection is left out: that on which the library asks for a cluster's shape. It carries no
//! requests and is not to be had. When it has been ended, the library makes another.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, ClusterInterface};
use fred::types::config::{CredentialProvider, Options, Server};
use fred::types::{ClientState, ClusterHash, CustomCommand, Value};

use crate::abort_on_drop::AbortOnDrop;

/// A node that has not answered by then keeps what it has until the next time.
const TIMEOUT: Duration = Duration::from_secs(1);

/// What the client library gets: credentials for new connections, and no interval.
#[derive(Debug)]
pub(super) struct OnConnecting(pub(super) Arc<dyn CredentialProvider>);

#[async_trait]
impl CredentialProvider for OnConnecting {
    async fn fetch(
        &self,
        server: Option<&Server>,
    ) -> Result<(Option<String>, Option<String>), Error> {
        self.0.fetch(server).await
    }
}

pub(super) type Renewal = AbortOnDrop<()>;

/// Starts to renew the client's credentials. Returns `None` where they stay good.
pub(super) fn start(client: &Client, provider: &Arc<dyn CredentialProvider>) -> Option<Renewal> {
    let every = provider.refresh_interval()?;
    let renewing = keep_renewing(client.clone(), provider.clone(), every);
    Some(AbortOnDrop::new(tokio::spawn(renewing)))
}

async fn keep_renewing(client: Client, provider: Arc<dyn CredentialProvider>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        // The connections to come log in by themselves.
        if client.state() != ClientState::Connected {
            continue;
        }
        if let Err(error) = renew(&client, &*provider).await {
            tracing::warn!(%error, "the session store's credentials were not renewed");
        }
    }
}

/// On every connection, also after one has failed. The first error.
async fn renew(client: &Client, provider: &dyn CredentialProvider) -> Result<(), Error> {
    let (user, secret) = provider.fetch(None).await?;
    let login: Vec<Value> = [user, secret].into_iter().flatten().map(Value::from).collect();
    let options = Options { max_attempts: Some(1), timeout: Some(TIMEOUT), ..Options::default() };
    let client = client.with_options(&options);
    let mut outcome = Ok(());
    for slot in one_slot_of_each_node(&client) {
        // As a command like any other: its place is among the others on the connection.
        let auth = CustomCommand::new_static("AUTH", ClusterHash::Custom(slot), false);
        let answer = client.custom::<Value, _>(auth, login.clone()).await;
        outcome = outcome.and(answer.map(drop));
    }
    outcome
}

/// By slot, since a command for a node that has no connection would break off all the others; one
/// for a slot goes to some node.
fn one_slot_of_each_node(client: &impl ClusterInterface) -> Vec<u16> {
    if !client.is_clustered() {
        return vec![0];
    }
    let state = client.cached_cluster_state();
    let mut ranges: Vec<_> = state.iter().flat_map(|state| state.slots()).collect();
    ranges.sort_by(|a, b| a.primary.cmp(&b.primary));
    ranges.dedup_by(|a, b| a.primary == b.primary);
    ranges.iter().map(|range| range.start).collect()
}
