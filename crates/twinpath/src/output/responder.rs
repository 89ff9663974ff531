//! The final summary of a responder.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use twinpath_proto::reflector::{ControlCounters, Ignored, ReflectorCounters};
use twinpath_runtime::ReflectorReport;
use twinpath_runtime::responder::ResponderReport;
use twinpath_wire::{Rung, nanoseconds};

use super::ends::named;
use super::one_way;
use super::table::fact;
use super::units;

/// For people.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn text(report: &ResponderReport, out: &mut impl Write) -> io::Result<()> {
    let counters = &report.counters;
    let took = units::took(report.duration);
    fact(
        out,
        "Answered",
        &format!("{} in {took}", packets(counters.reflected)),
    )?;
    let mut sessions = vec![
        format!("{} made", counters.sessions_made),
        format!("{} kept", counters.sessions),
    ];
    for (count, what) in [
        (counters.sessions_expired, "forgotten after idle time"),
        (counters.sessions_evicted, "evicted to make room"),
        (counters.sessions_restarted, "restarted by their sender"),
    ] {
        if count > 0 {
            sessions.push(format!("{count} {what}"));
        }
    }
    fact(out, "Sessions", &sessions.join(", "))?;
    if counters.answered_stateless > 0 {
        let count = counters.answered_stateless;
        fact(
            out,
            "Without state",
            &format!("{}: all sessions were in use", packets(count)),
        )?;
    }
    ignored(counters, out)?;
    if counters.ways_refused > 0 {
        let replies = units::count(counters.ways_refused, "reply", "replies");
        let text = format!("{replies}: this host's network refused the way asked for");
        fact(out, "Ordinary way", &text)?;
    }
    control(&counters.control, out)?;
    one_way::text(&report.one_way, out)?;
    if counters.error_multiplier_zero > 0 {
        let count = counters.error_multiplier_zero;
        fact(
            out,
            "Odd requests",
            &format!("{count} with Error Estimate multiplier 0"),
        )?;
    }
    sockets(report, out)
}

