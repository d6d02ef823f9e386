//! One server of the shop: the cart's HTTP face, over any store.
//!
//! What it does with a session is the cart example's own file. Only the weight is new: what a session
//! carries beside its cart.

#[path = "../../../cart/cart.rs"]
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

/// Where the keys are; an argument would be seen in the list of processes.
pub(crate) const KEYS: &str = "SESSION_KEYS";

/// What a node says when it is ready, before its URL.
pub(crate) const LISTENING: &str = "listening on ";
/// What it says of its port for other nodes.
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

/// A cluster is ready when it has the sessions that are there.
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

/// How long a store may need until it can be reached, on a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(60);

async fn connect(store: &str) -> Result<Backend, ConnectError> {
    let begun = Instant::now();
    loop {
        match cloakroom::connect(store).await {
            Err(ConnectError::Store(_)) if begun.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(100)).await;
            }
            done => return done,
        }
    }
}
