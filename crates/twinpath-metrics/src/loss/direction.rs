//! Loss by direction, from the reflector's own sequence numbers (rows M-24 to M-31; RFC 5357
//! section 4.2.1, RFC 6673 section 7, RFC 8762 section 4).

use serde::{Deserialize, Serialize};
use twinpath_wire::{Fate, Sample, Wall};

use crate::loss::epoch::{Epoch, EpochLosses, SMALL, Start, UnansweredCounts};
use crate::loss::seen::{Seen, SeenWindow};

/// Whether the reflector keeps its own counter per session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReflectorKind {
    /// It does: TWAMP set up by TWAMP-Control guarantees it (RFC 5357 section 4.2.1).
    Stateful,
    /// It does not (RFC 8762 section 4): no loss has a direction.
    Stateless,
    /// Unknown: assumed to count as soon as one of its numbers differs from the sender's (row
    /// M-30).
    #[default]
    #[serde(other)]
    Undeclared,
}

/// Attributes losses to a direction. Constant memory.
#[derive(Clone, Debug)]
pub(crate) struct LossDirection {
    kind: ReflectorKind,
    lost: u64,
    replies: u64,
    equal: bool,
    first: Option<(u64, Wall)>,
    least: u64,
    /// Numbers without a reply whose fate was known before the first reply.
    early_lost: UnansweredCounts,
    early_not_sent: UnansweredCounts,
    seen: SeenWindow,
    current: Option<Epoch>,
    previous: Option<Box<Epoch>>,
    /// Counts of the epochs before `previous`.
    earlier: EpochLosses,
    restarts: u64,
    /// The source address changed after the reply to this number: later replies are from another
    /// counter.
    source_changed: Option<u64>,
}

/// What a reply shows about the reflector's counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attribution {
    /// The counter restarted with this reply, or a new one began.
    pub(crate) begun_again: bool,
    /// The reflector's number in full, unless it is from before the last restart.
    pub(crate) number: Option<i64>,
    /// Where a copy was made.
    pub(crate) copied: Option<CopyOrigin>,
}

/// Where a further copy of a reply was made (row M-38).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyOrigin {
    /// Outbound, or the reflector answered twice: the copy has its own number.
    Forward,
    /// Inbound.
    Backward,
}

/// The epoch of a packet without a reply.
enum EpochOf<'a> {
    Epoch(&'a mut Epoch),
    BeforeAnyReply,
    /// Between two epochs, or in a finished one.
    Unknown,
}

/// The result of [`LossDirection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Directions {
    pub(crate) forward: Option<u64>,
    pub(crate) backward: Option<u64>,
    pub(crate) unattributed: u64,
    /// Losses whose direction a counter, if any, shows.
    pub(crate) before_a_reply: u64,
    pub(crate) uncertain: bool,
    pub(crate) numbers_equal: bool,
    pub(crate) restarts: u64,
    /// Whether the reflector keeps a counter, as declared or as observed.
    pub(crate) counted: bool,
}

