//! The word that the Server is to stop, for all its tasks.

use tokio::sync::watch;

/// Listens for it. Clones hear the same.
#[derive(Clone, Debug)]
pub(super) struct Stopping(watch::Receiver<bool>);

/// Says it.
#[derive(Debug)]
pub(super) struct Stop(watch::Sender<bool>);

pub(super) fn channel() -> (Stop, Stopping) {
    let (stop, stopping) = watch::channel(false);
    (Stop(stop), Stopping(stopping))
}

impl Stop {
    /// May be said more than once.
    pub(super) fn say(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Until it is said, or nobody is left to say it.
    pub(super) async fn heard(&mut self) {
        // What this gives is a lock on the value: not to be kept.
        drop(self.0.wait_for(|stop| *stop).await);
    }
}
