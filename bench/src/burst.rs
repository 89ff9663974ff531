//! The highest rate of timestamped packets from one thread over a plain socket.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::batch::{BATCH, Batch};
use super::message::{stamp_departures, wait_readable};
use super::sys::{monotonic_ns, thread_cpu_ns};

/// Timestamped packets of one thread.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct BurstCount {
    /// Packets that left.
    pub sent: u64,
    /// Transmit timestamps read.
    pub stamped: u64,
    /// From the first packet to the last.
    pub elapsed: Duration,
    /// Processor time meanwhile.
    pub cpu: Duration,
}

/// Sends packets of `octets` for `duration`, a batch by one system call, and reads their transmit
/// timestamps after each batch. Packets go to `to`, or to the connected peer, which spares the system
/// the choice of a route for each.
///
/// # Errors
/// Of the socket.
pub fn burst(
    socket: &UdpSocket,
    to: Option<SocketAddr>,
    octets: usize,
    duration: Duration,
) -> io::Result<BurstCount> {
    stamp_departures(socket)?;
    let mut packets = Batch::new();
    for slot in 0..BATCH {
        packets.fill(slot, octets);
    }
    if let Some(to) = to {
        packets.address(to);
    }
    let mut stamps = Batch::new();
    let mut count = BurstCount::default();
    let (begin, begin_cpu) = (monotonic_ns(), thread_cpu_ns());
    while count.elapsed < duration {
        count.sent += packets.send(socket, BATCH, to.is_some())? as u64;
        count.stamped += take_all(&mut stamps, socket)?;
        count.elapsed = Duration::from_nanos(monotonic_ns() - begin);
    }
    count.cpu = Duration::from_nanos(thread_cpu_ns() - begin_cpu);
    wait_readable(socket, 20)?;
    count.stamped += take_all(&mut stamps, socket)?;
    Ok(count)
}

fn take_all(stamps: &mut Batch, socket: &UdpSocket) -> io::Result<u64> {
    let mut all = 0;
    loop {
        let taken = stamps.take_stamps(socket)?;
        all += taken as u64;
        if taken < BATCH {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_of_a_burst_has_a_timestamp() {
        for ip in ["127.0.0.1", "::1"] {
            let Ok(sink) = UdpSocket::bind((ip, 0)) else {
                eprintln!("skipped: no {ip}");
                continue;
            };
            let far = sink.local_addr().unwrap();
            for to in [Some(far), None] {
                let socket = UdpSocket::bind((ip, 0)).unwrap();
                if to.is_none() {
                    socket.connect(far).unwrap();
                }
                let count = burst(&socket, to, 41, Duration::from_millis(5)).unwrap();
                assert!(count.sent >= 64);
                assert_eq!(count.stamped, count.sent);
                assert_eq!(sink.recv(&mut [0; 64]).unwrap(), 41);
            }
        }
    }
}
