//! Captures of test packets of any sender: their sessions, and the fate of each packet. T1 is when
//! a request was captured, T4 when its reply was; T2 and T3 are in the reply.
//!
//! A capture is gone through three times: for the flows that are sessions, for the sessions in
//! them, and for their packets. Its contents are not trusted, and memory is bounded for any
//! contents and length.

mod counts;
mod evidence;
mod file;
mod files;
mod flows;
mod frame;
mod layout;
mod order;
mod pairing;
mod session;
mod steps;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use twinpath_metrics::ReflectorKind;
use twinpath_proto::sender::Schedule;
use twinpath_proto::stamp::StampKeys;
use twinpath_report::finding::{Captured, large_lost, negative, of_replies, steps as clock_steps};
use twinpath_report::{
    ClockState, Finding, Identity, MicroSession, Origin, SessionReport, SessionSetup,
};
use twinpath_wire::Wall;

use self::counts::FrameCounts;
use self::files::{Ended, Frame, Frames, Interfaces, Parts};
use self::flows::{Ends, FlowFinder, Found};
use self::frame::{Datagram, NotDatagram};
use self::pairing::{FoundSession, Pairing};
use self::steps::{Step, Steps};
use crate::output::captures::{CaptureCounts, CapturedSession, HmacCounts};
use crate::saved::Row;

pub(crate) use self::file::is_magic;

/// Why a capture gives no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// The system cannot read it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is damaged.
    #[error("the capture is damaged ({0})")]
    Damaged(&'static str),
    /// The link type is not supported.
    #[error("link type {0} is not supported")]
    Link(u32),
    /// No packets of ours.
    #[error("no TWAMP or STAMP packets with replies")]
    NoSession(Vec<Finding>),
    /// Possibly requests, but without replies.
    #[error("no TWAMP or STAMP packets to UDP port {port}")]
    NothingTo {
        /// The reflector's.
        port: u16,
        /// What else is known.
        findings: Vec<Finding>,
    },
}

impl CaptureError {
    /// What else is known of a capture without sessions.
    pub(crate) fn findings(&self) -> &[Finding] {
        match self {
            Self::NoSession(findings) | Self::NothingTo { findings, .. } => findings,
            Self::Io(_) | Self::Damaged(_) | Self::Link(_) => &[],
        }
    }

    /// What the reader can do.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "give the name of a capture",
            Self::Damaged(_) => "take the capture again, in pcap or pcapng",
            Self::Link(_) => "capture on Ethernet, on any interface, or raw IP",
            Self::NoSession(findings) | Self::NothingTo { findings, .. }
                if findings.iter().any(|finding| {
                    ["capture-unmatched", "capture-only-replies"].contains(&&*finding.key())
                }) =>
            {
                "capture both directions"
            }
            Self::NoSession(_) => "unanswered packets need --port; secured packets cannot be read",
            Self::NothingTo { .. } => "use --port with the reflector's port",
        }
    }
}

/// Why rows came to an end: because of the capture, or of their receiver.
pub(crate) enum Stop<E> {
    Capture(CaptureError),
    Taker(E),
}

/// A capture and the sessions in it.
#[derive(Debug)]
pub(crate) struct Capture {
    parts: Parts,
    /// How each part ended.
    ended: Vec<Ended>,
    flows: BTreeMap<Ends, Found>,
    sessions: Vec<FoundSession>,
    interfaces: Interfaces,
    timeout: Duration,
    keys: StampKeys,
    /// Those of the clocks that captured it.
    steps: Vec<Step>,
    /// When the last frame was captured, by the clock before its steps.
    end: Wall,
    found: CaptureCounts,
    /// What became of the packets, since rows were handed out last.
    counts: RefCell<CaptureCounts>,
    /// The sessions as the pass found them that handed out rows.
    paired: RefCell<Vec<FoundSession>>,
}

