//! TCP connections, with the ICMP error that rejects one.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::os;
use crate::packet::IcmpError;

/// A connection that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct ConnectError {
    /// The system's error.
    pub source: io::Error,
    /// The ICMP error that it is about; `None`: none came, as with a reset, or the system does not report it.
    pub icmp: Option<IcmpError>,
}

/// Connects, and waits so long for an answer.
///
/// # Errors
/// [`ConnectError`]: refused, unreachable or `TimedOut`.
pub fn connect(far: SocketAddr, timeout: Duration) -> Result<TcpStream, ConnectError> {
    let plain = |source| ConnectError { source, icmp: None };
    let socket = Socket::new(Domain::for_address(far), Type::STREAM, Some(Protocol::TCP));
    let socket = socket.map_err(plain)?;
    os::stream::report_icmp(&socket, far.is_ipv6(), true);
    match socket.connect_timeout(&far.into(), timeout) {
        Ok(()) => {
            // Else a later ICMP error would end the connection.
            os::stream::report_icmp(&socket, far.is_ipv6(), false);
            Ok(socket.into())
        }
        Err(source) => Err(ConnectError {
            source,
            icmp: os::stream::icmp_error(&socket),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_reset_is_no_icmp_error_and_a_listener_is_connected() {
        for near in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(near) else {
                continue;
            };
            let far = listener.local_addr().unwrap();
            assert_eq!(connect(far, PATIENCE).unwrap().peer_addr().unwrap(), far);
            // Bound, so that no other socket gets its port, and not listening.
            let closed = Socket::new(Domain::for_address(far), Type::STREAM, None).unwrap();
            closed.bind(&SocketAddr::new(far.ip(), 0).into()).unwrap();
            let far = closed.local_addr().unwrap().as_socket().unwrap();
            let error = connect(far, PATIENCE).unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::ConnectionRefused);
            assert_eq!(error.icmp, None);
        }
    }
}
