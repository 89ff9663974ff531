//! The commands that speak TWAMP-Control: from arguments to plans.

mod keys;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_proto::TestFeatures;
use twinpath_proto::sender::Wire;
use twinpath_runtime::controller::{ControlClientPlan, ControlPlan, Sizes};
use twinpath_runtime::server::{ServerLimits, ServerPlan};
use twinpath_wire::ReflectorSecured;
use twinpath_wire::control::{CONTROL_PORT, Modes, SecurityMode};

use crate::args::{
    ControlClientArgs, ControlOptions, ControllerArgs, PaddingSize, Prefix, ServerArgs, WireFormat,
};
use crate::failure::Failure;

use super::ends::{all_ends, one_host, pairs, usable};
use super::resolve::{Family, Lookup, in_zone, resolve};
use super::responder::listening;
use super::sender::{Sending, classes, payload};
use super::sessions::{PlannedSession, Target, of_server};
use keys::{BY_STRENGTH, FOR_OTHERS, Protection, offered, wanted};

pub(crate) use keys::EnvironmentPassphrase;
pub(super) use keys::key;

/// The default UDP port of a Session-Sender on another host.
const SENDER_PORT: u16 = 20_000;
/// A reply's header, the octets of RFC 7750 among them.
const REPLY_HEADER: usize = 44;
/// The octets that the Server returns with Reflect Octets; any value but zero.
const OCTETS_TO_REFLECT: u16 = 0x5450;
/// Time limit of a control message.
const MESSAGE_PATIENCE: Duration = Duration::from_mins(1);

/// What a controller agrees on with one address of its server, and measures.
#[derive(Clone, Debug)]
pub(crate) struct PlannedControl {
    pub(crate) control: ControlPlan,
    /// At least one.
    pub(crate) sessions: Vec<PlannedSession>,
    /// Sizes where test packets are secured.
    pub(crate) secured: Option<Sizes>,
}

/// Resolves the arguments, for each address of the server: at least one.
///
/// # Errors
/// Arguments that exclude each other, names without an address, sizes that do not fit.
pub(crate) fn controllers(
    args: &ControllerArgs,
    given: EnvironmentPassphrase,
    lookup: Lookup<'_>,
) -> Result<Vec<PlannedControl>, Failure> {
    let ends = all_ends(
        &args.server,
        args.near.as_ref(),
        &args.ip,
        CONTROL_PORT,
        lookup,
    )?;
    let wanted = wanted(&args.control, given, &BY_STRENGTH)?;
    let plan = |(server, near)| controller(args, wanted.clone(), server, near);
    alternating(ends).into_iter().map(plan).collect()
}

/// The families by turns, that of the first one first (RFC 8305 section 4).
fn alternating<T>(ends: Vec<(SocketAddr, T)>) -> Vec<(SocketAddr, T)> {
    let v4_first = ends.first().is_some_and(|(server, _)| server.is_ipv4());
    let (first, second): (Vec<_>, Vec<_>) = ends
        .into_iter()
        .partition(|(server, _)| server.is_ipv4() == v4_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let turn = [first.next(), second.next()];
        if turn.iter().all(Option::is_none) {
            return all;
        }
        all.extend(turn.into_iter().flatten());
    }
}

fn controller(
    args: &ControllerArgs,
    wanted: Protection,
    server: SocketAddr,
    near_address: Option<IpAddr>,
) -> Result<PlannedControl, Failure> {
    let near = args.near.as_ref();
    let classes = classes(args.tos, &args.dscp)?;
    let sending = Sending {
        schedule: &args.schedule,
        packet: &args.packet,
        ip: &args.ip,
        stamps: &args.stamps,
        results: &args.run.results,
        near,
        ports: args.ports,
    };
    let may_secure = wanted.security.iter().any(|mode| mode.secures_packets());
    let mut control = control(&args.control, wanted, server);
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
    let padding = args.packet.padding();
    let open = features(control.required, padding, REPLY_HEADER);
    if args.reflect_octets {
        control.padding_to_reflect = open.padding_to_reflect;
        control.octets_to_reflect = OCTETS_TO_REFLECT;
    }
    let secured = may_secure.then(|| secured(control.required, args.packet.padding, server.ip()));
    let sender = sending.plan(Wire::twamp(open), server, near_address)?;
    let target = Target {
        name: args.server.to_string(),
        address: server,
        labels: Vec::new(),
        has_moved: false,
        is_listed: false,
    };
    Ok(PlannedControl {
        control,
        sessions: of_server(sender, &target, &classes, args.paths, args.threads)?,
        secured: secured.transpose()?,
    })
}

