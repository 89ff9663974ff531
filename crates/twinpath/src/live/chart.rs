//! A row of columns as high as their delays: solid up to the median, shaded to the 95th percentile
//! and thinner to the greatest. Loss, silence and columns not known yet look different.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use twinpath_metrics::Smoke;

use super::columns::Slot;
use super::theme::Theme;
use crate::output::units;

pub(super) const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const TO_P95: &str = "▒";
const TO_MAX: &str = "░";
pub(super) const DEAD: &str = "×";
pub(super) const SILENT: &str = "·";
const MARK: &str = "▾";
/// Columns of the labels at the left, the axis with them.
pub(super) const GUTTER: u16 = 12;
/// Narrower screens have no labels.
const LABELLED: u16 = 40;
/// A scale is never finer than this, so that noise looks like noise.
const LEAST_SPAN_NS: i64 = 20_000;

/// One direction over time.
pub(super) struct Chart<'a> {
    pub(super) name: &'a str,
    pub(super) slots: &'a [Slot],
    pub(super) pick: fn(&Slot) -> Option<Smoke>,
    pub(super) style: Style,
    pub(super) theme: Theme,
    /// Variation: its scale begins at 0 and is never finer than this.
    pub(super) variation: Option<i64>,
    /// Columns without a reply are filled; if not, they have a foot.
    pub(super) fills: bool,
}

/// The columns that a chart of this width has.
pub(super) fn room(width: u16) -> usize {
    usize::from(width - gutter(width))
}

fn gutter(width: u16) -> u16 {
    if width < LABELLED { 0 } else { GUTTER }
}

/// The values of the lowest and the highest position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    low: i64,
    high: i64,
}

impl Scale {
    fn of(bands: impl Iterator<Item = Smoke> + Clone, variation: Option<i64>) -> Option<Self> {
        let high = bands.clone().map(|band| band.p95_ns).max()?;
        let least = bands.map(|band| band.min_ns).min()?;
        Some(Self::between(least, high, variation))
    }

    pub(super) fn between(least: i64, high: i64, variation: Option<i64>) -> Self {
        // From 0, unless that wastes too much room.
        let low = if (variation.is_some() || least < high - high / 3) && least >= 0 {
            0
        } else {
            least.saturating_sub(high.saturating_sub(least) / 4)
        };
        let span = variation.unwrap_or(high.saturating_abs() / 10);
        let span = span.max(LEAST_SPAN_NS);
        let missing = span.saturating_sub(high.saturating_sub(low)).max(0);
        let below = if low > 0 { (missing / 2).min(low) } else { 0 };
        Self {
            low: low.saturating_sub(below),
            high: high.saturating_add(missing - below),
        }
    }

    /// In eighths of `rows`, 1 at least.
    pub(super) fn place(self, value: i64, rows: u16) -> u16 {
        let eighths = i128::from(rows) * 8;
        let span = (i128::from(self.high) - i128::from(self.low)).max(1);
        let above = i128::from(value) - i128::from(self.low);
        let place = (above * eighths + span / 2) / span;
        u16::try_from(place.clamp(1, eighths.max(1))).unwrap_or(1)
    }
}

