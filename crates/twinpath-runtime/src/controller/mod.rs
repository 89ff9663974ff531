//! The Control-Client with its Session-Senders: agrees with a Server on sessions, measures, stops
//! (RFC 5357 section 3).
//!
//! One thread talks to the Server; sessions are measured as any others.

mod client_thread;
mod connect;
mod dialogue;
mod error;
mod event;
pub(crate) mod greeting;
mod plan;
mod report;
mod request;
mod run;

use twinpath_proto::TestFeatures;
use twinpath_proto::sender::Wire;
use twinpath_report::ControlReport;
use twinpath_wire::control::Modes;

pub use client_thread::ClientThread;
pub use connect::{Connected, reach};
pub use error::ControlError;
pub use event::ControlEvent;
pub use plan::{ControlClientPlan, ControlPlan, ControllerPlan, Sizes};
pub use report::{ControlClientReport, NegotiatedSession};

pub(crate) use dialogue::Dialogue;
pub use dialogue::credentials;
pub(crate) use event::EventSender;
pub(crate) use request::{DefaultFeatures, SessionRequest, sizes};

use request::default_features;

use crate::SenderPlan;
use crate::error::StartError;
use crate::measure::{Bound, Engine, SessionHandle};

/// A Control-Client with Session-Senders that runs.
#[derive(Debug)]
pub struct ControllerRun {
    thread: ClientThread<ControlReport>,
    sessions: Vec<SessionHandle>,
}

/// Opens the sockets of all sessions, then connects and begins. What `engine` measures beside them is
/// of no account.
///
/// # Errors
/// [`StartError`]: what could not be had on this host.
pub fn start(plan: ControllerPlan, engine: &Engine) -> Result<ControllerRun, StartError> {
    let ControllerPlan {
        control,
        sessions: plans,
        secured,
    } = plan;
    let least = plans.iter().map(|plan| sizes(plan.payload).1).min();
    let defaults = default_features(plans.len(), least.unwrap_or(0), control.required)
        .without(control.avoided);
    let may_be = control.required | defaults.all;
    let mut sessions = Vec::with_capacity(plans.len());
    let mut bounds: Vec<Bound> = Vec::with_capacity(plans.len());
    for plan in plans {
        let (bound, session) = engine.bind(of_connection(plan, &control, may_be))?;
        sessions.push(session);
        bounds.push(bound);
    }
    let thread = ClientThread::start(move |news, stop| {
        run::run(control, defaults, secured, bounds, news, stop)
    })?;
    Ok(ControllerRun { thread, sessions })
}

/// The plan with what its connection says.
fn of_connection(mut plan: SenderPlan, control: &ControlPlan, features: Modes) -> SenderPlan {
    let features = TestFeatures {
        modes: features,
        padding_to_reflect: control.padding_to_reflect,
        server_octets: 0,
    };
    plan.path.interface.clone_from(&control.interface);
    SenderPlan {
        far: control.server,
        near: control.near,
        wire: Wire::twamp(features),
        ..plan
    }
}

impl ControllerRun {
    /// The sessions, in the order of their plans.
    pub fn sessions(&self) -> &[SessionHandle] {
        &self.sessions
    }

    /// The same, for their news.
    pub fn sessions_mut(&mut self) -> &mut [SessionHandle] {
        &mut self.sessions
    }

    /// What happened on the control connection; `None`: nothing more yet. Of events that are read too
    /// slowly some are left out.
    pub fn next_event(&self) -> Option<ControlEvent> {
        self.thread.next_event()
    }

    /// How many sessions the Server has accepted so far.
    pub fn accepted(&self) -> usize {
        self.thread.accepted()
    }

    /// Ends sending. Once the packets that were sent are answered or lost, the Server is told to stop
    /// the sessions, and the report comes: after the timeout at the latest.
    pub fn stop(&self) {
        self.thread.stop();
    }

    /// The run is over: drain the sessions' news and [`ControllerRun::next_event`] once more, then [`ControllerRun::join`].
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end and gives the report.
    ///
    /// # Errors
    /// [`ControlError`]: nothing was measured, and why.
    pub fn join(self) -> Result<ControlReport, ControlError> {
        self.thread.join()
    }
}
