//! The stage: the room's files, the people, and the fleet with everything on its first version.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::story::{SLOTS, Slot, artifact_digest, profiles};
use crate::cli::fleet::place::{self, Place};
use crate::cli::fleet::profile;
use crate::config::tokens::TokenHash;

/// A made-up colleague.
pub struct Colleague {
    /// The short name.
    pub name: &'static str,
    /// The whole name.
    pub full_name: &'static str,
    /// The groups.
    pub groups: &'static [&'static str],
}

/// The made-up colleagues.
pub const COLLEAGUES: [Colleague; 6] = [
    Colleague {
        name: "ada",
        full_name: "Ada Okafor",
        groups: &["operations"],
    },
    Colleague {
        name: "bo",
        full_name: "Bo Adeyemi",
        groups: &["operations"],
    },
    Colleague {
        name: "kim",
        full_name: "Kim Lindqvist",
        groups: &["security"],
    },
    Colleague {
        name: "lee",
        full_name: "Lee Moreau",
        groups: &["security"],
    },
    Colleague {
        name: "dana",
        full_name: "Dana Ruiz",
        groups: &["developers", "duty"],
    },
    Colleague {
        name: "ci",
        full_name: "The build pipeline",
        groups: &["developers"],
    },
];

/// Where the fleet of a demo room keeps its files.
pub fn fleet_root(room: &Path) -> PathBuf {
    room.join("fleet")
}

/// Writes the room's files, unless there is a room already.
///
/// # Errors
/// When something cannot be written.
pub fn build(room: &Path, program: &Path) -> io::Result<()> {
    let root = fleet_root(room);
    for dir in [room.to_owned(), room.join("keys"), root.clone()] {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    place::touch(&root)?;
    profile::write(&root, &profiles())?;
    if room.join("room.toml").exists() {
        return Ok(());
    }
    let (people, tokens) = people()?;
    for (name, token) in tokens {
        private(&room.join("keys").join(format!("{name}.token")), &token)?;
    }
    private(&room.join("people.toml"), &people)?;
    private(&room.join("catalog.toml"), &catalog())?;
    private(&room.join("policy.toml"), POLICY)?;
    private(&room.join("calendar.toml"), &calendar())?;
    // the last one: a room is there when it has this file
    private(&room.join("room.toml"), &targets(room, program)?)
}

fn private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()
}

const POLICY: &str = r#"# How the judge works: the demo's versions are warm in no time.
[judge]
warm_up = "4s"

# Who must approve what; the first rule that fits counts.
[[approval]]
name = "emergency"
kinds = ["emergency"]
needs = { operations = 1 }
expires = "2h"

[[approval]]
name = "production"
needs = { security = 1, operations = 1 }
distinct_people = true
expires = "2h"
"#;

/// `calendar.toml`: a freeze that lies well ahead, so that the demo plays whenever it is opened.
fn calendar() -> String {
    let ahead = chrono::Utc::now() + chrono::TimeDelta::days(20);
    format!(
        "# When releases may move.\n\
         [[freeze]]\nname = \"stocktaking\"\nowner = \"operations\"\n\
         reason = \"the warehouse counts\"\nzone = \"UTC\"\n\
         starts = \"{}\"\nlasts = \"2d\"\n",
        ahead.format("%Y-%m-%dT20:00")
    )
}

/// `people.toml`, and the tokens that go with it.
fn people() -> io::Result<(String, Vec<(String, String)>)> {
    let mut text = String::from(
        "# The people of the demo. Everyone but you is made up.\n\
         [group.operations]\nmay = [\"submit\", \"control\", \"exempt\", \"lockdown\"]\n\n\
         [group.security]\nmay = []\n\n\
         [group.developers]\nmay = [\"submit\"]\n\n\
         # may overrule an objection, and give others authority for a while\n\
         [group.duty]\nmay = [\"overrule\", \"grant\"]\n",
    );
    let mut tokens = Vec::new();
    for colleague in &COLLEAGUES {
        let token = token()?;
        let groups: Vec<String> = colleague.groups.iter().map(|g| format!("{g:?}")).collect();
        let _ = write!(
            text,
            "\n[[person]]\nname = {:?}\nfull_name = {:?}\ngroups = [{}]\ntoken = \"{}\"\nsample = true\n",
            colleague.name,
            colleague.full_name,
            groups.join(", "),
            TokenHash::of(&token),
        );
        tokens.push((colleague.name.to_owned(), token));
    }
    let uid = rustix::process::geteuid().as_raw();
    let _ = write!(
        text,
        "\n# You: whoever has this uid on this machine.\n[[person]]\nname = \"you\"\nfull_name = \"You\"\n\
         groups = [\"operations\"]\nuid = {uid}\n",
    );
    Ok((text, tokens))
}

