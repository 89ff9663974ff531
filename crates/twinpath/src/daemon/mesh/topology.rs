//! Which nodes of a mesh measure which others, and when in an interval their packets leave: a pure function of the
//! names of nodes and a seed.
//!
//! Nodes have ranks by a hash of the seed and their names. Of a pair of nodes that both measure, one is its sender:
//! the one from which the other is less than half of the ranks away. So each node has as many pairs as others, and one
//! node more moves few pairs. Phases are multiples of the golden ratio by ranks, so that what any node sends, and what
//! any node is sent, is spread evenly over an interval.

mod rings;

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use rings::Ring;

/// Fractions of an interval are multiples of 2^-32 of it: this is 2^32 divided by the golden ratio.
const GOLDEN: u32 = 0x9e37_79b9;
const HALF: u32 = 1 << 31;

/// The pairs of a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Topology {
    Full,
    Ring,
    Hub,
    Bipartite,
    /// With as many others for each node.
    Sample(u16),
}

/// A node of a mesh.
#[derive(Clone, Copy, Debug)]
pub(in crate::daemon) struct Member<'a> {
    pub(in crate::daemon) name: &'a str,
    /// It measures nothing.
    pub(in crate::daemon) is_passive: bool,
    /// It is a hub, or on the left side.
    pub(in crate::daemon) is_first: bool,
    /// It is on the right side.
    pub(in crate::daemon) is_second: bool,
}

/// A measurement of one node by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct Link {
    /// The place of the node that answers.
    pub(in crate::daemon) to: usize,
    /// Where in an interval its packets leave, in multiples of 2^-32 of it.
    pub(in crate::daemon) phase: u32,
}

/// All links of a mesh.
pub(in crate::daemon) struct Links {
    pairs: Pairs,
    /// Both nodes of a pair measure it.
    are_both: bool,
    passive: Vec<bool>,
    /// Of the whole mesh, so that several meshes are not in step.
    offset: u32,
}

enum Pairs {
    /// Each active node and all others.
    Full {
        active: Order,
        passive: Order,
    },
    Rings(Vec<Ring>),
    Hub {
        hubs: Order,
        active: Order,
        passive: Order,
    },
    Bipartite([Side; 2]),
}

struct Side {
    active: Order,
    passive: Order,
}

/// Nodes by rank.
struct Order {
    nodes: Vec<usize>,
    ranks: HashMap<usize, usize>,
}

impl Order {
    /// These nodes by the hashes of their names.
    fn of(nodes: impl Iterator<Item = usize>, hash: impl Fn(usize) -> u64) -> Self {
        let mut hashed: Vec<(u64, usize)> = nodes.map(|node| (hash(node), node)).collect();
        hashed.sort_unstable();
        let nodes: Vec<usize> = hashed.into_iter().map(|(_, node)| node).collect();
        let ranks = nodes.iter().enumerate();
        let ranks = ranks.map(|(rank, node)| (*node, rank)).collect();
        Self { nodes, ranks }
    }

    fn len(&self) -> usize {
        self.nodes.len()
    }

    fn rank(&self, node: usize) -> Option<usize> {
        self.ranks.get(&node).copied()
    }

    /// Each node with its rank.
    fn ranked(&self) -> impl Iterator<Item = (usize, usize)> {
        self.nodes.iter().copied().enumerate()
    }
}

/// The multiple of the golden ratio for two ranks.
fn phase(one: usize, other: usize) -> u32 {
    // Only the low bits count.
    let sum = u32::try_from((one + other) & 0xffff_ffff).unwrap_or_default();
    sum.wrapping_mul(GOLDEN)
}

/// A hash of names, the same on every host: SHA-256 of them, a zero octet between each two.
fn hash(parts: &[&str]) -> u64 {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part.as_bytes());
        sha.update([0]);
    }
    let octets = sha.finalize();
    octets
        .iter()
        .take(8)
        .fold(0, |number, octet| number << 8 | u64::from(*octet))
}

/// Whether the node with this rank of `of` is the sender of its pair with a node of rank `other_rank` of `others`, and
/// not the other one.
fn is_sender(rank: usize, of: usize, other_rank: usize, others: usize) -> bool {
    let all = of * others;
    let distance = (other_rank * of + all - rank * others) % all;
    if distance == 0 || 2 * distance == all {
        // Neither is nearer.
        return rank.is_multiple_of(2);
    }
    2 * distance < all
}

