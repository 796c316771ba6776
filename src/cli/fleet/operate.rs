//! The operator's commands: they stop, start and question real processes, and print what an
//! operator would like to read.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::ServiceArgs;
use super::place::{Place, Served, birth};
use super::profile;
use crate::platform::http::{Http, Redirects};

/// How long a process may take to end before it is killed.
const FAREWELL: Duration = Duration::from_secs(4);

/// How long an instance may take to answer, besides the time that its version takes to start.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long `status` waits for an instance.
const ANSWER: Duration = Duration::from_millis(500);

/// How often is looked whether something has come about.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Which way a version is brought; it changes the words only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    Back,
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set"))
}

fn place(args: &ServiceArgs) -> Result<Place, String> {
    Place::new(&args.root, &args.service, &variable("HOLDPOINT_INSTANCE")?)
}

/// Stops what runs on the instance and starts what shall.
pub(super) async fn bring(args: &ServiceArgs, way: Way) -> Result<(), String> {
    let place = place(args)?;
    let name = place.instance().to_string();
    let version = variable("HOLDPOINT_VERSION")?;
    let digest = std::env::var("HOLDPOINT_DIGEST").unwrap_or_default();
    let _lock = lock(&place).await?;
    let profile = profile::of(&args.root, &version)?;
    let port = place.port().map_err(|e| e.to_string())?;
    if let Some(served) = place.served().filter(Served::lives) {
        println!("{name}: stopping {} (pid {})", served.version, served.pid);
        let begun = Instant::now();
        let how = stop(&served).await?;
        println!("{name}: {how} after {} ms", begun.elapsed().as_millis());
    }
    let verb = match way {
        Way::Forward => "starting",
        Way::Back => "going back to",
    };
    println!("{name}: {verb} {version} on port {port}");
    let begun = Instant::now();
    let mut child = start(args, &name, &version, &digest)?;
    let until = begun + PATIENCE + Duration::from_millis(profile.start_ms);
    let pid = child.id() as i32;
    let http = Http::plain()?;
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Err(format!(
                "{name}: {version} ended while it started ({status})"
            ));
        }
        let url = format!("http://127.0.0.1:{port}/healthz");
        let serves = place.served().is_some_and(|s| s.pid == pid && s.lives());
        if serves && let Ok(got) = http.get(&url, PATIENCE / 3, 4096, Redirects::Stay).await {
            let (code, took) = (got.status, begun.elapsed().as_millis());
            println!("{name}: {version} answers after {took} ms, health {code}");
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{name}: {version} does not answer on port {port}"));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Waits until no other command changes the instance.
async fn lock(place: &Place) -> Result<File, String> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(lock) = place.lock().map_err(|e| e.to_string())? {
            return Ok(lock);
        }
        if Instant::now() > until {
            return Err(format!("{}: another command holds it", place.instance()));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn start(args: &ServiceArgs, name: &str, version: &str, digest: &str) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let root = args.root.canonicalize().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.args(["__fleet", "serve", "--root"]).arg(root);
    command.args(["--service", &args.service, "--instance", name]);
    command.args(["--version", version, "--digest", digest]);
    command.current_dir("/").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
        .spawn()
        .map_err(|error| format!("{name}: cannot be started: {error}"))
}

/// Ends this very process: asks first, kills it when it does not end.
async fn stop(served: &Served) -> Result<&'static str, String> {
    end(served.pid, || served.lives()).await
}

async fn end(pid: i32, lives: impl Fn() -> bool) -> Result<&'static str, String> {
    let Some(number) = Pid::from_raw(pid) else {
        return Ok("gone");
    };
    for (signal, how, patience) in [
        (Signal::TERM, "stopped", FAREWELL),
        (Signal::KILL, "killed", FAREWELL),
    ] {
        if !lives() {
            return Ok(how);
        }
        // it may end between the two, and then nobody is there to be told
        let _ = kill_process(number, signal);
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if !lives() {
                return Ok(how);
            }
            sleep(LOOK_EVERY).await;
        }
    }
    Err(format!("process {pid} cannot be ended"))
}