/// What Reflected Test Packet Control came to.
fn control(counters: &ControlCounters, out: &mut impl Write) -> io::Result<()> {
    if counters.granted > 0 {
        let requests = units::count(counters.granted, "request", "requests");
        let copies = units::count(counters.copies, "further reply", "further replies");
        let mut told = vec![format!("{requests} granted"), copies];
        if counters.copies > 0 {
            told.push(format!(
                "at most {} late",
                units::span(counters.latest_copy_ns)
            ));
        }
        for (count, what) in [
            (counters.copies_late, "late by their interval or more"),
            (counters.copies_not_sent, "not sent"),
        ] {
            if count > 0 {
                told.push(format!("{count} {what}"));
            }
        }
        fact(out, "Several replies", &told.join(", "))?;
    }
    let refused: Vec<String> = [
        (counters.over_limit, "over a limit"),
        (counters.over_mtu, "over the MTU"),
        (counters.not_allowed, "not allowed"),
        (
            counters.repeated,
            "repeated or reordered (a sender started again: use another port)",
        ),
        (counters.table_full, "with too many others remembered"),
        (counters.contradictory, "for several replies and for none"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    if refused.is_empty() {
        return Ok(());
    }
    fact(out, "One reply only", &refused.join(", "))
}

/// Datagrams without a reply, by kind; those that want none are not ignored: they are measured one way.
pub(super) fn ignored(counters: &ReflectorCounters, out: &mut impl Write) -> io::Result<()> {
    let ignored: Vec<String> = counters
        .ignored_by_kind()
        .filter(|(kind, count)| *count > 0 && *kind != Ignored::NoReplyWanted.name())
        .map(|(kind, count)| format!("{count} {}", kind.replace('_', " ")))
        .collect();
    if ignored.is_empty() {
        return Ok(());
    }
    fact(out, "Ignored", &ignored.join(", "))
}

/// What the sockets of a reflector report: packets that the system refused or dropped, interfaces that
/// were recreated, and the timestamps.
pub(super) fn sockets<C>(report: &ReflectorReport<C>, out: &mut impl Write) -> io::Result<()> {
    if report.send_errors > 0 {
        let replies = units::count(report.send_errors, "reply", "replies");
        let text = format!("{replies} refused by this host's network");
        fact(out, "Not sent", &text)?;
    }
    if report.receive_drops > 0 {
        let packets = packets(report.receive_drops);
        let text = format!("{packets}: they came faster than they were read");
        fact(out, "Dropped", &text)?;
    }
    if report.rebinds > 0 {
        let sockets = units::count(report.rebinds, "socket", "sockets");
        let text = format!("{sockets} bound again: it was deleted and recreated");
        fact(out, "Interface", &text)?;
    }
    if let Some(rung) = report.receive_rungs.best() {
        stamps(
            rung,
            report.receive_rungs.fell_back(),
            report.t3_advance_ns,
            out,
        )?;
    }
    out.flush()
}

/// The source of T2 and the adjustment of T3.
fn stamps(
    rung: Rung,
    fallen: u64,
    t3_advance_ns: Option<u64>,
    out: &mut impl Write,
) -> io::Result<()> {
    let fallen = match fallen {
        0 => String::new(),
        count => format!(" ({count} lower)"),
    };
    let advance = match t3_advance_ns {
        None => "as read".to_owned(),
        Some(ns) => format!(
            "advanced by {}, the measured transmit latency",
            units::span(ns)
        ),
    };
    fact(
        out,
        "Timestamps",
        &format!("T2 {rung}{fallen}, T3 {advance}"),
    )
}

pub(super) fn packets(count: u64) -> String {
    units::count(count, "packet", "packets")
}

/// For machines.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn json(report: &ResponderReport, out: &mut impl Write) -> io::Result<()> {
    super::json::write(&document(report), out)
}

/// The document for machines.
pub(crate) fn document(report: &ResponderReport) -> impl Serialize + '_ {
    let counters = &report.counters;
    Document {
        schema: "twinpath-responder-1",
        version: env!("CARGO_PKG_VERSION"),
        host: super::host_name(),
        listening: report.listening.iter().copied().map(named).collect(),
        duration_ns: nanoseconds::of(report.duration),
        reflected: counters.reflected,
        send_errors: report.send_errors,
        receive_drops: report.receive_drops,
        interface_rebinds: report.rebinds,
        sessions: Sessions {
            live: counters.sessions,
            made: counters.sessions_made,
            expired: counters.sessions_expired,
            evicted: counters.sessions_evicted,
            restarted: counters.sessions_restarted,
        },
        answered_stateless: counters.answered_stateless,
        error_multiplier_zero: counters.error_multiplier_zero,
        ways_refused: counters.ways_refused,
        reflected_control: Control::of(&counters.control),
        ignored: IgnoredByKind(counters),
        timestamps: TimeStamps::of(report),
        one_way: one_way::Document::from(&report.one_way),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    host: Option<String>,
    listening: Vec<String>,
    duration_ns: u64,
    reflected: u64,
    send_errors: u64,
    receive_drops: u64,
    interface_rebinds: u64,
    sessions: Sessions,
    answered_stateless: u64,
    error_multiplier_zero: u64,
    ways_refused: u64,
    reflected_control: Control,
    ignored: IgnoredByKind<'a>,
    timestamps: TimeStamps,
    one_way: one_way::Document,
}

#[derive(Serialize)]
struct Control {
    granted: u64,
    over_limit: u64,
    over_mtu: u64,
    not_allowed: u64,
    repeated: u64,
    table_full: u64,
    contradictory: u64,
    copies: u64,
    copies_late: u64,
    copies_not_sent: u64,
    latest_copy_ns: u64,
}

impl Control {
    fn of(counters: &ControlCounters) -> Self {
        Self {
            granted: counters.granted,
            over_limit: counters.over_limit,
            over_mtu: counters.over_mtu,
            not_allowed: counters.not_allowed,
            repeated: counters.repeated,
            table_full: counters.table_full,
            contradictory: counters.contradictory,
            copies: counters.copies,
            copies_late: counters.copies_late,
            copies_not_sent: counters.copies_not_sent,
            latest_copy_ns: counters.latest_copy_ns,
        }
    }
}

#[derive(Serialize)]
struct Sessions {
    live: u64,
    made: u64,
    expired: u64,
    evicted: u64,
    restarted: u64,
}

#[derive(Serialize)]
pub(super) struct TimeStamps {
    receive: Option<&'static str>,
    fallback_receive: u64,
    t3_advance_ns: Option<u64>,
}

impl TimeStamps {
    pub(super) fn of<C>(report: &ReflectorReport<C>) -> Self {
        Self {
            receive: report.receive_rungs.best().map(Rung::name),
            fallback_receive: report.receive_rungs.fell_back(),
            t3_advance_ns: report.t3_advance_ns,
        }
    }
}

/// Every kind, including those that did not occur.
pub(super) struct IgnoredByKind<'a>(pub(super) &'a ReflectorCounters);

