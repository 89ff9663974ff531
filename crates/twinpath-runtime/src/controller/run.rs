//! From agreement to report: the Session-Senders of one control connection.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;
use twinpath_net::clock;
use twinpath_proto::sender::Wire;
use twinpath_report::ControlReport;
use twinpath_report::Finding;
use twinpath_report::finding::{self, Control};
use twinpath_wire::Mono;
use twinpath_wire::control::Accept;

use super::dialogue::Dialogue;
use super::event::EventSender;
use super::request::{DefaultFeatures, SessionRequest, sizes};
use super::{ControlError, ControlEvent, ControlPlan, Sizes};
use crate::measure::{Agreement, Bound, SessionControl};
use crate::stop::Stop;

/// How many sessions that are over are handled together: the Server gets one message about them.
const MOST_ENDED: usize = 64;
/// How often a run without its Server is looked at.
const SERVER_CHECK_EVERY: Duration = Duration::from_millis(500);

/// The whole run.
pub(super) async fn run(
    plan: ControlPlan,
    defaults: DefaultFeatures,
    secured: Option<Sizes>,
    mut bound: Vec<Bound>,
    news: EventSender,
    mut stop: Stop,
) -> Result<ControlReport, ControlError> {
    let interrupted = ControlError::Interrupted {
        server: plan.server,
        awaited: "answered",
    };
    let mut dialogue = tokio::select! {
        dialogue = Dialogue::open(plan, defaults, news) => dialogue?,
        () = stop.requested() => return Err(interrupted),
    };
    let result = match resize(&mut dialogue, secured, &mut bound) {
        Ok(()) => measure(&mut dialogue, bound, &mut stop).await,
        Err(error) => Err(error),
    };
    dialogue.close_politely().await;
    result
}

/// Takes the sizes of secured packets, now that it is known whether they are.
fn resize(
    dialogue: &mut Dialogue,
    secured: Option<Sizes>,
    bound: &mut [Bound],
) -> Result<(), ControlError> {
    let Some(sizes) = secured.filter(|_| dialogue.secures_packets()) else {
        return Ok(());
    };
    dialogue.reflect(sizes.padding_to_reflect);
    let wire = Wire::twamp(dialogue.features(0));
    for bound in bound {
        bound.resize(sizes.payload, sizes.padding, wire)?;
    }
    Ok(())
}

async fn measure(
    dialogue: &mut Dialogue,
    bound: Vec<Bound>,
    stop: &mut Stop,
) -> Result<ControlReport, ControlError> {
    let requests: Vec<SessionRequest> = bound.iter().map(request).collect();
    let server = dialogue.server();
    let negotiated = tokio::select! {
        negotiated = dialogue.agree(&requests) => negotiated,
        () = stop.requested() => Err(ControlError::Interrupted {
            server,
            awaited: "answered the requests for sessions",
        }),
    };
    // Why each of several was refused is in the report.
    if let (Err(ControlError::Refused { .. }), [_, _, ..]) = (&negotiated, &*bound) {
        return Senders::begin(dialogue, Vec::new(), Duration::ZERO).report(dialogue);
    }
    negotiated?;
    dialogue.start(stop).await?;
    let patience = patience(&bound);
    let mut senders = Senders::begin(dialogue, bound, patience);
    senders.follow(dialogue, stop).await;
    dialogue.end(senders.accept()).await;
    senders.report(dialogue)
}

fn request(bound: &Bound) -> SessionRequest {
    let plan = bound.plan();
    SessionRequest {
        sender: bound.sender(),
        dscp: plan.tos.dscp(),
        payload_octets: sizes(plan.payload).0,
        timeout: plan.timeout,
        is_elsewhere: false,
    }
}

/// How long no reply may come, when the Server is gone, before a run is given up.
fn patience(bound: &[Bound]) -> Duration {
    let own = |bound: &Bound| {
        let plan = bound.plan();
        plan.start_delay + plan.timeout + plan.schedule.usual_gap() * 3 + SERVER_CHECK_EVERY
    };
    bound.iter().map(own).max().unwrap_or_default()
}

/// The Session-Senders of the sessions that run.
struct Senders {
    /// By the session's place; `None` once its end is known.
    sessions: Vec<Option<SessionControl>>,
    /// How many of them are not over.
    left: usize,
    /// Sessions that are over and have a report.
    measured: usize,
    failures: Vec<ControlError>,
    ended: UnboundedReceiver<usize>,
    /// Sessions without replies once the Server was gone.
    given_up: bool,
    /// How long replies may fail to come once the Server is gone.
    patience: Duration,
}

/// When replies last came, by session.
struct Watch(Vec<(u64, Mono)>);

impl Watch {
    fn new(sessions: &[Option<SessionControl>]) -> Self {
        let now = clock::mono();
        Self(sessions.iter().map(|_| (0, now)).collect())
    }

