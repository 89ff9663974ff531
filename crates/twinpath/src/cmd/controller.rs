//! `twinpath controller`.

use std::io::{self, Stderr};
use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use tracing::{Level, info};
use twinpath_proto::TestFeatures;
use twinpath_proto::sender::Protocol;
use twinpath_runtime::controller::{self, ControlEvent, ControlReport, ControllerRun};
use twinpath_runtime::{SenderPlan, is_one_host};
use twinpath_wire::Tos;
use twinpath_wire::control::SecurityMode;

use super::following::{Following, now};
use super::measuring::{GLANCE, Outlet, PROGRESS, class_names, conclude, together, verdict, view};
use super::pictures::Pictures;
use super::places::apart;
use super::reaching::reached;
use super::saving::{Beginning, Place};
use super::{remark, unwritten, warn};
use crate::args::{ControllerArgs, doubt};
use crate::failure::{Exit, Failure};
use crate::live::{About, View};
use crate::logs;
use crate::output::ends::{self, named};
use crate::output::progress::ProgressLine;
use crate::output::{Meta, Outcome, complain};
use crate::plan::{self, Given};
use crate::signals::Signals;

pub(super) fn run(args: &ControllerArgs, given: Given) -> Result<Exit, Failure> {
    let written = [args.saving.places(), args.pictures.places()].concat();
    let written: Vec<_> = written.into_iter().chain(args.log.places()).collect();
    apart(&written, &args.control.key.file.places())?;
    logs::start(&args.log, Level::WARN)?;
    warn(&args.log, given.unused_by_client(&args.control.key));
    let plans = plan::controllers(args, given, &plan::system_lookup)?;
    remark(&args.log, doubt(Some(&args.server.host), args.server.port));
    let pictures = Pictures::open(&args.pictures, &args.results.labels)?;
    let mut signals = Signals::listen()?.and_hangups()?.and_glances()?;
    let plan = reached(plans, |plan| &mut plan.control, &args.log, &signals)?;
    let server = named(plan.control.server);
    let interval = args.results.report_interval.map(|time| time.0);
    let names = class_names(&plan.classes);
    let mut about = About {
        command: "controller",
        far: server.clone(),
        what: "TWAMP".to_owned(),
        sessions: vec![None],
        interval: plan.sender.schedule.usual_gap(),
        timeout: plan.sender.timeout,
        one_host: false,
    };
    if !names.is_empty() {
        about.sessions = names.iter().cloned().map(Some).collect();
    }
    let place = Place::open(&args.saving, &args.log)?;
    let template = plan.sender.clone();
    let classes = plan.classes.clone();
    let far = plan.control.server;
    let run = controller::start(plan)?;
    let sessions = run.senders().count();
    about.one_host = run
        .senders()
        .all(|sender| is_one_host(sender.ip(), far.ip()));
    info!(%server, sessions, "connecting");
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
    let saving = place.map(|place| {
        let meta = Meta::here(&args.results.labels);
        place.begin(&meta, now(), &beginnings(&template, &classes, far, &run))
    });
    let columns = view.as_ref().map(|_| View::COLUMNS);
    let columns = columns.max(pictures.columns());
    let mut following = Following::new(
        (0..sessions)
            .filter_map(|session| run.books(session, interval, columns))
            .collect(),
        names,
        args.results.records(),
    )
    .saved(saving)
    .shown_by(view)
    .waits_for(template.timeout, args.log.quiet);
    // With -v it is told anyway.
    let alarms = !args.log.quiet && !args.results.verbose;
    let mut report = match watch(
        run,
        sessions,
        &mut outlet,
        &mut following,
        progress,
        &signals,
        alarms,
    ) {
        Ok(report) => report?,
        Err(error) => return unwritten(&error),
    };
    let of_sessions = report.sessions.iter_mut().flat_map(|it| &mut it.notes);
    ends::name_zones(of_sessions.chain(&mut report.notes));
    for session in &report.sessions {
        let tally = &session.tally;
        info!(
            dscp = %session.tos.dscp(),
            sent = tally.sent,
            received = tally.received,
            lost = tally.lost,
            "finished"
        );
    }
    let saved = following.saving();
    let saved = saved.and_then(|saving| saving.finish((&report).into()));
    let mut written: Vec<_> = saved.into_iter().chain(logs::written()).collect();
    if let Err(error) = following.finish(&mut report.sessions, &mut outlet) {
        return unwritten(&error);
    }
    let outcome = Outcome::from(&report);
    let drawn = pictures.draw(outcome.with_written(&written));
    written.extend(drawn);
    let printed = outlet.report(outcome.with_written(&written));
    conclude(&written, printed, || {
        refused(&report).map_or_else(|| verdict(&report.sessions), Err)
    })
}

/// Why a run with a report is not what was asked for: the server refused some of it.
fn refused(report: &ControlReport) -> Option<Failure> {
    let some = report.refused.len();
    let all = some + report.sessions.len();
    let classes: Vec<String> = report
        .refused
        .iter()
        .map(|session| format!("{} (Accept {})", session.dscp, session.refusal.octet))
        .collect();
    (some > 0).then(|| {
        Failure::could_not(format!(
            "{some} of {all} sessions {} refused: {}",
            if some == 1 { "was" } else { "were" },
            classes.join(", ")
        ))
    })
}

/// Follows a run to its end. The outer error is the output's: then the run is given up.
fn watch(
    mut run: ControllerRun,
    sessions: usize,
    outlet: &mut Outlet,
    following: &mut Following,
    mut progress: ProgressLine<Stderr>,
    signals: &Signals,
    alarms: bool,
) -> io::Result<Result<ControlReport, Failure>> {
    let mut next_progress = Instant::now();
    loop {
        // Asked before the draining: what was written before the end is drained after it.
        let finished = run.is_finished();
        let mut all = true;
        while let Some(event) = run.next_event() {
            // What comes after a session's packets is told after them.
            if is_late(&event) {
                all = following.drain(|session| run.next_news(session), outlet)?;
            }
            let line = ends::with_zones(&event.to_string());
            if let (true, ControlEvent::ServerGone(_)) = (alarms, &event) {
                progress.erase();
                complain(&format!("warning: {line}"));
            }
            following.event(&line);
            outlet.event(&line)?;
        }
        all &= following.drain(|session| run.next_news(session), outlet)?;
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

/// The sessions as far as they are known before there is a connection. What is agreed on later,
/// addresses and modes, is told when the run is over.
fn beginnings<'a>(
    template: &'a SenderPlan,
    classes: &[Tos],
    server: SocketAddr,
    run: &'a ControllerRun,
) -> Vec<Beginning<'a>> {
    run.senders()
        .enumerate()
        .filter_map(|(session, sender)| {
            Some(Beginning {
                protocol: Protocol::Twamp(TestFeatures::default()),
                mode: SecurityMode::Unauthenticated,
                sender,
                reflector: server,
                tos: *classes.get(session).unwrap_or(&template.tos),
                plan: template,
                books: run.books_facts(session)?,
            })
        })
        .collect()
}

fn is_late(event: &ControlEvent) -> bool {
    matches!(
        event,
        ControlEvent::Finished { .. } | ControlEvent::ServerGone(_) | ControlEvent::Closed
    )
}
