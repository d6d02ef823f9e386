//! One server of the shop: the cart's HTTP face, over any store.
//!
//! Sessions are used as the cart example uses them. Only the extra bytes beside the cart are new.

mod cart;
mod face;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::{Backend, ConnectError, KeyRing, SessionLayer};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::Fallible;
use crate::cli;
use crate::cluster::{Cluster, Traffic};
use face::Shop;

/// The environment variable with the keys. An argument would show in the list of processes.
pub(crate) const KEYS: &str = "SESSION_KEYS";

/// The words before its URL with which a node says that it is ready.
pub(crate) const LISTENING: &str = "listening on ";
/// The words before the port for other nodes.
pub(crate) const CLUSTER: &str = "cluster on ";

pub(crate) async fn serve(node: cli::Node) -> Fallible<()> {
    let keys: KeyRing = std::env::var(KEYS)?.parse()?;
    let (backend, traffic) = backend(&node).await?;
    let listener = TcpListener::bind((node.listen, 0)).await?;
    let shop = Shop::new(node.name, &node.store, node.session_bytes, traffic);
    let app = face::app(shop, SessionLayer::new(backend, keys));
    println!("{LISTENING}{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Opens the backend. A node of a cluster first gets the sessions of the others.
async fn backend(node: &cli::Node) -> Fallible<(Backend, Arc<Traffic>)> {
    let Some(copies) = node.cluster else {
        return Ok((connect(&node.store).await?, Arc::default()));
    };
    let cluster = Cluster::open(copies, node.synchronous).await?;
    cluster.join(&node.peers).await?;
    println!("{CLUSTER}{}", cluster.port());
    let traffic = cluster.traffic();
    Ok((cluster.into(), traffic))
}

/// How long a store may take to start, on a machine that has other work.
const STORE_START_TIMEOUT: Duration = Duration::from_secs(60);

async fn connect(store: &str) -> Result<Backend, ConnectError> {
    let begun = Instant::now();
    loop {
        match cloakroom::connect(store).await {
            Err(ConnectError::Store(_)) if begun.elapsed() < STORE_START_TIMEOUT => {
                sleep(Duration::from_millis(100)).await;
            }
            done => return done,
        }
    }
}
