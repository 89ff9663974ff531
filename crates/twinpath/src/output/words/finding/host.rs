//! What this host did not do as requested.

use std::time::Duration;

use twinpath_report::finding::Host;
use twinpath_runtime::NoHardware;

use super::{packets, times};
use crate::output::units::{count, time};
use crate::output::words::error::Remedy as _;

pub(super) fn line(finding: &Host) -> String {
    match finding {
        Host::NotSent { count, reason } => {
            let remedy = reason.remedy().map(|remedy| format!(" ({remedy})"));
            let remedy = remedy.unwrap_or_default();
            format!(
                "{} did not leave this host: {reason}{remedy}",
                packets(*count)
            )
        }
        Host::MeasuredLate { name, unmeasured } => measured_late(name, *unmeasured),
        Host::FellBehind {
            count,
            is_postponed,
            achieved_pps,
            largest_burst,
        } => format!(
            "this host fell behind its schedule: {count} {}; achieved {achieved_pps:.1} packets/s (bursts of at most {largest_burst})",
            missed_departures(*count, *is_postponed)
        ),
        Host::DeparturesLate { longest_ns } => format!(
            "packets left up to {} ms late: this host stalled, or they were queued in it (link down, neighbour unresolved)",
            longest_ns / 1_000_000
        ),
        Host::FirstPacketsWaited {
            longest_ns,
            is_ipv6,
        } => format!(
            "the first packets waited up to {} ms in this host and left together, most likely once the neighbour's address was known ({}); the delays exclude that wait",
            longest_ns / 1_000_000,
            if *is_ipv6 { "ND" } else { "ARP" }
        ),
        Host::OwnWait {
            mean_ns,
            round_trip_ns,
        } => own_wait(*mean_ns, *round_trip_ns),
        Host::SourceAddressChanged { before, now, count } => {
            let changes = match count {
                1 => String::new(),
                count => format!(" ({count} changes)"),
            };
            format!(
                "this host's address changed during the run from {before} to {now}{changes}: the reflector sees a new sender and counts from 0; losses around the change have no direction"
            )
        }
        Host::IcmpForeign { count: number } => format!(
            "{} about packets that this run did not send: from an earlier run, or forged",
            count(*number, "ICMP error", "ICMP errors")
        ),
        Host::Icmp { what, from, count } => {
            let from = from.map_or_else(String::new, |from| format!(" from {from}"));
            format!("ICMP{from}: {what} ({count})")
        }
        Host::NoHardwareStamps { reason } => match reason {
            Some(reason) => no_hardware(reason),
            None => {
                "no hardware timestamps: enabled on the interface, but no packet had one".to_owned()
            }
        },
        Host::StampsFellBack {
            is_transmit,
            rung,
            count,
        } => {
            let which = if *is_transmit { "T1" } else { "T4" };
            format!("{count} {which} have timestamps from a lower source than {rung}")
        }
        Host::ReceiveDrops { count } => format!(
            "the system dropped {}: packets came faster than they were read",
            packets(*count)
        ),
        Host::InterfaceMadeAgain { count } => format!(
            "the interface was deleted and recreated: this run was bound to it again{}",
            times(*count)
        ),
        Host::RecordsDropped { count: number } => format!(
            "records of {} were dropped: the output was too slow",
            packets(*number)
        ),
    }
}

fn measured_late(name: &str, unmeasured: Duration) -> String {
    let time = time(Duration::from_secs(unmeasured.as_secs().max(1)));
    format!(
        "{name} was not measured for {time} before this session: its name had no address then, or another one"
    )
}

/// A wait in this host that the delays exclude, and the round trip with it.
fn own_wait(mean_ns: i64, round_trip_ns: i64) -> String {
    let ms = |ns: i64| Duration::from_nanos(ns.unsigned_abs()).as_secs_f64() * 1e3;
    format!(
        "the delays exclude the wait in this host's interface queue: {:.3} ms on average between send call and timestamp; including it, a round trip takes about {:.3} ms",
        ms(mean_ns),
        ms(mean_ns.saturating_add(round_trip_ns.max(0)))
    )
}

/// Why requested hardware timestamps are missing, and what to do about it.
pub(crate) fn no_hardware(reason: &NoHardware) -> String {
    let remedy = reason.remedy().map(|remedy| format!("; {remedy}"));
    format!(
        "no hardware timestamps: {reason}{}",
        remedy.unwrap_or_default()
    )
}

/// What follows from missed departures, after their number: a count is still reached, later; a
/// duration is not extended (row M-67).
pub(crate) fn missed_departures(count: u64, is_postponed: bool) -> &'static str {
    match (count, is_postponed) {
        (1, true) => "departure postponed",
        (_, true) => "departures postponed",
        (1, false) => "departure skipped",
        (_, false) => "departures skipped",
    }
}
