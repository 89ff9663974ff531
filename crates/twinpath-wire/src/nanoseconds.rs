//! A duration as documents contain it: whole nanoseconds, saturating at 584 years.

use core::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// A duration in nanoseconds.
pub fn of(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Serializes for `#[serde(with)]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(of(*time))
}

/// Deserializes for `#[serde(with)]`.
///
/// # Errors
/// Not a whole number of nanoseconds.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_nanos)
}
