//! Captures of test packets, whoever sent them: which sessions they hold, and what became of each
//! packet. T1 is when a request was captured, T4 when its reply was; T2 and T3 stand in the reply.
//!
//! A capture is somebody else's: nothing in it is trusted, and memory is bounded whatever it says.

mod file;
mod finding;
mod frame;
mod layout;
mod pairing;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use twinpath_runtime::{Note, Origin, SessionReport};

use self::file::Packets;
use self::finding::{Finding, Flow};
use self::pairing::Pairing;
use crate::saved::{Row, SessionFacts};

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
    /// Of a link that we know no headers of.
    #[error("it was captured on a link of type {0}, which is not known here")]
    Link(u32),
    /// No packets of ours.
    #[error("no TWAMP or STAMP packets and replies to them are in it")]
    NoSession,
    /// Requests, perhaps, but nobody answered.
    #[error("no TWAMP or STAMP packets to UDP port {0} are in it")]
    NothingTo(u16),
}

impl CaptureError {
    /// What the reader can do.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "write the name of a capture",
            Self::Damaged(_) => "take the capture again, in pcap or pcapng",
            Self::Link(_) => "capture on Ethernet, on any interface, or raw IP",
            Self::NoSession => {
                "packets that nobody answered are found by --port, secured packets not at all"
            }
            Self::NothingTo(_) => "write --port with the reflector's port",
        }
    }
}

/// Why rows came to an end: the capture, or whoever takes them.
pub(crate) enum Stop<E> {
    Capture(CaptureError),
    Taker(E),
}

/// A capture and the sessions in it.
#[derive(Debug)]
pub(crate) struct Capture {
    path: PathBuf,
    flows: Vec<Flow>,
    timeout: Duration,
    /// It ends within a packet.
    broken_off: bool,
    /// Packets whose fate was open at its end, by session; known when all rows were handed out.
    under_way: RefCell<BTreeMap<u32, u64>>,
}

impl Capture {
    /// Looks through the capture for sessions. `port`: the reflector's.
    ///
    /// # Errors
    /// [`CaptureError`].
    pub(crate) fn open(
        path: &Path,
        port: Option<u16>,
        timeout: Duration,
    ) -> Result<Self, CaptureError> {
        let mut finding = Finding::new(port);
        let mut packets = Packets::open(BufReader::new(File::open(path)?))?;
        let mut unknown = None;
        while let Some(packet) = packets.next()? {
            match frame::udp(packet.link, packet.octets) {
                Ok(Some(datagram)) => finding.look(packet.at, &datagram),
                Ok(None) => {}
                // One interface of several.
                Err(error) => unknown = unknown.or(Some(error)),
            }
        }
        let flows = finding.sessions();
        if let (true, Some(error)) = (flows.is_empty(), unknown) {
            return Err(error);
        }
        if flows.is_empty() {
            return Err(port.map_or(CaptureError::NoSession, CaptureError::NothingTo));
        }
        Ok(Self {
            path: path.to_owned(),
            flows,
            timeout,
            broken_off: packets.broken_off(),
            under_way: RefCell::default(),
        })
    }

    /// The sessions, by their first packets.
    pub(crate) fn sessions(&self) -> Vec<SessionFacts> {
        let numbered = (1..).zip(&self.flows);
        numbered
            .map(|(number, flow)| {
                SessionFacts::captured(
                    number,
                    flow.protocol(),
                    [flow.sender, flow.reflector],
                    (flow.tos, flow.ttl),
                    flow.padding(),
                    [flow.interval(), self.timeout],
                )
            })
            .collect()
    }

    /// Hands out what became of each packet, as a sender would have known it.
    ///
    /// # Errors
    /// [`Stop`].
    pub(crate) fn each<E>(
        &self,
        mut take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), Stop<E>> {
        let capture = |error: CaptureError| Stop::Capture(error);
        let file = File::open(&self.path).map_err(|error| capture(error.into()))?;
        let mut packets = Packets::open(BufReader::new(file)).map_err(capture)?;
        let mut pairing = Pairing::new(&self.flows, self.timeout);
        while let Some(packet) = packets.next().map_err(capture)? {
            if let Ok(Some(datagram)) = frame::udp(packet.link, packet.octets) {
                pairing.look(packet.at, &datagram);
            }
            while let Some(row) = pairing.poll() {
                take(row).map_err(Stop::Taker)?;
            }
        }
        *self.under_way.borrow_mut() = pairing.finish();
        while let Some(row) = pairing.poll() {
            take(row).map_err(Stop::Taker)?;
        }
        Ok(())
    }

    /// Takes out of a report what no capture tells, and says what this one is worth. After
    /// [`Capture::each`].
    pub(crate) fn complete(&self, report: &mut SessionReport) {
        // When packets were due is not known.
        report.figures.departure = None;
        report.origin = Origin::Capture;
        let number = u32::try_from(report.number).unwrap_or(u32::MAX);
        let under_way = self.under_way.borrow().get(&number).copied();
        report.tally.in_flight = under_way.unwrap_or(0);
        if let Some(count) = under_way {
            report.notes.push(remark(
                "under-way",
                format!(
                    "{count} packets were not answered yet when the capture ended, less than the \
                     timeout of {:?} after them: they are not counted",
                    self.timeout
                ),
            ));
        }
        let least = report.figures.round_trip.map_or(0, |delay| delay.min_ns);
        if least < 0 {
            report.notes.push(remark(
                "negative-round-trip",
                format!(
                    "round trips down to {:.1}us: that is the time stamps' error, the capture's and the \
                     reflector's; near the reflector nothing else is left",
                    Duration::from_nanos(least.unsigned_abs()).as_secs_f64() * -1e6
                ),
            ));
        }
        if self.broken_off {
            report.notes.push(Note {
                warning: true,
                ..remark(
                    "capture-broken-off",
                    "the capture ends within a packet: it was cut, or is still being written"
                        .to_owned(),
                )
            });
        }
    }
}

/// What a report from a capture is worth.
pub(crate) fn note() -> Note {
    remark(
        "from-capture",
        "recomputed from a capture: T1 and T4 are when packets passed where it was taken, losses and \
         delays are those from there to the reflector and back"
            .to_owned(),
    )
}

fn remark(key: &'static str, line: String) -> Note {
    Note {
        key,
        line,
        warning: false,
    }
}
