//! The sessions of one far end: without a control connection, or agreed on by one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use twinpath_metrics::ClosedInterval;
use twinpath_proto::TestFeatures;
use twinpath_proto::sender::{Limit, Wire};
use twinpath_runtime::controller::{self, ControlEvent, ControllerPlan, ControllerRun};
use twinpath_runtime::measure::{Progress, SessionHandle};
use twinpath_wire::{Tos, Wall};

use crate::args::{ControllerArgs, Host, Label, ResultOptions, SenderArgs};
use crate::failure::Failure;
use crate::output::ends::named;
use crate::output::units::count;
use crate::output::words;
use crate::plan::{self, EnvironmentPassphrase, PlannedControl, PlannedSession, system_lookup};

use super::part::{AfterEnd, Runs};
use super::raw::RawSession;
use super::renewal::Renewal;
use super::settings::Options;
use super::twamp::{ControlFacts, LimitedSession, ModeChain};
use super::{Interval, Resources};

/// The option that names what is measured, and changes nothing of it.
const LABELS: &[&str] = &["label"];

/// How one far end is measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SessionSpec {
    /// TWAMP Light or STAMP.
    Plain(Options<SenderArgs>),
    /// By TWAMP-Control.
    Controlled(Options<ControllerArgs>),
    /// The same with a number of packets.
    Limited(Box<LimitedSession>),
}

impl SessionSpec {
    /// Plans what is measured, as far as that is possible without packets: with `lookup`.
    ///
    /// # Errors
    /// What cannot be measured like this.
    pub(super) fn check(&self, lookup: plan::Lookup<'_>) -> Result<(), Failure> {
        match self {
            Self::Plain(options) => {
                plan::sessions(&options.args, lookup, |_, _| {}).map(|_planned| ())
            }
            Self::Controlled(options) => controllers(&options.args, lookup).map(|_plans| ()),
            Self::Limited(limited) => controllers(&limited.options.args, lookup).map(|_plans| ()),
        }
    }

    /// With raw packets saved, or not.
    pub(super) fn with_raw(self, is_raw: bool) -> Self {
        match self {
            Self::Plain(options) => Self::Plain(options.with_raw(is_raw)),
            Self::Controlled(options) => Self::Controlled(options.with_raw(is_raw)),
            Self::Limited(mut limited) => {
                limited.options = limited.options.with_raw(is_raw);
                Self::Limited(limited)
            }
        }
    }

    /// Whether raw packets are saved.
    pub(super) fn is_raw(&self) -> bool {
        match self {
            Self::Plain(options) => options.is_raw(),
            Self::Controlled(options) => options.is_raw(),
            Self::Limited(limited) => limited.options.is_raw(),
        }
    }

    /// How often each of its sessions sends a packet.
    pub(super) fn packet_interval(&self) -> Option<Duration> {
        let schedule = match self {
            Self::Plain(options) => &options.args.session.schedule,
            Self::Controlled(options) => &options.args.schedule,
            Self::Limited(limited) => &limited.options.args.schedule,
        };
        plan::mean_interval(schedule)
    }

    /// Those of the configuration.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let labels = self.results().labels.iter();
        labels
            .map(|label| (label.key.clone(), label.value.clone()))
            .collect()
    }
}

fn controllers(
    args: &ControllerArgs,
    lookup: plan::Lookup<'_>,
) -> Result<Vec<PlannedControl>, Failure> {
    plan::controllers(args, EnvironmentPassphrase::default(), lookup)
}

/// Classes, and paths if there are several.
fn of_controller(args: &ControllerArgs) -> (Result<Vec<Tos>, Failure>, Option<u16>) {
    (plan::classes(args.tos, &args.dscp), args.paths)
}

impl SessionSpec {
    /// How many sessions it has: one for each class and path.
    pub(super) fn count(&self) -> u64 {
        self.measures().len() as u64
    }

    /// How long its intervals are.
    pub(super) fn interval(&self) -> Option<Duration> {
        let interval = self.results().report_interval;
        interval.map(|interval| interval.0)
    }

