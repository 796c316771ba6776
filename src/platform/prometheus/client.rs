//! Asking a server of the Prometheus HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics and kin.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::answer::{self, Answer, Limits};
use super::template::Template;
use crate::domain::Span;
use crate::domain::text::printable;
use crate::platform::http::{Got, Http, Question};
use crate::platform::secret::SecretRef;

/// The most that is read of one answer, in bytes.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Queries that make a longer address than this are sent in a form.
const LONGEST_ADDRESS: usize = 1500;

/// How a server is reached, and how it tells the sides of a rollout apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What it is called in room.toml.
    pub name: Arc<str>,
    /// Its address: what stands before `/api/v1`.
    pub url: Url,
    /// Who asks.
    pub auth: Auth,
    /// More headers, such as `X-Scope-OrgID`.
    pub headers: Vec<(HeaderName, Header)>,
    /// The authorities that its certificate may come from, in PEM; without them, those of this
    /// machine.
    pub authorities: Option<PathBuf>,
    /// How often it scrapes what it is asked about.
    pub every: Span,
    /// How long a look at it may take.
    pub limit: Span,
    /// The most that is taken from one answer.
    pub limits: Limits,
    /// The conditions of the series of the version that is being released.
    pub canary: Template,
    /// The conditions of the series of the version that ran before.
    pub baseline: Template,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anybody.
    Nobody,
    /// Who has a token.
    Bearer(SecretRef),
    /// Who has a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: SecretRef,
    },
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// This.
    Text(String),
    /// A secret.
    Secret(SecretRef),
}

/// A query over time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Query {
    /// All samples of a selector as they were scraped, from one moment to another, both in
    /// milliseconds since 1970.
    Raw {
        selector: String,
        from: i64,
        to: i64,
    },
    /// An expression at equal steps.
    Steps {
        expression: String,
        from: i64,
        to: i64,
        step: i64,
    },
}

impl Query {
    /// What is asked for, without the times.
    pub fn text(&self) -> &str {
        match self {
            Query::Raw { selector, .. } => selector,
            Query::Steps { expression, .. } => expression,
        }
    }
}

/// What came back: the answer, or why there is none; and how far the server's clock is ahead.
pub(super) struct Told {
    pub answer: Result<Answer, String>,
    /// In seconds; half a second more or less.
    pub ahead: Option<f64>,
}

/// Whether a server answers a query of nothing in particular.
///
/// # Errors
/// Why not, in a sentence.
pub async fn answers(config: &Config) -> Result<(), String> {
    let http = match &config.authorities {
        None => Http::new()?,
        Some(path) => {
            let read = std::fs::read(path).map_err(|error| error.to_string());
            let trusting = read.and_then(|pem| Http::trusting(&pem));
            trusting.map_err(|why| format!("ca {}: {why}", path.display()))?
        }
    };
    let end = i64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis(),
    );
    let to = end.unwrap_or_default();
    let query = Query::Steps {
        expression: "vector(1)".to_owned(),
        from: to,
        to,
        step: 1000,
    };
    let client = Client::new(&http, config)?;
    client
        .ask(&query, config.limit.std())
        .await
        .answer
        .map(|_| ())
}

/// A server with the secrets of one look.
#[derive(Clone)]
pub(super) struct Client {
    http: Http,
    url: Url,
    headers: HeaderMap,
    basic: Option<(String, String)>,
    secrets: Vec<String>,
    limits: Limits,
}

