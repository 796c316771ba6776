//! The room on a real terminal: a pseudo-terminal, and this test program again as what runs in it.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdpoint::domain::{Actor, Door};
use holdpoint::session::Identity;
use holdpoint::session::local::attach;
use holdpoint::session::socket::{Client, Limits, Listening};
use rustix::process::{Pid, Signal, ioctl_tiocsctty, kill_process, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::guests::{DEADLINE, TestHost};

/// Where the engine of the program in the terminal is: a socket, or `near`.
const ENGINE: &str = "HOLDPOINT_TEST_ENGINE";

/// The program that runs in the terminal; no test by itself.
#[test]
#[ignore = "run by the other tests in a terminal of its own"]
fn program() {
    let engine = std::env::var(ENGINE).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let code = runtime.block_on(async {
        let term = Some("xterm-256color");
        let env = |name: &str| (name == "TERM").then(|| "xterm-256color".to_owned());
        let left = if engine == "near" {
            let who = Identity {
                who: Actor::Person("ada".into()),
                door: Door::Engine,
            };
            attach(Client::near(TestHost::new(), who).env(env), term, true).await
        } else {
            let client = Client::connect(engine.as_ref()).await.unwrap();
            attach(client.env(env), term, true).await
        };
        match left {
            Ok(left) => left.code(),
            Err(error) => {
                eprintln!("{}", error.notice());
                error.code()
            }
        }
    });
    runtime.shutdown_background();
    std::process::exit(code);
}

/// A terminal with a program in it.
pub struct Pty {
    master: OwnedFd,
    slave: OwnedFd,
    child: Child,
    seen: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    cooked: LocalModes,
}

fn parser(rows: u16, cols: u16) -> vt100::Parser {
    vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(cols).unwrap(), 0)
}

/// The test program itself, as the program in the terminal.
fn this() -> Vec<String> {
    let exe = std::env::current_exe().unwrap();
    let words = ["--exact", "terminals::program", "--ignored", "--nocapture"];
    std::iter::once(exe.to_str().unwrap().to_owned())
        .chain(words.map(str::to_owned))
        .collect()
}

impl Pty {
    fn run(argv: &[String], engine: &str) -> Pty {
        Pty::sized(argv, engine, 10, 60)
    }

