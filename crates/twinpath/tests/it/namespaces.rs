//! Two hosts measure each other.

use std::time::Duration;

use serde_json::Value;

use crate::hosts::{Hosts, ip};

#[test]
fn two_hosts_measure_each_other_over_ipv4_and_ipv6() {
    let Some(hosts) = Hosts::new() else { return };
    let responder = hosts.responder(":862");
    let link_local = format!("[{}%v0]:862", hosts.far_link_local());
    for far in ["10.98.0.2:862", "[fd98::2]:862", link_local.as_str()] {
        for protocol in ["", "--stamp --ssid 9"] {
            let done = hosts.run(&format!("sender {far} {protocol} -c 20 -i 3 --json"));
            assert_eq!(done.status, 0, "{far}: {}{}", done.stdout, done.stderr);
            let session = done.session();
            assert_eq!(session["packets"]["received"], 20, "{far} {session}");
            assert_eq!(session["packets"]["lost_forward"].as_u64().unwrap_or(0), 0);
            assert_eq!(session["timestamps"]["transmit"], "kernel");
            assert_eq!(session["timestamps"]["receive"], "kernel");
            assert_eq!(session["round_trip"]["count"], 20);
        }
    }
    // In JSON, in text and in words the zone has its interface's name.
    let done = hosts.run(&format!("sender {link_local} -c 1 --json"));
    assert_eq!(done.session()["reflector"], link_local.as_str());
    let sender = done.session()["sender"].as_str().unwrap().to_owned();
    assert!(sender.contains("%v0]:"), "{sender}");
    let done = hosts.run(&format!("sender {link_local} -c 1"));
    // Two long addresses take two lines.
    let heading = done.stdout.split("\nevery").next().unwrap();
    let heading: Vec<&str> = heading.split_whitespace().collect();
    let end = ["to", link_local.as_str()];
    assert!(heading.ends_with(&end), "{heading:?}");
    let did = responder.stop("TERM");
    assert_eq!(did.status, 0);
    assert!(did.stdout.contains("122"), "{}", did.stdout);
}

#[test]
fn a_reply_comes_from_the_address_that_was_asked() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001");
    for far in ["10.98.0.2", "10.98.0.3"] {
        let session = hosts
            .run(&format!("sender {far} -c 5 -i 3 --json"))
            .session();
        assert_eq!(session["packets"]["received"], 5, "{session}");
    }
}

#[test]
fn the_network_may_go_down_and_up_in_mid_run() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001");
    let mut run = hosts.start("sender 10.98.0.2 -i 10 -c inf --timeout 0.5 --output jsonl");
    let before = run.wait_for("\"received\"");
    ip(&format!("-n {} link set v0 down", hosts.near)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    ip(&format!("-n {} link set v0 up", hosts.near)).unwrap();
    // Until replies come again, after many packets that did not leave.
    let mut text = before;
    let mut last = 0;
    loop {
        text += &run.wait_for("\"received\"");
        let packet: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let seq = packet["seq"].as_u64().unwrap();
        if seq > last + 10 {
            break;
        }
        last = seq;
    }
    run.signal(&["INT"]);
    let done = run.finish();
    // More than one in a hundred could not be sent.
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(
        done.stderr.contains(" packets could not be sent "),
        "{}",
        done.stderr
    );
    let lines = text.lines().count() + done.stdout.lines().count() - 1;
    let packets = &done.session()["packets"];
    let count = |key: &str| packets[key].as_u64().unwrap();
    assert!(count("unsent") > 0, "{packets}");
    assert_eq!(packets["loss_ratio"], Value::Null, "{packets}");
    assert_eq!(
        count("sent"),
        count("received") + count("lost"),
        "{packets}"
    );
    assert_eq!(lines as u64, count("sent"), "a line for each packet sent");
}