    /// The labels of one that differs from an earlier one in nothing else.
    fn other_labels(&self, earlier: &Self) -> Option<&[Label]> {
        let is_alike = match (earlier, self) {
            (Self::Plain(earlier), Self::Plain(options)) => {
                earlier.differs_only_in(options, LABELS)
            }
            (Self::Controlled(earlier), Self::Controlled(options)) => {
                earlier.differs_only_in(options, LABELS)
            }
            // A number of packets begins again with what asks for them.
            (Self::Plain(_) | Self::Controlled(_) | Self::Limited(_), _) => false,
        };
        is_alike.then_some(&self.results().labels)
    }

    fn results(&self) -> &ResultOptions {
        match self {
            Self::Plain(options) => &options.args.run.results,
            Self::Controlled(options) => &options.args.run.results,
            Self::Limited(limited) => &limited.options.args.run.results,
        }
    }

    /// Its classes and paths.
    pub(super) fn measures(&self) -> Vec<(Tos, Option<u16>)> {
        let (classes, paths) = match self {
            Self::Plain(options) => {
                let session = &options.args.session;
                let links = u16::try_from(session.stamp.micro_session.len()).unwrap_or(u16::MAX);
                let paths = session.paths.or((links > 1).then_some(links));
                (
                    plan::classes(session.marking.tos, &session.marking.dscp),
                    paths,
                )
            }
            Self::Controlled(options) => of_controller(&options.args),
            Self::Limited(limited) => of_controller(&limited.options.args),
        };
        // As many as there may be, or it is refused.
        let classes = classes.unwrap_or_default().into_iter();
        let measures = classes.flat_map(|class| match paths {
            None => vec![(class, None)],
            Some(paths) => (1..=paths).map(|path| (class, Some(path))).collect(),
        });
        measures.collect()
    }
}

/// Sessions that are measured.
pub(super) struct MeasuredSessions {
    /// Their entry of the configuration.
    name: Arc<str>,
    planned: Vec<Arc<PlannedSession>>,
    /// As many, if raw packets are saved.
    raw: Vec<RawSession>,
    run: Run,
    renewal: Renewal,
    control: ControlFacts,
    /// How the control connection failed.
    why: Option<String>,
}

/// What is known of a session.
pub(super) struct MeasuredSession {
    pub(super) class: Tos,
    pub(super) path: Option<u16>,
    pub(super) sender: SocketAddr,
    pub(super) reflector: SocketAddr,
    pub(super) wire: Wire,
    pub(super) progress: Progress,
}

enum Run {
    Plain(Vec<SessionHandle>),
    Controlled(Box<ControllerRun>),
}

impl MeasuredSessions {
    /// Whether a server agreed to reflect.
    pub(super) fn is_negotiated(&self) -> bool {
        matches!(self.run, Run::Controlled(_))
    }

