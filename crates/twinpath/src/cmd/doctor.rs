//! `twinpath doctor`.

use std::io;
use std::time::Instant;

use tracing::Level;

use super::unwritten;
use crate::args::{DoctorArgs, doubt};
use crate::doctor::stress::{self, Stress};
use crate::doctor::strict::{self, Conformance};
use crate::doctor::{CHECKS, Network, Seen, examine, verdict};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::style::Style;
use crate::output::{doctor, print_to_stderr, stdout};
use crate::plan;
use crate::signals::Signals;

pub(super) fn run(
    args: &DoctorArgs,
    #[cfg(feature = "control")] given: plan::EnvironmentPassphrase,
) -> Result<Exit, Failure> {
    logs::start(&args.log, Level::WARN)?;
    #[cfg(feature = "control")]
    super::warn(args.log.quiet, given.unused_by_client(&args.key()));
    super::remark(&args.log, doubt(Some(&args.far.host), args.far.port));
    let signals = Signals::listen()?.with_hangups()?;
    let mut out = stdout();
    let far = plan::doctor(
        args,
        #[cfg(feature = "control")]
        given,
        &plan::system_lookup,
    );
    let far = match far {
        Err(failure) if args.json && !args.dry_run && failure.exit == Exit::CouldNot => {
            return doctor::json_without_address(&args.far.to_string(), CHECKS, &failure, &mut out)
                .map_or_else(|error| unwritten(&error), |()| Err(failure));
        }
        far => far?,
    };
    if args.dry_run {
        let stress = args.stress.map(Stress::up_to);
        let strict = args.strict.then_some(strict::PARTS);
        let written = doctor::dry_run(CHECKS, &far, stress, strict, args.json, &mut out);
        return written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done));
    }
    let mut seen = Seen::new(far);
    let stopped = || signals.stop_requested();
    let begun = Instant::now();
    let keys = seen.plan.keys.clone();
    let mut network = Network::new(&stopped, &keys);
    if let Some(top_pps) = args.stress
        && !args.log.quiet
    {
        print_to_stderr(&doctor::announced(Stress::up_to(top_pps)));
    }
    let mut checks = examine(CHECKS, &mut seen, &mut network);
    checks.push(stress::run(args.stress, &seen, &mut network));
    let mut verdict = verdict(&seen, &checks);
    let took = begun.elapsed();
    let conformance = args.strict.then(|| {
        let mut link = strict::NetworkLink { stopped: &stopped };
        Conformance::of(&seen, &mut link)
    });
    let strict = conformance.as_ref();
    if let Some(summary) = strict.and_then(Conformance::summary) {
        verdict.sentence = format!("{}; {summary}", verdict.sentence);
    }
    let written = if args.json {
        doctor::json(&seen, &checks, strict, &verdict, took, &mut out)
    } else {
        let shown = doctor::Shown {
            strict,
            all_trials: args.verbose,
            style: Style::of(&io::stdout()),
        };
        doctor::text(&checks, &verdict, shown, &mut out)
    };
    let exit = match strict {
        Some(strict) if strict.has_failed() => Exit::AllLost,
        Some(_) | None => verdict.exit,
    };
    written.map_or_else(|error| unwritten(&error), |()| Ok(exit))
}
