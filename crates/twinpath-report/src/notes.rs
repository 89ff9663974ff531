//! Remarks on a run: what is known where nothing came back, and what its figures must not be taken
//! for. Pure words over a report.

mod clocks;
mod coverage;
mod delays;
mod directions;
mod far_times;
mod silence;
mod sizes;

use std::net::IpAddr;

use twinpath_metrics::FarTimes;
use twinpath_net::{NoHardware, SendError};
use twinpath_wire::{Dscp, Ecn, Rung};

pub(crate) use clocks::of as clocks;
pub(crate) use coverage::{KEY as INCOMPLETE, renew as renew_coverage};
pub(crate) use delays::{implausible, negative};
pub(crate) use directions::renew as renew_directions;
pub(crate) use far_times::renew as renew_far_times;
pub(crate) use sizes::large_lost;

use silence::{refused, silence};

use crate::words::count;
use crate::{Note, SessionReport};

/// The port of OWAMP, for control and test (RFC 4656, RFC 8545).
pub const OWAMP_PORT: u16 = 861;
/// What there is to say of it.
pub const OWAMP: &str =
    "port 861 is OWAMP's (RFC 4656), another protocol: TWAMP's and STAMP's is 862";

/// What timestamps may be off their packets by: a delay less than this below zero says nothing of
/// the clocks.
pub(crate) const STAMP_ERROR_NS: i64 = 100_000;
/// A departure this late is worth a word.
const WAITED_NS: i64 = 50_000_000;
/// A reflector that keeps a reply for longer deserves a warning (RFC 6673 section 4.4; row M-10).
const LONG_RESIDENCE_NS: i64 = 1_000_000_000;
/// 37 s, TAI - UTC, give or take a second: one end writes TAI and the other reads UTC.
const TAI_NS: std::ops::RangeInclusive<u64> = 36_000_000_000..=38_000_000_000;

/// All remarks on `report`, warnings first.
pub fn of(report: &SessionReport) -> Vec<Note> {
    let mut notes = Vec::new();
    let left = report.tally.sent + report.tally.in_flight;
    if report.tally.received > 0 {
        if report.tally.odd.forged > 0 {
            notes.push(forged(report));
        }
        notes.extend(far_times::of(report));
        one_way(report, &mut notes);
        peculiarities(report, &mut notes);
        forward_marking(report, &mut notes);
    } else if report.tally.sent > 0 {
        notes.push(silence(report));
    } else if left > 0 {
        // Stopped before a fate was known: only a refusal says something.
        notes.extend(refused(report));
    }
    sending(report, &mut notes);
    let reason = report.refusals.send.map(|error| error.to_string());
    notes.extend(coverage::incomplete(report, reason.as_deref()));
    lateness(report, &mut notes);
    notes.extend(sizes::left_out(report));
    notes.extend(large_lost(report));
    stamping(report, &mut notes);
    notes.sort_by_key(|note| !note.warning);
    notes
}

