//! `twinpath sender`.

use std::io::{self, Stderr};
use std::thread;
use std::time::Instant;

use tracing::{Level, info};
use twinpath_runtime::SessionReport;
use twinpath_runtime::sender::{self, SenderRun};

use super::following::Following;
use super::measuring::{DRAIN, GLANCE, Outlet, PROGRESS, verdict, view};
use super::pictures::Pictures;
use super::{remark, unwritten};
use crate::args::{SenderArgs, doubt};
use crate::failure::{Exit, Failure};
use crate::live::{About, View};
use crate::logs;
use crate::output::ends::{self, named, named_in_notes};
use crate::output::progress::ProgressLine;
use crate::plan;
use crate::signals::Signals;

pub(super) fn run(args: &SenderArgs) -> Result<Exit, Failure> {
    logs::start(&args.log, Level::WARN)?;
    let plan = plan::sender(args, &plan::system_lookup)?;
    remark(&args.log, doubt(Some(&args.far.host), args.far.port));
    let pictures = Pictures::open(&args.pictures, &args.results.labels)?;
    let mut signals = Signals::listen()?.and_glances()?;
    let far = named(plan.far);
    let about = About {
        command: "sender",
        far: far.clone(),
        what: ends::protocol(plan.protocol),
        sessions: vec![None],
        interval: plan.schedule.usual_gap(),
        timeout: plan.timeout,
    };
    let run = sender::start(plan)?;
    info!(sender = %named(run.sender()), %far, "sending");
    let mut outlet = match Outlet::open(&args.results, &args.log, false) {
        Ok(outlet) => outlet,
        Err(error) => return unwritten(&error),
    };
    let view = view(&args.live, &args.results, &args.log, &about, &mut signals)?;
    let progress = match &view {
        Some(_) => ProgressLine::none(),
        None => outlet.progress(&args.results, &args.log),
    };
    let interval = args.results.report_interval.map(|time| time.0);
    let columns = view.as_ref().map(|_| View::COLUMNS);
    let books = vec![run.books(interval, columns.max(pictures.columns()))];
    let mut following = Following::new(books, Vec::new(), args.results.records()).shown_by(view);
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
            following.leave();
            return Ok(run.join().map_err(Failure::from));
        }
        if following.show(&|_| Some(run.progress())) || signals.told_to_stop() {
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
