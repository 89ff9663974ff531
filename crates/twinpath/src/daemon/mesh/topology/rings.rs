//! A ring of the active nodes of a mesh. Passive ones are between two of them, which both measure them.

use std::collections::HashMap;

use super::{Member, Order};

pub(super) struct Ring {
    active: Order,
    /// Passive nodes by the rank of the active one before them.
    passive: HashMap<usize, Vec<usize>>,
    /// Of all nodes.
    hashes: Vec<u64>,
}

impl Ring {
    /// The nodes in the order of these hashes of their names.
    pub(super) fn of(members: &[Member<'_>], hash: impl Fn(&str) -> u64) -> Self {
        let hashes: Vec<u64> = members.iter().map(|member| hash(member.name)).collect();
        let hash = |node: usize| hashes.get(node).copied().unwrap_or_default();
        let of_kind = |is_passive: bool| {
            let nodes = members.iter().enumerate();
            let nodes = nodes.filter(move |(_, member)| member.is_passive == is_passive);
            nodes.map(|(node, _)| node)
        };
        let active = Order::of(of_kind(false), hash);
        let mut passive: HashMap<usize, Vec<usize>> = HashMap::new();
        for node in of_kind(true) {
            let after = active
                .nodes
                .partition_point(|other| hash(*other) < hash(node));
            let before = after.checked_sub(1).or(active.len().checked_sub(1));
            if let Some(before) = before {
                passive.entry(before).or_default().push(node);
            }
        }
        Self {
            active,
            passive,
            hashes,
        }
    }

    /// The next active node and the one before: a pair of nodes has one link.
    pub(super) fn neighbours(&self, node: usize) -> [Option<usize>; 2] {
        let Some(rank) = self.active.rank(node) else {
            return [None; 2];
        };
        let at = |rank: usize| self.active.nodes.get(rank % self.active.len()).copied();
        match self.active.len() {
            0 | 1 => [None; 2],
            2 if rank == 0 => [at(1), None],
            2 => [None, at(0)],
            size => [at(rank + 1), at(rank + size - 1)],
        }
    }

    /// Passive nodes after this one, and before it (`true`).
    pub(super) fn passive_of(&self, node: usize) -> Vec<(usize, bool)> {
        let Some(rank) = self.active.rank(node) else {
            return Vec::new();
        };
        let size = self.active.len();
        let behind = |rank: usize| self.passive.get(&(rank % size)).into_iter().flatten();
        let after = behind(rank).map(|node| (*node, false));
        let before = behind(rank + size - 1).map(|node| (*node, true));
        after.chain(before).collect()
    }

    /// A part of an interval that is the node's own, in multiples of 2^-32.
    pub(super) fn offset(&self, node: usize) -> u32 {
        let hash = self.hashes.get(node).copied().unwrap_or_default();
        u32::try_from(hash >> 32).unwrap_or_default()
    }
}