impl Serialize for IgnoredByKind<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.ignored_by_kind())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use twinpath_metrics::RungCounts;
    use twinpath_runtime::OneWayReport;

    use super::*;

    fn report() -> ResponderReport {
        let mut counters = ReflectorCounters {
            reflected: 1_000,
            sessions: 2,
            sessions_made: 3,
            sessions_expired: 1,
            answered_stateless: 4,
            ways_refused: 5,
            control: ControlCounters {
                granted: 11,
                not_allowed: 12,
                contradictory: 13,
                repeated: 14,
                table_full: 20,
                over_limit: 15,
                over_mtu: 16,
                copies: 17,
                copies_late: 18,
                copies_not_sent: 19,
                latest_copy_ns: 2_000,
            },
            ..ReflectorCounters::default()
        };
        counters.ignored[Ignored::TooShort.index()] = 5;
        counters.ignored[Ignored::NotAllowed.index()] = 6;
        counters.ignored[Ignored::NoReplyWanted.index()] = 21;
        ResponderReport {
            listening: vec!["127.0.0.1:20001".parse().unwrap()],
            duration: Duration::from_millis(61_250),
            counters,
            send_errors: 7,
            receive_drops: 8,
            rebinds: 9,
            receive_rungs: RungCounts {
                kernel: 999,
                user: 1,
                ..RungCounts::default()
            },
            t3_advance_ns: Some(4_200),
            one_way: OneWayReport::default(),
        }
    }

    #[test]
    fn the_summary_has_the_counts() {
        let mut out = Vec::new();
        text(&report(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn one_takes_the_singular() {
        let mut report = report();
        (
            report.counters.reflected,
            report.send_errors,
            report.receive_drops,
        ) = (1, 1, 1);
        let mut out = Vec::new();
        text(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [" 1 packet in ", " 1 reply refused", " 1 packet: they came"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_document_has_the_same_counts() {
        let mut out = Vec::new();
        json(&report(), &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["schema"], "twinpath-responder-1");
        assert_eq!(document["reflected"], 1_000);
        assert_eq!(document["ways_refused"], 5);
        assert_eq!(
            document["reflected_control"],
            serde_json::json!({
                "granted": 11, "over_limit": 15, "over_mtu": 16, "not_allowed": 12, "repeated": 14,
                "table_full": 20, "contradictory": 13, "copies": 17, "copies_late": 18, "copies_not_sent": 19,
                "latest_copy_ns": 2_000,
            })
        );
        assert_eq!(document["ignored"]["not_allowed"], 6);
        assert_eq!(document["ignored"]["no_reply_wanted"], 21);
        assert_eq!(document["ignored"]["rate_limited"], 0);
        assert_eq!(document["timestamps"]["t3_advance_ns"], 4_200);
    }
}
