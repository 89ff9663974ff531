//! `twinpath doctor`: what a far end speaks and does, and what is wrong with it.
//!
//! A check is a file in `checks`: what it asks of the far end, how it judges what came back, its advice; and a
//! line in [`CHECKS`]. Judging is pure. [`examine`] asks what the checks ask, as often as they ask more,
//! by a [`World`]: the network, or in tests a far end that errs in a defined way.

mod ask;
mod checks;
#[cfg(feature = "control")]
mod concurrent;
#[cfg(feature = "control")]
mod dialogue;
mod exchange;
#[cfg(test)]
mod fakes;
mod keyed;
mod ladder;
mod network;
mod packets;
mod patience;
mod seen;
pub(crate) mod stress;
pub(crate) mod strict;
mod train;
mod verdict;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::ends::with_zones;

pub(crate) use ask::{Answer, Ask};
pub(crate) use checks::CHECKS;
pub(crate) use exchange::{Exchange, RoundTrip};
pub(crate) use network::{LONGEST, Network};
pub(crate) use seen::{FarEndPlan, Keys, MOST_ADDRESSES, MOST_PLACES, Seen};
pub(crate) use verdict::{Firewall, Verdict, verdict};

/// Something that is found out about a far end.
pub(crate) trait Check: Sync {
    /// Its name in JSON, for good: `subject.aspect`.
    fn id(&self) -> &'static str;

    /// What it asks at most, by [`Ask::kind`]: packets, ICMP Echos and TCP connections. What several checks
    /// ask is asked once.
    fn costs(&self) -> Vec<Cost>;

    /// It may ask something of such a far end: it has the keys for it.
    fn is_able(&self, _: &FarEndPlan) -> bool {
        true
    }

    /// What it needs to know beyond `seen`. It is asked again with the answers, until it needs no more.
    fn asks(&self, seen: &Seen) -> Vec<Ask>;

    /// What `seen` says.
    fn judge(&self, seen: &Seen) -> Judged;
}

/// A kind of question, and its packets at most.
pub(crate) type Cost = (String, usize);

/// What these checks ask at most, all together.
pub(crate) fn costs(checks: &[&dyn Check]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for (kind, most) in checks.iter().flat_map(|check| check.costs()) {
        let known = all.entry(kind).or_insert(0);
        *known = most.max(*known);
    }
    all
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// As it must be.
    Ok,
    /// It works, and something about it can mislead or hinder.
    Warn,
    /// It does not work, or not as the standard demands.
    Fail,
    /// What came back does not tell.
    Unknown,
    /// There was no reason to ask, or no time.
    Skipped,
}

/// What a check says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Judged {
    pub(crate) status: Status,
    /// What was found, in one sentence without a full stop.
    pub(crate) finding: String,
    /// What to do about it, in one clause.
    pub(crate) advice: Option<String>,
    /// The same for programs.
    pub(crate) data: Map<String, Value>,
    /// For people, in place of it: findings with advice of their own.
    #[serde(skip)]
    pub(crate) rows: Vec<Judged>,
    /// Why it could not tell.
    #[serde(skip)]
    pub(crate) untold: Untold,
    /// It is about answers that came, whatever would have come after them.
    #[serde(skip)]
    is_of_answers: bool,
}

/// Why a check could not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Untold {
    /// What came back does not tell.
    #[default]
    Unclear,
    /// An examination of seconds cannot tell it of any far end like this.
    TooShort,
    /// The examination ended before.
    Cut,
}

impl Judged {
    pub(crate) fn new(status: Status, finding: impl Into<String>) -> Self {
        Self {
            status,
            finding: finding.into(),
            advice: None,
            data: Map::new(),
            rows: Vec::new(),
            untold: Untold::Unclear,
            is_of_answers: false,
        }
    }

    pub(crate) fn ok(finding: impl Into<String>) -> Self {
        Self::new(Status::Ok, finding)
    }

    pub(crate) fn warn(finding: impl Into<String>) -> Self {
        Self::new(Status::Warn, finding)
    }

    pub(crate) fn fail(finding: impl Into<String>) -> Self {
        Self::new(Status::Fail, finding)
    }

    pub(crate) fn unknown(finding: impl Into<String>) -> Self {
        Self::new(Status::Unknown, finding)
    }

