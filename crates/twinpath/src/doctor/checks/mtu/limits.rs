//! Which sizes pass each way, from what came of ladders.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use twinpath_runtime::probe::{Departure, HostSeen, IcmpKind};

use crate::doctor::ladder::Ladder;
use crate::doctor::train::PACED;
use crate::doctor::{Exchange, Seen};

/// With losses, a size whose packets are all lost fails only if chance would rarely do the same.
const CHANCE: f64 = 1e-4;

/// What became of packets of one size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried {
    pub(super) left: usize,
    /// This host did not send them.
    refused: usize,
    /// Replies of the same length, which came whole.
    whole: usize,
    /// Replies of the same length, in fragments.
    fragmented: usize,
    /// Shorter replies.
    shorter: usize,
    /// Without a reply: whether they arrived, by the reflector's numbers; `None`: unknown.
    arrived: Option<bool>,
}

/// The largest size that passes, and the smallest above it that does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) passes: Option<u16>,
    pub(super) fails: Option<u16>,
}

/// Why no larger packet passes on the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutEnd {
    /// The MTU of this host's interface.
    Interface,
    /// Larger ones were not tried.
    LargestTried,
    /// An ICMP error has this MTU.
    Told { mtu: u32, by: Option<IpAddr> },
    /// They do not arrive, and no ICMP error comes back.
    Vanish,
    /// Neither replies nor ICMP errors come back; the way is unknown.
    Unanswered,
}

/// Why no larger reply comes back whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackEnd {
    /// No larger request arrived.
    NotFound,
    /// They come in fragments.
    Fragments,
    /// They are lost.
    Lost,
}

impl OutEnd {
    /// Its name in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::LargestTried => "largest-tried",
            Self::Told { .. } => "told",
            Self::Vanish => "vanish",
            Self::Unanswered => "unanswered",
        }
    }
}

impl BackEnd {
    /// Its name in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Fragments => "fragments",
            Self::Lost => "lost",
        }
    }
}

/// Sizes that pass each way.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) far: Option<SocketAddr>,
    pub(super) out: Gap,
    /// Of replies that have the length of their requests.
    pub(super) back: Gap,
    /// The smallest MTU of an ICMP error, and its source.
    pub(super) told: Option<(u32, Option<IpAddr>)>,
    pub(super) tried: BTreeMap<u16, Tried>,
    interface: Option<u32>,
}

impl Limits {
    /// `None`: no ladder was sent.
    pub(super) fn of(seen: &Seen, far: SocketAddr) -> Option<Self> {
        let mut tried: BTreeMap<u16, Tried> = BTreeMap::new();
        let mut told: Option<(u32, Option<IpAddr>)> = None;
        for (ladder, exchange) in seen.ladders(far).filter(|(ladder, _)| ladder.is_whole) {
            record(ladder, &exchange, &mut tried);
            for refusal in &exchange.seen.refusals {
                if let IcmpKind::TooBig { mtu: mtu @ 1.. } = refusal.kind
                    && told.is_none_or(|(known, _)| mtu < known)
                {
                    told = Some((mtu, refusal.from));
                }
            }
        }
        if tried.is_empty() {
            return None;
        }
        let interface = seen
            .host(far)
            .and_then(|HostSeen { interface_mtu, .. }| interface_mtu);
        Some(Self {
            far: Some(far),
            out: gap(&tried, Tried::passes_out, |size| {
                !size.passes_out() && size.left + size.refused > 0
            }),
            back: gap(&tried, |size| size.whole > 0, Tried::fails_back),
            told,
            tried,
            interface,
        })
    }

    /// Why nothing larger passes on the way out.
    pub(super) fn out_end(&self) -> OutEnd {
        let Some(fails) = self.out.fails else {
            let is_interface = self.out.passes.map(u32::from) == self.interface;
            return if is_interface {
                OutEnd::Interface
            } else {
                OutEnd::LargestTried
            };
        };
        let size = self.tried.get(&fails).copied().unwrap_or_default();
        match self.told {
            _ if size.left == 0 => OutEnd::Interface,
            Some((mtu, by)) if u32::from(fails) > mtu => OutEnd::Told { mtu, by },
            _ if size.arrived == Some(false) => OutEnd::Vanish,
            _ => OutEnd::Unanswered,
        }
    }

    /// Why no larger reply comes back whole.
    pub(super) fn back_end(&self) -> BackEnd {
        match self.back.fails.and_then(|fails| self.tried.get(&fails)) {
            Some(size) if size.fragmented > 0 => BackEnd::Fragments,
            Some(_) => BackEnd::Lost,
            None => BackEnd::NotFound,
        }
    }

