//! As much of HTTP/1.1 as a client of Kubernetes speaks, on a connection that can be broken anywhere.

use std::io;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Request {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, wanted: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    }
}

/// A connection, and what was read from it too early.
pub struct Wire {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Wire {
        Wire {
            stream,
            held: Vec::new(),
        }
    }

    /// The next request; nothing at the end of the connection.
    pub async fn request(&mut self) -> io::Result<Option<Request>> {
        let head = loop {
            if let Some(at) = self.held.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.held.drain(..at + 4).collect();
                break String::from_utf8_lossy(&head).into_owned();
            }
            if self.stream.read_buf(&mut self.held).await? == 0 {
                return Ok(None);
            }
        };
        let mut lines = head.trim_end().split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let method = Method::from_bytes(words.next().unwrap_or_default().as_bytes());
        let path = words.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        let mut request = Request {
            method: method.map_err(io::Error::other)?,
            path,
            headers: headers.collect(),
            body: Vec::new(),
        };
        assert!(
            request.header("transfer-encoding").is_none(),
            "{} {}: the proxy reads no body without a length",
            request.method,
            request.path
        );
        let length = request
            .header("content-length")
            .and_then(|n| n.parse().ok());
        let length: usize = length.unwrap_or_default();
        while self.held.len() < length {
            if self.stream.read_buf(&mut self.held).await? == 0 {
                return Ok(None);
            }
        }
        request.body = self.held.drain(..length).collect();
        Ok(Some(request))
    }

    /// An answer that is there as a whole.
    pub async fn answer(
        &mut self,
        code: u16,
        headers: &[(String, String)],
        body: &[u8],
    ) -> io::Result<()> {
        let mut bytes = head(code, headers, &format!("content-length: {}", body.len()));
        bytes.extend_from_slice(body);
        self.stream.write_all(&bytes).await
    }

    /// The beginning of one that comes in pieces.
    pub async fn begin(&mut self, code: u16, headers: &[(String, String)]) -> io::Result<()> {
        let bytes = head(code, headers, "transfer-encoding: chunked");
        self.stream.write_all(&bytes).await
    }

    pub async fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut all = format!("{:x}\r\n", bytes.len()).into_bytes();
        all.extend_from_slice(bytes);
        all.extend_from_slice(b"\r\n");
        self.stream.write_all(&all).await
    }

    /// The end of the pieces.
    pub async fn end(&mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n").await
    }

    /// A piece that announces more than comes.
    pub async fn half_a_piece(&mut self) -> io::Result<()> {
        self.stream
            .write_all(b"400\r\n{\"type\":\"MODIFIED\",\"obj")
            .await
    }

    /// Waits until the other side has gone; anything that it says first is kept.
    pub async fn gone(&mut self) {
        while let Ok(1..) = self.stream.read_buf(&mut self.held).await {}
    }
}

fn head(code: u16, headers: &[(String, String)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {code} Answer\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("{body}\r\n\r\n");
    head.into_bytes()
}

/// A refusal as an API server words it.
pub fn status(code: u16, seconds: Option<u32>) -> Value {
    let (reason, message) = match code {
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "forbidden: the proxy says so"),
        404 => ("NotFound", "not found"),
        409 => (
            "Conflict",
            "Operation cannot be fulfilled: the object has been modified; please apply your changes to \
             the latest version and try again",
        ),
        410 => ("Expired", "too old resource version: 1 (2)"),
        429 => (
            "TooManyRequests",
            "too many requests, please try again later",
        ),
        500 => (
            "InternalError",
            "Internal error occurred: the proxy says so",
        ),
        503 => (
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        ),
        504 => (
            "Timeout",
            "the server was unable to return a response in the time allotted",
        ),
        _ => ("", "the proxy says so"),
    };
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    if let Some(seconds) = seconds {
        status["details"] = json!({"retryAfterSeconds": seconds});
    }
    status
}
