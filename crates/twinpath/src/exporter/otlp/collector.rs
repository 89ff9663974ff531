//! A collector, as its client sees it.

use std::io;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tokio::runtime::Runtime;
use twinpath_report::words::is_plain;
use twinpath_runtime::wall;

use super::super::family::Families;
use super::environment::Environment;
use super::message::{self, Times};
use crate::clients;
use crate::http::client::{Answer, AnswerLimits, Call, Endpoint};
use crate::output::units::shortened;

/// What an answer may take.
const LIMITS: AnswerLimits = AnswerLimits {
    within: Duration::from_secs(5),
    octets: 65_536,
};
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
    runtime: Runtime,
    endpoint: Endpoint,
    headers: Vec<(HeaderName, HeaderValue)>,
    resource: Resource,
    started: Instant,
    /// The same by the clock of this host, since 1970.
    started_ns: u64,
}

impl Collector {
    /// # Errors
    /// The system has no descriptors for it.
    pub(super) fn of(endpoint: Endpoint, environment: Environment) -> io::Result<Self> {
        Ok(Self {
            runtime: clients::runtime()?,
            endpoint,
            headers: environment.headers,
            resource: message::resource(environment.attributes),
            started: Instant::now(),
            started_ns: now_ns(),
        })
    }

    /// Pushes all of them, in as many requests as it takes.
    ///
    /// # Errors
    /// The first one. What may pass is not asked further.
    pub(super) fn push(&mut self, families: &Families) -> Result<(), Failed> {
        let times = self.times(now_ns());
        let mut pushed = Ok(());
        for request in message::requests(families, &self.resource, times) {
            let one = self.post(request.encode_to_vec());
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

    fn post(&self, octets: Vec<u8>) -> Result<(), Failed> {
        let headers = self.headers.iter().cloned();
        let kind = HeaderValue::from_static("application/x-protobuf");
        let call = headers
            .chain([(CONTENT_TYPE, kind)])
            .fold(Call::post(octets, LIMITS), |call, (name, value)| {
                call.with_field(name, value)
            });
        let answer = self.runtime.block_on(self.endpoint.send(&call));
        let answer = answer.map_err(|error| Failed::passing(error.to_string()))?;
        let status = answer.status;
        if status.is_success() {
            let body = answer.body.as_deref().unwrap_or_default();
            return rejected(body).map_or(Ok(()), |why| Err(Failed::lasting(why)));
        }
        let said = said(&answer);
        let separator = if said.is_empty() { "" } else { ": " };
        let why = format!("HTTP status {status}{separator}{said}");
        if !PASSING.contains(&status) {
            return Err(Failed::lasting(why));
        }
        let wait = answer.fields.get(RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        Err(Failed {
            wait: wait.map(Duration::from_secs),
            ..Failed::passing(why)
        })
    }
}

/// What it did not take, by the body of its answer (OTLP, "Partial Success"); `None`: it took all.
pub(crate) fn rejected(body: &[u8]) -> Option<String> {
    let answer = ExportMetricsServiceResponse::decode(body).ok()?;
    let partial = answer.partial_success?;
    (partial.rejected_data_points > 0).then(|| {
        format!(
            "the collector refused {} values: {}",
            partial.rejected_data_points,
            plain(&partial.error_message)
        )
    })
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// Why it refuses, in its words: OTLP has a message for that, many have text.
fn said(answer: &Answer) -> String {
    let body = answer.body.as_deref().unwrap_or_default();
    let kind = answer.fields.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if ["text/plain", "application/json"]
        .iter()
        .any(|text| kind.starts_with(text))
    {
        return plain(&String::from_utf8_lossy(body));
    }
    let status = Status::decode(body).unwrap_or_default();
    plain(&status.message)
}

fn plain(text: &str) -> String {
    let text: String = text.trim().chars().filter(|c| is_plain(*c)).collect();
    shortened(&text, MOST_SAID)
}

/// Of this host's clock, since 1970.
fn now_ns() -> u64 {
    u64::try_from(wall().unix_ns()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client::EndpointOptions;

    #[test]
    fn the_start_stays_as_it_is_unless_the_clock_is_set() {
        let mut collector = {
            let endpoint = Endpoint::parse("http://127.0.0.1:9", EndpointOptions::default());
            Collector::of(endpoint.unwrap(), Environment::default()).unwrap()
        };
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