/// Prints how every instance is.
pub(super) async fn status(args: &ServiceArgs) -> Result<(), String> {
    let http = Http::plain()?;
    let places = Place::all(&args.root, &args.service);
    let mut lines: Vec<String> = vec![String::new(); places.len()];
    let mut asked = JoinSet::new();
    for (at, place) in places.into_iter().enumerate() {
        let http = http.clone();
        asked.spawn(async move { (at, line(&http, &place).await) });
    }
    while let Some(one) = asked.join_next().await {
        let (at, line) = one.map_err(|e| e.to_string())?;
        lines[at] = line;
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

async fn line(http: &Http, place: &Place) -> String {
    let served = place.served();
    let state = match &served {
        _ if place.is_changing() => "changing",
        Some(served) if served.lives() => {
            let url = format!("http://127.0.0.1:{}/version", served.port);
            match http.get(&url, ANSWER, 4096, Redirects::Stay).await {
                Ok(got) if is_version(&got.body, served) => "running",
                _ => "unknown",
            }
        }
        _ => "down",
    };
    let (version, digest) = served.map_or_else(Default::default, |s| (s.version, s.digest));
    let instance = place.instance();
    serde_json::json!({
        "instance": instance, "version": version, "digest": digest, "state": state,
    })
    .to_string()
}

fn is_version(answer: &[u8], served: &Served) -> bool {
    let answer: Result<serde_json::Value, _> = serde_json::from_slice(answer);
    answer.is_ok_and(|answer| answer["version"] == served.version.as_str())
}

/// Takes the instance out of traffic and waits until it has answered what it was asked.
pub(super) async fn drain(args: &ServiceArgs) -> Result<(), String> {
    let place = place(args)?;
    let name = place.instance();
    place.set_drained(true).map_err(|e| e.to_string())?;
    println!("{name}: out of traffic");
    let Some(served) = place.served().filter(Served::lives) else {
        println!("{name}: nothing runs there");
        return Ok(());
    };
    let http = Http::plain()?;
    let url = format!("http://127.0.0.1:{}/metrics", served.port);
    let until = Instant::now() + PATIENCE;
    loop {
        // traffic notices within a second; what was sent before that is still on its way
        sleep(Duration::from_millis(300)).await;
        let page = http.get(&url, ANSWER, 64 * 1024, Redirects::Stay).await;
        let open = page.as_ref().ok().and_then(|page| in_flight(&page.body));
        match open {
            Some(0) => {
                println!("{name}: no open requests");
                return Ok(());
            }
            _ if Instant::now() > until => {
                return Err(format!("{name}: requests are still open"));
            }
            Some(open) => println!("{name}: {open} open requests"),
            // it hangs: nobody gets an answer from it, whether or not it is waited for
            None if page.is_err() => {
                println!("{name}: gives no answer, so nothing is waited for");
                return Ok(());
            }
            None => return Err(format!("{name}: does not say what is open")),
        }
    }
}

fn in_flight(page: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(page).ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("http_requests_in_flight ")?.parse().ok())
}

/// Puts the instance back into traffic.
pub(super) async fn undrain(args: &ServiceArgs) -> Result<(), String> {
    let place = place(args)?;
    place.set_drained(false).map_err(|e| e.to_string())?;
    println!("{}: back in traffic", place.instance());
    Ok(())
}

/// Ends every process of the fleet.
pub(super) async fn stop_all(root: &Path) -> Result<(), String> {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    // commands first, or they would start what was just ended
    for what in ["command", "instance"] {
        let mut ending = JoinSet::new();
        for (pid, birth_then) in processes(&root, what == "instance") {
            let lives = move || birth(pid).is_some_and(|now| now == birth_then);
            ending.spawn(async move { end(pid, lives).await.map(|_| ()) });
        }
        while let Some(ended) = ending.join_next().await {
            ended.map_err(|e| e.to_string())??;
        }
    }
    Ok(())
}

/// The processes of the fleet, its instances or its commands, by their command lines: some that
/// have only just begun stand in no file yet.
fn processes(root: &Path, instances: bool) -> Vec<(i32, String)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id() as i32;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(line) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let words: Vec<&[u8]> = line.split(|b| *b == 0).collect();
        if pid != own
            && belongs(&words, root, instances)
            && let Some(birth) = birth(pid)
        {
            found.push((pid, birth));
        }
    }
    found
}

fn belongs(words: &[&[u8]], root: &Path, instances: bool) -> bool {
    let Some([b"__fleet", verb, rest @ ..]) = words.get(1..) else {
        return false;
    };
    let same = |path: &[u8]| {
        let path = Path::new(std::str::from_utf8(path).unwrap_or_default());
        path == root || path.canonicalize().is_ok_and(|path| path == root)
    };
    (*verb == b"serve") == instances
        && rest
            .windows(2)
            .any(|pair| pair[0] == b"--root" && same(pair[1]))
}
