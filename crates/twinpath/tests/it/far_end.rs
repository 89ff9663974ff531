//! A reflector of the test's own, on loopback: its clock and the way it writes times are the test's
//! choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::program::far_socket;

/// Seconds from 1900 to 1970.
pub(crate) const NTP_TO_UNIX_S: i64 = 2_208_988_800;
const SECOND: i64 = 1_000_000_000;

/// Answers requests until it is dropped.
pub(crate) struct FarEnd {
    pub(crate) at: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FarEnd {
    /// Of TWAMP Light. `write`: T2 and T3, in Unix nanoseconds of this host's clock, as the reply to a number has them.
    /// A reply is kept for `residence`.
    pub(crate) fn start(
        residence: Duration,
        write: impl Fn(u32, [i64; 2]) -> [u64; 2] + Send + 'static,
    ) -> Self {
        Self::answering(move |request| {
            let t2 = now();
            std::thread::sleep(residence);
            reply(request, |seq| write(seq, [t2, now()]))
        })
    }

    /// Of TWAMP Light, that answers all but every `nth` packet.
    pub(crate) fn losing(nth: u32) -> Self {
        Self::answering(move |request| {
            let t2 = now();
            let seq = u32::from_be_bytes(request[..4].try_into().unwrap());
            if seq % nth == 0 {
                // No reply of the protocol.
                return Vec::new();
            }
            reply(request, |_| [t2, now()].map(ntp))
        })
    }

    /// `reply`: what goes back for a request.
    pub(crate) fn answering(reply: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let socket = far_socket(Ipv4Addr::LOCALHOST);
        let at = socket.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                let Ok((octets, from)) = socket.recv_from(&mut packet) else {
                    continue;
                };
                let _ = socket.send_to(&reply(&packet[..octets]), from);
            }
        });
        Self {
            at,
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The reply to a request (RFC 5357 section 4.2.1), Error Estimate 0x8001: S set, Z not.
pub(crate) fn reply(request: &[u8], times: impl Fn(u32) -> [u64; 2]) -> Vec<u8> {
    let seq = u32::from_be_bytes(request[..4].try_into().unwrap());
    let [t2, t3] = times(seq);
    let mut reply = request[..4].to_vec();
    reply.extend(t3.to_be_bytes());
    reply.extend([0x80, 0x01, 0, 0]);
    reply.extend(t2.to_be_bytes());
    reply.extend(&request[..14]);
    reply.extend([0, 0, 64]);
    reply.resize(request.len().max(41), 0);
    reply
}

/// An NTP timestamp whose fraction is `fraction` of the nanoseconds within the second.
pub(crate) fn seconds_and(at: i64, epoch_s: i64, fraction: impl Fn(u64) -> u64) -> u64 {
    let seconds = at.div_euclid(SECOND) + epoch_s;
    let ns = at.rem_euclid(SECOND).unsigned_abs();
    ((seconds.cast_unsigned() & 0xffff_ffff) << 32) + fraction(ns)
}

/// As it should be.
pub(crate) fn ntp(at: i64) -> u64 {
    seconds_and(at, NTP_TO_UNIX_S, |ns| (ns << 32) / 1_000_000_000)
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}
