//! Pictures of a run: delay over time as smoke, its distribution, one-way variation; as SVG, as PNG,
//! and as one page with all of them.
//!
//! They are drawn from plain data, independent of the runtime and commands. All text in a picture
//! (names, labels, notes) may come from outside: it is escaped in one place, [`canvas`].

mod alarms;
mod canvas;
mod cdf;
mod data;
mod heading;
mod html;
mod key;
mod losses;
mod many;
mod marks;
mod num;
mod png;
mod scale;
mod sheet;
mod small;
mod smoke;
mod steps;
#[cfg(test)]
mod tests;
mod theme;
mod tiles;
mod times;
mod values;
mod variation;

#[cfg(feature = "daemon")]
pub(crate) use canvas::escaped;
pub(crate) use data::{KeyFigure, Overview, Picture, PictureNote, PictureSession, Tile};
pub(crate) use html::page;
#[cfg(feature = "daemon")]
pub(crate) use html::{Head, charts, closing, opening, table, title};
pub(crate) use many::ManyPage;
pub(crate) use png::png;
pub(crate) use scale::Range;
pub(crate) use sheet::svg;
pub(crate) use theme::Theme;
pub(crate) use tiles::{MOST_TILES, svg_of_many};
pub(crate) use times::TimeAxis;
