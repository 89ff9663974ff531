//! `twinpath sender`.

use std::io::{self, BufWriter, IsTerminal as _, Stderr, StdoutLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, info};
use twinpath_runtime::SessionReport;
use twinpath_runtime::sender::{self, SenderRun};

use super::{remark, unwritten};
use crate::args::{Output, SenderArgs, doubt};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::ends::{named, named_in_notes};
use crate::output::json::Json;
use crate::output::packets::{Csv, JsonLines};
use crate::output::progress::ProgressLine;
use crate::output::style::Style;
use crate::output::text::{self, Text};
use crate::output::{Meta, Sink, lines};
use crate::plan;
use crate::signals::Signals;

/// How often the run is looked at: samples drained, signals seen.
const GLANCE: Duration = Duration::from_millis(20);
/// How often the progress line changes.
const PROGRESS: Duration = Duration::from_millis(200);
/// Samples drained in one go before signals are looked at again.
const DRAIN: usize = 4_096;

pub(super) fn run(args: &SenderArgs) -> Result<Exit, Failure> {
    logs::start(&args.log, Level::WARN)?;
    let plan = plan::sender(args, &plan::system_lookup)?;
    remark(&args.log, doubt(Some(&args.far.host), args.far.port));
    let output = if args.json { Output::Json } else { args.output };
    let machine = output != Output::Text;
    let signals = Signals::listen()?;
    let far = named(plan.far);
    let run = sender::start(plan)?;
    info!(sender = %named(run.sender()), %far, "sending");
    let mut sink = match sink(output, args) {
        Ok(sink) => sink,
        Err(error) => return unwritten(&error),
    };
    // Lines for people keep away from results for machines.
    let aside = (args.verbose && machine).then(io::stderr);
    let records = args.verbose || matches!(output, Output::Jsonl | Output::Csv);
    let busy = args.log.quiet
        || aside.is_some()
        || (records && io::stdout().is_terminal())
        || (args.log.debug && args.log.logfile.is_none());
    let progress = ProgressLine::on_stderr(busy);
    let report = match watch(run, sink.as_mut(), aside, progress, &signals) {
        Ok(report) => report.map(named_in_notes)?,
        Err(error) => return unwritten(&error),
    };
    let tally = &report.tally;
    info!(
        sent = tally.sent,
        received = tally.received,
        lost = tally.lost,
        "finished"
    );
    let exit = verdict(&report);
    if machine && !args.log.quiet {
        let mut stderr = io::stderr();
        // Where stderr is closed, the document has them too.
        let _ = text::warnings(&report.notes, Style::of(&stderr), &mut stderr);
    }
    match sink.report(&[report]) {
        Ok(()) => exit,
        Err(error) => unwritten(&error),
    }
}

fn sink(output: Output, args: &SenderArgs) -> io::Result<Box<dyn Sink>> {
    let meta = Meta::here(&args.labels);
    let stdout = io::stdout();
    let style = Style::of(&stdout);
    let out: BufWriter<StdoutLock<'static>> = BufWriter::new(stdout.lock());
    Ok(match output {
        Output::Text => Box::new(Text::new(out, meta, style, args.verbose)),
        Output::Json => Box::new(Json::new(out, meta)),
        Output::Jsonl => Box::new(JsonLines::new(out, meta)),
        Output::Csv => Box::new(Csv::new(out, meta)?),
    })
}

/// Follows a run to its end. The outer error is the output's: then the run is given up.
fn watch(
    mut run: SenderRun,
    sink: &mut dyn Sink,
    mut aside: Option<Stderr>,
    mut progress: ProgressLine<Stderr>,
    signals: &Signals,
) -> io::Result<Result<SessionReport, Failure>> {
    let mut next_progress = Instant::now();
    loop {
        // Asked before the draining: what was written before the end is drained after it.
        let finished = run.is_finished();
        let mut drained = 0;
        while drained < DRAIN {
            let Some(sample) = run.next_sample() else {
                break;
            };
            sink.sample(&sample)?;
            if let Some(aside) = &mut aside {
                lines::write(&sample, aside)?;
            }
            drained += 1;
        }
        if drained > 0 {
            sink.flush()?;
        }
        if finished && drained < DRAIN {
            progress.erase();
            return Ok(run.join().map_err(Failure::from));
        }
        if signals.told_to_stop() {
            run.stop();
        }
        let now = Instant::now();
        if now >= next_progress {
            progress.show(&run.progress());
            next_progress = now + PROGRESS;
        }
        if drained < DRAIN {
            thread::sleep(GLANCE);
        }
    }
}

/// The exit status of a run with a report.
fn verdict(report: &SessionReport) -> Result<Exit, Failure> {
    match (report.tally.sent, report.tally.received) {
        (0, _) => Err(Failure::could_not(
            "stopped before the fate of any packet was known",
        )),
        (_, 0) => Ok(Exit::AllLost),
        _ => Ok(Exit::Done),
    }
}
