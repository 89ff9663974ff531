//! What the alarms of a daemon report.

use super::family::{Families, Family, Kind, Sample};

/// Of alarms that are active, a sample each.
pub(crate) fn alarms(samples: impl IntoIterator<Item = Sample>) -> Families {
    vec![Family::of(
        Kind::Gauge,
        "alarms",
        "1 for each alarm of an alert that is active",
        samples,
    )]
}