    /// The sessions, each with its plan.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (&PlannedSession, &SessionHandle)> {
        let planned = self.planned.iter().map(Arc::as_ref);
        planned.zip(self.run.handles())
    }

    /// The same as far as their packets go.
    pub(super) fn measured(&self) -> Vec<MeasuredSession> {
        let measured = self.sessions().map(|(planned, handle)| {
            let agreed = handle.agreed();
            MeasuredSession {
                class: planned.class,
                path: planned.path,
                sender: handle.sender(),
                reflector: agreed.map_or(planned.target.address, |agreed| agreed.far),
                wire: agreed.map_or(planned.plan.wire, |agreed| agreed.wire),
                progress: handle.progress(),
            }
        });
        measured.collect()
    }

    /// What the control connection came to, if there is one.
    pub(super) fn control(&self) -> ControlFacts {
        self.control
    }

    /// The sessions that send packets.
    pub(super) fn open(&self) -> impl Iterator<Item = &SessionHandle> {
        let is_controlled = matches!(self.run, Run::Controlled(_));
        let handles = self.run.handles().iter();
        handles.filter(move |handle| {
            let is_agreed = !is_controlled || handle.agreed().is_some();
            is_agreed && !handle.is_finished()
        })
    }

    fn plain(
        name: &Arc<str>,
        options: &Options<SenderArgs>,
        resources: &Resources,
    ) -> Result<Self, Failure> {
        let planned = plan::sessions(&options.args, &system_lookup, |_, _| {})?;
        let mut planned = planned.sessions;
        let results = &options.args.run.results;
        resources.prepare(name, &mut planned, results, options.is_raw());
        endless(&mut planned);
        let begun = planned
            .iter()
            .map(|session| resources.engine.begin(session.plan.clone()));
        let handles = begun.collect::<Result<_, _>>()?;
        Ok(Self::new(name, planned, Run::Plain(handles)))
    }

    fn controlled(
        name: &Arc<str>,
        options: &Options<ControllerArgs>,
        modes: Option<&ModeChain>,
        resources: &Resources,
    ) -> Result<Self, Failure> {
        let mut plans = controllers(&options.args, &system_lookup)?;
        let controls = plans.iter().map(|plan| &plan.control);
        let is_ending = || resources.is_ending();
        let (index, made) = controller::reach(controls, &is_ending)?;
        let mut plan = plans.swap_remove(index);
        plan.control.made = Some(made);
        let mut planned = plan.sessions;
        let results = &options.args.run.results;
        resources.prepare(name, &mut planned, results, options.is_raw());
        match modes {
            Some(modes) => modes.apply(&mut plan.control),
            None => endless(&mut planned),
        }
        let sessions = planned.iter().map(|session| session.plan.clone());
        let plan = ControllerPlan {
            control: plan.control,
            sessions: sessions.collect(),
            secured: plan.secured,
        };
        let run = controller::start(plan, &resources.engine)?;
        for session in &mut planned {
            // Features are not known before the server has answered.
            session.plan.wire = Wire::twamp(TestFeatures::default());
        }
        Ok(Self::new(name, planned, Run::Controlled(Box::new(run))))
    }

    fn new(name: &Arc<str>, planned: Vec<PlannedSession>, run: Run) -> Self {
        let raw = planned.iter().filter(|session| session.plan.records);
        Self {
            name: Arc::clone(name),
            raw: raw.map(|_| RawSession::default()).collect(),
            planned: planned.into_iter().map(Arc::new).collect(),
            run,
            renewal: Renewal::new(),
            control: ControlFacts::default(),
            why: None,
        }
    }

    /// Passes on a complete interval of the session at this place.
    fn pass_on(&self, place: usize, row: ClosedInterval, intervals: &Sender<Interval>) {
        if let Some(session) = self.planned.get(place) {
            let interval = Interval {
                name: Arc::clone(&self.name),
                session: Arc::clone(session),
                row,
            };
            // The daemon is over.
            let _ = intervals.send(interval);
        }
    }

    /// Notes what happened on the control connection.
    fn take_events(&mut self) {
        let Run::Controlled(run) = &self.run else {
            return;
        };
        while let Some(event) = run.next_event() {
            self.control.note(&event);
            if let ControlEvent::ServerGone(_) = &event {
                self.why = Some(words::event::line(&event));
            }
        }
    }

    /// Has raw packets saved, as far as that is asked for.
    fn save_raw(&mut self, resources: &Resources) {
        if let Some(raw) = &resources.raw
            && !self.raw.is_empty()
        {
            raw.take(&mut self.raw, &self.planned, self.run.handles_mut());
        }
    }

    /// Passes on the intervals that are known since the last time.
    fn pass_on_known(&self, intervals: &Sender<Interval>) {
        for (place, handle) in self.run.handles().iter().enumerate() {
            for row in handle.take_rows() {
                self.pass_on(place, row, intervals);
            }
        }
    }
}

/// Has sessions go on until they are stopped.
fn endless(sessions: &mut [PlannedSession]) {
    for session in sessions {
        session.plan.limit = Limit::Endless;
    }
}

impl Run {
    fn handles(&self) -> &[SessionHandle] {
        match self {
            Self::Plain(handles) => handles,
            Self::Controlled(run) => run.sessions(),
        }
    }

