//! Telling all tasks of a run to stop.

use tokio::sync::watch;

/// Whether the run was told to stop. Clones are told the same.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (teller, told) = watch::channel(false);
        (teller, Self(told))
    }

    /// Returns when the run is to stop. A handle that is gone is no reason.
    pub(crate) async fn requested(&mut self) {
        if self.0.wait_for(|told| *told).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
