//! One connection to one server, with one command at a time and its whole answer.
//!
//! Pipelining would need fewer connections. But then a call that is dropped half-way would leave its
//! answer to the next reader, and here the answer to somebody else is somebody else's session.

use std::pin::Pin;
use std::task::{Context, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::connect_options::ConnectOptions;
use super::entry::{self, RunId};
use super::failure::{classify_line, misconfigured, unavailable};
use super::protocol::{Command, MAX_LINE_LEN, Reply, ReplyHeader};
use super::server_info::ServerInfo;
use super::tls::connect_tls;
use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

/// The most bytes of an answer in lines: `stats`, or the nodes of a cluster.
const MAX_TEXT_LEN: usize = 256 << 10;

/// The most bytes that are reserved for a value before any of it has come.
const MAX_RESERVED: usize = 1 << 20;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// An open connection. Dropping it closes it, which must happen after a failure and when a call ends
/// half-way, because an answer may still be under way.
pub(super) struct Connection {
    stream: Box<dyn Duplex>,
    unread: BytesMut,
    commands: u32,
    pub(super) run_id: RunId,
    max_item_bytes: usize,
}

impl Connection {
    /// Connects without sending a command.
    async fn dial(host: &str, port: u16, options: &ConnectOptions) -> Result<Self, Failure> {
        let socket = TcpStream::connect((host, port)).await.map_err(unavailable)?;
        socket.set_nodelay(true).map_err(unavailable)?;
        let stream: Box<dyn Duplex> = match &options.tls {
            Some(authorities) => Box::new(connect_tls(authorities, socket, host).await?),
            None => Box::new(socket),
        };
        let (unread, run_id) = (BytesMut::new(), RunId::default());
        Ok(Self { stream, unread, commands: 0, run_id, max_item_bytes: 0 })
    }

    /// Opens a connection for commands: connects, logs in if the server asks for it, and checks that
    /// the server can be used.
    ///
    /// A server that came back to the list of nodes in another epoch gets another run id, so that
    /// tokens from before it left mean nothing after.
    pub(super) async fn open(
        host: &str,
        port: u16,
        joined_epoch: u64,
        options: &ConnectOptions,
    ) -> Result<Self, Failure> {
        let mut connection = Self::dial(host, port, options).await?;
        let stats = connection.ask("stats", options).await?;
        let settings = connection.ask("stats settings", options).await?;
        let node = format!("{host}:{port} {joined_epoch}");
        let info = ServerInfo::parse(&node, &stats, &settings);
        if let Some(problem) = info.problem {
            return Err(misconfigured(problem));
        }
        connection.run_id = info.run_id;
        connection.max_item_bytes = info.max_item_bytes;
        Ok(connection)
    }

    /// Asks a server one question on a connection of its own and returns the lines of the answer.
    pub(super) async fn ask_once(
        host: &str,
        port: u16,
        options: &ConnectOptions,
        question: &str,
    ) -> Result<String, Failure> {
        Self::dial(host, port, options).await?.ask(question, options).await
    }

    /// Sends a command and reads its whole answer.
    pub(super) async fn send(&mut self, key: &str, command: &Command) -> Result<Reply, Failure> {
        self.commands = self.commands.wrapping_add(1);
        self.write(&command.encode(key, self.commands)).await?;
        let line = self.read_line(MAX_LINE_LEN).await?;
        let head = ReplyHeader::parse(&line, self.commands)?;
        let value = match head.value_len {
            Some(len) => self.read_value(len).await?,
            None => Bytes::new(),
        };
        if !self.unread.is_empty() {
            return Err(Failure::indeterminate("the server sent more than the answer"));
        }
        Ok(head.into_reply(value))
    }

    /// Refuses a value that is larger than the server takes.
    ///
    /// The value must not be sent for the server to refuse it: the server would also remove the one
    /// that is there.
    pub(super) fn check_size(&self, command: &Command) -> Result<(), Failure> {
        let Command::Set { value, .. } = command else { return Ok(()) };
        let (size, limit) =
            (entry::entry_bytes(value), entry::max_entry_bytes(self.max_item_bytes));
        if size <= limit {
            return Ok(());
        }
        let problem = format!("the entry has {size} bytes, the server takes at most {limit}");
        Err(Failure::not_applied(StoreErrorKind::TooLarge, problem))
    }

    /// Returns whether it is open and silent, as it should be between two commands.
    pub(super) fn is_idle(&mut self) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        let stream = Pin::new(&mut *self.stream);
        stream.poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.map_err(Failure::indeterminate)?;
        self.stream.flush().await.map_err(Failure::indeterminate)
    }

    /// Reads a line and returns it without its line end.
    async fn read_line(&mut self, longest: usize) -> Result<Bytes, Failure> {
        let mut searched = 0;
        loop {
            if let Some(at) = memchr::memmem::find(&self.unread[searched..], b"\r\n") {
                let line = self.unread.split_to(searched + at).freeze();
                self.unread.advance(2);
                return Ok(line);
            }
            searched = self.unread.len().saturating_sub(1);
            if searched > longest {
                return Err(Failure::indeterminate("the server sent a line that does not end"));
            }
            self.read_more().await?;
        }
    }

    async fn read_value(&mut self, len: usize) -> Result<Bytes, Failure> {
        if len > self.max_item_bytes {
            return Err(Failure::indeterminate(
                "the server announced a value larger than its largest item",
            ));
        }
        let whole = len.saturating_add(2);
        // More is reserved only as it comes: the announcement alone must not cost memory.
        self.unread.reserve(whole.min(MAX_RESERVED));
        while self.unread.len() < whole {
            self.read_more().await?;
        }
        let value = self.unread.split_to(len).freeze();
        if !self.unread.starts_with(b"\r\n") {
            return Err(Failure::indeterminate(
                "the value has another length than the server announced",
            ));
        }
        self.unread.advance(2);
        Ok(value)
    }

    async fn read_more(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.unread).await {
            Ok(0) => Err(Failure::indeterminate("the server closed the connection")),
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::indeterminate(error)),
        }
    }
}