impl Chart<'_> {
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let bands = self.slots.iter().filter_map(self.pick);
        let scale = Scale::of(bands, self.variation);
        let left = gutter(area.width);
        if left > 0 {
            self.label(scale, area, buffer);
        }
        let columns = (area.x + left..area.right()).zip(self.slots);
        for (x, slot) in columns {
            self.column(slot, scale, x, area, buffer);
        }
    }

    fn label(&self, scale: Option<Scale>, area: Rect, buffer: &mut Buffer) {
        let middle = match area.height {
            1 => 0,
            2 => 1,
            rows => rows / 2,
        };
        let width = usize::from(GUTTER - 2);
        for row in 0..area.height {
            let (text, style) = if row == middle {
                (self.name.to_owned(), Theme::bold())
            } else if row == 0 {
                let value = scale.map(|scale| units::delay(scale.high));
                (value.unwrap_or_default(), Style::new())
            } else if row + 1 == area.height {
                let value = scale.map(|scale| units::delay(scale.low));
                (value.unwrap_or_default(), Style::new())
            } else {
                (String::new(), Style::new())
            };
            let y = area.y + row;
            buffer.set_stringn(area.x, y, format!("{text:>width$}"), width, style);
            let axis = if row == 0 || row + 1 == area.height {
                " ┤"
            } else {
                " │"
            };
            buffer.set_stringn(area.x + GUTTER - 2, y, axis, 2, Theme::dim());
        }
    }

    fn column(&self, slot: &Slot, scale: Option<Scale>, x: u16, area: Rect, buffer: &mut Buffer) {
        let mut put = |from_below: u16, glyph: &str, style: Style| {
            let y = area.bottom().saturating_sub(1 + from_below);
            if let Some(cell) = buffer.cell_mut((x, y)).filter(|_| y >= area.y) {
                cell.set_symbol(glyph).set_style(style);
            }
        };
        if slot.is_dead() {
            for row in 0..if self.fills { area.height } else { 1 } {
                put(row, DEAD, self.theme.loss());
            }
        } else if slot.sent == 0 && slot.silent {
            put(0, SILENT, Theme::dim());
        }
        if let (Some(band), Some(scale)) = ((self.pick)(slot), scale) {
            let lossy = slot.lost > 0;
            let solid = if lossy {
                self.theme.lossy()
            } else {
                self.style
            };
            let rows = area.height;
            let median = scale.place(band.median_ns, rows);
            let p95 = scale.place(band.p95_ns, rows);
            let max = scale.place(band.max_ns, rows);
            for row in 0..rows {
                let base = row * 8;
                let filled = median.saturating_sub(base).min(8);
                let glyph = match filled {
                    0 if p95 >= base + 4 => TO_P95,
                    0 if max >= base + 4 => TO_MAX,
                    _ => EIGHTHS.get(usize::from(filled)).copied().unwrap_or(" "),
                };
                put(row, glyph, solid);
            }
        }
        if slot.marked && area.height > 1 {
            put(area.height - 1, MARK, self.theme.mark());
        }
    }
}

/// The share of packets that were lost, as a row.
pub(super) fn losses(slots: &[Slot], theme: Theme, area: Rect, buffer: &mut Buffer) {
    let left = gutter(area.width);
    if left > 0 {
        let width = usize::from(GUTTER - 2);
        buffer.set_stringn(
            area.x,
            area.y,
            format!("{:>width$}", "Loss"),
            width,
            Theme::bold(),
        );
        buffer.set_stringn(area.x + GUTTER - 2, area.y, " │", 2, Theme::dim());
    }
    for (x, slot) in (area.x + left..area.right()).zip(slots) {
        let eighths = u128::from(slot.lost) * 8;
        let level = eighths.div_ceil(u128::from(slot.sent.max(1))).min(8);
        let glyph = usize::try_from(level)
            .ok()
            .and_then(|level| EIGHTHS.get(level));
        if let Some(cell) = buffer.cell_mut((x, area.y)) {
            cell.set_symbol(glyph.unwrap_or(&" "))
                .set_style(theme.loss());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(min: i64, p95: i64) -> Smoke {
        let median = i64::midpoint(min, p95);
        Smoke {
            count: 9,
            min_ns: min,
            p5_ns: min,
            p25_ns: min,
            median_ns: median,
            p75_ns: p95,
            p95_ns: p95,
            max_ns: p95,
        }
    }

    fn scale(min: i64, p95: i64) -> (i64, i64) {
        let scale = Scale::of([band(min, p95)].into_iter(), None).unwrap();
        (scale.low, scale.high)
    }

    #[test]
    fn a_scale_shows_noise_as_noise_and_change_as_change() {
        assert_eq!(scale(1_000_000, 9_000_000), (0, 9_000_000));
        // A tenth at least.
        assert_eq!(scale(10_000_000, 10_000_100), (9_500_033, 10_500_043));
        assert_eq!(scale(80_000_000, 100_000_000), (75_000_000, 100_000_000));
        assert_eq!(scale(0, 0), (0, 20_000));
        assert_eq!(scale(-3_000_000, -1_000_000), (-3_500_000, -1_000_000));
        let (low, high) = scale(i64::MIN, i64::MAX);
        assert!(low < high);
        let all = Scale { low, high };
        assert_eq!(all.place(i64::MAX, 3), 24);
        assert_eq!(all.place(i64::MIN, 3), 1);
    }
}
