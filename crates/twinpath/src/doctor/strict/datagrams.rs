//! Trials by datagrams: each between two plain packets, from a port of its own.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::stamp::StampKey;
use twinpath_runtime::PathOptions;
use twinpath_runtime::probe::{Reply, Train, TrainPacket, TrainSeen};
use twinpath_wire::{Tos, Wall};

use super::form::{Form, Layout, Maker};
use super::heard::Heard;
use super::{Keys, Link, Listed, Outcome, SILENT_ATTEMPTS, Subjects, Trial, Tried, is_open};

/// Trials side by side. With [`INTERVAL`] they bound the rate: 200 packets/s.
const TOGETHER: usize = 4;
const INTERVAL: Duration = Duration::from_millis(20);
/// Packets per second at most.
pub(crate) const MOST_PPS: usize = TOGETHER * 50;
/// How long a reply is waited for.
const PATIENCE: Duration = Duration::from_millis(700);
/// The numbers of the plain packets before and after a trial's.
const BEFORE: u32 = 0x3000_0000;
const AFTER: u32 = 0x3000_0001;
/// Plain packets that show whether a part can be tried at all.
const GATE_PACKETS: u32 = 3;

/// Datagrams and their judge.
#[derive(Debug)]
pub(crate) struct Datagrams {
    /// The datagrams, in order.
    pub(super) packets: fn(&Maker) -> Vec<Vec<u8>>,
    /// What the replies say.
    pub(super) judge: fn(&Heard<'_>) -> Outcome,
}

/// Where a part is tried, and what must work before it is.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(super) form: Form,
    /// Where; `Err`: why not at all.
    pub(super) subject: fn(&Subjects, &Keys) -> Result<SocketAddr, &'static str>,
    /// Why not, after plain packets were answered so.
    pub(super) closed: fn(&Heard<'_>) -> Option<&'static str>,
}

/// No more has to work than that plain packets are answered.
pub(super) fn open(_: &Heard<'_>) -> Option<&'static str> {
    None
}

/// The packets of each trial, its plain ones among them.
fn sizes(gate: &Gate, trials: &[Trial<Datagrams>]) -> Vec<usize> {
    let maker = Maker {
        form: gate.form,
        now: Wall::from_unix_ns(0),
        key: None,
    };
    let each = trials.iter();
    each.map(|trial| (trial.how.packets)(&maker).len() + 2)
        .collect()
}

/// Datagrams that these trials send at most.
pub(super) fn most_packets(gate: &Gate, trials: &[Trial<Datagrams>]) -> usize {
    GATE_PACKETS as usize + SILENT_ATTEMPTS * sizes(gate, trials).iter().sum::<usize>()
}

/// How long these trials take at most.
pub(super) fn most_time(gate: &Gate, trials: &[Trial<Datagrams>]) -> Duration {
    let time = |packets: usize| INTERVAL * u32::try_from(packets).unwrap_or(u32::MAX) + PATIENCE;
    let sizes = sizes(gate, trials);
    let turns = sizes.chunks(TOGETHER);
    let turn = |turn: &[usize]| time(turn.iter().copied().max().unwrap_or(0));
    let attempt: Duration = turns.map(turn).sum();
    // Further attempts have no more turns than the first.
    time(GATE_PACKETS as usize) + attempt * 3
}

/// Makes these trials.
pub(super) fn run(
    gate: &Gate,
    trials: &[Trial<Datagrams>],
    subjects: &Subjects,
    keys: &Keys,
    link: &mut dyn Link,
) -> Vec<Tried> {
    let all_skipped = |why: &str| {
        let each = trials.iter();
        each.map(|trial| Tried::of(Listed::of(trial), Outcome::skipped(why)))
            .collect()
    };
    let far = match (gate.subject)(subjects, keys) {
        Ok(far) => far,
        Err(why) => return all_skipped(why),
    };
    let mut run = Run {
        gate,
        far,
        key: keys.stamp(far),
        is_lossy: false,
    };
    if let Err(why) = run.try_gate(link) {
        return all_skipped(why);
    }
    let mut outcomes: Vec<Option<Outcome>> = trials.iter().map(|_| None).collect();
    for attempt in 0..SILENT_ATTEMPTS {
        let each = outcomes.iter().enumerate();
        let open: Vec<usize> = each
            .filter(|(_, known)| is_open(known.as_ref(), attempt))
            .map(|(place, _)| place)
            .collect();
        for places in open.chunks(TOGETHER) {
            let turn = places.iter().filter_map(|place| trials.get(*place));
            let Some(judged) = run.attempt(&turn.collect::<Vec<_>>(), link) else {
                let settled = outcomes
                    .into_iter()
                    .map(|outcome| outcome.map(|known| known.settled(attempt)));
                return end(trials, settled.collect());
            };
            for (place, outcome) in places.iter().zip(judged) {
                if let Some(known) = outcomes.get_mut(*place) {
                    *known = Some(match known.take() {
                        None => outcome,
                        Some(first) => outcome.after(first),
                    });
                }
            }
        }
    }
    if run.is_lossy {
        for outcome in outcomes.iter_mut().flatten() {
            *outcome = outcome.clone().where_packets_are_lost();
        }
    }
    end(trials, outcomes)
}

fn end(trials: &[Trial<Datagrams>], outcomes: Vec<Option<Outcome>>) -> Vec<Tried> {
    let each = trials.iter().zip(outcomes);
    each.map(|(trial, outcome)| {
        Tried::of(
            Listed::of(trial),
            outcome.unwrap_or_else(|| Outcome::skipped("stopped before")),
        )
    })
    .collect()
}

struct Run<'a> {
    gate: &'a Gate,
    far: SocketAddr,
    key: Option<&'a StampKey>,
    /// Plain packets were not answered.
    is_lossy: bool,
}

impl Run<'_> {
    fn maker(&self, now: Wall) -> Maker {
        Maker {
            form: self.gate.form,
            now,
            key: self.key.cloned(),
        }
    }

