//! Where a document comes from.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use twinpath_yang::toml;

use super::signature;
use crate::clients;
use crate::files;
use crate::http::client::{Answer, AnswerLimits, Call, Endpoint};

/// Octets of a document, at most.
const MOST_OCTETS: usize = toml::MAX_TEXT;
/// How long a document or its signature may take.
const LONGEST: Duration = Duration::from_secs(30);
/// Characters of a field that is kept, at most.
const MOST_FIELD: usize = 1_000;
/// What is behind the path of a signature.
const SIGNATURE: &str = ".minisig";

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Location {
    File(PathBuf),
    /// The document, and its signature.
    Http(Box<[Endpoint; 2]>),
}

/// By what a server knows whether it has another document (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) etag: Option<String>,
    pub(super) modified: Option<String>,
}

/// A document as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) text: Vec<u8>,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) validators: Validators,
}

impl Location {
    /// A file, as it is configured; `None`: another URL.
    pub(in crate::daemon) fn of_file(url: &str) -> Option<Result<Self, String>> {
        if url.starts_with('/') {
            return Some(Ok(Self::File(url.into())));
        }
        let path = url.strip_prefix("file://")?;
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
        let path = decoded.map(|path| Self::File(path.as_ref().into()));
        Some(path.map_err(|_| "use a path in UTF-8".to_owned()))
    }

    /// The URL of the signature of the document with this one.
    pub(in crate::daemon) fn signature_url(url: &str) -> String {
        match url.split_once('?') {
            Some((path, query)) => format!("{path}{SIGNATURE}?{query}"),
            None => format!("{url}{SIGNATURE}"),
        }
    }

    /// Whether documents need a signature.
    pub(in crate::daemon) fn needs_key(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Http(_) => true,
        }
    }

    /// What messages call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Http(endpoints) => {
                let [document, _] = &**endpoints;
                document.to_string()
            }
        }
    }

    /// The document and, if it `is_signed`, its signature; `None`: it is the one with these validators.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(super) fn fetch(
        &self,
        known: &Validators,
        is_signed: bool,
    ) -> Result<Option<Received>, String> {
        match self {
            Self::File(path) => {
                let text = read(path, MOST_OCTETS)?;
                let mut beside = path.clone().into_os_string();
                beside.push(SIGNATURE);
                let signature = is_signed.then(|| read(Path::new(&beside), signature::MOST_OCTETS));
                Ok(Some(Received {
                    text,
                    signature: signature.transpose()?,
                    validators: Validators::default(),
                }))
            }
            Self::Http(endpoints) => {
                let runtime = clients::runtime().map_err(|error| error.to_string())?;
                runtime.block_on(download(endpoints, known))
            }
        }
    }
}

/// A document and its signature.
async fn download(
    [document, signature]: &[Endpoint; 2],
    known: &Validators,
) -> Result<Option<Received>, String> {
    let mut call = Call::get(limits(MOST_OCTETS));
    let fields = [
        (IF_NONE_MATCH, &known.etag),
        (IF_MODIFIED_SINCE, &known.modified),
    ];
    for (name, value) in fields {
        if let Some(value) = value
            .as_deref()
            .and_then(|it| HeaderValue::from_str(it).ok())
        {
            call = call.with_field(name, value);
        }
    }
    let answer = document
        .send(&call)
        .await
        .map_err(|error| error.to_string())?;
    // Without a condition it is no answer.
    let is_conditional = known.etag.is_some() || known.modified.is_some();
    if answer.status == StatusCode::NOT_MODIFIED && is_conditional {
        return Ok(None);
    }
    let validators = Validators {
        etag: field(&answer.fields, &ETAG),
        modified: field(&answer.fields, &LAST_MODIFIED),
    };
    let text = body(document, answer, MOST_OCTETS)?;
    let call = Call::get(limits(signature::MOST_OCTETS));
    let answer = signature
        .send(&call)
        .await
        .map_err(|error| error.to_string())?;
    let signature = body(signature, answer, signature::MOST_OCTETS)?;
    Ok(Some(Received {
        text,
        signature: Some(signature),
        validators,
    }))
}

fn limits(octets: usize) -> AnswerLimits {
    AnswerLimits {
        within: LONGEST,
        octets,
    }
}

fn field(fields: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = fields.get(name)?.to_str().ok()?;
    (value.len() <= MOST_FIELD).then(|| value.to_owned())
}

fn body(endpoint: &Endpoint, answer: Answer, most: usize) -> Result<Vec<u8>, String> {
    if answer.status != StatusCode::OK {
        return Err(format!("{endpoint} answered {}", answer.status));
    }
    let body = answer.body;
    let body = body.ok_or_else(|| format!("{endpoint} has more than {most} octets"))?;
    Ok(body.to_vec())
}

fn read(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let file = files::open(path).map_err(|error| failed(&error))?;
    let mut octets = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut octets)
        .map_err(|error| failed(&error))?;
    if octets.len() > most {
        return Err(format!("{} has more than {most} octets", path.display()));
    }
    Ok(octets)
}

#[cfg(test)]
pub(super) mod tests;
