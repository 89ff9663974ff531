//! Member links without IDs, and members that are down, gone or not there.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{BOTH, Lag, received, sessions};
use crate::hosts::ip;
use crate::responders::last_words;

#[test]
fn a_request_with_id_0_is_answered_by_whichever_member_it_comes() {
    let Some(lag) = Lag::new() else { return };
    for (ids, answers) in [
        ("11@n1,12@n2", [Some(11), Some(12)]),
        ("11@n1,12", [Some(11), Some(12)]),
        ("11,12@n2", [Some(11), Some(12)]),
        ("11@n1", [Some(11), None]),
        ("11@n1,2,3", [Some(11), Some(2)]),
    ] {
        let responder = lag
            .0
            .responder(&format!(":862 --micro-session-id {ids} --json"));
        let done = lag.measure("10.97.0.2 --micro-session 1@m1,2@m2");
        for (session, answer) in sessions(&done).iter().zip(answers) {
            let told = &session["stamp"]["micro_session"]["reflector_id"];
            assert_eq!(told, &json!(answer), "{ids}: {session}");
            let other = &session["odd_replies"]["micro_session_mismatch"];
            let counts = if answer.is_some() { (10, 0) } else { (0, 10) };
            let known = (received(session), other.as_u64().unwrap_or(0));
            assert_eq!(known, counts, "{ids}: {session}");
        }
        let words = last_words(responder);
        assert_eq!(words["reflected"], 20, "{ids}: {words}");
        assert_eq!(words["send_errors"].as_u64().unwrap_or(0), 0, "{words}");
    }
}

#[test]
fn a_request_for_another_id_than_that_of_its_member_is_counted() {
    let Some(lag) = Lag::new() else { return };
    // By the member with an ID, and by the one without.
    for asked in ["1:12@m1", "1:11@m2", "1:9@m2"] {
        let responder = lag.0.responder(":862 --micro-session-id 11@n1,12 --json");
        let done = lag.measure(&format!("10.97.0.2 --micro-session {asked}"));
        assert_eq!(done.status, 3, "{asked}: {}", done.stderr);
        let words = last_words(responder);
        assert_eq!(words["ignored"]["micro_session"], 10, "{asked}: {words}");
        assert_eq!(words["reflected"], 0, "{asked}: {words}");
    }
}

#[test]
fn a_member_that_joins_its_link_later_is_answered_too() {
    let Some(lag) = Lag::new() else { return };
    let _responder = lag.0.responder(":862 --micro-session-id 11@n1,12");
    for line in Lag::link(&lag.0, 3) {
        ip(&line).unwrap();
    }
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let done = lag.measure("10.97.0.2 --micro-session 1@m1,3@m3");
        let all = sessions(&done);
        let ids = all
            .iter()
            .map(|it| &it["stamp"]["micro_session"]["reflector_id"]);
        let counts: Vec<u64> = all.iter().map(received).collect();
        if counts == [10, 10] {
            assert!(ids.eq([&json!(11), &json!(12)]), "{all:?}");
            break;
        }
        assert!(Instant::now() < until, "{counts:?} {}", done.stderr);
    }
}

#[test]
fn plain_ids_are_learnt_where_both_ends_use_the_same_ones() {
    let Some(lag) = Lag::new() else { return };
    let responder = lag.0.responder(":862 --micro-session-id 1,2 --json");
    let done = lag.measure("10.97.0.2 --micro-session 1,2");
    for (session, id) in sessions(&done).iter().zip([1, 2]) {
        assert_eq!(received(session), 10, "{session}");
        assert_eq!(session["stamp"]["micro_session"]["reflector_id"], id);
    }
    let all = sessions(&lag.measure("10.97.0.2 --micro-session 7:1,8:2"));
    assert_eq!([received(&all[0]), received(&all[1])], [10, 10]);
    assert_eq!(last_words(responder)["reflected"], 40);
}

#[test]
fn a_member_that_is_not_there_is_said_and_the_others_are_measured() {
    let Some(lag) = Lag::new() else { return };
    let _responder = lag.0.responder(":862 --micro-session-id 11@n1,12@n2");
    let done = lag.measure("10.97.0.2 --micro-session 1:11@m1,2:12@m9");
    assert_eq!(done.status, 1, "{}", done.stderr);
    let all = sessions(&done);
    assert_eq!((all.len(), received(&all[0])), (1, 10), "{}", done.stderr);
    let about = done.stderr.lines().filter(|line| line.contains("m9"));
    assert_eq!(about.count(), 1, "{}", done.stderr);
}

#[test]
fn a_member_that_goes_down_or_away_stops_its_own_session_alone() {
    let Some(lag) = Lag::new() else { return };
    let near = &lag.0.near;
    let _responder = lag.0.responder(":862 --micro-session-id 11@n1,12@n2");
    let line = "sender 10.97.0.2 --stamp --duration 120 -i 20 --timeout 0.5 --output jsonl";
    let mut run = lag.0.start(&format!("{line} {BOTH}"));
    let mut received_by = |path: u64, after: u64| loop {
        let text = run.wait_for("\"fate\":\"received\"");
        let packet: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let seq = packet["seq"].as_u64().unwrap();
        if packet["path"] == path && seq >= after {
            return seq;
        }
    };
    let seq = received_by(2, 0);
    ip(&format!("-n {near} link set m2 down")).unwrap();
    let seq = received_by(1, seq + 50);
    ip(&format!("-n {near} link set m2 up")).unwrap();
    let seq = received_by(2, seq);
    ip(&format!("-n {near} link del m2")).unwrap();
    received_by(1, seq + 50);
    run.signal(&["INT"]);
    let done = run.finish();
    let said = "interface is gone: no packets until it is back";
    let lines = done.stderr.lines().filter(|line| line.contains(said));
    assert_eq!(lines.count(), 1, "{}", done.stderr);
    assert!(
        done.stderr.contains("(network unreachable)"),
        "{}",
        done.stderr
    );
}
