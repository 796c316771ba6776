//! A room over the demo's fleet, with customers, and a real Prometheus that scrapes all of it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use holdpoint::cli::fleet::Traffic;
use holdpoint::cli::fleet::profile::{Profile, Profiles};
use holdpoint::platform::scrape::Endpoint;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::fleet::Fleet;
use crate::prometheus::rollout::{Sums, truth_of};
use crate::prometheus::store::Store;
use crate::shop::{BIN, Keeper, digest, done};

/// Requests a second to each instance, on average.
pub const TRAFFIC: f64 = 12.0;

/// How long after a release began nothing but hard limits is judged.
pub const WARM_UP: f64 = 3.0;

/// How many instances are started at the same time.
const AT_ONCE: usize = 8;

/// A service, and how its two versions behave.
#[derive(Clone, Debug)]
pub struct Service {
    pub name: String,
    /// One of these is the canary.
    pub instances: usize,
    pub old: Profile,
    pub new: Profile,
}

impl Service {
    /// Both versions are the same: this part of the requests is bad.
    pub fn same(name: impl Into<String>, instances: usize, bad: f64) -> Service {
        let old = Profile {
            error_rate: bad,
            latency_ms: 45.0,
            spread: 0.25,
            start_ms: 50,
            ..Profile::default()
        };
        Service {
            name: name.into(),
            instances,
            new: old.clone(),
            old,
        }
    }

    fn version(&self, number: u32) -> String {
        format!("{number}.0.0-{}", self.name)
    }

    fn instance_names(&self) -> impl Iterator<Item = String> {
        (1..=self.instances).map(|n| format!("i-{n}"))
    }
}

pub struct Scene {
    traffic: JoinHandle<Result<(), String>>,
    pub store: Store,
    pub fleet: Fleet,
    room: TempDir,
    services: Vec<Service>,
}

impl Scene {
    /// All services on their first version, with traffic; `None` when Prometheus was left out by name.
    pub async fn new(services: Vec<Service>) -> Option<Scene> {
        let mut profiles = Profiles::new();
        for service in &services {
            profiles.insert(service.version(1), service.old.clone());
            profiles.insert(service.version(2), service.new.clone());
        }
        let fleet = Fleet::with(&profiles);
        let addresses: Vec<String> = services
            .iter()
            .flat_map(|s| s.instance_names().map(|name| address(&fleet, s, &name)))
            .collect();
        let targets: Vec<(&str, &str)> = addresses.iter().map(|a| (a.as_str(), "")).collect();
        let store = Store::start(&targets)?;
        raise(&fleet, &services).await;
        let room = tempfile::tempdir().unwrap();
        let dir = room.path();
        write(dir, "room.toml", &room_toml(&fleet, &services, &store));
        write(dir, "catalog.toml", &catalog(&services));
        write(dir, "people.toml", &people());
        let policy = format!("approval = []\n\n[judge]\nwarm_up = \"{WARM_UP}s\"\n");
        write(dir, "policy.toml", &policy);
        let traffic = Traffic {
            root: fleet.root().to_path_buf(),
            per_second: TRAFFIC,
            seed: 5,
        };
        Some(Scene {
            traffic: tokio::spawn(traffic.run()),
            store,
            fleet,
            room,
            services,
        })
    }

    pub fn path(&self) -> &Path {
        self.room.path()
    }

    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The engine, as a process of its own.
    pub fn serve(&self) -> Keeper {
        Keeper::start(self.path(), &["serve"])
    }

