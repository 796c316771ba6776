//! Looks at real servers: what lies, hangs or breaks costs only itself.

use std::time::Duration;

use holdpoint::domain::Timestamp;
use holdpoint::judge::Sample;
use holdpoint::platform::http::Http;
use holdpoint::platform::scrape::{
    Endpoint, LookRequest, MetricLook, MetricQuery, QueryKind, Scraper,
};
use holdpoint::platform::selector::Selector;

use crate::server::{Server, refused_url};

fn errors() -> MetricQuery {
    let select = |text| Selector::parse(text).unwrap();
    MetricQuery {
        name: "errors".into(),
        kind: QueryKind::Ratio {
            bad: select("http_requests_total{code=~\"5..\"}"),
            total: select("http_requests_total"),
        },
    }
}

fn memory() -> MetricQuery {
    MetricQuery {
        name: "memory".into(),
        kind: QueryKind::Gauge {
            series: Selector::parse("process_resident_memory_bytes").unwrap(),
        },
    }
}

fn endpoint(name: &str, url: &str) -> Endpoint {
    Endpoint {
        instance: name.into(),
        url: format!("{url}/metrics"),
    }
}

fn scraper(limit: Duration) -> Scraper {
    Scraper::new(Http::new().unwrap(), limit)
}

async fn look(
    scraper: &mut Scraper,
    metrics: &[MetricQuery],
    canary: &[Endpoint],
    baseline: &[Endpoint],
) -> Vec<MetricLook> {
    let request = LookRequest {
        metrics,
        canary,
        baseline,
        since: Some(Timestamp(0)),
    };
    scraper.look(request).await
}