impl Capture {
    /// Looks through the capture for sessions. Several files are read as one, in order of time.
    /// `port`: the reflector's. `keys`: of STAMP, of either end.
    ///
    /// # Errors
    /// [`CaptureError`], and the file that it is about.
    pub(crate) fn open(
        paths: &[PathBuf],
        port: Option<u16>,
        timeout: Duration,
        keys: StampKeys,
    ) -> Result<Self, (PathBuf, CaptureError)> {
        let mut parts = Parts::new(paths)?;
        let whole = |error| (paths.first().cloned().unwrap_or_default(), error);
        let mut finder = FlowFinder::new(port);
        let mut frames = FrameCounts::default();
        let mut steps = Steps::default();
        let ended = each_frame(&parts, |frame, read| {
            frames.count(read);
            if let Ok(datagram) = read {
                let at = frame.packet.at;
                finder.add(at, datagram);
                let timed = finder.timed((frame.part, frame.number), at, datagram);
                if let Some((ends, timed)) = timed {
                    steps.add(ends, timed);
                }
            }
            Ok::<(), Stop<()>>(())
        })
        .map_err(|stop| whole(stop.into_capture()))?;
        parts.number_captures(&ended);
        let (flows, left_out) = finder.finish();
        let steps = steps.finish();
        let mut end = Wall::from_unix_ns(i64::MIN);
        let mut interfaces = Interfaces::default();
        let mut pairing = Pairing::new(&flows, timeout, &[], &keys);
        each_frame(&parts, |frame, read| {
            let shift = steps::at(&steps, frame.part, frame.number);
            end = end.max(frame.packet.at - shift.by);
            if let Ok(datagram) = read {
                let interface = interfaces.number(frame, datagram.ifindex);
                pairing.add((frame.packet.at, shift), interface, datagram);
                while pairing.poll().is_some() {}
            }
            Ok::<(), Stop<()>>(())
        })
        .map_err(|stop| whole(stop.into_capture()))?;
        pairing.finish(end);
        let mut found = counts::found(parts.paths(), &frames, &left_out, &ended);
        found.clock_steps_ns = steps.iter().map(|step| step.by.ns()).collect();
        let paired = counts::paired(&found, pairing.counts());
        let sessions = pairing.sessions();
        if sessions.is_empty() {
            let findings = counts::findings(&paired, &ended);
            let error = match (frames.unknown_link(), port) {
                (Some(link), _) => CaptureError::Link(link),
                (None, None) => CaptureError::NoSession(findings),
                (None, Some(port)) => CaptureError::NothingTo { port, findings },
            };
            return Err(whole(error));
        }
        Ok(Self {
            parts,
            ended,
            flows,
            sessions,
            interfaces,
            timeout,
            keys,
            steps,
            end,
            found,
            counts: RefCell::new(paired),
            paired: RefCell::default(),
        })
    }

    /// The sessions, by their first packets.
    pub(crate) fn sessions(&self) -> Vec<SessionSetup> {
        let numbered = (1..).zip(&self.sessions);
        numbered
            .map(|(number, session)| {
                let run = &session.run;
                let mut setup = SessionSetup::of_others(Identity {
                    number,
                    wire: run.wire(),
                    sid: None,
                    sender: run.sender,
                    reflector: run.reflector,
                    schedule: Schedule::every(run.interval()),
                    seed: 0,
                    timeout: self.timeout,
                    start_within: Duration::ZERO,
                    tos: run.tos,
                    ttl: run.ttl,
                    padding: run.padding(),
                    target: None,
                    path: None,
                    micro_session: session.asks.marks.micro_session.map(|ids| MicroSession {
                        id: ids.sender,
                        far_id: ids.reflector,
                        interface: None,
                    }),
                });
                setup.metrics.tos_backward = Some(run.tos.dscp().tos());
                // Where requests ask for several replies, the replies' numbers say nothing of requests.
                if session.asks.replies.is_some() {
                    setup.metrics.reflector = ReflectorKind::Stateless;
                }
                setup
            })
            .collect()
    }

    /// Whether requests of a session have TLVs.
    pub(crate) fn has_tlvs(&self) -> bool {
        self.sessions.iter().any(|session| session.learnt.is_some())
    }

    /// Passes on the fate of each packet, as a sender would have known it.
    ///
    /// # Errors
    /// [`Stop`].
    pub(crate) fn each<E>(
        &self,
        mut take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), Stop<E>> {
        let mut interfaces = Interfaces::default();
        let mut pairing = Pairing::new(&self.flows, self.timeout, &self.sessions, &self.keys);
        each_frame(&self.parts, |frame, read| {
            if let Ok(datagram) = read {
                let interface = interfaces.number(frame, datagram.ifindex);
                let shift = steps::at(&self.steps, frame.part, frame.number);
                pairing.add((frame.packet.at, shift), interface, datagram);
            }
            while let Some(row) = pairing.poll() {
                take(row).map_err(Stop::Taker)?;
            }
            Ok(())
        })?;
        pairing.finish(self.end);
        while let Some(row) = pairing.poll() {
            take(row).map_err(Stop::Taker)?;
        }
        let mut counts = counts::paired(&self.found, pairing.counts());
        let paired = pairing.sessions();
        let numbered = (1..).zip(&self.sessions).zip(&paired);
        counts.sessions = numbered
            .map(|((session, known), paired)| CapturedSession {
                session,
                interface: known
                    .run
                    .place()
                    .and_then(|place| self.interfaces.name(place)),
                interfaces: known.run.interfaces(),
                counts: paired.counts,
                traffic: known.traffic.clone(),
                hmacs: paired.hmacs,
            })
            .collect();
        *self.paired.borrow_mut() = paired;
        *self.counts.borrow_mut() = counts;
        Ok(())
    }

