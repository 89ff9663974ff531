//! How sessions end: Stop-Sessions and the Timeout, REFWAIT, removal (rows TT-22, TT-23; TC-45,
//! TC-46, TC-48, TC-59, TC-66, TC-75, TC-76).

use std::time::Duration;

use twinpath_proto::reflector::{Ended, Ignored, SessionReflector};
use twinpath_wire::Mono;

use super::super::support::ms;
use super::{PORT, ended, open_and_start, packet, reflector, running, sid, spec};

fn just_before(at: Mono) -> Mono {
    at - Duration::from_nanos(1)
}

fn how(ours: &mut SessionReflector) -> Vec<(u64, Ended)> {
    let ended = ended(ours);
    ended
        .into_iter()
        .map(|(_, how, counters)| (counters.reflected, how))
        .collect()
}

#[test]
fn after_a_stop_packets_are_reflected_until_the_timeout_and_never_after_it() {
    let mut ours = running(|_| {});
    assert_eq!(packet(&mut ours, 0, ms(100)), Ok(0));
    ours.stop(sid(0), ms(500));
    let end = ms(2_500);
    assert_eq!(ours.poll_timeout(), Some(end));
    assert_eq!(packet(&mut ours, 0, ms(500)), Ok(1));
    assert_eq!(packet(&mut ours, 0, just_before(end)), Ok(2));
    // The driver is late: the time counts, not the call.
    assert_eq!(packet(&mut ours, 0, end), Err(Ignored::NoSession));
    ours.handle_timeout(just_before(end));
    assert_eq!(how(&mut ours), []);
    ours.handle_timeout(end);
    assert_eq!(how(&mut ours), [(3, Ended::Stopped)]);
    assert_eq!(packet(&mut ours, 0, end), Err(Ignored::NoSession));
    assert_eq!(ours.session_counters(sid(0)), None);
    assert_eq!(ours.poll_timeout(), None);
    assert_eq!(ours.counters().sessions, 0);
}

#[test]
fn a_second_stop_and_a_start_after_it_change_nothing() {
    let mut ours = running(|_| {});
    ours.stop(sid(0), ms(0));
    ours.stop(sid(0), ms(1_000));
    ours.start(sid(0), ms(1_500));
    assert_eq!(ours.poll_timeout(), Some(ms(2_000)));
    ours.handle_timeout(ms(2_000));
    assert_eq!(how(&mut ours), [(0, Ended::Stopped)]);
}

#[test]
fn a_timeout_of_zero_ends_with_the_stop() {
    let mut ours = running(|spec| spec.timeout = Duration::ZERO);
    ours.stop(sid(0), ms(10));
    assert_eq!(packet(&mut ours, 0, ms(10)), Err(Ignored::NoSession));
    ours.handle_timeout(ms(10));
    assert_eq!(how(&mut ours), [(0, Ended::Stopped)]);
}

#[test]
fn a_timeout_over_refwait_is_taken_as_refwait_and_no_duration_overflows() {
    let mut ours = running(|spec| spec.timeout = Duration::MAX);
    ours.stop(sid(0), ms(0));
    assert_eq!(ours.poll_timeout(), Some(ms(900_000)));
    open_and_start(&mut ours, 1, |spec| {
        spec.timeout = Duration::MAX;
        spec.refwait = Duration::MAX;
    });
    ours.stop(sid(1), ms(0));
    ours.handle_timeout(ms(900_000));
    assert_eq!(how(&mut ours), [(0, Ended::Stopped)]);
    assert_eq!(packet(&mut ours, 1, ms(900_000)), Ok(0));
}

#[test]
fn a_session_that_is_stopped_before_it_starts_is_gone_at_once() {
    let mut ours = reflector();
    ours.open(spec(0), PORT, None).unwrap();
    ours.stop(sid(0), ms(0));
    assert_eq!(how(&mut ours), [(0, Ended::Removed)]);
    assert_eq!(packet(&mut ours, 0, ms(0)), Err(Ignored::NoSession));
    assert_eq!(ours.open(spec(0), PORT, None), Ok(()));
    assert_eq!(ours.poll_timeout(), None, "it ends with its connection");
}

