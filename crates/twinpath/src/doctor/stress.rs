//! The rate at which a far end begins to drop packets or to answer late (`--stress`).
//!
//! Steps of two seconds: the rate doubles up to the highest, until a step has losses or late answers twice. A rate
//! limit has a reserve for bursts, and the failed step has spent it: what it answered is about what the far end
//! sustains. So that rate is tried next, for longer and twice, lower ones where it fails, and some between, each after
//! a step that has spent the reserve. What this host did not send says nothing of the far end.

pub(super) mod target;
mod untold;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use twinpath_runtime::probe::{Load, LoadSeen};

use super::{Answer, Checked, Judged, Seen, World};
use crate::output::units;
use target::{CONNECTIONS_LONGEST, Target};
use untold::{no_load, own_limit, unfinished};

/// The name of its check.
pub(crate) const ID: &str = "limits.rate";
/// The first step has no higher rate.
const FIRST_PPS: u32 = 200;
/// How long packets of a step leave, in seconds: before a rate has failed, and after.
const STEP_S: u32 = 2;
const LATER_STEP_S: u32 = 4;
/// Steps between the last rate without and the first with losses.
const CLOSER: usize = 2;
/// Second tries while the rate doubles, and steps after a rate has failed, at most.
const SECOND_TRIES: usize = 2;
const LATER_STEPS: usize = 10;
/// A step with a greater share of losses has too many, in percent.
const LOSS_PERCENT: u64 = 1;
/// Of what a failed step had answered, in percent, what is tried next.
const SUSTAINED_PERCENT: u64 = 95;
/// Of the rate that failed, in percent: what is tried where more than that was answered.
const TOLD_PERCENT: u64 = 90;
const LOWER_PERCENT: u64 = 75;
/// A share of packets, one of so many, by which a second step shows the end of a reserve.
const MORE_OF: u64 = 400;
/// Of the rate, in percent, at which this host must send at least.
const OWN_PERCENT: u32 = 90;
/// Answers are late that take so many times as long as at the first rate, and longer by so much.
const LATE_TIMES: i64 = 4;
const LATE_NS: i64 = 5_000_000;

/// Steps up to a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stress {
    /// Packets a second.
    pub(crate) top_pps: u32,
    /// How long replies are waited for after each step.
    pub(crate) patience: Duration,
}

/// A step and what came of it.
#[derive(Clone, Debug)]
struct Step {
    rate_pps: u32,
    /// How long its packets left, in seconds.
    long_s: u32,
    seen: LoadSeen,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    /// Packets were not answered.
    Drops,
    /// Answers took much longer than at the first rate, or came after the timeout.
    Late,
    /// This host did not send at that rate, or dropped replies.
    Own,
}

/// What the steps so far have shown.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Rates that were answered; `true`: after another had failed.
    answered: BTreeMap<u32, bool>,
    /// The lowest rate that was not, and why.
    failed: Option<(u32, FailedBy)>,
    /// To be tried again.
    again_pps: Option<u32>,
    second_tries: usize,
    later_steps: usize,
    /// Rates tried between the two.
    closer: usize,
    /// The last step may have left the far end a reserve for bursts.
    has_reserve: bool,
}

/// Why a rate failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailedBy {
    Drops,
    Late,
    Own,
}

impl Stress {
    /// Up to this rate, before anything is known of the far end.
    pub(crate) fn up_to(top_pps: u32) -> Self {
        Self {
            top_pps,
            patience: Duration::from_secs(1),
        }
    }

    /// Packets at most.
    pub(crate) fn most_packets(self) -> u64 {
        let all = self.most_steps();
        all.map(|(rate, long_s)| u64::from(packets(rate, long_s)))
            .sum()
    }

    /// How long all of it takes at most.
    pub(crate) fn longest(self) -> Duration {
        let all = self.most_steps();
        let steps: Duration = all
            .map(|(_, long_s)| Duration::from_secs(long_s.into()) + self.patience)
            .sum();
        steps + CONNECTIONS_LONGEST
    }

    /// Control connections at most: one for each step in a session of a server.
    pub(crate) fn most_connections(self) -> usize {
        if cfg!(feature = "control") {
            self.most_steps().count()
        } else {
            0
        }
    }

