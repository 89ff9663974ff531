//! `twinpath controller`.

use std::collections::HashMap;

use tracing::{debug, info};
use twinpath_proto::TestFeatures;
use twinpath_proto::sender::Protocol;
use twinpath_report::ControlReport;
use twinpath_runtime::SenderPlan;
use twinpath_runtime::controller::{self, ControlEvent, ControllerRun};
use twinpath_runtime::measure::SessionHandle;

use super::reaching::reached;
use crate::args::{ControllerArgs, doubt};
use crate::cmd::measure::{self, Event, Measured, Measurement, Run, Started};
use crate::cmd::subject::Subject;
use crate::cmd::{remark, warn};
use crate::failure::{Exit, Failure};
use crate::output::ends::named;
use crate::output::words;
use crate::plan::{self, EnvironmentPassphrase, PlannedSession, Target};

pub(super) fn run(args: &ControllerArgs, given: EnvironmentPassphrase) -> Result<Exit, Failure> {
    let log = &args.run.log;
    measure::begin(&args.run, &args.control.key.file.written_files())?;
    warn(log.quiet, given.unused_by_client(&args.control.key));
    let plans = plan::controllers(args, given, &plan::system_lookup)?;
    remark(log, doubt(Some(&args.server.host), args.server.port));
    if let Some(first) = plans.first() {
        remark(log, plan::unfilled(&args.packet, &first.sender));
        remark(log, plan::unreflected(first));
    }
    let measurement = Measurement::open(&args.run)?;
    let mut plan = reached(plans, |plan| &mut plan.control, log, &measurement.signals)?;
    plan.sender = measurement.needs(plan.sender, plan.classes.len());
    let far = plan.control.server;
    let target = Target {
        name: args.server.to_string(),
        address: far,
        labels: Vec::new(),
        has_moved: false,
    };
    let subject = Subject {
        command: "controller",
        far: named(far),
        what: "TWAMP".to_owned(),
    };
    let classes = plan.classes.iter();
    let sessions = classes.map(|class| PlannedSession {
        plan: SenderPlan {
            protocol: Protocol::Twamp(TestFeatures::default()),
            ..plan.sender.clone()
        },
        target: target.clone(),
        class: *class,
        path: None,
        end: None,
    });
    let sessions = sessions.collect();
    let start = || {
        let run = controller::start(plan)?;
        info!(server = %named(far), sessions = run.sessions().len(), "connecting");
        Ok(Started {
            run,
            sessions,
            failed: Vec::new(),
            waiting: Vec::new(),
        })
    };
    measurement.run(&subject, start, |_| None)
}

impl Run for ControllerRun {
    fn sessions(&self) -> &[SessionHandle] {
        self.sessions()
    }

    fn sessions_mut(&mut self) -> &mut [SessionHandle] {
        self.sessions_mut()
    }

    fn next_event(&mut self) -> Option<Event> {
        let event = ControllerRun::next_event(self)?;
        let line = words::event::line(&event);
        debug!("{line}");
        Some(Event {
            line,
            is_late: matches!(
                event,
                ControlEvent::Finished { .. } | ControlEvent::ServerGone(_) | ControlEvent::Closed
            ),
            warns: matches!(event, ControlEvent::ServerGone(_)),
        })
    }

    fn stop(&self) {
        self.stop();
    }

    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn join(self) -> Result<Measured, Failure> {
        // Those that were refused never began.
        let sessions = (1..).zip(self.sessions());
        let sessions = sessions
            .filter_map(|(number, session)| Some((number, session.ended().ok()?)))
            .collect();
        let control = self.join()?;
        let failure = refused(&control);
        Ok(Measured {
            sessions,
            control: Some(control),
            failed: Vec::new(),
            findings: HashMap::new(),
            failure,
        })
    }
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