    /// Runs a program in a terminal of a size.
    pub fn sized(argv: &[String], engine: &str, rows: u16, cols: u16) -> Pty {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave: OwnedFd = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap()
            .into();
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).unwrap();
        let cooked = tcgetattr(&slave).unwrap().local_modes;
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let mut command = Command::new(&argv[0]);
        command
            .args(&argv[1..])
            .env(ENGINE, engine)
            .env("TERM", "xterm-256color")
            .env("RUST_BACKTRACE", "0");
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        // SAFETY: between fork and exec only two system calls are made, nothing is allocated
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        Pty {
            master,
            slave,
            child,
            seen: Arc::new(Mutex::new(parser(rows, cols))),
            raw: Arc::default(),
            cooked,
        }
    }

    /// Begins to read what the program prints.
    pub fn watch(self) -> Pty {
        let mut master = File::from(self.master.try_clone().unwrap());
        let (seen, raw) = (Arc::clone(&self.seen), Arc::clone(&self.raw));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                seen.lock().unwrap().process(&bytes[..count]);
                raw.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        self
    }

    pub fn press(&self, bytes: &[u8]) {
        File::from(self.master.try_clone().unwrap())
            .write_all(bytes)
            .unwrap();
    }

    pub fn until(&self, what: &str, so: impl Fn(&vt100::Screen) -> bool) {
        let start = Instant::now();
        while !so(self.seen.lock().unwrap().screen()) {
            if start.elapsed() > DEADLINE {
                let screen = self.seen.lock().unwrap().screen().contents();
                panic!(
                    "no {what}:\n{screen}\n{}",
                    self.raw.lock().unwrap().escape_ascii()
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    fn is_cooked(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_modes == self.cooked
    }

    /// Waits for the program to end.
    pub fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if start.elapsed() > DEADLINE {
                let _ = self.child.kill();
                panic!(
                    "it does not end:\n{}",
                    self.raw.lock().unwrap().escape_ascii()
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The terminal is as it was found.
    pub fn is_restored(&self) {
        self.until("the first screen", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
        assert!(self.is_cooked(), "the terminal's modes are not put back");
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_and_sizes_reach_the_room_and_leaving_restores_the_terminal() {
    let mut pty = Pty::run(&this(), "near").watch();
    pty.shows("ada sees 0");
    assert!(!pty.is_cooked());
    pty.press(b"jk\x1b[A");
    pty.shows("j k up");
    let size = Winsize {
        ws_row: 8,
        ws_col: 50,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&pty.slave, size).unwrap();
    pty.shows("50x8");
    pty.press(b"\x03");
    assert_eq!(pty.ended().code(), Some(0));
    pty.is_restored();
}

#[test]
fn signals_end_it_and_restore_the_terminal() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut pty = Pty::run(&this(), "near").watch();
        pty.shows("ada sees 0");
        pty.signal(signal);
        assert_eq!(pty.ended().code(), Some(128 + signal.as_raw()));
        pty.is_restored();
    }
}

#[test]
fn a_panic_is_read_on_a_terminal_that_is_restored() {
    let mut pty = Pty::run(&this(), "near").watch();
    pty.shows("ada sees 0");
    pty.press(b"!");
    assert_eq!(pty.ended().code(), Some(101));
    pty.is_restored();
    pty.shows("a desk that breaks");
}

#[test]
fn a_panic_elsewhere_in_the_process_is_not_printed_over_the_room() {
    let mut pty = Pty::run(&this(), "near").watch();
    pty.shows("ada sees 0");
    pty.press(b"~");
    pty.shows("~");
    pty.press(b"\x0c");
    pty.press(b"\x03");
    assert_eq!(pty.ended().code(), Some(0));
    pty.is_restored();
    let raw = String::from_utf8_lossy(&pty.raw.lock().unwrap()).into_owned();
    assert!(!raw.contains("a task that breaks"), "{raw}");
}

#[test]
fn ctrl_z_goes_to_the_shell_and_fg_comes_back() {
    let program = this()
        .iter()
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ");
    let script = format!("set -m; {program}; echo in the shell; read line; fg; echo the end");
    let mut pty = Pty::run(&["sh".into(), "-c".into(), script], "near").watch();
    pty.shows("ada sees 0");
    pty.press(b"j\x1a");
    pty.shows("in the shell");
    pty.is_restored();
    pty.press(b"\n");
    pty.until("the room again", |screen| {
        screen.alternate_screen() && screen.contents().contains("ada sees 0")
    });
    assert!(!pty.is_cooked());
    pty.press(b"k");
    pty.until("what was typed before and after", |screen| {
        screen.contents().contains("j ") && screen.contents().contains(" k")
    });
    pty.press(b"\x03");
    pty.shows("the end");
    pty.is_restored();
    assert!(pty.ended().success());
}

#[test]
fn without_a_shell_ctrl_z_comes_back_at_once() {
    let mut pty = Pty::run(&this(), "near").watch();
    pty.shows("ada sees 0");
    pty.press(b"\x1a");
    pty.until("the room again", |_| {
        let raw = pty.raw.lock().unwrap();
        raw.windows(8).filter(|w| w == b"\x1b[?1049h").count() == 2
    });
    pty.press(b"\x03");
    assert_eq!(pty.ended().code(), Some(0));
    pty.is_restored();
}

#[test]
fn a_terminal_that_takes_nothing_does_not_hold_up_the_end() {
    // nobody reads what is printed: the terminal is full soon
    let mut pty = Pty::run(&this(), "near");
    let start = Instant::now();
    while pty.is_cooked() {
        assert!(start.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(2));
    }
    for _ in 0..200 {
        pty.press(b"\x0c");
        std::thread::sleep(Duration::from_millis(1));
    }
    pty.signal(Signal::TERM);
    assert_eq!(pty.ended().code(), Some(143));
    assert!(pty.is_cooked());
}

#[test]
fn an_engine_that_dies_leaves_a_sentence_and_a_restored_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listening = runtime.block_on(Listening::open(&path)).unwrap();
    runtime.spawn(listening.serve(TestHost::new(), Limits::default(), std::future::pending()));
    let mut pty = Pty::run(&this(), path.to_str().unwrap()).watch();
    pty.shows("ada sees 0");
    runtime.shutdown_background();
    let status = pty.ended();
    assert_eq!((status.code(), status.signal()), (Some(3), None));
    pty.is_restored();
    pty.shows("the engine went away");
    pty.shows("next: ");
}

#[test]
fn without_a_terminal_it_says_so() {
    let argv = this();
    let out = Command::new(&argv[0])
        .args(&argv[1..])
        .env(ENGINE, "near")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("the input is no terminal") && said.contains("next: "),
        "{said}"
    );
    assert!(!String::from_utf8_lossy(&out.stdout).contains('\x1b'));
}
