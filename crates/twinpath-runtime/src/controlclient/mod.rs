//! The Control-Client alone: agrees on a session for a Session-Sender that runs elsewhere, and keeps
//! the connection up (RFC 5357 section 1.2).

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use twinpath_report::finding;
use twinpath_wire::control::Accept;

use crate::controller::{
    ClientThread, ControlClientPlan, ControlClientReport, ControlError, ControlEvent, ControlPlan,
    DefaultFeatures, Dialogue, EventSender, SessionRequest, sizes,
};
use crate::error::StartError;
use crate::stop::Stop;

/// A run that nothing bounds ends after this.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// A Control-Client that runs. Its [`ControlEvent::Running`] says where the Session-Sender is to send
/// to.
pub type ControlClientRun = ClientThread<ControlClientReport>;

/// Connects and begins.
///
/// # Errors
/// [`StartError`]: what could not be had on this host.
pub fn start(plan: ControlClientPlan) -> Result<ControlClientRun, StartError> {
    ClientThread::start(move |news, stop| run(plan, news, stop))
}

async fn run(
    mut plan: ControlClientPlan,
    news: EventSender,
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
    let interrupted = ControlError::Interrupted {
        server: control.server,
        awaited: "answered",
    };
    let mut dialogue = tokio::select! {
        dialogue = Dialogue::open(control, DefaultFeatures::default(), news) => dialogue?,
        () = stop.requested() => return Err(interrupted),
    };
    let result = hold(&mut dialogue, &plan, &mut stop).await;
    dialogue.close_politely().await;
    result
}

async fn hold(
    dialogue: &mut Dialogue,
    plan: &ControlClientPlan,
    stop: &mut Stop,
) -> Result<ControlClientReport, ControlError> {
    let requests = [SessionRequest {
        sender: plan.sender,
        dscp: plan.dscp,
        payload_octets: sizes(plan.payload).0,
        timeout: plan.timeout,
        is_elsewhere: true,
    }];
    let server = dialogue.server();
    tokio::select! {
        negotiated = dialogue.agree(&requests) => negotiated?,
        () = stop.requested() => return Err(ControlError::Interrupted {
            server,
            awaited: "answered the request for a session",
        }),
    }
    dialogue.start(stop).await?;
    let begun = Instant::now();
    let session = dialogue
        .negotiated(0)
        .ok_or(ControlError::Closed { server })?;
    dialogue.emit(ControlEvent::Running { index: 0, session });
    let end = begun + plan.duration.unwrap_or(FOREVER).min(FOREVER);
    while dialogue.is_alive() {
        tokio::select! {
            () = dialogue.listen() => {}
            () = stop.requested() => break,
            () = sleep_until(end) => break,
        }
    }
    let duration = begun.elapsed();
    let cut_short = dialogue.lost();
    dialogue.end(Accept::Ok).await;
    let mut findings = dialogue.findings();
    findings.extend(dialogue.session_findings(0));
    finding::sort(&mut findings);
    Ok(ControlClientReport {
        server,
        near: dialogue.near,
        attempts: dialogue.attempts.clone(),
        offered: dialogue.offered,
        modes: dialogue.modes,
        session,
        duration,
        cut_short,
        findings,
    })
}
