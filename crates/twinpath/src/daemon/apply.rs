//! A configuration that is given to a daemon that runs, by its Unix socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Configuration;
use crate::clients;
use crate::failure::{Failure, one_line};
use crate::http::client::exchange;

/// How long a daemon may take: 10,000 sessions are judged in a part of it.
const LONGEST: Duration = Duration::from_mins(1);
/// Octets of an answer, at most.
const MOST_OCTETS: usize = 1 << 20;
const JSON: &str = "application/yang-data+json";
const WHOLE: &str = "/restconf/data";
const NEEDS_RESTART: &str = "/restconf/data/twinpath-measurement:measurement/state/needs-restart";

impl Configuration {
    /// Replaces the configuration of the daemon that has this socket; by default the one that this configuration has.
    /// Returns the settings that the daemon has once it is started again.
    ///
    /// # Errors
    /// No daemon takes it: why.
    pub(crate) fn apply(&self, socket: Option<&Path>) -> Result<Vec<String>, Failure> {
        let own = self.settings.api.socket.as_deref();
        let Some(socket) = socket.or(own) else {
            let line = "the configuration has no socket of a daemon";
            let remedy = "add socket to [api] and start the daemon again, or use --socket PATH";
            return Err(Failure::usage(line).with_remedy(Some(remedy)));
        };
        let failed = |error: io::Error| {
            let line = format!("no answer from a daemon at {}: {error}", socket.display());
            let remedy = "start a daemon whose [api] has this socket, as its user or root";
            Failure::could_not(line).with_remedy(Some(remedy))
        };
        let runtime = clients::runtime().map_err(failed)?;
        let answer = runtime.block_on(async {
            let put = ask(socket, Method::PUT, WHOLE, self.to_json());
            let put = timeout(LONGEST, put).await;
            put.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        });
        let (status, answer) = answer.map_err(failed)?;
        if !status.is_success() {
            return Err(refusal(status, &answer));
        }
        // It is in force, whatever comes of this.
        let state = runtime.block_on(async {
            let get = ask(socket, Method::GET, NEEDS_RESTART, String::new());
            timeout(LONGEST, get).await
        });
        match state {
            Ok(Ok((status, answer))) if status.is_success() => Ok(settings(&answer)),
            Ok(_) | Err(_) => Ok(Vec::new()),
        }
    }
}

async fn ask(
    socket: &Path,
    method: Method,
    path: &str,
    body: String,
) -> io::Result<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(socket).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .header(ACCEPT, JSON)
        .header(CONTENT_TYPE, JSON)
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    let answer = exchange(stream, request, MOST_OCTETS).await;
    let answer = answer.map_err(io::Error::other)?;
    Ok((answer.status, answer.body.unwrap_or_default()))
}

/// The values of the leaf-list that an answer has.
fn settings(answer: &[u8]) -> Vec<String> {
    let document: Value = serde_json::from_slice(answer).unwrap_or_default();
    let values = document.get("twinpath-measurement:needs-restart");
    let values = values.and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_str).map(one_line).collect()
}

/// What a daemon said of it, a line for each error.
fn refusal(status: StatusCode, answer: &[u8]) -> Failure {
    let document: Value = serde_json::from_slice(answer).unwrap_or_default();
    let errors = document.pointer("/ietf-restconf:errors/error");
    let errors = errors.and_then(Value::as_array).into_iter().flatten();
    let failures = errors.map(|error| {
        let text = |name| error.get(name).and_then(Value::as_str);
        let message = text("error-message").unwrap_or_default();
        let line = match text("error-path") {
            Some(path) => format!("{path}: {message}"),
            None => message.to_owned(),
        };
        let line = one_line(&line);
        if status == StatusCode::BAD_REQUEST {
            Failure::usage(line)
        } else {
            Failure::could_not(line)
        }
    });
    let mut failures: Vec<Failure> = failures.collect();
    match failures.pop() {
        Some(last) => last.after(failures),
        None => Failure::could_not(format!("the daemon answered {status}")),
    }
}
