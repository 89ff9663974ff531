//! TCP connections, with the ICMP error that rejects one.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread;
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

const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Connects, and waits for an answer until `is_over`.
///
/// # Errors
/// [`ConnectError`]: refused, unreachable or `TimedOut`.
pub fn connect(far: SocketAddr, is_over: &dyn Fn() -> bool) -> Result<TcpStream, ConnectError> {
    let plain = |source| ConnectError { source, icmp: None };
    let socket = Socket::new(Domain::for_address(far), Type::STREAM, Some(Protocol::TCP));
    let socket = socket.map_err(plain)?;
    os::stream::report_icmp(&socket, far.is_ipv6(), true);
    match connected(&socket, far, is_over) {
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

fn connected(socket: &Socket, far: SocketAddr, is_over: &dyn Fn() -> bool) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match socket.connect(&far.into()) {
        Err(error) if !is_in_progress(&error) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    loop {
        let is_last = is_over();
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        if socket.peer_addr().is_ok() {
            return socket.set_nonblocking(false);
        }
        if is_last {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_begun = error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(not(unix))]
    let is_begun = false;
    is_begun || error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn is_never_over() -> bool {
        false
    }

    #[test]
    fn a_reset_is_no_icmp_error_and_a_listener_is_connected() {
        for near in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(near) else {
                continue;
            };
            let far = listener.local_addr().unwrap();
            assert_eq!(
                connect(far, &is_never_over).unwrap().peer_addr().unwrap(),
                far
            );
            // Bound, so that no other socket gets its port, and not listening.
            let closed = Socket::new(Domain::for_address(far), Type::STREAM, None).unwrap();
            closed.bind(&SocketAddr::new(far.ip(), 0).into()).unwrap();
            let far = closed.local_addr().unwrap().as_socket().unwrap();
            let error = connect(far, &is_never_over).unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::ConnectionRefused);
            assert_eq!(error.icmp, None);
        }
    }
}