    /// Rates and seconds of all steps, if there are as many as there can be.
    fn most_steps(self) -> impl Iterator<Item = (u32, u32)> {
        let again = std::iter::repeat_n((self.top_pps, STEP_S), SECOND_TRIES);
        let later = std::iter::repeat_n((self.top_pps, LATER_STEP_S), LATER_STEPS);
        let doubling = self.doubling().map(|rate| (rate, STEP_S));
        doubling.chain(again).chain(later)
    }

    /// Rates that double up to the highest.
    fn doubling(self) -> impl Iterator<Item = u32> {
        let top_pps = self.top_pps.max(1);
        let halvings = (0..u32::BITS).find(|halvings| top_pps >> halvings <= FIRST_PPS);
        let halvings = (0..=halvings.unwrap_or(0)).rev();
        halvings.map(move |halvings| top_pps.div_ceil(1 << halvings))
    }

    /// The rate of the next step; `None`: there is no more to find out.
    fn next(self, steps: &[Step]) -> Option<u32> {
        let Some(last) = steps.last() else {
            return self.doubling().next();
        };
        let known = Known::of(steps);
        let Some((failed, _)) = known.failed else {
            return known
                .again_pps
                .or_else(|| self.doubling().find(|rate| *rate > last.rate_pps));
        };
        if known.later_steps >= LATER_STEPS {
            return None;
        }
        if known.again_pps.is_some() {
            return known.again_pps;
        }
        match known.answered() {
            Some((answered, true)) => {
                let between = answered + (failed - answered) / 2;
                let goes_on = known.closer < CLOSER && between > answered;
                if !goes_on {
                    return None;
                }
                // The highest rate spends a reserve soonest.
                let highest = steps.iter().map(|step| step.rate_pps).max();
                highest.filter(|_| known.has_reserve).or(Some(between))
            }
            Some((answered, false)) => {
                let sustained = failed_at(steps, failed).and_then(sustained);
                Some(sustained.unwrap_or(answered).max(answered))
            }
            None => {
                let sustained = failed_at(steps, failed).and_then(sustained);
                let lower = u64::from(failed) * LOWER_PERCENT / 100;
                sustained
                    .or(u32::try_from(lower).ok())
                    .filter(|rate| *rate > 0)
            }
        }
    }
}

/// Seconds of the step after these.
fn next_step_s(steps: &[Step]) -> u32 {
    if Known::of(steps).failed.is_some() {
        LATER_STEP_S
    } else {
        STEP_S
    }
}

/// What the far end may answer for longer, by what it answered of a step with drops; `None`: that does not tell.
fn sustained(failed: &Step) -> Option<u32> {
    let answered_pps = failed.seen.answered / u64::from(failed.long_s.max(1));
    let tried_pps = answered_pps * SUSTAINED_PERCENT / 100;
    let most_pps = u64::from(failed.rate_pps) * TOLD_PERCENT / 100;
    let is_told = dropped(&failed.seen) > 0 && tried_pps > 0 && tried_pps <= most_pps;
    u32::try_from(tried_pps).ok().filter(|_| is_told)
}

impl Known {
    fn of(steps: &[Step]) -> Self {
        let mut known = Self::default();
        let mut previous: Option<&Step> = None;
        for step in steps {
            let before = previous.replace(step);
            let rate = step.rate_pps;
            let is_again = known.again_pps.take() == Some(rate);
            let is_later = known.failed.is_some();
            known.later_steps += usize::from(is_later);
            if known.failed.is_some_and(|(failed, _)| rate >= failed) {
                known.has_reserve = false;
                continue;
            }
            let is_between = known
                .answered()
                .is_some_and(|(answered, is_later)| is_later && rate > answered);
            known.closer += usize::from(is_between && !is_again);
            let failed_by = match outcome(step, steps.first()) {
                // It may have come out of what is left of the reserve.
                Outcome::Answered if is_later && !is_again => {
                    known.again_pps = Some(rate);
                    continue;
                }
                Outcome::Answered
                    if is_later && before.is_some_and(|before| runs_out(before, step)) =>
                {
                    FailedBy::Drops
                }
                Outcome::Answered => {
                    known.answered.insert(rate, is_later);
                    known.has_reserve = matches!(known.failed, Some((_, FailedBy::Drops)));
                    continue;
                }
                Outcome::Drops => FailedBy::Drops,
                Outcome::Late => FailedBy::Late,
                Outcome::Own => FailedBy::Own,
            };
            known.has_reserve = false;
            if is_again || known.second_tries == SECOND_TRIES && !is_later {
                known.failed = Some((rate, failed_by));
                known.answered.retain(|answered, _| *answered < rate);
            } else {
                known.second_tries += usize::from(!is_later);
                known.again_pps = Some(rate);
            }
        }
        known
    }

