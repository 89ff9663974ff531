//! A collector, as its client sees it.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use twinpath_report::words::is_plain;
use twinpath_runtime::wall;
use ureq::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Error};

use super::super::family::Families;
use super::environment::Environment;
use super::message::{self, Times};
use crate::output::units::shortened;

/// How long each part of a request may take: connecting, sending, the answer.
const PART: Duration = Duration::from_secs(5);
/// The most of an answer that is read.
const MOST_ANSWERED: u64 = 65_536;
/// Characters of what it says.
const MOST_SAID: usize = 200;
/// A clock that is as far from where it should be was set.
const STEP_NS: u64 = 1_000_000_000;
/// Of answers that ask for another trial (OTLP, "Failures").
const PASSING: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Why metrics were not taken.
#[derive(Debug, PartialEq)]
pub(super) struct Failed {
    /// In one line.
    pub(super) why: String,
    /// The same request may be taken later.
    pub(super) may_pass: bool,
    /// How long the collector asks to wait.
    pub(super) wait: Option<Duration>,
}

impl Failed {
    /// Before the collector was asked.
    pub(super) fn here(why: &str) -> Self {
        Self::passing(why.to_owned())
    }

    fn passing(why: String) -> Self {
        Self {
            why,
            may_pass: true,
            wait: None,
        }
    }

    fn lasting(why: String) -> Self {
        Self {
            may_pass: false,
            ..Self::passing(why)
        }
    }
}

/// The client of a collector: its URL, and the attributes of this process.
pub(super) struct Collector {
    agent: Agent,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    resource: Resource,
    started: Instant,
    /// The same by the clock of this host, since 1970.
    started_ns: u64,
}

impl Collector {
    pub(super) fn of(url: &str, environment: Environment) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
        let config = Agent::config_builder()
            .tls_config(tls.build())
            // A limit of the whole, or of the lookup of the name, would take a thread for each request.
            .timeout_connect(Some(PART))
            .timeout_send_request(Some(PART))
            .timeout_send_body(Some(PART))
            .timeout_recv_response(Some(PART))
            .timeout_recv_body(Some(PART))
            .user_agent(concat!("twinpath/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Headers may be secrets, and are for this address alone.
            .max_redirects(0)
            .proxy(None)
            // One that the collector closed meanwhile would look like a failure.
            .max_idle_connections(0);
        Self {
            agent: config.build().into(),
            url: url.to_owned(),
            headers: environment.headers,
            resource: message::resource(environment.attributes),
            started: Instant::now(),
            started_ns: now_ns(),
        }
    }

    /// Pushes all of them, in as many requests as it takes.
    ///
    /// # Errors
    /// The first one. What may pass is not asked further.
    pub(super) fn push(&mut self, families: &Families) -> Result<(), Failed> {
        let times = self.times(now_ns());
        let mut pushed = Ok(());
        for request in message::requests(families, &self.resource, times) {
            let one = self.post(&request.encode_to_vec());
            let stops = one.as_ref().is_err_and(|failed| failed.may_pass);
            pushed = pushed.and(one);
            if stops {
                break;
            }
        }
        pushed
    }

    /// Receivers take another start for another process: it changes with a step of the clock alone.
    fn times(&mut self, now_ns: u64) -> Times {
        let elapsed_ns = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let started_ns = now_ns.saturating_sub(elapsed_ns);
        if started_ns.abs_diff(self.started_ns) > STEP_NS {
            self.started_ns = started_ns;
        }
        Times {
            start_ns: self.started_ns,
            now_ns,
        }
    }

    fn post(&self, octets: &[u8]) -> Result<(), Failed> {
        let headers = self.headers.iter();
        let request = headers.fold(self.agent.post(&self.url), |request, (name, value)| {
            request.header(name, value)
        });
        let request = request.header(CONTENT_TYPE, "application/x-protobuf");
        let sent = request.send(octets);
        let mut answer = sent.map_err(|error| Failed::passing(words(&error)))?;
        let status = answer.status();
        let body = body(&mut answer);
        if status.is_success() {
            return accepted(&body);
        }
        let said = said(&answer, &body);
        let separator = if said.is_empty() { "" } else { ": " };
        let why = format!("HTTP status {status}{separator}{said}");
        if !PASSING.contains(&status) {
            return Err(Failed::lasting(why));
        }
        let wait = answer.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        Err(Failed {
            wait: wait.map(Duration::from_secs),
            ..Failed::passing(why)
        })
    }
}

/// What follows the headers, if its length is known and small. Nothing depends on it.
fn body(answer: &mut Response<Body>) -> Vec<u8> {
    let length = answer.body().content_length();
    if length.is_none_or(|length| length > MOST_ANSWERED) {
        return Vec::new();
    }
    answer.body_mut().read_to_vec().unwrap_or_default()
}

/// Whether it took all values (OTLP, "Partial Success").
fn accepted(body: &[u8]) -> Result<(), Failed> {
    let answer = ExportMetricsServiceResponse::decode(body).ok();
    let Some(partial) = answer.and_then(|answer| answer.partial_success) else {
        return Ok(());
    };
    if partial.rejected_data_points <= 0 {
        return Ok(());
    }
    Err(Failed::lasting(format!(
        "the collector refused {} values: {}",
        partial.rejected_data_points,
        plain(&partial.error_message)
    )))
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// Why it refuses, in its words: OTLP has a message for that, many have text.
fn said(answer: &Response<Body>, body: &[u8]) -> String {
    let is_text = answer
        .body()
        .mime_type()
        .is_some_and(|kind| kind.starts_with("text/plain") || kind.starts_with("application/json"));
    if is_text {
        return plain(&String::from_utf8_lossy(body));
    }
    let status = Status::decode(body).unwrap_or_default();
    plain(&status.message)
}

fn plain(text: &str) -> String {
    let text: String = text.trim().chars().filter(|c| is_plain(*c)).collect();
    shortened(&text, MOST_SAID)
}

fn words(error: &Error) -> String {
    if let Error::Timeout(_) = error {
        return format!("no answer within {} s", PART.as_secs());
    }
    if let Error::Io(error) = error {
        return error.to_string();
    }
    plain(&error.to_string())
}

/// Of this host's clock, since 1970.
fn now_ns() -> u64 {
    u64::try_from(wall().unix_ns()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_stays_as_it_is_unless_the_clock_is_set() {
        let mut collector = Collector::of("http://127.0.0.1:9", Environment::default());
        let start_ns = collector.started_ns;
        let times = collector.times(start_ns + 500_000_000);
        assert_eq!(times.start_ns, start_ns);
        for stepped_ns in [start_ns - 3_600_000_000_000, start_ns + 3_600_000_000_000] {
            let times = collector.times(stepped_ns);
            assert!(times.start_ns <= stepped_ns);
            assert!(stepped_ns - times.start_ns < 3_600_000_000_000);
        }
    }
}
