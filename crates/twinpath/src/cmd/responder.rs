//! `twinpath responder`.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, info};
use twinpath_proto::reflector::ReflectorTally;
use twinpath_runtime::responder;

use super::unwritten;
use crate::args::{Answers, ResponderArgs, Summary};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::{self, complain};
use crate::plan;
use crate::signals::Signals;

const GLANCE: Duration = Duration::from_millis(20);
/// A kind of ignored packet is logged this often at most.
const IGNORED: Duration = Duration::from_secs(1);

pub(super) fn run(args: &ResponderArgs) -> Result<Exit, Failure> {
    let usual = if args.verbose {
        Level::INFO
    } else {
        Level::WARN
    };
    logs::start(&args.log, usual)?;
    let plan = plan::responder(args, &plan::system_lookup)?;
    let signals = Signals::listen()?;
    let run = responder::start(&plan)?;
    if !args.log.quiet {
        let protocol = match args.protocol {
            Answers::Auto => "TWAMP Light and STAMP",
            Answers::Stamp => "STAMP",
            Answers::TwampLight => "TWAMP Light",
        };
        let state = if args.stateless {
            "stateless"
        } else {
            "stateful"
        };
        for address in run.listening() {
            complain(&format!("listening on {address} ({protocol}, {state})"));
            info!(%address, "listening");
        }
    }
    let mut before = ReflectorTally::default();
    let mut next_look = Instant::now() + IGNORED;
    while !signals.told_to_stop() && !run.is_finished() {
        thread::sleep(GLANCE);
        if Instant::now() >= next_look {
            let tally = run.tally();
            log_ignored(&before, &tally);
            before = tally;
            next_look += IGNORED;
        }
    }
    let report = run.join()?;
    info!(reflected = report.tally.reflected, "stopped");
    log_ignored(&before, &report.tally);
    let json = args.json || args.output == Summary::Json;
    let mut out = io::stdout().lock();
    let written = if json {
        output::responder::json(&report, &mut out)
    } else {
        output::responder::text(&report, &mut out)
    };
    written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done))
}

/// What was ignored since the last look, a line for each kind.
fn log_ignored(before: &ReflectorTally, now: &ReflectorTally) {
    for ((kind, count), (_, earlier)) in now.ignored_by_kind().zip(before.ignored_by_kind()) {
        let packets = count.saturating_sub(earlier);
        if packets > 0 {
            info!(kind, packets, "ignored");
        }
    }
}
