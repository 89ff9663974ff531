//! Conditions that cannot be meant, and what is answered.

use super::*;

/// Each as it was written, what is said of it, and the condition to write instead.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "",
        "neither a figure with its bound nor silent",
        "round-trip.p95 > 50ms",
    ),
    (
        "loud",
        "neither a figure with its bound nor silent, remarked, hops changed or clock unsynchronized",
        "round-trip.p95 > 50ms",
    ),
    ("silence", "no condition is called silence", "silent"),
    ("silent > 5", "silent takes no bound", "silent"),
    ("silent 5", "silent takes no bound", "silent"),
    (
        "silent for 5",
        "for 5: for takes K of N intervals, K up to N and N up to 100",
        "silent for 5 of 5",
    ),
    (
        "silent for 60s",
        "for 60s: intervals are counted, not time",
        "silent for 3 of 5",
    ),
    (
        "silent 2 of 3",
        "for is missing before 2 of 3",
        "silent for 2 of 3",
    ),
    (
        "for 3 of 5 silent",
        "for 3 of 5 comes last",
        "silent for 3 of 5",
    ),
    (
        "clock unsynchronised",
        "no condition is called clock unsynchronised",
        "clock unsynchronized",
    ),
    (
        "hop changed",
        "no condition is called hop changed",
        "hops changed",
    ),
    ("rtt_p95 > 20", "20 has no unit", "rtt_p95 > 20ms"),
    (
        "rtt_p95 > 20 for 3 of 5",
        "20 has no unit",
        "rtt_p95 > 20ms for 3 of 5",
    ),
    (
        "rtt_p95 > 50 parsecs",
        "50 parsecs is not a time up to 365d",
        "rtt_p95 > 50ms",
    ),
    (
        "rtt_p95 > 5%",
        "5% is not a time up to 365d",
        "rtt_p95 > 5ms",
    ),
    (
        "rtt_p95 50ms",
        "operator or bound is missing",
        "rtt_p95 > 50ms",
    ),
    ("rtt_p95", "operator or bound is missing", "rtt_p95 > 50ms"),
    (
        "rtt_p95 = 50ms",
        "= is not one of the operators > >= < <= == !=",
        "rtt_p95 == 50ms",
    ),
    (
        "rtt_p95 => 50ms",
        "=> is not one of the operators > >= < <= == !=",
        "rtt_p95 >= 50ms",
    ),
    (
        "RTT_P95 > 50ms",
        "no figure is called \"RTT_P95\"",
        "rtt_p95 > 50ms",
    ),
    (
        "rtt_p95 > 1,5ms",
        "1,5ms is not a time up to 365d",
        "rtt_p95 > 1.5ms",
    ),
    (
        "rtt_p95 > 400d",
        "400d is not a time up to 365d",
        "rtt_p95 > 365d",
    ),
    (
        "rtt_p95 > -5ms",
        "rtt_p95 is 0ms at least, so the alert would always be raised",
        "rtt_p95 > 0ms",
    ),
    (
        "rtt_p95 < 0",
        "rtt_p95 is 0ms at least, so the alert would never be raised",
        "rtt_p95 <= 0ms",
    ),
    (
        "50ms < rtt_p95",
        "the figure comes first, then one operator and one bound",
        "rtt_p95 > 50ms",
    ),
    (
        "10ms < rtt_p95 < 50ms",
        "the figure comes first, then one operator and one bound",
        "rtt_p95 > 10ms",
    ),
    (
        "rtt_p95 > 50ms and loss > 1%",
        "an alert has one condition, so \"and loss > 1%\" needs another one",
        "rtt_p95 > 50ms",
    ),
    (
        "rtt_p95 > 50ms 3 of 5",
        "for is missing before 3 of 5",
        "rtt_p95 > 50ms for 3 of 5",
    ),
    (
        "rtt_p95 > 50ms for 3/5",
        "for 3/5: for takes K of N intervals, K up to N and N up to 100",
        "rtt_p95 > 50ms for 3 of 5",
    ),
    (
        "rtt_p95 > 50ms for 5 of 3",
        "for 5 of 3: for takes K of N intervals, K up to N and N up to 100",
        "rtt_p95 > 50ms for 3 of 5",
    ),
    (
        "rtt_p95 > 50ms for 0 of 5",
        "for 0 of 5: for takes K of N intervals, K up to N and N up to 100",
        "rtt_p95 > 50ms for 1 of 5",
    ),
    (
        "rtt_p95 > 50ms for 3 of 500 intervals",
        "for 3 of 500 intervals: for takes K of N intervals, K up to N and N up to 100",
        "rtt_p95 > 50ms for 3 of 100",
    ),
    (
        "round-trip.average > 1ms",
        "no figure is called \"round-trip.average\"",
        "round-trip.mean > 1ms",
    ),
    (
        "round-trip.p95 >",
        "the bound is missing",
        "round-trip.p95 > 50ms",
    ),
    (
        "forward.p99 > fast",
        "fast is not a time up to 365d",
        "forward.p99 > 50ms",
    ),
    (
        "availability < 99.9%",
        "availability is a figure of a whole run, and a condition is about intervals",
        "loss > 0.1%",
    ),
    (
        "availability.ratio < 99.9% for 2 of 2",
        "availability.ratio is a figure of a whole run, and a condition is about intervals",
        "loss > 0.1% for 2 of 2",
    ),
    (
        "availability < 0",
        "availability is a figure of a whole run, and a condition is about intervals",
        "loss > 1%",
    ),
    ("loss > 5", "5 has no unit", "loss > 5%"),
    ("loss > 0.05", "0.05 has no unit", "loss > 5%"),
    ("loss > 5ms", "5ms is not a share", "loss > 5%"),
    (
        "loss > 100%",
        "loss is 100% at most, so the alert would never be raised",
        "loss >= 100%",
    ),
    (
        "loss > 150%",
        "loss is 100% at most, so the alert would never be raised",
        "loss >= 100%",
    ),
    (
        "loss >= 0%",
        "loss is 0% at least, so the alert would always be raised",
        "loss > 0%",
    ),
    (
        "loss <= 100%",
        "loss is 100% at most, so the alert would always be raised",
        "loss < 100%",
    ),
    (
        "loss < 0",
        "loss is 0% at least, so the alert would never be raised",
        "loss <= 0%",
    ),
    (
        "loss == 101%",
        "loss is 100% at most, so the alert would never be raised",
        "loss == 100%",
    ),
    (
        "loss != 101%",
        "loss is 100% at most, so the alert would always be raised",
        "loss != 100%",
    ),
    (
        "lost > -1",
        "lost is 0 at least, so the alert would always be raised",
        "lost > 0",
    ),
    ("lost > 5%", "5% is not a number", "lost > 5"),
    ("lost > many", "many is not a number", "lost > 10"),
    (
        "loss_forward > 1%",
        "loss_forward is a figure of a whole run, and a condition is about intervals",
        "lost_forward > 1",
    ),
    (
        "voice.forward.mos < 3",
        "voice.forward.mos is a figure of a whole run, and a condition is about intervals",
        "round-trip.p95 > 50ms",
    ),
    (
        "mos < 3",
        "no figure is called \"mos\"",
        "round-trip.p95 > 50ms",
    ),
    (
        "hops > 300",
        "no figure is called \"hops\"",
        "round-trip.p95 > 50ms",
    ),
    ("silents > 5", "silent takes no bound", "silent"),
    (
        "ttl-forward.min < 300",
        "ttl-forward.min is 255 at most, so the alert would always be raised",
        "ttl-forward.min < 255",
    ),
    (
        "jitter < -1ms",
        "no figure is called \"jitter\"",
        "rtt_jitter <= 0ms",
    ),
    (
        "rtt_jitter < -1ms",
        "rtt_jitter is 0ms at least, so the alert would never be raised",
        "rtt_jitter <= 0ms",
    ),
];

