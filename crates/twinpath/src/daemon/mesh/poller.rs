//! A thread that fetches documents, and takes none that is not signed, older or faulty.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use twinpath_wire::Wall;

use crate::plan::jitter;

use super::cache::Cache;
use super::document::MeshDocument;
use super::fetch::{Received, Validators};
use super::settings::MeshSettings;
use super::signature;

/// How long after a failure it is tried again, which doubles each time up to the usual time.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// What the thread has found.
pub(super) enum News {
    /// Another document.
    Document(Box<Accepted>),
    /// The same document.
    Unchanged(Wall),
    /// No document, or one that is not taken: why.
    Fault(String),
}

/// A document that may be put in force.
pub(super) struct Accepted {
    pub(super) document: Arc<MeshDocument>,
    /// When it was fetched; `None`: it was kept by an earlier process.
    pub(super) at: Option<Wall>,
    received: Received,
}

enum Wish {
    Fetch,
    Keep(Box<Accepted>),
}

/// The thread, which ends with this.
pub(super) struct Poller {
    wishes: Sender<Wish>,
    news: Receiver<News>,
}

impl Poller {
    /// Begins to fetch.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(super) fn start(settings: &MeshSettings) -> std::io::Result<Self> {
        let (wishes, asked) = channel();
        let (sender, news) = channel();
        let mut fetching = Fetching::new(settings.clone());
        let thread = thread::Builder::new().name("mesh".to_owned());
        thread.spawn(move || fetching.run(&asked, &sender))?;
        Ok(Self { wishes, news })
    }

    /// Has it fetch now.
    pub(super) fn hurry(&self) {
        // It ends with the process.
        let _ = self.wishes.send(Wish::Fetch);
    }

    /// Has a document kept for the next start.
    pub(super) fn keep(&self, accepted: Box<Accepted>) {
        let _ = self.wishes.send(Wish::Keep(accepted));
    }

    /// What was found since the last call.
    pub(super) fn news(&self) -> impl Iterator<Item = News> {
        self.news.try_iter()
    }
}

/// What is known of documents.
pub(super) struct Fetching {
    settings: MeshSettings,
    cache: Cache,
    /// The last document that was accepted.
    last: Option<(u64, Received)>,
    wait: Duration,
}

impl Fetching {
    pub(super) fn new(settings: MeshSettings) -> Self {
        Self {
            cache: Cache::within(settings.cache.as_deref()),
            settings,
            last: None,
            wait: FIRST_WAIT,
        }
    }

    fn run(&mut self, asked: &Receiver<Wish>, news: &Sender<News>) {
        if let Some(kept) = self.kept()
            && news.send(kept).is_err()
        {
            return;
        }
        loop {
            let found = self.fetch(twinpath_runtime::wall());
            let wait = self.next_wait(&found);
            if news.send(found).is_err() {
                return;
            }
            let mut left = wait;
            loop {
                let began = std::time::Instant::now();
                match asked.recv_timeout(left) {
                    Ok(Wish::Fetch) | Err(RecvTimeoutError::Timeout) => break,
                    Ok(Wish::Keep(accepted)) => self.keep(&accepted),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                left = left.saturating_sub(began.elapsed());
            }
        }
    }

    /// How long until the next fetch.
    fn next_wait(&mut self, found: &News) -> Duration {
        let usual = self.settings.poll;
        match found {
            News::Fault(_) => {
                let wait = self.wait.min(usual);
                self.wait = (self.wait * 2).min(usual);
                wait.mul_f64(jitter())
            }
            News::Document(_) | News::Unchanged(_) => {
                self.wait = FIRST_WAIT;
                // Many nodes do not ask in step.
                usual + usual.mul_f64(jitter()) / 10
            }
        }
    }

    /// What an earlier process has kept.
    pub(super) fn kept(&mut self) -> Option<News> {
        let (serial, received) = self.cache.read(&self.settings.origin())?;
        let read = self.read(&received);
        // No older one is taken even where this one cannot be read any more.
        self.last = Some((serial, received.clone()));
        Some(match read {
            Ok(document) => News::Document(Box::new(Accepted {
                document: Arc::new(document),
                at: None,
                received,
            })),
            Err(why) => News::Fault(format!("the document that was kept: {why}")),
        })
    }

    pub(super) fn keep(&mut self, accepted: &Accepted) {
        let origin = self.settings.origin();
        self.cache
            .write(&origin, accepted.document.serial, &accepted.received);
    }

    /// Fetches once.
    pub(super) fn fetch(&mut self, now: Wall) -> News {
        match self.try_fetch() {
            Ok(None) => News::Unchanged(now),
            Ok(Some((document, received))) => News::Document(Box::new(Accepted {
                document: Arc::new(document),
                at: Some(now),
                received,
            })),
            Err(why) => News::Fault(why),
        }
    }

    fn try_fetch(&mut self) -> Result<Option<(MeshDocument, Received)>, String> {
        let unknown = Validators::default();
        let known = self.last.as_ref().map(|(_, last)| &last.validators);
        let location = &self.settings.location;
        let fetched = location.fetch(known.unwrap_or(&unknown), self.settings.key.is_some())?;
        let Some(received) = fetched else {
            return Ok(None);
        };
        if let Some((_, last)) = &mut self.last
            && last.text == received.text
            && last.signature == received.signature
        {
            last.validators = received.validators;
            return Ok(None);
        }
        let document = self.read(&received)?;
        let last = self.last.as_ref().map(|(serial, _)| *serial);
        if let Some(last) = last.filter(|last| document.serial <= *last) {
            let same = self
                .last
                .as_ref()
                .map(|(_, last)| last.text == received.text);
            if document.serial < last {
                return Err(format!(
                    "serial {} is older than {last}, which this host has had: raise serial",
                    document.serial
                ));
            }
            if same != Some(true) {
                return Err(format!(
                    "another document has serial {last} too: raise serial"
                ));
            }
        }
        self.last = Some((document.serial, received.clone()));
        Ok(Some((document, received)))
    }

    /// A document, if it is signed as it has to be.
    fn read(&self, received: &Received) -> Result<MeshDocument, String> {
        if let Some(key) = &self.settings.key {
            let signature = received.signature.as_deref();
            let signature = signature.ok_or("the document has no signature")?;
            signature::verify(key, &received.text, signature)?;
        }
        let text = std::str::from_utf8(&received.text);
        let text = text.map_err(|_| "the document is not UTF-8 text".to_owned())?;
        let document = MeshDocument::read(&self.settings.location.name(), text);
        document.map_err(|failure| {
            let faults = failure.earlier.iter().chain([&failure]);
            let mut faults: Vec<String> = faults.map(ToString::to_string).collect();
            let more = faults.len().saturating_sub(3);
            faults.truncate(3);
            if more > 0 {
                faults.push(format!("{more} more faults"));
            }
            faults.join("; ")
        })
    }
}
