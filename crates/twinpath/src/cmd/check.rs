//! `twinpath check`: a run of `sender` or `controller` whose result is a state.

use tracing::Level;

use super::deadline::Deadline;
use super::measure::Measurement;
use super::plain_run::PlainRun;
use super::sender;
use crate::args::{CheckArgs, CheckOptions, RunOptions};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::check::{Check, Verdict};
use crate::output::{Meta, stdout};
use crate::signals::Signals;

pub(super) fn run(
    args: CheckArgs,
    #[cfg(feature = "control")] given: crate::plan::EnvironmentPassphrase,
) -> Exit {
    let options = args.check.clone();
    if let Err(failure) = options.must_be_consistent() {
        return unchecked(&failure);
    }
    let deadline = match Deadline::begin(options.deadline.0, options.verbose) {
        Ok(deadline) => deadline,
        Err(failure) => return unchecked(&failure),
    };
    #[cfg(feature = "control")]
    let verdict = if args.is_controlled() {
        controlled(args, given, &deadline)
    } else {
        plain(args, &deadline)
    };
    #[cfg(not(feature = "control"))]
    let verdict = plain(args, &deadline);
    let verdict = verdict.unwrap_or_else(|failure| Verdict::without_measurement(&failure));
    deadline.say(&verdict)
}

/// The end of a check that could not begin: on stdout, as plug-ins do.
pub(crate) fn unchecked(failure: &Failure) -> Exit {
    let verdict = Verdict::without_measurement(failure);
    // The exit status says the state, whatever becomes of stdout.
    let _ = verdict.write(false, &mut stdout());
    Exit::Checked(verdict.state)
}

fn plain(args: CheckArgs, deadline: &Deadline) -> Result<Verdict, Failure> {
    let options = args.check.clone();
    let args = args.into_sender();
    begin(&args.run)?;
    deadline.doing("looking up targets");
    let mut planned = sender::planned(&args, &|name, port| deadline.lookup(name, port))?;
    deadline.fit(planned.all())?;
    let subject = sender::subject(&planned, sender::only_far_end(&args).is_some());
    judged(&options, &args.run, deadline, |measurement| {
        let all = planned.sessions.len();
        measurement.prepare(planned.all_mut(), all);
        let start = || PlainRun::start(planned, args.targets.threads);
        measurement.run(&subject, start, |_| None)
    })
}

#[cfg(feature = "control")]
fn controlled(
    args: CheckArgs,
    given: crate::plan::EnvironmentPassphrase,
    deadline: &Deadline,
) -> Result<Verdict, Failure> {
    let options = args.check.clone();
    let args = args.into_controller()?;
    begin(&args.run)?;
    deadline.doing("looking up the server");
    let plans = super::control::planned(&args, given, &|name, port| deadline.lookup(name, port))?;
    deadline.fit(plans.iter().flat_map(|plan| &plan.sessions))?;
    judged(&options, &args.run, deadline, |measurement| {
        let ended = super::control::measured(&args, plans, measurement);
        ended.map_err(|failure| deadline.blamed(failure))
    })
}

fn begin(run: &RunOptions) -> Result<(), Failure> {
    // Icinga 2 takes what is on stderr for output too, so it is empty or comes last.
    if !run.log.debug {
        logs::hold();
    }
    if run.log.quiet {
        return Ok(());
    }
    logs::start(&run.log, Level::WARN)
}

/// What the reports of a measurement come to; its own exit status says less.
fn judged(
    options: &CheckOptions,
    run: &RunOptions,
    deadline: &Deadline,
    measure: impl FnOnce(Measurement<'_>) -> Result<Exit, Failure>,
) -> Result<Verdict, Failure> {
    let meta = Meta {
        requested: run.results.figures.requested(),
        ..Meta::default()
    };
    let (sink, verdict) = Check::new(options, meta, deadline.is_late());
    let signals = Signals::by_flag(deadline.is_late());
    deadline.doing("measuring");
    let ended = measure(Measurement::into_sink(run, Box::new(sink), signals));
    match (verdict.take(), ended) {
        (Some(verdict), _) => Ok(verdict),
        (None, Err(failure)) => Err(failure),
        (None, Ok(_)) => Err(Failure::could_not("nothing was measured")),
    }
}
