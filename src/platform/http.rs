//! Asking over HTTP: one request, a limit on everything, nothing repeated behind anyone's back.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, ClientBuilder, Response, Url};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How many redirects within one host are followed.
const HOPS: usize = 3;

/// Asks over HTTP; cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
}

/// Whether, and how far, redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// The first answer is the answer.
    Stay,
    /// Only to the same scheme, host and port.
    SameHost,
}

/// What is asked; holds secrets, so it is never shown.
pub struct Question {
    /// Where.
    pub url: Url,
    /// Headers besides those of every request.
    pub headers: HeaderMap,
    /// Name and password.
    pub basic: Option<(String, String)>,
    /// The body of a POST, in form encoding.
    pub form: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Got {
    /// The status code.
    pub status: u16,
    /// The body, or the beginning of it.
    pub body: Vec<u8>,
    /// Whether the body is longer than what was read.
    pub cut: bool,
    /// The `Content-Type`, lower case; empty when there is none.
    pub content_type: String,
    /// The `Date` of the server; seconds since 1970.
    pub date: Option<f64>,
    /// The `Location` of a redirect that was not followed.
    pub location: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The URL cannot be asked.
    #[error("`{0}` is no http or https URL")]
    BadUrl(String),
    /// The host's name leads nowhere.
    #[error("its host name was not found")]
    NoHost,
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
    /// No whole answer came in time.
    #[error("no answer in {}", crate::domain::Span(.0.as_millis() as u64))]
    TimedOut(Duration),
    /// Anything else on the way.
    #[error("{0}")]
    Broken(String),
}

impl Http {
    /// A client that trusts what the machine trusts. Proxies of the environment are not used:
    /// instances are asked directly.
    ///
    /// # Errors
    /// A sentence, when the TLS library cannot be set up.
    pub fn new() -> Result<Http, String> {
        // a machine without certificates can still ask over plain http
        let tls = system_tls().or_else(|_| no_tls());
        Http::with(tls.map_err(|error| error.to_string())?)
    }

    /// A client that trusts the authorities of a file in PEM, and nobody else.
    ///
    /// # Errors
    /// A sentence, when there is no usable certificate in it.
    pub fn trusting(authorities: &[u8]) -> Result<Http, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            let added = certificate
                .map_err(|error| error.to_string())
                .and_then(|it| roots.add(it).map_err(|error| error.to_string()));
            added.map_err(|error| format!("a certificate in it cannot be used: {error}"))?;
        }
        if roots.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        Http::with(tls_of(roots).map_err(|error| error.to_string())?)
    }

    /// A client for plain http on this machine, quick to make.
    ///
    /// # Errors
    /// A sentence, when the TLS library cannot be set up.
    pub fn plain() -> Result<Http, String> {
        Http::with(no_tls().map_err(|error| error.to_string())?)
    }

    fn with(tls: ClientConfig) -> Result<Http, String> {
        builder(tls)
            // a kept connection to a process that was replaced meanwhile is a false alarm
            .pool_max_idle_per_host(0)
            .build()
            .map(|client| Http { client })
            .map_err(|error| error.to_string())
    }

    /// One GET: reads at most `most` bytes of the body, and everything within `limit`.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn get(
        &self,
        url: &str,
        limit: Duration,
        most: usize,
        redirects: Redirects,
    ) -> Result<Got, NoAnswer> {
        let parsed = Url::parse(url).ok();
        let url = parsed
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| NoAnswer::BadUrl(crate::domain::text::printable(url, 100)))?;
        let asked = self.follow(url, most, redirects);
        match tokio::time::timeout(limit, asked).await {
            Ok(Err(NoAnswer::TimedOut(_))) | Err(_) => Err(NoAnswer::TimedOut(limit)),
            Ok(answer) => answer,
        }
    }

    /// One question: a POST where it has a form, else a GET. Redirects are not followed. Reads at
    /// most `most` bytes of the body, and everything within `limit`.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn ask(
        &self,
        question: Question,
        limit: Duration,
        most: usize,
    ) -> Result<Got, NoAnswer> {
        let request = match question.form {
            Some(form) => self
                .client
                .post(question.url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form),
            None => self.client.get(question.url),
        };
        let request = match question.basic {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        let asked = async {
            let response = request.headers(question.headers).send().await;
            read(response.map_err(|e| explain(&e))?, most).await
        };
        match tokio::time::timeout(limit, asked).await {
            Ok(Err(NoAnswer::TimedOut(_))) | Err(_) => Err(NoAnswer::TimedOut(limit)),
            Ok(answer) => answer,
        }
    }

    async fn follow(
        &self,
        mut url: Url,
        most: usize,
        redirects: Redirects,
    ) -> Result<Got, NoAnswer> {
        let accept = "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, \
                      */*;q=0.1";
        let mut hops = 0;
        loop {
            let request = self.client.get(url.clone()).header("accept", accept);
            let response = request.send().await.map_err(|e| explain(&e))?;
            let next = header(&response, "location").and_then(|to| url.join(&to).ok());
            match next {
                Some(next)
                    if redirects == Redirects::SameHost
                        && response.status().is_redirection()
                        && next.origin() == url.origin()
                        && hops < HOPS =>
                {
                    hops += 1;
                    url = next;
                }
                _ => return read(response, most).await,
            }
        }
    }
}

/// A client for plain http on this machine that keeps its connections, to send many requests.
///
/// # Errors
/// A sentence, when the TLS library cannot be set up.
pub fn plain_client() -> Result<Client, String> {
    let tls = no_tls().map_err(|error| error.to_string())?;
    builder(tls).build().map_err(|error| error.to_string())
}

fn builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .user_agent(concat!("holdpoint/", env!("CARGO_PKG_VERSION")))
}

async fn read(mut response: Response, most: usize) -> Result<Got, NoAnswer> {
    let mut got = Got {
        status: response.status().as_u16(),
        body: Vec::new(),
        cut: false,
        content_type: header(&response, "content-type").unwrap_or_default(),
        date: header(&response, "date").and_then(|text| seconds(&text)),
        location: header(&response, "location"),
    };
    got.content_type.make_ascii_lowercase();
    while let Some(chunk) = response.chunk().await.map_err(|e| explain(&e))? {
        let room = most - got.body.len();
        got.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            got.cut = true;
            break;
        }
    }
    Ok(got)
}

fn header(response: &Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    value.to_str().ok().map(str::to_string)
}

/// An HTTP date as seconds since 1970 (RFC 9110 5.6.7).
fn seconds(text: &str) -> Option<f64> {
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    Some(date.timestamp() as f64)
}

fn explain(error: &reqwest::Error) -> NoAnswer {
    if error.is_timeout() {
        return NoAnswer::TimedOut(CONNECT);
    }
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    loop {
        let io = innermost.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) {
            return NoAnswer::Refused;
        }
        // hyper-util names this stage of connecting only in words
        if innermost.to_string().starts_with("dns error") {
            return NoAnswer::NoHost;
        }
        match innermost.source() {
            Some(source) => innermost = source,
            None => break,
        }
    }
    let what = if error.is_connect() {
        "no connection"
    } else {
        "the answer broke off"
    };
    let why = crate::domain::text::printable(&innermost.to_string(), 200);
    NoAnswer::Broken(format!("{what}: {why}"))
}

fn system_tls() -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?;
    Ok(config.with_no_client_auth())
}

/// Trusts nobody, so that every https connection fails, in words.
fn no_tls() -> Result<ClientConfig, rustls::Error> {
    tls_of(RootCertStore::empty())
}

fn tls_of(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(config.with_no_client_auth())
}
