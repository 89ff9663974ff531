//! How close to a schedule a bare loop departs: sleep or spin until the time, send, nothing else.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::{receive_all, send, stamp_both_ways, wait_readable};
use super::sys::{least_timer_slack, monotonic_ns, raise_receive_buffer, sleep_until, unix_ns};

/// What to send.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PacePlan {
    /// How many packets.
    pub count: u32,
    /// Time between two departures.
    pub interval: Duration,
    /// Read the clock until the time has come, instead of sleeping.
    pub spin: bool,
}

/// Sends on an absolute schedule. The kernel's transmit stamp minus the schedule, in nanoseconds,
/// per packet; `None` where no stamp came.
///
/// # Errors
/// Of the socket.
pub fn pace(socket: &UdpSocket, plan: PacePlan) -> io::Result<Vec<Option<i64>>> {
    stamp_both_ways(socket)?;
    raise_receive_buffer(socket, 8 << 20)?;
    least_timer_slack()?;
    let interval = u64::try_from(plan.interval.as_nanos()).unwrap_or(u64::MAX);
    let count = usize::try_from(plan.count).unwrap_or(0);
    let mut due_unix_ns = Vec::with_capacity(count);
    let mut departures = vec![None; count];
    let packet = [0_u8; 41];
    let begin = monotonic_ns() + 10_000_000;
    for seq in 0..u64::from(plan.count) {
        let due = begin.saturating_add(seq.saturating_mul(interval));
        if plan.spin {
            while monotonic_ns() < due {
                std::hint::spin_loop();
            }
        } else {
            sleep_until(due);
        }
        send(socket, &packet, None)?;
        // Both clocks after the call, so that the packet does not wait for them.
        due_unix_ns.push(due.cast_signed() + unix_minus_monotonic());
        collect(socket, &due_unix_ns, &mut departures)?;
    }
    wait_readable(socket, 20)?;
    collect(socket, &due_unix_ns, &mut departures)?;
    Ok(departures)
}

/// How far the time of day is ahead of the monotonic clock; read again where something came between.
fn unix_minus_monotonic() -> i64 {
    loop {
        let before = monotonic_ns();
        let unix = unix_ns();
        if monotonic_ns() - before < 1_000 {
            return unix - before.cast_signed();
        }
    }
}

/// Takes all stamps that are there, and drops replies, which would fill the buffer they share.
fn collect(
    socket: &UdpSocket,
    due_unix_ns: &[i64],
    departures: &mut [Option<i64>],
) -> io::Result<()> {
    receive_all(socket, libc::MSG_DONTWAIT, |_, _| ())?;
    receive_all(socket, libc::MSG_ERRQUEUE, |stamp, _| {
        let Some(seq) = stamp.sent_id.and_then(|id| usize::try_from(id).ok()) else {
            return;
        };
        if let (Some(sent), Some(due), Some(departure)) = (
            stamp.stamp_ns,
            due_unix_ns.get(seq),
            departures.get_mut(seq),
        ) {
            *departure = Some(sent - due);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_departure_has_a_stamp_and_none_is_early() {
        let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
        for spin in [false, true] {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(sink.local_addr().unwrap()).unwrap();
            let plan = PacePlan {
                count: 20,
                interval: Duration::from_millis(1),
                spin,
            };
            let departures = pace(&socket, plan).unwrap();
            assert_eq!(departures.len(), 20);
            // The two clocks are read one after the other, up to a microsecond apart.
            assert!(
                departures
                    .iter()
                    .all(|departure| departure.unwrap() > -1_000)
            );
        }
    }
}