fn token() -> io::Result<String> {
    let mut bytes = [0u8; 32];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut bytes)
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn catalog() -> String {
    let mut text = String::from("# What can be released, and where to.\n");
    for environment in ["prod-eu", "prod-us"] {
        let zone = if environment == "prod-eu" {
            "Europe/Berlin"
        } else {
            "America/New_York"
        };
        let _ = write!(
            text,
            "\n[environment.{environment}]\nproduction = true\nzone = \"{zone}\"\nconfirm = \"typed\"\n"
        );
    }
    for (n, slot) in SLOTS.iter().enumerate() {
        let service = slot.service;
        let _ = write!(
            text,
            r#"
[service.{service}]
owner = "team {service}"
tier = {}

[service.{service}.metric.errors]
ratio = {{ bad = 'http_requests_total{{code=~"5.."}}', total = "http_requests_total" }}
fail_above = "25%"
min_count = 60
margin = "2x + 8 points"

[service.{service}.metric.p99]
quantile = {{ histogram = "http_request_duration_seconds", at = "p99" }}
fail_above = "2s"
min_count = 60
margin = "30x"

[service.{service}.metric.memory]
gauge = "process_resident_memory_bytes"
tolerance = "50%"
"#,
            n % 3
        );
    }
    text
}

fn targets(room: &Path, program: &Path) -> io::Result<String> {
    let root = fleet_root(room);
    let mut text = String::from(
        "# The demo's room: real processes on this machine.\nname = \"demo shop\"\nlook = \"2s\"\n",
    );
    for slot in &SLOTS {
        let target = slot.target();
        let mut instances = String::new();
        for name in slot.names() {
            let port = Place::new(&root, &target, &name)
                .map_err(io::Error::other)?
                .port()?;
            let _ = writeln!(
                instances,
                "  {{ name = {name:?}, url = \"http://127.0.0.1:{port}\" }},"
            );
        }
        let call = |verb: &str| {
            format!(
                "[{:?}, \"__fleet\", {verb:?}, \"--root\", {:?}, \"--service\", {target:?}]",
                program.to_string_lossy(),
                root.to_string_lossy(),
            )
        };
        let _ = write!(
            text,
            "\n[[target]]\nname = {target:?}\nservice = {:?}\nenvironment = {:?}\nplatform = \"command\"\n\
             instances = [\n{instances}]\ndeploy = {}\nrollback = {}\nstatus = {}\ndrain = {}\nundrain = {}\n\
             timeouts = {{ deploy = \"60s\", rollback = \"60s\", status = \"5s\" }}\nparallel = 1\nscrape = \"/metrics\"\n",
            slot.service,
            slot.environment,
            call("deploy"),
            call("rollback"),
            call("status"),
            call("drain"),
            call("undrain"),
        );
    }
    Ok(text)
}

/// Starts every instance that does not run: on the version it had last, or on its slot's first.
///
/// # Errors
/// A sentence, when one of them does not start.
pub async fn raise(room: &Path, program: &Path) -> Result<(), String> {
    let root = fleet_root(room);
    let mut starting = tokio::task::JoinSet::new();
    for slot in &SLOTS {
        for name in slot.names() {
            let place = Place::new(&root, &slot.target(), &name)?;
            let (version, digest) = match place.served() {
                Some(served) if served.lives() => continue,
                Some(served) => (served.version, served.digest),
                None => first(slot),
            };
            let mut command = tokio::process::Command::new(program);
            command
                .args(["__fleet", "deploy", "--root"])
                .arg(&root)
                .args(["--service", &slot.target()])
                .env("HOLDPOINT_EFFECT", "demo-start")
                .env("HOLDPOINT_RELEASE", "R-0")
                .env("HOLDPOINT_INSTANCE", &name)
                .env("HOLDPOINT_VERSION", version)
                .env("HOLDPOINT_DIGEST", digest)
                .stdin(std::process::Stdio::null());
            starting.spawn(async move {
                let out = command.output().await.map_err(|e| e.to_string())?;
                if out.status.success() {
                    return Ok(());
                }
                let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
                Err(format!("{name} does not start: {said}"))
            });
        }
    }
    while let Some(one) = starting.join_next().await {
        one.map_err(|e| e.to_string())??;
    }
    Ok(())
}

fn first(slot: &Slot) -> (String, String) {
    let version = slot.version(0);
    let digest = artifact_digest(slot, &version);
    (version, digest)
}

#[cfg(test)]
mod tests {
    use crate::cli::demo::TRAFFIC;
    use crate::judge::count::Direction;
    use crate::judge::counts::{Line, Tolerance};
    use crate::judge::planning::Expected;

    /// Seconds of a look.
    const LOOK: f64 = 2.0;

    fn expected(tolerance: Tolerance, alpha: f64, phi: f64, p0: f64) -> Expected {
        Expected {
            n1: TRAFFIC * LOOK,
            n0: 3.0 * TRAFFIC * LOOK,
            p0,
            tolerance,
            alpha,
            phi,
        }
    }

    #[test]
    fn the_demos_traffic_is_enough_for_its_story() {
        let line = |rho, delta| Tolerance::Line(Line { rho, delta });
        let bad = expected(line(1.25, 0.0002), 0.01, 1.0, 0.002).looks_by_vote(0.14);
        assert!(bad < 15.0, "a bad version is found after {bad} looks");
        let errors = expected(line(2.0, 0.08), 0.05, 3.0, 0.002);
        let errors = errors.looks(0.002, Direction::Down);
        let slow = expected(Tolerance::Odds(30.0), 0.05, 3.0, 0.008);
        let slow = slow.looks(0.008, Direction::Down);
        for looks in [errors, slow] {
            assert!(
                looks < 25.0,
                "a good one is proven after {errors} and {slow} looks"
            );
        }
    }
}
