//! A real Prometheus on a port of its own, and a proxy before it that misbehaves on demand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::machine::left_out;
use crate::sshd::free_port;
use crate::until::until;

/// What is scraped: addresses with more labels, `version="2.0"`.
pub type Targets<'a> = &'a [(&'a str, &'a str)];

pub struct Store {
    dir: TempDir,
    pub port: u16,
    daemon: Option<Child>,
    more: Vec<String>,
}

impl Store {
    /// Scrapes every second; `None` when it was left out by name.
    pub fn start(targets: Targets<'_>) -> Option<Store> {
        Store::with(targets, &[], |_| {})
    }

    /// The same with more arguments, after something was done in its directory.
    pub fn with(targets: Targets<'_>, more: &[&str], prepare: impl FnOnce(&Path)) -> Option<Store> {
        if left_out("prometheus") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("prometheus.yml"), config(targets)).unwrap();
        prepare(dir.path());
        let mut store = Store {
            dir,
            port: 0,
            daemon: None,
            more: more.iter().map(ToString::to_string).collect(),
        };
        for _ in 0..10 {
            store.port = free_port();
            if store.run() {
                return Some(store);
            }
        }
        panic!("prometheus did not start: {}", store.log());
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// Starts it again with what it had stored.
    pub fn again(&mut self) {
        assert!(self.run(), "prometheus did not come back: {}", self.log());
    }

    /// Whether it listens; `false` when it ended instead.
    fn run(&mut self) -> bool {
        let program = program().unwrap_or_else(|| {
            panic!(
                "there is no prometheus (package prometheus); HOLDPOINT_SKIP=prometheus leaves this test out"
            )
        });
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let mut command = Command::new(program);
        command.arg(format!("--web.listen-address=127.0.0.1:{}", self.port));
        command.arg(format!("--config.file={}", at("prometheus.yml")));
        command.arg(format!("--storage.tsdb.path={}", at("data")));
        command.args(&self.more).current_dir(self.dir.path());
        let log = fs::File::create(self.file("log")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut daemon = command.spawn().unwrap();
        let see = || (self.log(), daemon.try_wait().unwrap());
        let up = |(log, ended): &(String, Option<ExitStatus>)| {
            log.contains("Server is ready") || ended.is_some()
        };
        let runs = until("prometheus is ready", see, up).1.is_none();
        self.daemon = runs.then_some(daemon);
        runs
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> Option<PathBuf> {
    let places = ["/usr/bin/prometheus", "/usr/local/bin/prometheus"];
    places.iter().map(PathBuf::from).find(|path| path.exists())
}

fn config(targets: Targets<'_>) -> String {
    let mut text = String::from(
        "global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n- job_name: shop\n  static_configs:\n",
    );
    for (address, labels) in targets {
        text += &format!("  - targets: [\"{address}\"]\n    labels: {{ {labels} }}\n");
    }
    text
}

/// What the proxy does with the next answers.
#[derive(Clone, Debug)]
pub enum Does {
    /// Passes them on.
    Passes,
    /// Says this itself.
    Says(Vec<u8>),
    /// Passes on half of each.
    Halves,
    /// Never answers.
    Hangs,
    /// Lets only requests pass in which this stands.
    Wants(String),
    /// Passes them on with another `Date`, and the times of queries moved by so many seconds, as a
    /// server does whose clock is ahead.
    Ahead(i64),
}

/// A proxy for plain HTTP, and what was asked of it.
pub struct Proxy {
    pub url: String,
    does: Arc<Mutex<Does>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn before(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let does = Arc::new(Mutex::new(Does::Passes));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (now, seen) = (does.clone(), asked.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let does = now.lock().unwrap().clone();
                tokio::spawn(serve(stream, port, does, seen.clone()));
            }
        });
        Proxy {
            url,
            does,
            asked,
            task,
        }
    }

    pub fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    /// The requests so far, heads and forms.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn says(status: &str, kind: &str, body: &str) -> Does {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}");
    Does::Says(format!("{head}\r\n\r\n{body}").into_bytes())
}

async fn serve(mut from: TcpStream, port: u16, does: Does, asked: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read_request(&mut from).await else {
        return;
    };
    asked.lock().unwrap().push(request.clone());
    let answer = match does {
        Does::Hangs => std::future::pending().await,
        Does::Says(bytes) => bytes,
        Does::Wants(text) if !request.to_lowercase().contains(&text.to_lowercase()) => {
            b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        Does::Ahead(seconds) => {
            let answer = forward(&moved(&request, -seconds), port).await;
            dated(&answer, seconds, request.contains("timestamp%28"))
        }
        Does::Halves => {
            let mut answer = forward(&request, port).await;
            answer.truncate(answer.len() - answer.len() / 4);
            answer
        }
        _ => forward(&request, port).await,
    };
    let _ = from.write_all(&answer).await;
    let _ = from.shutdown().await;
    let _ = tokio::time::timeout(Duration::from_secs(5), from.read(&mut [0; 64])).await;
}

async fn read_request(from: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is = name.eq_ignore_ascii_case("content-length");
                is.then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if from.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}

/// The whole answer of the server; empty when there is none.
async fn forward(request: &str, port: u16) -> Vec<u8> {
    let mut answer = Vec::new();
    let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    if let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await {
        let _ = to.write_all(request.as_bytes()).await;
        let _ = to.read_to_end(&mut answer).await;
    }
    answer
}

/// A request with the times in it moved.
fn moved(request: &str, seconds: i64) -> String {
    let times = regex::Regex::new(r"\b(time|start|end)=(\d+)\.").unwrap();
    let moved = times.replace_all(request, |found: &regex::Captures<'_>| {
        let at: i64 = found[2].parse().unwrap();
        format!("{}={}.", &found[1], at + seconds)
    });
    moved.into_owned()
}

/// An answer of a server whose clock is ahead: its `Date` and the times of its samples; their
/// values too, where these are times.
fn dated(answer: &[u8], seconds: i64, values: bool) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let now = chrono::Utc::now() + chrono::TimeDelta::seconds(seconds);
    let date = now.format("Date: %a, %d %b %Y %H:%M:%S GMT").to_string();
    let head: Vec<&str> = head
        .lines()
        .map(|line| {
            if line.starts_with("Date:") {
                date.as_str()
            } else {
                line
            }
        })
        .filter(|line| !line.starts_with("Content-Length:"))
        .collect();
    let pattern = if values {
        r#"([\["])(\d{10})(\.\d+)?([,"])"#
    } else {
        r#"(\[)(\d{10})(\.\d+)?(,)"#
    };
    let stamps = regex::Regex::new(pattern).unwrap();
    let body = stamps.replace_all(body, |found: &regex::Captures<'_>| {
        let at: i64 = found[2].parse().unwrap();
        let rest = found.get(3).map_or("", |rest| rest.as_str());
        format!("{}{}{rest}{}", &found[1], at + seconds, &found[4])
    });
    format!("{}\r\n\r\n{body}", head.join("\r\n")).into_bytes()
}
