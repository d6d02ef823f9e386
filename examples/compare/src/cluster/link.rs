//! The connections that a node has opened to others.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::ClusterState;
use super::message::{self, Message};
use crate::Fallible;

/// The answer to a message, still to come. There is none if the node is gone.
#[derive(Debug)]
pub(super) struct Receipt(oneshot::Receiver<Message>);

impl Receipt {
    pub(super) async fn arrived(self) {
        let _ = self.0.await;
    }

    pub(super) async fn answer(self) -> Option<Message> {
        self.0.await.ok()
    }
}

type Waiting = Mutex<HashMap<u64, oneshot::Sender<Message>>>;

#[derive(Debug)]
struct Link {
    /// The queue has no bound: asynchronous copies wait for nobody, and nobody waits for them.
    outbox: UnboundedSender<(Message, oneshot::Sender<Message>)>,
    task: AbortHandle,
}

/// The links to all live nodes, by port.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: Mutex<BTreeMap<u16, Link>>,
    turn: AtomicUsize,
}

impl Links {
    fn links(&self) -> MutexGuard<'_, BTreeMap<u16, Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask(&self, peer: u16, message: &Message) -> Option<Receipt> {
        self.links().get(&peer).map(|link| link.ask(message))
    }

    pub(super) fn ask_all(&self, message: &Message) -> Vec<Receipt> {
        self.links().values().map(|link| link.ask(message)).collect()
    }

    pub(super) fn ask_one(&self, message: &Message) -> Option<Receipt> {
        self.links().values().next().map(|link| link.ask(message))
    }

    /// Returns this node if it is live, or else the next live one in turn.
    pub(super) fn living(&self, wanted: Option<u16>) -> Option<u16> {
        let links = self.links();
        if let Some(peer) = wanted.filter(|peer| links.contains_key(peer)) {
            return Some(peer);
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        links.keys().nth(turn % links.len().max(1)).copied()
    }

    pub(super) fn close(&self) {
        self.links().values().for_each(|link| link.task.abort());
        self.links().clear();
    }

    fn add(&self, peer: u16, link: Link) {
        let outbox = link.outbox.clone();
        if let Some(former) = self.links().insert(peer, link) {
            former.task.abort();
        }
        // The link may have ended before it was added here.
        if outbox.is_closed() {
            self.links().remove(&peer);
        }
    }

    pub(super) fn knows(&self, peer: u16) -> bool {
        self.links().contains_key(&peer)
    }
}

impl Link {
    fn ask(&self, message: &Message) -> Receipt {
        let (answer, receipt) = oneshot::channel();
        // A link that is ending counts as a node that is gone.
        let _ = self.outbox.send((message.clone(), answer));
        Receipt(receipt)
    }
}

/// Opens a connection to a node, unless there is one.
pub(super) async fn open(state: &Arc<ClusterState>, peer: u16) -> Fallible<()> {
    if state.links.knows(peer) {
        return Ok(());
    }
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, peer)).await?;
    stream.set_nodelay(true)?;
    let (outbox, queue) = mpsc::unbounded_channel();
    let running = run(Arc::clone(state), peer, stream, queue);
    let task = tokio::spawn(running).abort_handle();
    state.links.add(peer, Link { outbox, task });
    Ok(())
}

async fn run(
    state: Arc<ClusterState>,
    peer: u16,
    stream: TcpStream,
    queue: UnboundedReceiver<(Message, oneshot::Sender<Message>)>,
) {
    let (reader, writer) = stream.into_split();
    let waiting = Waiting::default();
    // If either half ends, the node is gone.
    tokio::select! {
        _ = send(&state, writer, queue, &waiting) => {}
        _ = receive(&state, reader, &waiting) => {}
    }
    state.links.links().remove(&peer);
    // Done here and not at the next change, because the next node may go before there is one.
    state.replace_backup(peer);
}

async fn send(
    state: &ClusterState,
    mut writer: OwnedWriteHalf,
    mut queue: UnboundedReceiver<(Message, oneshot::Sender<Message>)>,
    waiting: &Waiting,
) -> io::Result<()> {
    let mut number = 0;
    while let Some((message, answer)) = queue.recv().await {
        number += 1;
        lock(waiting).insert(number, answer);
        let framed: Bytes = message.framed(number);
        state.traffic.bytes.fetch_add(framed.len() as u64, Ordering::Relaxed);
        writer.write_all(&framed).await?;
    }
    Ok(())
}

async fn receive(
    state: &Arc<ClusterState>,
    reader: OwnedReadHalf,
    waiting: &Waiting,
) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    loop {
        let (number, message, bytes) = message::next(&mut reader).await?;
        state.traffic.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Message::Put(key, copy) = message {
            state.entries.accept(&key, copy, super::Role::Backup);
        } else if let Some(answer) = lock(waiting).remove(&number) {
            let _ = answer.send(message);
        }
    }
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Message>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