/// Without the headers, in which secrets stand.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Fetches the secrets as they are now.
    ///
    /// # Errors
    /// Which one is missing, in a sentence.
    pub fn new(http: &Http, config: &Config) -> Result<Client, String> {
        let mut headers = HeaderMap::new();
        let mut secrets = Vec::new();
        headers.insert("accept", HeaderValue::from_static("application/json"));
        for (name, header) in &config.headers {
            let value = match header {
                Header::Text(text) => text.clone(),
                Header::Secret(reference) => keep(&mut secrets, reference.fetch()?),
            };
            headers.insert(name.clone(), value_of(&value, name.as_str())?);
        }
        let mut basic = None;
        let bearer = match &config.auth {
            Auth::Nobody => None,
            Auth::Bearer(token) => {
                let token = keep(&mut secrets, token.fetch()?);
                Some(format!("Bearer {token}"))
            }
            Auth::Basic { user, password } => {
                let password = keep(&mut secrets, password.fetch()?);
                basic = Some((user.clone(), password));
                None
            }
        };
        if let Some(value) = bearer {
            headers.insert(AUTHORIZATION, value_of(&value, "authorization")?);
        }
        Ok(Client {
            http: http.clone(),
            url: config.url.clone(),
            headers,
            basic,
            secrets,
            limits: config.limits,
        })
    }

    /// Asks once.
    pub async fn ask(&self, query: &Query, limit: Duration) -> Told {
        let (question, words) = self.question(query, limit);
        let sent = now();
        let got = self.http.ask(question, limit, MOST_BYTES).await;
        let between = f64::midpoint(sent, now());
        let got = match got {
            Ok(got) => got,
            Err(why) => {
                let answer = Err(self.clean(&why.to_string()));
                return Told {
                    answer,
                    ahead: None,
                };
            }
        };
        // the header has no fractions: half a second on the average is cut off
        let ahead = got.date.map(|date| date + 0.5 - between);
        let limits = self.limits;
        // eight megabytes of text take a while, and others wait for this thread
        let read = tokio::task::spawn_blocking(move || read(&got, limits));
        let read = read.await.unwrap_or_else(|error| Err(error.to_string()));
        let answer = read.map_err(|why| self.clean(&format!("{why} ({words})")));
        Told { answer, ahead }
    }

    fn question(&self, query: &Query, limit: Duration) -> (Question, String) {
        let seconds = |millis: i64| format!("{}.{:03}", millis / 1000, millis % 1000);
        let (place, text, mut fields) = match query {
            Query::Raw { selector, from, to } => {
                let text = format!("{selector}[{}ms]", (to - from).max(1));
                ("query", text, vec![("time", seconds(*to))])
            }
            Query::Steps {
                expression,
                from,
                to,
                step,
            } => {
                let step = format!("{}ms", step);
                let fields = vec![
                    ("start", seconds(*from)),
                    ("end", seconds(*to)),
                    ("step", step),
                ];
                ("query_range", expression.clone(), fields)
            }
        };
        fields.push(("query", text.clone()));
        fields.push(("timeout", format!("{}ms", limit.as_millis())));
        // what is more shows itself by being more
        fields.push(("limit", (self.limits.series + 1).to_string()));
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1", place]);
        }
        let bare = url.clone();
        url.query_pairs_mut().extend_pairs(&fields);
        let form = (url.as_str().len() > LONGEST_ADDRESS).then(|| {
            let form = url.query().unwrap_or_default().to_owned();
            url = bare;
            form
        });
        let question = Question {
            url,
            headers: self.headers.clone(),
            basic: self.basic.clone(),
            form,
        };
        (question, text)
    }

    /// Words without the secrets that a server may have repeated.
    fn clean(&self, words: &str) -> String {
        let mut clean = words.to_owned();
        for secret in &self.secrets {
            clean = clean.replace(secret.as_str(), "(secret)");
        }
        printable(&clean, 400)
    }
}

fn read(got: &Got, limits: Limits) -> Result<Answer, String> {
    let html = got.content_type.contains("html");
    match got.status {
        200 if got.cut => Err("its answer is longer than 8 MiB: too many series".to_owned()),
        200 if html => Err("it answered with a web page: is a login in between?".to_owned()),
        200 => answer::read(&got.body, limits),
        status => {
            let meaning = match status {
                401 => ": it does not know who asks",
                403 => ": who asks may not",
                404 => ": there is no such API at this url",
                429 => ": it is asked too often",
                _ => "",
            };
            let said = match (answer::refusal(&got.body), &got.location) {
                (said, _) if !said.is_empty() => format!(": {said}"),
                (_, Some(to)) => format!(", to {}", printable(to, 100)),
                _ => String::new(),
            };
            Err(format!("answered {status}{meaning}{said}"))
        }
    }
}

fn keep(secrets: &mut Vec<String>, secret: String) -> String {
    secrets.push(secret.clone());
    secret
}

fn value_of(text: &str, name: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| format!("what is to be sent as {name} cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// This machine's clock, in seconds since 1970.
pub(super) fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}
