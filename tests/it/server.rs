//! A server that says exactly what it is told, byte by byte, or nothing.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::sshd::free_port;

pub struct Server {
    pub url: String,
    answer: Arc<Mutex<Option<Vec<u8>>>>,
    paths: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers every request with these bytes and closes the connection.
    pub async fn says(answer: impl Into<Vec<u8>>) -> Server {
        Server::start(Some(answer.into())).await
    }

    /// Takes connections and never answers.
    pub async fn hangs() -> Server {
        Server::start(None).await
    }

    /// Answers every request with this page.
    pub async fn shows(page: &str) -> Server {
        Server::says(Server::page(page)).await
    }

    /// From now on it answers with this page.
    pub fn now_shows(&self, page: &str) {
        self.now_says(Some(Server::page(page)));
    }

    /// From now on it says this, or hangs.
    pub fn now_says(&self, answer: Option<Vec<u8>>) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The path of the last request.
    pub fn last_path(&self) -> String {
        self.paths
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }

    /// How many requests there were.
    pub fn asked(&self) -> usize {
        self.paths.lock().unwrap().len()
    }

    pub fn page(page: &str) -> Vec<u8> {
        let length = page.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length";
        format!("{head}: {length}\r\n\r\n{page}").into_bytes()
    }

    async fn start(answer: Option<Vec<u8>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(answer));
        let paths = Arc::new(Mutex::new(Vec::new()));
        let (said, asked) = (answer.clone(), paths.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, said.clone(), asked.clone()));
            }
        });
        Server {
            url,
            answer,
            paths,
            task,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<Mutex<Option<Vec<u8>>>>,
    paths: Arc<Mutex<Vec<String>>>,
) {
    let mut request = Vec::new();
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request);
    let path = text.split(' ').nth(1).unwrap_or_default().to_string();
    paths.lock().unwrap().push(path);
    let bytes = answer.lock().unwrap().clone();
    match bytes {
        Some(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            // until the other side has read all of it
            let _ = stream.read(&mut [0; 64]).await;
        }
        None => std::future::pending().await,
    }
}

/// A URL at which nobody listens.
pub fn refused_url() -> String {
    format!("http://127.0.0.1:{}", free_port())
}
