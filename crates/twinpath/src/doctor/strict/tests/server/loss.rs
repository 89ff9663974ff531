//! Losses beside a control connection are not taken for errors, nor are answers to other packets for those that are
//! waited for.

use super::*;

fn over(network: impl Fn(u32, Vec<u8>) -> Vec<Vec<u8>> + 'static) -> Vec<Tried> {
    tried(Errs {
        network: Some(Box::new(network)),
        ..Errs::default()
    })
}

/// The replies that `is_lost` names do not arrive.
fn losing(is_lost: impl Fn(u32) -> bool + 'static) -> Vec<Tried> {
    over(move |number, reply| {
        if is_lost(number) {
            Vec::new()
        } else {
            vec![reply]
        }
    })
}

#[test]
fn regular_losses_fail_no_trial() {
    for period in 1..8 {
        for phase in 0..period {
            let tried = losing(move |number| number % period == phase);
            let failed = with(&tried, Status::Fail);
            assert!(failed.is_empty(), "{period} {phase}: {failed:?}");
        }
    }
}

#[test]
fn a_burst_of_losses_fails_no_trial() {
    for first in 0..60 {
        for length in [1, 3, 9, 27] {
            let tried = losing(move |number| (first..first + length).contains(&number));
            let failed = with(&tried, Status::Fail);
            assert!(failed.is_empty(), "{first} {length}: {failed:?}");
        }
    }
}

#[test]
fn one_lost_packet_costs_a_trial_nothing() {
    for lost in 6..40 {
        let tried = losing(move |number| number == lost);
        assert_eq!(with(&tried, Status::Fail), BTreeSet::new(), "{lost}");
        let unclear = with(&tried, Status::Unclear);
        // Silence to packets that must not be answered says less where others are lost.
        for id in unclear {
            let mut each = tried.iter();
            let tried = each.find(|tried| tried.id == id).unwrap();
            assert!(tried.evidence.contains("lost too"), "{lost}: {tried:?}");
        }
    }
}

#[test]
fn without_a_single_reply_silence_is_unclear() {
    let tried = losing(|_| true);
    assert_eq!(with(&tried, Status::Fail), BTreeSet::new());
    let unclear = with(&tried, Status::Unclear);
    for id in [
        "strict.control.within-timeout",
        "strict.control.two-sessions",
        "strict.individual.start",
    ] {
        assert!(unclear.contains(id), "{unclear:?}");
    }
}

#[test]
fn a_reply_to_another_packet_is_no_answer() {
    // The number that it copies is of no packet that was sent.
    let tried = over(|_, mut reply| {
        reply[24] = 0x77;
        vec![reply]
    });
    let passed = with(&tried, Status::Pass);
    for id in ["strict.control.within-timeout", "strict.individual.start"] {
        assert!(!passed.contains(id), "{id}");
    }
    // Beside the right one it does no harm.
    let tried = over(|_, reply| {
        let mut other = reply.clone();
        other[24] = 0x77;
        vec![other, reply]
    });
    assert_eq!(with(&tried, Status::Fail), BTreeSet::new());
    assert_eq!(with(&tried, Status::Unclear), BTreeSet::new());
}

#[test]
fn a_server_that_says_nothing_for_a_while_fails_no_trial() {
    for first in 0..60 {
        for length in [1, 2, 5, 20, 100] {
            let tried = tried(Errs {
                stalls: Some(Box::new(move |number| {
                    (first..first + length).contains(&number)
                })),
                ..Errs::default()
            });
            let failed = with(&tried, Status::Fail);
            assert!(failed.is_empty(), "{first} {length}: {failed:?}");
        }
    }
}

#[test]
fn where_every_second_packet_is_lost_what_is_answered_passes() {
    let tried = losing(|number| number % 2 == 0);
    let passed = with(&tried, Status::Pass);
    for id in [
        "strict.control.within-timeout",
        "strict.control.two-sessions",
        "strict.individual.start",
    ] {
        assert!(passed.contains(id), "{passed:?}");
    }
}

#[test]
fn an_ordinary_request_that_gets_no_answer_is_made_once_more() {
    for (stalled, status) in [(1, Status::Pass), (2, Status::Unclear)] {
        let errs = Errs {
            stalls: Some(Box::new(move |number| number < stalled)),
            ..Errs::default()
        };
        let mut host = Host {
            errs: Rc::new(errs),
            counts: Rc::default(),
        };
        let subjects = Subjects {
            control: Some("203.0.113.7:862".parse().unwrap()),
            ..Subjects::default()
        };
        let parts = run(
            &[&control::REQUESTS],
            &subjects,
            &Keys::default(),
            &mut host,
        );
        let mut each = parts.iter().flat_map(|(_, tried)| tried);
        let refused = each.find(|tried| tried.id == "strict.control.receiver-foreign");
        let refused = refused.unwrap();
        assert_eq!(refused.status, status, "{refused:?}");
        let is_named = refused.evidence.contains("was not answered");
        assert_eq!(is_named, stalled == 2, "{refused:?}");
    }
}
