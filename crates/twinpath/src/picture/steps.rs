//! Shapes over columns: bands and lines in steps, each as wide as its column.

use super::canvas::{Area, Canvas, Path};
use super::scale::Axis;

/// Columns on a plot, and its scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid<'a> {
    pub(super) plot: Area,
    /// Left edge of the first column.
    pub(super) first: f64,
    /// Width of a column.
    pub(super) width: f64,
    pub(super) axis: &'a Axis,
    /// Great values are at the bottom.
    pub(super) hanging: bool,
    /// In whole units, which take fewer digits: of a small chart among many.
    pub(super) whole: bool,
}

impl Grid<'_> {
    pub(super) fn y(&self, value: f64) -> f64 {
        let share = self.axis.share(value);
        let share = if self.hanging { share } else { 1.0 - share };
        self.rounded(self.plot.y + self.plot.height * share)
    }

    fn rounded(&self, value: f64) -> f64 {
        if self.whole { value.round() } else { value }
    }

    /// Edges of a column, not narrower than can be seen.
    pub(super) fn edges(&self, place: f64) -> (f64, f64) {
        let left = self.first + self.width * place;
        (self.rounded(left), self.rounded(left + self.width))
    }

    /// Columns `from` to `to` (not included) over the whole height.
    pub(super) fn stretch(&self, from: f64, to: f64) -> Area {
        let (x, right) = (self.edges(from).0, self.edges(to).0);
        Area {
            x,
            width: right - x,
            ..self.plot
        }
    }

    /// The area between two values of each column.
    pub(super) fn band(
        &self,
        canvas: &mut Canvas,
        values: &[Option<(f64, f64)>],
        class: &'static str,
    ) {
        let mut path = Path::default();
        for (from, run) in runs(values) {
            let mut back = Vec::new();
            for (place, (low, high)) in (0..).map(f64::from).zip(&run) {
                let (left, right) = self.edges(from + place);
                if place == 0.0 {
                    path.move_to(left, self.y(*high));
                } else {
                    path.down_to(self.y(*high));
                }
                path.across_to(right);
                back.push((left, self.y(*low)));
            }
            for (left, low) in back.into_iter().rev() {
                path.down_to(low);
                path.across_to(left);
            }
            path.close();
        }
        canvas.path(&path, class);
    }

    /// A line through one value of each column.
    pub(super) fn line(&self, canvas: &mut Canvas, values: &[Option<f64>], class: &str) {
        let mut path = Path::default();
        for (from, run) in runs(values) {
            for (place, value) in (0..).map(f64::from).zip(&run) {
                let (left, right) = self.edges(from + place);
                if place == 0.0 {
                    path.move_to(left, self.y(*value));
                } else {
                    path.down_to(self.y(*value));
                }
                // A lonely narrow column is a dot at least.
                path.across_to(right.max(left + 1.2));
            }
        }
        canvas.path(&path, class);
    }
}

/// Values without a gap between them, with the place of the first.
pub(super) fn runs<T: Copy>(values: &[Option<T>]) -> Vec<(f64, Vec<T>)> {
    let mut runs: Vec<(f64, Vec<T>)> = Vec::new();
    let mut gap = true;
    for (place, value) in (0..).map(f64::from).zip(values) {
        match (value, runs.last_mut()) {
            (Some(value), Some((_, run))) if !gap => run.push(*value),
            (Some(value), _) => runs.push((place, vec![*value])),
            (None, _) => {}
        }
        gap = value.is_none();
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_starts_a_new_run() {
        let values = [None, Some(1), Some(2), None, None, Some(3)];
        assert_eq!(runs(&values), [(1.0, vec![1, 2]), (5.0, vec![3])]);
        assert_eq!(runs::<u8>(&[]), []);
    }
}
