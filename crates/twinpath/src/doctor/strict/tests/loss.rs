//! Losses are not taken for errors.

use super::*;

/// The packets that `is_lost` names do not arrive.
fn losing(mut is_lost: impl FnMut(u32) -> bool + 'static) -> Far {
    let mut number = 0;
    Far::erring(Box::new(move |_, replies| {
        number += 1;
        if is_lost(number) { Vec::new() } else { replies }
    }))
}

#[test]
fn regular_losses_fail_no_trial() {
    for period in 2..12 {
        for phase in 0..period {
            let tried = tried(&mut losing(move |number| number % period == phase));
            let failed = with(&tried, Status::Fail);
            assert!(failed.is_empty(), "{period} {phase}: {failed:?}");
        }
    }
}

#[test]
fn losses_at_random_fail_no_trial() {
    for (seed, per_mille) in (1..).zip([1, 3, 10, 30, 100, 300, 1, 3, 10, 30, 100, 300]) {
        let mut state: u32 = 2_654_435_769_u32.wrapping_mul(seed);
        let tried = tried(&mut losing(move |_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state % 1000 < per_mille
        }));
        let failed = with(&tried, Status::Fail);
        assert!(failed.is_empty(), "{seed} {per_mille}: {failed:?}");
    }
}

#[test]
fn an_outage_is_unclear() {
    let tried = tried(&mut losing(|number| number > 40));
    assert_eq!(with(&tried, Status::Fail), BTreeSet::new());
    let unclear = with(&tried, Status::Unclear);
    assert!(unclear.contains("strict.light.copies"), "{unclear:?}");
}

#[test]
fn one_lost_packet_costs_no_more_than_another_attempt() {
    // The seventh is one of the short ones of the first trials; all plain packets are answered.
    for lost in 4..60 {
        let tried = tried(&mut losing(move |number| number == lost));
        assert_eq!(with(&tried, Status::Fail), BTreeSet::new(), "{lost}");
    }
}
