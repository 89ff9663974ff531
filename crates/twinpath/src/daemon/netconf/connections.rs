//! Connections, within limits.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::ssh_key::public::KeyData;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::debug;

use super::{Shared, transport};

/// Connections whose session has not begun, at most: the oldest of them ends for another one.
const MOST_WAITING: usize = 32;
/// Of one address.
const MOST_WAITING_OF_ONE: usize = 8;
/// After a failure to accept a connection.
const REST: Duration = Duration::from_millis(100);

/// All that are open.
#[derive(Clone)]
pub(super) struct Connections(Arc<Mutex<Table>>);

struct Table {
    last: u64,
    open: BTreeMap<u64, Open>,
    max_sessions: usize,
    max_per_address: usize,
}

struct Open {
    from: IpAddr,
    /// To end it.
    socket: std::net::TcpStream,
    /// The user and key of its session; `None`: it has not begun.
    session: Option<(Arc<str>, KeyData)>,
}

/// One of them, for as long as it is open.
pub(super) struct Connection {
    all: Connections,
    number: u64,
}

/// Accepts connections for ever.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await.and_then(|it| opened(&shared, it)) {
            Ok((stream, from, connection)) => {
                tokio::spawn(transport::serve(
                    Arc::clone(&shared),
                    stream,
                    from,
                    connection,
                ));
            }
            // No descriptors, for example: one may become free.
            Err(error) => {
                debug!(%error, "a connection by SSH could not be accepted");
                sleep(REST).await;
            }
        }
    }
}

fn opened(
    shared: &Shared,
    (stream, from): (TcpStream, SocketAddr),
) -> io::Result<(TcpStream, SocketAddr, Connection)> {
    let stream = stream.into_std()?;
    let socket = stream.try_clone()?;
    let connection = shared.connections.open(from.ip(), socket);
    Ok((TcpStream::from_std(stream)?, from, connection))
}

impl Connections {
    pub(super) fn new(max_sessions: usize, max_per_address: usize) -> Self {
        Self(Arc::new(Mutex::new(Table {
            last: 0,
            open: BTreeMap::new(),
            max_sessions,
            max_per_address,
        })))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another one. Of those that wait too long for their session, another one may end for it.
    fn open(&self, from: IpAddr, socket: std::net::TcpStream) -> Connection {
        let from = network(from);
        let mut table = self.table();
        let waiting = || table.open.values().filter(|it| it.session.is_none());
        let of_one = waiting().filter(|it| it.from == from).count();
        let oldest = if of_one >= MOST_WAITING_OF_ONE {
            let mut waiting = waiting();
            waiting.find(|it| it.from == from)
        } else if waiting().count() >= MOST_WAITING {
            waiting().next()
        } else {
            None
        };
        if let Some(oldest) = oldest {
            oldest.end();
        }
        table.last += 1;
        let number = table.last;
        let open = Open {
            from,
            socket,
            session: None,
        };
        table.open.insert(number, open);
        Connection {
            all: self.clone(),
            number,
        }
    }

    /// Ends sessions whose users have these keys no longer.
    pub(super) fn retain(&self, has: impl Fn(&str, &KeyData) -> bool) {
        for open in self.table().open.values() {
            if let Some((user, key)) = &open.session
                && !has(user, key)
            {
                open.end();
            }
        }
    }
}

impl Connection {
    /// Begins its session, if another one may begin.
    pub(super) fn begin(&self, user: &Arc<str>, key: &KeyData) -> bool {
        let mut table = self.all.table();
        let Some(from) = table.open.get(&self.number).map(|open| open.from) else {
            return false;
        };
        let sessions = || table.open.values().filter(|it| it.session.is_some());
        let of_one = sessions().filter(|it| it.from == from).count();
        if of_one >= table.max_per_address || sessions().count() >= table.max_sessions {
            return false;
        }
        if let Some(open) = table.open.get_mut(&self.number) {
            open.session = Some((Arc::clone(user), key.clone()));
        }
        true
    }

    /// Whether its session has begun.
    pub(super) fn has_begun(&self) -> bool {
        let table = self.all.table();
        let open = table.open.get(&self.number);
        open.is_some_and(|open| open.session.is_some())
    }

    /// Ends it at once, whatever it waits for.
    pub(super) fn end(&self) {
        if let Some(open) = self.all.table().open.get(&self.number) {
            open.end();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.table().open.remove(&self.number);
    }
}

impl Open {
    fn end(&self) {
        // It may have ended by itself.
        let _ended = self.socket.shutdown(Shutdown::Both);
    }
}

/// What counts as one address: of IPv6 the network of one host.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(bits).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}
