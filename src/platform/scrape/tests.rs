use super::merge::*;
use super::*;
use crate::domain::Timestamp;
use crate::platform::http::Got;

fn ratio() -> MetricQuery {
    let kind = QueryKind::Ratio {
        bad: Selector::parse("requests{code=~\"5..\"}").unwrap(),
        total: Selector::parse("requests").unwrap(),
    };
    let name = "errors".into();
    MetricQuery { name, kind }
}

fn histogram() -> MetricQuery {
    let series = Selector::parse("seconds{path!=\"/healthz\"}").unwrap();
    let name = "latency".into();
    MetricQuery {
        name,
        kind: QueryKind::Histogram { series },
    }
}

fn gauge() -> MetricQuery {
    let series = Selector::parse("memory").unwrap();
    let name = "memory".into();
    MetricQuery {
        name,
        kind: QueryKind::Gauge { series },
    }
}

#[derive(Default)]
struct Fleet {
    counters: Counters,
    now: f64,
}

impl Fleet {
    /// A look at instances of the canary and the baseline, each with what it shows.
    fn look(
        &mut self,
        query: &MetricQuery,
        canary: &[(&str, &str)],
        baseline: &[(&str, &str)],
    ) -> MetricLook {
        self.now += 10.0;
        let mut wanted = query.kind.selectors();
        wanted.extend(Selector::parse(BORN));
        let mut seen = Seen::new();
        let mut endpoints = |side: &[(&str, &str)]| -> Vec<Endpoint> {
            let one = |(name, text): &(&str, &str)| {
                let got = Got {
                    status: 200,
                    body: text.as_bytes().to_vec(),
                    cut: false,
                    content_type: String::new(),
                    date: None,
                    location: None,
                };
                let instance = InstanceName::from(*name);
                seen.insert(instance.clone(), read(got, self.now, &wanted));
                let url = String::new();
                Endpoint { instance, url }
            };
            side.iter().map(one).collect()
        };
        let (canary, baseline) = (endpoints(canary), endpoints(baseline));
        let request = LookRequest {
            metrics: std::slice::from_ref(query),
            canary: &canary,
            baseline: &baseline,
            since: Some(Timestamp(0)),
        };
        look(&mut self.counters, query, &request, &seen)
    }

    fn one(&mut self, query: &MetricQuery, text: &str) -> Sample {
        self.look(query, &[("i-01", text)], &[]).canary
    }
}

fn bad_of(bad: u64, total: u64) -> Sample {
    Sample::Ratio { bad, total }
}