/// Questions that the server answers in lines, up to `END`.
impl Connection {
    /// Asks, and logs in if the server demands it. The login is never sent unasked: a server without
    /// logins would store the password as a value.
    async fn ask(&mut self, question: &str, options: &ConnectOptions) -> Result<String, Failure> {
        match self.ask_without_login(question).await {
            Err(Failure::NotApplied(StoreErrorKind::Denied, error)) => {
                let login = options.login_command();
                let login = login.ok_or(Failure::NotApplied(StoreErrorKind::Denied, error))?;
                self.write(login.as_bytes()).await?;
                match &self.read_line(MAX_LINE_LEN).await?[..] {
                    b"STORED" => self.ask_without_login(question).await,
                    other => Err(classify_line(other)),
                }
            }
            answer => answer,
        }
    }

    async fn ask_without_login(&mut self, question: &str) -> Result<String, Failure> {
        self.write(format!("{question}\r\n").as_bytes()).await?;
        let mut text = String::new();
        loop {
            // All nodes of a cluster stand in one line.
            let line = self.read_line(MAX_TEXT_LEN).await?;
            match &line[..] {
                b"END" => return Ok(text),
                refusal if is_refusal(refusal) => return Err(classify_line(refusal)),
                line => text.push_str(&String::from_utf8_lossy(line)),
            }
            text.push('\n');
            if text.len() > MAX_TEXT_LEN {
                return Err(Failure::indeterminate("the server sent an answer that does not end"));
            }
        }
    }
}

fn is_refusal(line: &[u8]) -> bool {
    [&b"ERROR"[..], b"CLIENT_ERROR", b"SERVER_ERROR"].iter().any(|word| line.starts_with(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// The parts of which servers' answers consist, and some that they never have.
    const PARTS: [&str; 20] = [
        "VA ",
        "HD",
        "EN",
        "NS",
        "EX",
        " ",
        "c",
        " O1",
        " c7 O1",
        "18446744073709551615",
        "99",
        "-1",
        "0",
        "\r\n",
        "\r",
        "abc",
        "ERROR",
        "SERVER_ERROR x",
        "STAT item_size_max ",
        "END\r\n",
    ];

    fn connection(stream: impl Duplex + 'static, max_item_bytes: usize) -> Connection {
        let (stream, unread, run_id) = (Box::new(stream), BytesMut::new(), RunId::default());
        Connection { stream, unread, commands: 0, run_id, max_item_bytes }
    }

    fn options() -> ConnectOptions {
        let command_timeout = std::time::Duration::from_secs(1);
        let credentials = Some(("user".to_owned(), "password".to_owned()));
        ConnectOptions { credentials, tls: None, max_connections: 1, command_timeout }
    }

    /// Gives this answer to a command and to a question, and then closes the connection.
    fn answer(bytes: &[u8], max_item_bytes: usize) -> (Result<Reply, Failure>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let talk = async |question: Option<&str>| {
                let (ours, mut theirs) = tokio::io::duplex(1 << 20);
                let mut connection = connection(ours, max_item_bytes);
                theirs.write_all(bytes).await.unwrap();
                theirs.shutdown().await.unwrap();
                let reply = match question {
                    Some(question) => connection.ask(question, &options()).await.map(drop),
                    None => Ok(()),
                };
                if let Err(failure) = reply {
                    return (Err(failure), connection.unread.capacity());
                }
                (connection.send("key", &Command::Get).await, connection.unread.capacity())
            };
            drop(talk(Some("stats")).await);
            talk(None).await
        })
    }

    proptest! {
        #[test]
        fn every_answer_is_a_reply_or_an_error(
            parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..12),
            noise in prop::collection::vec(any::<u8>(), 0..64),
            max_item_bytes in prop::sample::select(&[0, 5, 1 << 20, usize::MAX][..]),
        ) {
            let line = parts.concat();
            for bytes in [line.as_bytes(), &noise, &[line.as_bytes(), &noise].concat()] {
                let (_, allocated) = answer(bytes, max_item_bytes);
                prop_assert!(allocated <= 3 << 20, "{allocated} bytes");
            }
        }

        #[test]
        fn every_greeting_gives_usable_facts(text in any::<String>(), number in any::<u64>()) {
            let settings = format!("STAT item_size_max {number}\n{text}");
            let info = ServerInfo::parse(&text, &text, &settings);
            prop_assert!(info.max_item_bytes <= 1 << 30);
        }
    }

    #[test]
    fn a_length_near_the_largest_number_is_an_error() {
        for length in [usize::MAX, usize::MAX - 1, usize::MAX - 2, isize::MAX as usize, 1 << 40] {
            let line = format!("VA {length} c7 O1\r\n");
            let (reply, allocated) = answer(line.as_bytes(), usize::MAX);
            assert!(matches!(reply, Err(Failure::Indeterminate(_))), "{length}");
            assert!(allocated <= 3 << 20, "{length}: {allocated} bytes");
        }
    }

    #[tokio::test]
    async fn an_answer_that_does_not_end_is_an_error() {
        let endless = || tokio::io::join(tokio::io::repeat(b'x'), tokio::io::sink());
        let mut open = connection(endless(), 1 << 20);
        assert!(open.send("key", &Command::Get).await.is_err());
        assert!(open.unread.len() <= 1 << 20);
        assert!(connection(endless(), 1 << 20).ask("stats", &options()).await.is_err());
    }
}
