//! The socket: who comes in, and what it withstands.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use holdpoint::domain::{Actor, Door, Notice};
use holdpoint::session::Identity;
use holdpoint::session::socket::{Client, Command, Frame, Frames, Limits, Listening, SocketError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::guests::{DEADLINE, Terminal, TestHost, hello};

struct Open {
    path: std::path::PathBuf,
    house: Arc<TestHost>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

async fn open(limits: Limits) -> Open {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listening = Listening::open(&path).await.unwrap();
    let house = TestHost::new();
    let (stop, mut stopped) = watch::channel(false);
    let served = tokio::spawn({
        let house = Arc::clone(&house);
        async move {
            let stop = async move {
                let _ = stopped.wait_for(|s| *s).await;
            };
            listening.serve(house, limits, stop).await;
        }
    });
    Open {
        path,
        house,
        stop,
        served,
        _dir: dir,
    }
}

async fn connected(open: &Open) -> tokio::net::UnixStream {
    tokio::net::UnixStream::connect(&open.path).await.unwrap()
}

/// What the engine says before it hangs up.
async fn refusal(mut stream: tokio::net::UnixStream, bytes: &[u8]) -> Notice {
    stream.write_all(bytes).await.unwrap();
    let mut frames = Frames::new(stream, 1 << 20);
    loop {
        match tokio::time::timeout(DEADLINE, frames.next())
            .await
            .expect("an answer")
            .unwrap()
        {
            Frame::Refused(notice) => return *notice,
            Frame::Welcome | Frame::Bytes(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn two_people_share_a_room_and_a_token_says_who() {
    let open = open(Limits::default()).await;
    let mut ada = Terminal::over(connected(&open).await, 40, 6).await;
    let mut bo = Terminal::of(connected(&open).await, 40, 6, Some("bos-token")).await;
    open.house.room.state.send_replace(5);
    ada.shows("ada sees 5").await;
    bo.shows("bo sees 5").await;
    ada.press(b"not me").await;
    ada.shows("n o t").await;
    assert!(!bo.screen.screen().contents().contains("n o t"));
    let notice = refusal(
        connected(&open).await,
        &hello(40, 6, Some("stolen")).bytes(),
    )
    .await;
    assert_eq!(notice.code, "token-unknown");
    // people who go leave their desk
    drop((ada, bo));
    wait("empty desks", || {
        open.house.room.desks.load(Ordering::SeqCst) == 0
    })
    .await;
}

async fn wait(what: &str, so: impl Fn() -> bool) {
    let until = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(DEADLINE, until).await.is_ok(),
        "no {what}"
    );
}

#[tokio::test]
async fn nonsense_gets_an_answer_and_silence_an_end() {
    let open = open(Limits {
        hello: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    for (bytes, code) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "protocol-error"),
        (Frame::Resumed.bytes(), "protocol-error"),
        (
            vec![1, 0, 0, 0, 6, 0, 0, 0, 2, b'{', b'}'],
            "protocol-error",
        ),
        (Vec::new(), "hello-late"),
        (vec![1, 0, 0], "hello-late"),
    ] {
        let notice = refusal(connected(&open).await, &bytes).await;
        assert_eq!(notice.code, code, "{notice}");
    }
    let mut old = hello(40, 6, None);
    if let Frame::Hello(hello, _) = &mut old {
        hello.version = 99;
    }
    assert_eq!(
        refusal(connected(&open).await, &old.bytes()).await.code,
        "protocol-version"
    );
    // in the middle of a session too, after the terminal was given back
    let mut bytes = hello(40, 6, None).bytes();
    bytes.extend_from_slice(&[2, 255, 255, 255, 255]);
    assert_eq!(
        refusal(connected(&open).await, &bytes).await.code,
        "protocol-error"
    );
    let mut bytes = hello(40, 6, None).bytes();
    Frame::Exit(0).write(&mut bytes);
    assert_eq!(
        refusal(connected(&open).await, &bytes).await.code,
        "protocol-error"
    );
}

#[tokio::test]
async fn connections_have_a_limit() {
    let open = open(Limits {
        all: 9,
        each: 2,
        ..Limits::default()
    })
    .await;
    let first = Terminal::over(connected(&open).await, 40, 6).await;
    let _second = Terminal::over(connected(&open).await, 40, 6).await;
    let notice = refusal(connected(&open).await, &[]).await;
    assert_eq!(notice.code, "too-many-connections");
    drop(first);
    let path = open.path.clone();
    let again = async {
        loop {
            let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
            if stream.write_all(&hello(40, 6, None).bytes()).await.is_ok()
                && matches!(
                    Frames::new(stream, 1 << 20).next().await,
                    Ok(Frame::Welcome)
                )
            {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, again)
        .await
        .expect("a place is free again");
}

#[tokio::test]
async fn a_dead_sockets_file_is_replaced_a_live_one_is_not() {
    let live = open(Limits::default()).await;
    assert!(matches!(
        Listening::open(&live.path).await,
        Err(SocketError::InUse(_))
    ));
    Terminal::over(connected(&live).await, 40, 6)
        .await
        .shows("ada sees 0")
        .await;
    live.stop.send_replace(true);
    live.served.await.unwrap();
    assert!(!live.path.exists(), "the file goes with the engine");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let again = Listening::open(&path).await.unwrap();
    assert!(tokio::net::UnixStream::connect(&path).await.is_ok());
    // a later engine's file is not ours to remove
    std::fs::remove_file(&path).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(again);
    assert!(path.exists());

    let file = dir.path().join("notes");
    std::fs::write(&file, "mine").unwrap();
    assert!(matches!(
        Listening::open(&file).await,
        Err(SocketError::NotSocket(_))
    ));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    let missing = Listening::open(&dir.path().join("no/sock")).await;
    assert!(matches!(missing, Err(SocketError::Bind { .. })));
}

#[tokio::test]
async fn a_path_may_be_longer_than_addresses_are() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir
        .path()
        .join("a-rather-long-name".repeat(6))
        .join("and-another".repeat(4));
    std::fs::create_dir_all(&deep).unwrap();
    let path = deep.join("sock");
    let listening = Listening::open(&path).await.unwrap();
    let house = TestHost::new();
    tokio::spawn(listening.serve(house, Limits::default(), std::future::pending()));
    let client = Client::connect(&path).await.unwrap();
    assert_eq!(
        run(client, &["none"], std::future::pending())
            .await
            .unwrap()
            .0,
        2
    );
}

async fn run<S: AsyncRead + AsyncWrite>(
    client: Client<S>,
    argv: &[&str],
    cancel: impl Future<Output = ()>,
) -> Result<(i32, Vec<u8>, Vec<u8>), SocketError> {
    let command = Command {
        argv: argv.iter().map(|w| (*w).to_owned()).collect(),
        files: vec![
            ("a.yaml".into(), vec![b'x'; 200_000]),
            ("b".into(), b"\x00\xff".to_vec()),
        ],
        ..Command::default()
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = client.exec(command, &mut out, &mut err, cancel).await?;
    Ok((code, out, err))
}

#[tokio::test]
async fn commands_run_with_their_files_and_say_how_they_ended() {
    let open = open(Limits::default()).await;
    let client = Client::connect(&open.path).await.unwrap();
    let (code, out, err) = run(client, &["cat"], std::future::pending()).await.unwrap();
    assert_eq!((code, out.len()), (7, 200_002));
    assert_eq!(&out[200_000..], b"\x00\xff");
    assert_eq!(err, b"a.yaml for ada\nb for ada\n");
    // near, by who runs the engine
    let who = Identity {
        who: Actor::Person("eva".into()),
        door: Door::Engine,
    };
    let client = Client::near(Arc::clone(&open.house), who);
    let (_, _, err) = run(client, &["cat"], std::future::pending()).await.unwrap();
    assert_eq!(err, b"a.yaml for eva\nb for eva\n");
    let client = Client::connect(&open.path)
        .await
        .unwrap()
        .token(Some("stolen".into()));
    let refused = run(client, &["cat"], std::future::pending())
        .await
        .unwrap_err();
    assert_eq!(
        (refused.notice().code.as_str(), refused.code()),
        ("token-unknown", 1)
    );
}

#[tokio::test]
async fn a_command_ends_when_it_is_cancelled_or_nobody_waits_for_it() {
    let open = open(Limits::default()).await;
    let client = Client::connect(&open.path).await.unwrap();
    let (code, out, _) = run(client, &["hang"], async {}).await.unwrap();
    assert_eq!(code, 130);
    assert!(out.is_empty() || out == b"hanging\n");
    wait("its end", || open.house.running.load(Ordering::SeqCst) == 0).await;
    let client = Client::connect(&open.path).await.unwrap();
    let hanging = tokio::spawn(run(client, &["hang"], std::future::pending()));
    let house = Arc::clone(&open.house);
    wait("a command that hangs", || {
        house.running.load(Ordering::SeqCst) == 1
    })
    .await;
    hanging.abort();
    wait("its end", || house.running.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = Client::connect(&dir.path().join("sock")).await.unwrap_err();
    assert_eq!(
        (error.notice().code.as_str(), error.code()),
        ("engine-unreachable", 3)
    );
    assert!(!error.notice().next_step.is_empty());
    let open = open(Limits::default()).await;
    let client = Client::connect(&open.path).await.unwrap();
    let hanging = tokio::spawn(run(client, &["hang"], std::future::pending()));
    wait("a command that hangs", || {
        open.house.running.load(Ordering::SeqCst) == 1
    })
    .await;
    open.stop.send_replace(true);
    let error = hanging.await.unwrap().unwrap_err();
    assert_eq!(
        (error.notice().code.as_str(), error.code()),
        ("engine-lost", 3)
    );
}

#[tokio::test]
async fn others_may_knock_at_the_socket_itself() {
    use std::os::unix::fs::PermissionsExt;
    let open = open(Limits::default()).await;
    let mode = std::fs::metadata(&open.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    let mut stream = connected(&open).await;
    stream.write_all(&hello(40, 6, None).bytes()).await.unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    let _: io::Result<()> = stream.shutdown().await;
}