#[test]
fn a_removed_session_is_gone_at_once_and_an_unknown_one_is_no_matter() {
    let mut ours = running(|_| {});
    assert_eq!(packet(&mut ours, 0, ms(0)), Ok(0));
    ours.remove(sid(0));
    ours.remove(sid(0));
    ours.stop(sid(9), ms(0));
    ours.start(sid(9), ms(0));
    assert_eq!(how(&mut ours), [(1, Ended::Removed)]);
    assert_eq!(packet(&mut ours, 0, ms(0)), Err(Ignored::NoSession));
    assert_eq!(ours.poll_timeout(), None);
}

#[test]
fn a_session_without_packets_for_refwait_ends() {
    let mut ours = running(|_| {});
    assert_eq!(ours.poll_timeout(), Some(ms(900_000)));
    assert_eq!(packet(&mut ours, 0, ms(600_000)), Ok(0));
    // Packets of others, or without a reply, do not count as activity.
    assert_eq!(packet(&mut ours, 1, ms(700_000)), Err(Ignored::NoSession));
    ours.handle_timeout(ms(900_000));
    assert_eq!(how(&mut ours), []);
    assert_eq!(ours.poll_timeout(), Some(ms(1_500_000)));
    ours.handle_timeout(ms(1_500_000));
    assert_eq!(how(&mut ours), [(1, Ended::Refwait)]);
    assert_eq!(ours.counters().sessions_expired, 1);
    assert_eq!(packet(&mut ours, 0, ms(1_500_000)), Err(Ignored::NoSession));
}

#[test]
fn refwait_counts_from_the_start_time_that_was_asked_for_at_most_a_day_ahead() {
    let day = 86_400_000;
    for (begins, ends) in [
        (None, 900_000),
        (Some(ms(60_000)), 960_000),
        (Some(Mono::from_ns(0)), 900_000), // past
        (Some(ms(7 * day)), day + 900_000),
    ] {
        let mut ours = running(|spec| spec.begins = begins);
        ours.handle_timeout(just_before(ms(ends)));
        assert_eq!(how(&mut ours), [], "{begins:?}");
        assert_eq!(ours.poll_timeout(), Some(ms(ends)), "{begins:?}");
        ours.handle_timeout(ms(ends));
        assert_eq!(how(&mut ours), [(0, Ended::Refwait)], "{begins:?}");
    }
}

#[test]
fn a_session_is_reflected_before_its_start_time_too() {
    let mut ours = running(|spec| spec.begins = Some(ms(60_000)));
    assert_eq!(packet(&mut ours, 0, ms(1)), Ok(0));
}

#[test]
fn stopping_one_session_leaves_the_others() {
    let mut ours = running(|_| {});
    open_and_start(&mut ours, 1, |_| {});
    open_and_start(&mut ours, 2, |_| {});
    ours.stop(sid(1), ms(0));
    ours.handle_timeout(ms(5_000));
    let ended: Vec<_> = ended(&mut ours).into_iter().map(|(sid, ..)| sid).collect();
    assert_eq!(ended, [sid(1)]);
    assert_eq!(packet(&mut ours, 0, ms(5_000)), Ok(0));
    assert_eq!(packet(&mut ours, 1, ms(5_000)), Err(Ignored::NoSession));
    assert_eq!(packet(&mut ours, 2, ms(5_000)), Ok(0));
}

#[test]
fn thousands_of_sessions_end_a_bounded_number_at_a_time() {
    let mut ours = reflector();
    for number in 0..5_000 {
        open_and_start(&mut ours, number, |_| {});
    }
    let mut calls = 0;
    while let Some(due) = ours.poll_timeout() {
        ours.handle_timeout(due);
        calls += 1;
        assert!(calls < 1_000, "no end");
    }
    assert!(calls >= 10, "{calls} calls: too many sessions in one");
    let ended = how(&mut ours);
    assert_eq!(ended.len(), 5_000);
    assert!(ended.iter().all(|(_, how)| *how == Ended::Refwait));
}
