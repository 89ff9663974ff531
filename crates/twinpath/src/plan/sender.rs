//! `twinpath sender`: from arguments to a plan.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use twinpath_metrics::FigureMemory;
use twinpath_proto::extension::AskedTlv;
use twinpath_proto::reflector::is_unsafe_port;
use twinpath_proto::sender::{Fill, Limit, PayloadSize, Schedule, Wire};
use twinpath_report::words;
use twinpath_runtime::measure::SeriesFacts;
use twinpath_runtime::{FigureOptions, PortChoice, SenderPlan};
use twinpath_wire::{Dscp, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, TlvType, Tos};

use crate::args::{
    FigureArgs, Filling, IpOptions, Label, NearEnd, OnNoSsid, OrEndless, PacketOptions,
    PaddingSize, Pattern, Ports, ResultOptions, ScheduleOptions, SenderArgs, SessionOptions,
    StampOptions, StampPackets, TosOctet, UsualSchedule, WireFormat,
};
use crate::failure::Failure;

use super::resolve::Family;
use super::tlvs;

/// The source port that users of TWAMP Light know.
const NEAR_PORT: u16 = 20_000;
/// The most classes: as many as there are code points.
const MOST_CLASSES: usize = 64;
/// The most packets in flight: more would need gigabytes.
const MOST_IN_FLIGHT: u128 = 4_000_000;

/// ToS octets, one for each session.
///
/// # Errors
/// More than there are code points.
pub(crate) fn classes(tos: Option<TosOctet>, dscp: &[Dscp]) -> Result<Vec<Tos>, Failure> {
    let classes: Vec<Tos> = match (tos, dscp) {
        (Some(tos), _) => vec![tos.0],
        (None, []) => vec![Dscp::BE.tos()],
        (None, classes) => classes.iter().map(|dscp| dscp.tos()).collect(),
    };
    if classes.len() > MOST_CLASSES {
        return Err(Failure::usage(format!(
            "--dscp names {} classes: use at most {MOST_CLASSES}",
            classes.len()
        )));
    }
    Ok(classes)
}

/// Whether each of so many sessions can have a port of the range.
pub(super) fn ports_suffice(ports: Ports, sessions: usize) -> Result<(), Failure> {
    let services = (ports.low..=ports.high).filter(|port| is_unsafe_port(*port));
    let (range, services) = (usize::from(ports.high - ports.low) + 1, services.count());
    if range - services >= sessions {
        return Ok(());
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let but = if services == 0 {
        String::new()
    } else {
        format!(", {services} of them a service's that reflectors do not answer")
    };
    Err(Failure::usage(format!(
        "--ports {ports} has {range} port{}{but}, but {sessions} session{} need{} {sessions}",
        plural(range),
        plural(sessions),
        if sessions == 1 { "s" } else { "" },
    )))
}

/// The local end of a target's sessions.
pub(super) fn near_end<'a>(
    args: &'a SenderArgs,
    options: &'a SessionOptions,
) -> Option<&'a NearEnd> {
    options.near.as_ref().or(args.near.as_ref())
}

/// The options of a Session-Sender, controlled or not.
pub(super) struct Sending<'a> {
    pub(super) schedule: &'a ScheduleOptions,
    pub(super) packet: &'a PacketOptions,
    pub(super) ip: &'a IpOptions,
    pub(super) stamps: &'a StampOptions,
    pub(super) results: &'a ResultOptions,
    pub(super) near: Option<&'a NearEnd>,
    pub(super) ports: Option<Ports>,
}

impl<'a> Sending<'a> {
    /// Those of `sender`, with what belongs to a target.
    pub(super) fn of_target(args: &'a SenderArgs, options: &'a SessionOptions) -> Self {
        Self {
            schedule: &options.schedule,
            packet: &options.packet,
            ip: &options.ip,
            stamps: &options.stamps,
            results: &args.run.results,
            near: near_end(args, options),
            ports: options.ports,
        }
    }

    pub(super) fn plan(
        &self,
        wire: Wire,
        far: SocketAddr,
        near: Option<IpAddr>,
    ) -> Result<SenderPlan, Failure> {
        Ok(SenderPlan {
            far,
            near,
            payload: payload(self.packet.padding(), wire, far.ip())?,
            ..self.template(wire)?
        })
    }