    /// The sizes that fail without a reason, of each way.
    pub(super) fn silent(&self) -> impl Iterator<Item = (Gap, Tried)> + '_ {
        let out = matches!(self.out_end(), OutEnd::Vanish | OutEnd::Unanswered).then_some(self.out);
        let back = (self.back_end() == BackEnd::Lost).then_some(self.back);
        let gaps = out.into_iter().chain(back);
        gaps.filter_map(|gap| Some((gap, *self.tried.get(&gap.fails?)?)))
    }

    /// Whether losses that do not depend on the size can have made no failure.
    pub(super) fn is_certain(&self, seen: &Seen) -> bool {
        let paced = self.far.and_then(|far| seen.train(far, &PACED));
        let loss = paced.map_or(1.0, |exchange| {
            let (answered, sent) = (exchange.round_trips().count(), exchange.requests.len());
            ratio(sent.saturating_sub(answered), sent)
        });
        let chance = |tried: Tried| loss.powi(i32::try_from(tried.left).unwrap_or(i32::MAX));
        self.silent().all(|(_, tried)| chance(tried) < CHANCE)
    }
}

impl Tried {
    fn passes_out(&self) -> bool {
        self.answered() > 0 || self.arrived == Some(true)
    }

    /// It arrives, and does not come back whole.
    fn fails_back(&self) -> bool {
        self.whole == 0
            && (self.fragmented > 0 || (self.answered() == 0 && self.arrived == Some(true)))
    }

    fn answered(&self) -> usize {
        self.whole + self.fragmented + self.shorter
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    let of = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    of(part) / of(whole.max(1))
}

fn gap(
    tried: &BTreeMap<u16, Tried>,
    passes: impl Fn(&Tried) -> bool,
    fails: impl Fn(&Tried) -> bool,
) -> Gap {
    let mut sizes = tried.iter().rev();
    let largest = sizes
        .find(|(_, size)| passes(size))
        .map(|(octets, _)| *octets);
    let mut above = tried.range(largest.map_or(0, |octets| octets.saturating_add(1))..);
    let next = above
        .find(|(_, size)| fails(size))
        .map(|(octets, _)| *octets);
    Gap {
        passes: largest,
        fails: next,
    }
}

/// Adds what came of a ladder.
fn record(ladder: &Ladder, exchange: &Exchange<'_>, tried: &mut BTreeMap<u16, Tried>) {
    let mut silent = Vec::new();
    let mut is_even = true;
    for (step, octets) in ladder.sizes().iter().enumerate() {
        let size = tried.entry(*octets).or_default();
        let (mut left, mut answered) = (0, 0);
        for place in ladder.places(step) {
            match exchange.seen.departures.get(place) {
                Some(Departure::Left(_)) => left += 1,
                Some(Departure::Failed(_)) => size.refused += 1,
                None => {}
            }
            let Some((reply, _)) = exchange.replies_to(place).next() else {
                continue;
            };
            answered += 1;
            let asked = exchange.requests.get(place).map_or(0, Vec::len);
            match reply.fragment_octets {
                _ if reply.octets.len() < asked => size.shorter += 1,
                Some(_) => size.fragmented += 1,
                None => size.whole += 1,
            }
        }
        size.left += left;
        is_even &= answered == 0 || answered == left;
        if answered == 0 && left > 0 {
            silent.push((*octets, left));
        }
    }
    let Some(mut arrived) = unanswered_arrivals(ladder, exchange).filter(|_| is_even) else {
        return;
    };
    // The smallest arrive; a count that does not fit says nothing.
    let mut each = Vec::new();
    for (octets, left) in silent {
        let is_there = arrived >= left;
        arrived -= if is_there { left } else { 0 };
        each.push((octets, is_there));
    }
    if arrived == 0 {
        for (octets, is_there) in each {
            tried.entry(octets).or_default().arrived = Some(is_there);
        }
    }
}

/// Of the packets without a reply, how many the reflector counted between the ends of the ladder. `None`: an end
/// has no reply, or the reflector does not count.
fn unanswered_arrivals(ladder: &Ladder, exchange: &Exchange<'_>) -> Option<usize> {
    let last = ladder.count().checked_sub(1)?;
    let (_, begin) = exchange.replies_to(0).next()?;
    let (_, end) = exchange.replies_to(last).next()?;
    let (begin, end) = (begin.head, end.head);
    if begin.seq == begin.sender_seq {
        return None;
    }
    let counted = end.seq.get().wrapping_sub(begin.seq.get());
    let counted = usize::try_from(counted)
        .ok()
        .filter(|counted| *counted <= last)?;
    let answered = (1..last)
        .filter(|place| exchange.replies_to(*place).next().is_some())
        .count();
    counted.checked_sub(answered + 1)
}
