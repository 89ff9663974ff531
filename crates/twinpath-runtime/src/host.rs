//! What this host can do: which rungs of timestamps deliver, its clock, its privileges.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use twinpath_net::{Outbound, QueueEvent, RecvBatch, SocketOptions, TestSocket, clock};
use twinpath_report::ClockState;
use twinpath_wire::Rung;

use crate::{StartError, clock_state};

pub use twinpath_net::host::{
    Capability, effective_user, raise_descriptor_limit, stdout_was_closed, take_variable,
};

/// Packets sent over loopback to see which stamps come.
const PROBES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(2);

/// What a host can do. A rung is listed because a stamp arrived, never because it was promised.
#[derive(Clone, Debug)]
pub struct HostSurvey {
    /// The system and its version.
    pub system: Option<String>,
    /// Rungs that delivered on transmit over loopback, best first.
    pub transmit: Vec<Rung>,
    /// Rungs that delivered on receive over loopback, best first.
    pub receive: Vec<Rung>,
    /// The system clock.
    pub clock: ClockState,
    /// Privileges that make a difference, and whether they are held.
    pub privileges: Vec<(Capability, bool)>,
    /// Receive buffer granted of the 4 MiB asked for, in octets.
    pub receive_buffer_octets: usize,
}

/// Whether this process was started so that a terminal that hangs up does not end it (`nohup`).
pub fn ignores_hangup() -> bool {
    twinpath_net::host::ignores_hangup()
}

/// Finds out, in about 50 ms, with packets over loopback.
///
/// # Errors
/// [`StartError`] when even loopback cannot be used.
pub fn survey() -> Result<HostSurvey, StartError> {
    let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let far = TestSocket::open(&SocketOptions::reflector(loopback))?;
    let near = TestSocket::open(&SocketOptions::sender(loopback, far.local()))?;
    let mut transmit = vec![Rung::User];
    let mut receive = vec![Rung::User];
    let mut batch = RecvBatch::new(4, 256);
    let out = Outbound {
        to: far.local(),
        from: None,
        tos: None,
        interface: 0,
        mac: None,
        stamp: true,
    };
    for _ in 0..PROBES {
        if near.send(&[0; 14], &out).is_err() {
            continue;
        }
        clock::sleep_until(clock::mono() + BETWEEN);
        let count = far.receive(&mut batch).unwrap_or(0);
        receive.extend((0..count).filter_map(|i| batch.packet(i).map(|(.., a)| a.at.rung)));
        near.drain_errors(&mut |told| {
            if let QueueEvent::Sent { stamp, .. } = told {
                transmit.push(stamp.rung);
            }
        });
    }
    for rungs in [&mut transmit, &mut receive] {
        rungs.sort_unstable();
        rungs.dedup();
    }
    Ok(HostSurvey {
        system: twinpath_net::host::kernel(),
        transmit,
        receive,
        clock: clock_state(),
        privileges: twinpath_net::host::privileges(),
        receive_buffer_octets: near.receive_buffer_octets(),
    })
}

/// The name of the interface with this number, or that of one that had it and is gone since this
/// process was bound to it; `None` where the system does not tell.
pub fn interface_name(index: u32) -> Option<String> {
    twinpath_net::interface::name_of(index).or_else(|| crate::interfaces::remembered(index))
}
