//! A real sshd on this machine, with keys of its own that nobody else knows.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use crate::machine::left_out;
use crate::until::until;

pub struct Sshd {
    dir: TempDir,
    pub port: u16,
    daemon: Child,
}

impl Sshd {
    /// `None` when it was left out by name.
    pub fn start() -> Option<Sshd> {
        if left_out("ssh") {
            return None;
        }
        let program = program().unwrap_or_else(|| {
            panic!(
                "there is no sshd (package openssh-server); HOLDPOINT_SKIP=ssh leaves this test out"
            )
        });
        let dir = tempfile::tempdir().unwrap();
        for name in ["host_key", "user_key", "stranger_key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            assert!(
                keygen
                    .arg(dir.path().join(name))
                    .status()
                    .unwrap()
                    .success()
            );
        }
        let public = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        fs::write(dir.path().join("authorized"), public("user_key.pub")).unwrap();
        // as root it wants this directory, which a package's start script would make
        let _ = fs::create_dir_all("/run/sshd");
        for _ in 0..10 {
            let port = free_port();
            fs::write(dir.path().join("config"), config(dir.path(), port)).unwrap();
            let known = format!("[127.0.0.1]:{port} {}", public("host_key.pub"));
            fs::write(dir.path().join("known"), known).unwrap();
            let mut command = Command::new(&program);
            command
                .args(["-D", "-e", "-f"])
                .arg(dir.path().join("config"));
            command.stdin(Stdio::null()).stderr(log(dir.path()));
            let mut daemon = command.spawn().unwrap();
            let up = || (log_text(dir.path()), daemon.try_wait().unwrap());
            let done = |(log, ended): &(String, Option<ExitStatus>)| {
                log.contains("listening") || ended.is_some()
            };
            if until("sshd listens", up, done).1.is_none() {
                return Some(Sshd { dir, port, daemon });
            }
        }
        panic!("sshd did not start: {}", log_text(dir.path()));
    }

    /// The words that run a command there, up to the host.
    pub fn via(&self) -> Vec<String> {
        self.via_with("known", "user_key", self.port)
    }

    /// The same with another known host, key or port.
    pub fn via_with(&self, known: &str, key: &str, port: u16) -> Vec<String> {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let words = [
            "ssh",
            "-F/dev/null",
            "-oBatchMode=yes",
            "-oIdentitiesOnly=yes",
            &format!("-oIdentityFile={}", file(key)),
            &format!("-oUserKnownHostsFile={}", file(known)),
            "-oGlobalKnownHostsFile=/dev/null",
            &format!("-p{port}"),
            "{host}",
        ];
        words.map(String::from).to_vec()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn program() -> Option<PathBuf> {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];
    places.iter().map(PathBuf::from).find(|path| path.exists())
}

/// A port on which nobody listens now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn config(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host_key\n\
         AuthorizedKeysFile {dir}/authorized\nPidFile none\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
}

fn log(dir: &Path) -> fs::File {
    fs::File::create(dir.join("log")).unwrap()
}

fn log_text(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).unwrap_or_default()
}
