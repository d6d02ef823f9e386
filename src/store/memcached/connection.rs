//! One connection to one server: a command at a time, each with its whole answer.

use std::pin::Pin;
use std::task::{Context, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::access::Access;
use super::entry::{self, Process};
use super::failure::Failure;
use super::greeting::Greeting;
use super::protocol::{Command, Head, MAX_LINE_LEN, Reply};
use super::tls;
use crate::error::StoreErrorKind;

/// An answer of lines: `stats`, or a cluster's nodes. Longer ones are refused.
const MAX_TEXT_LEN: usize = 256 << 10;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// After a failure, or when a call is dropped half-way, an answer may still be under way: such a
/// connection must be closed, which dropping it does.
pub(super) struct Connection {
    stream: Box<dyn Duplex>,
    unread: BytesMut,
    commands: u32,
    pub(super) process: Process,
    max_item_bytes: usize,
}

impl Connection {
    /// Connects, and asks for nothing yet.
    async fn dial(host: &str, port: u16, access: &Access) -> Result<Self, Failure> {
        let socket = TcpStream::connect((host, port)).await.map_err(Failure::unavailable)?;
        socket.set_nodelay(true).map_err(Failure::unavailable)?;
        let stream: Box<dyn Duplex> = match &access.tls {
            Some(authorities) => Box::new(tls::secure(authorities, socket, host).await?),
            None => Box::new(socket),
        };
        let (unread, process) = (BytesMut::new(), Process::default());
        Ok(Self { stream, unread, commands: 0, process, max_item_bytes: 0 })
    }

    /// A connection for commands, to a server that answers and has let us in.
    pub(super) async fn open(
        host: &str,
        port: u16,
        joined: u64,
        access: &Access,
    ) -> Result<Self, Failure> {
        let mut connection = Self::dial(host, port, access).await?;
        let stats = connection.ask("stats", access).await?;
        let settings = connection.ask("stats settings", access).await?;
        let greeting = Greeting::of(&format!("{host}:{port} {joined}"), &stats, &settings);
        if let Some(problem) = greeting.problem {
            return Err(Failure::misconfigured(problem));
        }
        connection.process = greeting.process;
        connection.max_item_bytes = greeting.max_item_bytes;
        Ok(connection)
    }

    /// The text that a server answers a single question with.
    pub(super) async fn ask_once(
        host: &str,
        port: u16,
        access: &Access,
        question: &str,
    ) -> Result<String, Failure> {
        Self::dial(host, port, access).await?.ask(question, access).await
    }

    /// A command and its answer.
    pub(super) async fn send(
        &mut self,
        key: &str,
        command: &Command<'_>,
    ) -> Result<Reply, Failure> {
        self.refuse_too_large(command)?;
        self.commands = self.commands.wrapping_add(1);
        self.write(&command.encode(key, self.commands)).await?;
        let line = self.read_line(MAX_LINE_LEN).await?;
        let head = Head::parse(&line, self.commands)?;
        let value = match head.value_len {
            Some(len) => self.read_value(len).await?,
            None => Bytes::new(),
        };
        if !self.unread.is_empty() {
            return Err(Failure::lost("the server answered more than it was asked"));
        }
        Ok(head.into_reply(value))
    }

    /// Before it is sent: a server that finds a value too large removes the one that is there.
    fn refuse_too_large(&self, command: &Command<'_>) -> Result<(), Failure> {
        let Command::Set { value, .. } = command else { return Ok(()) };
        let (size, limit) = (entry::bytes_len(value), entry::max_bytes_len(self.max_item_bytes));
        if size <= limit {
            return Ok(());
        }
        let problem = format!("{size} bytes, at most {limit} fit");
        Err(Failure::refused(StoreErrorKind::TooLarge, problem))
    }

    /// Whether it is open and silent, as it should be between two commands.
    pub(super) fn is_idle(&mut self) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        let stream = Pin::new(&mut *self.stream);
        stream.poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.map_err(Failure::lost)?;
        self.stream.flush().await.map_err(Failure::lost)
    }

    /// Without its end.
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
                return Err(Failure::lost("the server answered with a line that does not end"));
            }
            self.read_more().await?;
        }
    }

    async fn read_value(&mut self, len: usize) -> Result<Bytes, Failure> {
        if len > self.max_item_bytes {
            return Err(Failure::lost("the server announced more than it can have"));
        }
        self.unread.reserve(len + 2);
        while self.unread.len() < len + 2 {
            self.read_more().await?;
        }
        let value = self.unread.split_to(len).freeze();
        if !self.unread.starts_with(b"\r\n") {
            return Err(Failure::lost("the server answered with a value of another length"));
        }
        self.unread.advance(2);
        Ok(value)
    }

    async fn read_more(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.unread).await {
            Ok(0) => Err(Failure::lost("the server closed the connection")),
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::lost(error)),
        }
    }
}

/// Questions that are answered in lines, up to `END`.
impl Connection {
    /// Says who we are if the server wants to know, and only then: one that does not would keep the
    /// password as a value.
    async fn ask(&mut self, question: &str, access: &Access) -> Result<String, Failure> {
        match self.ask_as_we_are(question).await {
            Err(Failure::Refused(StoreErrorKind::Denied, error)) => {
                let login = access.login();
                let login = login.ok_or(Failure::Refused(StoreErrorKind::Denied, error))?;
                self.write(login.as_bytes()).await?;
                match &self.read_line(MAX_LINE_LEN).await?[..] {
                    b"STORED" => self.ask_as_we_are(question).await,
                    other => Err(Failure::of_line(other)),
                }
            }
            answer => answer,
        }
    }

    async fn ask_as_we_are(&mut self, question: &str) -> Result<String, Failure> {
        self.write(format!("{question}\r\n").as_bytes()).await?;
        let mut text = String::new();
        loop {
            // A cluster's nodes are one line.
            let line = self.read_line(MAX_TEXT_LEN).await?;
            match &line[..] {
                b"END" => return Ok(text),
                refusal if is_refusal(refusal) => return Err(Failure::of_line(refusal)),
                line => text.push_str(&String::from_utf8_lossy(line)),
            }
            text.push('\n');
            if text.len() > MAX_TEXT_LEN {
                return Err(Failure::lost("the server's answer does not end"));
            }
        }
    }
}

fn is_refusal(line: &[u8]) -> bool {
    [&b"ERROR"[..], b"CLIENT_ERROR", b"SERVER_ERROR"].iter().any(|word| line.starts_with(word))
}
