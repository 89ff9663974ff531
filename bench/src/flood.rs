//! An open-loop generator: requests at a paced rate, replies counted between the batches.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::batch::{BATCH, Batch};
use super::sys::monotonic_ns;

/// What to send.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FloodPlan {
    /// Packets a second asked for.
    pub pps: u64,
    /// For how long.
    pub duration: Duration,
    /// How long replies still count after the last request. Short, so that what waits in the
    /// reflector's receive buffer at the end counts as lost: the rate was too high.
    pub grace: Duration,
    /// Octets of UDP payload.
    pub octets: usize,
}

/// What a flood did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FloodCount {
    /// Requests that the system took.
    pub sent: u64,
    /// Replies that came before the grace was over.
    pub received: u64,
    /// From the first request to the last.
    pub elapsed: Duration,
}

/// Floods the connected peer with Session-Sender packets (a sequence number, a present timestamp).
///
/// # Errors
/// Of the socket.
pub fn flood(socket: &UdpSocket, plan: FloodPlan) -> io::Result<FloodCount> {
    send(socket, plan, stamp_request)
}

/// Floods the connected peer with one packet again and again, as much of it as the plan's size has
/// room for.
///
/// # Errors
/// Of the socket.
pub fn flood_with(socket: &UdpSocket, plan: FloodPlan, packet: &[u8]) -> io::Result<FloodCount> {
    send(socket, plan, |slot, _, _| {
        for (octet, value) in slot.iter_mut().zip(packet) {
            *octet = *value;
        }
    })
}

fn send(
    socket: &UdpSocket,
    plan: FloodPlan,
    write: impl Fn(&mut [u8], u64, u64),
) -> io::Result<FloodCount> {
    let mut requests = Batch::new();
    let mut replies = Batch::new();
    for slot in 0..BATCH {
        requests.fill(slot, plan.octets);
    }
    let begin = monotonic_ns();
    let end = begin.saturating_add(nanoseconds(plan.duration));
    let mut count = FloodCount {
        sent: 0,
        received: 0,
        elapsed: Duration::ZERO,
    };
    loop {
        let now = monotonic_ns();
        if now >= end {
            break;
        }
        let due = u128::from(now - begin) * u128::from(plan.pps) / 1_000_000_000;
        let late = u64::try_from(due)
            .unwrap_or(u64::MAX)
            .saturating_sub(count.sent);
        let burst = usize::try_from(late).unwrap_or(BATCH).min(BATCH);
        // Half a batch at least, so that a slow rate does not cost a call for every packet.
        if burst >= BATCH / 2 {
            for (slot, seq) in (0..burst).zip(count.sent..) {
                write(requests.fill(slot, plan.octets), seq, now);
            }
            count.sent += taken(requests.send(socket, burst, false))?;
        }
        count.received += taken(replies.receive(socket, libc::MSG_DONTWAIT))?;
    }
    count.elapsed = Duration::from_nanos(monotonic_ns() - begin);
    let last = monotonic_ns().saturating_add(nanoseconds(plan.grace));
    while monotonic_ns() < last && count.received < count.sent {
        count.received += taken(replies.receive(socket, libc::MSG_DONTWAIT))?;
    }
    Ok(count)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Sequence Number, Timestamp and Error Estimate; the rest stays zero. The time of day is not
/// read, so the stamp is only unlike zero.
fn stamp_request(request: &mut [u8], seq: u64, now_ns: u64) {
    let [.., a, b, c, d] = seq.to_be_bytes();
    let header = [a, b, c, d]
        .into_iter()
        .chain(now_ns.to_be_bytes())
        .chain([0x00, 0x01]);
    for (octet, value) in request.iter_mut().zip(header) {
        *octet = value;
    }
}

/// A full queue or a refusal is not an error of the generator: nothing was moved.
fn taken(result: io::Result<usize>) -> io::Result<u64> {
    match result {
        Ok(moved) => Ok(u64::try_from(moved).unwrap_or(0)),
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ECONNREFUSED | libc::EINTR)
            ) =>
        {
            Ok(0)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::echo;
    use super::*;

    #[test]
    fn a_gentle_flood_is_echoed_to_the_last_packet() {
        let reflector = UdpSocket::bind("[::1]:0").unwrap();
        let sender = UdpSocket::bind("[::1]:0").unwrap();
        sender.connect(reflector.local_addr().unwrap()).unwrap();
        std::thread::spawn(move || echo(&reflector));
        let plan = FloodPlan {
            pps: 1000,
            duration: Duration::from_millis(200),
            grace: Duration::from_secs(5),
            octets: 41,
        };
        let count = flood(&sender, plan).unwrap();
        assert!(count.sent > 0 && count.sent <= 200);
        assert_eq!(count.received, count.sent);
    }

    #[test]
    fn a_flooded_packet_is_a_request_with_a_time_and_an_error_estimate() {
        let mut octets = [0; 41];
        stamp_request(&mut octets, 0x0102_0304, 0x0506_0708_090a_0b0c);
        assert_eq!(octets[..14], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 1]);
        assert_eq!(octets[14..], [0; 27]);
    }
}
