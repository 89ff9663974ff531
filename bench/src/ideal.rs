//! The ideal pair: the least error that plain sockets allow.
//!
//! Kernel stamps for T1, T2 and T4; T3 read right before the call that sends, and not advanced.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_wire::{ErrorEstimate, ReflectorOpen, Reply, SenderOpen, TimeFormat, Wall, WireTime};

use super::message::{receive, receive_all, send, stamp_arrivals, stamp_both_ways, wait_readable};
use super::sys::{least_timer_slack, monotonic_ns, raise_receive_buffer, sleep_until, unix_ns};

const BUFFER_OCTETS: i32 = 8 << 20;

/// Answers every request with 41 octets, until an error or the process ends.
///
/// # Errors
/// Of the socket.
pub fn ideal_reflector(socket: &UdpSocket) -> io::Result<()> {
    stamp_arrivals(socket)?;
    let mut buffer = [0_u8; 2048];
    let mut reply = [0_u8; ReflectorOpen::OCTETS];
    loop {
        let request = receive(socket, &mut buffer, 0)?;
        let Some(t2) = request.stamp_ns else { continue };
        let Ok((open, _)) = SenderOpen::view(&buffer) else {
            continue;
        };
        let Ok((answer, _)) = ReflectorOpen::view_mut(&mut reply) else {
            continue;
        };
        answer.head.seq = open.seq;
        answer.head.sender_seq = open.seq;
        answer.head.sender_t1 = open.t1;
        answer.sender_error = open.error;
        answer.head.t2 = WireTime::ntp(Wall::from_unix_ns(t2));
        answer.head.error = error_estimate();
        answer.sender_ttl = 255;
        answer.head.t3 = WireTime::ntp(Wall::from_unix_ns(unix_ns()));
        send(socket, &reply, Some(&request.from))?;
    }
}

/// What the ideal sender sends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct IdealPlan {
    /// How many packets.
    pub count: u32,
    /// Time between two departures.
    pub interval: Duration,
    /// How long to wait for replies after the last one.
    pub grace: Duration,
}

/// The four times of one packet, Unix time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct IdealSample {
    /// Kernel transmit stamp.
    pub t1: Option<i64>,
    /// As the reply says.
    pub t2: i64,
    /// As the reply says.
    pub t3: i64,
    /// Kernel receive stamp; `None`: no reply.
    pub t4: Option<i64>,
}

/// Sends to the connected peer on an absolute schedule and says what became of each packet.
///
/// # Errors
/// Of the socket.
pub fn ideal_sender(socket: &UdpSocket, plan: IdealPlan) -> io::Result<Vec<IdealSample>> {
    stamp_both_ways(socket)?;
    raise_receive_buffer(socket, BUFFER_OCTETS)?;
    least_timer_slack()?;
    let mut samples = vec![IdealSample::default(); usize::try_from(plan.count).unwrap_or(0)];
    let interval = u64::try_from(plan.interval.as_nanos()).unwrap_or(u64::MAX);
    let mut request = [0_u8; ReflectorOpen::OCTETS];
    let begin = monotonic_ns() + 1_000_000;
    for seq in 0..plan.count {
        sleep_until(begin.saturating_add(u64::from(seq).saturating_mul(interval)));
        if let Ok((open, _)) = SenderOpen::view_mut(&mut request) {
            open.seq = seq.into();
            open.error = error_estimate();
            open.t1 = WireTime::ntp(Wall::from_unix_ns(unix_ns()));
        }
        send(socket, &request, None)?;
        collect(socket, &mut samples)?;
    }
    let end = monotonic_ns().saturating_add(u64::try_from(plan.grace.as_nanos()).unwrap_or(0));
    while monotonic_ns() < end
        && samples
            .iter()
            .any(|sample| sample.t1.is_none() || sample.t4.is_none())
    {
        wait_readable(socket, 10)?;
        collect(socket, &mut samples)?;
    }
    Ok(samples)
}

/// Takes all stamps and replies that are there; the kernel wrote their times when they came.
fn collect(socket: &UdpSocket, samples: &mut [IdealSample]) -> io::Result<()> {
    receive_all(socket, libc::MSG_ERRQUEUE, |stamp, _| {
        if let Some(sample) = stamp.sent_id.and_then(|id| samples.get_mut(index(id))) {
            sample.t1 = stamp.stamp_ns;
        }
    })?;
    receive_all(socket, libc::MSG_DONTWAIT, |arrival, octets| {
        let (Ok(reply), Some(t4)) = (Reply::view(octets), arrival.stamp_ns) else {
            return;
        };
        if let Some(sample) = samples.get_mut(index(reply.head.sender_seq.get())) {
            let near = Wall::from_unix_ns(t4);
            sample.t2 = reply.head.t2.read(TimeFormat::Ntp, near, 0).unix_ns();
            sample.t3 = reply.head.t3.read(TimeFormat::Ntp, near, 0).unix_ns();
            sample.t4 = Some(t4);
        }
    })
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn error_estimate() -> ErrorEstimate {
    ErrorEstimate::from_bits(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ideal_pair_knows_four_times_of_each_packet_in_their_order() {
        let reflector = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(reflector.local_addr().unwrap()).unwrap();
        std::thread::spawn(move || ideal_reflector(&reflector));
        let plan = IdealPlan {
            count: 20,
            interval: Duration::from_millis(1),
            grace: Duration::from_secs(2),
        };
        let samples = ideal_sender(&sender, plan).unwrap();
        assert_eq!(samples.len(), 20);
        for sample in samples {
            let (t1, t4) = (sample.t1.unwrap(), sample.t4.unwrap());
            // Stamps of one clock; a nanosecond is what the wire's format may round away.
            assert!(t1 <= sample.t2 + 1 && sample.t2 <= sample.t3 + 1 && sample.t3 <= t4 + 1);
        }
    }
}
