//! HTTP/1.1 for metrics, pages and control of a daemon: all connections within limits, by one thread.
//!
//! Of the connections that may be open at once, the one that has waited longest for its next request is closed for a
//! new one: slow clients delay no other. A connection that is answered is never closed for another.

#[cfg(feature = "daemon")]
mod access;
mod activity;
mod body;
#[cfg(feature = "daemon")]
pub(crate) mod client;
mod connection;
mod connections;
#[cfg(feature = "daemon")]
mod guarded;
#[cfg(feature = "daemon")]
#[cfg_attr(not(unix), path = "local/absent.rs")]
mod local;
#[cfg(all(feature = "daemon", feature = "tls"))]
mod pem;
#[cfg(test)]
mod tests;
#[cfg(feature = "daemon")]
#[cfg_attr(not(feature = "tls"), path = "tls/absent.rs")]
mod tls;
#[cfg(feature = "daemon")]
mod tokens;
#[cfg(feature = "daemon")]
mod user;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::{debug, error};
use twinpath_runtime::stream;

use crate::clients;
use crate::failure::Failure;

use activity::{Activity, Observed};

#[cfg(feature = "daemon")]
pub(crate) use access::{Denial, Endpoints, TlsFiles, secret_file};
#[allow(
    unused_imports,
    reason = "for what controls a daemon, which is not in all programs"
)]
pub(crate) use body::{Body, BodyFault, body, streamed};
use connections::{Connections, Source};
#[cfg(feature = "daemon")]
pub(crate) use guarded::Guarded;
#[cfg(feature = "daemon")]
pub(crate) use tls::{HAS_TLS, WITHOUT as WITHOUT_TLS};
#[cfg(feature = "daemon")]
#[allow(unused_imports, reason = "for what controls a daemon")]
pub(crate) use user::User;

/// After a failure to accept a connection.
const REST: Duration = Duration::from_millis(100);

/// A response; its body is complete, or a stream ([`streamed`]).
pub(crate) type Reply = Response<Body>;

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
    let (listener, listening) = listen(asked, address)?;
    let without = |error| Failure::could_not(format!("{asked} {address}: {error}"));
    let runtime = clients::runtime().map_err(without)?;
    clients::spawn("http", runtime, || async move {
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                let serve =
                    move |stream, activity| connection::serve(stream, activity, answer.clone());
                accept(listener, Connections::default(), serve).await;
            }
            Err(error) => error!(%error, "HTTP is not served"),
        }
    })
    .map_err(without)?;
    Ok(listening)
}

/// A socket that listens at `address`, and where that is.
///
/// # Errors
/// It cannot listen there; `asked`: what asked for it.
pub(crate) fn listen(
    asked: &str,
    address: SocketAddr,
) -> Result<(std::net::TcpListener, SocketAddr), Failure> {
    let listener = stream::listen(address, None, None).map_err(|error| {
        let failure = Failure::from(error);
        Failure {
            line: format!("{asked}: {}", failure.line),
            ..failure
        }
    })?;
    let listening = listener.local_addr();
    let listening =
        listening.map_err(|error| Failure::could_not(format!("{asked} {address}: {error}")))?;
    Ok((listener, listening))
}

/// Accepts connections for ever, each served by `serve`.
async fn accept<Serving>(
    listener: TcpListener,
    connections: Connections,
    serve: impl Fn(Observed<TcpStream>, Arc<Activity>) -> Serving,
) where
    Serving: Future<Output = ()> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let source = Source::of(from.ip());
                connections.open(source, stream, &serve);
            }
            // No descriptors, for example: one may become free.
            Err(error) => {
                debug!(%error, "a connection by HTTP could not be accepted");
                sleep(REST).await;
            }
        }
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
    let mut response = Response::new(Body::complete(Bytes::from(octets)));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
