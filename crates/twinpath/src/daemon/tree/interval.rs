//! The figures of an interval: leaves have the names of the store's columns.

use twinpath_metrics::{IntervalFigures, RungCounts, Suspect};
use twinpath_yang::{Kind, NodeId, Schema};

use super::builder::{Builder, Content};
use crate::daemon::model::Model;
use crate::store;

/// Where each leaf below a node has its figure from.
#[derive(Default)]
pub(super) struct IntervalFiller {
    /// With the places of their figures in rows of the store.
    leaves: Vec<(NodeId, usize)>,
    containers: Vec<(NodeId, Self)>,
}

impl IntervalFiller {
    /// For the figures of the sessions of this schema.
    pub(super) fn of(model: &Model) -> Self {
        let path = ["session", "state", "measurement", "interval"];
        Self::at(model, model.roots.main, &path)
    }

    /// The same for a container below another node.
    pub(super) fn at(model: &Model, node: NodeId, path: &[&str]) -> Self {
        let node = path
            .iter()
            .try_fold(node, |node, name| model.child(node, name));
        let filler = node.map(|node| Self::below(&model.schema, node, ""));
        filler.unwrap_or_default()
    }

    fn below(schema: &Schema, node: NodeId, prefix: &str) -> Self {
        let mut filler = Self::default();
        for child in schema.data_children(Some(node)) {
            let node = schema.node(*child);
            let column = format!("{prefix}{}", node.name.replace('-', "_"));
            match &node.kind {
                Kind::Container { .. } => {
                    let inner = Self::below(schema, *child, &format!("{column}_"));
                    filler.containers.push((*child, inner));
                }
                Kind::Leaf { .. } => {
                    let leaf = place(&column).map(|place| (*child, place));
                    filler.leaves.extend(leaf);
                }
                Kind::LeafList { .. }
                | Kind::List(_)
                | Kind::Choice { .. }
                | Kind::Case
                | Kind::Anydata { .. }
                | Kind::Rpc
                | Kind::Action
                | Kind::Input
                | Kind::Output
                | Kind::Notification => {}
            }
        }
        filler
    }

    /// Puts the figures into the container.
    pub(super) fn fill(&self, it: &mut Builder<'_>, interval: &IntervalFigures) {
        it.leaf("start", interval.start);
        it.leaf("end", interval.end);
        self.figures(it, interval);
        let suspect = interval.suspect.iter().copied().map(Suspect::name);
        let words: Vec<String> = suspect.map(|name| name.replace('_', "-")).collect();
        it.leaf_list("suspect", words.iter().map(String::as_str));
        let figures = &interval.figures;
        it.container("timestamps", |it| {
            it.container("transmit", |it| rungs(it, &figures.stamps_transmit));
            it.container("receive", |it| rungs(it, &figures.stamps_receive));
        });
    }

    fn figures(&self, it: &mut Builder<'_>, interval: &IntervalFigures) {
        for (leaf, place) in &self.leaves {
            if let Some(figure) = store::figure_at(*place, interval) {
                it.set(*leaf, &Content::Figure(figure));
            }
        }
        for (container, inner) in &self.containers {
            it.container_at(*container, |it| inner.figures(it, interval));
        }
    }
}

/// The place of a column of this name, or of that of a time or of packets.
fn place(column: &str) -> Option<usize> {
    let of = |name: String| store::figure_place(&name);
    of(column.to_owned())
        .or_else(|| of(format!("{column}_ns")))
        .or_else(|| of(format!("packets_{column}")))
}

fn rungs(it: &mut Builder<'_>, rungs: &RungCounts) {
    it.leaf("hardware", rungs.hardware);
    it.leaf("kernel", rungs.kernel);
    it.leaf("queue", rungs.queue);
    it.leaf("user", rungs.user);
}
