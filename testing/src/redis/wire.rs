//! A client for the server's protocol (RESP2), independent of the client library under test.

use std::fmt::Debug;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A server that is silent for longer counts as frozen.
const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    Bytes(Vec<u8>),
    Error(String),
    Integer(i64),
    List(Vec<Reply>),
    Nil,
}

impl Reply {
    /// Returns the bytes as text.
    #[track_caller]
    pub fn text(&self) -> String {
        let Self::Bytes(bytes) = self else { panic!("no text: {self:?}") };
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[track_caller]
    pub fn integer(&self) -> i64 {
        let Self::Integer(integer) = self else { panic!("no integer: {self:?}") };
        *integer
    }

    #[track_caller]
    pub fn list(&self) -> &[Reply] {
        let Self::List(list) = self else { panic!("no list: {self:?}") };
        list
    }

    #[track_caller]
    pub fn ok(&self) {
        assert_eq!(*self, Self::Bytes(b"OK".to_vec()));
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct Wire {
    input: BufReader<Box<dyn Stream>>,
    output: Box<dyn Stream>,
}

trait Stream: Read + Write + Debug + Send {}

impl Stream for TcpStream {}
impl Stream for UnixStream {}

impl Wire {
    pub fn tcp(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self::new(stream.try_clone()?, stream))
    }

    /// The other side of a client's connection. Its commands are read as replies.
    pub(super) fn of_client(stream: TcpStream) -> io::Result<Self> {
        Ok(Self::new(stream.try_clone()?, stream))
    }

    pub(super) fn answer(&mut self, reply: &Reply) -> io::Result<()> {
        self.output.write_all(&encode(reply))
    }

    pub fn unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self::new(stream.try_clone()?, stream))
    }

    fn new(input: impl Stream + 'static, output: impl Stream + 'static) -> Self {
        Self { input: BufReader::new(Box::new(input)), output: Box::new(output) }
    }

    pub fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> io::Result<Reply> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words.iter().map(AsRef::as_ref) {
            command.extend(format!("${}\r\n", word.len()).bytes());
            command.extend(word);
            command.extend(b"\r\n");
        }
        self.output.write_all(&command)?;
        self.reply()
    }

    /// Reads the next reply.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or(ErrorKind::InvalidData)?;
        let text = String::from_utf8_lossy(rest).into_owned();
        let number = || text.parse::<i64>().map_err(|_| io::Error::from(ErrorKind::InvalidData));
        match kind {
            b'+' => Ok(Reply::Bytes(rest.to_vec())),
            b'-' => Ok(Reply::Error(text)),
            b':' => Ok(Reply::Integer(number()?)),
            b'$' => self.bytes(number()?),
            b'*' => self.list(number()?),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.input.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\r\n") {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        Ok(line)
    }

    fn bytes(&mut self, length: i64) -> io::Result<Reply> {
        let Ok(length) = usize::try_from(length) else { return Ok(Reply::Nil) };
        let mut bytes = vec![0; length + 2];
        self.input.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Reply::Bytes(bytes))
    }

    fn list(&mut self, length: i64) -> io::Result<Reply> {
        if length < 0 {
            return Ok(Reply::Nil);
        }
        (0..length).map(|_| self.reply()).collect::<io::Result<_>>().map(Reply::List)
    }
}

fn encode(reply: &Reply) -> Vec<u8> {
    match reply {
        Reply::Bytes(bytes) => {
            [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
        }
        Reply::Error(text) => format!("-{text}\r\n").into_bytes(),
        Reply::Integer(number) => format!(":{number}\r\n").into_bytes(),
        Reply::List(parts) => {
            let head = format!("*{}\r\n", parts.len()).into_bytes();
            [vec![head], parts.iter().map(encode).collect()].concat().concat()
        }
        Reply::Nil => b"$-1\r\n".to_vec(),
    }
}
