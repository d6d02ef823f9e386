//! A request that a node has begun to handle and whose body is still to come.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::examples::Visitor;

/// How long a node may take to say anything.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Upload {
    stream: TcpStream,
    body: String,
}

impl Upload {
    /// Returns once the node asks for the body. The cart loads the session before that, so from
    /// then on it holds the session as it is now; waiting for a while would only make that likely.
    pub async fn begin(url: &str, visitor: &Visitor, path: &str, body: &Value) -> Self {
        let host = url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await.unwrap();
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\
             Expect: 100-continue\r\nConnection: close\r\n\r\n",
            visitor.cookie.as_deref().unwrap_or_default(),
            body.len(),
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut upload = Self { stream, body };
        upload.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        upload
    }

    async fn expect(&mut self, line: &str) {
        let mut answer = vec![0; line.len()];
        timeout(PATIENCE, self.stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), line);
    }

    /// Sends the body. The status of the answer.
    pub async fn finish(mut self) -> StatusCode {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, self.stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("not HTTP: {answer}"))
    }
}
