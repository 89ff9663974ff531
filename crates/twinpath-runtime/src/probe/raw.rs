//! A TCP connection and UDP ports beside it, used octet by octet: for messages that no client sends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::reach::Connection;

/// Octets read at once.
const BUFFER: usize = 4096;
/// The longest datagram that is looked at.
const DATAGRAM: usize = 2048;
/// A read ends at least so often, so that time limits hold.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// A control connection without a protocol.
#[derive(Debug)]
pub struct RawConnection {
    far: SocketAddr,
    stream: TcpStream,
    ports: [UdpSocket; 2],
    port_numbers: [u16; 2],
    /// Connections beside it that say nothing.
    idle: Vec<TcpStream>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRead {
    /// In order, at most as many as were asked for.
    pub octets: Vec<u8>,
    /// The far end has closed its side, or the connection failed.
    pub is_closed: bool,
}

/// What came of further connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// All were made, and this was read from the last.
    Made(RawRead),
    /// One could not be made.
    Limited {
        /// Connections that were made before it.
        made: usize,
        /// What the port did.
        why: Connection,
    },
    /// It was stopped before it was over.
    Stopped,
}

impl RawConnection {
    /// Connects, and takes two UDP ports of the same local address.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(far: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&far, patience)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(patience))?;
        let mut near = stream.local_addr()?;
        near.set_port(0);
        let ports = [UdpSocket::bind(near)?, UdpSocket::bind(near)?];
        let port_numbers = [ports[0].local_addr()?.port(), ports[1].local_addr()?.port()];
        Ok(Self {
            far,
            stream,
            ports,
            port_numbers,
            idle: Vec::new(),
        })
    }

    /// Makes so many further connections, one after the other, which say nothing and stay as long as this one, all
    /// within `patience`, and reads from the last as [`Self::read`] does.
    pub fn crowd(
        &mut self,
        connections: usize,
        most: usize,
        patience: Duration,
        stopped: &dyn Fn() -> bool,
    ) -> Crowd {
        let until = Instant::now() + patience;
        for made in 0..connections {
            if stopped() {
                return Crowd::Stopped;
            }
            let is_late = || Instant::now() >= until;
            if is_late() {
                return Crowd::Limited {
                    made,
                    why: Connection::Silent,
                };
            }
            let is_over = || stopped() || is_late();
            match twinpath_net::connect(self.far, &is_over) {
                Ok(stream) => self.idle.push(stream),
                Err(_) if stopped() => return Crowd::Stopped,
                Err(error) => {
                    return Crowd::Limited {
                        made,
                        why: error.into(),
                    };
                }
            }
        }
        match self.idle.last_mut() {
            Some(last) => Crowd::Made(read(last, most, patience)),
            None => Crowd::Made(RawRead::default()),
        }
    }

    /// The UDP ports.
    pub const fn ports(&self) -> [u16; 2] {
        self.port_numbers
    }

    /// Writes all octets; whether that worked.
    pub fn write(&mut self, octets: &[u8]) -> bool {
        self.stream.write_all(octets).is_ok()
    }

    /// Reads until there are so many octets, the far end closes, or `patience` is over.
    pub fn read(&mut self, most: usize, patience: Duration) -> RawRead {
        read(&mut self.stream, most, patience)
    }

    /// Ends what this side says, and goes on listening.
    pub fn close_half(&mut self) {
        // A connection that failed says so when it is read.
        let _failed = self.stream.shutdown(Shutdown::Write);
    }

    /// Sends a datagram from one of the UDP ports to a port of the far end.
    pub fn send(&mut self, port: usize, far_port: u16, datagram: &[u8]) {
        if let Some((socket, far)) = self.socket(port, far_port) {
            // One that does not leave stays unanswered, like one that is lost.
            let _failed = socket.send_to(datagram, far);
        }
    }

    /// The first datagram from this port of the far end that is `wanted`, before `patience` is over. Others
    /// are dropped.
    pub fn receive(
        &mut self,
        port: usize,
        far_port: u16,
        patience: Duration,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let (socket, far) = self.socket(port, far_port)?;
        let until = Instant::now() + patience;
        let mut buffer = [0; DATAGRAM];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            socket
                .set_read_timeout(Some(left.max(SHORTEST_WAIT)))
                .ok()?;
            // An ICMP error about an earlier datagram ends a read, too.
            if let Ok((octets, from)) = socket.recv_from(&mut buffer)
                && from == far
            {
                let datagram = buffer.get(..octets).unwrap_or_default();
                if wanted(datagram) {
                    return Some(datagram.to_vec());
                }
            }
        }
    }

    fn socket(&self, port: usize, far_port: u16) -> Option<(&UdpSocket, SocketAddr)> {
        let mut far = self.stream.peer_addr().ok()?;
        far.set_port(far_port);
        Some((self.ports.get(port)?, far))
    }
}

