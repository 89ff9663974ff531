//! Steps against far ends with a limit.

use super::super::fakes::FakeFar;
use super::super::{CHECKS, FarEndPlan, Keys, Status, examine};
use super::*;
use twinpath_runtime::probe::Connection;

fn plan() -> FarEndPlan {
    FarEndPlan {
        name: "r1".to_owned(),
        host: "r1".to_owned(),
        addresses: vec!["203.0.113.7:0".parse().unwrap()],
        port: None,
        keys: Keys::default(),
    }
}

/// A TWAMP server's port.
fn greets() -> Connection {
    let mut said = vec![0; 64];
    said[15] = 1;
    said[16..48].fill(7);
    said[50] = 4;
    Connection::Open(said)
}

/// What is said of a far end, and the rates that were tried.
fn stressed(
    top_pps: u32,
    mut loaded: impl FnMut(&Load) -> LoadSeen + 'static,
) -> (Judged, Vec<u64>) {
    let mut far = FakeFar {
        loaded: Box::new(move |load| loaded(load)),
        ..FakeFar::honest()
    };
    let mut seen = Seen::new(plan());
    examine(CHECKS, &mut seen, &mut far);
    let before = far.asked;
    let judged = run(Some(top_pps), &seen, &mut far).judged;
    let most = Stress::up_to(top_pps).most_packets();
    let asked = (far.asked - before) as u64;
    assert!(asked <= most, "{asked} of {most}");
    let steps = judged.data["steps"].as_array().unwrap();
    let rates = steps.iter().map(|step| step["rate_pps"].as_u64().unwrap());
    (judged.clone(), rates.collect())
}

/// All packets leave, and so many of a second are answered.
fn limited(most_pps: u32) -> impl Fn(&Load) -> LoadSeen {
    move |load| {
        let over = load.rate_pps.saturating_sub(most_pps);
        let lost = u64::from(load.packets) * u64::from(over) / u64::from(load.rate_pps);
        LoadSeen {
            sent: load.packets.into(),
            achieved_pps: Some(load.rate_pps.into()),
            answered: u64::from(load.packets) - lost,
            lost,
            answer_ns: Some(200_000),
            ..LoadSeen::default()
        }
    }
}

#[test]
fn a_far_end_without_a_limit_answers_the_highest_rate() {
    let (judged, rates) = stressed(40_000, limited(u32::MAX));
    assert_eq!(judged.status, Status::Ok);
    assert_eq!(
        judged.finding,
        "the far end answers 40000/s for 2 s without loss"
    );
    assert_eq!(
        rates,
        [157, 313, 625, 1_250, 2_500, 5_000, 10_000, 20_000, 40_000]
    );
}

#[test]
fn the_rate_of_a_limit_lies_between_what_is_said() {
    for limit in [200, 700, 1_000, 3_333, 22_000, 39_000] {
        let (judged, _) = stressed(40_000, limited(limit));
        assert_eq!(judged.status, Status::Warn, "{judged:?}");
        let of = |key: &str| judged.data[key].as_u64().unwrap();
        let limit = u64::from(limit);
        // A loss of one in a hundred is none that shows.
        let (answered, failed) = (of("answered_pps"), of("failed_pps"));
        assert!(answered * 99 / 100 <= limit && limit < failed, "{judged:?}");
        assert!(failed * 10 <= answered * 13, "{judged:?}");
    }
    let (judged, rates) = stressed(40_000, limited(22_000));
    let said = "20900/s for 4 s without loss; drops from 25675/s (14.31% lost)";
    assert!(judged.finding.contains(said), "{judged:?}");
    let later = [
        40_000, 40_000, 20_900, 20_900, 40_000, 30_450, 30_450, 25_675, 25_675,
    ];
    assert_eq!(rates[8..], later);
}

/// As [`limited`], with a reserve for as many packets as are answered in a second, which fills while nothing
/// comes.
fn limited_with_reserve(most_pps: u32) -> impl FnMut(&Load) -> LoadSeen {
    let mut reserve = most_pps;
    move |load| {
        let most = reserve + most_pps * (load.packets / load.rate_pps);
        let answered = load.packets.min(most);
        let spent = (most - answered).min(most_pps);
        // A third of a second passes from step to step.
        reserve = most_pps.min(spent + most_pps / 3);
        let lost = load.packets - answered;
        LoadSeen {
            sent: load.packets.into(),
            achieved_pps: Some(load.rate_pps.into()),
            answered: answered.into(),
            lost: lost.into(),
            answer_ns: Some(200_000),
            ..LoadSeen::default()
        }
    }
}

#[test]
fn a_reserve_for_bursts_does_not_pass_for_the_rate() {
    for limit in [30, 200, 330, 350, 450, 2_600, 15_000, 19_000] {
        let (judged, _) = stressed(40_000, limited_with_reserve(limit));
        assert_eq!(judged.status, Status::Warn, "{limit}: {judged:?}");
        let of = |key: &str| judged.data[key].as_u64().unwrap();
        let limit = u64::from(limit);
        let (answered, failed) = (of("answered_pps"), of("failed_pps"));
        // A third of a second between two steps lets a twelfth more pass for four.
        assert!(
            answered <= limit * 109 / 100 && limit < failed,
            "{limit}: {judged:?}"
        );
        assert!(answered >= limit * 3 / 4, "{limit}: {judged:?}");
        let advice = format!("send at most {answered} packets a second");
        assert!(judged.advice.unwrap().starts_with(&advice));
    }
}

