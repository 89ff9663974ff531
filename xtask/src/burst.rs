//! Timestamped packets from one thread as fast as it can, over a plain socket or over the product's own.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use twinpath_bench::{BurstCount, monotonic_ns, thread_cpu_ns};
use twinpath_net::{Outbound, QueueEvent, SendBatch, SendError, SocketOptions, TestSocket, clock};
use twinpath_wire::Rung;

use crate::role;

const SLOTS: usize = 64;

/// How packets are sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Sending {
    /// By the bare loop, on a connected socket.
    BareConnected,
    /// By the bare loop, on a socket that any address may answer, as the product's.
    Bare,
    /// By [`TestSocket::send_batch`], 64 at a time.
    Together,
    /// By [`TestSocket::send`].
    OneByOne,
}

/// Sends packets of `octets` to `far` for `duration`, and reads the transmit timestamps after every 64.
pub(crate) fn burst(
    far: SocketAddr,
    octets: usize,
    duration: Duration,
    sending: Sending,
) -> Result<BurstCount> {
    let together = match sending {
        Sending::BareConnected => {
            let socket = role::connected(far)?;
            return Ok(twinpath_bench::burst(&socket, None, octets, duration)?);
        }
        Sending::Bare => {
            let near = twinpath_net::local_address_towards(far, None)?;
            let socket = UdpSocket::bind((near, 0))?;
            return Ok(twinpath_bench::burst(&socket, Some(far), octets, duration)?);
        }
        Sending::Together => true,
        Sending::OneByOne => false,
    };
    let near = SocketAddr::new(twinpath_net::local_address_towards(far, None)?, 0);
    let socket = TestSocket::open(&SocketOptions::sender(near, far))?;
    socket.drop_lower_transmit_rung();
    let out = Outbound {
        to: far,
        from: None,
        tos: None,
        interface: 0,
        mac: None,
        stamp: true,
    };
    let mut batch = SendBatch::new(SLOTS, octets);
    for slot in 0..SLOTS {
        batch.set(slot, octets, out);
    }
    let mut count = BurstCount::default();
    let (begin, begin_cpu) = (monotonic_ns(), thread_cpu_ns());
    while count.elapsed < duration {
        let mut sent = |_, result: Result<Option<u32>, SendError>| {
            count.sent += u64::from(result.is_ok());
        };
        if together {
            socket.send_batch(&mut batch, 0..SLOTS, &mut sent);
        } else {
            for slot in 0..SLOTS {
                let packet = batch.slot(slot).unwrap_or_default();
                sent(slot, socket.send(packet, &out));
            }
        }
        count.stamped += read_stamps(&socket);
        count.elapsed = Duration::from_nanos(monotonic_ns() - begin);
    }
    count.cpu = Duration::from_nanos(thread_cpu_ns() - begin_cpu);
    clock::sleep_until(clock::mono() + Duration::from_millis(20));
    count.stamped += read_stamps(&socket);
    Ok(count)
}

fn read_stamps(socket: &TestSocket) -> u64 {
    let mut stamps = 0;
    let is_stamp =
        |told| matches!(told, QueueEvent::Sent { stamp, .. } if stamp.rung == Rung::Kernel);
    socket.drain_errors(&mut |told| stamps += u64::from(is_stamp(told)));
    stamps
}
