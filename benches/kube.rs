//! What an engine costs that watches a large cluster at rest: 500 Deployments with 20,000 pods.
//!
//! `HOLDPOINT_TEST_KUBECONFIG=$(tests/kube/kube-up start) cargo bench --bench kube` makes the workloads in
//! that scratch cluster, which takes its controllers some ten minutes, waits until their pods are
//! ready, serves a room with a target for each, and prints memory and processor time of a minute.
//! `-- DEPLOYMENTS REPLICAS` takes other numbers; workloads that are there already are taken as they are.
//! The room stays until the last line: a session or a terminal benchmark may be opened on it meanwhile.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "../tests/it/kube/client.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod client;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::Client;
use serde_json::{Value, json};

/// In how many namespaces the workloads lie.
const NAMESPACES: usize = 10;

/// How long is measured.
const REST: Duration = Duration::from_secs(60);

fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<usize>().ok());
    let (workloads, replicas) = (numbers.next().unwrap_or(500), numbers.next().unwrap_or(40));
    let Some(file) = std::env::var_os("HOLDPOINT_TEST_KUBECONFIG").map(PathBuf::from) else {
        println!(
            "left out: HOLDPOINT_TEST_KUBECONFIG names no scratch cluster (tests/kube/kube-up start)"
        );
        return;
    };
    let client = Client::of(&file);
    make(&client, workloads, replicas);
    wait(&client, workloads * replicas);
    let dir = tempfile::tempdir().unwrap();
    room(dir.path(), &file, workloads);
    measure(dir.path(), workloads * replicas);
}

fn namespace(n: usize) -> String {
    format!("scale-{}", n % NAMESPACES)
}

fn make(client: &Client, workloads: usize, replicas: usize) {
    let began = Instant::now();
    for n in 0..NAMESPACES.min(workloads) {
        let name = namespace(n);
        if client.find(&format!("/api/v1/namespaces/{name}")).is_none() {
            let body = json!({"metadata": {"name": name}});
            client.create("/api/v1/namespaces", &body);
        }
    }
    for n in 0..workloads {
        let (name, path) = (format!("w-{n}"), deployments(n));
        if client.find(&format!("{path}/{name}")).is_some() {
            continue;
        }
        let labels = json!({"app": name});
        let container = json!({"name": "web", "image": "shop/web:1.0"});
        let body = json!({
            "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}});
        client.create(&path, &body);
    }
    println!(
        "{workloads} Deployments are there after {:.0} s",
        began.elapsed().as_secs_f64()
    );
}

fn deployments(n: usize) -> String {
    format!("/apis/apps/v1/namespaces/{}/deployments", namespace(n))
}

/// Waits until all pods are available, and says now and then how many are.
fn wait(client: &Client, pods: usize) {
    let began = Instant::now();
    let mut said = Instant::now();
    loop {
        let available = |it: &Value| it["status"]["availableReplicas"].as_u64().unwrap_or(0);
        let seen: u64 = (0..NAMESPACES)
            .flat_map(|n| client.list(&deployments(n)))
            .map(|it| available(&it))
            .sum();
        if seen >= pods as u64 {
            break;
        }
        if said.elapsed() > Duration::from_secs(30) {
            println!("{seen} of {pods} pods are available");
            said = Instant::now();
        }
        std::thread::sleep(Duration::from_secs(2));
    }
    println!(
        "{pods} pods are available after {:.0} s",
        began.elapsed().as_secs_f64()
    );
}

fn room(dir: &Path, kubeconfig: &Path, workloads: usize) {
    let mut room = format!("name = \"scale\"\n\n[clusters.scratch]\nkubeconfig = {kubeconfig:?}\n");
    let mut catalog = String::from("[environment.prod]\nproduction = true\n");
    for n in 0..workloads {
        let namespace = namespace(n);
        let _ = write!(
            room,
            "\n[[target]]\nname = \"w-{n}\"\nservice = \"w-{n}\"\nenvironment = \"prod\"\n\
             platform = \"kubernetes\"\ncluster = \"scratch\"\nnamespace = \"{namespace}\"\n\
             workload = \"deployment/w-{n}\"\nimage = \"shop/web\"\n"
        );
        let _ = write!(catalog, "\n[service.w-{n}]\nowner = \"team\"\n");
    }
    let uid = rustix::process::geteuid().as_raw();
    let people = format!(
        "[group.operations]\nmay = [\"submit\", \"control\"]\n\n[group.security]\n\n[[person]]\nname = \"me\"\n\
         full_name = \"Me\"\nuid = {uid}\ngroups = [\"operations\", \"security\"]\n"
    );
    for (name, text) in [
        ("room.toml", room),
        ("catalog.toml", catalog),
        ("people.toml", people),
        ("policy.toml", String::new()),
    ] {
        std::fs::write(dir.join(name), text).unwrap();
    }
}

fn measure(dir: &Path, pods: usize) {
    let mut engine = Engine(
        Command::new(env!("CARGO_BIN_EXE_holdpoint"))
            .args(["--room".as_ref(), dir.as_os_str(), "serve".as_ref()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let began = Instant::now();
    let id = engine.0.id();
    // it has read everything when its memory has stood still for ten seconds
    let (mut last, mut still) = (0, Instant::now());
    while still.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_secs(1));
        assert!(engine.0.try_wait().unwrap().is_none(), "the engine ended");
        let now = status(id, "VmRSS:");
        if now.abs_diff(last) > 1024 {
            (last, still) = (now, Instant::now());
        }
    }
    println!(
        "the engine has read them after {:.0} s; its room is {}",
        (still - began).as_secs_f64(),
        dir.display()
    );
    let (before, at) = (ticks(id), Instant::now());
    std::thread::sleep(REST);
    let used = (ticks(id) - before) as f64 / rustix::param::clock_ticks_per_second() as f64;
    println!("pods watched                  {pods:9}");
    println!(
        "memory at rest                {:9.1} MB",
        mb(status(id, "VmRSS:"))
    );
    println!(
        "memory at most                {:9.1} MB",
        mb(status(id, "VmHWM:"))
    );
    println!(
        "processor at rest             {:9.2} % of a core",
        100.0 * used / at.elapsed().as_secs_f64()
    );
}

/// Killed when it is dropped.
struct Engine(Child);

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line of `/proc/PID/status`, in KiB. proc(5).
fn status(id: u32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The processor time of a process so far, in ticks. proc(5), /proc/pid/stat: utime and stime.
fn ticks(id: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let after = text.rsplit_once(')').unwrap().1;
    let fields: Vec<u64> = after
        .split_whitespace()
        .map(|word| word.parse().unwrap_or(0))
        .collect();
    fields[11] + fields[12]
}

fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}