    /// What of it was read and what was not, of sessions whose numbers begin behind `first`. After
    /// [`Capture::each`].
    pub(crate) fn counts(&self, first: usize) -> CaptureCounts {
        let mut counts = self.counts.borrow().clone();
        for session in &mut counts.sessions {
            session.session += first;
        }
        counts
    }

    /// Takes out of a report what no capture tells, and says what this one is worth. After
    /// [`Capture::each`].
    pub(crate) fn complete(&self, report: &mut SessionReport) {
        // When packets were due is not known, nor why those that are missing are.
        report.figures.departure = None;
        report.counters.slots_skipped = 0;
        report.origin = Origin::Capture;
        let place = report.identity.number.wrapping_sub(1);
        let counts = self.counts.borrow();
        let paired = self.paired.borrow();
        let known = paired.get(place).zip(counts.sessions.get(place));
        if let Some((known, session)) = known {
            report.counters.in_flight = known.under_way;
            report.add(of_session(known, session, self.timeout));
            report.add(clock_steps(report));
            report.figures.by_size.clone_from(&known.by_size);
            report.traffic = Some(known.traffic.clone());
            report.learnt.clone_from(&known.learnt);
            report.counters.anomalies = known.anomalies;
            report.counters.far_error = known.far_error;
            report.stamps.far_clock = known.far_error.map(ClockState::of_estimate);
            report.return_address = known.asks.return_address;
            report.expect_told_dscp();
            report.add(of_replies(report));
            report.add(large_lost(report));
        }
        report.add(negative(report));
        let has_hmacs = counts
            .sessions
            .iter()
            .any(|session| session.hmacs.is_some());
        if !self.keys.is_empty() && !has_hmacs {
            report.add([Captured::NoHmacs]);
        }
        report.add(counts::findings(&counts, &self.ended));
    }
}

fn of_session(known: &FoundSession, session: &CapturedSession, timeout: Duration) -> Vec<Captured> {
    let mut findings = Vec::new();
    if !known.has_replies && !known.asks.awaits_none && session.counts.cut_replies == 0 {
        let count = known.run.requests();
        findings.push(Captured::OnlyRequests { count });
    }
    if let count @ 1.. = known.under_way {
        findings.push(Captured::UnderWay { count, timeout });
    }
    if let count @ 1.. = session.counts.captured_again {
        findings.push(Captured::CapturedAgain {
            count,
            interface: session.interface.clone(),
            interfaces: session.interfaces as u64,
        });
    }
    if let count @ 1.. = session.counts.early_replies {
        findings.push(Captured::EarlyReplies { count });
    }
    if let count @ 1.. = session.counts.missing_requests {
        findings.push(Captured::MissingRequests {
            count,
            numbers: known.run.numbers(),
            answered: session.counts.answered_missing,
        });
    }
    if let count @ 1.. = session.counts.cut_replies {
        findings.push(Captured::CutReplies { count });
    }
    findings.extend(known.hmacs.iter().flat_map(HmacCounts::findings));
    findings
}

/// All frames of a capture, and what was read of them.
fn each_frame<E>(
    parts: &Parts,
    mut take: impl FnMut(&Frame<'_>, &Result<Datagram<'_>, NotDatagram>) -> Result<(), Stop<E>>,
) -> Result<Vec<Ended>, Stop<E>> {
    let mut frames = Frames::new(parts);
    while let Some(frame) = frames.next().map_err(Stop::Capture)? {
        let packet = frame.packet;
        take(&frame, &frame::udp(packet.link, &packet.octets, packet.cut))?;
    }
    Ok(frames.ended().to_vec())
}

impl Stop<()> {
    /// For callers that take every row.
    fn into_capture(self) -> CaptureError {
        match self {
            Self::Capture(error) => error,
            Self::Taker(()) => CaptureError::NoSession(Vec::new()),
        }
    }
}
