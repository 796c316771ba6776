//! The files of a fleet: where each instance answers, and which process it is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Ports are taken from here: below those that systems give to outgoing connections, which could
/// take an instance's port while it is being deployed.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// The process that is an instance now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Its process id.
    pub pid: i32,
    /// When the process began, as the system counts it: with the id it names the process.
    pub birth: String,
    /// Where it answers on 127.0.0.1.
    pub port: u16,
    /// What it is.
    pub version: String,
    /// The digest of that.
    pub digest: String,
    /// When it began to serve; milliseconds since 1970.
    pub started: u64,
}

/// The files of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    service: PathBuf,
    instance: String,
}

impl Place {
    /// The files of an instance, which need not be there yet.
    ///
    /// # Errors
    /// A sentence, when a name could lead elsewhere.
    pub fn new(root: &Path, service: &str, instance: &str) -> Result<Place, String> {
        for name in [service, instance] {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
                return Err(format!("`{name}` is no name of a service or instance"));
            }
        }
        Ok(Place {
            service: root.join(service),
            instance: instance.to_string(),
        })
    }

    /// All instances of a service, in order of their names; none when there is no such service.
    pub fn all(root: &Path, service: &str) -> Vec<Place> {
        let Ok(entries) = fs::read_dir(root.join(service)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".port").map(str::to_string))
            .collect();
        names.sort_unstable();
        let place = |name: String| Place::new(root, service, &name).ok();
        names.into_iter().filter_map(place).collect()
    }

    /// All services below a root, in order of their names.
    pub fn services(root: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(root) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        names
    }

    /// The name of the instance.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.service.join(format!("{}.{kind}", self.instance))
    }

    /// The port of the instance, chosen at the first call and the same for ever.
    ///
    /// # Errors
    /// When it cannot be read or written, or no port is free.
    pub fn port(&self) -> io::Result<u16> {
        let path = self.file("port");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let bad = |_| io::Error::other(format!("{} is damaged", path.display()));
                return text.trim().parse().map_err(bad);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::create_dir_all(&self.service)?;
        let taken = self.ports_of_the_fleet();
        // from anywhere on, so that two fleets on one machine seldom meet
        let from = rand::random_range(PORTS);
        let free = (from..PORTS.end)
            .chain(PORTS.start..from)
            .find(|port| !taken.contains(port) && is_free(*port))
            .ok_or_else(|| io::Error::other("no port is free"))?;
        write_whole(&path, &free)?;
        Ok(free)
    }

    fn ports_of_the_fleet(&self) -> Vec<u16> {
        let root = self.service.parent().unwrap_or(&self.service);
        let services = Place::services(root).into_iter();
        let places = services.flat_map(|service| Place::all(root, &service));
        places
            .filter_map(|place| fs::read_to_string(place.file("port")).ok())
            .filter_map(|text| text.trim().parse().ok())
            .collect()
    }

    /// The process that was the instance last; it may be gone.
    pub fn served(&self) -> Option<Served> {
        let text = fs::read(self.file("json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Says which process is the instance.
    pub(super) fn write_served(&self, served: &Served) -> io::Result<()> {
        write_whole(&self.file("json"), served)
    }

    /// Whether it gets no traffic.
    pub fn is_drained(&self) -> bool {
        self.file("drained").exists()
    }

    pub(super) fn set_drained(&self, drained: bool) -> io::Result<()> {
        let path = self.file("drained");
        if drained {
            return fs::write(path, "");
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes the lock of those who change the instance; `None` while somebody else holds it.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        fs::create_dir_all(&self.service)?;
        let file = File::create(self.file("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether a command is changing the instance now.
    pub(super) fn is_changing(&self) -> bool {
        match File::open(self.file("lock")) {
            Ok(file) => matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Writes a file so that a reader finds the old one or the new one.
pub(super) fn write_whole<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let temporary = path.with_added_extension(format!("{}.new", std::process::id()));
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    drop(file);
    fs::rename(temporary, path)
}

/// When a process began, as the system counts it; `None` when there is none, or when it ended and
/// only nobody asked how. Field 22 of `/proc/PID/stat`, proc(5).
pub(super) fn birth(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the second field is the name, in brackets, and may itself contain some
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_string)
}

impl Served {
    /// Whether this very process lives, and not another one that was given its number.
    pub fn lives(&self) -> bool {
        birth(self.pid).is_some_and(|birth| birth == self.birth)
    }
}

/// Says that somebody cares for the fleet; to be called more often than its processes linger.
///
/// # Errors
/// When it cannot be written.
pub fn touch(root: &Path) -> io::Result<()> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(root.join("alive"))?;
    file.set_modified(SystemTime::now())
}

/// How long nobody has cared for the fleet; `None` when its root is gone.
pub(super) fn left_alone(root: &Path) -> Option<Duration> {
    if !root.is_dir() {
        return None;
    }
    let touched = fs::metadata(root.join("alive")).and_then(|file| file.modified());
    Some(match touched {
        Ok(touched) => touched.elapsed().unwrap_or_default(),
        Err(_) => Duration::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_stays_and_no_two_are_the_same() {
        let root = tempfile::tempdir().unwrap();
        let places: Vec<Place> = ["a", "b"]
            .iter()
            .flat_map(|s| ["i-01", "i-02"].map(|i| Place::new(root.path(), s, i).unwrap()))
            .collect();
        let ports: Vec<u16> = places.iter().map(|p| p.port().unwrap()).collect();
        let again: Vec<u16> = places.iter().map(|p| p.port().unwrap()).collect();
        assert_eq!(ports, again);
        let different: std::collections::BTreeSet<&u16> = ports.iter().collect();
        assert_eq!(different.len(), 4, "{ports:?}");
        let names: Vec<String> = Place::all(root.path(), "a")
            .iter()
            .map(|p| p.instance().to_string())
            .collect();
        assert_eq!(names, ["i-01", "i-02"]);
    }

    #[test]
    fn names_lead_nowhere_else() {
        for (service, instance) in [
            ("..", "i"),
            ("s", "../i"),
            ("", "i"),
            ("s", ".i"),
            ("a/b", "i"),
        ] {
            assert!(Place::new(Path::new("/root"), service, instance).is_err());
        }
    }

    #[test]
    fn a_process_is_known_by_its_birth() {
        let own = std::process::id() as i32;
        let mut served = Served {
            pid: own,
            birth: birth(own).unwrap(),
            port: 1,
            version: String::new(),
            digest: String::new(),
            started: 0,
        };
        assert!(served.lives());
        served.birth = "1".to_string();
        assert!(!served.lives(), "another process with the same number");
        assert_eq!(birth(0x7fff_fff0), None);
    }
}
