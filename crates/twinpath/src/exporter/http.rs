//! `GET /metrics` and `GET /healthz`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderMap};
use hyper::{Request, StatusCode};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Answer;
use super::family::Families;
use super::text::Format;
use crate::failure::Failure;
use crate::http::{self, Reply, reply, short};

/// How long the owner may take to answer: it looks every 20 ms, and figures of a thousand sessions take a
/// moment. Prometheus waits for 10 s.
const OWNER: Duration = Duration::from_secs(8);

/// For threads that scrape.
pub(crate) type Scrapes = SyncSender<Answer>;

/// Serves metrics alone at `address`. Returns where it listens.
///
/// # Errors
/// As [`http::start`].
pub(super) fn start(address: SocketAddr, scrapes: Scrapes) -> Result<SocketAddr, Failure> {
    http::start("--metrics", address, move |request| {
        let scrapes = scrapes.clone();
        async move {
            let other = || short(StatusCode::NOT_FOUND, "see /metrics and /healthz");
            respond(&request, &scrapes).await.unwrap_or_else(other)
        }
    })
}

/// The answer to a request for metrics; `None`: it is for something else.
pub(crate) async fn respond(request: &Request<Incoming>, scrapes: &Scrapes) -> Option<Reply> {
    let path = request.uri().path();
    if !["/metrics", "/healthz"].contains(&path) {
        return None;
    }
    if let Some(refusal) = http::only_read(request.method()) {
        return Some(refusal);
    }
    if path == "/metrics" {
        let format = Format::of(&accepted(request.headers()));
        return Some(metrics(format, scrapes).await);
    }
    // Who is alive answers.
    Some(match families(scrapes).await {
        Some(_) => short(StatusCode::OK, "ok"),
        None => busy(),
    })
}

/// All `Accept` fields together.
fn accepted(headers: &HeaderMap) -> String {
    let fields = headers.get_all(ACCEPT).iter();
    let fields: Vec<&str> = fields.filter_map(|field| field.to_str().ok()).collect();
    fields.join(",")
}

async fn metrics(format: Format, scrapes: &Scrapes) -> Reply {
    let Some(families) = families(scrapes).await else {
        return busy();
    };
    match format.encode(families) {
        Ok(octets) => reply(StatusCode::OK, format.content_type(), octets),
        Err(error) => short(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// What the owner answers in time.
async fn families(scrapes: &Scrapes) -> Option<Arc<Families>> {
    let (answer, answered) = oneshot::channel();
    let give = move |families| {
        // A client that has gone needs no answer.
        let _gone = answer.send(families);
    };
    scrapes.try_send(Box::new(give)).ok()?;
    timeout(OWNER, answered).await.ok()?.ok()
}

fn busy() -> Reply {
    short(StatusCode::SERVICE_UNAVAILABLE, "no answer within 8 s")
}