    /// Not asked, because of this.
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::new(Status::Skipped, why)
    }

    /// The examination ended before it could be judged.
    pub(crate) fn not_made() -> Self {
        Self::skipped("not made: the examination ended early").because(Untold::Cut)
    }

    /// It stands although the examination ends before all answers came.
    pub(crate) fn of_answers(mut self) -> Self {
        self.is_of_answers = true;
        self
    }

    /// What it is worth where the dialogue that it is about was interrupted.
    fn interrupted(mut self) -> Self {
        let stands = self.status == Status::Ok || self.is_of_answers;
        if !stands || self.status == Status::Skipped {
            return Self::skipped("interrupted before it was known").because(Untold::Cut);
        }
        self.finding.push_str(" (interrupted)");
        self
    }

    pub(crate) fn because(mut self, untold: Untold) -> Self {
        self.untold = untold;
        self
    }

    /// Several of one status as one: each a row for people, all in one sentence for programs.
    pub(crate) fn of_rows(status: Status, mut rows: Vec<Self>) -> Self {
        if rows.len() == 1
            && let Some(only) = rows.pop()
        {
            return only;
        }
        let joined = |each: Vec<&str>| each.join("; ");
        let findings = rows.iter().map(|row| row.finding.as_str()).collect();
        let advice: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.advice.as_deref())
            .collect();
        Self {
            advice: (!advice.is_empty()).then(|| joined(advice)),
            ..Self::new(status, joined(findings))
        }
        .with_rows(rows)
    }

    fn with_rows(mut self, rows: Vec<Self>) -> Self {
        self.rows = rows;
        self
    }

    /// With zones by the names of their interfaces.
    fn with_zones(mut self) -> Self {
        self.finding = with_zones(&self.finding);
        self.advice = self.advice.as_deref().map(with_zones);
        self.rows = self.rows.into_iter().map(Self::with_zones).collect();
        self
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }
}

/// A check's name and what it says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Checked {
    pub(crate) id: &'static str,
    #[serde(flatten)]
    pub(crate) judged: Judged,
}

/// Where questions are answered.
pub(crate) trait World {
    /// Asks all at once; the answers in their order. Fewer answers, or one that was cut short: it was stopped.
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer>;
}

/// Finds out what the checks need, and judges.
pub(crate) fn examine(
    checks: &[&dyn Check],
    seen: &mut Seen,
    world: &mut dyn World,
) -> Vec<Checked> {
    let mut left = costs(checks);
    let mut is_stopped = false;
    while !is_stopped {
        let mut asks: Vec<Ask> = Vec::new();
        for ask in checks.iter().flat_map(|check| check.asks(seen)) {
            if seen.has(&ask) || asks.contains(&ask) {
                continue;
            }
            // What --dry-run says beforehand holds.
            if let Some(left) = left.get_mut(&ask.kind())
                && let Some(rest) = left.checked_sub(ask.packets())
            {
                *left = rest;
                asks.push(ask);
            }
        }
        if asks.is_empty() {
            break;
        }
        let answers = world.ask(&asks);
        is_stopped = answers.len() < asks.len() || !answers.iter().all(Answer::is_whole);
        for (ask, answer) in asks.into_iter().zip(answers) {
            seen.add(ask, answer);
        }
    }
    let judged = checks.iter().map(|check| {
        let mut judged = check.judge(seen);
        if is_stopped {
            judged = as_far_as_known(*check, seen, judged);
        }
        Checked {
            id: check.id(),
            judged: judged.with_zones(),
        }
    });
    judged.collect()
}

/// Of an examination that was stopped: what a check says, if it does not depend on what was not answered.
fn as_far_as_known(check: &dyn Check, seen: &Seen, judged: Judged) -> Judged {
    let asks = check.asks(seen);
    let is_interrupted = |ask: &Ask| !seen.has(ask) && seen.is_interrupted(ask);
    let is_known = |ask: &Ask| seen.has(ask) || seen.is_interrupted(ask);
    if !asks.iter().all(is_known) {
        return Judged::not_made();
    }
    if asks.iter().any(is_interrupted) {
        return judged.interrupted();
    }
    if judged.status == Status::Skipped && !(asks.is_empty() && seen.is_reach_known()) {
        // The reason may be no more than that an answer did not come.
        return Judged::not_made();
    }
    judged
}

#[cfg(test)]
mod tests;