    /// The plan without addresses, and what depends on them.
    pub(super) fn template(&self, wire: Wire) -> Result<SenderPlan, Failure> {
        unique(&self.results.labels)?;
        let schedule = schedule(self.schedule)?;
        let timeout = timeout(self.schedule, schedule.mean_interval())?;
        rows_fit(self.results, timeout)?;
        Ok(SenderPlan {
            port: port(self.near, self.ports)?,
            wire,
            limit: limit(self.schedule),
            schedule,
            timeout,
            padding: self.packet.padding().number(),
            fill: match self.packet.fill {
                Some(Filling::Zero) => Fill::Zero,
                Some(Filling::Random) | None => Fill::Random,
            },
            path: self.ip.path(self.stamps)?,
            start_delay: self.schedule.start_delay.0,
            spin: self.schedule.spin,
            max_burst: self
                .schedule
                .max_burst
                .unwrap_or_else(|| burst(schedule.mean_interval())),
            // Series are kept of every run.
            records: true,
            columns: None,
            exact: true,
            seed: self.schedule.seed.map_or_else(random_seed, u64::from),
            figures: figures(&self.results.figures),
            ..SenderPlan::to((Ipv4Addr::UNSPECIFIED, 0).into())
        })
    }
}

/// That packets of `plan` have nothing that could be filled as `of_options`.
pub(crate) fn unfilled(asked: &PacketOptions, plan: &SenderPlan) -> Option<String> {
    let asked_size = match plan.payload {
        PayloadSize::Fixed(octets) => octets,
        PayloadSize::Imix(three) => three.into_iter().max().unwrap_or(0),
    };
    let begins = plan.wire.padding_begins();
    let is_bare = plan.wire.payload_octets(asked_size) <= begins;
    (is_bare && asked.fill.is_some()).then(|| {
        format!(
            "--fill has no padding to fill: use --padding {} or more, or leave out --fill",
            begins - plan.wire.padding_counts_from() + 1
        )
    })
}

/// User-defined bins and thresholds.
pub(crate) fn figures(args: &FigureArgs) -> FigureOptions {
    FigureOptions {
        bins: args.edges(),
        noticeable_distance: args.terms.loss_noticeable,
        failed_after: args.terms.failed_after,
        reflector: args.terms.reflector.map(Into::into),
        unavailable: args.terms.unavailable.map(Into::into),
        memory: FigureMemory::default(),
    }
}

/// As short as those that people can ask for, and room for a session's number.
pub(super) fn random_seed() -> u64 {
    super::seed() >> 33
}

/// How often a packet leaves by these options, on average; `None`: they contradict each other.
#[cfg(feature = "daemon")]
pub(crate) fn mean_interval(options: &ScheduleOptions) -> Option<Duration> {
    let schedule = schedule(options).ok()?;
    Some(schedule.mean_interval())
}

fn schedule(options: &ScheduleOptions) -> Result<Schedule, Failure> {
    let usual = || UsualSchedule::default().interval;
    let interval = options.interval.map_or_else(usual, |interval| interval.0);
    let schedule = match options.schedule {
        Pattern::Periodic => return Ok(Schedule::Periodic { interval }),
        Pattern::Poisson => return Ok(Schedule::Poisson { mean: interval }),
        Pattern::Uniform { least, most } => Schedule::Uniform { least, most },
        Pattern::Bursts { packets, gap } => Schedule::Bursts { packets, gap },
    };
    if options.interval.is_some() {
        return Err(Failure::usage(format!(
            "--schedule {} sets its own times: leave out --interval",
            schedule.name()
        )));
    }
    Ok(schedule)
}

/// How many missed departures to catch up in a row (row M-67): ten, or at high rates the packets of
/// 5 ms, because a usual scheduling delay is more than ten packets there.
fn burst(interval: Duration) -> u32 {
    let in_5_ms = 5_000_000 / interval.as_nanos().max(1);
    u32::try_from(in_5_ms).unwrap_or(u32::MAX).clamp(10, 10_000)
}

/// Whether there is a place for rows of intervals, and they can be told apart: each waits for replies
/// that may take `timeout`, and only so many wait at once.
pub(crate) fn rows_fit(results: &ResultOptions, timeout: Duration) -> Result<(), Failure> {
    let Some(interval) = results.report_interval else {
        return Ok(());
    };
    if !results.form().has_rows() {
        return Err(Failure::usage(
            "--report-interval works with --output text, json and jsonl: use one of them",
        ));
    }
    let shortest = SeriesFacts::shortest_interval(timeout);
    if interval.0 < shortest {
        let ms = shortest.as_nanos().div_ceil(1_000_000);
        return Err(Failure::usage(format!(
            "--report-interval {} is too short: with a timeout of {}, a row waits {} for late replies, and at most {} rows can wait",
            words::time(interval.0),
            words::time(timeout),
            words::time(SeriesFacts::longest_wait(timeout)),
            SeriesFacts::MOST_ROWS,
        ))
        .with_remedy(Some(format!(
            "use --report-interval {ms}ms or more, or measure with a shorter --timeout"
        ))));
    }
    Ok(())
}

/// Each key occurs once, in every output.
fn unique(labels: &[Label]) -> Result<(), Failure> {
    for (index, label) in labels.iter().enumerate() {
        if labels
            .iter()
            .take(index)
            .any(|earlier| earlier.key == label.key)
        {
            return Err(Failure::usage(format!(
                "--label {} is given twice: give it once",
                label.key
            )));
        }
    }
    Ok(())
}

