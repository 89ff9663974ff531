//! Documents and messages that are sent: those for one receiver one after the other, in their order, again and again
//! until they are taken or too old.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use twinpath_report::words;

use crate::clients;
use crate::http::client::{AnswerLimits, Call, Endpoint};
use crate::plan::jitter;

use super::syslog::SyslogServer;

/// Documents that wait for one address; beyond that they are dropped and counted.
const WAITING: usize = 256;
/// Addresses that are remembered although nothing waits for them.
const MOST_IDLE: usize = 100;
/// What one attempt may take. Of an answer the status alone counts.
const LIMITS: AnswerLimits = AnswerLimits {
    within: Duration::from_secs(10),
    octets: 0,
};
/// How long after a failure the next attempt is made, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// How old a document becomes.
const LONGEST: Duration = Duration::from_hours(1);
/// How long posts may go on after the daemon.
const LONGEST_END: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What takes documents or messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// A server that documents are posted to.
    Webhook(Endpoint),
    Syslog(SyslogServer),
}

/// A document or message of an alert.
struct Post {
    alert: String,
    body: Bytes,
    since: Instant,
}

/// The posts of all addresses.
pub(super) struct Deliveries {
    /// Of their thread, once there is one.
    runtime: Option<Handle>,
    targets: HashMap<Target, Sender<Post>>,
    /// Those that are neither taken nor given up.
    open: Arc<AtomicUsize>,
    dropped: u64,
}

/// Sends to one receiver, one after the other.
struct Courier {
    at: Target,
    open: Arc<AtomicUsize>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(at) => write!(f, "webhook {at}"),
            Self::Syslog(at) => write!(f, "syslog {at}"),
        }
    }
}

impl Target {
    /// Sends a document or message once.
    async fn send(&self, body: &Bytes) -> Result<(), String> {
        match self {
            Self::Webhook(at) => {
                let json = HeaderValue::from_static("application/json");
                let call = Call::post(body.clone(), LIMITS).with_field(CONTENT_TYPE, json);
                match at.send(&call).await {
                    Ok(answer) if answer.status.is_success() => Ok(()),
                    Ok(answer) => Err(format!("answered {}", answer.status)),
                    Err(error) => Err(error.to_string()),
                }
            }
            Self::Syslog(at) => match timeout(LIMITS.within, at.send(body)).await {
                Ok(sent) => sent,
                Err(_) => Err(format!("not sent within {}", words::time(LIMITS.within))),
            },
        }
    }
}

impl Courier {
    /// Posts a document until it is taken or too old.
    async fn deliver(&self, post: Post) {
        let (alert, at) = (&post.alert, &self.at);
        let mut wait = FIRST_WAIT;
        let mut said = None;
        loop {
            let Err(why) = at.send(&post.body).await else {
                if said.is_some() {
                    info!("alert {alert}: {at}: delivered");
                }
                return;
            };
            if post.since.elapsed() + wait > LONGEST {
                warn!("alert {alert}: {at}: {why}; given up");
                return;
            }
            if said.as_ref() != Some(&why) {
                warn!("alert {alert}: {at}: {why}; tried again");
            }
            said = Some(why);
            sleep(wait.mul_f64(jitter())).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn deliver_all(self, mut posts: Receiver<Post>) {
        while let Some(post) = posts.recv().await {
            self.deliver(post).await;
            self.open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Deliveries {
    pub(super) fn new() -> Self {
        Self {
            runtime: None,
            targets: HashMap::new(),
            open: Arc::default(),
            dropped: 0,
        }
    }

    /// Has a document or message sent.
    pub(super) fn send(&mut self, alert: &str, target: &Target, body: Vec<u8>) {
        let post = Post {
            alert: alert.to_owned(),
            body: Bytes::from(body),
            since: Instant::now(),
        };
        let sender = match self.sender(target) {
            Ok(sender) => sender,
            Err(error) => {
                warn!("alert {alert}: actions have no thread: {error}");
                return;
            }
        };
        self.open.fetch_add(1, Ordering::AcqRel);
        if sender.try_send(post).is_err() {
            self.open.fetch_sub(1, Ordering::AcqRel);
            self.dropped += 1;
        }
    }

    fn sender(&mut self, target: &Target) -> io::Result<Sender<Post>> {
        if let Some(sender) = self.targets.get(target) {
            return Ok(sender.clone());
        }
        let runtime = self.runtime()?;
        if self.targets.len() >= MOST_IDLE {
            self.targets
                .retain(|_, sender| sender.capacity() < sender.max_capacity());
        }
        let (sender, posts) = mpsc::channel(WAITING);
        let courier = Courier {
            at: target.clone(),
            open: Arc::clone(&self.open),
        };
        runtime.spawn(courier.deliver_all(posts));
        self.targets.insert(target.clone(), sender.clone());
        Ok(sender)
    }

    fn runtime(&mut self) -> io::Result<Handle> {
        if let Some(runtime) = &self.runtime {
            return Ok(runtime.clone());
        }
        let runtime = clients::runtime()?;
        let handle = runtime.handle().clone();
        clients::spawn("deliveries", runtime, std::future::pending::<()>)?;
        self.runtime = Some(handle.clone());
        Ok(handle)
    }

    /// Logs what was dropped since the last time.
    pub(super) fn attend(&mut self) {
        if self.dropped > 0 {
            warn!(
                "{} messages of alerts were dropped: too many wait",
                self.dropped
            );
            self.dropped = 0;
        }
    }

    /// Waits a short time for those that are not delivered.
    pub(super) fn close(self) {
        let by = Instant::now() + LONGEST_END;
        let open = || self.open.load(Ordering::Acquire);
        while open() > 0 && Instant::now() < by {
            thread::sleep(LOOK_EVERY);
        }
        if let more @ 1.. = open() {
            warn!("{more} messages of alerts were not delivered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client::EndpointOptions;

    #[test]
    fn what_is_beyond_the_queue_of_an_address_is_counted() {
        let mut deliveries = Deliveries::new();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let text = format!("http://{}/", silent.local_addr().unwrap());
        let target = Endpoint::parse(&text, EndpointOptions::default()).unwrap();
        let target = Target::Webhook(target);
        for _ in 0..WAITING + 10 {
            deliveries.send("slow", &target, Vec::new());
        }
        assert!(deliveries.dropped >= 9);
        assert_eq!(deliveries.targets.len(), 1);
    }
}
