//! HTTP/1.1 as far as metrics and pages need it: a connection for each request, within limits, by one thread.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, error};
use twinpath_runtime::stream;

use crate::clients::{self, Limits};
use crate::failure::Failure;

const CONNECTIONS: Limits = Limits {
    at_once: 64,
    within: Duration::from_secs(15),
};
/// How long its request may take to come.
const REQUEST: Duration = Duration::from_secs(5);
/// Octets and number of a request's header fields; Prometheus sends 300 in 6.
const MOST_HEADER_OCTETS: usize = 8_192;
const MOST_HEADERS: usize = 64;

/// A response with all of its body.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Listens at `address` and has requests answered by `answer` from a thread of its own, as long as the process lives.
/// Returns where it listens. `asked`: what asked for it, in errors.
///
/// # Errors
/// Where it cannot listen there, or the system has no more threads.
pub(crate) fn start<Answer, Answering>(
    asked: &str,
    address: SocketAddr,
    answer: Answer,
) -> Result<SocketAddr, Failure>
where
    Answer: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static,
    Answering: Future<Output = Reply> + Send + 'static,
{
    let listener = stream::listen(address, None, None).map_err(|error| {
        let failure = Failure::from(error);
        Failure {
            line: format!("{asked}: {}", failure.line),
            ..failure
        }
    })?;
    let without = |error| Failure::could_not(format!("{asked} {address}: {error}"));
    let listening = listener.local_addr().map_err(without)?;
    let runtime = clients::runtime().map_err(without)?;
    clients::spawn("http", runtime, || async move {
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                let accept = async || Ok(listener.accept().await?.0);
                let serve = move |stream| serve(stream, answer.clone());
                clients::serve("http", CONNECTIONS, accept, serve).await;
            }
            Err(error) => error!(%error, "HTTP is not served"),
        }
    })
    .map_err(without)?;
    Ok(listening)
}

async fn serve<Answer, Answering>(stream: TcpStream, answer: Answer)
where
    Answer: Fn(Request<Incoming>) -> Answering,
    Answering: Future<Output = Reply>,
{
    let service = service_fn(|request| {
        let answered = answer(request);
        async { Ok::<_, Infallible>(answered.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST)
        .max_header_size(MOST_HEADER_OCTETS)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        debug!(%error, "a connection by HTTP");
    }
}

/// A refusal of a method that changes something, where there is nothing to change.
pub(crate) fn only_read(method: &Method) -> Option<Reply> {
    if [Method::GET, Method::HEAD].contains(method) {
        return None;
    }
    let mut response = short(StatusCode::METHOD_NOT_ALLOWED, "use GET");
    let methods = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(ALLOW, methods);
    Some(response)
}

/// A line of text.
pub(crate) fn short(status: StatusCode, line: &str) -> Reply {
    let octets = format!("{line}\n").into_bytes();
    reply(status, "text/plain; charset=utf-8", octets)
}

/// Any content.
pub(crate) fn reply(status: StatusCode, content_type: &'static str, octets: Vec<u8>) -> Reply {
    let mut response = Response::new(Full::new(Bytes::from(octets)));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
