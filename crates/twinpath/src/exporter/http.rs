//! HTTP as far as scrapes need it: `GET /metrics` and `GET /healthz`, a connection for each request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{debug, error};
use twinpath_runtime::stream;

use super::Answer;
use super::family::Families;
use super::text::Format;
use crate::clients::{self, Limits};
use crate::failure::Failure;

const CONNECTIONS: Limits = Limits {
    at_once: 64,
    within: Duration::from_secs(15),
};
/// How long its request may take to come.
const REQUEST: Duration = Duration::from_secs(5);
/// How long the owner may take to answer: it looks every 20 ms, and figures of a thousand sessions take a
/// moment. Prometheus waits for 10 s.
const OWNER: Duration = Duration::from_secs(8);
/// Octets and number of a request's header fields; Prometheus sends 300 in 6.
const MOST_HEADER_OCTETS: usize = 8_192;
const MOST_HEADERS: usize = 64;

type Scrapes = SyncSender<Answer>;

/// Listens at `address` and serves from a thread of its own, as long as the process lives. Returns where it
/// listens.
///
/// # Errors
/// Where it cannot listen there, or the system has no more threads.
pub(super) fn start(address: SocketAddr, scrapes: Scrapes) -> Result<SocketAddr, Failure> {
    let listener = stream::listen(address, None, None).map_err(|error| {
        let failure = Failure::from(error);
        Failure {
            line: format!("--metrics: {}", failure.line),
            ..failure
        }
    })?;
    let without = |error| Failure::could_not(format!("--metrics {address}: {error}"));
    let listening = listener.local_addr().map_err(without)?;
    let runtime = clients::runtime().map_err(without)?;
    clients::spawn("metrics", runtime, || async move {
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                let accept = async || Ok(listener.accept().await?.0);
                let serve = move |stream| serve(stream, scrapes.clone());
                clients::serve("metrics", CONNECTIONS, accept, serve).await;
            }
            Err(error) => error!(%error, "metrics are not served"),
        }
    })
    .map_err(without)?;
    Ok(listening)
}

async fn serve(stream: TcpStream, scrapes: Scrapes) {
    let service = service_fn(|request| respond(request, &scrapes));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST)
        .max_header_size(MOST_HEADER_OCTETS)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        debug!(%error, "a connection for metrics");
    }
}

async fn respond(
    request: Request<Incoming>,
    scrapes: &Scrapes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    Ok(match request.uri().path() {
        "/metrics" | "/healthz" if !is_read => {
            let mut response = short(StatusCode::METHOD_NOT_ALLOWED, "use GET");
            let methods = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, methods);
            response
        }
        "/metrics" => metrics(Format::of(&accepted(request.headers())), scrapes).await,
        // Who is alive answers.
        "/healthz" => match families(scrapes).await {
            Some(_) => short(StatusCode::OK, "ok"),
            None => busy(),
        },
        _ => short(StatusCode::NOT_FOUND, "see /metrics and /healthz"),
    })
}

/// All `Accept` fields together.
fn accepted(headers: &HeaderMap) -> String {
    let fields = headers.get_all(ACCEPT).iter();
    let fields: Vec<&str> = fields.filter_map(|field| field.to_str().ok()).collect();
    fields.join(",")
}

async fn metrics(format: Format, scrapes: &Scrapes) -> Response<Full<Bytes>> {
    let Some(families) = families(scrapes).await else {
        return busy();
    };
    match format.encode(families) {
        Ok(octets) => response(StatusCode::OK, format.content_type(), octets),
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

fn busy() -> Response<Full<Bytes>> {
    short(StatusCode::SERVICE_UNAVAILABLE, "no answer within 8 s")
}

fn short(status: StatusCode, line: &str) -> Response<Full<Bytes>> {
    let octets = format!("{line}\n").into_bytes();
    response(status, "text/plain; charset=utf-8", octets)
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    octets: Vec<u8>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(octets)));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
