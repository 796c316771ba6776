//! A room of a test's own, run by the real binary and operated by a shell script that keeps in
//! files what is deployed where.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use holdpoint::config::tokens::TokenHash;
use serde_json::Value;
use tempfile::TempDir;

use crate::until::until;

pub const BIN: &str = env!("CARGO_BIN_EXE_holdpoint");

/// The services of the shop; each has one target, `SERVICE-prod`, with instances `SERVICE-1` to 4.
pub const SERVICES: [&str; 3] = ["web", "api", "jobs"];

/// What operates the instances of a service: `deploy` writes down which effect it is called for,
/// waits while `gate` exists, fails with what `broken` holds, and ends only when `late` is gone.
const SCRIPT: &str = r#"#!/bin/sh
cd "$(dirname "$0")/$2"
case "$1" in
  deploy)
    echo "$HOLDPOINT_EFFECT" >> ../calls
    while [ -e ../gate ]; do sleep 0.02; done
    if [ -e ../broken ]; then cat ../broken; exit 7; fi
    echo "$HOLDPOINT_VERSION $HOLDPOINT_DIGEST" > "on-$HOLDPOINT_INSTANCE.$$"
    mv "on-$HOLDPOINT_INSTANCE.$$" "on-$HOLDPOINT_INSTANCE"
    while [ -e ../late ]; do sleep 0.02; done ;;
  status)
    for i in 1 2 3 4; do
      read -r version digest < "on-$2-$i"
      state=running
      [ -e "state-$2-$i" ] && state=$(cat "state-$2-$i")
      printf '{"instance":"%s-%s","version":"%s","digest":"%s","state":"%s"}\n' "$2" "$i" "$version" "$digest" "$state"
    done ;;
esac
"#;

