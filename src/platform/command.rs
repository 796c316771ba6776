//! The command platform: a target whose instances are operated by programs, here or over ssh.
//!
//! This is how holdpoint rolls systemd units, legacy hosts and scripts. Effects run under the
//! [`runner`](super::runner); `status` is only asked.

mod config;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(super) use config::span;
pub use config::{CommandConfig, InstanceConfig, Problem, Timeouts};

use super::process::{self, Answer, NoAnswer};
use super::runner::{Carried, End, Exit, Found, Job, Runner};
use super::words::{self, Values};
use super::{Checked, ObserveError};
use crate::domain::{Effect, Failure, InstanceName, Outcome, Sight, TargetName};

/// The most that one `status` may print, in bytes.
const STATUS_BYTES: usize = 1024 * 1024;

/// One target that is operated by programs.
#[derive(Clone, Debug)]
pub struct CommandTarget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: TargetName,
    config: CommandConfig,
    instances: Vec<InstanceName>,
    runner: Runner,
    asking: Arc<Semaphore>,
}

impl CommandTarget {
    /// A target with its effects carried out by `runner`.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(
        name: TargetName,
        config: CommandConfig,
        runner: Runner,
    ) -> Result<CommandTarget, Vec<Problem>> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let named = |instance: &InstanceConfig| InstanceName::from(instance.name.as_str());
        let inner = Inner {
            name,
            instances: config.instances.iter().map(named).collect(),
            asking: Arc::new(Semaphore::new(config.parallel)),
            config,
            runner,
        };
        Ok(CommandTarget {
            inner: Arc::new(inner),
        })
    }

    /// The target's name.
    pub fn name(&self) -> &TargetName {
        &self.inner.name
    }

    /// Its instances, in the configured order.
    pub fn instances(&self) -> &[InstanceName] {
        &self.inner.instances
    }

    /// How it is configured.
    pub fn config(&self) -> &CommandConfig {
        &self.inner.config
    }

    /// Carries the effect out to its end, once however often this is called. Dropping the future
    /// leaves the command running.
    pub async fn perform(&self, effect: &Effect) -> Outcome {
        match self.job(effect) {
            Ok(job) => self.outcome(self.inner.runner.carry(&effect.id, &job).await),
            Err(why) => not_started(&why, ""),
        }
    }

    /// What became of an effect that was begun before the engine went down. Starts nothing.
    pub async fn check(&self, effect: &Effect) -> Checked {
        match self.inner.runner.check(&effect.id).await {
            Found::Ended(exit) => Checked::Ended(self.outcome(Carried::Ended(exit))),
            Found::Running => Checked::Running,
            Found::Nothing => Checked::NeverStarted,
            Found::Torn(why) => Checked::Unknown { why },
        }
    }

    /// Waits for the end of an effect that [`CommandTarget::check`] found running.
    pub async fn wait(&self, effect: &Effect) -> Outcome {
        match self.inner.runner.wait(&effect.id).await {
            Some(carried) => self.outcome(carried),
            None => not_started("its runner ended before it began", ""),
        }
    }

    /// The end of what the effect's command printed so far, in printable lines.
    pub async fn output(&self, effect: &Effect) -> Vec<String> {
        self.inner.runner.output(&effect.id).await
    }

    /// Asks how the instances are: one `status` for all of them, or one for each where the command
    /// names an instance or goes over a connection, so that one dead host does not hide the others.
    ///
    /// # Errors
    /// When the one command for all gave no answer that can be believed.
    pub async fn observe(&self) -> Result<Vec<Sight>, ObserveError> {
        let config = &self.inner.config;
        let each = config.via.is_some() || config.status.iter().any(|w| words::has_placeholder(w));
        if each {
            return Ok(self.observe_each().await);
        }
        let sights = self.ask(None).await?;
        Ok(status::sort(sights, &self.inner.instances))
    }

    async fn observe_each(&self) -> Vec<Sight> {
        let mut asked = JoinSet::new();
        for at in 0..self.inner.instances.len() {
            let target = self.clone();
            asked.spawn(async move { (at, target.observe_one(at).await) });
        }
        let ended = "status ended without an answer";
        let unknown = |name| status::unknown(name, ended);
        let mut sights: Vec<Sight> = self.inner.instances.iter().map(unknown).collect();
        while let Some(one) = asked.join_next().await {
            if let Ok((at, sight)) = one {
                sights[at] = sight;
            }
        }
        sights
    }

    async fn observe_one(&self, at: usize) -> Sight {
        let name = &self.inner.instances[at];
        match self.ask(Some(&self.inner.config.instances[at])).await {
            Ok(sights) => status::sort(sights, std::slice::from_ref(name)).swap_remove(0),
            Err(error) => status::unknown(name, error.to_string()),
        }
    }

    /// Every instance as unknown, for the reason why nothing was seen.
    pub fn unseen(&self, why: &ObserveError) -> Vec<Sight> {
        let why: Arc<str> = why.to_string().into();
        let unknown = |name| status::unknown(name, why.clone());
        self.inner.instances.iter().map(unknown).collect()
    }

    async fn ask(&self, instance: Option<&InstanceConfig>) -> Result<Vec<Sight>, ObserveError> {
        let config = &self.inner.config;
        let mut env = config.env.clone();
        let mut values = Values::default();
        if let Some(instance) = instance {
            env.extend(instance.env.clone());
            env.insert("HOLDPOINT_INSTANCE".to_string(), instance.name.clone());
            values = values_of(instance);
        }
        let argv = words::fill(&config.status, &values);
        let argv = self
            .reach(argv, &env, &values, None)
            .map_err(|why| ObserveError::NotStarted(why.into()))?;
        let permit = self.inner.asking.acquire().await;
        let limit = config.timeouts.status;
        let dir = self.here();
        let starts = self.inner.runner.starts();
        let answer = process::ask(starts, &argv, &env, dir, limit.std(), STATUS_BYTES).await;
        drop(permit);
        let answer = answer.map_err(|why| match why {
            NoAnswer::NotStarted(why) => ObserveError::NotStarted(why.into()),
            NoAnswer::TimedOut => ObserveError::TimedOut(limit),
            NoAnswer::TooLong => ObserveError::TooLong,
        })?;
        if !answer.status.success() {
            return Err(failed(&answer));
        }
        status::read(&answer.stdout).map_err(|why| ObserveError::Garbage(why.into()))
    }

    /// The working directory on this machine.
    fn here(&self) -> Option<&std::path::Path> {
        match self.inner.config.via {
            Some(_) => None,
            None => self.inner.config.dir.as_deref(),
        }
    }

    fn job(&self, effect: &Effect) -> Result<Job, String> {
        let config = &self.inner.config;
        let named = |i: &&InstanceConfig| i.name == effect.instance.as_str();
        let Some(instance) = config.instances.iter().find(named) else {
            let (target, name) = (&self.inner.name, &effect.instance);
            return Err(format!("target {target} has no instance {name}"));
        };
        let Some(words) = config.argv(effect.verb) else {
            let (target, verb) = (&self.inner.name, effect.verb.word());
            return Err(format!("target {target} has no `{verb}` command"));
        };
        let values = Values {
            version: &effect.artifact.version,
            digest: &effect.artifact.digest,
            ..values_of(instance)
        };
        let mut env = config.env.clone();
        env.extend(instance.env.clone());
        env.extend(
            [
                ("HOLDPOINT_EFFECT", effect.id.to_string()),
                ("HOLDPOINT_RELEASE", effect.release.to_string()),
                ("HOLDPOINT_INSTANCE", instance.name.clone()),
                ("HOLDPOINT_VERSION", effect.artifact.version.to_string()),
                ("HOLDPOINT_DIGEST", effect.artifact.digest.to_string()),
            ]
            .map(|(name, value)| (name.to_string(), value)),
        );
        let marker = config
            .via
            .is_some()
            .then(|| format!("holdpoint-began:{}", effect.id));
        let argv = words::fill(words, &values);
        let argv = self.reach(argv, &env, &values, marker.as_deref())?;
        Ok(Job {
            argv,
            env,
            dir: self.here().map(Into::into),
            limit: config.timeouts.of(effect.verb),
            grace: config.timeouts.grace,
            marker,
        })
    }

    /// The command as this machine runs it: as it is, or behind `via` as one word for the shell on
    /// the other side, which knows neither this environment nor this directory.
    fn reach(
        &self,
        argv: Vec<String>,
        env: &BTreeMap<String, String>,
        values: &Values<'_>,
        marker: Option<&str>,
    ) -> Result<Vec<String>, String> {
        let Some(via) = &self.inner.config.via else {
            return Ok(argv);
        };
        let pairs = env.iter().map(|(name, value)| format!("{name}={value}"));
        let words: Vec<String> = std::iter::once("env".to_string())
            .chain(pairs)
            .chain(argv)
            .collect();
        let mut remote = join(words.iter().map(String::as_str))?;
        if let Some(dir) = &self.inner.config.dir {
            let dir = dir.to_string_lossy();
            remote = format!("{} && {remote}", join(["cd", &dir])?);
        }
        if let Some(marker) = marker {
            remote = format!("{} && {remote}", join(["echo", marker])?);
        }
        let mut argv = words::fill(via, values);
        argv.push(remote);
        Ok(argv)
    }

    fn outcome(&self, carried: Carried) -> Outcome {
        match carried {
            Carried::Unknown(why) => Outcome::Unknown { why },
            Carried::Ended(exit) if self.inner.config.via.is_some() => far_outcome(&exit),
            Carried::Ended(exit) => exit.outcome(),
        }
    }
}

