//! The door at which Flagger asks: `POST /gates/TARGET/HOOK`, answered with 200 (yes) or 403 (no).
//!
//! Flagger reads any answer up to 202 as yes and everything else, errors too, as no; the documented
//! 204 would be a no. So there is one yes here, and every doubt is a no. Flagger signs nothing: what
//! it was given as `metadata.token` of the webhook has to be the secret that room.toml refers to.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::domain::Notice;
use crate::domain::text::printable;
use crate::platform::kube::gates::{Answer, Gates, Hook, Question};
use crate::platform::secret::SecretRef;

/// The most that a question may hold, in bytes. Flagger's have a few hundred.
const LARGEST: usize = 16 * 1024;

/// How the gates are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where they are asked: an address of this machine alone.
    pub listen: SocketAddr,
    /// What who asks has to know.
    pub token: SecretRef,
}

/// A question as Flagger sends it. flagger, `CanaryWebhookPayload`.
#[derive(Debug, Deserialize)]
struct Payload {
    name: String,
    namespace: String,
    #[serde(default)]
    checksum: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    token: String,
}

#[derive(Clone)]
struct Door {
    gates: Gates,
    token: Arc<SecretRef>,
}

/// The open door; it closes when this is dropped.
#[derive(Debug)]
pub struct Listening {
    /// Where it is, with the port that was found where none was asked for.
    pub address: SocketAddr,
    _close: oneshot::Sender<()>,
}

impl Listening {
    /// Opens the door.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn open(config: &Config, gates: &Gates) -> Result<Listening, Notice> {
        let failed = |error: std::io::Error| {
            let address = config.listen;
            Notice::error(
                "gates-closed",
                format!("nobody can listen on {address}: {error}"),
            )
            .next("end what holds it, or write another address under [gates] in room.toml")
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (close, closed) = oneshot::channel::<()>();
        let served = axum::serve(listener, router(gates, &config.token));
        let served = served.with_graceful_shutdown(async {
            // the sender is dropped with the room
            let _ = closed.await;
        });
        tokio::spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the gates are not answered any more");
            }
        });
        Ok(Listening {
            address,
            _close: close,
        })
    }
}

fn router(gates: &Gates, token: &SecretRef) -> Router {
    let door = Door {
        gates: gates.clone(),
        token: Arc::new(token.clone()),
    };
    Router::new()
        .route("/gates/{target}/{hook}", post(ask))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(door)
}

async fn ask(
    State(door): State<Door>,
    Path((target, hook)): Path<(String, String)>,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let answer = door.answer(&target, &hook, &body);
    let (asked, hook) = (printable(&target, 60), printable(&hook, 40));
    match answer {
        Answer::Yes => {
            tracing::info!(target = asked, hook, "the gate is open");
            (StatusCode::OK, "yes\n")
        }
        Answer::No(why) => {
            tracing::debug!(target = asked, hook, why, "the gate stays closed");
            (StatusCode::FORBIDDEN, why)
        }
    }
}

impl Door {
    fn answer(&self, target: &str, hook: &str, body: &[u8]) -> Answer {
        let Some(hook) = Hook::from_word(hook) else {
            return Answer::No("there is no such gate");
        };
        let Ok(payload) = serde_json::from_slice::<Payload>(body) else {
            return Answer::No("this is no question of Flagger");
        };
        // read at every question: a new secret is taken up without a restart
        let Ok(token) = self.token.fetch() else {
            return Answer::No("the room's own token cannot be read");
        };
        // digests take the same time to compare whatever is different in them
        if Sha256::digest(&token) != Sha256::digest(&payload.metadata.token) {
            return Answer::No("metadata.token is not the room's");
        }
        let question = Question {
            name: &payload.name,
            namespace: &payload.namespace,
            checksum: &payload.checksum,
        };
        self.gates.answer(target, hook, question, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Artifact, Effect, ReleaseId, Verb};

    fn payload() -> Value {
        json!({"name": "web", "namespace": "shop", "phase": "Succeeded", "checksum": "85d557f47b",
            "metadata": {"token": "open sesame"}})
    }

    fn deploy() -> Effect {
        Effect {
            id: "R-1.b1.web.web.deploy.1".into(),
            release: ReleaseId(1),
            target: "web".into(),
            instance: "web".into(),
            verb: Verb::Deploy,
            artifact: Artifact {
                version: "2".into(),
                digest: "".into(),
            },
            exposure: None,
        }
    }

    struct Kept {
        gates: Gates,
        door: Door,
        dir: tempfile::TempDir,
    }

    fn kept() -> Kept {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "open sesame\n").unwrap();
        let gates = Gates::at(Some("127.0.0.1:1"));
        gates.know(&"web".into(), "shop", "web");
        let door = Door {
            gates: gates.clone(),
            token: Arc::new(SecretRef::File(dir.path().join("token"))),
        };
        Kept { gates, door, dir }
    }

