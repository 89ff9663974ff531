//! Steps of the clock that packets were captured with. After one, all packets of a capture have times
//! that are off by the same: requests against their T1, or against each other where the sender's clock
//! is the same and stepped as well, and replies against their T3. A reflector's step shows in replies
//! alone, a sender's in requests alone.
//!
//! They are found in the order of the file, for times put in order hide a step back.

use std::collections::{HashMap, VecDeque};

use twinpath_wire::{Delta, Wall};

use super::flows::Ends;

/// Steps below this are not told from what packets wait.
const LEAST: Delta = Delta::from_ns(10_000_000);
/// The packets after a step that prove it.
const TOLD_BY: u32 = 2;
/// Jumps of one direction that are remembered.
const JUMPS: usize = 8;
/// Flows that are watched, steps and numbers in a row, at most.
const FLOWS: usize = 4_096;
const STEPS: usize = 64;
const MAX_GAP: u32 = 1_000;

/// A step of the clock of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    part: usize,
    /// The last frame before it that is known, and the first one after it.
    after: u64,
    first: u64,
    pub(super) by: Delta,
}

/// A jump of the times of one direction.
#[derive(Clone, Copy, Debug)]
struct Jump {
    after: u64,
    first: u64,
    by: Delta,
}

/// One direction of a flow.
#[derive(Debug, Default)]
struct Side {
    /// How far the capture's times are ahead of those in packets, and the frame that told it.
    offset: Option<(Delta, u64)>,
    /// A jump from there, and how many packets have it.
    next: Option<(Jump, u32)>,
    jumps: VecDeque<Jump>,
}

impl Side {
    fn add(&mut self, frame: u64, offset: Delta) {
        let Some((known, after)) = self.offset else {
            self.offset = Some((offset, frame));
            return;
        };
        let by = offset - known;
        if by.abs_ns() < LEAST.abs_ns() {
            (self.offset, self.next) = (Some((offset, frame)), None);
            return;
        }
        let first = Jump {
            after,
            first: frame,
            by,
        };
        let (jump, count) = match self.next {
            Some((jump, count)) if are_alike(jump.by, by) => (jump, count + 1),
            _ => (first, 1),
        };
        if count < TOLD_BY {
            self.next = Some((jump, count));
            return;
        }
        self.jumped(jump);
        (self.offset, self.next) = (Some((offset, frame)), None);
    }

    fn jumped(&mut self, jump: Jump) {
        if self.jumps.len() >= JUMPS {
            self.jumps.pop_front();
        }
        self.jumps.push_back(jump);
    }
}

/// The requests of a flow, the replies, and the last request: its frame, number and time, and how far it
/// was from the one before.
#[derive(Debug, Default)]
struct Flow {
    requests: Side,
    replies: Side,
    last: Option<(u64, u32, Wall)>,
    gap: Option<Delta>,
}

impl Flow {
    /// The step that both directions show, if they agree.
    fn step(&mut self, part: usize) -> Option<Step> {
        let (requests, replies) = (&self.requests.jumps, &self.replies.jumps);
        let mut pairs = replies
            .iter()
            .flat_map(|reply| requests.iter().map(move |request| (request, reply)));
        let (request, reply) = pairs.find(|(request, reply)| {
            request.after.max(reply.after) < request.first.min(reply.first)
                && are_alike(request.by, reply.by)
        })?;
        let step = Step {
            part,
            after: request.after.max(reply.after),
            first: request.first.min(reply.first),
            by: reply.by,
        };
        self.requests.jumps.clear();
        self.replies.jumps.clear();
        Some(step)
    }
}

fn are_alike(one: Delta, other: Delta) -> bool {
    (one - other).abs_ns() <= one.abs_ns().min(other.abs_ns()) / 4
}

/// A packet of a flow, in the file that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    pub(super) part: usize,
    pub(super) frame: u64,
    pub(super) at: Wall,
    /// T1 of a request, T3 of a reply, as far as it is known.
    pub(super) stamp: Option<Wall>,
    /// Of a request.
    pub(super) seq: Option<u32>,
}

/// Looks for steps.
#[derive(Debug, Default)]
pub(super) struct Steps {
    flows: HashMap<(usize, Ends), Flow>,
    found: Vec<Step>,
}

impl Steps {
    pub(super) fn add(&mut self, ends: Ends, packet: Timed) {
        let key = (packet.part, ends);
        if self.flows.len() >= FLOWS && !self.flows.contains_key(&key) {
            return;
        }
        let flow = self.flows.entry(key).or_default();
        let Timed {
            part, frame, at, ..
        } = packet;
        let side = match packet.seq {
            Some(seq) => {
                flow.requests
                    .spacing(&mut flow.last, &mut flow.gap, (frame, seq, at));
                &mut flow.requests
            }
            None => &mut flow.replies,
        };
        if let Some(stamp) = packet.stamp {
            side.add(frame, at - stamp);
        }
        if let Some(step) = flow.step(part) {
            self.record_step(step);
        }
    }

    /// Several flows show the same step.
    fn record_step(&mut self, step: Step) {
        let same = |known: &&mut Step| {
            known.part == step.part
                && known.after.max(step.after) < known.first.min(step.first)
                && are_alike(known.by, step.by)
        };
        if let Some(known) = self.found.iter_mut().find(same) {
            known.after = known.after.max(step.after);
            known.first = known.first.min(step.first);
        } else if self.found.len() < STEPS {
            self.found.push(step);
        }
    }

    pub(super) fn finish(mut self) -> Vec<Step> {
        self.found.sort_by_key(|step| (step.part, step.first));
        self.found
    }
}

impl Side {
    /// Requests that follow each other otherwise than those before did, by far.
    fn spacing(
        &mut self,
        last: &mut Option<(u64, u32, Wall)>,
        gap: &mut Option<Delta>,
        now: (u64, u32, Wall),
    ) {
        let (first, seq, at) = now;
        // A copy of the last one is no evidence.
        if last.is_some_and(|(_, last, _)| last == seq) {
            return;
        }
        let Some((after, before, then)) = last.replace(now) else {
            return;
        };
        let ahead = seq.wrapping_sub(before);
        if !(1..=MAX_GAP).contains(&ahead) {
            *gap = None;
            return;
        }
        let each = Delta::from_ns((at - then).ns() / i64::from(ahead));
        match *gap {
            Some(known) => {
                let by = (at - then) - Delta::from_ns(known.ns().saturating_mul(i64::from(ahead)));
                if by.abs_ns() >= LEAST.abs_ns() {
                    self.jumped(Jump { after, first, by });
                } else {
                    *gap = Some(each);
                }
            }
            None => *gap = Some(each),
        }
    }
}

/// What a packet's time is off by, and how many steps that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) steps: usize,
    pub(super) by: Delta,
}

/// That of a frame in this part.
pub(super) fn at(steps: &[Step], part: usize, frame: u64) -> Shift {
    let before = |step: &&Step| step.part == part && step.first <= frame;
    let steps = steps.iter().filter(before);
    steps.fold(Shift::default(), |sum, step| Shift {
        steps: sum.steps + 1,
        by: sum.by + step.by,
    })
}
