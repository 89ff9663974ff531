//! What is said of losses whose direction nobody tells, in a run and in reports of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use crate::program::{far_socket, run};

/// A reflector of TWAMP Light that copies numbers, for `count` packets of which it answers some.
fn copying_reflector(count: u32, answers: fn(u32) -> bool) -> SocketAddr {
    let socket = far_socket(Ipv4Addr::LOCALHOST);
    socket.set_read_timeout(None).unwrap();
    let at = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut request = [0; 2_048];
        for _ in 0..count {
            let (octets, from) = socket.recv_from(&mut request).unwrap();
            let [a, b, c, d, ..] = request;
            if !answers(u32::from_be_bytes([a, b, c, d])) {
                continue;
            }
            // Number, T3, Error Estimate, zeros, T2, then what came (RFC 5357 section 4.2.1).
            let mut reply = request[..14].to_vec();
            reply.extend([0, 0]);
            reply.extend(&request[4..12]);
            reply.extend(&request[..14]);
            reply.extend([0, 0, 255]);
            reply.resize(octets.max(41), 0);
            socket.send_to(&reply, from).unwrap();
        }
    });
    at
}

#[test]
fn a_report_that_is_told_of_a_counter_says_what_its_split_rests_on() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let file = file.display();
    let advice = "(if it counts, use --reflector stateful)";
    let far = copying_reflector(30, |seq| !(10..15).contains(&seq));
    let measured = run(&format!(
        "sender {far} -c 30 -i 2 --timeout 3 --save {file}"
    ));
    assert!(measured.unwrapped().contains(advice), "{}", measured.stdout);
    assert_eq!(run(&format!("report {file}")).stdout, measured.stdout);
    let told = run(&format!("report {file} --reflector stateful")).unwrapped();
    assert!(!told.contains(advice), "it was followed: {told}");
    assert!(told.contains("0 outbound, 5 inbound"), "{told}");
    assert!(
        told.contains("relies only on --reflector stateful"),
        "{told}"
    );
    let told = run(&format!("report {file} --reflector stateless")).stdout;
    assert!(!told.contains(advice), "it was declined: {told}");
}

#[test]
fn where_a_path_dies_no_counter_is_asked_for() {
    let far = copying_reflector(30, |seq| seq < 10);
    let done = run(&format!("sender {far} -c 30 -i 2 --timeout 3"));
    assert!(done.stdout.contains("20 lost"), "{}", done.stdout);
    assert!(
        done.stdout
            .contains("no packet was answered after the losses"),
        "{}",
        done.stdout
    );
    assert!(
        !done.stdout.contains("--reflector stateful"),
        "{}",
        done.stdout
    );
}
