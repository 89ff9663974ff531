//! Options of the sender act on what is sent and said.

use crate::program::{Responder, finish, has_ipv6, run, taken_port, twinpath};

#[test]
fn a_session_over_either_loopback_is_measured() {
    for (near, asked) in [("127.0.0.1:0", true), ("[::1]:0", has_ipv6())] {
        if !asked {
            continue;
        }
        let responder = Responder::start(near);
        let done = run(&format!(
            "sender {} -c 10 -i 2 --json --label site=lab --label rack=7",
            responder.at
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
        let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(document["schema"], "twinpath-report-1");
        assert_eq!(document["labels"]["rack"], "7");
        let session = &document["sessions"][0];
        assert_eq!(session["protocol"], "twamp-light");
        assert_eq!(session["reflector"], responder.at.to_string());
        assert_eq!(session["packets"]["asked"], 10);
        assert_eq!(session["packets"]["sent"], 10);
        assert_eq!(session["packets"]["received"], 10);
        assert_eq!(session["packets"]["loss_ratio"], 0.0);
        assert_eq!(session["round_trip"]["count"], 10);
        assert_eq!(session["departure"]["count"], 10);
        assert_eq!(session["interval_ns"], 2_000_000);
        assert_eq!(session["padding"], 27);
    }
}

#[test]
fn names_resolve_to_the_family_that_is_asked_for() {
    let responder = Responder::on_loopback();
    let line = format!(
        "sender localhost:{} -4 -c 2 -i 1 --json",
        responder.at.port()
    );
    let session = run(&line).session();
    assert_eq!(session["reflector"], responder.at.to_string());
    assert_eq!(session["packets"]["received"], 2);
}

#[test]
fn marking_and_ttl_reach_the_far_end_and_come_back() {
    let responder = Responder::start("127.0.0.1:0 --ttl 9");
    let line = format!(
        "sender {} -c 5 -i 2 --dscp ef --ttl 64 --json",
        responder.at
    );
    let session = run(&line).session();
    assert_eq!(
        (&session["dscp"], &session["tos"]),
        (&46.into(), &184.into())
    );
    assert_eq!(session["ttl_forward"]["min"], 64);
    assert_eq!(session["ttl_backward"]["max"], 9);
    assert_eq!(session["dscp_backward"]["46"], 5, "{session}");
    for tos in ["0x20", "32"] {
        let line = format!("sender {} -c 5 -i 2 --tos {tos} --json", responder.at);
        assert_eq!(run(&line).session()["dscp_backward"]["8"], 5, "{tos}");
    }
}

#[test]
fn unless_told_otherwise_packets_and_replies_leave_with_a_ttl_of_255_and_unmarked() {
    for (near, asked) in [("127.0.0.1:0", true), ("[::1]:0", has_ipv6())] {
        if !asked {
            continue;
        }
        let responder = Responder::start(near);
        for protocol in ["", "--stamp"] {
            let line = format!("sender {} {protocol} -c 5 -i 2 --json", responder.at);
            let session = run(&line).session();
            assert_eq!(session["packets"]["received"], 5, "{near} {protocol}");
            for way in ["ttl_forward", "ttl_backward"] {
                for bound in ["min", "max"] {
                    assert_eq!(session[way][bound], 255, "{near} {protocol} {way}");
                }
            }
            assert_eq!(session["dscp_backward"]["0"], 5, "{near} {protocol}");
        }
    }
}

#[test]
fn a_list_of_classes_takes_every_spelling_of_a_code_point() {
    let responder = Responder::on_loopback();
    let mut command = twinpath(&format!("sender {} -c 1 --json --dscp", responder.at));
    command.arg("be, EF,0x2d , df,voice-admit,nqb,5");
    let done = finish(command);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let sessions = document["sessions"].as_array().unwrap();
    let classes: Vec<u64> = sessions
        .iter()
        .map(|s| s["dscp"].as_u64().unwrap())
        .collect();
    assert_eq!(classes, [0, 46, 45, 0, 44, 45, 5]);
}

#[test]
fn a_responder_s_own_dscp_marks_its_replies() {
    let responder = Responder::start("127.0.0.1:0 --dscp af41");
    let line = format!("sender {} -c 5 -i 2 --dscp ef --json", responder.at);
    assert_eq!(run(&line).session()["dscp_backward"]["34"], 5);
}

#[test]
fn stamp_packets_carry_their_session_identifier() {
    let responder = Responder::start("127.0.0.1:0 --protocol stamp");
    let line = format!("sender {} -c 5 -i 2 --stamp --ssid 7 --json", responder.at);
    let session = run(&line).session();
    assert_eq!(
        (&session["protocol"], &session["ssid"]),
        (&"stamp".into(), &7.into())
    );
    assert_eq!(session["packets"]["received"], 5);
    assert_eq!(session["odd_replies"], serde_json::json!({}));
    assert_eq!(session["payload_octets"], 44);
}

#[test]
fn an_address_that_ends_like_a_port_gets_a_remark() {
    let taken = |line: &str| run(line).stderr;
    let remark = "note: ::1:862 is taken as an address without a port: did you mean [::1]:862?\n";
    let line = "responder ::1:862";
    assert!(taken(line).starts_with(remark), "{}", taken(line));
    let line = "sender ::1:862 127.0.0.1";
    assert!(!taken(line).contains("note:"), "{}", taken(line));
    assert!(!taken("responder ::1:862 -q").contains("note:"));
}

#[test]
fn sizes_from_the_least_to_the_largest_come_back() {
    let responder = Responder::on_loopback();
    for padding in ["0", "8986", "65493", "-1"] {
        for more in ["", "--fill random", "--stamp"] {
            let line = format!(
                "sender {} -c 12 -i 2 --padding {padding} {more} --json",
                responder.at
            );
            let done = run(&line);
            let session = done.session();
            assert_eq!(session["packets"]["received"], 12, "{line}: {session}");
            assert_eq!(session["padding"].to_string(), padding);
        }
    }
}

#[test]
fn plain_sockets_measure_with_stamps_of_user_space() {
    let responder = Responder::start("127.0.0.1:0 --portable --json");
    let line = format!("sender {} -c 5 -i 2 --portable --json", responder.at);
    let session = run(&line).session();
    assert_eq!(session["packets"]["received"], 5);
    assert_eq!(session["timestamps"]["transmit"], "user");
    assert_eq!(session["timestamps"]["receive"], "user");
    let last: serde_json::Value = serde_json::from_str(&responder.stop("TERM").stdout).unwrap();
    assert_eq!(last["timestamps"]["receive"], "user");
}

#[test]
fn timestamps_user_takes_nothing_better() {
    let responder = Responder::start("127.0.0.1:0 --timestamps user --json");
    let line = format!("sender {} -c 5 -i 2 --timestamps user --json", responder.at);
    let session = run(&line).session();
    assert_eq!(session["timestamps"]["transmit"], "user");
    assert_eq!(session["timestamps"]["receive"], "user");
    let last: serde_json::Value = serde_json::from_str(&responder.stop("TERM").stdout).unwrap();
    assert_eq!(last["timestamps"]["receive"], "user");
}

#[test]
fn a_duration_sends_what_fits_into_it() {
    let responder = Responder::on_loopback();
    let line = format!("sender {} --duration 0.1 -i 10 --spin --json", responder.at);
    let session = run(&line).session();
    assert!(session["packets"]["asked"].is_null());
    let [sent, skipped] =
        ["sent", "slots_skipped"].map(|key| session["packets"][key].as_u64().unwrap());
    assert_eq!(sent + skipped, 10, "{session}");
}

#[test]
fn a_start_delay_comes_before_the_first_packet() {
    let responder = Responder::on_loopback();
    let before = std::time::SystemTime::now();
    let line = format!(
        "sender {} -c 1 --start-delay 300ms --output csv",
        responder.at
    );
    let done = run(&line);
    let t1: u64 = done
        .stdout
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let t1 = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(t1);
    assert!(
        t1 >= before + std::time::Duration::from_millis(300),
        "{}",
        done.stdout
    );
}

#[test]
fn source_ports_come_from_the_range_and_a_taken_one_is_passed_over() {
    let responder = Responder::on_loopback();
    let (_held, low) = taken_port();
    let high = low.saturating_add(50);
    let line = format!(
        "sender {} 127.0.0.1 --ports {low}-{high} -c 1 --json",
        responder.at
    );
    let done = run(&line);
    if low == high {
        println!("skipped: the free port was the last one there is");
        return;
    }
    let sender = done.session()["sender"].as_str().unwrap().to_owned();
    let port: u16 = sender.rsplit(':').next().unwrap().parse().unwrap();
    assert!(
        port > low && port <= high,
        "{sender} is not in {low}-{high}"
    );
}

#[test]
fn a_port_of_another_program_is_one_clear_line() {
    let (_held, port) = taken_port();
    for line in [
        format!("sender 127.0.0.1:9 127.0.0.1:{port} -c 1"),
        format!("sender 127.0.0.1:9 127.0.0.1 --ports {port}-{port} -c 1"),
        format!("responder 127.0.0.1:{port}"),
    ] {
        let done = run(&line);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{line}");
        assert_eq!(done.stderr.lines().count(), 1, "{line}: {}", done.stderr);
        assert!(
            done.stderr.contains(&port.to_string()),
            "{line}: {}",
            done.stderr
        );
    }
}

#[test]
fn addresses_and_interfaces_that_are_not_here_are_one_clear_line() {
    for line in [
        "sender 192.0.2.1 192.0.2.77 -c 1",
        "sender 127.0.0.1 --interface no-such-dev -c 1",
        "sender fe80::1%no-such-dev -c 1",
        "responder 192.0.2.77:0",
        "responder :0 --interface no-such-dev",
    ] {
        let done = run(line);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{line}");
        assert_eq!(done.stderr.lines().count(), 1, "{line}: {}", done.stderr);
        assert!(
            done.stderr.starts_with("twinpath: "),
            "{line}: {}",
            done.stderr
        );
    }
}
