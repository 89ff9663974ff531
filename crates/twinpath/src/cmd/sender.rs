//! `twinpath sender`.

use std::io::{self, Stderr};
use std::thread;
use std::time::Instant;

use tracing::{Level, info};
use twinpath_runtime::sender::{self, ClassesReport, ClassesRun};
use twinpath_runtime::{Note, RunError, SenderPlan, SessionReport, is_one_host};
use twinpath_wire::control::SecurityMode;
use twinpath_wire::{Dscp, Tos};

use super::following::{Following, now};
use super::measuring::{GLANCE, Outlet, PROGRESS, class_names, conclude, together, verdict, view};
use super::pictures::Pictures;
use super::places::apart;
use super::saving::{Beginning, Place};
use super::{remark, unwritten};
use crate::args::{SenderArgs, doubt};
use crate::failure::{Exit, Failure};
use crate::live::{About, View};
use crate::logs;
use crate::output::ends::{self, named};
use crate::output::progress::ProgressLine;
use crate::output::{Meta, Outcome};
use crate::plan;
use crate::signals::Signals;

pub(super) fn run(args: &SenderArgs) -> Result<Exit, Failure> {
    let written = [args.saving.places(), args.pictures.places()].concat();
    let written: Vec<_> = written.into_iter().chain(args.log.places()).collect();
    apart(&written, &[])?;
    logs::start(&args.log, Level::WARN)?;
    let plan = plan::sender(args, &plan::system_lookup)?;
    remark(&args.log, doubt(Some(&args.far.host), args.far.port));
    let pictures = Pictures::open(&args.pictures, &args.results.labels)?;
    let place = Place::open(&args.saving, &args.log)?;
    let mut signals = Signals::listen()?.and_hangups()?.and_glances()?;
    let far = named(plan.far);
    let classes = plan::classes(args.marking.tos, &args.marking.dscp, args.ports)?;
    let names = class_names(&classes);
    let mut about = About {
        command: "sender",
        far: far.clone(),
        what: ends::protocol(plan.protocol),
        sessions: vec![None],
        interval: plan.schedule.usual_gap(),
        timeout: plan.timeout,
        one_host: false,
    };
    if !names.is_empty() {
        about.sessions = names.iter().cloned().map(Some).collect();
    }
    let run = sender::start_classes(&plan, &classes)?;
    for sender in run.senders() {
        about.one_host = is_one_host(sender.ip(), plan.far.ip());
        info!(sender = %named(sender), %far, "sending");
    }
    let sessions = classes.len();
    let files = place.is_some() || pictures.columns().is_some();
    let mut outlet = match Outlet::open(&args.results, &args.log, sessions > 1) {
        Ok(outlet) => outlet.beside(files),
        Err(error) => return unwritten(&error),
    };
    let view = view(&args.live, &args.results, &args.log, &about, &mut signals)?;
    let progress = match &view {
        Some(_) => ProgressLine::none(),
        None => outlet.progress(&args.results, &args.log),
    };
    let interval = args.results.report_interval.map(|time| time.0);
    let saving = place.map(|place| {
        let meta = Meta::here(&args.results.labels);
        place.begin(&meta, now(), &beginnings(&plan, &classes, &run))
    });
    let columns = view.as_ref().map(|_| View::COLUMNS);
    let mut following = Following::new(
        (0..sessions)
            .filter_map(|session| run.books(session, interval, columns.max(pictures.columns())))
            .collect(),
        names,
        args.results.records(),
    )
    .saved(saving)
    .shown_by(view)
    .waits_for(plan.timeout, args.log.quiet);
    let report = match watch(
        run,
        sessions,
        &mut outlet,
        &mut following,
        progress,
        &signals,
    ) {
        Ok(report) => report?,
        Err(error) => return unwritten(&error),
    };
    let mut reports: Vec<SessionReport> = report.sessions;
    ends::name_zones(reports.iter_mut().flat_map(|session| &mut session.notes));
    name_others(args, &plan, &mut reports);
    for session in &reports {
        let tally = &session.tally;
        info!(
            sent = tally.sent,
            received = tally.received,
            lost = tally.lost,
            dscp = %session.tos.dscp(),
            "finished"
        );
    }
    let saved = following.saving();
    let saved = saved.and_then(|saving| saving.finish(reports.as_slice().into()));
    let mut written: Vec<_> = saved.into_iter().chain(logs::written()).collect();
    if let Err(error) = following.finish(&mut reports, &mut outlet) {
        return unwritten(&error);
    }
    let outcome = Outcome::from(reports.as_slice());
    let drawn = pictures.draw(outcome.with_written(&written));
    written.extend(drawn);
    let printed = outlet.report(outcome.with_written(&written));
    conclude(&written, printed, || {
        failed(&report.failures, sessions).map_or_else(|| verdict(&reports), Err)
    })
}

