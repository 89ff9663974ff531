//! All targets, in one sentence.

use std::collections::BTreeMap;

use super::together::silent_since;
use super::{MOST_NAMES, OfTarget, UNAWAITED, UNSENT, Unmeasured, list, which};
use crate::output::{counts, units};

/// Losses of all targets, in one sentence.
pub(super) fn of_targets(
    targets: &[OfTarget<'_>],
    [one, many]: [&str; 2],
    unmeasured: &Unmeasured<'_>,
) -> String {
    let all = units::count(targets.len() as u64, one, many);
    let of_all = |some: usize| format!("{some} of {all}");
    let names = |some: &[&OfTarget<'_>]| list(some.iter().map(|it| it.name), MOST_NAMES);
    let mut parts = Vec::new();
    let losing = which(targets, OfTarget::loses);
    if let Some(worst) = losing.first() {
        let verb = if losing.len() == 1 { "loses" } else { "lose" };
        let (some, worst) = (of_all(losing.len()), worst.worst());
        parts.push(format!("{some} {verb} packets; worst: {worst}"));
    }
    let stopped = targets.iter();
    let stopped = stopped.filter_map(|it| Some((it.name, silent_since(&it.sessions)?)));
    let stopped = stopped.map(|(name, (_, since))| format!("{name} after {since}"));
    let stopped: Vec<String> = stopped.collect();
    if !stopped.is_empty() {
        let (some, names) = (of_all(stopped.len()), list(&stopped, MOST_NAMES));
        parts.push(format!("{some} stopped answering: {names}"));
    }
    let silent = which(targets, |it| it.is_silent() && !it.has_answers());
    if !silent.is_empty() {
        let (some, names) = (of_all(silent.len()), names(&silent));
        parts.push(format!("{some} did not answer: {names}"));
    }
    let invalid = which(targets, |it| it.is_silent() && it.has_answers());
    if !invalid.is_empty() {
        let (some, names) = (of_all(invalid.len()), names(&invalid));
        parts.push(format!("{some} sent no valid reply in time: {names}"));
    }
    let unawaited = which(targets, |it| it.is_unknown() && it.is_unawaited());
    let unsent = which(targets, |it| it.is_unknown() && !it.is_unawaited());
    for (unknown, why) in [(unawaited.len(), UNAWAITED), (unsent.len(), UNSENT)] {
        if unknown > 0 {
            let (some, word) = (of_all(unknown), counts::UNKNOWN);
            parts.push(format!("{some} with {word} loss: {why}"));
        }
    }
    match which(targets, |it| !it.has_begun()).len() {
        0 => {}
        unbegun if unbegun == targets.len() => parts.push(format!("No packet was sent ({all})")),
        unbegun => parts.push(format!("no packet was sent ({})", of_all(unbegun))),
    }
    let open = which(targets, OfTarget::is_open).len();
    if open > 0 {
        parts.push(format!("{} without a reply yet", of_all(open)));
    }
    if parts.is_empty() {
        parts.push(format!("No loss: {all} answered every packet"));
    }
    let mut in_vain: BTreeMap<&str, usize> = BTreeMap::new();
    for what in targets.iter().flat_map(|it| it.in_vain().into_keys()) {
        *in_vain.entry(what).or_default() += 1;
    }
    for (what, some) in in_vain {
        parts.push(format!("{}: {what}", of_all(some)));
    }
    for (count, what) in [
        (unmeasured.targets.len(), "could not be measured"),
        (unmeasured.in_part.len(), "measured only in part"),
    ] {
        if count > 0 {
            let some = units::count(count as u64, "target", "targets");
            parts.push(format!("{some} {what}"));
        }
    }
    parts.join("; ")
}
