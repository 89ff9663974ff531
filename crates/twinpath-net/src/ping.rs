//! ICMP Echo (RFC 792, RFC 4443).

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::connect::ConnectError;
use crate::os;

const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;
const MARK: [u8; 16] = *b"twinpath echo...";
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Sends one Echo request and waits for its reply until `is_over`: how long it took. `None`: none came.
///
/// # Errors
/// [`ConnectError`]: `PermissionDenied`, where the user may send none; that it cannot be sent; or an ICMP error.
pub fn ping(far: SocketAddr, is_over: &dyn Fn() -> bool) -> Result<Option<Duration>, ConnectError> {
    let plain = |source| ConnectError { source, icmp: None };
    let socket = socket(far).map_err(plain)?;
    os::stream::report_icmp(&socket, far.is_ipv6(), true);
    echo(&socket, far, is_over).map_err(|source| ConnectError {
        source,
        icmp: os::stream::icmp_error(&socket),
    })
}

fn socket(far: SocketAddr) -> io::Result<Socket> {
    let (domain, protocol) = if far.is_ipv4() {
        (Domain::IPV4, Protocol::ICMPV4)
    } else {
        (Domain::IPV6, Protocol::ICMPV6)
    };
    // Either may be permitted without the other.
    Socket::new(domain, Type::DGRAM, Some(protocol))
        .or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))
}

fn echo(
    socket: &Socket,
    far: SocketAddr,
    is_over: &dyn Fn() -> bool,
) -> io::Result<Option<Duration>> {
    let request = if far.is_ipv4() {
        REQUEST_V4
    } else {
        REQUEST_V6
    };
    let id = (std::process::id() & 0xffff).to_be_bytes();
    let [_, _, id @ ..] = id;
    let mut packet = [0; 8 + MARK.len()];
    packet[0] = request;
    packet[4..6].copy_from_slice(&id);
    packet[7] = 1;
    packet[8..].copy_from_slice(&MARK);
    if far.is_ipv4() {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let mut to = far;
    to.set_port(0);
    socket.connect(&SockAddr::from(to))?;
    let sent = Instant::now();
    socket.send(&packet)?;
    let mut received = [0; 512];
    socket.set_read_timeout(Some(LOOK_EVERY))?;
    while !is_over() {
        let mut socket = socket;
        match socket.read(&mut received) {
            Ok(octets) if received.get(..octets).is_some_and(is_reply) => {
                return Ok(Some(sent.elapsed()));
            }
            Ok(_) => {}
            Err(error) if is_to_go_on(error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// It is no error of the far end or the way there.
fn is_to_go_on(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// Whether it is the reply to [`ping`], with an IP header before it or without one.
fn is_reply(packet: &[u8]) -> bool {
    let icmp = match packet.first() {
        Some(first) if first >> 4 == 4 => packet.get(usize::from(first & 0xf) * 4..),
        _ => Some(packet),
    };
    icmp.is_some_and(|icmp| {
        matches!(icmp.first(), Some(&(REPLY_V4 | REPLY_V6))) && icmp.ends_with(&MARK)
    })
}

/// The Internet checksum (RFC 1071) of an even number of octets.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks_exact(2).map(|word| match word {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    });
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(time: Duration) -> impl Fn() -> bool {
        let begun = Instant::now();
        move || begun.elapsed() >= time
    }

    #[test]
    fn loopback_answers_where_the_user_may_ask() {
        for far in ["127.0.0.1:0", "[::1]:0"] {
            match ping(far.parse().unwrap(), &after(Duration::from_secs(10))) {
                Ok(took) => assert!(took.is_some(), "{far}"),
                Err(error) => eprintln!("skipped: no ICMP to {far} here ({error})"),
            }
        }
    }

    #[test]
    fn an_address_without_a_host_is_silent() {
        // TEST-NET-1: a route to it may be there or not.
        let far = "192.0.2.254:0".parse().unwrap();
        let silent = ping(far, &after(Duration::from_millis(50)));
        assert!(!matches!(silent, Ok(Some(_))), "{silent:?}");
    }
}
