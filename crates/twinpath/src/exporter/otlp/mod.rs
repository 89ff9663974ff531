//! Metrics that are pushed to an OpenTelemetry collector by OTLP over HTTP (`--otlp`): all families at each
//! interval and at the end, as binary protocol buffers.
//!
//! Counts are cumulative, so a push that failed loses nothing but a point in time: the next one has everything.

mod collector;
mod environment;
mod message;
#[cfg(test)]
mod tests;

use std::env;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::family::Families;
use super::{Answer, Push};
use crate::failure::Failure;
use collector::{Collector, Failed};
use environment::Environment;

pub(crate) use collector::rejected;
pub(crate) use message::{attribute, request};

/// How long the owner may take to answer a scrape.
const OWNER: Duration = Duration::from_secs(8);
/// How long the end of the process waits for the last push.
const LAST_PUSH: Duration = Duration::from_secs(5);
/// How often it looks whether that is over.
const LOOK: Duration = Duration::from_millis(5);
/// How often the last push is tried, with this time between two trials.
const TRIALS: usize = 3;
const BETWEEN_TRIALS: Duration = Duration::from_secs(1);
/// The most often that failures are logged.
const LOGGED: Duration = Duration::from_mins(1);
/// The longest that a collector may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What the thread that pushes waits for.
enum News {
    /// What it asked for.
    Scraped(Arc<Families>),
    /// What is pushed at the end.
    Last(Arc<Families>),
    /// The end without anything to push.
    Over,
}

/// The thread that pushes. The last push is waited for when this is dropped, hence after the report.
pub(super) struct Pusher {
    news: Sender<News>,
    thread: JoinHandle<()>,
    url: String,
    has_last: bool,
}

impl Pusher {
    /// Has it push these and end.
    pub(super) fn end(&mut self, families: Arc<Families>) {
        self.has_last = self.news.send(News::Last(families)).is_ok();
    }

    fn is_over_within(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.thread.is_finished() {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        if !self.has_last {
            // The thread may have ended.
            let _gone = self.news.send(News::Over);
        } else if !self.is_over_within(LAST_PUSH) {
            warn!(
                "the last metrics were not pushed to {} within 5 s",
                self.url
            );
        }
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
    let cannot = |error: io::Error| Failure::could_not(format!("--otlp: {error}"));
    let environment = Environment::read(|name| env::var_os(name)).map_err(Failure::usage)?;
    let (news, coming) = channel();
    let pushing = Pushing {
        collector: Collector::of(push.collector.clone(), environment).map_err(cannot)?,
        url: push.collector.to_string(),
        every: push.every,
        failing: None,
        logged: None,
    };
    let answers = news.clone();
    let work = move || {
        confine();
        pushing.work(&coming, &answers, &scrapes);
    };
    let thread = thread::Builder::new().name("otlp".to_owned()).spawn(work);
    let thread = thread.map_err(cannot)?;
    Ok(Pusher {
        news,
        thread,
        url: push.collector.to_string(),
        has_last: false,
    })
}

/// What the thread knows.
struct Pushing {
    collector: Collector,
    url: String,
    every: Duration,
    /// Why the last push failed, as it was logged.
    failing: Option<String>,
    /// When something was logged last.
    logged: Option<Instant>,
}

impl Pushing {
    fn work(
        mut self,
        coming: &Receiver<News>,
        answers: &Sender<News>,
        scrapes: &SyncSender<Answer>,
    ) {
        let mut next = Instant::now() + self.every;
        let mut asked: Option<Instant> = None;
        loop {
            let until = asked.map_or(next, |at| at + OWNER);
            let left = until.saturating_duration_since(Instant::now());
            let pushed = match coming.recv_timeout(left) {
                Ok(News::Scraped(families)) => self.collector.push(&families),
                Ok(News::Last(families)) => return self.push_last(&families),
                Ok(News::Over) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if asked.is_none() => {
                    match scrapes.try_send(answer_to(answers.clone())) {
                        Ok(()) => {
                            asked = Some(Instant::now());
                            continue;
                        }
                        Err(TrySendError::Disconnected(_)) => return,
                        Err(TrySendError::Full(_)) => Err(Failed::here("too many scrapes wait")),
                    }
                }
                Err(RecvTimeoutError::Timeout) => Err(Failed::here("no figures within 8 s")),
            };
            asked = None;
            let wait = pushed.as_ref().err().and_then(|failed| failed.wait);
            let wait = wait.unwrap_or_default().min(LONGEST_WAIT);
            let now = Instant::now();
            next = (now + wait).max(next + self.every);
            self.log(pushed, now);
        }
    }

    fn push_last(mut self, families: &Families) {
        // What was logged before says nothing about this.
        self.logged = None;
        for trial in 1.. {
            let pushed = self.collector.push(families);
            let is_over = pushed.as_ref().err().is_none_or(|failed| !failed.may_pass);
            if is_over || trial == TRIALS {
                return self.log(pushed, Instant::now());
            }
            thread::sleep(BETWEEN_TRIALS);
        }
    }

    /// Logs that pushes begin to fail, fail for another reason, or succeed again.
    fn log(&mut self, pushed: Result<(), Failed>, now: Instant) {
        let why = pushed.err().map(|failed| failed.why);
        let is_due = self.logged.is_none_or(|at| now - at >= LOGGED);
        if why == self.failing || !is_due {
            return;
        }
        self.logged = Some(now);
        if let Some(why) = &why {
            warn!("metrics were not pushed to {}: {why}", self.url);
        } else {
            info!("metrics are pushed to {} again", self.url);
        }
        self.failing = why;
    }
}

fn answer_to(answers: Sender<News>) -> Answer {
    Box::new(move |families| {
        // Too late.
        let _gone = answers.send(News::Scraped(families));
    })
}
