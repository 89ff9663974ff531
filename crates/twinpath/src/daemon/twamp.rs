//! What the model of TWAMP (RFC 8913) asks of a daemon beside its own entries: sessions of so many packets, once or
//! again and again, and control connections for Session-Senders on other hosts.

mod state;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::control::Message;
use twinpath_runtime::controlclient::{self, ControlClientRun};
use twinpath_runtime::controller::{self, ControlEvent, ControlPlan, NegotiatedSession};
use twinpath_wire::Wall;
use twinpath_wire::control::{Accept, Modes, SecurityMode};

use crate::args::{ControlClientArgs, ControllerArgs};
use crate::failure::Failure;
use crate::output::ends::named;
use crate::output::words;
use crate::plan::{self, EnvironmentPassphrase, system_lookup};

use super::Resources;
use super::part::{AfterEnd, Runs};
use super::settings::Options;

pub(super) use state::{TwampServer, TwampSession, TwampState};

/// Sessions of a number of packets, by TWAMP-Control.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LimitedSession {
    /// The name of its control connection in the configuration.
    pub(super) connection: Arc<str>,
    pub(super) options: Options<ControllerArgs>,
    pub(super) modes: ModeChain,
    /// Not before this time.
    pub(super) start: Option<Wall>,
    pub(super) repeat: Repeat,
}

/// A control connection for a Session-Sender on another host.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteSession {
    /// The name of its control connection in the configuration.
    pub(super) connection: Arc<str>,
    pub(super) options: Options<ControlClientArgs>,
    pub(super) modes: ModeChain,
    /// Not before this time.
    pub(super) start: Option<Wall>,
}

/// The modes that a Control-Client prefers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ModeChain {
    /// The first of these that is offered; none: those of the options.
    pub(super) security: Vec<SecurityMode>,
    /// Extensions that the server must offer.
    pub(super) required: Modes,
}

/// How often a session is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    /// After the first run; `None`: for ever.
    pub(super) times: Option<u32>,
    /// From the end of a run to the next one.
    pub(super) interval: Duration,
}

/// What a control connection came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ControlFacts {
    /// This end.
    pub(super) near: Option<SocketAddr>,
    pub(super) chosen: Option<Modes>,
    /// What the server said to the first request.
    pub(super) answer: Option<Accept>,
    /// What was agreed on first.
    pub(super) session: Option<NegotiatedSession>,
}

impl ModeChain {
    /// Has a connection negotiate by it.
    pub(super) fn apply(&self, control: &mut ControlPlan) {
        if !self.security.is_empty() {
            control.security.clone_from(&self.security);
        }
        control.required = control.required | self.required;
    }
}

impl Repeat {
    pub(super) fn after(self, runs: u64) -> AfterEnd {
        match self.times {
            Some(times) if runs > u64::from(times) => AfterEnd::Nothing,
            Some(_) | None => AfterEnd::Again(self.interval),
        }
    }
}

impl ControlFacts {
    /// Notes what an event says.
    pub(super) fn note(&mut self, event: &ControlEvent) {
        match event {
            ControlEvent::Connected { near, .. } => self.near = Some(*near),
            ControlEvent::Message(Message::SetUp { chosen, .. }) => self.chosen = Some(*chosen),
            ControlEvent::Message(Message::AcceptSession { answer, .. }) => {
                self.answer.get_or_insert(answer.accept());
            }
            ControlEvent::Running { session, .. } => {
                self.session.get_or_insert(*session);
            }
            ControlEvent::Connecting { .. }
            | ControlEvent::Message(_)
            | ControlEvent::IrregularCount { .. }
            | ControlEvent::UnexpectedAck { .. }
            | ControlEvent::Finished { .. }
            | ControlEvent::ServerGone(_)
            | ControlEvent::Closed
            | ControlEvent::LeftOut { .. } => {}
        }
    }
}

impl RemoteSession {
    /// What is agreed on with each address of the server, as far as that is known without packets.
    ///
    /// # Errors
    /// What cannot be asked for like this.
    pub(super) fn check(&self, lookup: plan::Lookup<'_>) -> Result<(), Failure> {
        let given = EnvironmentPassphrase::default();
        plan::controlclients(&self.options.args, given, lookup).map(|_plans| ())
    }
}

/// A control connection that is kept for a Session-Sender on another host.
pub(super) struct RemoteRun {
    run: ControlClientRun,
    server: SocketAddr,
    facts: ControlFacts,
    /// How it failed.
    why: Option<String>,
}

impl RemoteRun {
    pub(super) fn facts(&self) -> ControlFacts {
        self.facts
    }

    fn take_events(&mut self) {
        while let Some(event) = self.run.next_event() {
            self.facts.note(&event);
            if let ControlEvent::ServerGone(_) = &event {
                self.why = Some(words::event::line(&event));
            }
        }
    }
}

impl Runs for RemoteRun {
    type Spec = RemoteSession;
    type Outcome = ControlFacts;
    const KIND: &'static str = "session of another host";

    fn begin(_: &Arc<str>, spec: &RemoteSession, resources: &Resources) -> Result<Self, Failure> {
        let given = EnvironmentPassphrase::default();
        let mut plans = plan::controlclients(&spec.options.args, given, &system_lookup)?;
        let controls = plans.iter().map(|plan| &plan.control);
        let is_ending = || resources.is_ending();
        let (index, made) = controller::reach(controls, &is_ending)?;
        let mut plan = plans.swap_remove(index);
        spec.modes.apply(&mut plan.control);
        plan.control.made = Some(made);
        let server = plan.control.server;
        let run = controlclient::start(plan)?;
        Ok(Self {
            run,
            server,
            facts: ControlFacts::default(),
            why: None,
        })
    }

    fn first(spec: &RemoteSession) -> Option<Wall> {
        spec.start
    }

    fn waits(_: &RemoteSession) -> bool {
        true
    }

    fn place(&self) -> String {
        format!("a control connection with {}", named(self.server))
    }

    fn look(&mut self, _: &Resources) -> bool {
        self.take_events();
        false
    }

    fn stop(&self) {
        self.run.stop();
    }

    fn is_finished(&self) -> bool {
        self.run.is_finished()
    }

    fn outcome(&self) -> ControlFacts {
        self.facts
    }

    fn end(mut self, _: &Resources) -> Result<(), Failure> {
        self.take_events();
        self.run.join()?;
        self.why.map_or(Ok(()), |why| Err(Failure::could_not(why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_repeated_as_often_as_is_asked_for() {
        let wait = Duration::from_secs(7);
        let of = |times| Repeat {
            times,
            interval: wait,
        };
        assert_eq!(of(Some(0)).after(1), AfterEnd::Nothing);
        assert_eq!(of(Some(2)).after(1), AfterEnd::Again(wait));
        assert_eq!(of(Some(2)).after(2), AfterEnd::Again(wait));
        assert_eq!(of(Some(2)).after(3), AfterEnd::Nothing);
        assert_eq!(of(None).after(u64::MAX), AfterEnd::Again(wait));
    }
}
