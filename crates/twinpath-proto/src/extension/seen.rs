//! What the replies of a session have of one type of TLV.

use serde::{Deserialize, Serialize};
use twinpath_wire::TlvType;

use super::learn::{Facts, is_zero};
use super::{Extension, of};

/// A type of TLV in the replies of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its type.
    #[serde(with = "type_number")]
    pub kind: TlvType,
    /// Replies in which the far end had processed it.
    pub processed: u64,
    /// Replies in which it had not (U).
    pub unrecognized: u64,
    /// Replies in which its Length was wrong (M).
    pub malformed: u64,
    /// Replies in which it was followed in part (C).
    pub unmet: u64,
    /// The value in the reply to the earliest request, of those in which it was processed.
    pub first: Value,
    /// The value in the reply to the latest one.
    pub last: Value,
    /// How often the value differed from that of the processed one before.
    pub changes: u64,
    /// How often the far end's counts began again: `first` and `last` are of those since the last time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u64,
    /// What the counts came to before that, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) before: Vec<u64>,
    /// Processed ones that are not among those from `first` to `last`.
    #[serde(default, skip_serializing_if = "is_zero")]
    apart: u64,
    /// Values behind the last one, which the next one explains.
    #[serde(skip)]
    behind: Option<Behind>,
}

/// Values that are behind the one before them: its request was overtaken, or counts began again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Behind {
    /// The first of them.
    value: Value,
    /// How many.
    replies: u64,
}

/// A value, and the number of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Value {
    /// The request's number.
    pub seq: u64,
    /// As the far end wrote it.
    pub octets: Vec<u8>,
    /// How many further replies to requests had come by then.
    pub further_replies: u64,
}

/// How a value of counts is to the one in the reply to an earlier request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Beyond it.
    Forward,
    /// Behind it, or farther than it can have come: the counts began again, or a request was overtaken.
    Backward,
    /// Neither, or no counts.
    Same,
}

impl Seen {
    /// One that no reply had yet.
    pub fn of(kind: TlvType) -> Self {
        Self {
            kind,
            processed: 0,
            unrecognized: 0,
            malformed: 0,
            unmet: 0,
            first: Value::default(),
            last: Value::default(),
            changes: 0,
            restarts: 0,
            before: Vec::new(),
            apart: 0,
            behind: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> Option<&'static str> {
        Some(of(self.kind)?.name())
    }

    /// Replies that had it.
    pub fn replies(&self) -> u64 {
        self.processed + self.unrecognized + self.malformed
    }

    /// In one reply, processed.
    pub(super) fn once(kind: TlvType, value: &[u8]) -> Self {
        let mut seen = Self::of(kind);
        seen.processed = 1;
        seen.first.octets = value.to_vec();
        seen.last = seen.first.clone();
        seen
    }

    pub(super) fn take(
        &mut self,
        extension: &dyn Extension,
        seq: u64,
        value: &[u8],
        further_replies: u64,
    ) {
        let now = || Value {
            seq,
            octets: value.to_vec(),
            further_replies,
        };
        if self.processed == 0 {
            (self.first, self.last) = (now(), now());
        } else if seq < self.first.seq {
            let order = extension.order(value, &self.first.octets);
            if self.restarts > 0 && order == Order::Backward {
                self.apart += 1;
            } else {
                self.first = now();
            }
        } else if seq > self.last.seq {
            self.go_on(extension, now());
        }
        self.processed += 1;
    }

    /// A value behind the last one waits for the next one: if that is beyond the last one, a request was
    /// overtaken by another, and otherwise the counts began again.
    fn go_on(&mut self, extension: &dyn Extension, now: Value) {
        let order = extension.order(&self.last.octets, &now.octets);
        match (self.behind.take(), order) {
            (None, Order::Backward) => {
                self.apart += 1;
                let (value, replies) = (now, 1);
                self.behind = Some(Behind { value, replies });
            }
            (Some(behind), Order::Backward | Order::Same) => {
                if now.seq > behind.value.seq {
                    self.close(extension);
                    self.apart = self.processed - behind.replies;
                    (self.first, self.last) = (behind.value, now);
                } else {
                    self.apart += 1;
                    let replies = behind.replies + 1;
                    self.behind = Some(Behind { replies, ..behind });
                }
            }
            (behind, Order::Forward | Order::Same) => {
                self.apart -= behind.map_or(0, |behind| behind.replies);
                self.changes += u64::from(self.last.octets != now.octets);
                self.last = now;
            }
        }
    }

    /// The counts have begun again.
    fn close(&mut self, extension: &dyn Extension) {
        self.restarts += 1;
        let amounts = extension.amounts(self);
        self.before.resize(amounts.len(), 0);
        for (sum, amount) in self.before.iter_mut().zip(amounts) {
            *sum = sum.saturating_add(amount);
        }
    }

    /// Replies from the first value to the last, but for that with the first.
    pub(super) fn replies_between(&self) -> u64 {
        let (before, now) = (self.first.further_replies, self.last.further_replies);
        let first_ones = self.processed.saturating_sub(self.apart + 1);
        first_ones + now.saturating_sub(before)
    }

    /// What it says, for reports: counts, and what its extension reads in the values.
    pub fn facts(&self) -> Option<(&'static str, Facts)> {
        let extension = of(self.kind)?;
        let mut facts: Facts = vec![("replies", self.processed.into())];
        for (key, count) in [
            ("not_processed", self.unrecognized),
            ("malformed", self.malformed),
        ] {
            facts.push((key, count.into()));
        }
        extension.facts(self, &mut facts);
        Some((extension.name(), facts))
    }
}

/// A type as its number.
mod type_number {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use twinpath_wire::TlvType;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn serialize<S: Serializer>(kind: &TlvType, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(kind.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TlvType, D::Error> {
        u8::deserialize(from).map(TlvType)
    }
}