/// What packets look like, and the TLVs that they ask with.
pub(super) fn wire(packet: &StampPackets) -> Result<(Wire, Vec<AskedTlv>), Failure> {
    let key = packet.keys.given();
    let tlvs = tlvs::asked(packet)?;
    let has_hmac_tlv = tlvs::have(&tlvs, TlvType::HMAC);
    let fault = match (packet.stamp, packet.authenticated) {
        (false, true) => {
            "--authenticated needs --stamp: for secured modes of TWAMP use twinpath controller --mode"
        }
        (false, false) if packet.ssid.is_some() => "--ssid needs --stamp: TWAMP Light has no SSID",
        (false, false) if packet.timestamp_format == WireFormat::Ptp => {
            "--timestamp-format ptp needs --stamp: TWAMP Light has NTP timestamps"
        }
        (true, true) if key.is_none() => {
            "--authenticated needs a key: use --hmac-key-file FILE, or --hmac-key HEX"
        }
        (true, false) if key.is_none() && has_hmac_tlv => {
            "--tlv hmac needs a key: use --hmac-key-file FILE, or --hmac-key HEX"
        }
        (_, false) if !has_hmac_tlv && let Some(key) = key => {
            return Err(Failure::usage(format!(
                "{key} needs --authenticated or --tlv hmac: other packets have no HMAC"
            )));
        }
        _ if packet.on_no_ssid == OnNoSsid::Stop && packet.ssid.is_none() => {
            "--on-no-ssid stop needs --ssid: without an SSID none can be missing"
        }
        (false, false) => return Ok((Wire::TWAMP_LIGHT, tlvs)),
        (true, is_authenticated) => {
            let time_format = packet.timestamp_format.into();
            let open = Wire::stamp_in(time_format, packet.ssid.map_or(0, |ssid| ssid.0));
            let wire = if is_authenticated {
                open.authenticated()
            } else {
                open
            };
            return Ok((wire.with_tlvs(tlvs::octets(&tlvs)?), tlvs));
        }
    };
    Err(Failure::usage(fault))
}

fn port(near: Option<&NearEnd>, ports: Option<Ports>) -> Result<PortChoice, Failure> {
    match (near.and_then(|near| near.port), ports) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "the port of NEAR and --ports exclude each other: use one of them",
        )),
        (Some(port), None) => Ok(PortChoice::Exact(port)),
        (None, Some(ports)) => Ok(PortChoice::Range(ports.low, ports.high)),
        (None, None) => Ok(PortChoice::Prefer(NEAR_PORT)),
    }
}

fn limit(schedule: &ScheduleOptions) -> Limit {
    match (schedule.duration, schedule.count) {
        (Some(OrEndless::Only(duration)), _) => Limit::Duration(duration.0),
        (None, OrEndless::Only(count)) => Limit::Count(count.0),
        (Some(OrEndless::Endless), _) | (None, OrEndless::Endless) => Limit::Endless,
    }
}

fn timeout(schedule: &ScheduleOptions, interval: Duration) -> Result<Duration, Failure> {
    let timeout = schedule.timeout.0;
    let packets = match limit(schedule) {
        Limit::Duration(duration) => duration.as_nanos() / interval.as_nanos().max(1),
        Limit::Count(count) => count.into(),
        Limit::Endless => u128::MAX,
    };
    check_in_flight(timeout, interval, packets)?;
    Ok(timeout)
}

/// Whether the packets in flight fit in memory.
fn check_in_flight(timeout: Duration, interval: Duration, packets: u128) -> Result<(), Failure> {
    let under_way = packets.min(timeout.as_nanos() / interval.as_nanos().max(1));
    if under_way > MOST_IN_FLIGHT {
        return Err(Failure::usage(format!(
            "with a timeout of {}, {under_way} packets would be under way; the limit is {MOST_IN_FLIGHT}: use a longer --interval or a shorter --timeout",
            words::time(timeout)
        )));
    }
    Ok(())
}

/// UDP payload sizes within what UDP carries.
pub(super) fn payload(
    padding: PaddingSize,
    wire: Wire,
    far: IpAddr,
) -> Result<PayloadSize, Failure> {
    let most = match far {
        IpAddr::V4(_) => MAX_PAYLOAD_V4,
        IpAddr::V6(_) => MAX_PAYLOAD_V6,
    } - wire.padding_counts_from();
    match padding {
        PaddingSize::Octets(octets) if usize::from(octets) > most => Err(Failure::usage(format!(
            "--padding {octets}: out of range: use 0 to {most} over {}",
            Family::of(far)
        ))),
        PaddingSize::Octets(_) | PaddingSize::Imix => {
            Ok(PayloadSize::padded(wire, padding.octets(), far))
        }
    }
}

#[cfg(test)]
mod tests;
