//! The Control-Client with its Session-Senders: agrees with a Server on sessions, measures, stops
//! (RFC 5357 section 3).
//!
//! One thread talks to the Server; each session has a thread of its own, as any Session-Sender.

mod ask;
mod connect;
mod error;
mod event;
mod greeting;
mod plan;
mod report;
mod run;
mod steered;
mod talk;

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_metrics::{Books, Record};
use twinpath_proto::TestFeatures;
use twinpath_proto::sender::Protocol;
use twinpath_wire::control::Modes;
use twinpath_wire::{Sample, Tos};

pub use connect::{Attempt, Made, reach};
pub use error::ControlError;
pub use event::ControlEvent;
pub use plan::{ControlClientPlan, ControlPlan, ControllerPlan, Sizes};
pub use report::{AgreedSession, ControlClientReport, ControlReport, RefusedSession};

pub(crate) use ask::{Ask, Usual, sizes};
pub(crate) use event::News;
pub(crate) use steered::{Steered, Stop};
pub(crate) use talk::Talk;

use ask::usual_features;

use crate::error::StartError;
use crate::sender::{self, BooksFacts, Bound, Handle, SessionNews};
use crate::{Progress, SenderPlan};

/// A Control-Client with Session-Senders that runs.
#[derive(Debug)]
pub struct ControllerRun {
    steered: Steered<ControlReport>,
    senders: Vec<Sender>,
}

#[derive(Debug)]
struct Sender {
    address: SocketAddr,
    handle: Handle,
    records: Option<rtrb::Consumer<SessionNews>>,
    books: BooksFacts,
}

/// Opens the sockets of all sessions, then connects and begins.
///
/// # Errors
/// [`StartError`]: what could not be had on this host, and the remedy.
pub fn start(plan: ControllerPlan) -> Result<ControllerRun, StartError> {
    let ControllerPlan {
        control,
        sender,
        mut classes,
        secured,
    } = plan;
    if classes.is_empty() {
        classes.push(sender.tos);
    }
    let (_, least) = sizes(sender.payload);
    let usual = usual_features(classes.len(), least, control.required).without(control.avoided);
    let may_be = control.required | usual.all;
    let mut senders = Vec::new();
    let mut bounds: Vec<Bound> = Vec::new();
    for (index, tos) in classes.iter().enumerate() {
        let plan = of_session(index, *tos, &control, &sender, may_be);
        let (bound, records) = sender::bind(plan)?;
        senders.push(Sender {
            address: bound.sender(),
            handle: bound.handle(),
            books: BooksFacts::of(bound.plan()),
            records,
        });
        bounds.push(bound);
    }
    let steered =
        Steered::start(move |news, stop| run::run(control, usual, secured, bounds, news, stop))?;
    Ok(ControllerRun { steered, senders })
}

/// The template, as one session has it.
fn of_session(
    index: usize,
    tos: Tos,
    control: &ControlPlan,
    template: &SenderPlan,
    features: Modes,
) -> SenderPlan {
    let features = TestFeatures {
        modes: features,
        padding_to_reflect: control.padding_to_reflect,
        server_octets: 0,
    };
    let mut path = template.path.clone();
    path.interface.clone_from(&control.interface);
    SenderPlan {
        far: control.server,
        near: control.near,
        path,
        protocol: Protocol::Twamp(features),
        ..template.of_session(index, tos)
    }
}

impl ControllerRun {
    /// The local address and port of each session, as the far end sees them without NAT.
    pub fn senders(&self) -> impl Iterator<Item = SocketAddr> {
        self.senders.iter().map(|sender| sender.address)
    }

    /// What happened on the control connection; `None`: nothing more yet. Events that nobody reads
    /// are lost.
    pub fn next_event(&self) -> Option<ControlEvent> {
        self.steered.next_event()
    }

    /// What happened next in one session; `None`: nothing yet, or the plan wanted no records.
    pub fn next_record(&mut self, session: usize) -> Option<Record> {
        let sender = self.senders.get_mut(session)?;
        sender::next_record(sender.records.as_mut()?)
    }

    /// The same with all other news.
    pub fn next_news(&mut self, session: usize) -> Option<SessionNews> {
        let sender = self.senders.get_mut(session)?;
        sender.records.as_mut()?.pop().ok()
    }

    /// The next packet of one session whose fate is known; all other records are passed over.
    pub fn next_sample(&mut self, session: usize) -> Option<Sample> {
        loop {
            if let Record::Sample(sample) = self.next_record(session)? {
                return Some(sample);
            }
        }
    }

    /// Empty books of one session, to be kept from [`ControllerRun::next_record`]: with rows of
    /// `interval`, and with a timeline of so many `columns`, where these are wanted. `None`: there
    /// is no such session.
    pub fn books(
        &self,
        session: usize,
        interval: Option<Duration>,
        columns: Option<usize>,
    ) -> Option<Books> {
        let sender = self.senders.get(session)?;
        Some(sender.books.open(interval, columns))
    }

    /// What books of one session begin with: to keep it with records that are saved. `None`: there
    /// is no such session.
    pub fn books_facts(&self, session: usize) -> Option<&BooksFacts> {
        self.senders.get(session).map(|sender| &sender.books)
    }

    /// A glance at one session, at most about 50 ms old; `None`: there is no such session.
    pub fn progress(&self, session: usize) -> Option<Progress> {
        let sender = self.senders.get(session)?;
        Some(sender.handle.progress())
    }

    /// Ends sending. Once the packets that were sent are answered or lost, the Server is told to stop
    /// the sessions, and the report comes: after the timeout at the latest.
    pub fn stop(&self) {
        self.steered.stop();
    }

    /// The run is over: drain [`ControllerRun::next_news`] and [`ControllerRun::next_event`] once
    /// more, then [`ControllerRun::join`].
    pub fn is_finished(&self) -> bool {
        self.steered.is_finished()
    }

    /// Waits for the end and gives the report.
    ///
    /// # Errors
    /// [`ControlError`]: nothing was measured, and why.
    pub fn join(self) -> Result<ControlReport, ControlError> {
        self.steered.join()
    }
}
