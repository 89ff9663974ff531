//! Preconditions of requests, and what they are about (RFC 8040 section 3.5.1; RFC 9110 section 13).
//!
//! There is one time for all of the configuration, and one entity tag for each encoding of it: a change of any of it is one
//! of its datastore.

use std::time::SystemTime;

use httpdate::{fmt_http_date, parse_http_date};
use hyper::header::{
    ACCEPT, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, VARY,
};

use super::media::Encoding;
use super::refusal::Refusal;
use crate::daemon::control::Running;

/// The preconditions of a request.
pub(super) struct Preconditions {
    /// Tags, of which the resource must have one.
    matches: Option<String>,
    /// Tags that it must not have.
    differs: Option<String>,
    unmodified_since: Option<SystemTime>,
    modified_since: Option<SystemTime>,
}

impl Preconditions {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let values = headers.get_all(name).iter();
            let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
            (!values.is_empty()).then(|| values.join(","))
        };
        let time = |name| text(name).and_then(|text| parse_http_date(&text).ok());
        Self {
            matches: text(IF_MATCH),
            differs: text(IF_NONE_MATCH),
            unmodified_since: time(IF_UNMODIFIED_SINCE),
            modified_since: time(IF_MODIFIED_SINCE),
        }
    }

    /// Refuses a change that was meant for another configuration. `exists`: whether the resource does.
    pub(super) fn may_change(&self, running: &Running, exists: bool) -> Result<(), Refusal> {
        let matches = self.matches.as_deref();
        // A weak tag never matches (RFC 9110 section 13.1.1).
        if matches.is_some_and(|tags| !is_one_of(tags, running, exists, Compared::Strongly)) {
            return Err(Refusal::precondition(
                "If-Match: the configuration has another entity tag",
            ));
        }
        let differs = self.differs.as_deref();
        if differs.is_some_and(|tags| is_one_of(tags, running, exists, Compared::Weakly)) {
            return Err(Refusal::precondition(
                "If-None-Match: the configuration has this entity tag",
            ));
        }
        let since = self.unmodified_since.filter(|_| matches.is_none());
        if since.is_some_and(|since| seconds(running.since) > seconds(since)) {
            return Err(Refusal::precondition(
                "If-Unmodified-Since: it was changed since",
            ));
        }
        Ok(())
    }

    /// Whether a client has already what it asks for, in this encoding.
    pub(super) fn is_known(&self, running: &Running, encoding: Encoding) -> bool {
        match (&self.differs, self.modified_since) {
            (Some(tags), _) => has_tag(tags, &tag(running, encoding)),
            (None, Some(since)) => seconds(running.since) <= seconds(since),
            (None, None) => false,
        }
    }
}

/// How entity tags are compared (RFC 9110 section 8.8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    Strongly,
    Weakly,
}

/// Whether the configuration has one of these tags, in any encoding: what is changed is the same in all.
fn is_one_of(tags: &str, running: &Running, exists: bool, compared: Compared) -> bool {
    each(tags).any(|text| match text {
        "*" => exists,
        text if text.starts_with("W/") && compared == Compared::Strongly => false,
        text => {
            let known = Encoding::ALL.map(|encoding| tag(running, encoding));
            known.iter().any(|known| strong(text) == known)
        }
    })
}

/// Whether one of these tags is this one, compared weakly.
fn has_tag(tags: &str, own: &str) -> bool {
    each(tags).any(|text| text == "*" || strong(text) == own)
}

fn each(tags: &str) -> impl Iterator<Item = &str> {
    tags.split(',').map(str::trim)
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The entity tag of the configuration in an encoding, with its quotes. Two encodings have two tags (RFC 9110 section
/// 8.8.3.3).
fn tag(running: &Running, encoding: Encoding) -> String {
    format!("\"{}-{}\"", running.tag, encoding.name())
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Says which configuration a resource is of, and that it is in this encoding because it was asked for.
pub(super) fn mark(headers: &mut HeaderMap, running: &Running, encoding: Encoding) {
    if let Ok(tag) = HeaderValue::from_str(&tag(running, encoding)) {
        headers.insert(ETAG, tag);
    }
    if let Ok(since) = HeaderValue::from_str(&fmt_http_date(running.since)) {
        headers.insert(LAST_MODIFIED, since);
    }
    headers.insert(VARY, HeaderValue::from_name(ACCEPT));
}
