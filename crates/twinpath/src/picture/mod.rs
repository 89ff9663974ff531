//! Pictures of a run: delay over time as smoke, its distribution, one-way variation; as SVG, as PNG,
//! and as one page with all of them.
//!
//! They are drawn from plain data, independent of the runtime and commands. All text in a picture
//! (names, labels, notes) may come from outside: it is escaped in one place, [`canvas`].

mod canvas;
mod cdf;
mod data;
mod heading;
mod html;
mod key;
mod marks;
mod num;
mod png;
mod scale;
mod sheet;
mod smoke;
mod steps;
#[cfg(test)]
mod tests;
mod theme;
mod times;
mod values;
mod variation;

pub(crate) use data::{KeyFigure, Picture, PictureNote, PictureSession};
pub(crate) use html::page;
pub(crate) use png::png;
pub(crate) use sheet::svg;
pub(crate) use theme::Theme;
