//! The Prometheus source: metrics from a server that scrapes the instances.
//!
//! Counters are read as they were scraped: range vectors of raw samples, never `rate()` or
//! `increase()`, which extrapolate to numbers that nobody counted. From the samples each scrape of
//! each instance is put together again, and differenced as the scrape source does it, so both
//! sources count alike. Gauges are read at equal steps, each with the age of what it shows.
//!
//! Both sides are read as of one moment, two scrapes before now, so that what is still on its way
//! into the store is missing on neither. As long as there is no newer such moment, nothing is asked.

pub mod answer;
mod assemble;
pub mod client;
mod ends;
mod native;
mod span;
pub mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::answer::{Answer, Line};
use self::assemble::{Attribution, Found, Memory, Task};
use self::client::{Client, Config, Query, Told, now};
use self::span::Reach;
use self::template::{Side, Template};
use super::http::Http;
use super::scrape::{BORN, LookRequest, QueryKind};
use super::selector::{Matcher, Op, Selector};
use super::source::{Looked, Sides};
use crate::domain::SourceName;
use crate::domain::text::printable;

/// How many queries run at the same time.
const AT_ONCE: usize = 4;

/// A difference of clocks that is taken for one, in seconds. Below it lies what a header without
/// fractions and a slow answer make of none.
const SKEW: f64 = 1.5;

/// Of how many instances the beginnings of their processes are asked for.
const MOST_BEGINNINGS: usize = 500;

/// A server, and what is remembered of it from look to look. One for each service of a release.
#[derive(Debug)]
pub struct Prometheus {
    config: Arc<Config>,
    /// `None` as long as its authorities could not be read.
    http: Option<Http>,
    /// How far the server's clock is ahead of this machine's, in seconds.
    ahead: f64,
    /// The moment of the last look, in milliseconds of the server's clock.
    last: Option<i64>,
    memory: Memory,
}

/// What the queries of one look brought, by query.
type Answers = BTreeMap<Query, Result<Answer, String>>;

/// The conditions of each side, canary first, or why there are none.
type Conditions = [Result<Vec<Matcher>, String>; 2];

impl Prometheus {
    /// Nothing is asked yet.
    pub fn new(config: Arc<Config>, http: &Http) -> Prometheus {
        Prometheus {
            http: config.authorities.is_none().then(|| http.clone()),
            config,
            ahead: 0.0,
            last: None,
            memory: Memory::default(),
        }
    }