    /// The highest rate that was answered, and whether it was after another had failed.
    fn answered(&self) -> Option<(u32, bool)> {
        let (rate, is_later) = self.answered.last_key_value()?;
        Some((*rate, *is_later))
    }
}

/// The check where it is not made.
pub(crate) fn skipped(why: &str) -> Checked {
    let judged = Judged::skipped(why);
    Checked { id: ID, judged }
}

/// Finds the rate, by steps up to `top_pps`; `None`: it was not asked for.
pub(crate) fn run(top_pps: Option<u32>, seen: &Seen, world: &mut dyn World) -> Checked {
    let checked = |judged| Checked { id: ID, judged };
    let Some(top_pps) = top_pps else {
        return skipped("only with --stress");
    };
    let Some(target) = Target::of(seen) else {
        return checked(no_load(seen));
    };
    let stress = Stress {
        top_pps,
        patience: Duration::from_millis(seen.patience_ms().into()),
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut error = None;
    while let Some(rate_pps) = stress.next(&steps) {
        let long_s = next_step_s(&steps);
        let load = Load {
            rate_pps,
            packets: packets(rate_pps, long_s),
            timeout: stress.patience,
        };
        match world.ask(&[target.ask(load)]).pop() {
            Some(Answer::Load(Ok(seen))) => steps.push(Step {
                rate_pps,
                long_s,
                seen,
            }),
            Some(Answer::Load(Err(why))) => {
                error = Some(why);
                break;
            }
            _ => break,
        }
    }
    let mut judged = judge(stress, &steps, error);
    if target.is_session() {
        judged.finding = format!("in a session {}", judged.finding);
    }
    checked(judged.with("in_session", target.is_session()))
}

fn judge(stress: Stress, steps: &[Step], error: Option<String>) -> Judged {
    let Some(last) = steps.last() else {
        return unfinished(error, "");
    };
    let known = Known::of(steps);
    let is_complete = stress.next(steps).is_none();
    let answered = known.answered().and_then(|(rate, _)| last_at(steps, rate));
    let answered = answered.map(|step| {
        format!(
            "the far end answers {}/s for {} s{}",
            achieved(step),
            step.long_s,
            lossless(step)
        )
    });
    let judged = match (answered, known.failed) {
        (answered, _) if !is_complete => unfinished(
            error,
            &answered.map_or_else(String::new, |so_far| format!("; so far {so_far}")),
        ),
        (Some(answered), None) => Judged::ok(answered),
        (answered, Some((rate, FailedBy::Own))) => {
            let so_far = answered.map_or_else(String::new, |answered| format!("{answered}; "));
            Judged::unknown(format!(
                "{so_far}this host {} at {rate}/s, so the far end is not known there",
                own_limit(failed_at(steps, rate).unwrap_or(last))
            ))
            .advise("measure from a host with less to do, or with a lower rate")
        }
        (Some(answered), Some((rate, failed_by))) => {
            let begins = match failed_by {
                FailedBy::Drops => "drops",
                FailedBy::Late | FailedBy::Own => "answers late",
            };
            let how = how(stress, failed_at(steps, rate).unwrap_or(last), failed_by);
            let most = known.answered().map_or(0, |(rate, _)| rate);
            Judged::warn(format!("{answered}; {begins} from {rate}/s ({how})")).advise(format!(
                "send at most {most} packets a second, of all senders together"
            ))
        }
        (None, Some((rate, failed_by))) => Judged::unknown(format!(
            "{} at {rate}/s still: no rate without was found",
            how(stress, failed_at(steps, rate).unwrap_or(last), failed_by)
        )),
        (None, None) => Judged::unknown("no rate was answered"),
    };
    let each: Vec<_> = steps
        .iter()
        .map(|step| {
            json!({
                "rate_pps": step.rate_pps,
                "seconds": step.long_s,
                "achieved_pps": step.seen.achieved_pps,
                "sent": step.seen.sent,
                "answered": step.seen.answered,
                "lost": step.seen.lost,
                "late": step.seen.late,
                "lost_forward": step.seen.lost_by_direction.map(|(forward, _)| forward),
                "lost_backward": step.seen.lost_by_direction.map(|(_, backward)| backward),
                "median_ns": step.seen.answer_ns,
                "outcome": outcome(step, steps.first()).name(),
            })
        })
        .collect();
    judged
        .with("answered_pps", known.answered().map(|(rate, _)| rate))
        .with("failed_pps", known.failed.map(|(rate, _)| rate))
        .with("steps", each)
}

/// Packets whose reply never came: one after the timeout is late.
fn dropped(seen: &LoadSeen) -> u64 {
    seen.lost.saturating_sub(seen.late)
}

/// At which rate packets of a step left, as far as it shows.
fn achieved(step: &Step) -> String {
    match step.seen.achieved_pps {
        Some(achieved) if achieved < 0.99 * f64::from(step.rate_pps) => units::rate(achieved),
        _ => step.rate_pps.to_string(),
    }
}

/// How much was lost at a rate that was answered.
fn lossless(step: &Step) -> String {
    let share = |packets| units::percent(packets, step.seen.sent);
    match (dropped(&step.seen), step.seen.late) {
        (0, 0) => " without loss".to_owned(),
        (0, late) => format!(" ({} late)", share(late)),
        (lost, 0) => format!(" ({} lost)", share(lost)),
        (lost, late) => format!(" ({} lost, {} late)", share(lost), share(late)),
    }
}

/// What a failed step shows.
fn how(stress: Stress, step: &Step, failed_by: FailedBy) -> String {
    let seen = &step.seen;
    match failed_by {
        FailedBy::Drops => format!("{} lost", units::percent(dropped(seen), seen.sent)),
        FailedBy::Late if seen.late * 100 > seen.sent * LOSS_PERCENT => format!(
            "{} answered after more than {}",
            units::percent(seen.late, seen.sent),
            units::took(stress.patience)
        ),
        FailedBy::Late | FailedBy::Own => format!(
            "{} to answer (median)",
            units::delay(seen.answer_ns.unwrap_or(0))
        ),
    }
}

fn last_at(steps: &[Step], rate_pps: u32) -> Option<&Step> {
    steps.iter().rfind(|step| step.rate_pps == rate_pps)
}

/// The step by which a rate is known to fail.
fn failed_at(steps: &[Step], rate_pps: u32) -> Option<&Step> {
    let failed = steps.iter().rfind(|step| {
        step.rate_pps == rate_pps && outcome(step, steps.first()) != Outcome::Answered
    });
    failed.or_else(|| last_at(steps, rate_pps))
}

/// Of two steps of a rate, the second loses more: the first was answered out of the reserve.
fn runs_out(first: &Step, second: &Step) -> bool {
    let more = dropped(&second.seen).saturating_sub(dropped(&first.seen));
    first.rate_pps == second.rate_pps && more * MORE_OF > second.seen.sent
}

fn packets(rate_pps: u32, long_s: u32) -> u32 {
    rate_pps.saturating_mul(long_s)
}

fn outcome(step: &Step, first: Option<&Step>) -> Outcome {
    let seen = &step.seen;
    if seen.dropped_here > 0 {
        return Outcome::Own;
    }
    let least_pps = f64::from(step.rate_pps) * f64::from(OWN_PERCENT) / 100.0;
    let is_slow = seen.achieved_pps.is_some_and(|pps| pps < least_pps);
    if seen.not_sent > 0 || is_slow || seen.sent == 0 {
        return Outcome::Own;
    }
    let are_many = |packets: u64| packets * 100 > seen.sent * LOSS_PERCENT;
    if are_many(dropped(seen)) {
        return Outcome::Drops;
    }
    if are_many(seen.late) {
        return Outcome::Late;
    }
    let usual_ns = first.and_then(|first| first.seen.answer_ns);
    match (seen.answer_ns, usual_ns) {
        (Some(now), Some(usual))
            if now > usual.saturating_mul(LATE_TIMES) && now - usual > LATE_NS =>
        {
            Outcome::Late
        }
        _ => Outcome::Answered,
    }
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Drops => "drops",
            Self::Late => "late",
            Self::Own => "own-limit",
        }
    }
}

#[cfg(test)]
mod tests;