fn why(sample: &Sample) -> &str {
    match sample {
        Sample::Missing { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_sides_are_counted_apart() {
    let mut fleet = Fleet::default();
    let query = ratio();
    let c = "requests{code=\"200\"} 10\n";
    let b = "requests{code=\"200\"} 100\nrequests{code=\"500\"} 1\n";
    let first = fleet.look(&query, &[("i-01", c)], &[("i-02", b), ("i-03", b)]);
    assert_eq!(
        why(&first.canary),
        "first look, nothing to compare with yet"
    );
    assert_eq!(first.dropped, Vec::<String>::new());
    let c = "requests{code=\"200\"} 15\nrequests{code=\"503\"} 2\n";
    let b = "requests{code=\"200\"} 150\nrequests{code=\"500\"} 4\n";
    let second = fleet.look(&query, &[("i-01", c)], &[("i-02", b), ("i-03", "oh no\n")]);
    assert_eq!(second.canary, bad_of(2, 7));
    assert_eq!(second.baseline, bad_of(3, 53));
    let reason = "i-03: its metrics cannot be read, line 1: the value is no number";
    assert_eq!(second.dropped, [reason]);
    let third = fleet.look(&query, &[("i-01", c)], &[("i-02", b), ("i-03", b)]);
    assert_eq!(third.canary, bad_of(0, 0), "no traffic is a sample");
    assert_eq!(
        third.baseline,
        bad_of(3, 53),
        "what was missed is made up for"
    );
    let nobody = fleet.look(&query, &[("i-01", "")], &[]);
    assert_eq!(why(&nobody.canary), "i-01: it has no requests");
    assert_eq!(why(&nobody.baseline), "no instance on this side");
}

#[test]
fn a_release_on_an_instance_is_counted_on_the_new_side() {
    let mut fleet = Fleet::default();
    let query = ratio();
    let old = "process_start_time_seconds 1\nrequests{code=\"200\"} 100\n";
    let other = "process_start_time_seconds 1\nrequests{code=\"200\"} 100\n";
    fleet.look(&query, &[], &[("i-01", old), ("i-02", other)]);
    let born = fleet.now + 3.0;
    let new = format!("process_start_time_seconds {born}\nrequests{{code=\"200\"}} 400\n");
    let other = "process_start_time_seconds 1\nrequests{code=\"200\"} 160\n";
    let look = fleet.look(&query, &[("i-01", &new)], &[("i-02", other)]);
    assert_eq!(look.canary, bad_of(0, 400));
    assert_eq!(look.baseline, bad_of(0, 60));
}

#[test]
fn nothing_is_not_zero() {
    let mut fleet = Fleet::default();
    let query = ratio();
    let fine = "requests{code=\"200\"} 10\nrequests{code=\"500\"} 1\n";
    fleet.one(&query, fine);
    for (text, reason) in [
        ("", "i-01: it has no requests"),
        ("other 1\n", "i-01: it has no requests"),
        ("requests{code=\"500\"} NaN\n", "i-01: requests is NaN"),
        ("requests{code=\"500\"} +Inf\n", "i-01: requests is inf"),
        (
            "requests{code=\"500\"} -1\n",
            "i-01: requests is -1, which is no count",
        ),
        (
            "requests 1\nrequests 2\n",
            "i-01: requests has a series twice",
        ),
        (
            "requests 12",
            "i-01: its metrics cannot be read, line 1: it was cut off",
        ),
    ] {
        let sample = fleet.one(&query, text);
        assert!(why(&sample).starts_with(reason), "{text}: {sample:?}");
    }
    let later = "requests{code=\"200\"} 20\nrequests{code=\"500\"} 3\n";
    assert_eq!(fleet.one(&query, later), bad_of(2, 12));
}

#[test]
fn bad_events_that_were_never_counted_are_none_where_their_name_is_known() {
    let separate = MetricQuery {
        name: "errors".into(),
        kind: QueryKind::Ratio {
            bad: Selector::parse("failures_total{kind=\"fatal\"}").unwrap(),
            total: Selector::parse("requests").unwrap(),
        },
    };
    let mut fleet = Fleet::default();
    let sample = fleet.one(&separate, "requests 1\n");
    assert_eq!(why(&sample), "i-01: it has no failures_total");
    let typed = |n| format!("# TYPE failures_total counter\nrequests {n}\n");
    fleet.one(&separate, &typed(1));
    assert_eq!(fleet.one(&separate, &typed(9)), bad_of(0, 8));
    let more = "failures_total{kind=\"fatal\"} 7\nrequests 10\n";
    let sample = fleet.one(&separate, more);
    assert_eq!(why(&sample), "i-01: 7 are bad of only 1");
    let more = "failures_total{kind=\"fatal\"} 7\nrequests 19\n";
    assert_eq!(fleet.one(&separate, more), bad_of(7, 10));
}

fn buckets(counts: &[(&str, u64)]) -> String {
    let line = |(le, n): &(&str, u64)| format!("seconds_bucket{{le=\"{le}\"}} {n}\n");
    counts.iter().map(line).collect()
}

#[test]
fn histograms_become_distributions() {
    let mut fleet = Fleet::default();
    let query = histogram();
    fleet.one(&query, &buckets(&[("0.1", 5), ("0.5", 8), ("+Inf", 9)]));
    let sample = fleet.one(&query, &buckets(&[("+Inf", 20), ("0.1", 10), ("0.5", 15)]));
    let expected = Sample::Histogram {
        bounds: vec![0.1, 0.5],
        counts: vec![5, 2, 4],
    };
    assert_eq!(sample, expected);
    let torn = fleet.one(&query, &buckets(&[("0.1", 20), ("0.5", 16), ("+Inf", 30)]));
    assert_eq!(why(&torn), "i-01: its buckets were read while they changed");
    let healed = fleet.one(&query, &buckets(&[("0.1", 20), ("0.5", 25), ("+Inf", 30)]));
    let expected = Sample::Histogram {
        bounds: vec![0.1, 0.5],
        counts: vec![10, 0, 0],
    };
    assert_eq!(healed, expected);
}

#[test]
fn histograms_of_several_paths_and_instances_are_added() {
    let mut fleet = Fleet::default();
    let query = histogram();
    let show = |n: u64, bound: &str| -> String {
        let one = |path: &str| {
            format!(
                "seconds_bucket{{path=\"{path}\",le=\"{bound}\"}} {n}\n\
                 seconds_bucket{{path=\"{path}\",le=\"+Inf\"}} {}\n",
                2 * n
            )
        };
        ["/a", "/b", "/healthz"].map(one).concat()
    };
    let (zero, one, odd) = (show(0, "1"), show(1, "1"), show(1, "2"));
    fleet.look(&query, &[], &[("i-01", &zero), ("i-02", &zero)]);
    let look = fleet.look(
        &query,
        &[],
        &[("i-01", &one), ("i-02", &one), ("i-03", &zero)],
    );
    let expected = Sample::Histogram {
        bounds: vec![1.0],
        counts: vec![4, 4],
    };
    assert_eq!(look.baseline, expected);
    let look = fleet.look(&query, &[], &[("i-01", &one), ("i-02", &odd)]);
    assert_eq!(look.dropped.len(), 1, "{look:?}");
    for (text, reason) in [
        ("seconds_bucket 1\n", "has a bucket without a bound"),
        (
            "seconds_bucket{le=\"x\"} 1\n",
            "has a bucket without a bound",
        ),
        ("seconds_sum 1\n", "it has no buckets of seconds"),
    ] {
        let sample = fleet.one(&query, text);
        let again = fleet.one(&query, text);
        assert!(
            why(&again).contains(reason),
            "{text}: {sample:?}, {again:?}"
        );
    }
}

#[test]
fn gauges_are_means_over_instances() {
    let mut fleet = Fleet::default();
    let query = gauge();
    let sides = [
        ("i-01", "memory 10\n"),
        ("i-02", "memory{a=\"1\"} 10\nmemory{a=\"2\"} 30\n"),
    ];
    let look = fleet.look(&query, &sides, &[("i-03", "memory NaN\n")]);
    assert_eq!(look.canary, Sample::Gauge { mean: 15.0, n: 2 });
    assert_eq!(why(&look.baseline), "i-03: memory is NaN");
    let huge = [("i-01", "memory 1.7e308\n"), ("i-02", "memory 1.7e308\n")];
    let look = fleet.look(&query, &huge, &[]);
    assert_eq!(
        look.canary,
        Sample::Gauge {
            mean: 1.7e308,
            n: 2
        }
    );
}

#[test]
fn an_instance_on_both_sides_counts_once() {
    let mut fleet = Fleet::default();
    let both = [("i-01", "memory 10\n")];
    let look = fleet.look(&gauge(), &both, &both);
    assert_eq!(look.canary, Sample::Gauge { mean: 10.0, n: 1 });
    assert_eq!(why(&look.baseline), "i-01: it is listed twice");
}
