//! A control connection's thread, and the handle on it.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use tokio::runtime::Builder;
use tokio::sync::watch;

use super::event::{EVENTS, News};
use super::{ControlError, ControlEvent};
use crate::error::{RunError, StartError, spawn};
use crate::stop::Stop;

type Outcome<R> = Result<R, ControlError>;

/// A thread that talks to a Server.
#[derive(Debug)]
pub(crate) struct ClientThread<R> {
    events: Receiver<ControlEvent>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<Outcome<R>>>,
}

impl<R: Send + 'static> ClientThread<R> {
    pub(crate) fn start<F>(
        task: impl FnOnce(News, Stop) -> F + Send + 'static,
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
        let thread = spawn("control", move || {
            runtime.block_on(task(News(teller), told))
        })?;
        Ok(Self {
            events,
            stop,
            thread: Some(thread),
        })
    }

    pub(crate) fn next_event(&self) -> Option<ControlEvent> {
        self.events.try_recv().ok()
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    pub(crate) fn join(mut self) -> Outcome<R> {
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
