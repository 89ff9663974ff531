//! `twinpath controlclient`.

use std::io::{self, Write as _};
use std::thread;

use tracing::{Level, debug, info};
use twinpath_runtime::controlclient::{self, ControlClientRun};
use twinpath_runtime::controller::ControlEvent;

use super::reaching::reached;
use crate::args::{ControlClientArgs, doubt};
use crate::cmd::measure::POLL_EVERY;
use crate::cmd::output_files::distinct_files;
use crate::cmd::{remark, unwritten, warn};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::ends::named;
use crate::output::style::Style;
use crate::output::words;
use crate::output::{controlclient as output, print_to_stderr, stdout};
use crate::plan::{self, EnvironmentPassphrase};
use crate::signals::Signals;

pub(super) fn run(args: &ControlClientArgs, given: EnvironmentPassphrase) -> Result<Exit, Failure> {
    distinct_files(
        &args.log.written_files(),
        &args.control.key.file.read_files(),
    )?;
    logs::start(&args.log, Level::WARN)?;
    warn(args.log.quiet, given.unused_by_client(&args.control.key));
    let plans = plan::controlclients(args, given, &plan::system_lookup)?;
    for end in [&args.sender, &args.server] {
        remark(&args.log, doubt(Some(&end.host), end.port));
    }
    let signals = Signals::listen()?.with_hangups()?;
    let plan = reached(plans, |plan| &mut plan.control, &args.log, &signals)?;
    let run = controlclient::start(plan)?;
    let json = args.summary.is_json();
    while !run.is_finished() {
        if let Err(error) = print_events(&run, args, json) {
            return unwritten(&error);
        }
        if signals.stop_requested() {
            run.stop();
        }
        thread::sleep(POLL_EVERY);
    }
    if let Err(error) = print_events(&run, args, json) {
        return unwritten(&error);
    }
    let report = run.join()?;
    info!(sid = %report.session.sid, "stopped");
    let style = Style::of(&io::stdout());
    let mut out = stdout();
    let written = if json {
        output::json(&report, &mut out)
    } else {
        output::text(&report, style, &mut out)
    };
    match (written, report.cut_short) {
        (Err(error), _) => unwritten(&error),
        (Ok(()), None) => Ok(Exit::Done),
        (Ok(()), Some(error)) => {
            let server = named(report.server);
            let line = format!("the session ended early: {server} was gone ({error})");
            Err(Failure::could_not(line))
        }
    }
}

/// What happened since the last look. With a result for machines, lines for people go to stderr.
fn print_events(run: &ControlClientRun, args: &ControlClientArgs, json: bool) -> io::Result<()> {
    while let Some(event) = run.next_event() {
        let words = words::event::line(&event);
        debug!("{words}");
        let mut line = Vec::new();
        if let ControlEvent::Running { session, .. } = &event {
            output::running(session, &mut line)?;
        } else if args.verbose {
            writeln!(line, "{words}")?;
        }
        if !json {
            let mut out = stdout();
            out.write_all(&line)?;
            out.flush()?;
        } else if !line.is_empty() && !args.log.quiet {
            print_to_stderr(String::from_utf8_lossy(&line).trim_end());
        }
    }
    Ok(())
}
