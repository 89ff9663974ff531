//! The commands that speak TWAMP-Control: from arguments to plans.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::sender::Protocol;
use twinpath_runtime::controller::{ControlClientPlan, ControlPlan, ControllerPlan};
use twinpath_runtime::server::ServerPlan;
use twinpath_wire::control::{CONTROL_PORT, Modes};
use twinpath_wire::{Dscp, Tos};

use crate::args::{ControlClientArgs, ControlOptions, ControllerArgs, ServerArgs, WireFormat};
use crate::failure::Failure;

use super::resolve::{Family, Lookup, in_zone, resolve};
use super::responder::listening;
use super::sender::{Sending, ends, one_host, pair, payload};

/// The UDP port that a Session-Sender elsewhere has unless told otherwise.
const SENDER_PORT: u16 = 20_000;
/// Sessions of one controller: each has a thread. There are no more code points.
const MOST_CLASSES: usize = 64;
/// By how much a reply's header is longer than a request's, the octets of RFC 7750 among them.
const REPLY_HEADER: u16 = 30;
/// What the Server is to give back with Reflect Octets; anything but zero.
const OCTETS_TO_REFLECT: u16 = 0x5450;
/// A control message may take this long.
const MESSAGE_PATIENCE: Duration = Duration::from_mins(1);

/// What the arguments mean.
///
/// # Errors
/// Arguments that exclude each other, names without an address, sizes that do not fit.
pub(crate) fn controller(
    args: &ControllerArgs,
    lookup: Lookup<'_>,
) -> Result<ControllerPlan, Failure> {
    let near = args.near.as_ref();
    let (server, near_address) = ends(&args.server, near, &args.ip, CONTROL_PORT, lookup)?;
    let classes: Vec<Tos> = match (args.tos, args.dscp.as_slice()) {
        (Some(tos), _) => vec![tos.0],
        (None, []) => vec![Dscp::BE.tos()],
        (None, classes) => classes.iter().map(|dscp| dscp.tos()).collect(),
    };
    if classes.len() > MOST_CLASSES {
        return Err(Failure::usage(format!(
            "--dscp names {} classes: write {MOST_CLASSES} at most",
            classes.len()
        )));
    }
    let sending = Sending {
        schedule: &args.schedule,
        packet: &args.packet,
        ip: &args.ip,
        stamps: &args.stamps,
        results: &args.results,
        near,
        ports: args.ports,
    };
    let tos = classes.first().copied().unwrap_or_default();
    let sender = sending.plan(Protocol::TwampLight, server, near_address, tos)?;
    let mut control = control(&args.control, server);
    control.near = near_address;
    control.interface.clone_from(&args.ip.interface);
    control.nat = args.nat;
    for (asked, feature) in [
        (args.reflect_octets, Modes::REFLECT_OCTETS),
        (args.symmetrical_size, Modes::SYMMETRICAL_SIZE),
        (args.dscp_monitoring, Modes::DSCP_MONITORING),
        (args.timestamp_format == WireFormat::Ptp, Modes::PTP_TIME),
    ] {
        if asked {
            control.required = control.required | feature;
        }
    }
    if args.reflect_octets {
        // What fits behind a reply's header: packets keep the size that was asked for.
        let padding = u16::try_from(args.packet.padding.number()).unwrap_or(0);
        control.padding_to_reflect = padding.saturating_sub(REPLY_HEADER);
        control.octets_to_reflect = OCTETS_TO_REFLECT;
    }
    Ok(ControllerPlan {
        control,
        sender,
        classes,
    })
}

/// What the arguments mean.
///
/// # Errors
/// As [`controller`].
pub(crate) fn controlclient(
    args: &ControlClientArgs,
    lookup: Lookup<'_>,
) -> Result<ControlClientPlan, Failure> {
    let family = Family::only(args.ipv4, args.ipv6);
    let interface = args.interface.as_deref();
    let port = args.server.port.unwrap_or(CONTROL_PORT);
    let servers = resolve(&args.server.host, port, family, lookup)?;
    let port = args.sender.port.unwrap_or(SENDER_PORT);
    let senders = resolve(&args.sender.host, port, family, lookup)?;
    let (Some(server), Some(sender)) = pair(&servers, &senders)? else {
        return Err(Failure::could_not("no address to connect to"));
    };
    let server = in_zone(server, interface, lookup)?;
    one_host(server.ip())?;
    one_host(sender.ip())?;
    if args.duration.is_some_and(|duration| duration.0.is_zero()) {
        return Err(Failure::usage(
            "--duration 0 stops at once: write 10 (seconds) or 500ms",
        ));
    }
    let mut control = control(&args.control, server);
    control.interface.clone_from(&args.interface);
    Ok(ControlClientPlan {
        control,
        sender,
        dscp: args.dscp,
        payload: payload(args.padding, Protocol::TwampLight, server.ip())?,
        timeout: args.timeout.0,
        duration: args.duration.map(|duration| duration.0),
    })
}

fn control(options: &ControlOptions, server: SocketAddr) -> ControlPlan {
    ControlPlan {
        control_dscp: options.control_dscp,
        security: vec![options.mode],
        receiver_port: options.receiver_port,
        strict: options.strict,
        ..ControlPlan::to(server)
    }
}

/// What the arguments mean.
///
/// # Errors
/// Arguments that mean nothing together, names without an address.
pub(crate) fn server(args: &ServerArgs, lookup: Lookup<'_>) -> Result<ServerPlan, Failure> {
    for (option, time) in [("servwait", args.servwait.0), ("refwait", args.refwait.0)] {
        if time.is_zero() {
            return Err(Failure::usage(format!(
                "--{option} 0 ends everything at once: write 900 (seconds) or 15m"
            )));
        }
    }
    let (near, tolerate_missing_family) =
        listening(args.near.as_ref(), &args.ip, CONTROL_PORT, lookup)?;
    let security = args.mode.iter().map(|mode| mode.modes());
    Ok(ServerPlan {
        tolerate_missing_family,
        modes: security.fold(Modes::FEATURES, |modes, mode| modes | mode),
        servwait: args.servwait.0,
        refwait: args.refwait.0,
        message_patience: MESSAGE_PATIENCE.min(args.servwait.0),
        test_ports: (args.test_ports.low, args.test_ports.high),
        max_connections: args.max_connections,
        max_connections_per_client: args.max_connections_per_client,
        max_sessions: args.max_sessions,
        max_sessions_per_client: args.max_sessions_per_client,
        allow: args.allow.iter().map(|prefix| prefix.0).collect(),
        allow_sender: args.allow_sender.iter().map(|prefix| prefix.0).collect(),
        nat: args.nat,
        server_octets: args.server_octets,
        control_dscp: args.control_dscp,
        ttl: args.ip.ttl.0,
        dont_fragment: args.ip.do_not_fragment,
        interface: args.ip.interface.clone(),
        threads: args.threads,
        stamps: args.stamps.timestamps.into(),
        raw_t3: args.raw_t3,
        strict: args.strict,
        portable: args.stamps.portable,
        ..ServerPlan::on(near)
    })
}
