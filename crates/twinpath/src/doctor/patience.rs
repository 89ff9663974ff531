//! How long replies are waited for after the last departure, by the longest round trip so far.

use std::time::Duration;

const MARGIN: Duration = Duration::from_millis(250);
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(4);

/// Where replies are expected.
pub(super) fn usual(round_trip: Duration) -> Duration {
    (round_trip * 3 + MARGIN).clamp(LEAST, MOST)
}

/// Where silence is, as of packets that are too large.
pub(super) fn short(round_trip: Duration) -> Duration {
    let several = (round_trip * 4 + MARGIN).min(LEAST);
    several.max(round_trip + MARGIN).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_have_several_round_trips_and_where_silence_is_expected_fewer() {
        for (trip_ms, usual_ms, short_ms) in [
            (0, 1_000, 250),
            (50, 1_000, 450),
            (200, 1_000, 1_000),
            (500, 1_750, 1_000),
            (1_000, 3_250, 1_250),
            (3_000, 4_000, 3_250),
            (9_000, 4_000, 4_000),
        ] {
            let trip = Duration::from_millis(trip_ms);
            let found = [usual(trip), short(trip)].map(|patience| patience.as_millis());
            assert_eq!(found, [usual_ms, short_ms], "{trip_ms}");
        }
    }
}