    impl Kept {
        fn ask(&self, hook: &str, payload: &Value) -> Answer {
            self.door
                .answer("web", hook, payload.to_string().as_bytes())
        }
    }

    #[tokio::test]
    async fn yes_is_said_to_who_knows_the_token_at_an_open_gate() {
        let kept = kept();
        assert_eq!(
            kept.ask("confirm-rollout", &payload()),
            Answer::No("closed")
        );
        kept.gates.set(&deploy(), &[Hook::ConfirmRollout]);
        assert_eq!(kept.ask("confirm-rollout", &payload()), Answer::Yes);
        let mut stranger = payload();
        stranger["metadata"]["token"] = "guess".into();
        let no = Answer::No("metadata.token is not the room's");
        assert_eq!(kept.ask("confirm-rollout", &stranger), no);
        stranger.as_object_mut().unwrap().remove("metadata");
        assert_eq!(kept.ask("confirm-rollout", &stranger), no);
    }

    #[tokio::test]
    async fn going_back_is_never_said_by_chance() {
        let kept = kept();
        kept.gates.set(&deploy(), &Hook::ALL);
        assert_eq!(kept.ask("rollback", &payload()), Answer::No("closed"));
        std::fs::remove_file(kept.dir.path().join("token")).unwrap();
        let no = Answer::No("the room's own token cannot be read");
        assert_eq!(kept.ask("rollback", &payload()), no);
    }

    #[tokio::test]
    async fn whatever_is_no_question_is_no() {
        let kept = kept();
        kept.gates.set(&deploy(), &Hook::ALL);
        let no = Answer::No("there is no such gate");
        assert_eq!(kept.ask("event", &payload()), no);
        let no = Answer::No("this is no question of Flagger");
        assert_eq!(kept.ask("confirm-rollout", &json!({"name": "web"})), no);
        assert_eq!(kept.door.answer("web", "confirm-rollout", b"\xff"), no);
    }

    #[tokio::test]
    async fn answers_are_200_or_403() {
        let kept = kept();
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            token: SecretRef::File(kept.dir.path().join("token")),
        };
        let open = Listening::open(&config, &kept.gates).await.unwrap();
        let open = &open;
        let send = |body: String| async move {
            post_to(open.address, "/gates/web/confirm-rollout", &body).await
        };
        assert_eq!(send(payload().to_string()).await, 403);
        kept.gates.set(&deploy(), &[Hook::ConfirmRollout]);
        assert_eq!(send(payload().to_string()).await, 200);
        let mut long = payload();
        long["metadata"]["long"] = "x".repeat(LARGEST).into();
        assert_eq!(send(long.to_string()).await, 413);
        let same = Config {
            listen: open.address,
            ..config
        };
        let held = Listening::open(&same, &kept.gates).await;
        assert_eq!(held.unwrap_err().code, "gates-closed");
    }

    /// The status that a POST is answered with.
    async fn post_to(address: SocketAddr, path: &str, body: &str) -> u16 {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // who has read enough may hang up
        let _ = stream.write_all(body.as_bytes()).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap()
    }
}