/// `words`, where they are borne out.
fn said_if(holds: bool, words: &'static str) -> &'static str {
    if holds { words } else { "" }
}

fn packets(number: u64) -> String {
    count(number, "packet", "packets")
}

fn replies(number: u64) -> String {
    count(number, "reply", "replies")
}

/// Replies whose HMAC is wrong.
fn forged(report: &SessionReport) -> Note {
    let count = report.tally.odd.forged;
    let line = format!(
        "replies failed their HMAC and were not measured ({count}): somebody changes or forges them, or \
         the reflector has other keys"
    );
    warning("forged-replies", line)
}

/// The figures cannot be believed without it.
pub fn warning(key: &'static str, line: String) -> Note {
    Note::warning(key, line)
}

/// This host's address changed, `count` times in all, from that which the report names.
pub fn source_changed(before: IpAddr, now: IpAddr, count: u64) -> Note {
    let times = match count {
        1 => String::new(),
        count => format!(" ({count} changes)"),
    };
    let line = format!(
        "this host's address changed in mid-run from {before} to {now}{times}: to a reflector it is \
         another sender, whose numbers begin at 0; losses around the change have no direction"
    );
    warning("source-address-changed", line)
}

/// The figures can be believed without it.
pub fn remark(key: &'static str, line: String) -> Note {
    Note::remark(key, line)
}

/// What one-way figures are worth.
fn one_way(report: &SessionReport, notes: &mut Vec<Note>) {
    let near = report.stamps.clock.synchronized;
    let far = report
        .stamps
        .far_clock
        .is_some_and(|clock| clock.synchronized);
    let figures = &report.figures;
    let one_way = [&figures.forward, &figures.backward];
    let negative = report.has_negative_delay();
    let one_clock = report.is_one_clock();
    let usable = figures.far_times.are_usable();
    let tai = one_way
        .iter()
        .all(|delay| delay.is_some_and(|delay| TAI_NS.contains(&delay.median_ns.unsigned_abs())));
    if tai {
        notes.push(warning(
            "time-scale",
            "one-way delays are off by about 37 s, TAI - UTC: the ends write different time scales"
                .to_owned(),
        ));
    } else if !usable || far_times::is_unset(report) {
        // Nothing is claimed of the clocks.
    } else if !one_clock && (negative || !near || !far) {
        let why = match (near, far, negative) {
            (_, _, true) => "a one-way delay is negative, so the clocks disagree",
            (false, false, _) => "neither clock is synchronised",
            (false, true, _) => "this host's clock is not synchronised",
            (true, false, _) => "the reflector's clock is not synchronised",
            (true, true, _) => return,
        };
        let sound = said_if(
            figures.far_times == FarTimes::Agree,
            ", round trip and variation are sound",
        );
        notes.push(warning(
            "clocks-not-synchronized",
            format!("{why}: one-way delays mean little{sound}"),
        ));
    }
    if report.tally.clock_steps > 0 {
        notes.push(warning(
            "clock-step",
            format!(
                "this host's clock stepped ({}): {} left out of the delays",
                report.tally.clock_steps,
                packets(figures.excluded_clock_step)
            ),
        ));
    }
    if report.tally.suspensions > 0 {
        let times = match report.tally.suspensions {
            1 => String::new(),
            count => format!(" ({count} times)"),
        };
        let line = format!(
            "this host was suspended for {:.1?}{times}: nothing was sent meanwhile, replies that came then \
             are lost, and packets that were under way are left out of the delays",
            std::time::Duration::from_nanos(report.tally.suspended_ns)
        );
        notes.push(warning("suspended", line));
    }
    notes.extend(implausible(report));
}

/// What is peculiar about the far end.
fn peculiarities(report: &SessionReport, notes: &mut Vec<Note>) {
    let (odd, figures) = (&report.tally.odd, &report.figures);
    if figures.residence_never_measured && figures.far_times.are_usable() {
        notes.push(remark(
            "residence-not-measured",
            "the reflector gives one time for arrival and departure: its own time is in the round \
             trip"
                .to_owned(),
        ));
    }
    let longest = figures.residence.map_or(0, |residence| residence.max_ns);
    if longest > LONG_RESIDENCE_NS {
        notes.push(warning(
            "residence-long",
            format!(
                "the reflector kept replies for up to {} ms: it is overloaded, or its clock \
                 stepped; that time is not in the round trip",
                longest / 1_000_000
            ),
        ));
    }
    notes.extend(directions::of(report));
    if figures.reflector_restarts > 0 {
        let restarts = figures.reflector_restarts;
        let line = format!("the reflector's counter started anew in mid-run ({restarts})");
        notes.push(remark("reflector-restarts", line));
    }
    if let (count @ 1.., Some((request, reply))) = (odd.size_differs, odd.last_sizes) {
        let line = format!(
            "{} of another size than the request: {reply} octets to {request}",
            replies(count)
        );
        notes.push(remark("sizes-differ", line));
    }
    if odd.ssid_missing > 0 {
        let line = "the reflector does not give the SSID back: it does not know RFC 8972";
        notes.push(remark("ssid-missing", line.to_owned()));
    }
    if odd.z_wrong > 0 && figures.far_times.are_usable() {
        let count = odd.z_wrong;
        let borne_out = said_if(
            figures.far_times == FarTimes::Agree,
            ", which agrees with this host's clock",
        );
        let line = format!(
            "{} with the wrong timestamp format (Z bit): read in the other one{borne_out}",
            replies(count)
        );
        notes.push(remark("z-bit-wrong", line));
    }
    if odd.error_multiplier_zero > 0 {
        let line = "the reflector's Error Estimate has a Multiplier of 0: its error is not known";
        notes.push(remark("error-estimate-zero", line.to_owned()));
    }
    let kept = figures
        .dscp_backward
        .iter()
        .all(|(dscp, _)| *dscp == report.tos.dscp());
    if !kept {
        let line = format!(
            "sent with DSCP {}, replies came back with {}",
            report.tos.dscp(),
            shares(&figures.dscp_backward)
        );
        notes.push(remark("dscp-changed", line));
    }
    if let Some(elsewhere) = odd.last_elsewhere {
        let count = odd.answers_elsewhere;
        let line = format!("{} came from {elsewhere}: not counted", replies(count));
        notes.push(remark("answers-from-elsewhere", line));
    }
    if figures.late > 0 {
        let count = figures.late;
        let line = format!("{} came after the timeout: counted as lost", replies(count));
        notes.push(remark("late", line));
    }
}

/// What the way out did to the ToS octet, where the reflector says with which one packets came
/// (RFC 7750).
fn forward_marking(report: &SessionReport, notes: &mut Vec<Note>) {
    let figures = &report.figures;
    let sent = report.tos.dscp();
    if figures.dscp_forward.iter().any(|(dscp, _)| *dscp != sent) {
        let came = shares(&figures.dscp_forward);
        let line = format!("remarked on the way out: sent with DSCP {sent}, arrived with {came}");
        notes.push(remark("dscp-changed-forward", line));
    }
    let remarked = figures.remarked_forward.unwrap_or_default();
    if let ecn_changed @ 1.. = remarked.ecn {
        let line = format!(
            "the ECN field was changed on the way out: {} did not arrive with the one sent",
            packets(ecn_changed)
        );
        notes.push(remark("ecn-changed-forward", line));
    }
    if let Some(marked @ 1..) = figures.congestion_forward
        && report.tos.ecn() != Ecn::Ce
    {
        let line = format!(
            "{} met congestion on the way out (ECN mark)",
            packets(marked)
        );
        notes.push(remark("congestion-forward", line));
    }
}

/// How many packets had which DSCP.
fn shares(counts: &[(Dscp, u64)]) -> String {
    let shares: Vec<String> = counts
        .iter()
        .map(|(dscp, count)| format!("{dscp} ({count})"))
        .collect();
    shares.join(", ")
}

/// What became of departures that were missed and not caught up, behind their number: a count is reached
/// all the same, later; a duration is not made longer (row M-67). `asked`: the count that was asked for.
pub fn missed_departures(count: u64, asked: Option<u64>) -> &'static str {
    match (count, asked) {
        (1, Some(_)) => "departure postponed",
        (_, Some(_)) => "departures postponed",
        (1, None) => "departure skipped",
        (_, None) => "departures skipped",
    }
}

