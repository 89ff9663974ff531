//! The connections that are open, and which of them is closed for a new one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use super::activity::{Activity, Observed};

/// Connections at once.
const MOST: usize = 256;
/// Those of one address, beyond loopback.
const MOST_OF_SOURCE: usize = 32;

/// All connections of a server.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    open: HashMap<u64, Open>,
    next: u64,
}

struct Open {
    source: Source,
    activity: Arc<Activity>,
    task: AbortHandle,
}

/// From where a connection comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// This host.
    Host,
    /// An IPv4 address, or the /64 of an IPv6 address.
    Network(IpAddr),
}

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        if address.is_loopback() {
            return Self::Host;
        }
        Self::Network(match address {
            IpAddr::V4(_) => address,
            // One host can have any address of it.
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()
            }
        })
    }
}

impl Connections {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `serve` serve a new connection from `source`, in a task. Where there are too many, the one that has waited
    /// longest for a request is closed for it; where all are answered, the new one is.
    pub(super) fn open<S, Serving>(
        &self,
        source: Source,
        stream: S,
        serve: impl FnOnce(Observed<S>, Arc<Activity>) -> Serving,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        Serving: Future<Output = ()> + Send + 'static,
    {
        let mut table = self.table();
        if !table.make_room(source) {
            return;
        }
        let activity = Activity::new();
        let number = table.next;
        table.next += 1;
        let leaving = Leaving {
            connections: self.clone(),
            number,
        };
        let stream = Observed::new(stream, Arc::clone(&activity));
        let serving = serve(stream, Arc::clone(&activity));
        // It cannot leave before it is in the table, which is locked.
        let task = tokio::spawn(async move {
            let _leaving = leaving;
            serving.await;
        });
        table.open.insert(
            number,
            Open {
                source,
                activity,
                task: task.abort_handle(),
            },
        );
    }

    /// Has all connections end after the answers that they are in.
    #[cfg(any(feature = "daemon", test))]
    pub(super) fn end(&self) {
        for open in self.table().open.values() {
            open.activity.end();
        }
    }
}

impl Table {
    /// Whether there is room for a new connection, perhaps now that another was closed.
    fn make_room(&mut self, source: Source) -> bool {
        let of_source = self.open.values().filter(|open| open.source == source);
        if source != Source::Host && of_source.count() >= MOST_OF_SOURCE {
            return self.close_one(|open| open.source == source);
        }
        self.open.len() < MOST || self.close_one(|_| true)
    }

    /// Closes the connection that has waited longest for a request, of those that `may` be closed.
    fn close_one(&mut self, may: impl Fn(&Open) -> bool) -> bool {
        let waiting = self.open.iter().filter(|(_, open)| may(open));
        let waiting = waiting.filter_map(|(number, open)| {
            let since = open.activity.waits_since()?;
            Some((since, *number))
        });
        let Some((_, number)) = waiting.min() else {
            return false;
        };
        if let Some(open) = self.open.remove(&number) {
            open.task.abort();
        }
        true
    }
}

/// Takes a connection out of the table when it ends, however it does.
struct Leaving {
    connections: Connections,
    number: u64,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.connections.table().open.remove(&self.number);
    }
}