/// Where nothing came back, what else the far end's name stands for.
fn name_others(args: &SenderArgs, plan: &SenderPlan, reports: &mut [SessionReport]) {
    let silent = |session: &SessionReport| {
        let tried = session.tally.sent > 0 || session.figures.not_sent > 0;
        tried && session.tally.received == 0
    };
    if !reports.iter().all(silent) {
        return;
    }
    let used = plan.far.ip();
    let others = plan::other_addresses(&args.far, &args.ip, used, &plan::system_lookup);
    for session in reports {
        session.notes.extend(others.clone().map(|line| Note {
            key: "other-addresses",
            line,
            warning: true,
        }));
    }
}

/// The sessions before their first packets.
fn beginnings<'a>(
    plan: &'a SenderPlan,
    classes: &[Tos],
    run: &'a ClassesRun,
) -> Vec<Beginning<'a>> {
    (0..)
        .zip(run.senders().zip(classes))
        .filter_map(|(session, (sender, tos))| {
            Some(Beginning {
                protocol: plan.protocol,
                mode: SecurityMode::Unauthenticated,
                sender,
                reflector: plan.far,
                tos: *tos,
                plan,
                books: run.books_facts(session)?,
            })
        })
        .collect()
}

/// Why a run with a report is not what was asked for: some classes could not be measured.
fn failed(failures: &[(Dscp, RunError)], sessions: usize) -> Option<Failure> {
    let (dscp, error) = failures.first()?;
    let some = failures.len();
    Some(Failure::could_not(format!(
        "{some} of {sessions} sessions could not measure; {dscp}: {error}"
    )))
}

/// Follows a run to its end. The outer error is the output's: then the run is given up.
fn watch(
    mut run: ClassesRun,
    sessions: usize,
    outlet: &mut Outlet,
    following: &mut Following,
    mut progress: ProgressLine<Stderr>,
    signals: &Signals,
) -> io::Result<Result<ClassesReport, Failure>> {
    let mut next_progress = Instant::now();
    loop {
        // Asked before the draining: what was written before the end is drained after it.
        let finished = run.is_finished();
        let all = following.drain(|session| run.next_news(session), outlet)?;
        if all {
            following.look(outlet)?;
        }
        following.hand_over();
        if signals.asked_how_far() {
            progress.erase();
            following.glance();
        }
        outlet.flush()?;
        if finished && all {
            progress.erase();
            following.leave();
            return Ok(run.join().map_err(Failure::from));
        }
        let so_far = || together((0..sessions).filter_map(|session| run.progress(session)));
        let left = following.show(&|session| run.progress(session));
        let told = left || signals.told_to_stop();
        if told || outlet.is_closed() {
            run.stop();
        }
        if told {
            following.stopping(so_far(), &mut progress);
        }
        let now = Instant::now();
        if now >= next_progress {
            progress.show(&so_far());
            next_progress = now + PROGRESS;
        }
        if all {
            thread::sleep(GLANCE);
        }
    }
}