/// What this host did not send as asked.
fn sending(report: &SessionReport, notes: &mut Vec<Note>) {
    let tally = &report.tally;
    if tally.send_errors > 0
        && let Some(reason) = report.refusals.send
    {
        let remedy = send_remedy(reason).map_or_else(String::new, |remedy| format!(" ({remedy})"));
        notes.push(warning(
            "not-sent",
            format!(
                "{} did not leave this host: {reason}{remedy}",
                packets(tally.send_errors)
            ),
        ));
    }
    if tally.slots_skipped > 0 {
        let achieved = report.achieved_pps.unwrap_or(0.0);
        notes.push(warning(
            "fell-behind",
            format!(
                "this host fell behind its schedule: {} {}; achieved {achieved:.1} packets a second \
                 (bursts of {} at most)",
                tally.slots_skipped,
                missed_departures(tally.slots_skipped, tally.asked),
                tally.largest_burst
            ),
        ));
    }
    if report.icmp_foreign > 0 {
        let errors = count(report.icmp_foreign, "ICMP error", "ICMP errors");
        let line = format!(
            "{errors} about packets that this run did not send: an earlier run's, or forged"
        );
        notes.push(remark("icmp-foreign", line));
    }
    if report.tally.received > 0 {
        for icmp in &report.icmp {
            let by = icmp
                .from
                .map_or_else(String::new, |from| format!(" from {from}"));
            let line = format!("ICMP{by}: {} ({})", icmp.what, icmp.count);
            notes.push(remark("icmp", line));
        }
    }
}

