//! What is known of the pairs of a mesh: one cell for each direction of each measured pair.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use crate::daemon::alarms::ActiveAlarm;
use crate::daemon::status::{Entry, LastInterval, Measured};

use super::document::MeshDocument;
use super::keeper::MeshState;

pub(in crate::daemon) const SCHEMA: &str = "twinpath-mesh-1";
/// Intervals after which a row says nothing of now.
const FRESH_INTERVALS: i64 = 3;
/// And this long: a row comes when its last replies are awaited no more.
const FRESH_MARGIN_NS: i64 = 5_000_000_000;
/// Labels of derived sessions.
const MESH: &str = "mesh";
const PEER: &str = "peer";
/// An hour: clocks may differ, but a packet is not awaited longer.
const MOST_DELAY_NS: u64 = 3_600_000_000_000;

/// What the cells of a mesh document are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::daemon) struct MeshReport {
    pub(in crate::daemon) schema: String,
    /// Of the document.
    pub(in crate::daemon) name: String,
    pub(in crate::daemon) serial: u64,
    /// The node that this is from.
    pub(in crate::daemon) node: Option<String>,
    pub(in crate::daemon) at_ns: i64,
    /// Nodes that do not answer and send nothing that is answered.
    #[serde(default)]
    pub(in crate::daemon) gone: Vec<GoneNode>,
    pub(in crate::daemon) cells: Vec<Cell>,
}

/// A node without a sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::daemon) struct GoneNode {
    pub(in crate::daemon) node: String,
    /// When it answered last, in nanoseconds of Unix time; `None`: not since the daemon was started.
    pub(in crate::daemon) answered_ns: Option<i64>,
}

/// One direction of a pair. Times are nanoseconds of Unix time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::daemon) struct Cell {
    pub(in crate::daemon) mesh: String,
    pub(in crate::daemon) from: String,
    pub(in crate::daemon) to: String,
    /// The node that measures it.
    pub(in crate::daemon) by: String,
    pub(in crate::daemon) state: CellState,
    /// The share of lost packets of the worst class and path.
    pub(in crate::daemon) loss_ratio: Option<f64>,
    /// That of both directions, where the reflector keeps no count of its own.
    pub(in crate::daemon) is_two_way_loss: bool,
    /// The greatest median of the classes and paths.
    pub(in crate::daemon) median_ns: Option<i64>,
    /// That of both directions, where the clocks of both hosts are not known to be right.
    pub(in crate::daemon) is_round_trip: bool,
    pub(in crate::daemon) answered_ns: Option<i64>,
    /// Until when the row that this is from says how it is.
    pub(in crate::daemon) fresh_until_ns: i64,
}

impl Cell {
    /// Its figures are some that can be measured: another node may send anything.
    pub(super) fn is_possible(&self) -> bool {
        let is_share = |ratio: f64| (0.0..=1.0).contains(&ratio);
        let is_delay = |ns: i64| ns.unsigned_abs() <= MOST_DELAY_NS;
        self.loss_ratio.is_none_or(is_share) && self.median_ns.is_none_or(is_delay)
    }
}

/// How a direction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::daemon) enum CellState {
    /// All packets came.
    Good,
    Lossy,
    /// An alert is raised.
    Alarm,
    /// No packet was answered.
    Silent,
    /// Nothing is known of now.
    Unknown,
}

impl MeshReport {
    /// What this host measures, and with `has_others` what is gathered. `None`: there is no document.
    pub(in crate::daemon) fn of(
        mesh: &MeshState,
        entries: &[Entry],
        alarms: &[ActiveAlarm],
        is_synchronized: bool,
        has_others: bool,
    ) -> Option<Self> {
        let now = wall();
        let document = mesh.document.as_deref()?;
        let own = mesh.node_name();
        let mut cells = Vec::new();
        if let Some(own) = own {
            let raised = alarms.iter().map(|alarm| alarm.session.as_str());
            let raised: std::collections::HashSet<&str> = raised.collect();
            let sessions = entries.iter().filter(|entry| entry.kind == "session");
            for entry in sessions.filter(|entry| mesh.derived.has_session(&entry.name)) {
                let is_raised = raised.contains(entry.name.as_str());
                cells.extend(of_entry(entry, own, is_raised, is_synchronized));
            }
        }
        if has_others {
            cells.extend(mesh.gathered());
        }
        let mut report = Self {
            schema: SCHEMA.to_owned(),
            name: document.name.clone(),
            serial: document.serial,
            node: own.map(str::to_owned),
            at_ns: now.unix_ns(),
            gone: Vec::new(),
            cells,
        };
        report.judge();
        Some(report)
    }

    /// Finds what is not known any more, and nodes that are gone.
    pub(in crate::daemon) fn judge(&mut self) {
        let now = self.at_ns;
        for cell in &mut self.cells {
            if cell.fresh_until_ns < now {
                cell.state = CellState::Unknown;
            }
        }
        // For each node: whether a fresh row has an answer of it, whether one has none, and the last answer.
        let mut nodes: BTreeMap<&str, (bool, bool, Option<i64>)> = BTreeMap::new();
        for cell in &self.cells {
            for node in [&cell.from, &cell.to] {
                let (answers, is_silent, answered) = nodes.entry(node).or_default();
                match cell.state {
                    CellState::Good | CellState::Lossy | CellState::Alarm => *answers = true,
                    CellState::Silent => *is_silent = true,
                    CellState::Unknown => {}
                }
                // A node that measures has not answered itself.
                if **node != *cell.by {
                    *answered = (*answered).max(cell.answered_ns);
                }
            }
        }
        let gone = nodes.into_iter();
        let gone = gone.filter(|(_, (answers, is_silent, _))| !answers && *is_silent);
        // This host runs, whatever answers it.
        let gone = gone.filter(|(node, _)| self.node.as_deref() != Some(*node));
        let gone = gone.map(|(node, (_, _, answered_ns))| GoneNode {
            node: node.to_owned(),
            answered_ns,
        });
        self.gone = gone.collect();
    }

