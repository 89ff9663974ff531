//! Whether addresses answer ICMP Echo, and what listens on TCP ports.

use std::io::{self, Read};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use twinpath_net::{ConnectError, IcmpError, IcmpKind};

use super::waiting::Waiting;

/// Octets kept of what a service says first.
const SAID_OCTETS: usize = 128;
/// Those of a Server Greeting (RFC 4656 section 3.1).
const GREETING_OCTETS: usize = 64;
const READ_EVERY: Duration = Duration::from_millis(50);
/// Once something was said, how long the rest is waited for.
const REST: Duration = Duration::from_millis(100);

/// What a TCP port did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectSeen {
    /// How long it took to find out.
    pub took: Duration,
    /// The outcome.
    pub connection: Connection,
}

/// The outcome of a TCP connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Something listens, and has said this first, by itself; at most 128 octets are kept.
    Open(Vec<u8>),
    /// By a reset; or by an ICMP error, where the system does not tell one from the other.
    Refused,
    /// By an ICMP error.
    Rejected {
        /// Its kind.
        kind: IcmpKind,
        /// Who sent it.
        from: Option<IpAddr>,
    },
    /// No answer in time.
    Silent,
    /// The system's error.
    Failed(io::ErrorKind),
}

impl Connection {
    /// One that could not be made.
    pub(super) fn of(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            Self::Refused
        } else if is_over(error) {
            Self::Silent
        } else {
            Self::Failed(error.kind())
        }
    }
}

impl From<ConnectError> for Connection {
    fn from(error: ConnectError) -> Self {
        match error.icmp {
            Some(IcmpError { kind, from, .. }) => Self::Rejected { kind, from },
            None => Self::of(&error.source),
        }
    }
}

/// What an address did with an ICMP Echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingSeen {
    /// It answered, so long after.
    Answered(Duration),
    /// No answer in time.
    Silent,
    /// This user may not ask.
    NotPermitted,
    /// An ICMP error came.
    Rejected {
        /// Its kind.
        kind: IcmpKind,
        /// Who sent it.
        from: Option<IpAddr>,
    },
    /// The system's error.
    Failed(io::ErrorKind),
}

/// Connects to each side by side, listens to what is said first, and closes without a word. `None`: it was
/// stopped before it was over.
pub fn connect_all(all: &[SocketAddr], waiting: &Waiting) -> Vec<Option<ConnectSeen>> {
    each(all, |far| connect(far, waiting))
}

/// Sends an Echo to each side by side. `None`: it was stopped before it was over.
pub fn ping_all(all: &[SocketAddr], waiting: &Waiting) -> Vec<Option<PingSeen>> {
    each(all, |far| {
        let seen = ping(far, waiting);
        let is_known = seen != PingSeen::Silent || !waiting.is_stopped();
        is_known.then_some(seen)
    })
}

fn ping(far: SocketAddr, waiting: &Waiting) -> PingSeen {
    match twinpath_net::ping(far, &|| waiting.is_over()) {
        Ok(Some(took)) => {
            waiting.answered();
            PingSeen::Answered(took)
        }
        Ok(None) => PingSeen::Silent,
        Err(ConnectError {
            icmp: Some(IcmpError { kind, from, .. }),
            ..
        }) => PingSeen::Rejected { kind, from },
        Err(ConnectError { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            PingSeen::NotPermitted
        }
        Err(ConnectError { source, .. }) => PingSeen::Failed(source.kind()),
    }
}

/// What `ask` says of each, by a thread for each.
fn each<T: Send>(all: &[SocketAddr], ask: impl Fn(SocketAddr) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = all.iter().map(|far| scope.spawn(|| ask(*far))).collect();
        let ended = threads.into_iter().zip(all);
        ended
            .map(|(thread, far)| thread.join().unwrap_or_else(|_| ask(*far)))
            .collect()
    })
}

fn connect(far: SocketAddr, waiting: &Waiting) -> Option<ConnectSeen> {
    let begun = Instant::now();
    let made = twinpath_net::connect(far, &|| waiting.is_over());
    let took = begun.elapsed();
    let connection = match made {
        Ok(stream) => {
            waiting.answered();
            let said = said_first(&stream, waiting, took);
            // It is closed in any case.
            let _closed = stream.shutdown(Shutdown::Both);
            Connection::Open(said?)
        }
        Err(error) => error.into(),
    };
    if connection == Connection::Refused {
        waiting.answered();
    }
    let is_known = connection != Connection::Silent || !waiting.is_stopped();
    is_known.then_some(ConnectSeen { took, connection })
}

/// What a service says by itself: it comes a round trip later than the connection, which took one. `None`: it was
/// stopped before so much was said that a greeting would be whole.
fn said_first(mut stream: &TcpStream, waiting: &Waiting, round_trip: Duration) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    let patience = waiting.patience().saturating_sub(round_trip);
    let mut until = Instant::now() + patience.max(round_trip * 2);
    let mut buffer = [0; SAID_OCTETS];
    while Instant::now() < until && said.len() < SAID_OCTETS {
        if waiting.is_stopped() {
            return (said.len() >= GREETING_OCTETS).then_some(said);
        }
        if stream.set_read_timeout(Some(READ_EVERY)).is_err() {
            break;
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(octets) => {
                said.extend_from_slice(buffer.get(..octets).unwrap_or_default());
                until = until.min(Instant::now() + REST);
            }
            Err(error) if is_over(&error) || error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    said.truncate(SAID_OCTETS);
    Some(said)
}

/// Its time is over.
fn is_over(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// What is known of a service that says so many octets, and stays, once it is stopped.
    fn stopped_after(octets: usize) -> Option<ConnectSeen> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = listener.local_addr().unwrap();
        // So long that the time after the first octets is not over before it is stopped.
        let waiting = Waiting::new(LONG, LONG);
        thread::scope(|scope| {
            let asked = scope.spawn(|| connect_all(&[far], &waiting));
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&vec![b'x'; octets]).unwrap();
            while octets > 0 && !asked.is_finished() {
                thread::sleep(READ_EVERY);
            }
            waiting.stop();
            asked.join().unwrap().pop().unwrap()
        })
    }

    #[test]
    fn a_service_that_was_stopped_before_its_greeting_is_not_said_to_say_nothing() {
        assert_eq!(stopped_after(0), None);
        let known = stopped_after(GREETING_OCTETS).unwrap();
        let said = vec![b'x'; GREETING_OCTETS];
        assert_eq!(known.connection, Connection::Open(said));
    }
}