impl Links {
    /// The links of a mesh of these nodes, whose places count in what it says. `mesh`: its name.
    pub(in crate::daemon) fn new(
        topology: Topology,
        are_both: bool,
        [seed, mesh]: [&str; 2],
        members: &[Member<'_>],
    ) -> Self {
        let name = |node: usize| members.get(node).map_or("", |member| member.name);
        let order = |is: &dyn Fn(&Member<'_>) -> bool| {
            let nodes = members.iter().enumerate();
            let nodes = nodes.filter(|(_, member)| is(member)).map(|(node, _)| node);
            Order::of(nodes, |node| hash(&[seed, mesh, "", name(node)]))
        };
        let full = || Pairs::Full {
            active: order(&|it| !it.is_passive),
            passive: order(&|it| it.is_passive),
        };
        let rings = |rounds: usize| {
            let rings = (0..rounds).map(|round| {
                let round = round.to_string();
                Ring::of(members, |name| hash(&[seed, mesh, &round, name]))
            });
            Pairs::Rings(rings.collect())
        };
        let side = |is: &dyn Fn(&Member<'_>) -> bool| Side {
            active: order(&|it| is(it) && !it.is_passive),
            passive: order(&|it| is(it) && it.is_passive),
        };
        let pairs = match topology {
            Topology::Full => full(),
            Topology::Sample(peers) if members.len() <= usize::from(peers) + 1 => full(),
            Topology::Ring => rings(1),
            Topology::Sample(peers) => rings(usize::from(peers).div_ceil(2)),
            Topology::Hub => Pairs::Hub {
                hubs: order(&|it| it.is_first),
                active: order(&|it| !it.is_first && !it.is_passive),
                passive: order(&|it| !it.is_first && it.is_passive),
            },
            Topology::Bipartite => {
                Pairs::Bipartite([side(&|it| it.is_first), side(&|it| it.is_second)])
            }
        };
        let offset = hash(&[seed, mesh]) >> 32;
        Self {
            pairs,
            are_both,
            passive: members.iter().map(|member| member.is_passive).collect(),
            offset: u32::try_from(offset).unwrap_or_default(),
        }
    }

    fn is_passive(&self, node: usize) -> bool {
        self.passive.get(node).copied().unwrap_or(true)
    }

    /// The links that this node measures, in the order of the places of others.
    pub(in crate::daemon) fn of(&self, node: usize) -> Vec<Link> {
        if self.is_passive(node) {
            return Vec::new();
        }
        let mut links = match &self.pairs {
            Pairs::Full { active, passive } => {
                let mut links = self.within(active, node);
                links.extend(all(active.rank(node), passive));
                links
            }
            Pairs::Rings(rings) => self.of_rings(rings, node),
            Pairs::Hub {
                hubs,
                active,
                passive,
            } => self.of_hub([hubs, active, passive], node),
            Pairs::Bipartite(sides) => self.of_sides(sides, node),
        };
        links.sort_unstable_by_key(|link| link.to);
        for link in &mut links {
            link.phase = link.phase.wrapping_add(self.offset);
        }
        links
    }

    /// Those to nodes of the same order.
    fn within(&self, order: &Order, node: usize) -> Vec<Link> {
        let Some(rank) = order.rank(node) else {
            return Vec::new();
        };
        let size = order.len();
        let others = order.ranked().filter(|(other_rank, other)| {
            let is_sent = || {
                let distance = (other_rank + size - rank) % size;
                // Of two opposite ones the lower rank decides.
                let is_lower_sender = rank.min(*other_rank).is_multiple_of(2);
                match (2 * distance).cmp(&size) {
                    std::cmp::Ordering::Less => true,
                    std::cmp::Ordering::Equal => is_lower_sender == (rank < *other_rank),
                    std::cmp::Ordering::Greater => false,
                }
            };
            *other != node && (self.are_both || self.is_passive(*other) || is_sent())
        });
        let links = others.map(|(other_rank, to)| Link {
            to,
            phase: phase(rank, other_rank),
        });
        links.collect()
    }

    fn of_rings(&self, rings: &[Ring], node: usize) -> Vec<Link> {
        let Some(first) = rings.first() else {
            return Vec::new();
        };
        // What a node is sent in each round has a part of the interval.
        let slots = u32::try_from(2 * rings.len()).unwrap_or(u32::MAX);
        let step = u32::MAX / slots;
        let mut known: HashSet<usize> = HashSet::new();
        let mut links = Vec::new();
        for (round, ring) in (0_u32..).zip(rings) {
            let [next, previous] = ring.neighbours(node);
            let next = next.map(|to| (to, false, true));
            let previous = previous.map(|to| (to, true, self.are_both));
            let passive = ring.passive_of(node).into_iter();
            let passive = passive.map(|(to, is_before)| (to, is_before, true));
            for (to, is_before, is_sent) in next.into_iter().chain(previous).chain(passive) {
                // Of a pair of several rounds the first one counts.
                if known.insert(to) && is_sent {
                    let slot = 2 * round + u32::from(is_before);
                    let phase = (slot * step).wrapping_add(first.offset(to));
                    links.push(Link { to, phase });
                }
            }
        }
        links
    }

    fn of_hub(&self, [hubs, active, passive]: [&Order; 3], node: usize) -> Vec<Link> {
        let Some(rank) = hubs.rank(node) else {
            return all(active.rank(node), hubs).collect();
        };
        // Hubs are measured by the others, which have less to send.
        let mut links = self.within(hubs, node);
        links.extend(all(Some(rank), passive));
        if self.are_both {
            links.extend(all(Some(rank), active));
        }
        for link in &mut links {
            if hubs.rank(link.to).is_some() {
                link.phase = link.phase.wrapping_add(HALF);
            }
        }
        links
    }

    fn of_sides(&self, [left, right]: &[Side; 2], node: usize) -> Vec<Link> {
        let is_left = left.active.rank(node).is_some();
        let (own, other) = if is_left {
            (left, right)
        } else {
            (right, left)
        };
        let Some(rank) = own.active.rank(node) else {
            return Vec::new();
        };
        let (size, others) = (own.active.len(), other.active.len());
        let active = other.active.ranked().filter(|(other_rank, _)| {
            let is_sent = if is_left {
                is_sender(rank, size, *other_rank, others)
            } else {
                !is_sender(*other_rank, others, rank, size)
            };
            self.are_both || is_sent
        });
        let links = active.map(|(other_rank, to)| Link {
            to,
            phase: phase(rank, other_rank),
        });
        links.chain(all(Some(rank), &other.passive)).collect()
    }
}

/// Links to all nodes of an order.
fn all(rank: Option<usize>, order: &Order) -> impl Iterator<Item = Link> {
    let rank = rank.into_iter();
    rank.flat_map(|rank| {
        order.ranked().map(move |(other_rank, to)| Link {
            to,
            phase: phase(rank, other_rank),
        })
    })
}

#[cfg(test)]
mod tests;
