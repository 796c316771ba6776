//! Health checks over HTTP against real servers that misbehave.

use holdpoint::domain::{Artifact, Span};
use holdpoint::platform::health::{Check, HttpCheck, Probe, Subject};
use holdpoint::platform::http::Http;

use crate::server::{Server, refused_url};

fn subject(url: &str) -> Subject {
    Subject {
        instance: "i-01".into(),
        url: Some(url.to_string()),
        host: None,
        artifact: Artifact {
            version: "4.12.0".into(),
            digest: "".into(),
        },
    }
}

fn check(url: &str) -> HttpCheck {
    HttpCheck {
        url: url.to_string(),
        expect: vec![],
        contains: None,
        timeout: Span::secs(30),
    }
}

async fn probe(check: HttpCheck, url: &str) -> Probe {
    let http = Http::new().unwrap();
    Check::Http(check).probe(&http, &subject(url)).await
}

fn fail(why: &str) -> Probe {
    Probe::Fail { why: why.into() }
}

fn unknown(why: &str) -> Probe {
    Probe::Unknown { why: why.into() }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

#[tokio::test]
async fn pages_pass_or_fail_by_status_and_text() {
    let server = Server::says(answer("200 OK", "version 4.12.0, i-01")).await;
    assert_eq!(
        probe(check("{url}/healthz"), &server.url).await,
        Probe::Pass
    );
    assert_eq!(server.last_path(), "/healthz");
    let mut with_text = check("{url}/check?i={instance}");
    with_text.contains = Some("version {version}, {instance}".into());
    assert_eq!(probe(with_text.clone(), &server.url).await, Probe::Pass);
    assert_eq!(server.last_path(), "/check?i=i-01");
    with_text.contains = Some("version 5".into());
    let found = probe(with_text, &server.url).await;
    assert_eq!(found, fail("`version 5` is not in its answer"));
    let mut other = check("{url}");
    other.expect = vec![204, 404];
    let found = probe(other, &server.url).await;
    assert_eq!(found, fail("answered 200, not 204 or 404"));

    let server = Server::says(answer("503 Service Unavailable", "")).await;
    let found = probe(check("{url}"), &server.url).await;
    assert_eq!(found, fail("answered 503, not 200 to 299"));
}

#[tokio::test]
async fn redirects_are_an_answer() {
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: /\x1b[31mlogin\r\nContent-Length: 0\r\n\r\n";
    let server = Server::says(elsewhere.replace('\x1b', "\\").into_bytes()).await;
    let found = probe(check("{url}"), &server.url).await;
    assert_eq!(found, fail("answered 302 to /\\[31mlogin, not 200 to 299"));
}

#[tokio::test]
async fn what_does_not_answer_fails_and_what_cannot_be_asked_is_unknown() {
    let found = probe(check("{url}"), &refused_url()).await;
    assert_eq!(found, fail("connection refused"));
    let silent = Server::hangs().await;
    let mut impatient = check("{url}");
    impatient.timeout = Span(300);
    let found = probe(impatient, &silent.url).await;
    assert_eq!(found, fail("no answer in 300 ms"));
    let broken = Server::says(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf".to_vec()).await;
    let found = probe(check("{url}"), &broken.url).await;
    assert!(
        matches!(&found, Probe::Fail { why } if why.contains("broke off")),
        "{found:?}"
    );
    let garbage = Server::says(b"\x00\x01\x02 hello\r\n\r\n".to_vec()).await;
    let found = probe(check("{url}"), &garbage.url).await;
    assert!(matches!(&found, Probe::Fail { .. }), "{found:?}");

    let found = probe(check("{url}"), "no url").await;
    assert_eq!(found, unknown("`no url` is no http or https URL"));
    let found = probe(check("{url}"), "").await;
    assert_eq!(
        found,
        unknown("the instance has no url in its configuration")
    );
    let found = probe(check("http://no-such-host.invalid/"), "").await;
    assert_eq!(found, unknown("its host name was not found"));
}

#[tokio::test]
async fn only_the_beginning_of_a_long_page_is_read() {
    let long = "x".repeat(3 << 20) + "needle";
    let server = Server::says(answer("200 OK", &long)).await;
    let mut needle = check("{url}");
    needle.contains = Some("needle".into());
    let found = probe(needle, &server.url).await;
    assert_eq!(
        found,
        fail("`needle` is not in the first MiB of its answer")
    );
}
