//! `twinpath controller`.

use std::collections::HashMap;

use tracing::{debug, info};
use twinpath_proto::TestFeatures;
use twinpath_proto::sender::Wire;
use twinpath_report::ControlReport;
use twinpath_runtime::controller::{
    self, ControlEvent, ControlPlan, ControllerPlan, ControllerRun,
};
use twinpath_runtime::measure::{Engine, SessionHandle};
use twinpath_runtime::{SenderPlan, StartError};

use super::reaching::reached;
use crate::args::{ControllerArgs, doubt};
use crate::cmd::measure::{self, Measured, Measurement, Run, Started};
use crate::cmd::run_events::{After, Event, Notice};
use crate::cmd::subject::Subject;
use crate::cmd::{remark, warn};
use crate::failure::{Exit, Failure};
use crate::output::ends::named;
use crate::output::packets;
use crate::output::words;
use crate::plan::{self, EnvironmentPassphrase, PlannedControl};

pub(super) fn run(args: &ControllerArgs, given: EnvironmentPassphrase) -> Result<Exit, Failure> {
    let log = &args.run.log;
    measure::begin(&args.run, &args.control.key.file.read_files())?;
    warn(log.quiet, given.unused_by_client(&args.control.key));
    if args.paths.is_some() {
        packets::labels_fit(&args.run.results, true)?;
    }
    let plans = planned(args, given, &plan::system_lookup)?;
    measured(args, plans, Measurement::open(&args.run)?)
}

/// What is agreed on with each address of the server, with remarks on it.
pub(in crate::cmd) fn planned(
    args: &ControllerArgs,
    given: EnvironmentPassphrase,
    lookup: plan::Lookup<'_>,
) -> Result<Vec<PlannedControl>, Failure> {
    let log = &args.run.log;
    let plans = plan::controllers(args, given, lookup)?;
    remark(log, doubt(Some(&args.server.host), args.server.port));
    if let Some(first) = plans.first() {
        let session = first.sessions.first();
        remark(
            log,
            session.and_then(|session| plan::unfilled(&args.packet, &session.plan)),
        );
        remark(log, plan::unreflected(first));
        let plans = first.sessions.iter().map(|session| &session.plan);
        remark(log, plan::unused_threads(plans, args.threads));
    }
    Ok(plans)
}

/// From the connection to the first address that takes it to the exit status.
pub(in crate::cmd) fn measured(
    args: &ControllerArgs,
    plans: Vec<PlannedControl>,
    measurement: Measurement<'_>,
) -> Result<Exit, Failure> {
    let log = &args.run.log;
    let mut planned = reached(plans, |plan| &mut plan.control, log, &measurement.signals)?;
    let all = planned.sessions.len();
    measurement.prepare(planned.sessions.iter_mut(), all);
    let subject = Subject {
        command: "controller",
        far: named(planned.control.server),
        what: "TWAMP".to_owned(),
        label_keys: Vec::new(),
    };
    let start = || ControlledRun::start(planned, args.threads);
    measurement.run(&subject, start, |_| None)
}

/// Sessions that a control connection agrees on.
pub(in crate::cmd) struct ControlledRun {
    run: ControllerRun,
    /// It has the threads that the sessions share.
    _engine: Engine,
}

impl ControlledRun {
    /// Connects, for one session.
    pub(in crate::cmd) fn of_one(
        control: ControlPlan,
        plan: SenderPlan,
    ) -> Result<Self, StartError> {
        let plan = ControllerPlan {
            control,
            sessions: vec![plan],
            secured: None,
        };
        Self::of(plan, Engine::start(0)?)
    }

    /// Connects, for all sessions.
    fn start(planned: PlannedControl, threads: Option<usize>) -> Result<Started<Self>, StartError> {
        let mut sessions = planned.sessions;
        let engine = measure::engine(sessions.iter(), threads)?;
        let server = planned.control.server;
        let plan = ControllerPlan {
            control: planned.control,
            sessions: sessions
                .iter()
                .map(|session| session.plan.clone())
                .collect(),
            secured: planned.secured,
        };
        let run = Self::of(plan, engine)?;
        info!(server = %named(server), sessions = sessions.len(), "connecting");
        for session in &mut sessions {
            // Features are not known before the server has answered.
            session.plan.wire = Wire::twamp(TestFeatures::default());
        }
        Ok(Started {
            run,
            sessions,
            failed: Vec::new(),
            waiting: Vec::new(),
        })
    }

    fn of(plan: ControllerPlan, engine: Engine) -> Result<Self, StartError> {
        Ok(Self {
            run: controller::start(plan, &engine)?,
            _engine: engine,
        })
    }
}

impl Run for ControlledRun {
    fn sessions(&self) -> &[SessionHandle] {
        self.run.sessions()
    }

    fn sessions_mut(&mut self) -> &mut [SessionHandle] {
        self.run.sessions_mut()
    }

    fn next_event(&mut self) -> Option<Event> {
        let event = self.run.next_event()?;
        let line = words::event::line(&event);
        debug!("{line}");
        let (after, notice) = match event {
            ControlEvent::Finished { index } => (After::Session(index), Notice::None),
            ControlEvent::ServerGone(_) => (After::All, Notice::Warning),
            ControlEvent::Closed => (After::All, Notice::None),
            ControlEvent::Connecting { .. }
            | ControlEvent::Connected { .. }
            | ControlEvent::Message(_)
            | ControlEvent::IrregularCount { .. }
            | ControlEvent::UnexpectedAck { .. }
            | ControlEvent::Running { .. }
            | ControlEvent::LeftOut { .. } => (After::Nothing, Notice::None),
        };
        Some(Event {
            line,
            after,
            notice,
        })
    }

    fn agreed(&self) -> usize {
        let sessions = self.run.sessions().iter();
        sessions
            .filter(|session| session.agreed().is_some())
            .count()
    }

    fn accepted(&self) -> Option<usize> {
        Some(self.run.accepted())
    }

    fn stop(&self) {
        self.run.stop();
    }

    fn is_finished(&self) -> bool {
        self.run.is_finished()
    }

    fn join(self) -> Result<Measured, Failure> {
        // Those that were refused never began.
        let sessions = (1..).zip(self.run.sessions());
        let sessions: Vec<_> = sessions
            .filter_map(|(number, session)| Some((number, session.ended().ok()?)))
            .collect();
        let control = self.run.join()?;
        let failure = refused(&control, sessions.len());
        Ok(Measured {
            sessions,
            control: Some(control),
            failed: Vec::new(),
            findings: HashMap::new(),
            failure,
        })
    }
}

/// Why a run with a report is incomplete: the server refused some of its sessions.
fn refused(report: &ControlReport, measured: usize) -> Option<Failure> {
    let some = report.refused.len();
    let all = some + measured;
    let mut classes: Vec<(String, usize)> = Vec::new();
    for session in &report.refused {
        let class = format!("{} (Accept {})", session.dscp, session.refusal.octet);
        match classes.iter_mut().find(|(known, _)| *known == class) {
            Some((_, count)) => *count += 1,
            None => classes.push((class, 1)),
        }
    }
    let classes = classes.into_iter().map(|(class, count)| match count {
        1 => class,
        count => format!("{count} of {class}"),
    });
    let classes: Vec<String> = classes.collect();
    (some > 0).then(|| {
        Failure::could_not(format!(
            "{some} of {all} sessions {} refused: {}",
            if some == 1 { "was" } else { "were" },
            classes.join(", ")
        ))
    })
}