/// Packets that waited in this host: what the path did meanwhile is not known.
fn lateness(report: &SessionReport, notes: &mut Vec<Note>) {
    let Some(departure) = report.figures.departure else {
        return;
    };
    let gap_ns = i64::try_from(report.schedule.usual_gap().as_nanos()).unwrap_or(i64::MAX);
    if departure.max_ns > gap_ns.saturating_mul(2).max(WAITED_NS) {
        let waited_ms = departure.max_ns / 1_000_000;
        notes.push(warning(
            "departures-late",
            format!(
                "packets left up to {waited_ms} ms after their time: this host stalled, or they \
                 waited in it (link down, neighbour unresolved)"
            ),
        ));
    }
}

/// Why hardware timestamps that were asked for do not come, and what to do about it.
pub fn why_no_hardware(why: &NoHardware) -> String {
    let remedy = why
        .remedy()
        .map_or_else(String::new, |remedy| format!("; {remedy}"));
    format!("no hardware timestamps: {why}{remedy}")
}

/// What the timestamps and the records are worth.
fn stamping(report: &SessionReport, notes: &mut Vec<Note>) {
    let stamps = &report.stamps;
    let hardware = [stamps.transmit, stamps.receive].contains(&Some(Rung::Hardware));
    if report.refusals.hardware_asked && !hardware {
        let line = match &report.refusals.no_hardware {
            Some(why) => why_no_hardware(why),
            None if report.tally.sent == 0 => return,
            None => "no hardware timestamps: the interface was told to stamp and stamped no packet"
                .to_owned(),
        };
        notes.push(remark("no-hardware-stamps", line));
    }
    notes.extend(negative(report));
    let fell = [
        ("T1", stamps.transmit, stamps.fallback_transmit),
        ("T4", stamps.receive, stamps.fallback_receive),
    ];
    for (which, rung, count) in fell {
        if let (Some(rung), 1..) = (rung, count) {
            let line = format!("{count} {which} fell back from {rung} to a lower rung");
            notes.push(remark("stamps-fell-back", line));
        }
    }
    if report.receive_drops > 0 {
        let line = format!(
            "the system dropped {}: packets came faster than they were read",
            packets(report.receive_drops)
        );
        notes.push(warning("receive-drops", line));
    }
    if report.rebinds > 0 {
        let times = match report.rebinds {
            1 => "once".to_owned(),
            count => format!("{count} times"),
        };
        let line = format!(
            "the interface was deleted and made again: this run was bound to it again {times}"
        );
        notes.push(warning("interface-made-again", line));
    }
    if report.records_dropped > 0 {
        let line = format!(
            "{} of single packets dropped: the output was too slow",
            count(report.records_dropped, "record", "records")
        );
        notes.push(warning("records-dropped", line));
    }
}

/// What to do about packets that the system does not take.
pub fn send_remedy(reason: SendError) -> Option<&'static str> {
    match reason {
        SendError::NoBuffers => Some("send less often, or fewer octets"),
        SendError::TooLarge => Some("use a smaller --padding, or leave out --do-not-fragment"),
        SendError::Unreachable => {
            Some("see `ip route` and `ip link`: no way leads there, or the link is down")
        }
        SendError::Filtered => Some("see this host's own packet filter (nft list ruleset)"),
        SendError::Prohibited => Some("see `ip route get` for that address"),
        SendError::BadSource => {
            Some("see `ip address`, and `ip route get` for that address: a blackhole looks alike")
        }
        SendError::Other(_) => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
