//! Metrics that are pushed to an OpenTelemetry collector by OTLP over HTTP (`--otlp`): all families at each
//! interval and at the end, as binary protocol buffers.
//!
//! Counts are cumulative, so a push that failed loses nothing but a point in time: the next one has everything.

mod environment;
mod message;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::env;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use tracing::{info, warn};
use twinpath_report::words::is_plain;
use twinpath_runtime::wall;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::family::Families;
use super::{Answer, Push};
use crate::failure::Failure;
use crate::output::units::shortened;
use environment::Environment;
use message::Times;

/// How long the owner may take to answer.
const OWNER: Duration = Duration::from_secs(8);
/// How long the collector may take for a request.
const COLLECTOR: Duration = Duration::from_secs(10);
/// The most of its answer that is read.
const MOST_ANSWERED: u64 = 65_536;
/// Characters of what it says about refused values.
const MOST_SAID: usize = 200;

/// The thread that pushes. It ends, after a last push, once this is told to.
pub(super) struct Pusher {
    stop: Option<Sender<Infallible>>,
    thread: JoinHandle<()>,
}

impl Pusher {
    /// Has it push once more and end.
    pub(super) fn stop(&mut self) {
        self.stop = None;
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts to push what answers to `scrapes` have. The thread confines itself first.
///
/// # Errors
/// Variables of the environment that cannot be used, or no more threads.
pub(super) fn start(
    push: &Push,
    scrapes: SyncSender<Answer>,
    confine: impl FnOnce() + Send + 'static,
) -> Result<Pusher, Failure> {
    let environment = Environment::read(|name| env::var(name).ok()).map_err(Failure::usage)?;
    let collector = Collector::of(push, environment);
    let (stop, stopped) = channel();
    let every = push.every;
    let work = move || {
        confine();
        collector.push_until(&stopped, every, &scrapes);
    };
    let thread = thread::Builder::new().name("otlp".to_owned()).spawn(work);
    let thread = thread.map_err(|error| Failure::could_not(format!("--otlp: {error}")))?;
    Ok(Pusher {
        stop: Some(stop),
        thread,
    })
}

/// Where to push, and as whom.
struct Collector {
    agent: Agent,
    url: String,
    headers: Vec<(String, String)>,
    resource: Resource,
    started_ns: u64,
    /// The last push failed, which has been said.
    has_failed: bool,
}

impl Collector {
    fn of(push: &Push, environment: Environment) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(COLLECTOR))
            .user_agent(concat!("twinpath/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Its headers may be secrets, and are for this address alone.
            .max_redirects(0)
            // One that the collector closed meanwhile would look like a failure.
            .max_idle_connections(0);
        Self {
            agent: config.build().into(),
            url: push.url.clone(),
            headers: environment.headers,
            resource: message::resource(environment.attributes),
            started_ns: now_ns(),
            has_failed: false,
        }
    }

    fn push_until(
        mut self,
        stopped: &Receiver<Infallible>,
        every: Duration,
        scrapes: &SyncSender<Answer>,
    ) {
        let mut next = Instant::now() + every;
        loop {
            let left = next.saturating_duration_since(Instant::now());
            let is_last = stopped.recv_timeout(left) == Err(RecvTimeoutError::Disconnected);
            let pushed = scrape(scrapes).and_then(|families| self.push(&families));
            self.tell(pushed, every);
            if is_last {
                return;
            }
            next = Instant::now().max(next + every);
        }
    }

    /// Pushes all of them, in as many requests as it takes. Why not, in one line.
    fn push(&self, families: &Families) -> Result<(), String> {
        let times = Times {
            start_ns: self.started_ns,
            now_ns: now_ns(),
        };
        let requests = message::requests(families, &self.resource, times);
        requests.iter().try_for_each(|request| {
            let answer = self.post(&request.encode_to_vec())?;
            accepted(&answer)
        })
    }

    /// What the collector answers.
    fn post(&self, octets: &[u8]) -> Result<Vec<u8>, String> {
        let headers = self.headers.iter();
        let request = headers.fold(self.agent.post(&self.url), |request, (name, value)| {
            request.header(name, value)
        });
        let request = request.header("Content-Type", "application/x-protobuf");
        let mut answer = request.send(octets).map_err(|error| error.to_string())?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("HTTP status {status}"));
        }
        let body = answer.body_mut().with_config().limit(MOST_ANSWERED);
        body.read_to_vec().map_err(|error| error.to_string())
    }

    /// Says when pushes begin to fail, and when one succeeds again.
    fn tell(&mut self, pushed: Result<(), String>, every: Duration) {
        let had_failed = std::mem::replace(&mut self.has_failed, pushed.is_err());
        match pushed {
            Err(error) if !had_failed => {
                let every = every.as_secs_f64();
                warn!(
                    "metrics were not pushed to {}: {error}; they are pushed again every {every} s",
                    self.url
                );
            }
            Ok(()) if had_failed => info!("metrics are pushed to {} again", self.url),
            Err(_) | Ok(()) => {}
        }
    }
}

/// What the owner answers in time.
fn scrape(scrapes: &SyncSender<Answer>) -> Result<Arc<Families>, String> {
    let none = || "no figures within 8 s".to_owned();
    let (answer, answered) = sync_channel(1);
    let give = move |families| {
        // Too late.
        let _gone = answer.try_send(families);
    };
    scrapes.try_send(Box::new(give)).map_err(|_| none())?;
    answered.recv_timeout(OWNER).map_err(|_| none())
}

/// Whether it took all values (OTLP, "Partial Success"). What is no answer of OTLP says nothing about them.
fn accepted(answer: &[u8]) -> Result<(), String> {
    let answer = ExportMetricsServiceResponse::decode(answer).ok();
    let Some(partial) = answer.and_then(|answer| answer.partial_success) else {
        return Ok(());
    };
    if partial.rejected_data_points <= 0 {
        return Ok(());
    }
    let said: String = partial
        .error_message
        .chars()
        .filter(|c| is_plain(*c))
        .collect();
    Err(format!(
        "the collector refused {} values: {}",
        partial.rejected_data_points,
        shortened(&said, MOST_SAID)
    ))
}

/// Of this host's clock, since 1970.
fn now_ns() -> u64 {
    u64::try_from(wall().unix_ns()).unwrap_or_default()
}