#[test]
fn where_no_rate_can_be_tried_that_is_said() {
    for (tcp, said) in [
        (Vec::new(), "nothing reflects test packets"),
        (
            vec![(862, greets())],
            "no session of the server is reflected",
        ),
    ] {
        let mut far = FakeFar {
            tcp,
            ports: Vec::new(),
            #[cfg(feature = "control")]
            server: Box::new(super::super::tests::servers::silent),
            ..FakeFar::honest()
        };
        let mut seen = Seen::new(plan());
        examine(CHECKS, &mut seen, &mut far);
        let judged = run(Some(1_000), &seen, &mut far).judged;
        assert_eq!(judged.status, Status::Unknown);
        assert!(judged.finding.contains(said), "{judged:?}");
    }
}

#[cfg(feature = "control")]
#[test]
fn sessions_of_a_server_are_loaded_where_nothing_else_answers() {
    for (ports, is_in_session) in [(Vec::new(), true), (vec![862], false)] {
        let mut far = FakeFar {
            tcp: vec![(862, greets())],
            ports,
            loaded: Box::new(limited(700)),
            ..FakeFar::honest()
        };
        let mut seen = Seen::new(plan());
        examine(CHECKS, &mut seen, &mut far);
        let judged = run(Some(1_000), &seen, &mut far).judged;
        assert_eq!(judged.status, Status::Warn, "{judged:?}");
        assert_eq!(judged.data["in_session"], is_in_session);
        let said = judged
            .finding
            .starts_with("in a session the far end answers");
        assert_eq!(said, is_in_session, "{judged:?}");
        // Each step has a connection of its own.
        let steps = judged.data["steps"].as_array().unwrap().len();
        let connections = far.session_loads;
        assert_eq!(connections, if is_in_session { steps } else { 0 });
        assert!(connections <= Stress::up_to(1_000).most_connections());
    }
}

#[test]
fn late_answers_are_a_limit_too() {
    let late = |load: &Load| LoadSeen {
        answer_ns: Some(if load.rate_pps > 5_000 {
            80_000_000
        } else {
            200_000
        }),
        ..limited(u32::MAX)(load)
    };
    let (judged, _) = stressed(10_000, late);
    let said = "5000/s for 4 s without loss; answers late from 6250/s (80.000ms";
    assert!(judged.finding.contains(said), "{judged:?}");
}

#[test]
fn answers_after_the_timeout_are_late_and_not_dropped() {
    let late = |load: &Load| {
        let over = if load.rate_pps > 5_000 { 4 } else { 0 };
        let late = u64::from(load.packets) * over / 100;
        LoadSeen {
            answered: u64::from(load.packets) - late,
            lost: late,
            late,
            ..limited(u32::MAX)(load)
        }
    };
    let (judged, _) = stressed(10_000, late);
    let said = "5000/s for 4 s without loss; answers late from 6250/s (4.00% answered after";
    assert!(judged.finding.contains(said), "{judged:?}");
    let last = judged.data["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["outcome"], "late");
    assert_eq!(last["late"], 1_000);
}

#[test]
fn a_loss_that_does_not_happen_again_is_no_limit() {
    let mut once = false;
    let hiccup = move |load: &Load| {
        let is_now = load.rate_pps == 5_000 && !once;
        once |= is_now;
        limited(if is_now { 1_000 } else { u32::MAX })(load)
    };
    let (judged, rates) = stressed(10_000, hiccup);
    assert_eq!(
        judged.finding,
        "the far end answers 10000/s for 2 s without loss"
    );
    assert_eq!(rates, [157, 313, 625, 1_250, 2_500, 5_000, 5_000, 10_000]);
}

#[test]
fn what_this_host_does_not_send_or_drops_is_no_limit_of_the_far_end() {
    let slow = |load: &Load| LoadSeen {
        achieved_pps: Some(f64::from(load.rate_pps).min(7_000.0)),
        ..limited(u32::MAX)(load)
    };
    let full = |load: &Load| LoadSeen {
        not_sent: u64::from(load.rate_pps > 7_000),
        ..limited(u32::MAX)(load)
    };
    let deaf = |load: &Load| LoadSeen {
        dropped_here: load.rate_pps.saturating_sub(7_000).into(),
        ..limited(7_000)(load)
    };
    let all: [super::super::fakes::Loaded; 3] = [Box::new(slow), Box::new(full), Box::new(deaf)];
    for loaded in all {
        let (judged, _) = stressed(40_000, loaded);
        assert_eq!(judged.status, Status::Unknown, "{judged:?}");
        let is_own = judged
            .finding
            .contains("/s for 4 s without loss; this host ");
        assert!(is_own, "{judged:?}");
        let answered = judged.data["answered_pps"].as_u64().unwrap();
        assert!((5_000..8_000).contains(&answered), "{judged:?}");
    }
}

#[test]
fn a_path_that_loses_packets_at_any_rate_has_no_limit() {
    let lossy = |load: &Load| LoadSeen {
        lost: u64::from(load.packets) / 10,
        ..limited(u32::MAX)(load)
    };
    let (judged, rates) = stressed(40_000, lossy);
    assert_eq!(judged.status, Status::Unknown);
    assert!(judged.finding.contains("lost at 36/s still"), "{judged:?}");
    assert_eq!(rates, [157, 157, 117, 117, 87, 87, 65, 65, 48, 48, 36, 36]);
}

#[test]
fn any_rate_has_steps_that_are_bounded_in_packets_and_time() {
    for top in [1, 2, 49, 50, 51, 99, 1_000, 1_001, 40_000, 1_000_000] {
        let stress = Stress::up_to(top);
        assert!(stress.most_packets() <= 48 * u64::from(top) + 48, "{top}");
        assert!(stress.longest() <= Duration::from_mins(2), "{top}");
        stressed(top, limited(u32::MAX));
        stressed(top, limited(top / 2));
    }
}
