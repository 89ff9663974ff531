//! `twinpath sender`.

use std::borrow::Cow;

use twinpath_report::{Finding, SessionReport};

use super::measure::{self, Measurement};
use super::plain_run::PlainRun;
use super::subject::Subject;
use super::{remark, warn};
use crate::args::{FarEnd, OutputFormat, SenderArgs, doubt};
use crate::failure::{Exit, Failure};
use crate::output::ends::{self, named};
use crate::output::progress::ProgressLine;
use crate::output::{Reports, packets, units};
use crate::plan::{self, PlannedSessions};

pub(super) fn run(args: &SenderArgs) -> Result<Exit, Failure> {
    let keys = args.session.stamp.keys.read_files();
    measure::begin(&args.run, &[args.targets.read_files(), keys].concat())?;
    let mut planned = planned(args, &plan::system_lookup)?;
    let far = only_far_end(args);
    if far.is_none() || args.session.paths.is_some() {
        packets::labels_fit(&args.run.results, true)?;
        packets::keys_fit(&args.run.results, &planned.label_keys)?;
    }
    if far.is_some()
        && let [session] = planned.sessions.as_mut_slice()
        && args.run.results.form() == OutputFormat::Csv
    {
        // Its rows have no column to identify a second session.
        session.end = None;
    }
    let measurement = Measurement::open(&args.run)?;
    let all = planned.sessions.len();
    measurement.prepare(planned.all_mut(), all);
    let subject = subject(&planned, far.is_some());
    let start = || PlainRun::start(planned, args.targets.threads);
    measurement.run(&subject, start, |reports| match far {
        Some(far) => others_of_the_name(args, far, reports),
        None => None,
    })
}

/// What is measured, with remarks on it.
pub(super) fn planned(
    args: &SenderArgs,
    lookup: plan::Lookup<'_>,
) -> Result<PlannedSessions, Failure> {
    let mut looking_up = ProgressLine::on_stderr(args.run.log.quiet);
    let planned = plan::sessions(args, lookup, |done, all| {
        looking_up.show(&format!("{done} of {all} names looked up"));
    })?;
    drop(looking_up);
    if let Some(far) = only_far_end(args) {
        remark(&args.run.log, doubt(Some(&far.host), far.port));
    }
    if let Some(first) = planned.sessions.first() {
        let said = plan::unfilled(&args.session.packet, &first.plan);
        remark(&args.run.log, said);
        warn(args.run.log.quiet, plan::unsigned_control(&first.plan));
    }
    let plans = planned.all().map(|session| &session.plan);
    let said = plan::unused_threads(plans, args.targets.threads);
    remark(&args.run.log, said);
    Ok(planned)
}

/// The far end, where it is the only one.
pub(super) fn only_far_end(args: &SenderArgs) -> Option<&FarEnd> {
    let others = !args.targets.to.is_empty() || args.targets.targets.is_some();
    args.far.as_ref().filter(|_| !others)
}

/// What the run is about.
pub(super) fn subject(planned: &PlannedSessions, has_one_far_end: bool) -> Subject {
    let first = planned.sessions.first();
    let far = match first {
        Some(first) if has_one_far_end => named(first.plan.far),
        Some(_) | None => units::count(planned.targets() as u64, "target", "targets"),
    };
    let what = first.map_or_else(String::new, |first| ends::protocol(first.plan.wire));
    Subject {
        command: "sender",
        far,
        what,
        label_keys: planned.label_keys.clone(),
    }
}

/// Where nothing came back: the other addresses of the far end's name.
fn others_of_the_name(args: &SenderArgs, far: &FarEnd, reports: Reports<'_>) -> Option<Finding> {
    let silent = |session: Cow<'_, SessionReport>| {
        let tried = session.counters.sent > 0 || session.figures.not_sent > 0;
        tried && session.counters.received == 0
    };
    let first = reports.iter().next();
    let first = first.filter(|_| reports.iter().all(silent))?;
    let used = first.identity.reflector.ip();
    let others = plan::other_addresses(far, &args.session.ip, used, &plan::system_lookup);
    others.map(Finding::from)
}
