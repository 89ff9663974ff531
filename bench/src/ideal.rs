//! The ideal pair: the least error that plain sockets allow.
//!
//! Kernel stamps for T1, T2 and T4; T3 read right before the call that sends, and not advanced. Each
//! reply also carries the kernel's stamp of the departure of the one before: with that as T3, the
//! error is the least that kernel stamps allow.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_wire::{ErrorEstimate, ReflectorOpen, Reply, SenderOpen, TimeFormat, Wall, WireTime};

use super::message::{receive, receive_all, send, stamp_both_ways, wait_readable};
use super::sys::{least_timer_slack, monotonic_ns, raise_receive_buffer, sleep_until, unix_ns};

const BUFFER_OCTETS: i32 = 8 << 20;

/// When an earlier reply left, as a later one tells it: its number and Unix time in nanoseconds,
/// big-endian, behind the 41 octets of a reply.
const LEFT_OCTETS: usize = 12;

/// Answers every request with 41 octets, or with 12 more where the request is as long,
/// until an error or the process ends.
///
/// # Errors
/// Of the socket.
pub fn ideal_reflector(socket: &UdpSocket) -> io::Result<()> {
    stamp_both_ways(socket)?;
    let mut buffer = [0_u8; 2048];
    let mut reply = [0_u8; ReflectorOpen::OCTETS + LEFT_OCTETS];
    // The kernel numbers departures from 0.
    let (mut sent, mut previous) = (0_u32, None);
    loop {
        let request = receive(socket, &mut buffer, 0)?;
        let Some(t2) = request.stamp_ns else { continue };
        let Ok((open, _)) = SenderOpen::view(&buffer) else {
            continue;
        };
        let (mut left_seq, mut left_ns) = (0, 0);
        receive_all(socket, libc::MSG_ERRQUEUE, |stamp, _| {
            if let (Some((id, seq)), Some(at_ns)) = (previous, stamp.stamp_ns)
                && stamp.sent_id == Some(id)
            {
                (left_seq, left_ns) = (seq, at_ns);
            }
        })?;
        let Ok((answer, left)) = ReflectorOpen::view_mut(&mut reply) else {
            continue;
        };
        if let Some((seq, ns)) = left.split_first_chunk_mut::<4>() {
            *seq = u32::to_be_bytes(left_seq);
            ns.copy_from_slice(&i64::to_be_bytes(left_ns));
        }
        answer.head.seq = open.seq;
        answer.head.sender_seq = open.seq;
        answer.head.sender_t1 = open.t1;
        answer.sender_error = open.error;
        answer.head.t2 = WireTime::ntp(Wall::from_unix_ns(t2));
        answer.head.error = error_estimate();
        answer.sender_ttl = 255;
        answer.head.t3 = WireTime::ntp(Wall::from_unix_ns(unix_ns()));
        let octets = request.octets.clamp(ReflectorOpen::OCTETS, reply.len());
        send(
            socket,
            reply.get(..octets).unwrap_or(&reply),
            Some(&request.from),
        )?;
        previous = Some((sent, open.seq.get()));
        sent = sent.wrapping_add(1);
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

/// The times of one packet, Unix time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct IdealSample {
    /// Kernel transmit stamp.
    pub t1: Option<i64>,
    /// As the reply says.
    pub t2: i64,
    /// As the reply says.
    pub t3: i64,
    /// Kernel transmit stamp of the reply, as the next reply says; `None`: it does not.
    pub left: Option<i64>,
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
    let mut request = [0_u8; ReflectorOpen::OCTETS + LEFT_OCTETS];
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
        if let Some((seq, left_ns)) = left(octets)
            && let Some(sample) = samples.get_mut(index(seq))
        {
            sample.left = Some(left_ns);
        }
    })
}

/// Which reply left when, where `octets` of a reply tell it.
fn left(octets: &[u8]) -> Option<(u32, i64)> {
    let (seq, rest) = octets.get(ReflectorOpen::OCTETS..)?.split_first_chunk()?;
    let at_ns = i64::from_be_bytes(*rest.first_chunk()?);
    (at_ns != 0).then(|| (u32::from_be_bytes(*seq), at_ns))
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
    fn the_ideal_pair_knows_the_times_of_each_packet_in_their_order() {
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
        for (seq, sample) in samples.into_iter().enumerate() {
            let (t1, t4) = (sample.t1.unwrap(), sample.t4.unwrap());
            // Stamps of one clock; a nanosecond is what the wire's format may round away.
            assert!(t1 <= sample.t2 + 1 && sample.t2 <= sample.t3 + 1 && sample.t3 <= t4 + 1);
            // No reply tells when the last one left.
            assert_eq!(sample.left.is_some(), seq < 19);
            let left = sample.left.unwrap_or(t4);
            assert!(sample.t3 <= left + 1 && left <= t4);
        }
    }
}