    /// The cells of one mesh by both nodes; of two, that of the node that the packets come from.
    pub(in crate::daemon) fn by_pair(&self, mesh: &str) -> HashMap<(&str, &str), &Cell> {
        let mut cells: HashMap<(&str, &str), &Cell> = HashMap::new();
        for cell in self.cells.iter().filter(|cell| cell.mesh == mesh) {
            let known = cells.entry((&cell.from, &cell.to)).or_insert(cell);
            if cell.by == cell.from {
                *known = cell;
            }
        }
        cells
    }
}

/// Both directions of a session.
fn of_entry(entry: &Entry, own: &str, is_raised: bool, is_synchronized: bool) -> [Cell; 2] {
    let label = |name: &str| entry.labels.get(name).cloned().unwrap_or_default();
    let peer = label(PEER);
    let answered = entry.measures.iter().filter_map(|one| one.answered_until);
    let answered_ns = answered.map(Wall::unix_ns).max();
    [true, false].map(|is_forward| {
        let mut summary = Summary::default();
        for one in &entry.measures {
            summary.add(one, is_forward, is_synchronized);
        }
        let (from, to) = if is_forward {
            (own.to_owned(), peer.clone())
        } else {
            (peer.clone(), own.to_owned())
        };
        Cell {
            mesh: label(MESH),
            from,
            to,
            by: own.to_owned(),
            state: summary.state(is_raised),
            loss_ratio: summary.loss,
            is_two_way_loss: summary.is_two_way_loss,
            median_ns: summary.median_ns,
            is_round_trip: summary.is_round_trip,
            answered_ns,
            fresh_until_ns: summary.fresh_until_ns,
        }
    })
}

/// The worst of several classes and paths.
#[derive(Default)]
struct Summary {
    rows: usize,
    answered: usize,
    loss: Option<f64>,
    is_two_way_loss: bool,
    median_ns: Option<i64>,
    is_round_trip: bool,
    fresh_until_ns: i64,
}

impl Summary {
    fn add(&mut self, measured: &Measured, is_forward: bool, is_synchronized: bool) {
        let Some(interval) = &measured.interval else {
            return;
        };
        self.rows += 1;
        self.answered += usize::from(interval.received > 0);
        let figures = &interval.figures().figures;
        let of_direction = if is_forward {
            figures.lost_forward
        } else {
            figures.lost_backward
        };
        let sent = interval.received + interval.lost;
        let lost = of_direction.unwrap_or(interval.lost);
        self.is_two_way_loss |= of_direction.is_none() && interval.lost > 0;
        if sent > 0 {
            let share = ratio(lost, sent);
            self.loss = Some(self.loss.map_or(share, |worst| worst.max(share)));
        }
        let far = measured.far_clock.is_some_and(|far| far.synchronized);
        let one_way = if is_forward {
            &figures.forward
        } else {
            &figures.backward
        };
        let one_way = one_way.as_ref().filter(|_| is_synchronized && far);
        let delay = one_way.or(figures.round_trip.as_ref());
        if let Some(delay) = delay {
            self.is_round_trip |= one_way.is_none();
            self.median_ns = self.median_ns.max(Some(delay.median_ns));
        }
        self.fresh_until_ns = self.fresh_until_ns.max(fresh_until_ns(interval));
    }

    fn state(&self, is_raised: bool) -> CellState {
        let is_lossy = self.loss.is_some_and(|loss| loss > 0.0);
        match (self.rows, self.answered) {
            (0, _) => CellState::Unknown,
            (_, 0) => CellState::Silent,
            _ if is_raised => CellState::Alarm,
            (rows, answered) if is_lossy || answered < rows => CellState::Lossy,
            _ => CellState::Good,
        }
    }
}

fn ratio(part: u64, all: u64) -> f64 {
    let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(part) / number(all.max(1))
}

/// Until when an interval says how a session is, in nanoseconds of Unix time.
pub(in crate::daemon) fn fresh_until_ns(interval: &LastInterval) -> i64 {
    let figures = interval.figures();
    let (start, end) = (figures.start.unix_ns(), figures.end.unix_ns());
    let length = end.saturating_sub(start).max(0);
    end.saturating_add(length.saturating_mul(FRESH_INTERVALS))
        .saturating_add(FRESH_MARGIN_NS)
}

/// Pairs of a mesh that are measured, by the places of both nodes.
pub(in crate::daemon) fn measured_pairs(
    document: &MeshDocument,
    mesh: usize,
    nodes: &[usize],
) -> std::collections::HashSet<(usize, usize)> {
    let mut pairs = std::collections::HashSet::new();
    let Some(mesh) = document.meshes.get(mesh) else {
        return pairs;
    };
    for from in nodes {
        for (to, _) in mesh.links_of(*from) {
            pairs.insert((*from, to));
            pairs.insert((to, *from));
        }
    }
    pairs
}

#[cfg(test)]
mod tests;
