//! One session: which packets go on with it, and where it was captured.

use std::cmp::Ordering;
use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::sender::Wire;
use twinpath_wire::{Delta, SenderOpen, TimeFormat, Tos, Wall};

use super::evidence::{MAX_GAP, is_near};
use super::flows::Ends;
use super::layout::Layout;

/// The most interfaces of a session that are counted.
const INTERFACES: usize = 16;

/// The protocol, as far as a packet shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Light,
    Stamp {
        ssid: u16,
        /// The Sender Micro-session ID (RFC 9534); 0: none.
        micro_session: u16,
    },
}

/// How well a packet goes on with a session; the lower the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// When it is due, this far off.
    Due(u64),
    /// The numbers and times go on.
    Later,
    /// It was overtaken.
    Overtaken,
    /// The numbers go on, but T1 went back: a clock stepped.
    Stepped,
}

#[derive(Clone, Copy, Debug)]
struct InterfaceCounts {
    interface: u32,
    requests: u64,
    replies: u64,
    /// Replies that had been seen elsewhere before.
    passed_on: u64,
    /// Requests that were seen here before they were seen anywhere else.
    first: u64,
    ttl: u8,
}

/// A session between its first packet and its last.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) sender: SocketAddr,
    pub(super) reflector: SocketAddr,
    pub(super) tos: Tos,
    pub(super) ttl: u8,
    layout: Layout,
    kind: Kind,
    time_format: TimeFormat,
    octets: usize,
    requests: u64,
    /// When the first and the last request were captured.
    begun: Wall,
    last: Wall,
    /// Numbers, of 64 bits, and T1 of the first packet and of the one with the highest number.
    first_seq: u64,
    first_t1: u64,
    highest: u64,
    highest_t1: u64,
    /// Requests that one interface showed again at once.
    again: u64,
    interfaces: Vec<InterfaceCounts>,
}

impl Run {
    pub(super) fn new(
        ends: Ends,
        form: (Layout, Kind, TimeFormat),
        first: (Wall, u32, u64),
        marking: (Tos, u8, usize),
    ) -> Self {
        let (at, seq, t1) = first;
        Self {
            sender: ends.0,
            reflector: ends.1,
            tos: marking.0,
            ttl: marking.1,
            octets: marking.2,
            layout: form.0,
            kind: form.1,
            time_format: form.2,
            requests: 0,
            begun: at,
            last: at,
            first_seq: seq.into(),
            first_t1: t1,
            highest: seq.into(),
            highest_t1: t1,
            again: 0,
            interfaces: Vec::new(),
        }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn ssid(&self) -> u16 {
        match self.kind {
            Kind::Stamp { ssid, .. } => ssid,
            Kind::Light => 0,
        }
    }

    pub(super) fn wire(&self) -> Wire {
        match (self.kind, self.layout) {
            (Kind::Stamp { ssid, .. }, Layout::Open) => Wire::stamp_in(self.time_format, ssid),
            (Kind::Stamp { ssid, .. }, Layout::StampAuthenticated) => {
                Wire::stamp_in(self.time_format, ssid).authenticated()
            }
            (Kind::Light, _) => Wire::TWAMP_LIGHT,
        }
    }

    /// As `--padding` counts it: octets behind those of an open request.
    pub(super) fn padding(&self) -> i64 {
        let padding = self.octets.saturating_sub(SenderOpen::OCTETS);
        i64::try_from(padding).unwrap_or(i64::MAX)
    }

    /// The mean time between two requests.
    pub(super) fn interval(&self) -> Duration {
        let span = u64::try_from((self.last - self.begun).ns()).unwrap_or(0);
        let gaps = self.requests.saturating_sub(1);
        Duration::from_nanos(span.checked_div(gaps).unwrap_or(0))
    }

    /// Whether a packet of this form can belong to it. STAMP sessions differ by their SSID, and those of
    /// member links by their Micro-session ID (RFC 9534 section 2);
    /// TWAMP Light can look like STAMP in packets of some sizes.
    pub(super) fn is_of(&self, layout: Layout, kind: Kind) -> bool {
        let is_light = [self.kind, kind].contains(&Kind::Light);
        self.layout == layout && (is_light || self.kind == kind)
    }

    /// The number of 64 bits that is nearest to the highest so far.
    pub(super) fn extended(&self, seq: u32) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
        let ahead = seq.wrapping_sub(self.highest as u32).cast_signed();
        let seq = u64::from(seq);
        self.highest.checked_add_signed(ahead.into()).unwrap_or(seq)
    }

    /// Whether a packet, whose number is not in flight, goes on with it. Numbers that begin again
    /// while T1 goes on are another session's.
    pub(super) fn fit(
        &self,
        seq: u64,
        t1: u64,
        kind: Kind,
        at: Wall,
        timeout: Delta,
    ) -> Option<Fit> {
        let ahead = seq.wrapping_sub(self.highest).cast_signed();
        let later = t1.wrapping_sub(self.highest_t1).cast_signed();
        if ahead <= 0 && (kind != self.kind || at - self.last > timeout + timeout) {
            return None;
        }
        if let Some(gap) = self.gap() {
            let due = i128::from(ahead) * i128::from(gap);
            let off = (i128::from(later) - due).unsigned_abs();
            if off <= u128::from(gap / 4) {
                return Some(Fit::Due(u64::try_from(off).unwrap_or(u64::MAX)));
            }
        }
        // As many as there were time for, and some more.
        let time_for = self
            .gap()
            .and_then(|gap| later.max(0).checked_div(gap.cast_signed()));
        if ahead > time_for.unwrap_or(0).saturating_mul(4).max(MAX_GAP.into()) {
            return None;
        }
        let since_first = t1.wrapping_sub(self.first_t1).cast_signed();
        match (ahead > 0, later >= 0) {
            (true, true) => Some(Fit::Later),
            (true, false) => Some(Fit::Stepped),
            // The order of equal T1 is unknown.
            (false, _) if later <= 0 && (since_first >= 0 || seq < self.first_seq) => {
                Some(Fit::Overtaken)
            }
            (false, _) => None,
        }
    }

