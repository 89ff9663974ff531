//! The Control-Client alone: agrees on a session for a Session-Sender that runs elsewhere, and keeps
//! the connection up (RFC 5357 section 1.2).

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use twinpath_wire::control::Accept;

use crate::controller::{
    Ask, ControlClientPlan, ControlClientReport, ControlError, ControlEvent, ControlPlan, News,
    Steered, Stop, Talk, Usual, sizes,
};
use crate::error::StartError;

/// A run that nothing bounds ends after this.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// A Control-Client that runs.
#[derive(Debug)]
pub struct ControlClientRun {
    steered: Steered<ControlClientReport>,
}

/// Connects and begins.
///
/// # Errors
/// [`StartError`]: what could not be had on this host.
pub fn start(plan: ControlClientPlan) -> Result<ControlClientRun, StartError> {
    let steered = Steered::start(move |news, stop| run(plan, news, stop))?;
    Ok(ControlClientRun { steered })
}

impl ControlClientRun {
    /// What happened on the control connection; `None`: nothing more yet.
    /// [`ControlEvent::Running`] says where the Session-Sender is to send to.
    pub fn next_event(&self) -> Option<ControlEvent> {
        self.steered.next_event()
    }

    /// Stops the session, and the connection.
    pub fn stop(&self) {
        self.steered.stop();
    }

    /// The run is over.
    pub fn is_finished(&self) -> bool {
        self.steered.is_finished()
    }

    /// Waits for the end and tells what was done.
    ///
    /// # Errors
    /// [`ControlError`]: no session ran, and why; or the Server ended it.
    pub fn join(self) -> Result<ControlClientReport, ControlError> {
        self.steered.join()
    }
}

async fn run(
    mut plan: ControlClientPlan,
    news: News,
    mut stop: Stop,
) -> Result<ControlClientReport, ControlError> {
    let key = plan.control.key.take();
    let made = plan.control.made.take();
    let control = ControlPlan {
        made,
        key,
        ..plan.control.clone()
    };
    // What a Session-Sender elsewhere can do is not known: only what was asked for by name.
    let mut talk = tokio::select! {
        talk = Talk::open(control, Usual::default(), news) => talk?,
        () = stop.told() => return Err(ControlError::Interrupted),
    };
    let result = hold(&mut talk, &plan, &mut stop).await;
    talk.part().await;
    result
}

async fn hold(
    talk: &mut Talk,
    plan: &ControlClientPlan,
    stop: &mut Stop,
) -> Result<ControlClientReport, ControlError> {
    let asks = [Ask {
        sender: plan.sender,
        dscp: plan.dscp,
        payload_octets: sizes(plan.payload).0,
        timeout: plan.timeout,
        is_elsewhere: true,
    }];
    tokio::select! {
        agreed = talk.agree(&asks) => agreed?,
        () = stop.told() => return Err(ControlError::Interrupted),
    }
    talk.start(stop).await?;
    let begun = Instant::now();
    let server = talk.server();
    let session = talk.agreed(0).ok_or(ControlError::Closed { server })?;
    talk.tell(ControlEvent::Running { index: 0, session });
    let end = begun + plan.duration.unwrap_or(FOREVER).min(FOREVER);
    while talk.is_alive() {
        tokio::select! {
            () = talk.listen() => {}
            () = stop.told() => break,
            () = sleep_until(end) => break,
        }
    }
    let duration = begun.elapsed();
    let cut_short = talk.lost();
    talk.end(Accept::Ok).await;
    let mut notes = talk.notes();
    notes.extend(talk.session_notes(0));
    notes.sort_by_key(|note| !note.warning);
    Ok(ControlClientReport {
        server,
        near: talk.near,
        attempts: talk.attempts.clone(),
        offered: talk.offered,
        modes: talk.modes,
        session,
        duration,
        cut_short,
        notes,
    })
}
