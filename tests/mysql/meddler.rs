//! A proxy that changes what passes: the flags of the login, a statement, or the numbers in the answers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The change that the proxy makes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Meddling {
    /// Sets the flag CLIENT_FOUND_ROWS, as a proxy with connections of its own may have it.
    pub(crate) found_rows: bool,
    /// Replaces a text in statements by another one, which is not longer.
    pub(crate) statement: Option<(&'static str, &'static str)>,
    /// Leaves the last insert id out of the answers.
    pub(crate) no_ids: bool,
}

pub(crate) struct Meddler {
    pub(crate) port: u16,
    listening: JoinHandle<()>,
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Meddler {
    pub(crate) async fn before(server: u16, meddling: Meddling) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listening = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, move |at, packet| {
                    change_request(meddling, at, packet);
                }));
                tokio::spawn(pass(from_server, to_client, move |at, packet| {
                    change_answer(meddling, at, packet);
                }));
            }
        });
        Self { port, listening }
    }
}

/// Passes packets on: three bytes of length, the packet's number, and the rest.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    change: impl Fn(usize, &mut [u8]) + Send,
) {
    for at in 0.. {
        let mut head = [0; 4];
        if from.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
        let mut packet = vec![0; length as usize];
        if from.read_exact(&mut packet).await.is_err() {
            return;
        }
        change(at, &mut packet);
        if to.write_all(&[&head[..], &packet].concat()).await.is_err() {
            return;
        }
    }
}

fn change_request(meddling: Meddling, at: usize, packet: &mut [u8]) {
    // The login begins with the client's flags.
    if at == 0 && meddling.found_rows {
        packet[0] |= 2;
    }
    let Some((old, new)) = meddling.statement else { return };
    let found = packet.windows(old.len()).position(|window| window == old.as_bytes());
    if let Some(at) = found {
        packet[at..at + old.len()].fill(b' ');
        packet[at..at + new.len()].copy_from_slice(new.as_bytes());
    }
}

fn change_answer(meddling: Meddling, at: usize, packet: &mut [u8]) {
    // An OK packet: 0, the affected rows, the last insert id, two bytes of state, two of warnings.
    if at > 0 && meddling.no_ids && packet.len() == 7 && packet[0] == 0 {
        packet[2] = 0;
    }
}