fn page(ok: u64, bad: u64) -> String {
    format!(
        "# TYPE http_requests_total counter\n\
         http_requests_total{{code=\"200\"}} {ok}\nhttp_requests_total{{code=\"500\"}} {bad}\n\
         process_resident_memory_bytes 1048576\n"
    )
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn each_instance_is_asked_once_for_all_metrics() {
    let server = Server::shows(&page(10, 1)).await;
    let mut scraper = scraper(LONG);
    let metrics = [errors(), memory()];
    let canary = [endpoint("i-01", &server.url)];
    look(&mut scraper, &metrics, &canary, &[]).await;
    server.now_shows(&page(110, 3));
    let looks = look(&mut scraper, &metrics, &canary, &[]).await;
    assert_eq!(server.asked(), 2);
    assert_eq!(server.last_path(), "/metrics");
    assert_eq!(looks[0].canary, Sample::Ratio { bad: 2, total: 102 });
    let mean = 1_048_576.0;
    assert_eq!(looks[1].canary, Sample::Gauge { mean, n: 1 });
}

#[tokio::test]
async fn what_misbehaves_costs_only_itself() {
    let good = Server::shows(&page(10, 0)).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: ";
    let said = |rest: &[u8]| [head.as_bytes(), rest].concat();
    let endless = "x 1\n".repeat(3 << 20);
    let zipped = b"text/plain\r\nContent-Length: 6\r\n\r\n\x1f\x8b\x08\x00\xff\n";
    let om = "application/openmetrics-text; version=1.0.0\r\nContent-Length: 32\r\n\r\n\
              http_requests_total{code=\"2\"} 1\n";
    let proto = b"application/vnd.google.protobuf\r\nContent-Length: 1\r\n\r\nx";
    let servers = [
        (
            "garbage",
            Server::shows("<html>hello</html>\n").await,
            "cannot be read, line 1",
        ),
        (
            "nothing",
            Server::shows("").await,
            "it has no http_requests_total",
        ),
        (
            "nan",
            Server::shows("http_requests_total{code=\"500\"} NaN\n").await,
            "is NaN",
        ),
        (
            "cut",
            Server::shows("http_requests_total{code=\"500\"} 1").await,
            "cut off",
        ),
        (
            "short",
            Server::says(said(b"x\r\nContent-Length: 99\r\n\r\nx 1\n")).await,
            "broke off",
        ),
        (
            "om-cut",
            Server::says(said(om.as_bytes())).await,
            "`# EOF` is missing",
        ),
        ("binary", Server::says(said(zipped)).await, "not text"),
        ("protobuf", Server::says(said(proto)).await, "protobuf"),
        (
            "endless",
            Server::shows(&endless).await,
            "longer than 8 MiB",
        ),
        (
            "broken",
            Server::says(*b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").await,
            "answered 500",
        ),
        (
            "away",
            Server::says(moved("http://localhost:1/x")).await,
            "answered 302, to http",
        ),
        (
            "circle",
            Server::says(moved("/metrics")).await,
            "answered 302, to /metrics",
        ),
        ("silent", Server::hangs().await, "no answer in 3 s"),
    ];
    let mut canary: Vec<Endpoint> = servers
        .iter()
        .map(|(n, s, _)| endpoint(n, &s.url))
        .collect();
    canary.push(endpoint("gone", &refused_url()));
    canary.push(endpoint("good", &good.url));
    let baseline = [endpoint("bad-url", "not a url")];
    let mut scraper = scraper(Duration::from_secs(3));
    let metrics = [errors()];
    look(&mut scraper, &metrics, &canary, &baseline).await;
    good.now_shows(&page(15, 1));
    let looks = look(&mut scraper, &metrics, &canary, &baseline).await;
    assert_eq!(looks[0].canary, Sample::Ratio { bad: 1, total: 6 });
    let dropped = &looks[0].dropped;
    for (name, _, why) in &servers {
        let line = dropped
            .iter()
            .find(|line| line.starts_with(&format!("{name}: ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not in {dropped:#?}"));
        assert!(line.contains(why), "{line}");
    }
    assert!(dropped.contains(&"gone: connection refused".to_string()));
    assert_eq!(dropped.len(), servers.len() + 2);
    let why = "bad-url: `not a url/metrics` is no http or https URL";
    assert_eq!(looks[0].baseline, Sample::missing(why));
}

fn moved(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn openmetrics_is_read_too() {
    let show = |n: u64| {
        let body = format!(
            "# TYPE http_requests counter\n# UNIT http_requests requests\n\
             http_requests_total{{code=\"200\"}} {n} # {{trace_id=\"a b\"}} 1.0 1520879607.789\n\
             http_requests_created{{code=\"200\"}} 1520872607.123\n# EOF\n"
        );
        let length = body.len();
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}");
        format!("{head}\r\n\r\n{body}").into_bytes()
    };
    let server = Server::says(show(5)).await;
    let canary = [endpoint("i-01", &server.url)];
    let mut scraper = scraper(LONG);
    look(&mut scraper, &[errors()], &canary, &[]).await;
    server.now_says(Some(show(9)));
    let looks = look(&mut scraper, &[errors()], &canary, &[]).await;
    assert_eq!(looks[0].canary, Sample::Ratio { bad: 0, total: 4 });
}

#[tokio::test]
async fn the_clocks_of_two_machines_may_differ() {
    // its clock is an hour ahead; the process was born two minutes ago by anybody's measure
    let now = chrono::Utc::now();
    let there = now + chrono::TimeDelta::hours(1);
    let born = (there - chrono::TimeDelta::minutes(2)).timestamp();
    let show = |ok: u64| {
        let body = format!("process_start_time_seconds {born}\n{}", page(ok, 0));
        let date = there.format("%a, %d %b %Y %H:%M:%S GMT");
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {length}");
        format!("{head}\r\n\r\n{body}").into_bytes()
    };
    let server = Server::says(show(50)).await;
    let canary = [endpoint("i-01", &server.url)];
    for (minutes, expected) in [(1, None), (3, Some(50))] {
        let since = (now - chrono::TimeDelta::minutes(minutes)).timestamp_millis();
        let request = LookRequest {
            metrics: &[errors()],
            canary: &canary,
            baseline: &[],
            since: Some(Timestamp(since)),
        };
        let looks = scraper(LONG).look(request).await;
        let total = match &looks[0].canary {
            Sample::Ratio { total, .. } => Some(*total),
            _ => None,
        };
        assert_eq!(
            total, expected,
            "counted from {minutes} minutes ago: {looks:?}"
        );
    }
}
