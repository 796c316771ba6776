//! A small client of the Kubernetes API that shares nothing with the product's, so that what it sees is a
//! second opinion. Its calls block, have loops of their own, and may be made from async code too.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use reqwest::Method;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::runtime::Runtime;

/// What a server said.
#[derive(Clone, Debug)]
pub struct Answer {
    pub code: u16,
    /// `null` when it is no JSON.
    pub body: Value,
}

/// How a body changes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Json,
    MergePatch,
    JsonPatch,
}

impl Kind {
    fn media_type(self) -> &'static str {
        match self {
            Kind::Json => "application/json",
            Kind::MergePatch => "application/merge-patch+json",
            Kind::JsonPatch => "application/json-patch+json",
        }
    }
}

/// A kubeconfig in JSON, as far as it is needed: one cluster, one user.
#[derive(Clone, Debug)]
pub struct Access {
    pub server: String,
    pub token: Option<String>,
    roots: Vec<u8>,
    pair: Option<[Vec<u8>; 2]>,
}

impl Access {
    /// # Panics
    /// When the file is not what `kube-up` or `kubectl config view --minify --flatten -o json` writes.
    pub fn read(file: &Path) -> Access {
        let text = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let config: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{} is no JSON: {error}", file.display()));
        let cluster = &config["clusters"][0]["cluster"];
        let user = &config["users"][0]["user"];
        let bytes = |of: &Value, key: &str| match of[key].as_str() {
            Some(path) => Some(std::fs::read(path).unwrap()),
            None => of[format!("{key}-data")].as_str().map(from_base64),
        };
        let word = |of: &Value| of.as_str().map(str::to_owned);
        let access = Access {
            server: word(&cluster["server"]).unwrap_or_default(),
            token: word(&user["token"]),
            roots: bytes(cluster, "certificate-authority").unwrap_or_default(),
            pair: bytes(user, "client-certificate")
                .zip(bytes(user, "client-key"))
                .map(<[_; 2]>::from),
        };
        let known = access.token.is_some() || access.pair.is_some();
        assert!(
            known,
            "{}: the tests need a token or a client certificate",
            file.display()
        );
        access
    }

    /// An HTTP client that the server trusts, if a certificate and no token says who it is.
    pub fn http(&self) -> reqwest::Client {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&self.roots).flatten());
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let tls = match &self.pair {
            Some([certificate, key]) => {
                let chain = CertificateDer::pem_slice_iter(certificate)
                    .flatten()
                    .collect();
                let key = PrivateKeyDer::from_pem_slice(key).unwrap();
                tls.with_client_auth_cert(chain, key).unwrap()
            }
            None => tls.with_no_client_auth(),
        };
        let builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
        builder.no_proxy().build().unwrap()
    }
}

/// A runtime that may be dropped anywhere, also within another one.
#[derive(Debug)]
pub struct Loop(Option<Runtime>);

impl Loop {
    pub fn new() -> Loop {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Loop(Some(
            builder.worker_threads(1).enable_all().build().unwrap(),
        ))
    }

    /// Lets it run by itself.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.as_ref().unwrap().spawn(future)
    }

    /// Waits for it, on whatever thread this is.
    pub fn wait<F>(&self, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (say, hear) = mpsc::channel();
        self.spawn(async move { say.send(future.await) });
        hear.recv().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Who asks, and whom.
#[derive(Clone, Debug)]
pub struct Client {
    pub access: Access,
    pub file: PathBuf,
    pub http: reqwest::Client,
    /// The longest that a call may take; a watch may take longer.
    pub limit: Duration,
    pub turns: Arc<Loop>,
}

impl Client {
    pub fn of(file: &Path) -> Client {
        let access = Access::read(file);
        Client {
            http: access.http(),
            limit: Duration::from_secs(60),
            access,
            file: file.to_owned(),
            turns: Arc::new(Loop::new()),
        }
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.access.server));
        match &self.access.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// What the server says, or why it says nothing.
    pub fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(Kind, &Value)>,
    ) -> Result<Answer, String> {
        let mut request = self.request(method, path).timeout(self.limit);
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind.media_type());
            request = request.body(body.to_string());
        }
        self.turns.wait(async move {
            let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
            let code = answer.status().as_u16();
            let body = answer.bytes().await.map_err(|error| format!("{error:?}"))?;
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Ok(Answer { code, body })
        })
    }

    /// The object; nothing when there is none.
    #[track_caller]
    pub fn find(&self, path: &str) -> Option<Value> {
        match self.ask(Method::GET, path, None) {
            Ok(Answer { code: 200, body }) => Some(body),
            Ok(Answer { code: 404, .. }) => None,
            other => panic!("GET {path}: {other:?}"),
        }
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let found = self.find(path);
        found.unwrap_or_else(|| panic!("GET {path}: there is none"))
    }

    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<Value> {
        let mut list = self.get(path);
        match list["items"].take() {
            Value::Array(items) => items,
            other => panic!("GET {path} gives no list: {other}"),
        }
    }

    #[track_caller]
    pub fn create(&self, path: &str, object: &Value) -> Value {
        self.must(Method::POST, path, Some((Kind::Json, object)))
    }

    /// A merge patch.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Value {
        self.must(Method::PATCH, path, Some((Kind::MergePatch, body)))
    }

    #[track_caller]
    pub fn json_patch(&self, path: &str, steps: &Value) -> Value {
        self.must(Method::PATCH, path, Some((Kind::JsonPatch, steps)))
    }

    #[track_caller]
    pub fn delete(&self, path: &str) {
        self.must(Method::DELETE, path, None);
    }

    #[track_caller]
    fn must(&self, method: Method, path: &str, body: Option<(Kind, &Value)>) -> Value {
        match self.ask(method.clone(), path, body) {
            Ok(Answer { code, body }) if code < 300 => body,
            other => panic!("{method} {path}: {other:?}"),
        }
    }
}

/// RFC 4648, with whatever stands between ignored.
fn from_base64(text: &str) -> Vec<u8> {
    let digit = |byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for value in text.bytes().filter_map(digit) {
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    out
}

#[test]
fn base64_is_read() {
    assert_eq!(from_base64("aG9sZHBvaW50"), b"holdpoint");
    assert_eq!(from_base64("aG9s\nZHBv+/8="), b"holdpo\xfb\xff");
}