    /// Releases the second version of a service, which begins by itself: to one instance, with these
    /// holds after it, then to all.
    pub fn submit(&self, service: &Service, after: &str) -> String {
        let Service { name, .. } = service;
        let plan = format!(
            "name: {name}-2\ntitle: {name}, second version\nenvironment: prod\nservices:\n  \
             - {{ service: {name}, version: {}, digest: \"{}\" }}\n\
             observe: {{ for: 200ms }}\nstart: auto\nbatches:\n  \
             - {{ exposure: {}%, after: [{after}] }}\n  - exposure: full\n",
            service.version(2),
            digest(2),
            100 / service.instances,
        );
        let file = self.path().join(format!("{name}.yaml"));
        fs::write(&file, plan).unwrap();
        let said = self.done(&["release", "submit", file.to_str().unwrap()]);
        said["release"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn done(&self, words: &[&str]) -> Value {
        done(self.path(), words)
    }

    pub fn show(&self, id: &str) -> Value {
        self.done(&["release", "show", id])
    }

    /// What the instance of a service that is the canary has counted itself.
    pub async fn truth(&self, service: &Service, id: &str) -> Sums {
        let shown = self.show(id);
        let moved = &shown["batches"][0]["moves"][0]["instances"][0]["instance"];
        let name = moved.as_str().unwrap_or_else(|| panic!("{shown:#}"));
        let canary = Endpoint {
            instance: name.into(),
            url: format!("http://{}/metrics", address(&self.fleet, service, name)),
        };
        truth_of(&[canary], &[]).await
    }

    /// No more customers.
    pub async fn quiet(&mut self) {
        self.traffic.abort();
        let _ = (&mut self.traffic).await;
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.traffic.abort();
    }
}

fn address(fleet: &Fleet, service: &Service, instance: &str) -> String {
    let port = fleet.place_of(&service.name, instance).port().unwrap();
    format!("127.0.0.1:{port}")
}

/// Starts every instance on its first version.
async fn raise(fleet: &Fleet, services: &[Service]) {
    let commands: Vec<_> = services
        .iter()
        .flat_map(|service| {
            service.instance_names().map(|name| {
                let version = service.version(1);
                let mut command = fleet.command_of(&service.name, "deploy", &name, &version);
                command.env("HOLDPOINT_DIGEST", digest(1));
                command.stdin(Stdio::null()).stdout(Stdio::null());
                command
            })
        })
        .collect();
    let mut commands = commands.into_iter();
    loop {
        let some: Vec<_> = commands.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return;
        }
        let started: Vec<_> = some.into_iter().map(|mut c| c.spawn().unwrap()).collect();
        for mut command in started {
            let ended = tokio::task::spawn_blocking(move || command.wait().unwrap()).await;
            assert!(ended.unwrap().success(), "an instance does not start");
        }
    }
}

fn write(room: &Path, name: &str, text: &str) {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(room.join(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn room_toml(fleet: &Fleet, services: &[Service], store: &Store) -> String {
    let side = "'instance=~\"{instances}\"'";
    let mut text = format!(
        "name = \"proof\"\nlook = \"1s\"\n\n[sources.prom]\nurl = \"{}\"\ncanary = {side}\n\
         baseline = {side}\nevery = \"1s\"\ntimeout = \"20s\"\n",
        store.url()
    );
    for service in services {
        let name = &service.name;
        let call = |verb: &str| {
            let root = fleet.root().to_str().unwrap();
            format!(
                "[{BIN:?}, \"__fleet\", {verb:?}, \"--root\", {root:?}, \"--service\", {name:?}]"
            )
        };
        let mut instances = String::new();
        for instance in service.instance_names() {
            let address = address(fleet, service, &instance);
            let _ = write!(
                instances,
                "{{ name = {instance:?}, url = \"http://{address}\" }}, "
            );
        }
        let _ = write!(
            text,
            "\n[[target]]\nname = {name:?}\nservice = {name:?}\nenvironment = \"prod\"\n\
             platform = \"command\"\ninstances = [{instances}]\ndeploy = {}\nrollback = {}\n\
             status = {}\nparallel = 4\n",
            call("deploy"),
            call("rollback"),
            call("status"),
        );
    }
    text
}

fn catalog(services: &[Service]) -> String {
    let mut text = String::from("[environment.prod]\nzone = \"UTC\"\n");
    for Service { name, .. } in services {
        let _ = write!(
            text,
            r#"
[service.{name}]
owner = "team {name}"

[service.{name}.metric.errors]
source = "prom"
ratio = {{ bad = 'http_requests_total{{code=~"5.."}}', total = "http_requests_total" }}

[service.{name}.metric.latency]
source = "prom"
quantile = {{ histogram = "http_request_duration_seconds", at = "p99" }}
"#
        );
    }
    text
}

fn people() -> String {
    let uid = rustix::process::geteuid().as_raw();
    format!(
        "[group.operations]\nmay = [\"submit\", \"control\"]\n\n[[person]]\nname = \"me\"\n\
         full_name = \"Me\"\ngroups = [\"operations\"]\nuid = {uid}\n"
    )
}
