//! A relay between a node and the store that counts commands and bytes. It is absent while times
//! are measured.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::dialect::Dialect;
use crate::Fallible;

#[derive(Debug, Default)]
struct Counts {
    commands: AtomicU64,
    bytes: AtomicU64,
}

/// A running relay. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(super) port: u16,
    counts: Arc<Counts>,
    door: JoinHandle<()>,
}

impl Relay {
    pub(super) async fn before(server: u16, dialect: Dialect) -> Fallible<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let counts = Arc::<Counts>::default();
        let door = tokio::spawn(accept(listener, server, dialect, Arc::clone(&counts)));
        Ok(Self { port, counts, door })
    }

    pub(crate) fn commands(&self) -> u64 {
        self.counts.commands.load(Ordering::Relaxed)
    }

    /// Bytes in both directions.
    pub(crate) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.door.abort();
    }
}

async fn accept(listener: TcpListener, server: u16, dialect: Dialect, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(serve(client, server, dialect, Arc::clone(&counts)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    client: TcpStream,
    server: u16,
    dialect: Dialect,
    counts: Arc<Counts>,
) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let conversation = Mutex::new(dialect.begin());
    let read = || conversation.lock().unwrap_or_else(PoisonError::into_inner);
    let questions = pass(from_client, to_server, |bytes| {
        counts.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        counts.commands.fetch_add(read().commands(bytes), Ordering::Relaxed);
    });
    let answers = pass(from_server, to_client, |bytes| {
        read().answered(bytes);
        counts.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    });
    tokio::try_join!(questions, answers)?;
    Ok(())
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut look: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        // Counted before it is passed on, so that whoever has the answer finds the command counted.
        look(&buffer[..read]);
        to.write_all(&buffer[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_passes_is_counted_and_not_changed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut received = [0; 14];
            stream.read_exact(&mut received).await.unwrap();
            stream.write_all(b"+PONG\r\n").await.unwrap();
            received
        });
        let relay = Relay::before(port, Dialect::Memcached).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", relay.port)).await.unwrap();
        client.write_all(b"mg one\r\nmn\r\n\r\n").await.unwrap();
        let mut answer = [0; 7];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&server.await.unwrap(), b"mg one\r\nmn\r\n\r\n");
        assert_eq!((&answer, relay.commands(), relay.bytes()), (b"+PONG\r\n", 1, 21));
    }
}