fn read(stream: &mut TcpStream, most: usize, patience: Duration) -> RawRead {
    let until = Instant::now() + patience;
    let mut read = RawRead::default();
    let mut buffer = [0; BUFFER];
    while read.octets.len() < most {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero()
            || stream
                .set_read_timeout(Some(left.max(SHORTEST_WAIT)))
                .is_err()
        {
            break;
        }
        let room = (most - read.octets.len()).min(BUFFER);
        match stream.read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(0) => {
                read.is_closed = true;
                break;
            }
            Ok(octets) => read.octets.extend(buffer.get(..octets).unwrap_or_default()),
            Err(error) if is_passing(error.kind()) => {}
            Err(_) => {
                read.is_closed = true;
                break;
            }
        }
    }
    read
}

/// The connection goes on.
const fn is_passing(error: io::ErrorKind) -> bool {
    matches!(
        error,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn octets_are_read_as_far_as_asked_and_an_end_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"abcdef").unwrap();
            let mut said = Vec::new();
            stream.read_to_end(&mut said).unwrap();
            said
        });
        let mut connection = RawConnection::connect(far, LONG).unwrap();
        assert_eq!(connection.read(4, LONG).octets, b"abcd");
        assert!(connection.write(b"xy"));
        connection.close_half();
        let rest = connection.read(100, LONG);
        assert_eq!((&rest.octets[..], rest.is_closed), (&b"ef"[..], true));
        assert_eq!(server.join().unwrap(), b"xy");
    }

    #[test]
    fn further_connections_are_made_until_one_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = listener.local_addr().unwrap();
        let mut connection = RawConnection::connect(far, LONG).unwrap();
        let made = connection.crowd(3, 1, Duration::from_millis(50), &|| false);
        // They say nothing, and neither does the far end.
        assert_eq!(made, Crowd::Made(RawRead::default()));
        let looks = Cell::new(0);
        let stopped = || {
            looks.set(looks.get() + 1);
            looks.get() > 1
        };
        assert_eq!(connection.crowd(3, 1, LONG, &stopped), Crowd::Stopped);
        drop(listener);
        let refused = Crowd::Limited {
            made: 0,
            why: Connection::Refused,
        };
        assert_eq!(connection.crowd(3, 1, LONG, &|| false), refused);
    }

    /// Linux answers no SYN to a full backlog.
    #[cfg(target_os = "linux")]
    #[test]
    fn all_further_connections_share_one_time() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(4).unwrap();
        let far = socket.local_addr().unwrap().as_socket().unwrap();
        let mut connection = RawConnection::connect(far, LONG).unwrap();
        let crowd = connection.crowd(20, 1, Duration::from_millis(300), &|| false);
        let Crowd::Limited { made, why } = crowd else {
            panic!("{crowd:?}")
        };
        assert!((1..20).contains(&made), "{made}");
        assert_eq!(why, Connection::Silent);
        // Nor are connections made that would be made at once.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut connection = RawConnection::connect(listener.local_addr().unwrap(), LONG).unwrap();
        let slow = || {
            thread::sleep(Duration::from_millis(30));
            false
        };
        let crowd = connection.crowd(20, 1, Duration::from_millis(300), &slow);
        let Crowd::Limited { made, why } = crowd else {
            panic!("{crowd:?}")
        };
        assert!(made < 20, "{made}");
        assert_eq!(why, Connection::Silent);
        // Nothing is left of the time for the first.
        let crowd = connection.crowd(20, 1, Duration::ZERO, &|| false);
        let none = Crowd::Limited {
            made: 0,
            why: Connection::Silent,
        };
        assert_eq!(crowd, none);
    }

    #[test]
    fn silence_is_no_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut connection = RawConnection::connect(listener.local_addr().unwrap(), LONG).unwrap();
        let read = connection.read(1, Duration::from_millis(50));
        assert_eq!(read, RawRead::default());
    }

    #[test]
    fn what_is_wanted_comes_back_to_the_port_that_sent_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = echo.local_addr().unwrap().port();
        let mut connection = RawConnection::connect(listener.local_addr().unwrap(), LONG).unwrap();
        let [first, second] = connection.ports();
        assert_ne!(first, second);
        let echoing = thread::spawn(move || {
            let mut buffer = [0; 100];
            let (octets, from) = echo.recv_from(&mut buffer).unwrap();
            echo.send_to(b"other", from).unwrap();
            echo.send_to(&buffer[..octets], from).unwrap();
            from.port()
        });
        connection.send(1, port, b"test");
        let back = connection.receive(1, port, LONG, &|octets| octets == b"test");
        assert_eq!(back.as_deref(), Some(&b"test"[..]));
        assert_eq!(echoing.join().unwrap(), second);
    }
}
