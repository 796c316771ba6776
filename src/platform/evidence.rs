//! Evidence from outside: how a check's command ends, and what stands at an address.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::health::Probe;
use super::http::{Http, NoAnswer, Redirects};
use super::process::{self, Starts};
use super::words::problem;
use super::words::{self, FOR_READINESS, Values};
use crate::domain::{Artifact, EnvName, ReleaseId, ServiceName, Span};

/// The most that is read at an address, in bytes.
const MOST_PAGE: usize = 64 * 1024 * 1024;

/// How long an address may take to answer.
const PAGE_LIMIT: Duration = Duration::from_secs(60);

/// The most that a command may print, in bytes.
const MOST_PRINTED: usize = 1024 * 1024;

/// For which release, and which service of it, a check's command is run.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The release.
    pub release: ReleaseId,
    /// Where it goes.
    pub environment: EnvName,
    /// The service.
    pub service: ServiceName,
    /// What shall run.
    pub artifact: Artifact,
}

/// What is wrong with the placeholders of a check's command, by the place of the word.
pub fn problems(argv: &[String]) -> Vec<(usize, String)> {
    let words = argv.iter().enumerate();
    words
        .filter_map(|(n, word)| Some((n, problem(word, FOR_READINESS)?)))
        .collect()
}

/// Runs a check's command once: argv, no shell, nothing on its input.
pub async fn run(argv: &[String], limit: Span, subject: &Subject) -> Probe {
    let release = subject.release.to_string();
    let values = Values {
        version: &subject.artifact.version,
        digest: &subject.artifact.digest,
        release: &release,
        service: subject.service.as_str(),
        environment: subject.environment.as_str(),
        ..Values::default()
    };
    let env: BTreeMap<String, String> = [
        ("HOLDPOINT_RELEASE", release.as_str()),
        ("HOLDPOINT_ENVIRONMENT", values.environment),
        ("HOLDPOINT_SERVICE", values.service),
        ("HOLDPOINT_VERSION", values.version),
        ("HOLDPOINT_DIGEST", values.digest),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let argv = words::fill(argv, &values);
    let starts = Starts::new();
    let asked = process::ask(&starts, &argv, &env, None, limit.std(), MOST_PRINTED);
    Probe::of(asked.await, limit)
}

/// The SHA-256 of what stands at an address: `sha256:` and 64 hexadecimal digits.
///
/// # Errors
/// A sentence, when there is no whole answer of 200 to 299.
pub async fn page(http: &Http, url: &str) -> Result<String, String> {
    let got = http.get(url, PAGE_LIMIT, MOST_PAGE, Redirects::SameHost);
    let got = got.await.map_err(|why: NoAnswer| why.to_string())?;
    if !(200..300).contains(&got.status) {
        return Err(format!("answered {}", got.status));
    }
    if got.cut {
        return Err("it is larger than 64 MiB".to_owned());
    }
    Ok(sha256(&Sha256::digest(&got.body)))
}

/// A SHA-256 as it is written.
pub fn sha256(digest: &[u8]) -> String {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            release: ReleaseId(7),
            environment: "prod-eu".into(),
            service: "payments".into(),
            artifact: Artifact {
                version: "4.12.0".into(),
                digest: "sha256:ab".into(),
            },
        }
    }

    async fn ran(script: &str) -> Probe {
        let argv = ["sh", "-c", script, "x", "{service}-{version}"].map(String::from);
        run(&argv, Span::secs(60), &subject()).await
    }

    #[tokio::test]
    async fn a_command_knows_what_it_is_run_for() {
        let same = "test $1 = payments-4.12.0 -a $HOLDPOINT_RELEASE = R-7 -a $HOLDPOINT_DIGEST = sha256:ab";
        assert_eq!(ran(same).await, Probe::Pass);
        let why = ran("echo 2 findings >&2; exit 3").await;
        assert_eq!(
            why,
            Probe::Fail {
                why: "exit 3: 2 findings".into()
            }
        );
        let missing = run(&["/nowhere/scan".to_owned()], Span::secs(60), &subject()).await;
        assert!(matches!(missing, Probe::Unknown { .. }), "{missing:?}");
        let bad = problems(&["scan".to_owned(), "{verson}".to_owned()]);
        assert!(bad[0].1.contains("{version}"), "{bad:?}");
    }
}
