//! RESTCONF (RFC 8040): the configuration and state of a daemon as resources.
//!
//! The methods are done on trees by `twinpath_yang`; here are their requests, responses, preconditions and errors.

mod data;
mod media;
mod operations;
mod preconditions;
mod query;
mod refusal;
pub(super) mod rights;
mod root;
mod streams;

use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};

use crate::http::{self, Denial, Reply, User, reply};

use super::super::control::Control;
use super::super::model::{Model, model};
use media::Encoding;
use query::Parameters;
use refusal::Refusal;
pub(in crate::daemon) use streams::ENCODINGS;

/// Where resources are.
pub(in crate::daemon) const ROOT: &str = "/restconf";
/// Where clients find out (RFC 8040 section 3.1).
const DISCOVERY: &str = "/.well-known/host-meta";
/// Octets of a body, at most: 10,000 sessions, and as much again.
const MOST_OCTETS: usize = 16 << 20;

/// A request that is answered.
struct Asked {
    control: Control,
    model: &'static Model,
    user: User,
    method: Method,
    headers: HeaderMap,
    parameters: Parameters,
    /// Of the response.
    encoding: Encoding,
    body: Bytes,
}

/// Whether a path is one of RESTCONF.
pub(super) fn has(path: &str) -> bool {
    path == DISCOVERY || below(path).is_some()
}

/// What is behind the root of RESTCONF.
fn below(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(ROOT)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

/// Answers a request for a path that RESTCONF has.
pub(super) async fn answer(control: Control, request: Request<Incoming>) -> Reply {
    let encoding = Encoding::accepted(request.headers());
    let shown = encoding.unwrap_or(Encoding::Json);
    match answered(control, request, encoding).await {
        Ok(reply) => reply,
        Err(refusal) => refusal.reply(shown),
    }
}

/// The answer to a request that is not admitted, where its path is one of RESTCONF and its client takes such errors.
pub(super) fn denied(request: &Request<Incoming>, denial: Denial) -> Option<Reply> {
    if !has(request.uri().path()) {
        return None;
    }
    let encoding = Encoding::accepted(request.headers())?;
    Some(Refusal::of_denial(denial).reply(encoding))
}

async fn answered(
    control: Control,
    request: Request<Incoming>,
    encoding: Option<Encoding>,
) -> Result<Reply, Refusal> {
    let path = request.uri().path().to_owned();
    if path == DISCOVERY {
        return root::discovery(request.method());
    }
    let below_root = below(&path).unwrap_or_default();
    // What is no data has its media type by its address.
    let is_data = !["streams/", "modules/"]
        .iter()
        .any(|it| below_root.starts_with(it));
    let encoding = encoding.or((!is_data).then_some(Encoding::Json));
    let encoding = encoding.ok_or_else(Refusal::not_acceptable)?;
    let model = model().map_err(|failure| Refusal::broken(&failure.to_string()))?;
    let parameters = Parameters::of(request.uri().query().unwrap_or_default())?;
    let (head, body) = request.into_parts();
    let user = head.extensions.get::<User>().cloned();
    let asked = Asked {
        control,
        model,
        user: user.ok_or_else(|| Refusal::denied("write credentials"))?,
        method: head.method,
        headers: head.headers,
        parameters,
        encoding,
        body: http::body(body, MOST_OCTETS)
            .await
            .map_err(|fault| Refusal::of_body(fault, MOST_OCTETS))?,
    };
    let path = below(&path).unwrap_or_default();
    let (kind, rest) = path.split_once('/').unwrap_or((path, ""));
    match kind {
        "" => root::api(&asked),
        "yang-library-version" if rest.is_empty() => root::library_version(&asked),
        "operations" => operations::answer(&asked, rest),
        "modules" => root::module(&asked, rest),
        "streams" => streams::answer(&asked, rest),
        "data" => data::answer(asked, rest).await,
        _ => Err(Refusal::not_found(
            "use /restconf/data, /restconf/operations, /restconf/streams or /restconf/yang-library-version",
        )),
    }
}

impl Asked {
    /// Refuses methods that a resource does not have.
    fn only(&self, methods: &'static str) -> Result<(), Refusal> {
        let mut known = methods.split(", ");
        if known.any(|method| method == self.method.as_str()) {
            return Ok(());
        }
        Err(Refusal::not_allowed(&self.method, methods))
    }

    /// A document of this encoding.
    fn document(&self, octets: String) -> Reply {
        let mut response = reply(
            StatusCode::OK,
            self.encoding.media_type(),
            octets.into_bytes(),
        );
        no_cache(response.headers_mut());
        response
    }
}

fn no_cache(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}

/// The answer to OPTIONS.
fn options(methods: &'static str) -> Reply {
    let mut response = empty(StatusCode::OK);
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}

/// No content.
fn empty(status: StatusCode) -> Reply {
    let mut response = reply(status, "", Vec::new());
    response.headers_mut().remove(hyper::header::CONTENT_TYPE);
    response
}