impl LossDirection {
    pub(crate) fn new(kind: ReflectorKind) -> Self {
        Self {
            kind,
            lost: 0,
            replies: 0,
            equal: true,
            first: None,
            least: u64::MAX,
            early_lost: UnansweredCounts::default(),
            early_not_sent: UnansweredCounts::default(),
            seen: SeenWindow::new(),
            current: None,
            previous: None,
            earlier: EpochLosses::default(),
            restarts: 0,
            source_changed: None,
        }
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Records one packet's fate or a copy of a reply.
    pub(crate) fn record(&mut self, sample: &Sample) -> Attribution {
        self.least = self.least.min(sample.seq);
        let first = *self.first.get_or_insert((sample.seq, sample.t1.at));
        match sample.fate {
            Fate::Lost => {
                self.lost += 1;
                match self.epoch_of(sample.seq) {
                    EpochOf::Epoch(epoch) => epoch.record_lost(sample.seq),
                    EpochOf::BeforeAnyReply => self.early_lost.record_early(sample.seq),
                    EpochOf::Unknown => {}
                }
                Attribution::default()
            }
            Fate::Late => {
                self.lost += 1;
                self.answer(sample, first)
            }
            Fate::Received => self.answer(sample, first),
            Fate::Duplicate => Attribution {
                copied: self.copy(sample),
                ..Attribution::default()
            },
            Fate::Unawaited => Attribution::default(),
        }
    }

    /// Records a number that the network refused: neither sent nor lost (row M-4).
    pub(crate) fn record_not_sent(&mut self, seq: u64) {
        self.least = self.least.min(seq);
        match self.epoch_of(seq) {
            EpochOf::Epoch(epoch) => epoch.skip(seq),
            EpochOf::BeforeAnyReply => self.early_not_sent.record_early(seq),
            EpochOf::Unknown => {}
        }
    }

    /// Replies to later packets may be from another counter.
    pub(crate) fn record_source_change(&mut self) {
        self.source_changed = self.current.as_ref().map(Epoch::s_max);
    }

    pub(crate) fn value(&self) -> Directions {
        let numbers_equal = self.replies > 0 && self.equal;
        let known = match self.kind {
            ReflectorKind::Undeclared => self.replies > 0 && (!self.equal || self.lost == 0),
            ReflectorKind::Stateful => self.replies > 0,
            ReflectorKind::Stateless => false,
        };
        let counted = match self.kind {
            ReflectorKind::Undeclared => self.replies > 0 && !self.equal,
            ReflectorKind::Stateful => self.replies > 0,
            ReflectorKind::Stateless => false,
        };
        let sum = [self.previous.as_deref(), self.current.as_ref()]
            .into_iter()
            .flatten()
            .fold(self.earlier, |sum, epoch| {
                sum.plus(epoch.losses(self.least))
            });
        Directions {
            forward: known.then_some(sum.forward),
            backward: known.then_some(sum.backward),
            unattributed: if known {
                self.lost.saturating_sub(sum.forward + sum.backward)
            } else {
                self.lost
            },
            before_a_reply: (sum.forward + sum.backward).min(self.lost),
            uncertain: known && sum.uncertain,
            numbers_equal,
            restarts: self.restarts,
            counted,
        }
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.seen.octets() + self.previous.as_deref().map_or(0, size_of_val)
    }

    fn answer(&mut self, sample: &Sample, first: (u64, Wall)) -> Attribution {
        let (Some(number), Some(t3)) = (sample.reflector_seq, sample.t3) else {
            return Attribution::default();
        };
        let s = sample.seq;
        self.compare(s, number);
        if let Some(earlier) = self.earlier(t3, number) {
            let r = earlier.extend(number);
            earlier.answer(s, r, t3, false);
            return Attribution::default();
        }
        let mut begun_again = false;
        let is_of_new_source = self.source_changed.is_some_and(|last| s > last);
        let r = match &self.current {
            None => {
                let r = i64::from(number);
                let mut epoch = Epoch::new(Start::Original, s, r, t3);
                epoch.take_over_unanswered(self.early_lost, self.early_not_sent);
                self.current = Some(epoch);
                r
            }
            Some(current) => {
                let r = current.extend(number);
                let restarted = sample.excluded.is_none()
                    && current.restarted(s, r, t3, || in_flight(sample, first));
                begun_again = is_of_new_source || restarted;
                if is_of_new_source {
                    self.source_changed = None;
                    self.begin_again(Start::Unknown, s, number, t3)
                } else if restarted {
                    self.restart(s, number, t3)
                } else {
                    r
                }
            }
        };
        let again = self.seen.insert(r) == Seen::Again;
        if let Some(current) = &mut self.current {
            current.answer(s, r, t3, again);
        }
        Attribution {
            begun_again,
            number: Some(r),
            copied: None,
        }
    }

    fn copy(&mut self, sample: &Sample) -> Option<CopyOrigin> {
        let (number, t3) = (sample.reflector_seq?, sample.t3?);
        self.compare(sample.seq, number);
        if self.earlier(t3, number).is_some() {
            return None;
        }
        let current = self.current.as_mut()?;
        let r = current.extend(number);
        match self.seen.insert(r) {
            Seen::First => {
                current.copy(sample.seq, r, t3);
                Some(CopyOrigin::Forward)
            }
            Seen::Again => Some(CopyOrigin::Backward),
            Seen::Unknown => None,
        }
    }

    fn compare(&mut self, s: u64, number: u32) {
        self.replies += 1;
        self.equal &= s & u64::from(u32::MAX) == u64::from(number);
    }

    /// The epoch before the current one, if a reply belongs there.
    fn earlier(&mut self, t3: Wall, number: u32) -> Option<&mut Epoch> {
        let previous = self.previous.as_deref_mut()?;
        self.current
            .as_ref()?
            .is_after(t3, number, previous)
            .then_some(previous)
    }

    /// The counter restarted. Losses between the last reply before that and its start have no
    /// direction.
    fn restart(&mut self, s: u64, number: u32, t3: Wall) -> i64 {
        self.restarts += 1;
        let last = self.current.as_ref().map_or(0, Epoch::s_max);
        let start = if u64::from(number) <= SMALL {
            Start::AtZero(
                s.saturating_sub(u64::from(number))
                    .max(last.saturating_add(1)),
            )
        } else {
            Start::Unknown
        };
        self.begin_again(start, s, number, t3)
    }

    /// Opens a new epoch and returns what its first number counts as.
    fn begin_again(&mut self, start: Start, s: u64, number: u32, t3: Wall) -> i64 {
        self.seen.reset();
        let r = i64::from(number);
        let old = self.current.replace(Epoch::new(start, s, r, t3));
        if let Some(settled) = std::mem::replace(&mut self.previous, old.map(Box::new)) {
            self.earlier = self.earlier.plus(settled.losses(self.least));
        }
        r
    }

    /// The epoch in which a packet without a reply was sent.
    fn epoch_of(&mut self, s: u64) -> EpochOf<'_> {
        match (&mut self.current, self.previous.as_deref_mut()) {
            (None, _) => EpochOf::BeforeAnyReply,
            (Some(current), _) if current.covers(s) => EpochOf::Epoch(current),
            (_, Some(previous)) if previous.covers(s) && s <= previous.s_max() => {
                EpochOf::Epoch(previous)
            }
            _ => EpochOf::Unknown,
        }
    }
}

impl EpochLosses {
    fn plus(self, other: Self) -> Self {
        Self {
            forward: self.forward + other.forward,
            backward: self.backward + other.backward,
            uncertain: self.uncertain || other.uncertain,
        }
    }
}

/// Packets in flight when this reply arrived: its round trip divided by the mean interval since the
/// session's first packet, rounded up.
fn in_flight(sample: &Sample, first: (u64, Wall)) -> u64 {
    let numbers = sample.seq.saturating_sub(first.0);
    let elapsed = u64::try_from((sample.t1.at - first.1).ns()).unwrap_or(0);
    let way = sample.t4.map_or(0, |t4| {
        u64::try_from((t4.at - sample.t1.at).ns()).unwrap_or(0)
    });
    let packets = (u128::from(way) * u128::from(numbers)).checked_div(u128::from(elapsed));
    packets.map_or(numbers, |packets| {
        u64::try_from(packets).unwrap_or(u64::MAX).saturating_add(1)
    })
}
