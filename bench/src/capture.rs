//! A packet capture at one end of the link: the truth that benchmarks measure against.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::message::{Peer, receive, wait_readable};
use super::sys::{checked, in_namespace, raise_receive_buffer, set_option};

/// Octets of UDP payload that a capture keeps: a whole open reply.
const KEPT_OCTETS: usize = 44;
/// How often the capture is read; its buffer holds far more than comes meanwhile.
const READ_EVERY: Duration = Duration::from_millis(20);
const UDP: u8 = 17;

/// Which way a captured packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Left this host.
    Out,
    /// Came to this host.
    In,
}

/// One UDP datagram as the capture saw it.
#[derive(Clone, Copy, Debug)]
pub struct Captured {
    /// Which way it went.
    pub direction: Direction,
    /// Unix time in nanoseconds, by the kernel.
    pub at_ns: i64,
    /// The first octets of its payload, zeros where it is shorter.
    pub payload: [u8; KEPT_OCTETS],
}

/// A capture in progress, on a thread of its own.
pub struct Capture {
    over: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Vec<Captured>>>,
}

impl Capture {
    /// Begins to capture, in the namespace that `namespace` names, what UDP datagrams go from or to
    /// `port` on any of its interfaces. It has begun when this returns.
    ///
    /// # Errors
    /// Where the namespace cannot be entered or there is no privilege to capture.
    pub fn start(namespace: &Path, port: u16) -> io::Result<Self> {
        // A socket belongs to the namespace it was made in, whichever thread reads it.
        let socket = in_namespace(namespace, open)?;
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || read_all(&socket, port, &seen));
        Ok(Self { over, thread })
    }

    /// Ends it, with everything that was there by now.
    ///
    /// # Errors
    /// Where the capture failed on its way, or lost packets.
    pub fn finish(self) -> io::Result<Vec<Captured>> {
        self.over.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the capture panicked")))
    }
}

fn open() -> io::Result<OwnedFd> {
    let protocol = libc::c_int::from(u16::try_from(libc::ETH_P_ALL).unwrap_or(0).to_be());
    // SAFETY: socket takes three numbers and touches no memory of ours.
    let fd = checked(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM, protocol) })?;
    // SAFETY: the descriptor was opened just above and nothing else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    raise_receive_buffer(&socket, 32 << 20)?;
    Ok(socket)
}

fn read_all(socket: &OwnedFd, port: u16, over: &AtomicBool) -> io::Result<Vec<Captured>> {
    let mut seen = Vec::new();
    let mut frame = [0_u8; 128];
    loop {
        // Asked before the last look, so that nothing that came earlier is left.
        let last = over.load(Ordering::Relaxed);
        while wait_readable(socket, 0)? {
            let got = receive(socket, &mut frame, libc::MSG_DONTWAIT)?;
            let packet = frame.get(..got.octets).unwrap_or_default();
            if let (Some(payload), Some(at_ns)) = (udp_payload(packet, port), got.stamp_ns) {
                let mut kept = [0; KEPT_OCTETS];
                for (to, from) in kept.iter_mut().zip(payload) {
                    *to = *from;
                }
                seen.push(Captured {
                    direction: direction(&got.from),
                    at_ns,
                    payload: kept,
                });
            }
        }
        if last {
            return Ok(seen);
        }
        // Asleep, not waiting: to wake a waiter would cost the sender several µs between the
        // capture's stamp and the driver's, and be seen as an error of what is measured.
        std::thread::sleep(READ_EVERY);
    }
}

fn direction(from: &Peer) -> Direction {
    // SAFETY: the storage is larger and more aligned than a sockaddr_ll, and any octets are one.
    let link = unsafe { (&raw const from.storage).cast::<libc::sockaddr_ll>().read() };
    if link.sll_pkttype == libc::PACKET_OUTGOING {
        Direction::Out
    } else {
        Direction::In
    }
}

/// The UDP payload of an IP packet from or to `port`, as much of it as was captured.
fn udp_payload(packet: &[u8], port: u16) -> Option<&[u8]> {
    let first = packet.first()?;
    let (protocol, header) = match first >> 4 {
        4 => (*packet.get(9)?, usize::from(first & 15) * 4),
        6 => (*packet.get(6)?, 40),
        _ => return None,
    };
    let (ports, rest) = packet.get(header..)?.split_first_chunk::<4>()?;
    let [a, b, c, d] = *ports;
    let asked = u16::from_be_bytes([a, b]) == port || u16::from_be_bytes([c, d]) == port;
    (protocol == UDP && asked).then(|| rest.get(4..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_of_either_family_is_found_by_either_port() {
        let udp = [0x4e, 0x21, 0x4e, 0x20, 0, 10, 0, 0, 7, 8];
        let mut v4 = vec![0_u8; 24];
        v4[0] = 0x46;
        v4[9] = UDP;
        v4.extend(udp);
        let mut v6 = vec![0_u8; 40];
        v6[0] = 0x60;
        v6[6] = UDP;
        v6.extend(udp);
        for packet in [v4, v6] {
            assert_eq!(udp_payload(&packet, 20001), Some([7, 8].as_slice()));
            assert_eq!(udp_payload(&packet, 20000), Some([7, 8].as_slice()));
            assert_eq!(udp_payload(&packet, 862), None);
            for short in 0..packet.len() - 2 {
                assert_eq!(udp_payload(&packet[..short], 20001), None);
            }
        }
    }
}