fn values_of(instance: &InstanceConfig) -> Values<'_> {
    Values {
        host: instance.host.as_deref().unwrap_or(&instance.name),
        instance: &instance.name,
        ..Values::default()
    }
}

fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
    shlex::try_join(words).map_err(|_| "a word of the command contains a NUL".to_string())
}

fn not_started(why: &str, output: &str) -> Outcome {
    Outcome::Failed {
        why: Failure::NotStarted(why.into()),
        output: output.into(),
    }
}

fn failed(answer: &Answer) -> ObserveError {
    use std::os::unix::process::ExitStatusExt;
    let output: Arc<str> = answer.stderr.as_str().into();
    match (answer.status.code(), answer.status.signal()) {
        (None, Some(number)) => ObserveError::Failed(Failure::Signal(number), output),
        (code, _) => ObserveError::Failed(Failure::Exit(code.unwrap_or(-1)), output),
    }
}

/// The code with which ssh itself fails: the connection, never or not any more. ssh(1), EXIT STATUS.
const SSH_FAILED: i32 = 255;

/// The outcome of a command at the other end of a connection, whose end here need not be its end
/// there: the connection may have broken in the middle, and ending it does not end the command.
fn far_outcome(exit: &Exit) -> Outcome {
    let unknown = |why: &str| Outcome::Unknown {
        why: match exit.tail.as_str() {
            "" => why.into(),
            tail => format!("{why}; it said: {tail}").into(),
        },
    };
    match &exit.end {
        End::TimedOut(limit) => unknown(&format!(
            "no end after {limit}; the connection was closed, and the command may still run there"
        )),
        End::Signal(number) => unknown(&format!(
            "the connection was ended by signal {number}; the command may still run there"
        )),
        End::Exit(SSH_FAILED) if !exit.marked && never_connected(&exit.tail) => {
            not_started("no connection", &exit.tail)
        }
        End::Exit(SSH_FAILED) => unknown(
            "exit 255: the connection broke, or the command itself ended so; it may still run there",
        ),
        _ => exit.outcome(),
    }
}

/// Whether ssh says that it gave up before there was a session. OpenSSH: sshconnect.c, sshconnect2.c.
fn never_connected(tail: &str) -> bool {
    tail.split(" | ").any(|line| {
        line.starts_with("ssh: connect to host ")
            || line.starts_with("ssh: Could not resolve hostname ")
            || line.starts_with("Host key verification failed.")
            || line.starts_with("kex_exchange_identification: ")
            || line.starts_with("Unable to negotiate with ")
            || line.contains(": Permission denied (")
    })
}
