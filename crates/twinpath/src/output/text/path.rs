//! Changes made to packets by the path.

use std::io::{self, Write};

use twinpath_metrics::TtlFigures;
use twinpath_proto::extension::FactValue;
use twinpath_report::SessionReport;
use twinpath_wire::Ecn;

use crate::output::table::{NAME, fact};
use crate::output::{counts, units};

/// TTL, marking, ICMP.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn write(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let figures = &report.figures;
    let out_and_in = [
        ttl("outbound", figures.ttl_forward, report.hops_forward()),
        ttl("inbound", figures.ttl_backward, report.hops_backward()),
    ];
    let both: Vec<String> = out_and_in.into_iter().flatten().collect();
    if !both.is_empty() {
        let unknown = match (figures.ttl_forward, figures.ttl_backward) {
            (None, _) => ", outbound unknown",
            (_, None) => ", inbound unknown",
            _ => "",
        };
        let text = format!("{}{unknown}", both.join(", "));
        fact(out, "TTL on arrival", &text)?;
    }
    remarking(report, out)?;
    match figures.congestion_forward {
        Some(1..) if report.identity.tos.ecn() == Ecn::Ce => {
            let text = "CE, as sent (says nothing about the path)";
            fact(out, "ECN on arrival", text)?;
        }
        marked => {
            let marked = (marked.unwrap_or(0), "met congestion");
            counts::list(out, "ECN on arrival", [marked])?;
        }
    }
    let remarked = figures.remarked_backward.unwrap_or_default();
    counts::list(
        out,
        "ECN of replies",
        [
            (figures.congestion_backward, "met congestion"),
            (remarked.ecn, "not as requested"),
        ],
    )?;
    // A run with replies has a note on each kind.
    let unsaid = if figures.received == 0 {
        report.icmp.as_slice()
    } else {
        &[]
    };
    for icmp in unsaid {
        let from = icmp
            .from
            .map_or_else(String::new, |from| format!(" from {from}"));
        let errors = units::count(icmp.count, "error", "errors");
        fact(out, "ICMP", &format!("{errors}{from}: {}", icmp.what))?;
    }
    Ok(())
}

fn ttl(name: &str, seen: Option<TtlFigures>, hops: Option<(u8, u8)>) -> Option<String> {
    let seen = seen?;
    let range = |least: u8, greatest: u8| {
        if least == greatest {
            least.to_string()
        } else {
            format!("{least}-{greatest}")
        }
    };
    let ttl = range(seen.min, seen.max);
    let hops = match hops {
        None => None,
        Some((1, 1)) => Some("1 hop".to_owned()),
        Some((least, greatest)) => Some(format!("{} hops", range(least, greatest))),
    };
    let changes = (seen.changes > 0).then(|| units::count(seen.changes, "change", "changes"));
    let more: Vec<String> = hops.into_iter().chain(changes).collect();
    Some(if more.is_empty() {
        format!("{name} {ttl}")
    } else {
        format!("{name} {ttl} ({})", more.join(", "))
    })
}

/// The DSCP that reached the reflector (RFC 7750).
fn remarking(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let asked = report.identity.tos.dscp();
    let arrived = match report.figures.dscp_forward.as_slice() {
        [] => return Ok(()),
        [(dscp, _)] if *dscp == asked => format!("{dscp}, as sent"),
        classes => {
            let classes: Vec<String> = classes
                .iter()
                .map(|(dscp, count)| format!("{dscp} {count}"))
                .collect();
            classes.join(", ")
        }
    };
    fact(out, "DSCP on arrival", &arrived)
}

/// What the TLVs of replies say, a line for each.
pub(super) fn tlvs(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let Some(learnt) = &report.learnt else {
        return Ok(());
    };
    let facts = learnt.facts();
    if facts.is_empty() && report.figures.received > 0 {
        fact(
            out,
            "TLV",
            "none came back: the reflector does not know them",
        )?;
    }
    for (name, facts) in facts {
        let mut told = Vec::new();
        for (key, value) in facts {
            let value = match value {
                FactValue::Number(0) if matches!(key, "not_processed" | "malformed") => continue,
                FactValue::Number(ns) if key.ends_with("_ns") => units::delay(ns),
                FactValue::Number(number) => number.to_string(),
                FactValue::Flag(flag) => if flag { "yes" } else { "no" }.to_owned(),
                FactValue::Text(text) => text,
            };
            let key = key.trim_end_matches("_ns").replace('_', " ");
            told.push(format!("{key} {value}"));
        }
        let line = format!("{:<NAME$}{name}: {}", "TLV", told.join(", "));
        writeln!(out, "{}", units::wrapped(&line, NAME))?;
    }
    Ok(())
}
