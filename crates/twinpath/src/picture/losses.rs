//! Losses of columns: where nothing came back, and a strip below the chart.

use twinpath_metrics::Column;

use super::canvas::{Anchor, Area, Canvas, Label, Size, text_width};
use super::data::PictureSession;
use super::steps::Grid;

/// A column's packets by loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing is known.
    Unknown,
    /// Nothing was sent.
    Absent,
    None,
    /// One of [`LOSS_CLASSES`](super::theme::LOSS_CLASSES), from 0.
    Some(usize),
    All,
}

impl Loss {
    pub(super) fn of(column: &Column) -> Self {
        let (lost, sent) = (u128::from(column.lost), u128::from(column.sent));
        match lost {
            _ if sent == 0 && column.marks.unknown => Self::Unknown,
            _ if sent == 0 => Self::Absent,
            0 => Self::None,
            _ if lost >= sent => Self::All,
            _ if lost * 100 <= sent => Self::Some(0),
            _ if lost * 100 <= sent * 5 => Self::Some(1),
            _ if lost * 100 <= sent * 20 => Self::Some(2),
            _ => Self::Some(3),
        }
    }
}

/// Each column's packets by loss.
pub(super) fn losses(session: &PictureSession) -> Vec<Loss> {
    session.columns.iter().map(Loss::of).collect()
}

/// Where nothing is known, where nothing was sent, and where nothing came back: over the whole height, `named` where there is
/// room.
pub(super) fn stretches(canvas: &mut Canvas, losses: &[Loss], grid: &Grid<'_>, named: bool) {
    for (kind, pattern, words, class) in [
        (Loss::Unknown, "unknown", "not known", "dim halo"),
        (Loss::Absent, "absent", "nothing sent", "dim halo"),
        (Loss::All, "silence", "no reply", "on-silence halo"),
    ] {
        for (from, to) in spans(losses, kind) {
            let area = grid.stretch(from, to);
            canvas.hatched(area, pattern);
            if named && area.width >= text_width(words, Size::Plain) + 10.0 {
                canvas.text(Label {
                    x: area.x + area.width / 2.0,
                    y: area.y + area.height / 2.0 + 4.0,
                    anchor: Anchor::Middle,
                    size: Size::Plain,
                    class,
                    text: words,
                });
            }
        }
    }
}

/// Stretches of columns of one kind: the first, and the one after the last.
fn spans(losses: &[Loss], kind: Loss) -> Vec<(f64, f64)> {
    let mut spans: Vec<(f64, f64)> = Vec::new();
    for (place, _) in (0..)
        .map(f64::from)
        .zip(losses)
        .filter(|(_, loss)| **loss == kind)
    {
        match spans.last_mut() {
            Some((_, end)) if (*end - place).abs() < 0.5 => *end = place + 1.0,
            _ => spans.push((place, place + 1.0)),
        }
    }
    spans
}

/// The losses again, under the chart, where they are always visible.
pub(super) fn strip(
    canvas: &mut Canvas,
    losses: &[Loss],
    grid: &Grid<'_>,
    (y, height): (f64, f64),
) {
    for kind in [Loss::Unknown, Loss::Absent, Loss::All]
        .into_iter()
        .chain((0..4).map(Loss::Some))
    {
        for (from, to) in spans(losses, kind) {
            let area = Area {
                y,
                height,
                ..grid.stretch(from, to)
            };
            match kind {
                Loss::None => {}
                Loss::Unknown => canvas.hatched(area, "unknown"),
                Loss::Absent => canvas.hatched(area, "absent"),
                Loss::All => canvas.hatched(area, "silence"),
                Loss::Some(0) => canvas.rect(area, "loss-1"),
                Loss::Some(1) => canvas.rect(area, "loss-2"),
                Loss::Some(2) => canvas.rect(area, "loss-3"),
                Loss::Some(_) => canvas.rect(area, "loss-4"),
            }
        }
    }
}