    fn handles_mut(&mut self) -> &mut [SessionHandle] {
        match self {
            Self::Plain(handles) => handles,
            Self::Controlled(run) => run.sessions_mut(),
        }
    }
}

impl Runs for MeasuredSessions {
    type Spec = SessionSpec;
    type Outcome = (ControlFacts, Vec<MeasuredSession>);
    const KIND: &'static str = "session";

    fn begin(name: &Arc<str>, spec: &SessionSpec, resources: &Resources) -> Result<Self, Failure> {
        match spec {
            SessionSpec::Plain(options) => Self::plain(name, options, resources),
            SessionSpec::Controlled(options) => Self::controlled(name, options, None, resources),
            SessionSpec::Limited(limited) => {
                let modes = Some(&limited.modes);
                Self::controlled(name, &limited.options, modes, resources)
            }
        }
    }

    fn first(spec: &SessionSpec) -> Option<Wall> {
        match spec {
            SessionSpec::Plain(_) | SessionSpec::Controlled(_) => None,
            SessionSpec::Limited(limited) => limited.start,
        }
    }

    fn after(spec: &SessionSpec, runs: u64) -> AfterEnd {
        match spec {
            SessionSpec::Plain(_) | SessionSpec::Controlled(_) => AfterEnd::Retry,
            SessionSpec::Limited(limited) => limited.repeat.after(runs),
        }
    }

    fn waits(spec: &SessionSpec) -> bool {
        match spec {
            SessionSpec::Plain(options) => {
                let far = options.args.far.as_ref();
                far.is_none_or(|far| matches!(far.host, Host::Name(_)))
            }
            SessionSpec::Controlled(_) | SessionSpec::Limited(_) => true,
        }
    }

    fn place(&self) -> String {
        let sessions = count(self.planned.len() as u64, "session", "sessions");
        let far = self.planned.first().map(|first| named(first.plan.far));
        let far = far.unwrap_or_default();
        match &self.run {
            Run::Plain(_) => format!("measuring {far}, {sessions}"),
            Run::Controlled(_) => format!("measuring {far}, {sessions}, by TWAMP-Control"),
        }
    }

    fn adopt(&mut self, earlier: &SessionSpec, spec: &SessionSpec) -> bool {
        let Some(labels) = spec.other_labels(earlier) else {
            return false;
        };
        // Rows take them with the next interval.
        for session in &mut self.planned {
            labels.clone_into(&mut Arc::make_mut(session).target.labels);
        }
        true
    }

    fn look(&mut self, resources: &Resources) -> bool {
        self.pass_on_known(&resources.intervals);
        self.save_raw(resources);
        self.take_events();
        match &self.run {
            Run::Plain(handles) => self.renewal.look(&self.planned, handles, &resources.pool),
            Run::Controlled(_) => false,
        }
    }

    fn stop(&self) {
        match &self.run {
            Run::Plain(handles) => handles.iter().for_each(SessionHandle::stop),
            Run::Controlled(run) => run.stop(),
        }
    }

    fn is_finished(&self) -> bool {
        match &self.run {
            Run::Plain(handles) => handles.iter().all(SessionHandle::is_finished),
            Run::Controlled(run) => run.is_finished(),
        }
    }

    fn outcome(&self) -> Self::Outcome {
        (self.control, self.measured())
    }

    fn end(mut self, resources: &Resources) -> Result<(), Failure> {
        self.pass_on_known(&resources.intervals);
        self.save_raw(resources);
        self.take_events();
        let mut failed = None;
        for (place, handle) in self.run.handles().iter().enumerate() {
            match handle.ended() {
                Ok(ended) => {
                    for row in ended.rows() {
                        self.pass_on(place, row.clone(), &resources.intervals);
                    }
                }
                Err(error) => failed = Some(Failure::from(error)),
            }
        }
        match self.run {
            Run::Plain(_) => failed.map_or(Ok(()), Err),
            Run::Controlled(run) => {
                run.join()?;
                self.why.map_or(Ok(()), |why| Err(Failure::could_not(why)))
            }
        }
    }
}
