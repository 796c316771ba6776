//! `catalog.toml`: services with their metrics, and environments.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::amount::{Limit, Quantile, Slo, Tolerance as Allowed, Until, Weight};
use super::sources::SCRAPE;
use super::{Checker, segment};
use crate::domain::charter::{Action, Confirm, Environment, Metric, Reading, Service, Tolerance};
use crate::domain::metric::MILLION;
use crate::domain::text::printable;
use crate::domain::words::nearest;
use crate::domain::{EnvName, MetricName, ServiceName, SourceName};

/// How many requests the new version needs before the hard limit counts, where nothing is said.
const MIN_REQUESTS: u64 = 50;

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogFile {
    pub service: BTreeMap<ServiceName, ServiceEntry>,
    pub environment: BTreeMap<EnvName, EnvironmentEntry>,
}

/// A service as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    owner: String,
    #[serde(default = "middle")]
    tier: u8,
    #[serde(default)]
    depends_on: Vec<ServiceName>,
    #[serde(default)]
    metric: BTreeMap<MetricName, MetricEntry>,
    #[serde(default)]
    shadow: bool,
}

fn middle() -> u8 {
    2
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricEntry {
    ratio: Option<RatioEntry>,
    quantile: Option<QuantileEntry>,
    gauge: Option<String>,
    source: Option<SourceName>,
    fail_above: Option<Limit>,
    min_count: Option<u64>,
    tolerance: Option<Allowed>,
    margin: Option<Allowed>,
    slo: Option<Slo>,
    weight: Option<Weight>,
    action: Option<Action>,
    critical: Option<bool>,
    required: Option<bool>,
    horizon: Option<Until>,
    #[serde(default)]
    shadow: bool,
    /// What there was before the judge.
    fail_ratio: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RatioEntry {
    bad: String,
    total: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuantileEntry {
    histogram: String,
    at: Quantile,
}

/// An environment as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentEntry {
    #[serde(default)]
    production: bool,
    zone: Option<String>,
    confirm: Option<Confirm>,
}

impl CatalogFile {
    /// The services, checked. `sources` are the stores of the room.
    pub fn services(
        &self,
        check: &mut Checker<'_>,
        sources: &[&str],
    ) -> BTreeMap<ServiceName, Service> {
        let mut services = BTreeMap::new();
        for (name, entry) in &self.service {
            let at = |key: &str| format!("service.{}{key}", segment(name.as_str()));
            check.plain_name(&at(""), "service", name.as_str());
            for (n, other) in entry.depends_on.iter().enumerate() {
                let path = at(&format!(".depends_on[{n}]"));
                if other == name {
                    check.add(
                        &path,
                        "depends-on-itself",
                        format!("`{name}` cannot depend on itself"),
                        "leave it out",
                    );
                } else if !self.service.contains_key(other) {
                    check.unknown(
                        &path,
                        "service",
                        other.as_str(),
                        self.service.keys().map(ServiceName::as_str),
                        &format!("add `[service.{other}]`, or write another"),
                    );
                }
            }
            let metrics = entry.metric.iter().filter_map(|(metric, written)| {
                let path = at(&format!(".metric.{}", segment(metric.as_str())));
                check.plain_name(&path, "metric", metric.as_str());
                Some((metric.clone(), written.metric(check, &path, sources)?))
            });
            let service = Service {
                owner: Arc::from(printable(&entry.owner, 80)),
                tier: entry.tier,
                depends_on: entry.depends_on.iter().cloned().collect(),
                metrics: metrics.collect(),
                shadow: entry.shadow,
            };
            services.insert(name.clone(), service);
        }
        services
    }

    /// The environments, checked.
    pub fn environments(&self, check: &mut Checker<'_>) -> BTreeMap<EnvName, Environment> {
        let mut environments = BTreeMap::new();
        for (name, entry) in &self.environment {
            let path = format!("environment.{}", segment(name.as_str()));
            check.plain_name(&path, "environment", name.as_str());
            let zone = entry.zone.as_deref().unwrap_or("UTC");
            if zone.parse::<chrono_tz::Tz>().is_err() {
                let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
                let next = match nearest(zone, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "use an IANA name such as Europe/Berlin".to_owned(),
                };
                let shown = printable(zone, 60);
                check.add(
                    &format!("{path}.zone"),
                    "unknown-zone",
                    format!("there is no time zone `{shown}`"),
                    next,
                );
            }
            let usual = if entry.production {
                Confirm::Typed
            } else {
                Confirm::Dialog
            };
            let environment = Environment {
                production: entry.production,
                zone: zone.into(),
                confirm: entry.confirm.unwrap_or(usual),
            };
            environments.insert(name.clone(), environment);
        }
        environments
    }
}

impl MetricEntry {
    fn metric(&self, check: &mut Checker<'_>, path: &str, sources: &[&str]) -> Option<Metric> {
        let source = self.source(check, path, sources);
        let reading = self.reading(check, path)?;
        if self.fail_ratio.is_some() {
            check.add(
                &format!("{path}.fail_ratio"),
                "fail-ratio-is-gone",
                "versions are no longer compared by a fixed multiple",
                "write tolerance = \"1.25x\": what is allowed before evidence speaks against the new version",
            );
        }
        let tolerance = self.tolerance(check, path, &reading);
        let margin = self.margin(check, path, &reading);
        self.check_action(check, path, &reading);
        let usual = match reading {
            Reading::Ratio { .. } | Reading::Quantile { .. } => MIN_REQUESTS,
            Reading::Gauge { .. } => 1,
        };
        Some(Metric {
            reading,
            source,
            fail_above: self.fail_above.map(|limit| limit.0),
            min_count: self.min_count.unwrap_or(usual),
            tolerance,
            margin,
            weight: self.weight.map_or(MILLION, |weight| weight.0),
            action: self.action,
            critical: self.critical,
            required: self.required,
            horizon: self.horizon.map(|until| until.0),
            shadow: self.shadow,
        })
    }

    /// How much worse than the old version the new one may be.
    fn tolerance(
        &self,
        check: &mut Checker<'_>,
        path: &str,
        reading: &Reading,
    ) -> Option<Tolerance> {
        let is_ratio = matches!(reading, Reading::Ratio { .. });
        if let Some(slo) = self.slo {
            if !is_ratio || self.tolerance.is_some() {
                check.add(
                    &format!("{path}.slo"),
                    "slo-or-tolerance",
                    "an objective says how much a ratio may rise where no tolerance does",
                    "keep `slo` on a ratio without `tolerance`",
                );
            }
            // a fifth of what the objective lets fail
            return Some(Tolerance {
                times: 1_250_000,
                plus: (MILLION - slo.0) / 5,
            });
        }
        let written = self.tolerance?;
        let gauge = matches!(reading, Reading::Gauge { .. });
        let write = match reading {
            Reading::Ratio { .. } => "write 1.25x, 0.02 points or 1.25x + 0.02 points",
            Reading::Quantile { .. } => "write 1.25x: the odds of being slower than any boundary",
            Reading::Gauge { .. } => "write 10%",
        };
        let fits = match (written.times, written.points, written.part) {
            (_, _, Some(_)) => gauge && written.times.is_none() && written.points.is_none(),
            (_, Some(_), None) => is_ratio,
            _ => true,
        };
        if !fits {
            check.add(
                &format!("{path}.tolerance"),
                "bad-tolerance",
                "this cannot be the tolerance of such a metric",
                write,
            );
        }
        let times = written.times.unwrap_or(MILLION);
        Some(Tolerance {
            times: written.part.map_or(times, |part| MILLION + part),
            plus: written.points.unwrap_or(0),
        })
    }

    /// What has to be proven for going on.
    fn margin(&self, check: &mut Checker<'_>, path: &str, reading: &Reading) -> Option<Tolerance> {
        let written = self.margin?;
        let is_ratio = matches!(reading, Reading::Ratio { .. });
        let is_gauge = matches!(reading, Reading::Gauge { .. });
        if is_gauge || written.part.is_some() || (written.points.is_some() && !is_ratio) {
            check.add(
                &format!("{path}.margin"),
                "bad-margin",
                "this cannot be the margin of such a metric",
                "write 1.5x + 0.1 points of a ratio, 1.5x of a quantile, nothing of a gauge",
            );
        }
        Some(Tolerance {
            times: written.times.unwrap_or(MILLION),
            plus: written.points.unwrap_or(0),
        })
    }

    fn check_action(&self, check: &mut Checker<'_>, path: &str, reading: &Reading) {
        let gauge = matches!(reading, Reading::Gauge { .. });
        if gauge && self.action == Some(Action::RollBack) {
            check.add(
                &format!("{path}.action"),
                "gauge-cannot-roll-back",
                "a gauge alone is no proof: instances differ, and what is young differs from what is old",
                "write hold or inform",
            );
        }
        let acts = self.action.unwrap_or(match gauge {
            true => Action::Hold,
            false => Action::RollBack,
        });
        if self.critical == Some(true) && acts != Action::RollBack {
            check.add(
                &format!("{path}.critical"),
                "critical-without-action",
                format!("a metric that may only {} cannot roll back", acts.word()),
                "leave `critical` out, or write action = \"roll-back\"",
            );
        }
        if self.required == Some(true) && acts == Action::Inform {
            check.add(
                &format!("{path}.required"),
                "required-without-action",
                "a metric that only informs holds nobody up",
                "leave `required` out, or write action = \"hold\"",
            );
        }
    }

    /// Where it is read.
    fn source(&self, check: &mut Checker<'_>, path: &str, known: &[&str]) -> Option<SourceName> {
        let source = self.source.as_ref().filter(|s| s.as_str() != SCRAPE)?;
        if !known.contains(&source.as_str()) {
            check.unknown(
                &format!("{path}.source"),
                "source",
                source.as_str(),
                known.iter().copied().chain([SCRAPE]),
                &format!("add `[sources.{source}]` to room.toml, or write another"),
            );
        }
        Some(source.clone())
    }

    fn reading(&self, check: &mut Checker<'_>, path: &str) -> Option<Reading> {
        let mut readings: Vec<Reading> = Vec::new();
        if let Some(ratio) = &self.ratio {
            check.selector(&format!("{path}.ratio.bad"), &ratio.bad);
            check.selector(&format!("{path}.ratio.total"), &ratio.total);
            readings.push(Reading::Ratio {
                bad: ratio.bad.as_str().into(),
                total: ratio.total.as_str().into(),
            });
        }
        if let Some(quantile) = &self.quantile {
            let at = format!("{path}.quantile.histogram");
            check.selector(&at, &quantile.histogram);
            if quantile
                .histogram
                .split('{')
                .next()
                .is_some_and(|name| name.ends_with("_bucket"))
            {
                check.add(
                    &at,
                    "histogram-bucket",
                    "this names the buckets, not the histogram",
                    "leave `_bucket` out",
                );
            }
            readings.push(Reading::Quantile {
                histogram: quantile.histogram.as_str().into(),
                at: quantile.at.0,
            });
        }
        if let Some(series) = &self.gauge {
            check.selector(&format!("{path}.gauge"), series);
            readings.push(Reading::Gauge {
                series: series.as_str().into(),
            });
        }
        if readings.len() != 1 {
            check.add(
                path,
                "one-reading-per-metric",
                "a metric is read in exactly one way",
                "write one of ratio, quantile, gauge",
            );
            return None;
        }
        readings.pop()
    }
}