    /// What it remembers, to be written down.
    pub fn memory(&self) -> impl Serialize + '_ {
        (self.ahead.to_bits(), self.last, &self.memory)
    }

    /// Goes on from what one before this remembered; whether that could be read.
    pub fn remember(&mut self, memory: &str) -> bool {
        match serde_json::from_str::<(u64, Option<i64>, Memory)>(memory) {
            Ok((ahead, last, memory)) => {
                let ahead = f64::from_bits(ahead);
                self.ahead = if ahead.is_finite() { ahead } else { 0.0 };
                (self.last, self.memory) = (last, memory);
                true
            }
            Err(_) => false,
        }
    }

    /// What it is called in room.toml.
    pub fn name(&self) -> SourceName {
        SourceName(self.config.name.clone())
    }

    /// The client; one that trusts authorities of its own is made as soon as they can be read.
    fn client(&mut self) -> Result<Client, String> {
        if self.http.is_none()
            && let Some(path) = &self.config.authorities
        {
            let read = std::fs::read(path).map_err(|error| error.to_string());
            let trusting = read.and_then(|pem| Http::trusting(&pem));
            let trusting = trusting.map_err(|why| format!("ca {}: {why}", path.display()));
            self.http = Some(trusting?);
        }
        let http = self.http.as_ref().ok_or("it cannot be asked")?;
        Client::new(http, &self.config)
    }

    /// Looks once. What is dropped in the middle changes nothing.
    pub async fn look(&mut self, request: LookRequest<'_>, sides: &Sides) -> Looked {
        let Some(mut at) = self.due() else {
            let names = request.metrics.iter().map(|metric| metric.name.clone());
            return Looked {
                unchanged: names.collect(),
                ..Looked::default()
            };
        };
        let conditions = self.conditions(sides);
        let limit = self.config.limit.std();
        let whole = async {
            let client = self.client()?;
            let mut answers = self.ask(&client, &request, &conditions, at).await;
            // at the first look nobody knows yet how far the clocks are apart
            let again = self.due().filter(|again| (again - at).abs() > self.step());
            if let Some(again) = again {
                at = again;
                answers = self.ask(&client, &request, &conditions, at).await;
            }
            let born = self.beginnings(&client, &request, &answers, at).await;
            Ok((answers, born))
        };
        let brought = match tokio::time::timeout(limit, whole).await {
            Ok(brought) => brought,
            Err(_) => Err(format!("no answer in {}", self.config.limit)),
        };
        self.last = Some(at);
        match brought {
            Ok((answers, born)) => self.put_together(&request, &conditions, &answers, &born, at),
            Err(why) => Looked::missing(request.metrics, &self.said(&why)),
        }
    }

    fn step(&self) -> i64 {
        self.config.every.0.max(1) as i64
    }

    /// Now by the server's clock, in milliseconds.
    fn now(&self) -> i64 {
        ((now() + self.ahead) * 1000.0) as i64
    }

    /// The moment to look at, if it is later than that of the last look: two scrapes before now by
    /// the server's clock, and a whole number of scrapes since 1970.
    fn due(&self) -> Option<i64> {
        let step = self.step();
        let at = (self.now() - 2 * step).div_euclid(step) * step;
        self.last.is_none_or(|last| at > last).then_some(at)
    }

    fn conditions(&self, sides: &Sides) -> Conditions {
        let fill = |template: &Template, side: &Side| match side.is_empty() {
            true => Err("no instance on this side".to_owned()),
            false => template.fill(side),
        };
        [
            fill(&self.config.canary, &sides.canary),
            fill(&self.config.baseline, &sides.baseline),
        ]
    }

    /// Asks for everything that the metrics need; what two of them need is asked once.
    async fn ask(
        &mut self,
        client: &Client,
        request: &LookRequest<'_>,
        conditions: &Conditions,
        at: i64,
    ) -> Answers {
        let mut wanted = BTreeSet::new();
        for metric in request.metrics {
            let reach = self.memory.reach(&metric.name, at, self.step());
            for side in conditions.iter().flatten() {
                wanted.extend(queries(&metric.kind, side, &reach));
            }
        }
        let (answers, ahead) = ask_all(client, wanted, self.config.limit.std()).await;
        match ahead {
            Some(ahead) if (ahead - self.ahead).abs() > SKEW => {
                self.ahead = if ahead.abs() > SKEW { ahead } else { 0.0 };
            }
            _ => {}
        }
        answers
    }

    /// When the processes began whose series were found. Who does not tell is not known to have
    /// begun anew, and is counted from the second scrape on.
    async fn beginnings(
        &self,
        client: &Client,
        request: &LookRequest<'_>,
        answers: &Answers,
        at: i64,
    ) -> Vec<Line> {
        let lines = answers.values().flatten().flat_map(|answer| &answer.lines);
        let instances: BTreeSet<&str> =
            lines.filter_map(|line| line.id.label("instance")).collect();
        let Ok(selector) = Selector::parse(BORN) else {
            return Vec::new();
        };
        if instances.is_empty() || instances.len() > MOST_BEGINNINGS {
            return Vec::new();
        }
        let any: Vec<String> = instances.into_iter().map(regex::escape).collect();
        let of = Matcher {
            label: "instance".to_owned(),
            op: Op::Matches,
            value: any.join("|"),
        };
        let reaches = request.metrics.iter();
        let reaches = reaches.map(|m| self.memory.reach(&m.name, at, self.step()).from);
        let query = Query::Raw {
            selector: selector.promql(&[of]),
            from: reaches.min().unwrap_or(at),
            to: at,
        };
        let told = client.ask(&query, self.config.limit.std()).await;
        told.answer.map_or_else(
            |why| {
                tracing::debug!(why, "the beginnings of processes are not known");
                Vec::new()
            },
            |answer| answer.lines,
        )
    }

    fn put_together(
        &mut self,
        request: &LookRequest<'_>,
        conditions: &Conditions,
        answers: &Answers,
        born: &[Line],
        at: i64,
    ) -> Looked {
        let mut looked = Looked::default();
        let remarks = answers.values().flatten().flat_map(|answer| &answer.infos);
        let remarks: BTreeSet<&String> = remarks.collect();
        looked.remarks = remarks.into_iter().cloned().collect();
        let attribution = match self.config.canary.is_by_instance() {
            true => Attribution::ByInstance(self.now()),
            false => Attribution::BySeries,
        };
        for query in request.metrics {
            let reach = self.memory.reach(&query.name, at, self.step());
            let wanted = |side: &Vec<Matcher>| queries(&query.kind, side, &reach);
            let mut asked = conditions.iter().flatten().flat_map(wanted);
            let task = Task {
                query,
                reach,
                since: request.since.map(|at| at.0 as f64 / 1000.0 + self.ahead),
                attribution,
                born,
                whole: asked.all(|query| matches!(answers.get(&query), Some(Ok(_)))),
            };
            let found = conditions.each_ref().map(|side| {
                let side = side.as_ref().map_err(Clone::clone)?;
                found(&query.kind, side, &reach, answers)
            });
            let found = found.map(|it| it.map_err(|why| self.said(&why)));
            match self.memory.take(&task, found) {
                Some(look) => looked.metrics.push(look),
                None => looked.unchanged.push(query.name.clone()),
            }
        }
        looked
    }

    fn said(&self, why: &str) -> String {
        format!("{}: {why}", self.config.name)
    }
}