    fn layout(&self) -> Layout {
        self.gate.form.layout()
    }

    fn train(&self, packets: &[Vec<u8>]) -> Train {
        let packet = |octets: &Vec<u8>| TrainPacket {
            octets: octets.clone(),
            tos: Tos(0),
        };
        Train {
            far: self.far,
            path: PathOptions::default(),
            packets: packets.iter().map(packet).collect(),
            interval: INTERVAL,
            patience: PATIENCE,
            number_at: Some(self.layout().sender_number),
            stops_where_closed: false,
            is_first: false,
        }
    }

    /// Whether the part can be tried; `Err`: why not.
    fn try_gate(&mut self, link: &mut dyn Link) -> Result<(), &'static str> {
        let maker = self.maker(link.now());
        let packets: Vec<_> = (0..GATE_PACKETS)
            .map(|number| maker.plain(number))
            .collect();
        let seen = link
            .trains(&[self.train(&packets)])
            .and_then(|seen| seen.into_iter().next());
        let Some(Ok(seen)) = seen else {
            return Err("stopped before");
        };
        let heard = Heard {
            layout: self.layout(),
            key: self.key,
            requests: &packets,
            replies: &seen.replies,
        };
        let is_answered = |packet: &Vec<u8>| heard.replies_to(packet).next().is_some();
        let answered = packets.iter().filter(|packet| is_answered(packet)).count();
        if answered == 0 {
            return Err("plain packets are not answered");
        }
        if let Some(why) = (self.gate.closed)(&heard) {
            return Err(why);
        }
        self.is_lossy = answered < packets.len();
        Ok(())
    }

    /// Makes these trials side by side; `None`: it was stopped.
    fn attempt(
        &mut self,
        trials: &[&Trial<Datagrams>],
        link: &mut dyn Link,
    ) -> Option<Vec<Outcome>> {
        let maker = self.maker(link.now());
        let plain = [maker.plain(BEFORE), maker.plain(AFTER)];
        let packets: Vec<_> = trials
            .iter()
            .map(|trial| (trial.how.packets)(&maker))
            .collect();
        let trains: Vec<_> = packets
            .iter()
            .map(|packets| {
                let [before, after] = &plain;
                let all = std::iter::once(before).chain(packets).chain([after]);
                self.train(&all.cloned().collect::<Vec<_>>())
            })
            .collect();
        let seen = link.trains(&trains)?;
        let each = trials.iter().zip(&packets).zip(seen);
        Some(
            each.map(|((trial, packets), seen)| self.judge(trial, &plain, packets, seen))
                .collect(),
        )
    }

    fn judge(
        &mut self,
        trial: &Trial<Datagrams>,
        plain: &[Vec<u8>; 2],
        packets: &[Vec<u8>],
        seen: Result<TrainSeen, String>,
    ) -> Outcome {
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return Outcome::unclear(error),
        };
        let layout = self.layout();
        let all = Heard {
            layout,
            key: self.key,
            requests: plain,
            replies: &seen.replies,
        };
        let of_plain: Vec<&Reply> = plain
            .iter()
            .flat_map(|packet| all.replies_to(packet))
            .collect();
        let is_alive = plain
            .iter()
            .all(|packet| all.replies_to(packet).next().is_some());
        let replies: Vec<Reply> = seen
            .replies
            .iter()
            .filter(|reply| !of_plain.contains(reply))
            .cloned()
            .collect();
        self.is_lossy |= !is_alive;
        (trial.how.judge)(&Heard {
            requests: packets,
            replies: &replies,
            ..all
        })
    }
}
