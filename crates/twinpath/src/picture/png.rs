//! The picture in pixels, drawn with a font contained in the program, so that it looks the same on
//! a host without fonts.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use super::{Theme, num};

/// Pixels of the file for each of the picture, in both directions.
const SCALE: f64 = 2.0;
/// Octets of four are kept for each pixel while it is drawn: 128 MB at most.
const MOST_PIXELS: f64 = 32e6;
/// The family of the letters: Noto Sans, under the Apache License.
const FAMILY: &str = "Noto Sans";

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PngError {
    /// The SVG cannot be read.
    #[error("cannot draw the picture")]
    Read(#[source] resvg::usvg::Error),
    /// No memory, or no size.
    #[error("cannot draw a picture of this size")]
    Size,
    /// The encoder's.
    #[error("cannot encode the picture")]
    Encode,
}

/// The octets of a PNG file of what `svg` draws. It has one theme: light, unless dark is asked for.
///
/// # Errors
/// [`PngError`]: not expected for pictures of this program.
pub(crate) fn png(theme: Theme, svg: impl FnOnce(Theme) -> String) -> Result<Vec<u8>, PngError> {
    let theme = match theme {
        Theme::Auto | Theme::Light => Theme::Light,
        Theme::Dark => Theme::Dark,
    };
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(ttf_noto_sans::REGULAR.to_vec());
    fonts.load_font_data(ttf_noto_sans::BOLD.to_vec());
    fonts.set_sans_serif_family(FAMILY);
    let options = Options {
        font_family: FAMILY.to_owned(),
        fontdb: Arc::new(fonts),
        ..Options::default()
    };
    let tree = Tree::from_str(&svg(theme), &options).map_err(PngError::Read)?;
    let size = tree.size();
    let (width, height) = (f64::from(size.width()), f64::from(size.height()));
    let scale = SCALE.min((MOST_PIXELS / (width * height)).sqrt());
    let pixels = |length: f64| u32::try_from(num::places((length * scale).ceil())).unwrap_or(0);
    let mut pixmap = Pixmap::new(pixels(width), pixels(height)).ok_or(PngError::Size)?;
    let scale = narrow(scale);
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixmap.as_mut(),
    );
    pixmap.encode_png().map_err(|_| PngError::Encode)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a small factor, for which 24 bits are plenty"
)]
fn narrow(scale: f64) -> f32 {
    scale as f32
}
