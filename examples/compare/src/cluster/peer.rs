//! Handles the messages of other nodes.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::entries::Role;
use super::message::{self, Message};
use super::{Shared, link};

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut peers = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        peers.spawn(serve(stream, Arc::clone(&shared)));
        while peers.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let (number, message, _) = message::next(&mut reader).await?;
        if message == Message::All {
            for put in shared.entries.keys().iter().filter_map(|key| shared.entries.put(key)) {
                writer.write_all(&put.framed(0)).await?;
            }
        }
        let answer = answer(&shared, message).await;
        writer.write_all(&answer.framed(number)).await?;
    }
}

async fn answer(shared: &Arc<Shared>, message: Message) -> Message {
    match message {
        Message::Join(port) => {
            // A node that cannot be reached is treated as one that died at once.
            let _ = link::open(shared, port).await;
            Message::Done
        }
        Message::Put(key, copy) => {
            shared.entries.accept(&key, copy, Role::Backup);
            Message::Done
        }
        Message::Take(key) => Message::Found(shared.entries.give_away(&key)),
        Message::All | Message::Found(_) | Message::Done => Message::Done,
    }
}
