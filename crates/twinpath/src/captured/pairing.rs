//! Requests and replies of the sessions of a capture, one with the other: what a sender would have
//! known, in the order in which it would have known it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use twinpath_metrics::Record;
use twinpath_proto::sender::STAMP_ERROR;
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, Tos, Wall};

use super::finding::Flow;
use super::frame::Datagram;
use super::layout::{Layout, Name, Reply};
use crate::saved::Row;

/// Packets whose fate is open, over all sessions, at most; the oldest are lost then.
const OPEN: usize = 1 << 20;

/// A packet between its request and twice the timeout.
#[derive(Clone, Copy, Debug)]
struct Flight {
    at: Wall,
    t1: u64,
    answered: bool,
}

#[derive(Debug)]
struct Session {
    number: u32,
    layout: Layout,
    /// The highest number so far, of 64 bits.
    highest: Option<u64>,
    flights: BTreeMap<u64, Flight>,
}

/// Pairs the packets of all sessions.
#[derive(Debug)]
pub(super) struct Pairing {
    sessions: BTreeMap<(SocketAddr, SocketAddr), Session>,
    timeout: Delta,
    /// The latest moment so far: captures are not always in order.
    now: Wall,
    /// When fates were looked after last.
    looked: Wall,
    open: usize,
    rows: VecDeque<Row>,
}

impl Pairing {
    pub(super) fn new(flows: &[Flow], timeout: Duration) -> Self {
        let sessions = (1..).zip(flows).map(|(number, flow)| {
            let session = Session {
                number,
                layout: flow.layout,
                highest: None,
                flights: BTreeMap::new(),
            };
            ((flow.sender, flow.reflector), session)
        });
        Self {
            sessions: sessions.collect(),
            timeout: Delta::from_duration(timeout),
            now: Wall::from_unix_ns(i64::MIN),
            looked: Wall::from_unix_ns(i64::MIN),
            open: 0,
            rows: VecDeque::new(),
        }
    }

    /// The next row, until there is none.
    pub(super) fn poll(&mut self) -> Option<Row> {
        self.rows.pop_front()
    }

    pub(super) fn look(&mut self, at: Wall, datagram: &Datagram<'_>) {
        self.now = self.now.max(at);
        let wait = self.timeout.ns() / 8;
        if (self.now - self.looked).ns() >= wait || self.open >= OPEN {
            self.looked = self.now;
            self.expire();
        }
        let (timeout, rows) = (self.timeout, &mut self.rows);
        if let Some(session) = self.sessions.get_mut(&(datagram.to, datagram.from)) {
            if let Some(reply) = session.layout.reply(datagram.payload) {
                rows.extend(session.reply(at, &reply, datagram, timeout));
            }
        } else if let Some(session) = self.sessions.get_mut(&(datagram.from, datagram.to))
            && let Some(name) = session.layout.request(datagram.payload)
        {
            if session.highest.is_none() {
                rows.push_back(Row {
                    session: session.number,
                    record: Record::Begun { at },
                });
            }
            self.open += usize::from(session.request(at, name));
        }
    }

    /// The capture is over. What might have been answered yet is neither lost nor anything else: so
    /// many packets are under way, by the number of their session.
    pub(super) fn finish(&mut self) -> BTreeMap<u32, u64> {
        self.expire();
        let (now, timeout) = (self.now, self.timeout);
        let mut under_way = BTreeMap::new();
        for session in self.sessions.values_mut() {
            let flights = std::mem::take(&mut session.flights);
            for (seq, flight) in flights {
                if flight.answered {
                    continue;
                }
                if flight.at + timeout <= now {
                    self.rows.push_back(session.lost(seq, flight));
                } else {
                    *under_way.entry(session.number).or_default() += 1;
                }
            }
        }
        self.open = 0;
        under_way
    }

    /// Fates that nothing can change any more, and the oldest ones where there are too many.
    fn expire(&mut self) {
        let before = self.now - self.timeout - self.timeout;
        let crowded = self.open >= OPEN;
        let most = OPEN / 2 / self.sessions.len().max(1);
        for session in self.sessions.values_mut() {
            while let Some((_, oldest)) = session.flights.first_key_value()
                && (oldest.at < before || crowded && session.flights.len() > most)
                && let Some((seq, flight)) = session.flights.pop_first()
            {
                self.open = self.open.saturating_sub(1);
                if !flight.answered {
                    self.rows.push_back(session.lost(seq, flight));
                }
            }
        }
    }
}

impl Session {
    /// Another packet; false if it is there already, captured twice.
    fn request(&mut self, at: Wall, name: Name) -> bool {
        let seq = self.extended(name.seq);
        if self.flights.contains_key(&seq) {
            return false;
        }
        self.highest = Some(self.highest.map_or(seq, |highest| highest.max(seq)));
        let flight = Flight {
            at,
            t1: name.t1,
            answered: false,
        };
        self.flights.insert(seq, flight);
        true
    }

    fn reply(
        &mut self,
        at: Wall,
        reply: &Reply,
        datagram: &Datagram<'_>,
        timeout: Delta,
    ) -> Option<Row> {
        self.highest?;
        let seq = self.extended(reply.name.seq);
        let flight = self.flights.get_mut(&seq)?;
        if flight.t1 != reply.name.t1 {
            return None;
        }
        let fate = if std::mem::replace(&mut flight.answered, true) {
            Fate::Duplicate
        } else if at - flight.at > timeout {
            Fate::Late
        } else {
            Fate::Received
        };
        let [t2, t3] = reply.times(at);
        let residence = t3 - t2;
        // As a sender decides: what is a little below zero is the stamps' own error.
        let implausible = residence < Delta::ZERO || residence > at - flight.at + STAMP_ERROR;
        let mut sample = sample(seq, *flight);
        sample.fate = fate;
        sample.t2 = Some(t2);
        sample.t3 = Some(t3);
        sample.t4 = Some(captured(at));
        sample.reflector_seq = Some(reply.reflector_seq);
        sample.ttl_forward = reply.ttl;
        sample.ttl_backward = Some(datagram.ttl);
        sample.tos_backward = Some(Tos(datagram.tos.0));
        sample.excluded = implausible.then_some(Exclusion::Implausible);
        Some(self.row(sample))
    }

    fn lost(&self, seq: u64, flight: Flight) -> Row {
        self.row(sample(seq, flight))
    }

    fn row(&self, sample: Sample) -> Row {
        Row {
            session: self.number,
            record: Record::Sample(sample),
        }
    }

    /// The number of 64 bits that is nearest to the highest so far.
    fn extended(&self, seq: u32) -> u64 {
        let Some(highest) = self.highest else {
            return seq.into();
        };
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
        let ahead = seq.wrapping_sub(highest as u32).cast_signed();
        highest
            .checked_add_signed(ahead.into())
            .unwrap_or_else(|| seq.into())
    }
}

fn captured(at: Wall) -> Stamp {
    Stamp {
        at,
        rung: Rung::Kernel,
    }
}

/// A packet without an answer.
fn sample(seq: u64, flight: Flight) -> Sample {
    Sample {
        seq,
        fate: Fate::Lost,
        t1: captured(flight.at),
        t2: None,
        t3: None,
        t4: None,
        reflector_seq: None,
        ttl_forward: None,
        ttl_backward: None,
        tos_forward: None,
        tos_backward: None,
        departure: Delta::ZERO,
        excluded: None,
    }
}
