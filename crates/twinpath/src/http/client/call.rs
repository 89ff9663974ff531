//! A request, its answer, and why there is no answer.

use std::io;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use twinpath_report::words;

use crate::failure::Failure;

/// What an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerLimits {
    /// From the look-up of the name to the end of the answer.
    pub(crate) within: Duration,
    /// Octets of its body; 0: the body is not read.
    pub(crate) octets: usize,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(super) method: Method,
    pub(super) query: String,
    pub(super) fields: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    pub(super) limits: AnswerLimits,
}

/// What a server answered, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    /// `None`: it has more octets than the limit, or is not read.
    pub(crate) body: Option<Bytes>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// A file with a token, a key or certificates cannot be used.
    #[error("{0}")]
    File(Failure),
    /// No connection.
    #[error("cannot connect to {host}: {source}")]
    Connect {
        /// The host and its port.
        host: String,
        /// Of the system.
        source: io::Error,
    },
    /// The server is not the one that is meant, or TLS failed for another reason.
    #[error("{host}: {what}")]
    Tls {
        /// The host and its port.
        host: String,
        /// In words.
        what: String,
    },
    /// The connection ended, or what came is not HTTP.
    #[error("no answer from {host}: {what}")]
    Broken {
        /// The host and its port.
        host: String,
        /// In words.
        what: String,
    },
    /// It took too long.
    #[error("no answer within {}", words::time(*.0))]
    Late(Duration),
}

impl Call {
    /// Asks for a document.
    pub(crate) fn get(limits: AnswerLimits) -> Self {
        Self::of(Method::GET, Bytes::new(), limits)
    }

    /// Posts a document.
    pub(crate) fn post(body: impl Into<Bytes>, limits: AnswerLimits) -> Self {
        Self::of(Method::POST, body.into(), limits)
    }

    fn of(method: Method, body: Bytes, limits: AnswerLimits) -> Self {
        Self {
            method,
            query: String::new(),
            fields: Vec::new(),
            body,
            limits,
        }
    }

    /// With parameters, which follow those of the URL.
    pub(crate) fn with_query(mut self, query: String) -> Self {
        self.query = query;
        self
    }

    /// With a field.
    pub(crate) fn with_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.push((name, value));
        self
    }
}
