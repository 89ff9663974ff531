//! A control connection's thread, and the handle on it.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use tokio::runtime::Builder;
use tokio::sync::watch;

use super::event::{EVENTS, News};
use super::{ControlError, ControlEvent};
use crate::error::{RunError, StartError};

type Outcome<R> = Result<R, ControlError>;

/// Whether the run was told to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (teller, told) = watch::channel(false);
        (teller, Self(told))
    }

    /// Returns when the run is told to stop. A handle that is gone is no reason.
    pub(crate) async fn told(&mut self) {
        if self.0.wait_for(|told| *told).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

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
        let system = |what| move |source| StartError::System { what, source };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(system("a descriptor to wait by"))?;
        let (teller, events) = sync_channel(EVENTS);
        let (stop, told) = Stop::new();
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || runtime.block_on(task(News(teller), told)))
            .map_err(system("a thread"))?;
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
