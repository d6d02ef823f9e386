//! A request that a server has begun to handle while its body is still missing.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Reply, Visitor};

/// The longest a server may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Upload {
    stream: TcpStream,
    body: String,
}

impl Upload {
    /// Sends the head of a request, and returns when the server asks for the body. The examples load
    /// the session before that, so it is certain to have the present one. Waiting for some time
    /// would only make that likely.
    pub async fn begin(url: &str, visitor: &Visitor, path: &str, body: &Value) -> Self {
        let host = url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await.unwrap();
        let body = body.to_string();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\
             Expect: 100-continue\r\nConnection: close\r\n",
            visitor.cookie.as_deref().unwrap_or_default(),
            body.len(),
        );
        for (name, value) in &visitor.headers {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut upload = Self { stream, body };
        upload.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        upload
    }

    async fn expect(&mut self, line: &str) {
        let mut answer = vec![0; line.len()];
        timeout(TIMEOUT, self.stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), line);
    }

    /// Sends the body and reads the answer.
    pub async fn finish(mut self) -> Reply {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(TIMEOUT, self.stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8(answer).unwrap();
        read(&answer).unwrap_or_else(|| panic!("not HTTP: {answer}"))
    }
}

/// Reads an answer whose body ends with the connection.
fn read(answer: &str) -> Option<Reply> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let (status, fields) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = status.split(' ').nth(1)?.parse().ok()?;
    let field = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    let headers = fields.split("\r\n").filter_map(field).collect();
    Some(Reply { status, headers, body: body.to_owned() })
}
