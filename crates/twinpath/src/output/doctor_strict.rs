//! The trials of `twinpath doctor --strict`, as text.

use std::io::{self, Write};

use super::doctor::WIDTH;
use super::style::Style;
use super::units::{count, wrapped_to};
use crate::doctor::strict::{self, Conformance, Part, Status, Tried};

/// Where sentences begin.
const INDENT: usize = 9;

/// A section per part: how many passed, then those that did not, failures first.
pub(super) fn text(
    strict: &Conformance,
    all_trials: bool,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    for (part, trials) in strict.parts() {
        if skipped(trials).is_some() {
            continue;
        }
        let heading = format!("{part}: {}", counts(trials));
        writeln!(out, "\n{}", style.heading(&wrapped_to(&heading, 0, WIDTH)))?;
        let shown = [
            (Status::Fail, true),
            (Status::Unclear, true),
            (Status::Skipped, all_trials),
            (Status::Pass, all_trials),
        ];
        for (status, _) in shown.iter().filter(|(_, is_shown)| *is_shown) {
            for tried in trials.iter().filter(|tried| tried.status == *status) {
                trial(tried, style, out)?;
            }
        }
    }
    parts_skipped(strict, out)
}

/// Why no trial of a part was made; `None`: some were, or for several reasons.
fn skipped(trials: &[Tried]) -> Option<&str> {
    let (first, others) = trials.split_first()?;
    let is_alike =
        |tried: &Tried| tried.status == Status::Skipped && tried.evidence == first.evidence;
    (first.status == Status::Skipped && others.iter().all(is_alike))
        .then_some(first.evidence.as_str())
}

/// Parts without a trial, a line for each reason.
fn parts_skipped(strict: &Conformance, out: &mut impl Write) -> io::Result<()> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (part, trials) in strict.parts() {
        let Some(why) = skipped(trials) else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, parts)) => parts.push(part),
            None => reasons.push((why, vec![part])),
        }
    }
    if !reasons.is_empty() {
        writeln!(out)?;
    }
    for (why, parts) in reasons {
        let line = format!("{:INDENT$}{why}: {}", "skipped", parts.join("; "));
        writeln!(out, "{}", wrapped_to(&line, INDENT, WIDTH))?;
    }
    Ok(())
}

/// `pass 41, fail 2, unclear 3`.
fn counts(trials: &[Tried]) -> String {
    let with = |status: Status| trials.iter().filter(|tried| tried.status == status).count();
    let mut line = format!(
        "pass {}, fail {}, unclear {}",
        with(Status::Pass),
        with(Status::Fail),
        with(Status::Unclear)
    );
    let skipped = with(Status::Skipped);
    if skipped > 0 {
        line = format!("{line}, skipped {skipped}");
    }
    line
}

fn trial(tried: &Tried, style: Style, out: &mut impl Write) -> io::Result<()> {
    let word = match tried.status {
        Status::Pass => "pass",
        Status::Fail => "FAILED",
        Status::Unclear => "unclear",
        Status::Skipped => "skipped",
    };
    let place = format!("RFC {} section {}", tried.rfc, tried.section);
    let line = wrapped_to(
        &format!("{word:INDENT$}{} ({place})", tried.id),
        INDENT,
        WIDTH,
    );
    let shown = match tried.status {
        Status::Fail | Status::Unclear => line.replacen(word, &style.warning(word), 1),
        Status::Pass | Status::Skipped => line,
    };
    writeln!(out, "{shown}")?;
    let pad = " ".repeat(INDENT);
    for (what, sentence) in [("sent: ", tried.sent), ("found: ", &tried.evidence)] {
        let text = wrapped_to(&format!("{what}{sentence}"), what.len(), WIDTH - INDENT);
        for line in text.lines() {
            writeln!(out, "{pad}{line}")?;
        }
    }
    Ok(())
}

/// What would be sent at most.
pub(super) fn dry_run(parts: &[&Part], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n--strict sends at most, besides:")?;
    for part in parts {
        let most = part.most_packets() as u64;
        writeln!(
            out,
            "  {:38} {}, {}",
            part.name,
            count(part.trials().len() as u64, "trial", "trials"),
            count(most, "packet", "packets")
        )?;
    }
    let line = format!(
        "All together at most {} packets, no more than {} per second, in {} seconds.",
        strict::most_packets(parts),
        strict::MOST_PPS,
        strict::most_time(parts).as_secs() + 1
    );
    writeln!(out, "{}", wrapped_to(&line, 0, WIDTH))
}

/// The same for programs.
pub(super) fn dry_run_json(parts: &[&Part]) -> serde_json::Value {
    let each: Vec<_> = parts
        .iter()
        .map(|part| {
            serde_json::json!({
                "part": part.name,
                "trials": part.trials().len(),
                "most_packets": part.most_packets(),
            })
        })
        .collect();
    serde_json::json!({
        "most_packets": strict::most_packets(parts),
        "longest_s": strict::most_time(parts).as_secs() + 1,
        "parts": each,
    })
}
