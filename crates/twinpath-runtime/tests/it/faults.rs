//! What goes wrong, and the words for it.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use twinpath_proto::sender::{PayloadSize, Schedule, Wire};
use twinpath_proto::stamp::StampKeys;
use twinpath_report::Finding;
use twinpath_report::finding::{Silence, Unreached};
use twinpath_runtime::{PortChoice, SenderPlan, StartError, measure, responder};
use twinpath_wire::Fate;

use crate::{
    PATIENCE, closed_port, far_end, keys, measured, portable_build, reflect, responder_plan,
    sender_plan,
};

/// A peer of the test's own: answers each datagram by `answer`, until dropped.
fn peer(answer: impl Fn(&UdpSocket, &[u8], SocketAddr) + Send + 'static) -> SocketAddr {
    let socket = far_end("127.0.0.1:0");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let near = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut octets = [0; 2048];
        loop {
            match socket.recv_from(&mut octets) {
                Ok((count, from)) => answer(&socket, &octets[..count], from),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    near
}

/// For packets that have no reply: what comes in place of replies is there within this time.
fn quick(far: SocketAddr) -> SenderPlan {
    SenderPlan {
        timeout: Duration::from_secs(2),
        ..sender_plan(far)
    }
}

#[test]
fn nothing_listening_is_said() {
    if portable_build() {
        return;
    }
    let (_held, gone) = closed_port();
    let (report, samples) = measured(quick(gone));
    assert_eq!(report.counters.sent, 20);
    assert_eq!(keys(&report)[0], "port-unreachable");
    let refused = &report.findings[0];
    assert!(
        matches!(refused, Finding::Unreached(Unreached::PortUnreachable(it)) if it.far == gone),
        "{refused:?}"
    );
    assert!(samples.iter().all(|sample| sample.fate == Fate::Lost));
    assert_eq!(report.icmp[0].what, "port unreachable");
}

#[test]
fn silence_is_said() {
    let far = peer(|_, _, _| {});
    let (report, _) = measured(quick(far));
    assert_eq!((report.counters.received, report.counters.lost), (0, 20));
    assert_eq!(keys(&report)[0], "nothing-came-back");
}

#[test]
fn an_echo_service_is_no_reflector() {
    let far = peer(|socket, octets, from| {
        socket.send_to(octets, from).unwrap();
    });
    let (report, _) = measured(quick(far));
    assert_eq!(report.counters.received, 0);
    assert_eq!(keys(&report)[0], "echo-service");
}

#[test]
fn a_peer_that_speaks_something_else_is_said() {
    let far = peer(|socket, _, from| {
        socket
            .send_to(
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
                from,
            )
            .unwrap();
    });
    for wire in [Wire::TWAMP_LIGHT, Wire::stamp(3)] {
        let mut plan = quick(far);
        plan.wire = wire;
        let (report, _) = measured(plan);
        assert_eq!(report.counters.received, 0);
        assert_eq!(keys(&report)[0], "another-protocol");
    }
}

#[test]
fn answers_from_another_address_are_said() {
    let (_reflector, behind) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other_port = other.local_addr().unwrap().port();
    let far = peer(move |_, octets, from| {
        let back = UdpSocket::bind("127.0.0.1:0").unwrap();
        back.send_to(octets, behind).unwrap();
        let mut reply = [0; 2048];
        let count = back.recv(&mut reply).unwrap();
        other.send_to(&reply[..count], from).unwrap();
    });
    let (report, _) = measured(quick(far));
    assert_eq!(report.counters.received, 0);
    assert_eq!(keys(&report)[0], "answers-from-elsewhere");
    let elsewhere = &report.findings[0];
    assert!(
        matches!(
            elsewhere,
            Finding::Silence(Silence::AnswersFromElsewhere { from, .. }) if from.port() == other_port
        ),
        "{elsewhere:?}"
    );
}

#[test]
fn late_replies_are_said_and_counted_as_lost_too() {
    let (_reflector, behind) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let timeout = Duration::from_secs(1);
    let late = timeout + Duration::from_millis(50);
    let far = peer(move |socket, octets, from| {
        std::thread::sleep(late);
        let back = UdpSocket::bind("127.0.0.1:0").unwrap();
        back.send_to(octets, behind).unwrap();
        let mut reply = [0; 2048];
        let count = back.recv(&mut reply).unwrap();
        socket.send_to(&reply[..count], from).unwrap();
    });
    let mut plan = sender_plan(far);
    plan.timeout = timeout;
    // The first replies come seconds before the last packet's time is over.
    plan.schedule = Schedule::every(Duration::from_millis(150));
    let (report, samples) = measured(plan);
    assert_eq!(report.counters.received, 0);
    assert!(
        report.counters.late > 0 && report.counters.lost == 20,
        "{:?}",
        report.counters
    );
    assert_eq!(keys(&report)[0], "all-replies-late");
    let late = samples
        .iter()
        .filter(|sample| sample.fate == Fate::Late)
        .count() as u64;
    assert_eq!(late, report.counters.late);
    assert_eq!(samples.len(), 20, "a late packet has one record");
}

#[test]
fn a_range_of_ports_is_searched_past_the_services_in_it() {
    // Packets from chargen's port would not be reflected.
    let mut plan = sender_plan("127.0.0.1:862".parse().unwrap());
    plan.port = PortChoice::Range(19, 20);
    match measure::start(plan) {
        Ok(run) => assert_eq!(run.sender().port(), 20),
        Err(error) => assert!(
            error.to_string().contains(":20: ports below 1024"),
            "{error}"
        ),
    }
}

#[test]
fn a_port_in_use_and_an_address_of_another_host_are_said() {
    let held = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap();
    for threads in [1, 2] {
        let mut plan = responder_plan(&[&taken.to_string()]);
        plan.threads = threads;
        let error = responder::start(&plan, StampKeys::default()).unwrap_err();
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
    }
    let mut plan = sender_plan("127.0.0.1:9".parse().unwrap());
    plan.near = Some("192.0.2.1".parse().unwrap());
    let error = measure::start(plan).unwrap_err();
    assert!(error.to_string().contains("192.0.2.1"), "{error}");
    let mut plan = sender_plan("127.0.0.1:9".parse().unwrap());
    plan.near = Some(taken.ip());
    plan.port = PortChoice::Exact(taken.port());
    assert!(matches!(
        measure::start(plan.clone()),
        Err(StartError::Bind(_))
    ));
    plan.port = PortChoice::Range(taken.port(), taken.port());
    assert!(matches!(
        measure::start(plan.clone()),
        Err(StartError::NoFreePort { .. })
    ));
    plan.port = PortChoice::Prefer(taken.port());
    assert!(measure::start(plan).is_ok());
    drop(held);
}

#[test]
fn two_groups_of_threads_do_not_share_a_port_unawares() {
    if portable_build() {
        return;
    }
    let mut plan = responder_plan(&["127.0.0.1:0"]);
    plan.threads = 2;
    let (_first, near) = reflect(&plan);
    let mut plan = responder_plan(&[&near.to_string()]);
    plan.threads = 2;
    assert!(responder::start(&plan, StampKeys::default()).is_err());
}

#[test]
fn packets_over_the_mtu_with_df_are_refused_beforehand() {
    if portable_build() {
        return;
    }
    let (_reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let mtu = twinpath_net::interface_mtu(far, None).unwrap();
    let mut plan = sender_plan(far);
    plan.path.dont_fragment = true;
    plan.payload = PayloadSize::Fixed(65_507);
    if mtu < 65_535 {
        plan.payload = PayloadSize::Fixed(mtu as usize - 27);
        let error = measure::start(plan.clone()).unwrap_err();
        assert!(error.to_string().contains(&mtu.to_string()), "{error}");
    }
    plan.payload = PayloadSize::Fixed(1000);
    let (report, _) = measured(plan);
    assert_eq!(report.counters.received, 20);
}

#[test]
fn garbage_is_counted_and_not_answered() {
    let (reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    for octets in [0_usize, 1, 3, 13] {
        socket.send_to(&vec![0xff; octets], far).unwrap();
    }
    // The first reply is to what is sent after them.
    let mut request = [0; 41];
    request[..4].copy_from_slice(&77_u32.to_be_bytes());
    request[13] = 1;
    socket.send_to(&request, far).unwrap();
    let mut reply = [0; 64];
    socket.recv_from(&mut reply).unwrap();
    assert_eq!(reply[24..38], request[..14]);
    let counters = reflector.join().unwrap().counters;
    assert_eq!(counters.reflected, 1);
    assert_eq!(counters.ignored.iter().sum::<u64>(), 4);
}
