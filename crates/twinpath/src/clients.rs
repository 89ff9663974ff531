//! Clients of a socket, each served within limits, by one thread for all.

use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::debug;

/// After a failure to accept a client.
const REST: Duration = Duration::from_millis(100);

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Clients at once. Others wait until one is served.
    pub(crate) at_once: usize,
    /// The longest that serving one may take.
    pub(crate) within: Duration,
}

/// For one thread.
pub(crate) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Serves from a thread of this name, as long as the process lives.
///
/// # Errors
/// If the system has no more threads.
pub(crate) fn spawn<Serving: Future<Output = ()>>(
    name: &str,
    runtime: Runtime,
    serve: impl FnOnce() -> Serving + Send + 'static,
) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || runtime.block_on(serve()))?;
    Ok(())
}

/// Serves those that `accept` gives, for ever; `what` they are, for the log.
pub(crate) async fn serve<Client, Served>(
    what: &'static str,
    limits: Limits,
    mut accept: impl AsyncFnMut() -> io::Result<Client>,
    mut serve: impl FnMut(Client) -> Served,
) where
    Served: Future<Output = ()> + Send + 'static,
{
    let free = Arc::new(Semaphore::new(limits.at_once));
    loop {
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        match accept().await {
            Ok(client) => {
                let served = serve(client);
                tokio::spawn(async move {
                    let _in_time = timeout(limits.within, served).await;
                    drop(permit);
                });
            }
            // No descriptors, for example: one may come free.
            Err(error) => {
                debug!(%error, "{what}: a client could not be accepted");
                sleep(REST).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future;

    use super::*;

    const LIMITS: Limits = Limits {
        at_once: 8,
        within: Duration::from_secs(5),
    };

    /// Clients accepted within this time, of any number that come at once and are never served.
    async fn accepted_within(time: Duration) -> u32 {
        let count = Cell::new(0);
        let accept = async || {
            count.set(count.get() + 1);
            if count.get() > 100 {
                future::pending::<()>().await;
            }
            Ok(())
        };
        let serving = serve("test", LIMITS, accept, |()| future::pending());
        assert!(timeout(time, serving).await.is_err());
        count.get()
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_take_for_ever_delay_others_for_a_bounded_time() {
        assert_eq!(accepted_within(Duration::from_millis(4_900)).await, 8);
        assert_eq!(accepted_within(Duration::from_millis(5_100)).await, 16);
        assert_eq!(accepted_within(Duration::from_millis(10_100)).await, 24);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_cannot_be_accepted_are_tried_again_at_leisure() {
        let count = Cell::new(0);
        let accept = async || {
            count.set(count.get() + 1);
            Err::<(), _>(io::ErrorKind::Other.into())
        };
        let serving = serve("test", LIMITS, accept, |()| future::ready(()));
        let _over = timeout(Duration::from_millis(950), serving).await;
        assert_eq!(count.get(), 10);
    }
}
