//! What `twinpath doctor` found, as text and as JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::doctor_strict;
use super::style::Style;
use super::units::{count, wrapped_to};
use crate::doctor::stress::{self, Stress};
use crate::doctor::strict::{Conformance, Part, Tried};
use crate::doctor::{
    Check, Checked, FarEndPlan, Firewall, Judged, LONGEST, Seen, Status, Verdict, costs,
};
use crate::failure::Failure;

const SCHEMA: &str = "twinpath-doctor-1";
pub(super) const WIDTH: usize = 80;
/// Where findings begin.
const INDENT: usize = 9;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    far: &'a str,
    verdict: &'a str,
    /// What measures it best.
    command: Option<&'a str>,
    /// What measures it too.
    further_commands: &'a [String],
    firewall: &'a Firewall,
    checks: &'a [Checked],
    /// Packets, ICMP Echos and TCP connections, but for those of `--stress`.
    packets: usize,
    duration_ns: u64,
    /// With `--strict`: all trials.
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<Vec<&'a Tried>>,
}

/// What the text shows beyond the checks.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) strict: Option<&'a Conformance>,
    /// Also the trials that passed.
    pub(crate) all_trials: bool,
    pub(crate) style: Style,
}

pub(crate) fn json(
    seen: &Seen,
    checks: &[Checked],
    strict: Option<&Conformance>,
    verdict: &Verdict,
    took: Duration,
    out: &mut impl Write,
) -> io::Result<()> {
    let document = Document {
        schema: SCHEMA,
        far: &seen.plan.name,
        verdict: &verdict.sentence,
        command: verdict.command.as_deref(),
        further_commands: &verdict.further,
        firewall: &verdict.firewall,
        checks,
        packets: seen.packets(),
        duration_ns: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        strict: strict.map(|strict| strict.trials().collect()),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    out.flush()
}

/// The same of a far end without an address: no check was made.
pub(crate) fn json_without_address(
    far: &str,
    checks: &[&dyn Check],
    failure: &Failure,
    out: &mut impl Write,
) -> io::Result<()> {
    let skipped = |check: &&dyn Check| Checked {
        id: check.id(),
        judged: Judged::skipped("no address"),
    };
    let rate = stress::skipped("no address");
    let document = Document {
        schema: SCHEMA,
        far,
        verdict: &failure.line,
        command: None,
        further_commands: &[],
        firewall: &Firewall::default(),
        checks: &checks.iter().map(skipped).chain([rate]).collect::<Vec<_>>(),
        packets: 0,
        duration_ns: 0,
        strict: None,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    out.flush()
}

/// The verdict first; then a row for each check that ran; then what to type.
pub(crate) fn text(
    checks: &[Checked],
    verdict: &Verdict,
    shown: Shown<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let style = shown.style;
    writeln!(
        out,
        "{}\n",
        style.heading(&wrapped_to(&verdict.sentence, 0, WIDTH))
    )?;
    for (judged, alike) in rows(checks) {
        let word = status(judged.status);
        let finding = if alike == 1 {
            judged.finding.clone()
        } else {
            format!("{} ({alike} checks)", judged.finding)
        };
        let text = wrapped_to(&format!("{word:INDENT$}{finding}"), INDENT, WIDTH);
        let shown = match judged.status {
            Status::Warn | Status::Fail => text.replacen(word, &style.warning(word), 1),
            Status::Ok | Status::Unknown | Status::Skipped => text,
        };
        writeln!(out, "{shown}")?;
        if let Some(advice) = &judged.advice {
            let advice = wrapped_to(&format!("to do: {advice}"), 7, WIDTH - INDENT);
            let pad = " ".repeat(INDENT);
            for line in advice.lines() {
                writeln!(out, "{pad}{line}")?;
            }
        }
    }
    if let Some(strict) = shown.strict {
        doctor_strict::text(strict, shown.all_trials, style, out)?;
    }
    if let Some(command) = &verdict.command {
        writeln!(out, "\nMeasure it with: {command}")?;
        for further in &verdict.further {
            writeln!(out, "             or: {further}")?;
        }
    }
    if let Some(ports) = verdict.firewall.words() {
        if verdict.command.is_none() {
            writeln!(out)?;
        }
        let line = format!("Open in a firewall: {ports}");
        writeln!(out, "{}", wrapped_to(&line, 2, WIDTH))?;
    }
    out.flush()
}

/// What is shown of the checks that ran, each finding once, and of how many checks it is.
fn rows(checks: &[Checked]) -> Vec<(&Judged, usize)> {
    let mut rows: Vec<(&Judged, usize)> = Vec::new();
    let ran = checks.iter().flat_map(|checked| {
        let own = std::slice::from_ref(&checked.judged);
        let rows = &checked.judged.rows[..];
        if rows.is_empty() { own } else { rows }
    });
    for judged in ran.filter(|judged| judged.status != Status::Skipped) {
        let is_alike = |row: &Judged| {
            (row.status, &row.finding, &row.advice)
                == (judged.status, &judged.finding, &judged.advice)
        };
        match rows.iter_mut().find(|(row, _)| is_alike(row)) {
            Some((_, alike)) => *alike += 1,
            None => rows.push((judged, 1)),
        }
    }
    rows
}

/// What would be sent at most.
pub(crate) fn dry_run(
    checks: &[&dyn Check],
    far: &FarEndPlan,
    stress: Option<Stress>,
    strict: Option<&[&Part]>,
    json: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let able = checks.iter().filter(|check| check.is_able(far));
    let able: Vec<&dyn Check> = able.copied().collect();
    let each = checks.iter().map(|check| {
        if !check.is_able(far) {
            return (check.id(), 0);
        }
        let most: usize = check.costs().iter().map(|(_, most)| most).sum();
        (check.id(), most)
    });
    let all: usize = costs(&able).values().sum();
    if json {
        let checks: serde_json::Map<_, _> = each
            .map(|(id, most)| (id.to_owned(), most.into()))
            .collect();
        let stress = stress.map(|stress| {
            serde_json::json!({
                "rate_pps": stress.top_pps,
                "most_packets": stress.most_packets(),
                "most_connections": stress.most_connections(),
                "longest_s": stress.longest().as_secs(),
            })
        });
        let mut document = serde_json::json!({
            "schema": SCHEMA, "far": far.name, "most_packets": all, "checks": checks,
            "longest_s": LONGEST.as_secs(), "stress": stress,
        });
        if let Some(parts) = strict
            && let Some(document) = document.as_object_mut()
        {
            document.insert("strict".to_owned(), doctor_strict::dry_run_json(parts));
        }
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)?;
    } else {
        writeln!(out, "Sends to {} at most:", far.name)?;
        let rows: Vec<_> = each.filter(|(_, most)| *most > 0).collect();
        let width = rows.iter().map(|(id, _)| id.len()).max().unwrap_or(0);
        for (id, most) in rows {
            writeln!(
                out,
                "  {id:width$}  {}",
                count(most as u64, "packet", "packets")
            )?;
        }
        let line = format!(
            "All together at most {all} packets, ICMP Echos and TCP connections, in {} s: what several checks ask is sent once.",
            LONGEST.as_secs()
        );
        writeln!(out, "{}", wrapped_to(&line, 0, WIDTH))?;
        if let Some(stress) = stress {
            writeln!(out, "{}", wrapped_to(&announced(stress), 0, WIDTH))?;
        }
        if let Some(parts) = strict {
            doctor_strict::dry_run(parts, out)?;
        }
    }
    out.flush()
}

/// What `--stress` sends at most.
pub(crate) fn announced(stress: Stress) -> String {
    let reflectors = format!(
        "--stress sends up to {} packets a second to a far end that answers: at most {} packets more, in {} s",
        stress.top_pps,
        stress.most_packets(),
        stress.longest().as_secs()
    );
    match stress.most_connections() {
        0 => format!("{reflectors}."),
        most => format!(
            "{reflectors}; in sessions of a TWAMP server by at most {most} connections, if nothing else answers."
        ),
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warn => "warning",
        Status::Fail => "FAILED",
        Status::Unknown => "unknown",
        Status::Skipped => "skipped",
    }
}
