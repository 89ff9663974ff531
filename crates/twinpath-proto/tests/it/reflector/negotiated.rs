//! Sessions that Control-Client and Server agreed on.
mod captured;
mod ends;
mod layouts;
mod memory;
mod nat;
mod secured;
mod sessions;
mod sizes;

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::reflector::{
    Ended, Ignored, NegotiatedConfig, ReflectorPolicy, SessionCounters, SessionReflector,
    SessionSpec,
};
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{Arrival, Delta, Dscp, Mono, Tos};

use super::support::{ERROR, STALE, THERE, arrival, light, ms};

const PORT: u16 = 862;

fn sid(number: u32) -> Sid {
    let mut sid = [0x5d; 16];
    sid[12..].copy_from_slice(&number.to_be_bytes());
    Sid(sid)
}

/// A session with the sender that [`arrival`] names, if `number` is 0, or with one on a port above.
fn spec(number: u16) -> SessionSpec {
    SessionSpec {
        sid: sid(number.into()),
        sender: SocketAddr::new(THERE, 20_000 + number),
        modes: Modes::UNAUTHENTICATED,
        dscp: Dscp::BE,
        padding_length: 27,
        timeout: Duration::from_secs(2),
        refwait: Duration::from_mins(15),
        padding_to_reflect: 0,
        server_octets: 0,
        nat: None,
        begins: None,
    }
}

fn reflector() -> SessionReflector {
    with_policy(|_| {})
}

fn with_policy(change: impl FnOnce(&mut ReflectorPolicy)) -> SessionReflector {
    let mut config = NegotiatedConfig::default();
    change(&mut config.policy);
    SessionReflector::for_negotiated(config)
}

/// One session, started.
fn running(change: impl FnOnce(&mut SessionSpec)) -> SessionReflector {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, change);
    ours
}

fn open_and_start(ours: &mut SessionReflector, number: u16, change: impl FnOnce(&mut SessionSpec)) {
    let mut spec = spec(number);
    change(&mut spec);
    ours.open(spec, PORT, None).unwrap();
    ours.start(spec.sid, ms(0));
}

/// The reply, sealed 20 us after the arrival, and its ToS octet. The buffer is dirty.
fn ask(
    ours: &mut SessionReflector,
    now: Mono,
    request: &[u8],
    arrival: &Arrival,
) -> Result<(Vec<u8>, Tos), Ignored> {
    let mut buffer = vec![STALE; request.len().max(44)];
    buffer[..request.len()].copy_from_slice(request);
    let reflection = ours.reflect(now, &mut buffer, request.len(), arrival)?;
    buffer.truncate(reflection.octets);
    let t3 = arrival.at.at + Delta::from_ns(20_000);
    ours.seal(&reflection, &mut buffer, t3, ERROR);
    Ok((buffer, reflection.tos))
}

/// The fate of one plain packet from session `number`'s sender.
fn packet(ours: &mut SessionReflector, number: u16, now: Mono) -> Result<u32, Ignored> {
    let arrival = Arrival {
        from: spec(number).sender,
        ..arrival()
    };
    let (reply, _) = ask(ours, now, &light(7, &[0x11; 27]), &arrival)?;
    Ok(super::support::number(&reply))
}

fn ended(ours: &mut SessionReflector) -> Vec<(Sid, Ended, SessionCounters)> {
    std::iter::from_fn(|| ours.poll_ended()).collect()
}

/// Every combination of the features that test packets show: Reflect Octets, Symmetrical Size,
/// DSCP and ECN Monitoring, `PTPv2` timestamps.
fn combinations() -> impl Iterator<Item = Modes> {
    let bits = [32, 64, 256, 512];
    (0..16_u32).map(move |chosen| {
        let on = (0..4).filter(|bit| chosen & 1 << bit != 0);
        Modes::from_bits(on.map(|bit| bits[bit]).sum::<u32>() | 1)
    })
}
