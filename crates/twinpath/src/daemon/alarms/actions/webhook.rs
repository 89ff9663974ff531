//! Documents that are posted: those for one address one after the other, in their order, again and again until they
//! are taken or too old.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use twinpath_report::words;

use crate::clients;
use crate::plan::jitter;

/// Documents that wait for one address; beyond that they are dropped and counted.
const WAITING: usize = 256;
/// Addresses that are remembered although nothing waits for them.
const MOST_IDLE: usize = 100;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long after a failure the next attempt is made, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// How old a document becomes.
const LONGEST: Duration = Duration::from_hours(1);
/// How long posts may go on after the daemon.
const LONGEST_END: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where documents are posted to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::daemon) struct Target {
    uri: Uri,
}

/// A document of an alert.
struct Post {
    alert: String,
    body: Bytes,
    since: Instant,
}

/// The posts of all addresses.
pub(super) struct Webhooks {
    /// Of their thread, once there is one.
    runtime: Option<Handle>,
    targets: HashMap<Target, Sender<Post>>,
    /// Those that are neither taken nor given up.
    open: Arc<AtomicUsize>,
    dropped: u64,
}

impl Target {
    /// An address.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let advice = "write http://HOST:PORT/PATH";
        let uri: Uri = text
            .parse()
            .map_err(|_| format!("webhook {text}: {advice}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(format!(
                    "webhook {text}: https is not supported: {advice}, to a relay on this host if it leaves the host"
                ));
            }
            Some(_) | None => return Err(format!("webhook {text}: {advice}")),
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') || uri.host().is_none_or(str::is_empty) {
            return Err(format!("webhook {text}: {advice}, without a user"));
        }
        Ok(Self { uri })
    }

    /// Posts a document once.
    async fn post(&self, body: Bytes) -> io::Result<StatusCode> {
        let host = self.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.uri.port_u16().unwrap_or(80);
        let stream = TcpStream::connect((host, port)).await?;
        let both = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = both.map_err(io::Error::other)?;
        // It ends with the sender, and what went wrong the answer says too.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let path = self.uri.path_and_query();
        let authority = self.uri.authority();
        let request = Request::builder()
            .method(Method::POST)
            .uri(path.map_or("/", |path| path.as_str()))
            .header(HOST, authority.map_or(host, |authority| authority.as_str()))
            .header(USER_AGENT, concat!("twinpath/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(io::Error::other)?;
        let response = sender.send_request(request).await;
        Ok(response.map_err(io::Error::other)?.status())
    }

    /// Posts a document until it is taken or too old.
    async fn deliver(&self, post: &Post) {
        let mut wait = FIRST_WAIT;
        let mut said = None;
        loop {
            let why = match timeout(ATTEMPT, self.post(post.body.clone())).await {
                Ok(Ok(status)) if status.is_success() => {
                    if said.is_some() {
                        info!("alert {}: webhook {}: delivered", post.alert, self.uri);
                    }
                    return;
                }
                Ok(Ok(status)) => format!("answered {status}"),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {}", words::time(ATTEMPT)),
            };
            if post.since.elapsed() + wait > LONGEST {
                warn!(
                    "alert {}: webhook {}: {why}; given up",
                    post.alert, self.uri
                );
                return;
            }
            if said.as_ref() != Some(&why) {
                warn!(
                    "alert {}: webhook {}: {why}; tried again",
                    post.alert, self.uri
                );
            }
            said = Some(why);
            sleep(wait.mul_f64(jitter())).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn deliver_all(self, mut posts: Receiver<Post>, open: Arc<AtomicUsize>) {
        while let Some(post) = posts.recv().await {
            self.deliver(&post).await;
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Webhooks {
    pub(super) fn new() -> Self {
        Self {
            runtime: None,
            targets: HashMap::new(),
            open: Arc::default(),
            dropped: 0,
        }
    }

    /// Has a document posted.
    pub(super) fn post(&mut self, alert: &str, target: &Target, body: Vec<u8>) {
        let post = Post {
            alert: alert.to_owned(),
            body: Bytes::from(body),
            since: Instant::now(),
        };
        let sender = match self.sender(target) {
            Ok(sender) => sender,
            Err(error) => {
                warn!("alert {alert}: webhooks have no thread: {error}");
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
        runtime.spawn(target.clone().deliver_all(posts, Arc::clone(&self.open)));
        self.targets.insert(target.clone(), sender.clone());
        Ok(sender)
    }

    fn runtime(&mut self) -> io::Result<Handle> {
        if let Some(runtime) = &self.runtime {
            return Ok(runtime.clone());
        }
        let runtime = clients::runtime()?;
        let handle = runtime.handle().clone();
        clients::spawn("webhooks", runtime, std::future::pending::<()>)?;
        self.runtime = Some(handle.clone());
        Ok(handle)
    }

    /// Logs what was dropped since the last time.
    pub(super) fn attend(&mut self) {
        if self.dropped > 0 {
            warn!(
                "{} webhooks of alerts were dropped: too many wait",
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
            warn!("{more} webhooks of alerts were not delivered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_plain_http() {
        for text in [
            "http://127.0.0.1:9000/hook",
            "http://[::1]/a?b=c",
            "http://host.example",
        ] {
            assert!(Target::parse(text).is_ok(), "{text}");
        }
        for (text, said) in [
            ("https://host.example/", "https is not supported"),
            ("ftp://host.example/", "write http://"),
            ("host.example:80", "write http://"),
            ("/hook", "write http://"),
            ("http://", "write http://"),
            ("http://user:word@host.example/", "without a user"),
            ("http://a b/", "write http://"),
        ] {
            let error = Target::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_beyond_the_queue_of_an_address_is_counted() {
        let mut webhooks = Webhooks::new();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let text = format!("http://{}/", silent.local_addr().unwrap());
        let target = Target::parse(&text).unwrap();
        for _ in 0..WAITING + 10 {
            webhooks.post("slow", &target, Vec::new());
        }
        assert!(webhooks.dropped >= 9);
        assert_eq!(webhooks.targets.len(), 1);
    }
}