#[test]
fn what_is_no_condition_is_answered_with_one() {
    for (text, said, right) in WRONG {
        let error = Condition::parse(text).unwrap_err();
        let (begin, end) = (
            format!("when = \"{text}\": {said}"),
            format!(": write when = \"{right}\""),
        );
        assert!(error.starts_with(&begin), "{text}: {error}");
        assert!(error.ends_with(&end), "{text}: {error}");
        let again = Condition::parse(right);
        assert!(again.is_ok(), "{text}: {right}: {again:?}");
    }
}

#[test]
fn conditions_at_a_limit_hold_for_some_values_only() {
    for text in [
        "loss > 0%",
        "loss >= 100%",
        "loss == 100%",
        "loss != 0%",
        "loss < 100%",
        "loss <= 0%",
        "lost == 0",
        // Not like a word of its own.
        "sent > 1000",
        // Losses of a direction may be known later, and clocks may differ.
        "lost_forward < 0",
        "forward.p95 < -1ms",
        "departure.min < 0ms",
        "backward.min > -5ms",
    ] {
        let condition = Condition::parse(text);
        assert!(condition.is_ok(), "{text}: {condition:?}");
    }
    for text in [
        "forward.jitter < 0ms",
        "backward.stddev >= 0ms",
        "residence.p95 < 0ms",
        "ttl-backward.max > 255",
        "received >= 0",
    ] {
        assert!(Condition::parse(text).is_err(), "{text}");
    }
}