#[test]
fn a_packet_over_the_link_s_mtu_with_df_is_refused_in_one_line() {
    let Some(hosts) = Hosts::new() else { return };
    ip(&format!("-n {} link set v0 mtu 1400", hosts.near)).unwrap();
    ip(&format!("-n {} link set v1 mtu 1400", hosts.far)).unwrap();
    let _responder = hosts.responder(":20001");
    let done = hosts.run("sender 10.98.0.2 --padding 1400 --do-not-fragment");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(
        done.stderr.contains("1400") && done.stderr.contains("--padding 1358"),
        "{}",
        done.stderr
    );
    for (padding, df) in [("1358", "--do-not-fragment"), ("1400", ""), ("8958", "")] {
        let session = hosts.run(&format!(
            "sender 10.98.0.2 --padding {padding} {df} -c 3 -i 5 --json"
        ));
        assert_eq!(
            session.session()["packets"]["received"],
            3,
            "{padding} {df}"
        );
    }
}

#[test]
fn an_interface_can_be_named() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder("--interface v1 :20001");
    for (interface, received) in [("v0", 3), ("lo", 0)] {
        let line =
            format!("sender 10.98.0.2 --interface {interface} -c 3 -i 5 --timeout 0.2 --json");
        let done = hosts.run(&line);
        if received == 0 {
            assert_ne!(done.status, 0, "{}", done.stdout);
        } else {
            assert_eq!(
                done.session()["packets"]["received"],
                received,
                "{}",
                done.stderr
            );
        }
    }
}

#[test]
fn a_reflector_s_ttl_is_that_of_its_replies() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001 --ttl 77");
    let _server = hosts.listener("server :862 --ttl 78");
    for far in ["10.98.0.2", "fd98::2"] {
        for (role, ttl) in [("sender", 77), ("controller", 78)] {
            let line = format!("{role} {far} -c 2 -i 5 --ttl 66 --json");
            let session = hosts.run(&line).session();
            assert_eq!(session["ttl_backward"]["max"], ttl, "{line}");
            assert_eq!(session["ttl_forward"]["max"], 66, "{line}");
        }
    }
}

#[test]
fn a_reflector_answers_by_its_interface_alone() {
    let Some(hosts) = Hosts::new() else { return };
    for (interface, status) in [("v1", 0), ("lo", 3)] {
        let _responder = hosts.responder(&format!(":20001 --interface {interface}"));
        let _server = hosts.listener(&format!("server :862 --interface {interface}"));
        for far in ["10.98.0.2", "fd98::2"] {
            let done = hosts.run(&format!("sender {far} -c 5 -i 50 --timeout 1"));
            assert_eq!(done.status, status, "{interface} {far}: {}", done.stderr);
            // Nothing listens there for it.
            let done = hosts.run(&format!("controller {far} -c 5 -i 50 --timeout 1"));
            let expected = i32::from(status != 0);
            assert_eq!(done.status, expected, "{interface} {far}: {}", done.stderr);
        }
    }
}

#[test]
fn a_wait_in_the_sender_s_own_queue_is_said_to_be_left_out_of_the_delays() {
    let Some(hosts) = Hosts::new() else { return };
    let shape = "tc qdisc add dev v0 root tbf rate 400kbit burst 1600 latency 2s";
    if let Err(why) = ip(&format!("netns exec {} {shape}", hosts.near)) {
        eprintln!("skipped: no shaper here ({why})");
        return;
    }
    let _responder = hosts.responder(":20001");
    // A packet takes the shaper 30 ms: the 40th waits for most of a second.
    let done = hosts.run("sender 10.98.0.2 --padding 1400 -c 40 -i 10 --timeout 3 --json");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = done.session();
    let ns = |of: &str, key: &str| session[of][key].as_i64().unwrap();
    assert_eq!(ns("own_wait", "count"), 40);
    assert!(
        ns("own_wait", "mean_ns") > 50_000_000,
        "{}",
        session["own_wait"]
    );
    assert!(ns("departure", "median_ns") > 50_000_000);
    assert!(ns("round_trip", "median_ns") < ns("departure", "median_ns"));
    assert!(
        done.stderr
            .contains("the delays exclude the wait in this host's interface queue"),
        "{}",
        done.stderr
    );
}
