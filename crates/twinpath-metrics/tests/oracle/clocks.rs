//! The lines that the packets of a run allow, found by trying all pairs of points.

/// A time and a difference of two clocks, nanoseconds.
pub(crate) type Point = (f64, f64);

/// Least and greatest slope of a straight line that is nowhere above `above` nor below `below`;
/// `None` if there is no line. Extreme lines go through one point of each.
pub(crate) fn slopes(above: &[Point], below: &[Point], slack: f64) -> Option<(f64, f64)> {
    let mut range: Option<(f64, f64)> = None;
    let mut consider = |slope: f64| {
        let high = above.iter().map(|p| p.1 - slope * p.0);
        let low = below.iter().map(|p| p.1 - slope * p.0);
        let room = high.fold(f64::INFINITY, f64::min) - low.fold(f64::NEG_INFINITY, f64::max);
        if slope.abs() <= 500e-6 && room >= -slack - 1e-3 {
            let (least, greatest) = range.unwrap_or((slope, slope));
            range = Some((least.min(slope), greatest.max(slope)));
        }
    };
    for a in above {
        for b in below {
            if (a.0 - b.0).abs() > 0.5 {
                consider((a.1 + slack - b.1) / (a.0 - b.0));
            }
        }
    }
    consider(-500e-6);
    consider(500e-6);
    range
}