/// The queries that a metric needs for one side.
fn queries(kind: &QueryKind, side: &[Matcher], reach: &Reach) -> Vec<Query> {
    let raw = |selector: &Selector| Query::Raw {
        selector: selector.promql(side),
        from: reach.from,
        to: reach.to,
    };
    let steps = |expression: String| Query::Steps {
        expression,
        from: reach.to - (reach.to - reach.after - 1).div_euclid(reach.step) * reach.step,
        to: reach.to,
        step: reach.step,
    };
    match kind {
        // where the name is known and no series fits, nothing bad has happened yet
        QueryKind::Ratio { bad, total } if bad.name() != total.name() => {
            vec![raw(&bad.bare()), raw(total)]
        }
        QueryKind::Ratio { total, .. } if *total == total.bare() => vec![raw(total)],
        QueryKind::Ratio { bad, total } => vec![raw(bad), raw(total)],
        QueryKind::Histogram { series } => {
            vec![raw(&series.with_suffix("_bucket")), raw(series)]
        }
        QueryKind::Gauge { series } => {
            let series = series.promql(side);
            vec![steps(format!("timestamp({series})")), steps(series)]
        }
    }
}

/// What there is of a metric on one side.
fn found<'a>(
    kind: &QueryKind,
    side: &[Matcher],
    reach: &Reach,
    answers: &'a Answers,
) -> Result<Found<'a>, String> {
    let mut lines: Vec<Vec<&Line>> = Vec::new();
    let mut asked = String::new();
    for query in queries(kind, side, reach) {
        match answers.get(&query) {
            Some(Ok(answer)) => lines.push(answer.lines.iter().collect()),
            Some(Err(why)) => return Err(why.clone()),
            None => return Err("it was not asked".to_owned()),
        }
        asked = printable(query.text(), 120);
    }
    let ages = match kind {
        QueryKind::Gauge { .. } => lines.remove(0),
        _ => Vec::new(),
    };
    // what two of the queries select is there once
    let lines: BTreeMap<_, &Line> = lines.into_iter().flatten().map(|l| (&l.id, l)).collect();
    Ok(Found {
        lines: lines.into_values().collect(),
        ages,
        asked,
    })
}

/// Asks some queries at a time; and how far the server's clock is ahead, in the middle.
async fn ask_all(
    client: &Client,
    wanted: BTreeSet<Query>,
    limit: Duration,
) -> (Answers, Option<f64>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    for query in wanted {
        let (client, places) = (client.clone(), places.clone());
        asked.spawn(async move {
            let _place = places.acquire().await;
            let told = client.ask(&query, limit).await;
            (query, told)
        });
    }
    let mut answers = Answers::new();
    let mut clocks = Vec::new();
    while let Some(one) = asked.join_next().await {
        if let Ok((query, Told { answer, ahead })) = one {
            clocks.extend(ahead);
            answers.insert(query, answer);
        }
    }
    clocks.sort_by(f64::total_cmp);
    let middle = clocks.get(clocks.len() / 2).copied();
    (answers, middle)
}