    /// The mean difference between T1 of two packets that follow each other, in their own units.
    fn gap(&self) -> Option<u64> {
        let numbers = self.highest.checked_sub(self.first_seq)?;
        let span = self.highest_t1.wrapping_sub(self.first_t1).cast_signed();
        u64::try_from(span).ok()?.checked_div(numbers)
    }

    /// The number behind the highest so far.
    pub(super) fn next(&self) -> u64 {
        self.highest.saturating_add(1)
    }

    /// How many numbers there are from its first to its last.
    pub(super) fn numbers(&self) -> u64 {
        self.highest.saturating_sub(self.first_seq) + 1
    }

    /// Whether this number is before its first packet, between those that there are, or behind.
    pub(super) fn place_of(&self, seq: u64) -> Ordering {
        match seq {
            _ if seq < self.first_seq => Ordering::Less,
            _ if seq > self.highest => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }

    /// Whether a packet that fits is near enough for that alone: by its number, and its T1 where those of
    /// this session are times. Others may be of no session at all.
    pub(super) fn is_near(&self, seq: u64, t1: u64, at: Wall) -> bool {
        let is_timed = is_near(self.highest_t1, self.last);
        seq.abs_diff(self.highest) <= MAX_GAP.into() && (!is_timed || is_near(t1, at))
    }

    /// T1 is the same in all packets: of a sender without a clock.
    pub(super) fn is_without_clock(&self) -> bool {
        self.first_t1 == self.highest_t1 && (self.first_t1 == 0 || self.highest > self.first_seq)
    }

    /// Whether it has been silent for so long that packets that fit another session are not its.
    pub(super) fn is_over(&self, at: Wall, timeout: Delta) -> bool {
        let silent = (at - self.last).ns();
        let interval = i64::try_from(self.interval().as_nanos()).unwrap_or(i64::MAX);
        silent > timeout.ns().max(interval.saturating_mul(4))
    }

    pub(super) fn departed(&mut self, seq: u64, t1: u64, at: Wall) {
        self.requests += 1;
        self.begun = self.begun.min(at);
        self.last = self.last.max(at);
        if seq >= self.highest {
            (self.highest, self.highest_t1) = (seq, t1);
        }
        if seq < self.first_seq {
            (self.first_seq, self.first_t1) = (seq, t1);
        }
    }

    /// How many requests it has, without copies.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// A request of it was captured again; `at_once`, by the same interface.
    pub(super) fn copied(&mut self, at_once: bool) {
        self.again += u64::from(at_once);
    }

    /// How often one interface shows each packet again: once, as a port does that mirrors what comes and
    /// what goes.
    pub(super) fn repeats_per_interface(&self) -> u64 {
        let half = self.requests.div_ceil(2);
        (self.again + self.requests - half)
            .checked_div(self.requests)
            .unwrap_or(0)
    }

    pub(super) fn request_at(&mut self, interface: u32, ttl: u8, first: bool) {
        if let Some(place) = self.interface_counts(interface) {
            place.requests += 1;
            place.first += u64::from(first);
            place.ttl = place.ttl.max(ttl);
        }
    }

    /// `again`: another interface had it before.
    pub(super) fn reply_at(&mut self, interface: u32, again: bool) {
        if let Some(place) = self.interface_counts(interface) {
            place.replies += 1;
            place.passed_on += u64::from(again);
        }
    }

    fn interface_counts(&mut self, interface: u32) -> Option<&mut InterfaceCounts> {
        let known = self
            .interfaces
            .iter()
            .position(|place| place.interface == interface);
        let place = match known {
            Some(place) => place,
            None if self.interfaces.len() < INTERFACES => {
                self.interfaces.push(InterfaceCounts {
                    interface,
                    requests: 0,
                    replies: 0,
                    passed_on: 0,
                    first: 0,
                    ttl: 0,
                });
                self.interfaces.len() - 1
            }
            None => return None,
        };
        self.interfaces.get_mut(place)
    }

    /// The interface where times are taken, where packets pass several: the one nearest the sender, by
    /// the TTL and by which sees requests first. It sees nearly all requests, and replies after another
    /// interface has; where packets are spread over interfaces, there is none like it.
    pub(super) fn place(&self) -> Option<u32> {
        if self.interfaces.len() < 2 {
            return None;
        }
        let unanswered = self.interfaces.iter().all(|place| place.replies == 0);
        let sees_all = |place: &&InterfaceCounts| {
            let sees_last = place.replies > 0 && place.passed_on * 2 >= place.replies;
            place.requests * 10 >= self.requests * 9 && (unanswered || sees_last)
        };
        let nearest = self
            .interfaces
            .iter()
            .filter(sees_all)
            .max_by_key(|place| (place.ttl, place.first, std::cmp::Reverse(place.interface)));
        nearest.map(|place| place.interface)
    }

    /// It was captured at this many interfaces.
    pub(super) fn interfaces(&self) -> usize {
        self.interfaces.len()
    }
}