/// What packets look like with these modes, and this padding. Of the padding as much comes back as fits
/// behind a reply's header: packets keep the size that was asked for.
fn features(modes: Modes, padding: PaddingSize, reply_header: usize) -> TestFeatures {
    let mut features = TestFeatures {
        modes,
        ..TestFeatures::default()
    };
    if modes.contains(Modes::REFLECT_OCTETS) {
        let padding = usize::try_from(padding.number()).unwrap_or(0);
        let fits = (padding_counts_from(modes) + padding).saturating_sub(reply_header);
        features.padding_to_reflect = u16::try_from(fits).unwrap_or(u16::MAX);
    }
    features
}

/// That of padding of this size nothing comes back with Reflect Octets, in one of the modes that may be
/// agreed on.
pub(crate) fn unreflected(plan: &PlannedControl) -> Option<String> {
    let control = &plan.control;
    if !control.required.contains(Modes::REFLECT_OCTETS) {
        return None;
    }
    let is_open = |mode: &SecurityMode| !mode.secures_packets();
    let open = control.security.iter().any(is_open).then_some((
        control.padding_to_reflect,
        control.required,
        REPLY_HEADER,
    ));
    let secured = plan.secured.as_ref().map(|sizes| {
        let modes = control.required | Modes::ENCRYPTED;
        (sizes.padding_to_reflect, modes, ReflectorSecured::OCTETS)
    });
    let least = open.into_iter().chain(secured);
    let least = least.filter(|(reflected, ..)| *reflected == 0);
    let least = least.map(|(_, modes, header)| header + 1 - padding_counts_from(modes));
    least.max().map(|least| {
        format!("--reflect-octets has no padding to reflect: use --padding {least} or more")
    })
}

/// Where the padding of packets with these modes begins to count.
fn padding_counts_from(modes: Modes) -> usize {
    let features = TestFeatures {
        modes,
        ..TestFeatures::default()
    };
    Wire::twamp(features).padding_counts_from()
}

/// Sizes where test packets are secured: unless padding is asked for, as long as their replies (rows
/// TC-49, TT-7).
fn secured(
    required: Modes,
    padding: Option<PaddingSize>,
    server: IpAddr,
) -> Result<Sizes, Failure> {
    // Both modes have packets of one size.
    let modes = required | Modes::ENCRYPTED;
    let header = ReflectorSecured::OCTETS;
    let from = Wire::twamp(features(modes, PaddingSize::Imix, header)).padding_counts_from();
    let usual = u16::try_from(header.saturating_sub(from)).unwrap_or(0);
    let padding = padding.unwrap_or(PaddingSize::Octets(usual));
    let features = features(modes, padding, header);
    Ok(Sizes {
        payload: payload(padding, Wire::twamp(features), server)?,
        padding: padding.number(),
        padding_to_reflect: features.padding_to_reflect,
    })
}

/// Resolves the arguments, for each address of the server that is of a family with one of the
/// sender's: at least one.
///
/// # Errors
/// As [`controllers`].
pub(crate) fn controlclients(
    args: &ControlClientArgs,
    given: EnvironmentPassphrase,
    lookup: Lookup<'_>,
) -> Result<Vec<ControlClientPlan>, Failure> {
    let family = Family::only(args.ipv4, args.ipv6);
    let port = args.server.port.unwrap_or(CONTROL_PORT);
    let servers = resolve(&args.server.host, port, family, lookup)?;
    let port = args.sender.port.unwrap_or(SENDER_PORT);
    let senders = resolve(&args.sender.host, port, family, lookup)?;
    let ends = alternating(pairs(&servers, &senders)?);
    let wanted = wanted(&args.control, given, &FOR_OTHERS)?;
    let plan = |(server, sender)| {
        let server = in_zone(server, args.interface.as_deref(), lookup)?;
        controlclient(args, wanted.clone(), server, sender)
    };
    usable(ends.into_iter().map(plan))
}

