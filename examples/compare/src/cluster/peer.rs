//! Handles the messages of other nodes.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::entries::Role;
use super::message::{self, Message};
use super::{ClusterState, link};

pub(super) async fn accept(listener: TcpListener, state: Arc<ClusterState>) {
    let mut peers = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        peers.spawn(serve(stream, Arc::clone(&state)));
        while peers.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, state: Arc<ClusterState>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let (number, message, _) = message::next(&mut reader).await?;
        if message == Message::All {
            for put in state.entries.keys().iter().filter_map(|key| state.entries.put(key)) {
                writer.write_all(&put.framed(0)).await?;
            }
        }
        let answer = answer(&state, message).await;
        writer.write_all(&answer.framed(number)).await?;
    }
}

async fn answer(state: &Arc<ClusterState>, message: Message) -> Message {
    match message {
        Message::Join(port) => {
            // A node that cannot be reached is treated as one that died at once.
            let _ = link::open(state, port).await;
            Message::Done
        }
        Message::Put(key, copy) => {
            state.entries.accept(&key, copy, Role::Backup);
            Message::Done
        }
        Message::Take(key) => Message::Found(state.entries.give_away(&key)),
        Message::All | Message::Found(_) | Message::Done => Message::Done,
    }
}
