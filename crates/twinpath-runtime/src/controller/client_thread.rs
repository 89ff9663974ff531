//! A control connection's thread, and the handle on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use tokio::runtime::Builder;
use tokio::sync::watch;

use super::event::{EVENTS, EventSender};
use super::{ControlError, ControlEvent};
use crate::error::{RunError, StartError, spawn};
use crate::stop::Stop;

type Outcome<R> = Result<R, ControlError>;

/// A thread that talks to a Server, and reports.
#[derive(Debug)]
pub struct ClientThread<R> {
    events: Receiver<ControlEvent>,
    accepted: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<Outcome<R>>>,
}

impl<R: Send + 'static> ClientThread<R> {
    pub(crate) fn start<F>(
        task: impl FnOnce(EventSender, Stop) -> F + Send + 'static,
    ) -> Result<Self, StartError>
    where
        F: Future<Output = Outcome<R>>,
    {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::system("a descriptor to wait by"))?;
        let (teller, events) = sync_channel(EVENTS);
        let (stop, told) = Stop::new();
        let news = EventSender::new(teller);
        let accepted = news.accepted();
        let thread = spawn("control", move || runtime.block_on(task(news, told)))?;
        Ok(Self {
            events,
            accepted,
            stop,
            thread: Some(thread),
        })
    }

    /// What happened on the control connection; `None`: nothing more yet. Of events that are read too
    /// slowly some are left out.
    pub fn next_event(&self) -> Option<ControlEvent> {
        self.events.try_recv().ok()
    }

    /// How many sessions the Server has accepted so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Stops the sessions, and the connection.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// The run is over.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the end and gives the report.
    ///
    /// # Errors
    /// [`ControlError`]: no session ran, and why; or the Server ended it.
    pub fn join(mut self) -> Result<R, ControlError> {
        let fault = || Err(RunError::Fault.into());
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|_| fault()),
            None => fault(),
        }
    }
}

impl<R> Drop for ClientThread<R> {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