fn controlclient(
    args: &ControlClientArgs,
    wanted: Protection,
    server: SocketAddr,
    sender: SocketAddr,
) -> Result<ControlClientPlan, Failure> {
    one_host(server.ip())?;
    one_host(sender.ip())?;
    let mut control = control(&args.control, wanted, server);
    control.interface.clone_from(&args.interface);
    Ok(ControlClientPlan {
        control,
        sender,
        dscp: args.dscp,
        payload: payload(args.padding, Wire::TWAMP_LIGHT, server.ip())?,
        timeout: args.timeout.0,
        duration: args.duration.map(|duration| duration.0),
    })
}

fn control(options: &ControlOptions, wanted: Protection, server: SocketAddr) -> ControlPlan {
    let bare = ControlPlan::to(server);
    ControlPlan {
        control_dscp: options.control_dscp,
        security: wanted.security,
        key: wanted.key,
        most_pbkdf2_count: options
            .key
            .max_pbkdf2_count
            .unwrap_or(bare.most_pbkdf2_count),
        receiver_port: options.receiver_port,
        strict: options.strict,
        ..bare
    }
}

/// What the arguments mean.
///
/// # Errors
/// Arguments that mean nothing together, names without an address.
pub(crate) fn server(args: &ServerArgs, lookup: Lookup<'_>) -> Result<ServerPlan, Failure> {
    let (near, tolerate_missing_family) =
        listening(args.near.as_ref(), &args.ip, CONTROL_PORT, lookup)?;
    let (modes, keys) = offered(args)?;
    let bare = ServerPlan::on(near);
    Ok(ServerPlan {
        tolerate_missing_family,
        modes: modes | Modes::FEATURES,
        keys,
        pbkdf2_count: args.pbkdf2_count.map_or(bare.pbkdf2_count, |count| count.0),
        servwait: args.servwait.0,
        refwait: args.refwait.0,
        message_patience: MESSAGE_PATIENCE.min(args.servwait.0),
        test_ports: (args.test_ports.low, args.test_ports.high),
        limits: server_limits(args, modes)?,
        nat: args.nat,
        server_octets: args.server_octets,
        control_dscp: args.control_dscp,
        path: args.ip.path(&args.stamps)?,
        threads: args.threads,
        raw_t3: args.raw_t3,
        strict: args.strict,
        ..bare
    })
}

/// What clients may have, where these modes are offered.
///
/// # Errors
/// Arguments that mean nothing together.
pub(crate) fn server_limits(args: &ServerArgs, modes: Modes) -> Result<ServerLimits, Failure> {
    if args.allow_any_port && !modes.contains(Modes::UNAUTHENTICATED) {
        return Err(Failure::usage(
            "--allow-any-port applies only to clients without a key: use --mode \
             unauthenticated,encrypted, or leave it out",
        ));
    }
    let prefixes = |all: &[Prefix]| all.iter().map(|prefix| prefix.0).collect();
    Ok(ServerLimits {
        allow: prefixes(&args.allow),
        allow_sender: prefixes(&args.allow_sender),
        allow_any_port: args.allow_any_port,
        max_connections: args.max_connections,
        max_connections_per_client: args.max_connections_per_client,
        max_sessions: args.max_sessions,
        max_open_sessions: open_sessions(args, modes)?,
        max_sessions_per_client: args.max_sessions_per_client,
        max_rate_pps: args.max_rate,
    })
}

/// How many sessions clients without a key may have: where others have one, not all (row TC-78).
fn open_sessions(args: &ServerArgs, modes: Modes) -> Result<usize, Failure> {
    let both = modes.contains(Modes::UNAUTHENTICATED) && args.keys.keys.is_some();
    match args.max_open_sessions {
        Some(_) if !both => Err(Failure::usage(
            "--max-open-sessions applies only if clients with and without a key are served: use --mode \
             unauthenticated,encrypted, or leave it out",
        )),
        Some(most) => Ok(most),
        None if both => Ok(args.max_sessions.div_ceil(2)),
        None => Ok(args.max_sessions),
    }
}

#[cfg(test)]
mod tests;