/// What a command said.
#[derive(Clone, Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// The object that was printed; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_default()
    }

    /// The objects that were printed, one a line.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// The code of the refusal; empty when it is none.
    pub fn refusal(&self) -> String {
        let error: Value = serde_json::from_str(&self.err).unwrap_or_default();
        error["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Runs the binary.
pub fn holdpoint(room: &Path, words: &[&str]) -> Said {
    let out = command(room).args(words).output().unwrap();
    Said {
        code: out.status.code(),
        out: String::from_utf8_lossy(&out.stdout).into_owned(),
        err: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// The binary, for a room, without anything of this environment that would lead it elsewhere.
pub fn command(room: &Path) -> Command {
    let mut command = Command::new(BIN);
    command.arg("--room").arg(room).stdin(Stdio::null());
    command.env_remove("HOLDPOINT_ROOM");
    command.env_remove("HOLDPOINT_TOKEN");
    command
}

/// The same, which must be done, with `--json`.
#[track_caller]
pub fn done(room: &Path, words: &[&str]) -> Value {
    let said = holdpoint(room, &[words, &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
    said.json()
}

/// The entries of the ledger, whether or not an engine runs.
#[track_caller]
pub fn ledger(room: &Path) -> Vec<Value> {
    let said = holdpoint(room, &["ledger", "show", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.lines()
}

/// The events of a kind in the ledger's entries.
pub fn events<'a>(entries: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let what = entries.iter().map(|entry| &entry["event"]["what"]);
    what.filter_map(|what| what.get(kind)).collect()
}

/// A process that keeps a room: `serve` or the demo. Killed when it is dropped.
pub struct Keeper {
    pub child: Child,
    /// The first line it printed.
    pub hello: Value,
}

impl Keeper {
    /// Starts it and does not wait.
    pub fn spawn(room: &Path, words: &[&str]) -> Child {
        let mut command = command(room);
        command.args(words).arg("--json");
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.spawn().unwrap()
    }

    /// Starts it and waits until it can be asked.
    #[track_caller]
    pub fn start(room: &Path, words: &[&str]) -> Keeper {
        let mut child = Keeper::spawn(room, words);
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let Ok(hello) = serde_json::from_str(&line) else {
            let ended = child.wait();
            panic!("{words:?} does not come up: {line:?}, {ended:?}");
        };
        Keeper { child, hello }
    }

    /// Ends it with `SIGKILL`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it with a signal, and waits for its end.
    pub fn signal(&mut self, signal: rustix::process::Signal) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
        let see = || self.child.try_wait().unwrap();
        until("its end", see, Option::is_some).unwrap()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The room and what it operates.
pub struct Shop {
    pub room: PathBuf,
    /// Where the script is, and what it writes.
    pub site: TempDir,
}

impl Shop {
    /// Writes a room into a directory.
    pub fn new(room: &Path) -> Shop {
        let site = tempfile::tempdir().unwrap();
        let mut targets = String::from("name = \"shop\"\nlook = \"300ms\"\n");
        let mut catalog = String::from("[environment.prod]\nproduction = true\nzone = \"UTC\"\n");
        for service in SERVICES {
            targets += &operated(site.path(), service);
            catalog += &format!("\n[service.{service}]\nowner = \"team {service}\"\ntier = 1\n");
        }
        let shop = Shop {
            room: room.to_owned(),
            site,
        };
        fs::create_dir_all(room.join("keys")).unwrap();
        shop.write("room.toml", &targets);
        shop.write("catalog.toml", &catalog);
        shop.write(
            "policy.toml",
            "[[approval]]\nneeds = { security = 1 }\nexpires = \"2h\"\n",
        );
        people(&|name, text| shop.write(name, text));
        shop
    }

    fn write(&self, name: &str, text: &str) {
        use std::io::Write;
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        let mut file = options.open(self.room.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub fn serve(&self) -> Keeper {
        Keeper::start(&self.room, &["serve"])
    }

    pub fn cli(&self, words: &[&str]) -> Said {
        holdpoint(&self.room, words)
    }

    #[track_caller]
    pub fn done(&self, words: &[&str]) -> Value {
        done(&self.room, words)
    }

    /// A file beside the script.
    pub fn file(&self, name: &str) -> PathBuf {
        self.site.path().join(name)
    }

    /// The effects for which the script was called to deploy, in order.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Writes a plan to a file and says where: half, then all, short bakes.
    pub fn plan(&self, service: &str, number: u32, more: &str) -> PathBuf {
        let path = self.file(&format!("{service}-{number}.yaml"));
        fs::write(&path, plan(service, number, more)).unwrap();
        path
    }

    /// Submits a plan, as ci.
    #[track_caller]
    pub fn submit(&self, service: &str, number: u32, more: &str) -> String {
        let file = self.plan(service, number, more);
        let words = ["release", "submit", file.to_str().unwrap(), "--as", "ci"];
        self.done(&words)["release"].as_str().unwrap().to_owned()
    }

    /// Submits a plan and has it approved.
    #[track_caller]
    pub fn approved(&self, service: &str, number: u32, more: &str) -> String {
        let id = self.submit(service, number, more);
        self.done(&["vote", &id, "approve", "--as", "kim"]);
        id
    }

    /// The release as it is.
    #[track_caller]
    pub fn show(&self, id: &str) -> Value {
        self.done(&["release", "show", id])
    }

    /// Waits until a release is over, and says how it ended.
    #[track_caller]
    pub fn ending(&self, id: &str) -> String {
        let over = |seen: &Value| seen["phase"] == "closed";
        let seen = until("the end of the release", || self.show(id), over);
        seen["ending"].as_str().unwrap().to_owned()
    }
}

/// The target `SERVICE-prod` of platform `command` with four instances, for a room.toml; what it calls and what
/// that writes is in `site`.
pub fn operated(site: &Path, service: &str) -> String {
    let script = site.join("operate");
    fs::write(&script, SCRIPT).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let dir = site.join(service);
    fs::create_dir(&dir).unwrap();
    let before = digest(0);
    let mut instances = String::new();
    for n in 1..=4 {
        let on = dir.join(format!("on-{service}-{n}"));
        fs::write(on, format!("1.0.0 {before}\n")).unwrap();
        instances += &format!("{{ name = \"{service}-{n}\" }}, ");
    }
    let call = |verb: &str| format!("[{:?}, {verb:?}, {service:?}]", script.to_str().unwrap());
    format!(
        "\n[[target]]\nname = \"{service}-prod\"\nservice = {service:?}\nenvironment = \"prod\"\n\
         platform = \"command\"\ninstances = [{instances}]\ndeploy = {}\nrollback = {}\nstatus = {}\n\
         parallel = 2\nbackoff = \"300ms\"\n",
        call("deploy"),
        call("deploy"),
        call("status"),
    )
}

pub fn digest(number: u32) -> String {
    format!("sha256:{number:064x}")
}

/// A plan; `more` replaces the batches where it names some.
pub fn plan(service: &str, number: u32, more: &str) -> String {
    let batches = match more.contains("batches:") {
        true => "",
        false => "batches:\n  - { exposure: 50%, after: [{ bake: 200ms }] }\n  - exposure: full\n",
    };
    let start = if more.contains("start:") {
        ""
    } else {
        "start: auto\n"
    };
    format!(
        "name: {service}-{number}\ntitle: {service} number {number}\nenvironment: prod\nservices:\n  \
         - {{ service: {service}, version: 1.0.{number}, digest: \"{}\" }}\n\
         observe: {{ for: 200ms }}\n{start}{batches}{more}",
        digest(number)
    )
}

/// Numbers that follow from a seed: the same failure can be looked at again.
pub struct Dice(pub u64);

impl Dice {
    /// A number below a limit. SplitMix64, by Sebastiano Vigna, public domain.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// The people of a room and their tokens: ci and ada (operations), kim (security), and whoever runs
/// the test (`me`, operations). `write` writes one of the room's files.
pub fn people(write: &dyn Fn(&str, &str)) {
    let mut all = String::from(
        "[group.operations]\nmay = [\"submit\", \"control\"]\n\n[group.security]\nmay = []\n",
    );
    for (name, group) in [
        ("ci", "operations"),
        ("ada", "operations"),
        ("kim", "security"),
    ] {
        let token = format!("{name}-token");
        write(&format!("keys/{name}.token"), &token);
        let hash = TokenHash::of(&token);
        all += &format!(
            "\n[[person]]\nname = {name:?}\nfull_name = {name:?}\ngroups = [{group:?}]\ntoken = \"{hash}\"\n"
        );
    }
    let uid = rustix::process::geteuid().as_raw();
    all += &format!(
        "\n[[person]]\nname = \"me\"\nfull_name = \"Me\"\ngroups = [\"operations\"]\nuid = {uid}\n"
    );
    write("people.toml", &all);
}