    /// Ends sessions whose replies stopped `patience` ago; whether there are any.
    fn stop_silent(&mut self, sessions: &[Option<SessionControl>], patience: Duration) -> bool {
        let now = clock::mono();
        let mut any = false;
        for ((known, since), session) in self.0.iter_mut().zip(sessions) {
            let Some(session) = session else {
                continue;
            };
            let progress = session.progress();
            // The last packets' own timeout is enough.
            let over = progress.asked == Some(progress.sent);
            if progress.received != *known {
                (*known, *since) = (progress.received, now);
            } else if now.since(*since) > patience && !over {
                session.abandon();
                any = true;
            }
        }
        any
    }
}

impl Senders {
    /// Begins to send in all sessions that run, at once.
    fn begin(dialogue: &Dialogue, bound: Vec<Bound>, patience: Duration) -> Self {
        let (teller, ended) = unbounded_channel();
        let mut senders = Self {
            sessions: Vec::new(),
            left: 0,
            measured: 0,
            failures: Vec::new(),
            ended,
            given_up: false,
            patience,
        };
        let running = dialogue.running();
        for (index, bound) in bound.into_iter().enumerate() {
            senders.sessions.push(None);
            if running.binary_search(&index).is_ok()
                && let Some(session) = dialogue.negotiated(index)
            {
                let agreement = Agreement {
                    session: Some((session.reflector, Wire::twamp(dialogue.features(index)))),
                    sid: Some(session.sid),
                    guard: dialogue.guard(index),
                    findings: dialogue.session_findings(index),
                };
                dialogue.emit(ControlEvent::Running { index, session });
                senders.begin_one(index, bound, agreement, &teller);
            }
        }
        senders
    }

    fn begin_one(
        &mut self,
        index: usize,
        bound: Bound,
        agreement: Agreement,
        teller: &UnboundedSender<usize>,
    ) {
        let over = teller.clone();
        let ended = Box::new(move || {
            // The receiver is gone: the event is dropped.
            let _ = over.send(index);
        });
        match bound.begin(agreement, Some(ended)) {
            Ok(session) => {
                if let Some(slot) = self.sessions.get_mut(index) {
                    *slot = Some(session);
                    self.left += 1;
                }
            }
            Err(error) => self.failures.push(error.into()),
        }
    }

    /// Until every packet's fate is known, whatever becomes of the connection meanwhile.
    async fn follow(&mut self, dialogue: &mut Dialogue, stop: &mut Stop) {
        let mut told = false;
        let mut over = Vec::with_capacity(MOST_ENDED);
        let mut watch = Watch::new(&self.sessions);
        while self.left > 0 {
            tokio::select! {
                biased;
                count = self.ended.recv_many(&mut over, MOST_ENDED) => {
                    if count == 0 {
                        return;
                    }
                    for index in &over {
                        self.take(*index);
                        dialogue.emit(ControlEvent::Finished { index: *index });
                    }
                    if dialogue.is_individual() {
                        dialogue.stop_some(&over);
                    }
                    over.clear();
                }
                () = stop.requested(), if !told => {
                    told = true;
                    self.sessions.iter().flatten().for_each(SessionControl::stop);
                }
                () = sleep(SERVER_CHECK_EVERY), if !dialogue.is_alive() && !told => {
                    self.given_up |= watch.stop_silent(&self.sessions, self.patience);
                }
                () = dialogue.listen() => {}
            }
        }
    }

    /// A session is over.
    fn take(&mut self, index: usize) {
        let session = self.sessions.get_mut(index).and_then(Option::take);
        let Some(session) = session else {
            return;
        };
        self.left -= 1;
        match session.ended() {
            Ok(_) => self.measured += 1,
            Err(error) => self.failures.push(error.into()),
        }
    }

    /// Whether this side did its part (row TC-58).
    fn accept(&self) -> Accept {
        if self.failures.is_empty() {
            Accept::Ok
        } else {
            Accept::Failure
        }
    }

    fn report(self, dialogue: &Dialogue) -> Result<ControlReport, ControlError> {
        let mut failures = self.failures.into_iter();
        if self.measured == 0
            && let Some(error) = failures.next()
        {
            return Err(error);
        }
        let mut findings = dialogue.findings();
        if self.given_up {
            findings.push(Control::EndedEarly.into());
        }
        findings.extend(failures.map(|error| {
            let error = error.to_string();
            Finding::from(Control::SessionFailed { error })
        }));
        finding::sort(&mut findings);
        Ok(ControlReport {
            server: dialogue.server(),
            near: dialogue.near,
            attempts: dialogue.attempts.clone(),
            offered: dialogue.offered,
            modes: dialogue.modes,
            refused: dialogue.refusals(),
            findings,
            notes: Vec::new(),
        })
    }
}
