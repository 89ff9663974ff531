//! `twinpath sender`.

use std::io::{self, Stderr};
use std::thread;
use std::time::Instant;

use tracing::{Level, info};
use twinpath_runtime::SessionReport;
use twinpath_runtime::sender::{self, SenderRun};

use super::following::Following;
use super::measuring::{DRAIN, GLANCE, Outlet, PROGRESS, verdict};
use super::pictures::Pictures;
use super::{remark, unwritten};
use crate::args::{SenderArgs, doubt};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::ends::{named, named_in_notes};
use crate::output::progress::ProgressLine;
use crate::plan;
use crate::signals::Signals;

pub(super) fn run(args: &SenderArgs) -> Result<Exit, Failure> {
    logs::start(&args.log, Level::WARN)?;
    let plan = plan::sender(args, &plan::system_lookup)?;
    remark(&args.log, doubt(Some(&args.far.host), args.far.port));
    let pictures = Pictures::open(&args.pictures, &args.results.labels)?;
    let signals = Signals::listen()?.and_glances()?;
    let far = named(plan.far);
    let run = sender::start(plan)?;
    info!(sender = %named(run.sender()), %far, "sending");
    let mut outlet = match Outlet::open(&args.results, &args.log, false) {
        Ok(outlet) => outlet,
        Err(error) => return unwritten(&error),
    };
    let progress = outlet.progress(&args.results, &args.log);
    let interval = args.results.report_interval.map(|time| time.0);
    let books = vec![run.books(interval, pictures.columns())];
    let mut following = Following::new(books, Vec::new(), args.results.records());
    let report = match watch(run, &mut outlet, &mut following, progress, &signals) {
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
    let mut reports = [report];
    if let Err(error) = following.finish(&mut reports, &mut outlet) {
        return unwritten(&error);
    }
    let drawn = pictures.draw(reports.as_slice().into());
    match outlet.report(reports.as_slice().into()) {
        Ok(()) => drawn.and_then(|()| verdict(&reports)),
        Err(error) => unwritten(&error),
    }
}

/// Follows a run to its end. The outer error is the output's: then the run is given up.
fn watch(
    mut run: SenderRun,
    outlet: &mut Outlet,
    following: &mut Following,
    mut progress: ProgressLine<Stderr>,
    signals: &Signals,
) -> io::Result<Result<SessionReport, Failure>> {
    let mut next_progress = Instant::now();
    loop {
        // Asked before the draining: what was written before the end is drained after it.
        let finished = run.is_finished();
        let mut drained = 0;
        while drained < DRAIN {
            let Some(record) = run.next_record() else {
                break;
            };
            following.record(0, &record, outlet)?;
            drained += 1;
        }
        if drained < DRAIN {
            following.look(outlet)?;
        }
        if signals.asked_how_far() {
            progress.erase();
            following.glance();
        }
        outlet.flush()?;
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
