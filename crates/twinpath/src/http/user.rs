//! Who sends a request.

use std::fmt;
use std::sync::Arc;

use hyper::header::HeaderMap;
use hyper::http::uri::Authority;
use hyper::{Method, Uri, header};

/// The user of a request, in its extensions. A request without one is for `/healthz` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Anyone on this host: the server is on loopback and needs no credentials.
    Anonymous,
    /// The name of a token, or of a client certificate.
    Named(Arc<str>),
    /// Root or the user of this process, by the Unix socket.
    Local,
}

/// For logs.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("a user of this host"),
            Self::Named(name) => write!(f, "user {name}"),
            Self::Local => f.write_str("root or the daemon's user"),
        }
    }
}

/// Whether a request was sent by a page of another origin than this server: browsers send credentials with it.
pub(super) fn is_of_other_origin(method: &Method, headers: &HeaderMap) -> bool {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().ok().and_then(|it| it.parse::<Uri>().ok());
    let origin = origin.as_ref().and_then(Uri::authority);
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    origin.is_none() || origin.map(Authority::as_str) != host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        let is_refused = |method: &Method, fields: &[(header::HeaderName, &str)]| {
            let fields = fields.iter().cloned();
            let fields = fields.map(|(name, value)| (name, value.parse().unwrap()));
            is_of_other_origin(method, &fields.collect())
        };
        let host = (header::HOST, "probe:8862");
        for origin in [
            "https://other",
            "https://probe",
            "null",
            "https://probe:886",
        ] {
            let fields = [host.clone(), (header::ORIGIN, origin)];
            assert!(is_refused(&Method::POST, &fields), "{origin}");
            assert!(!is_refused(&Method::GET, &fields), "{origin}");
        }
        let same = [host.clone(), (header::ORIGIN, "https://probe:8862")];
        assert!(!is_refused(&Method::DELETE, &same));
        assert!(!is_refused(&Method::POST, &[host]));
    }
}
