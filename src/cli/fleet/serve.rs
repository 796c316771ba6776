//! One instance: a small HTTP server that behaves as the profile of its version says.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, serve as serve_http};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::ServeArgs;
use super::metrics::Metrics;
use super::place::{Place, Served, birth, left_alone};
use super::profile::{self, Health, Profile};

/// How long requests may still take when the instance is asked to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// No request takes longer than this.
const LONGEST: f64 = 30.0;

#[derive(Clone)]
struct Instance {
    profile: Profile,
    /// What `/version` says.
    version: Arc<str>,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    metrics: Metrics,
    random: StdRng,
}

impl Instance {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until it is asked to end or nobody cares for the fleet any more.
pub(super) async fn serve(args: ServeArgs) -> Result<(), String> {
    let born = since_1970();
    let place = Place::new(&args.root, &args.service, &args.instance)?;
    let profile = profile::of(&args.root, &args.version)?;
    let mut ended = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    tokio::select! {
        () = sleep(Duration::from_millis(profile.start_ms)) => {}
        _ = ended.recv() => return Ok(()),
    }
    if profile.health == Health::Crashes {
        return Err("fatal: cannot read property `routes` of undefined".to_string());
    }
    let port = place.port().map_err(|e| e.to_string())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on port {port}: {error}"))?;
    let instance = Instance::new(&args, profile, born);
    let app = Router::new()
        .route("/", get(business))
        .route("/healthz", get(healthz))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .with_state(instance);
    let pid = std::process::id() as i32;
    let served = Served {
        pid,
        birth: birth(pid).unwrap_or_default(),
        port,
        version: args.version.clone(),
        digest: args.digest.clone(),
        started: (since_1970() * 1000.0) as u64,
    };
    // connections wait in the listener from here on, so whoever reads this may ask
    place.write_served(&served).map_err(|e| e.to_string())?;
    let ending = Arc::new(tokio::sync::Notify::new());
    let told = ending.clone();
    let serving = serve_http(listener, app).with_graceful_shutdown(async move {
        told.notified().await;
    });
    let waiting = async {
        tokio::select! {
            _ = ended.recv() => {}
            () = until_left_alone(args.root.clone(), Duration::from_secs(args.linger)) => {}
        }
        ending.notify_one();
        sleep(FAREWELL).await;
    };
    tokio::select! {
        result = serving.into_future() => result.map_err(|e| e.to_string()),
        () = waiting => Ok(()),
    }
}

async fn until_left_alone(root: PathBuf, linger: Duration) {
    let begun = Instant::now();
    loop {
        sleep((linger / 4).min(Duration::from_secs(2))).await;
        match left_alone(&root) {
            // one that has only just begun was not left alone yet
            Some(alone) if alone.min(begun.elapsed()) < linger => {}
            _ => return,
        }
    }
}

impl Instance {
    fn new(args: &ServeArgs, profile: Profile, born: f64) -> Instance {
        let version = serde_json::json!({
            "service": args.service,
            "instance": args.instance,
            "version": args.version,
            "digest": args.digest,
        });
        // the same fleet with the same versions behaves the same
        let names = format!("{}\0{}\0{}", args.service, args.instance, args.version);
        let seed: [u8; 32] = Sha256::digest(names).into();
        Instance {
            profile,
            version: version.to_string().into(),
            inner: Arc::new(Mutex::new(Inner {
                metrics: Metrics::new(born),
                random: StdRng::from_seed(seed),
            })),
        }
    }
}

fn since_1970() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// A request being answered; counted as given up when its caller goes away.
struct InFlight {
    instance: Instance,
    answered: bool,
}

impl InFlight {
    fn begin(instance: &Instance) -> InFlight {
        instance.lock().metrics.begin();
        InFlight {
            instance: instance.clone(),
            answered: false,
        }
    }

    fn end(mut self, code: StatusCode, seconds: f64) {
        self.instance.lock().metrics.end(code.as_u16(), seconds);
        self.answered = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.answered {
            self.instance.lock().metrics.give_up();
        }
    }
}

/// What the service is for: it takes its time, and sometimes it fails.
async fn business(State(instance): State<Instance>) -> (StatusCode, &'static str) {
    let request = InFlight::begin(&instance);
    let begun = Instant::now();
    let (seconds, fails) = {
        let profile = &instance.profile;
        let random = &mut instance.lock().random;
        let median = profile.latency_ms.max(0.0) / 1000.0;
        let seconds = median * (profile.spread * normal(random)).exp();
        let fails = random.random::<f64>() < profile.error_rate;
        (seconds.min(LONGEST), fails)
    };
    if seconds.is_finite() {
        sleep(Duration::from_secs_f64(seconds)).await;
    }
    let (code, text) = match fails {
        true => (StatusCode::INTERNAL_SERVER_ERROR, "it failed\n"),
        false => (StatusCode::OK, "done\n"),
    };
    request.end(code, begun.elapsed().as_secs_f64());
    (code, text)
}

/// A normally distributed number, after Box and Muller.
fn normal(random: &mut StdRng) -> f64 {
    let (u, v) = (1.0 - random.random::<f64>(), random.random::<f64>());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

async fn healthz(State(instance): State<Instance>) -> (StatusCode, &'static str) {
    match instance.profile.health {
        Health::Fails => (StatusCode::SERVICE_UNAVAILABLE, "database: no connection\n"),
        Health::Slow => {
            sleep(Duration::from_secs(3)).await;
            (StatusCode::OK, "ok\n")
        }
        Health::Ok | Health::Crashes => (StatusCode::OK, "ok\n"),
    }
}

async fn version(State(instance): State<Instance>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, instance.version.to_string()).into_response()
}

async fn metrics(State(instance): State<Instance>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, instance.lock().metrics.text()).into_response()
}
