//! Carrying requests to the server and answers back, or failing to.

use std::io;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::wire::{Request, Wire, status};
use super::{Fault, Lie, Shared, Streams};

/// What becomes of a connection after a request.
type Next = io::Result<()>;

/// Ends a connection.
fn broken() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

pub async fn serve(stream: TcpStream, shared: Shared) {
    let mut wire = Wire::new(stream);
    while let Ok(Some(request)) = wire.request().await {
        shared.thaw(is_watch(&request)).await;
        if answer(&mut wire, &request, &shared).await.is_err() {
            return;
        }
    }
}

async fn answer(wire: &mut Wire, request: &Request, shared: &Shared) -> Next {
    let fault = shared.fault_for(request);
    match fault {
        Some(Fault::Answer(code)) => return refuse(wire, code, None).await,
        Some(Fault::Busy(seconds)) => return refuse(wire, 429, Some(seconds)).await,
        Some(Fault::Cut) => return Err(broken()),
        Some(Fault::Hang) => return hang(wire).await,
        _ => {}
    }
    let begun = send(request, shared).await;
    let Ok(answer) = begun else {
        // a server that is not there: so it looks to those who ask it directly, too
        return Err(broken());
    };
    match fault {
        Some(Fault::ErrorEvent(code)) => {
            wire.begin(200, &headers(&answer)).await?;
            wire.piece(&error_event(code)).await?;
            return wire.end().await;
        }
        Some(fault) => {
            // the server has done it when its answer is whole
            answer.bytes().await.map_err(|_| broken())?;
            return match fault {
                Fault::DoneAnswer(code) => refuse(wire, code, None).await,
                Fault::DoneHang => hang(wire).await,
                _ => Err(broken()),
            };
        }
        None => {}
    }
    let streams = answer.headers().get("transfer-encoding").is_some() && is_watch(request);
    if streams && answer.status() == 200 {
        return stream(wire, answer, shared).await;
    }
    let (code, headers) = (answer.status().as_u16(), headers(&answer));
    let body = answer.bytes().await.map_err(|_| broken())?;
    let lie = shared
        .lie()
        .filter(|_| request.method == reqwest::Method::GET && code == 200);
    let body = lie
        .and_then(|lie| lied(&body, &lie))
        .unwrap_or_else(|| body.to_vec());
    shared.thaw(false).await;
    wire.answer(code, &headers, &body).await
}

fn is_watch(request: &Request) -> bool {
    request.path.contains("watch=true") || request.path.contains("watch=1")
}

async fn send(request: &Request, shared: &Shared) -> Result<reqwest::Response, reqwest::Error> {
    let url = format!("{}{}", shared.to.access.server, request.path);
    let mut sent = shared.to.http.request(request.method.clone(), url);
    for (name, value) in &request.headers {
        // what belongs to this connection; and nothing may be compressed that is to be read here
        let own = ["host", "connection", "content-length", "accept-encoding"];
        if !own.contains(&name.to_ascii_lowercase().as_str()) {
            sent = sent.header(name, value);
        }
    }
    sent.body(request.body.clone()).send().await
}

fn headers(answer: &reqwest::Response) -> Vec<(String, String)> {
    let own = ["connection", "content-length", "transfer-encoding"];
    let all = answer
        .headers()
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()));
    all.map(|(name, value)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    })
    .collect()
}

async fn refuse(wire: &mut Wire, code: u16, seconds: Option<u32>) -> Next {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(seconds.map(|s| ("retry-after".to_owned(), s.to_string())));
    wire.answer(code, &headers, status(code, seconds).to_string().as_bytes())
        .await
}

async fn hang(wire: &mut Wire) -> Next {
    wire.gone().await;
    Err(broken())
}

fn error_event(code: u16) -> Vec<u8> {
    let event = json!({"type": "ERROR", "object": status(code, None)});
    format!("{event}\n").into_bytes()
}

/// Passes a watch on, event by event, as they come.
async fn stream(wire: &mut Wire, mut answer: reqwest::Response, shared: &Shared) -> Next {
    // what was ordered before this watch began is not meant for it
    let mut orders = shared.streams.clone();
    orders.mark_unchanged();
    wire.begin(200, &headers(&answer)).await?;
    let mut held: Vec<u8> = Vec::new();
    loop {
        let chunk = tokio::select! {
            chunk = answer.chunk() => chunk,
            () = wire.gone() => return Err(broken()),
            changed = orders.changed() => {
                changed.map_err(|_| broken())?;
                let (_, order) = *orders.borrow_and_update();
                return match order {
                    Streams::Cut => wire.half_a_piece().await.and(Err(broken())),
                    Streams::Error(code) => {
                        wire.piece(&error_event(code)).await?;
                        wire.end().await
                    }
                };
            }
        };
        match chunk {
            Ok(Some(chunk)) => held.extend_from_slice(&chunk),
            Ok(None) => {
                shared.thaw(true).await;
                return wire.end().await;
            }
            Err(_) => return Err(broken()),
        }
        while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = held.drain(..=end).collect();
            let changed = shared.lie().and_then(|lie| lied_event(&line, &lie));
            shared.thaw(true).await;
            wire.piece(&changed.unwrap_or(line)).await?;
        }
    }
}

fn lied_event(line: &[u8], lie: &Lie) -> Option<Vec<u8>> {
    let mut event: Value = serde_json::from_slice(line).ok()?;
    let kind = event["object"]["kind"].as_str()?.to_owned();
    if matches!(event["type"].as_str(), Some("BOOKMARK" | "ERROR")) {
        return None;
    }
    lie(&kind, &mut event["object"]);
    Some(format!("{event}\n").into_bytes())
}

/// An object, or a list whose items do not say what they are.
fn lied(body: &[u8], lie: &Lie) -> Option<Vec<u8>> {
    let mut object: Value = serde_json::from_slice(body).ok()?;
    let kind = object["kind"].as_str()?.to_owned();
    match object["items"].as_array_mut() {
        Some(items) => {
            let kind = kind.strip_suffix("List").unwrap_or(&kind);
            items.iter_mut().for_each(|item| lie(kind, item));
        }
        None => lie(&kind, &mut object),
    }
    Some(object.to_string().into_bytes())
}
