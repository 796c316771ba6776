//! Metrics from a real Prometheus that scrapes the demo's fleet.

pub mod rollout;
pub mod store;

use std::sync::Arc;

use holdpoint::domain::live::Chart;
use holdpoint::domain::{Call, Decision, Span};
use holdpoint::judge::Sample;
use holdpoint::platform::prometheus::answer::Limits;
use holdpoint::platform::prometheus::client::{Auth, Config, Header};
use holdpoint::platform::scrape::{MetricLook, MetricQuery, QueryKind};
use holdpoint::platform::secret::SecretRef;

use crate::server::{Server, refused_url};
use crate::telemetry::{charts, released, stage};
use crate::until::until_async;
use rollout::{
    BY_INSTANCE, BY_VERSION, Rollout, Scene, Sums, address, config, errors, latency, memory,
    select, source, truth_of, why,
};
use store::{Does, Proxy, Store, says};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_counts_what_the_instances_count() {
    let scene = Scene::new();
    let Some(store) = scene.store() else { return };
    let metrics = [errors(), latency(), memory()];
    let rollout = &scene.rollout;
    let [mut by_version, mut by_instance] = [BY_VERSION, BY_INSTANCE]
        .map(|sides| rollout.counting(source(config(&store.url(), sides)), &metrics));
    let idle = |_: &[MetricLook], sums: &Sums| sums.sizes == [0, 0];
    let known = |looks: &[MetricLook], sums: &Sums| {
        let here = |s: &Sample| matches!(s, Sample::Histogram { .. });
        idle(looks, sums) && here(&looks[1].canary) && here(&looks[1].baseline)
    };
    by_version.until("the first looks", known).await;
    by_instance.until("the first looks", known).await;

    let busy = scene.traffic();
    let much = |_: &[MetricLook], sums: &Sums| sums.canary[0] > 100 && sums.baseline[1] > 200;
    by_version.until("traffic", much).await;
    let looks = by_instance.until("traffic", much).await;
    let Sample::Gauge { mean, n: 2 } = looks[2].canary else {
        panic!("{looks:?}");
    };
    assert!(mean > 1e6, "{mean}");
    busy.abort();
    let _ = busy.await;

    let truth = scene.truth().await;
    let all = |_: &[MetricLook], sums: &Sums| sums.counts() == truth.counts();
    by_version.until("all, by version", all).await;
    by_instance.until("all, by instance", all).await;

    // a process begins anew: what it counts from zero on is added
    let gone = truth_of(&rollout.canary[..1], &[]).await;
    scene.fleet.deploy("i-01", "2.0");
    let busy = scene.traffic();
    let grown = |_: &[MetricLook], sums: &Sums| sums.sizes[0] > truth.sizes[0] + 200;
    by_version.until("after a restart", grown).await;
    busy.abort();
    let _ = busy.await;
    let mut truth = scene.truth().await;
    truth.canary = [0, 1].map(|n| truth.canary[n] + gone.canary[n]);
    truth.sizes[0] += gone.sizes[0];
    let all = |_: &[MetricLook], sums: &Sums| sums.counts() == truth.counts();
    by_version.until("all after a restart", all).await;
    by_instance.until("all after a restart", all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_dies_is_no_data_and_what_it_missed_is_made_up_for() {
    let scene = Scene::new();
    let Some(mut store) = scene.store() else {
        return;
    };
    let metrics = [errors(), latency()];
    let source = source(Config {
        limit: Span::secs(5),
        ..config(&store.url(), BY_VERSION)
    });
    let mut source = scene.rollout.counting(source, &metrics);
    let known = |looks: &[MetricLook], _: &Sums| {
        matches!(looks[0].canary, Sample::Missing { .. })
            || matches!(looks[1].baseline, Sample::Histogram { .. })
    };
    source.until("the first looks", known).await;
    let busy = scene.traffic();
    let much = |_: &[MetricLook], sums: &Sums| sums.canary[1] > 100 && sums.baseline[1] > 100;
    source.until("traffic", much).await;

    store.kill();
    let dead = |looks: &[MetricLook], _: &Sums| {
        let refused =
            |s: &Sample| matches!(s, Sample::Missing { why } if why.contains("connection refused"));
        looks
            .iter()
            .all(|look| refused(&look.canary) && refused(&look.baseline))
    };
    let at_death = source.sums.clone();
    for _ in 0..3 {
        source.until("no data", dead).await;
    }
    let sums = &source.sums;
    assert_eq!(sums.counts(), at_death.counts(), "missing is not zero");
    assert!(sums.missing >= at_death.missing + 12, "{sums:?}");

    store.again();
    busy.abort();
    let _ = busy.await;
    let truth = scene.truth().await;
    let all = |_: &[MetricLook], sums: &Sums| sums.counts() == truth.counts();
    source.until("all of it", all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_none_are_said_in_words() {
    let scene = Scene::new();
    let Some(store) = scene.store() else { return };
    let proxy = Proxy::before(store.port).await;
    let metrics = [errors()];
    let source = source(Config {
        limit: Span::secs(2),
        ..config(&proxy.url, BY_VERSION)
    });
    let mut source = scene.rollout.counting(source, &metrics);
    let good = |looks: &[MetricLook], _: &Sums| {
        [&looks[0].canary, &looks[0].baseline]
            .iter()
            .all(|s| matches!(s, Sample::Ratio { .. }))
    };
    let busy = scene.traffic();
    source.until("a good look", good).await;
    let warned = r#"{"status":"success","warnings":["no answer of store-2"],"data":{"resultType":"matrix","result":[]}}"#;
    let refused = r#"{"status":"error","errorType":"execution","error":"query processing would load too many samples"}"#;
    let html = "<!doctype html><title>Log in</title>";
    let json = "application/json";
    for (does, words) in [
        (Does::Halves, "answer broke off"),
        (Does::Hangs, "no answer in 2 s"),
        (says("200 OK", "text/html", html), "is a login in between?"),
        (says("200 OK", json, html), "no answer of Prometheus"),
        (
            says("200 OK", json, warned),
            "not whole: no answer of store-2",
        ),
        (
            says("422 Unprocessable", json, refused),
            "answered 422: query processing would load",
        ),
        (says("503 Away", "text/plain", "away"), "answered 503"),
        (
            says("429 Slower", "text/plain", ""),
            "it is asked too often",
        ),
        (says("404 Not", "text/plain", ""), "there is no such API"),
        (
            says("200 OK", json, &" ".repeat(9 << 20)),
            "longer than 8 MiB",
        ),
        (
            Does::Wants("no such thing".into()),
            "answered 401: it does not know who asks",
        ),
        (
            Does::Says(
                b"HTTP/1.1 302 Go
Location: https://login.example.com/?x
Content-Length: 0

"
                .to_vec(),
            ),
            "answered 302, to https://login.example.com/",
        ),
    ] {
        proxy.now(does.clone());
        let looks = scene.rollout.next(&mut source.source, &metrics).await;
        for sample in [&looks[0].canary, &looks[0].baseline] {
            let why = why(sample);
            assert!(
                why.starts_with("prom: ") && why.contains(words),
                "{does:?}: {why}"
            );
        }
    }
    proxy.now(Does::Passes);
    busy.abort();
    let _ = busy.await;
    let truth = scene.truth().await;
    let all = |_: &[MetricLook], sums: &Sums| {
        sums.canary == truth.canary && sums.baseline == truth.baseline
    };
    let begun = source.sums.clone();
    source.until("what was missing is made up for", all).await;
    let sums = &source.sums;
    assert!(sums.missing >= begun.missing, "{sums:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_differ_are_reckoned_with() {
    let scene = Scene::new();
    let Some(store) = scene.store() else { return };
    let proxy = Proxy::before(store.port).await;
    let metrics = [errors(), memory()];
    let rollout = &scene.rollout;
    let busy = scene.traffic();
    for ahead in [3600, -3600] {
        proxy.now(Does::Ahead(ahead));
        let mut source = rollout.counting(source(config(&proxy.url, BY_VERSION)), &metrics);
        let much = |looks: &[MetricLook], sums: &Sums| {
            let level = |s: &Sample| matches!(s, Sample::Gauge { n: 2, .. });
            sums.canary[1] > 50 && level(&looks[1].canary) && level(&looks[1].baseline)
        };
        source.until("counts", much).await;
    }
    busy.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_and_what_is_on_both_sides_is_refused() {
    let scene = Scene::new();
    let Some(store) = scene.store() else { return };
    let rollout = &scene.rollout;
    let metrics = [latency()];
    let few = source(Config {
        limits: Limits {
            series: 3,
            points: 100_000,
        },
        ..config(&store.url(), BY_VERSION)
    });
    let mut few = rollout.counting(few, &metrics);
    let what = "a refusal";
    let says = |words: &'static str| {
        move |looks: &[MetricLook], _: &Sums| {
            let all = [&looks[0].canary, &looks[0].baseline];
            let refused = |s: &&Sample| matches!(s, Sample::Missing { why } if why.contains(words));
            all.iter().all(refused)
        }
    };
    let many = says("more than 3 series are selected");
    few.until(what, many).await;
    let few = source(Config {
        limits: Limits {
            series: 2000,
            points: 3,
        },
        ..config(&store.url(), BY_VERSION)
    });
    let mut few = rollout.counting(few, &metrics);
    few.until(what, says("samples are more than 3")).await;
    let sides = ["job=\"shop\"", "version=\"{version}\""];
    let mut both = rollout.counting(source(config(&store.url(), sides)), &metrics);
    let twice = says("both sides select http_request_duration_seconds_bucket of shop/127.0.0.1");
    both.until(what, twice).await;
    let mut none = source(config(
        &store.url(),
        ["version=\"{digest}\"", "version=\"9.9\""],
    ));
    let looks = rollout.next(&mut none, &metrics).await;
    assert!(why(&looks[0].canary).contains("{digest}"), "{looks:?}");
    let none = why(&looks[0].baseline);
    assert!(
        none.contains("there is no series http_request_duration_seconds"),
        "{none}"
    );
    // long queries go into a form
    let proxy = Proxy::before(store.port).await;
    let long = format!("version!=\"{}\",version=\"{{version}}\"", "x".repeat(2000));
    let mut long = rollout.counting(source(config(&proxy.url, [&long, &long])), &metrics);
    let good = |looks: &[MetricLook], _: &Sums| matches!(looks[0].canary, Sample::Histogram { .. });
    long.until("an answer to a form", good).await;
    assert!(proxy.asked()[0].starts_with("POST /api/v1/query HTTP"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_shows_of_the_dead_is_not_believed() {
    let page = |value: &str| {
        format!(
            "# TYPE http_requests_total counter\nhttp_requests_total{{code=\"500\"}} {value}\nlevel {value}\n"
        )
    };
    let (one, two) = (
        Server::shows(&page("7")).await,
        Server::shows(&page("7")).await,
    );
    let targets = [
        (address(&one.url), "version: \"2.0\""),
        (address(&two.url), "version: \"1.0\""),
    ];
    let Some(store) = Store::start(&targets) else {
        return;
    };
    let rollout = Rollout::new(&[("a", one.url.clone())], &[("b", two.url.clone())]);
    let gauge = MetricQuery {
        name: "level".into(),
        kind: QueryKind::Gauge {
            series: select("level"),
        },
    };
    let metrics = [errors(), gauge];
    let mut source = rollout.counting(source(config(&store.url(), BY_VERSION)), &metrics);
    let all = |looks: &[MetricLook], canary: bool, is: &dyn Fn(&Sample) -> bool| {
        let side = |look: &MetricLook| is(if canary { &look.canary } else { &look.baseline });
        looks.len() == 2 && looks.iter().all(side)
    };
    let there = |s: &Sample| matches!(s, Sample::Ratio { .. } | Sample::Gauge { .. });
    let good =
        |looks: &[MetricLook], _: &Sums| all(looks, true, &there) && all(looks, false, &there);
    source.until("both sides", good).await;
    for value in ["NaN", "+Inf"] {
        one.now_shows(&page(value));
        let bad = |looks: &[MetricLook], _: &Sums| {
            let said = value.trim_start_matches('+').to_lowercase();
            let odd = |s: &Sample| matches!(s, Sample::Missing { why } if why.to_lowercase().contains(&said));
            all(looks, true, &odd)
        };
        source.until(value, bad).await;
    }
    one.now_shows(&page("9"));
    source.until("it is well again", good).await;
    one.now_says(Some(
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ));
    let gone = |looks: &[MetricLook], _: &Sums| {
        let old = |s: &Sample| matches!(s, Sample::Missing { why } if why.contains("its newest sample was") || why.contains("no series"));
        all(looks, true, &old)
    };
    let looks = source.until("nothing new", gone).await;
    assert!(
        matches!(looks[0].baseline, Sample::Ratio { .. }),
        "{looks:?}"
    );
    let sums = &source.sums;
    assert_eq!(sums.canary, [2, 2], "9 - 7, and nothing of what was odd");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_proved_and_who_answers_too() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/prometheus");
    let instance = Server::shows("# TYPE m counter\nm 1\n").await;
    let web = "tls_server_config: { cert_file: server.pem, key_file: server.key }\n\
               basic_auth_users:\n  \"room\": $2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n";
    let prepare = |dir: &std::path::Path| {
        for name in ["server.pem", "server.key", "ca.pem"] {
            std::fs::copy(here.join(name), dir.join(name)).unwrap();
        }
        std::fs::write(dir.join("web.yml"), web).unwrap();
        std::fs::write(dir.join("password"), "open sesame\n").unwrap();
    };
    let targets = [(address(&instance.url), "version: \"2.0\"")];
    let more = ["--web.config.file=web.yml"];
    let Some(store) = Store::with(&targets, &more, prepare) else {
        return;
    };
    let rollout = Rollout::new(&[("a", instance.url.clone())], &[]);
    let level = MetricQuery {
        name: "m".into(),
        kind: QueryKind::Gauge {
            series: select("m"),
        },
    };
    let url = format!("https://127.0.0.1:{}", store.port);
    let password = |file: &str| Auth::Basic {
        user: "room".into(),
        password: SecretRef::File(store.file(file)),
    };
    let good = Config {
        auth: password("password"),
        authorities: Some(store.file("ca.pem")),
        ..config(&url, BY_VERSION)
    };
    let metrics = [level];
    let here = |looks: &[MetricLook], _: &Sums| matches!(looks[0].canary, Sample::Gauge { .. });
    let mut known = rollout.counting(source(good.clone()), &metrics);
    known.until("an answer", here).await;

    // the file is read at every look
    std::fs::write(store.file("password"), "wrong").unwrap();
    let looks = rollout.next(&mut known.source, &metrics).await;
    assert!(why(&looks[0].canary).contains("answered 401"), "{looks:?}");
    std::fs::remove_file(store.file("password")).unwrap();
    let looks = rollout.next(&mut known.source, &metrics).await;
    assert!(
        why(&looks[0].canary).contains("password cannot be read"),
        "{looks:?}"
    );

    std::fs::write(store.file("password"), "open sesame").unwrap();
    let strangers = [
        Config {
            authorities: None,
            ..good.clone()
        },
        Config {
            url: url.replace("https", "http").parse().unwrap(),
            ..good.clone()
        },
        Config {
            authorities: Some(store.file("web.yml")),
            ..good.clone()
        },
        Config {
            authorities: Some(store.file("none.pem")),
            ..good.clone()
        },
    ];
    let words = [
        "no connection",
        "answered 400",
        "no certificate in it",
        "No such file",
    ];
    for (config, words) in strangers.into_iter().zip(words) {
        let looks = rollout.next(&mut source(config), &metrics).await;
        let why = why(&looks[0].canary);
        assert!(why.contains(words), "{words}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_and_tenants_are_sent_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cr3t-t0ken\n").unwrap();
    let port: u16 = refused_url().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::before(port).await;
    let secret = SecretRef::File(token);
    let mut source = source(Config {
        auth: Auth::Bearer(secret.clone()),
        headers: vec![
            (
                "X-Scope-OrgID".parse().unwrap(),
                Header::Text("team-7".into()),
            ),
            ("X-Api-Key".parse().unwrap(), Header::Secret(secret)),
        ],
        ..config(&proxy.url, BY_VERSION)
    });
    let echo = r#"{"status":"error","error":"the token s3cr3t-t0ken is too old"}"#;
    proxy.now(says("403 No", "application/json", echo));
    let rollout = Rollout::new(&[("a", proxy.url.clone())], &[]);
    let looks = rollout.next(&mut source, &[errors()]).await;
    let said = why(&looks[0].canary);
    assert!(
        said.contains("answered 403: who asks may not: the token (secret) is too old"),
        "{said}"
    );
    assert!(!format!("{looks:?} {source:?}").contains("s3cr3t"));
    let asked = proxy.asked().concat().to_lowercase();
    for header in [
        "authorization: bearer s3cr3t-t0ken",
        "x-scope-orgid: team-7",
        "x-api-key: s3cr3t-t0ken",
        "accept: application/json",
    ] {
        assert!(asked.contains(header), "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_judged_by_what_a_store_says() {
    let (mut stage, busy) = stage().await;
    let urls: Vec<String> = (0..6).map(|n| busy.url(n)).collect();
    let targets: Vec<(&str, &str)> = urls.iter().map(|url| (address(url), "")).collect();
    let Some(mut store) = Store::start(&targets) else {
        return;
    };
    let config = Config {
        limit: Span::secs(3),
        ..config(&store.url(), BY_INSTANCE)
    };
    stage.sources = [("prom".into(), Arc::new(config))].into();
    let services = stage.charter.services.values_mut();
    for metric in services.flat_map(|service| service.metrics.values_mut()) {
        metric.source = Some("prom".into());
    }
    stage.start().await;
    let id = released(&stage).await;
    let see = async || charts(&stage, id);
    let drawn = |charts: &Vec<Chart>| {
        let points = charts.iter().flat_map(|chart| &chart.points);
        points
            .filter(|p| p.canary.is_some() && p.baseline.is_some())
            .count()
            >= 3
    };
    let seen = until_async("points from the store", see, drawn).await;
    // the instances show one bad request of eleven
    let point = seen[0].points.iter().rfind(|p| p.canary.is_some()).unwrap();
    for side in [point.canary, point.baseline] {
        assert!((side.unwrap() - 1.0 / 11.0).abs() < 1e-3, "{point:?}");
    }
    // a look more often than the store scrapes, once a second, is no look: over a while there are no
    // more of them than scrapes
    let points: Vec<i64> = seen[0].points.iter().map(|p| p.at.0).collect();
    let span = points.last().unwrap() - points.first().unwrap();
    let most = usize::try_from(span / 1000).unwrap() + 2;
    assert!(points.len() <= most, "{points:?}");

    store.kill();
    let blind = |charts: &Vec<Chart>| {
        let said =
            |c: &Chart| c.call == Call::NoData && c.words.contains("prom: connection refused");
        charts.iter().all(said)
    };
    let evidence = |charts: &[Chart]| (charts[0].judged.evidence, charts[0].judged.most);
    let blinded = until_async("no data, and why", see, blind).await;
    // a look without data is none: as long as it lasts, the evidence stands still
    let inconclusive = async || stage.engine().live().borrow().judgements.get(&id).cloned();
    let said = until_async("no data at all", inconclusive, |it| {
        it.as_ref()
            .is_some_and(|it| it.decision == Decision::Inconclusive)
    })
    .await
    .unwrap();
    assert_eq!(&*said.reason, "no data");
    assert_eq!(evidence(&charts(&stage, id)), evidence(&blinded));
    store.again();
    let well = |charts: &Vec<Chart>| charts.iter().all(|chart| chart.call != Call::NoData);
    until_async("data again", see, well).await;
    until_async("a judgement again", inconclusive, |it| {
        it.as_ref()
            .is_some_and(|it| it.decision != Decision::Inconclusive)
    })
    .await;
}
