//! Refusals and strangers: one clear line each, and what to do about it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use twinpath_proto::Step;
use twinpath_proto::control::{Admission, ServerEvent};
use twinpath_report::Advice;
use twinpath_report::finding::Control;
use twinpath_runtime::controller::{ControlError, ControlPlan};
use twinpath_wire::Dscp;
use twinpath_wire::control::{Accept, Modes};

use super::rig::{Outcome, Script, control, offering, opened, plan, serve, slips, stops};

/// A peer that says this and then nothing; or closes.
fn peer(says: &'static [u8], closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(says).unwrap();
        if !closes {
            std::thread::sleep(Duration::from_secs(20));
        }
    });
    server
}

fn towards(server: SocketAddr) -> Outcome {
    let hasty = ControlPlan {
        // Longer than a busy host lets a peer wait for its turn.
        answer_timeout: Duration::from_secs(3),
        ..ControlPlan::to(server)
    };
    control(plan(hasty, &[Dscp::BE]))
}

#[test]
fn a_refused_connection_names_the_accept_value() {
    for (accept, words) in [
        (Accept::PermanentLimit, "4, permanent resource limitation"),
        (Accept::TemporaryLimit, "5, temporary resource limitation"),
        (Accept::InternalError, "2, internal error"),
    ] {
        let rig = serve(Script {
            admission: Admission::Refused(accept),
            ..Script::default()
        });
        let line = control(plan(rig.plan(), &[Dscp::BE])).line();
        assert!(line.contains("refuses the connection"), "{line}");
        assert!(line.contains(&format!("Accept {words}")), "{line}");
    }
}

#[test]
fn a_server_that_is_full_turns_away() {
    let rig = serve(Script {
        admission: Admission::TurnedAway,
        ..Script::default()
    });
    let line = control(plan(rig.plan(), &[Dscp::BE])).line();
    assert!(line.contains("offers no mode"), "{line}");
}

#[test]
fn a_refused_session_names_its_class_and_the_accept_value() {
    let rig = serve(Script {
        answer: Box::new(|_, _, _| Err(Accept::NotSupported)),
        ..Script::default()
    });
    let outcome = control(plan(rig.plan(), &[Dscp::EF]));
    let line = outcome.line();
    assert!(line.contains("the session with DSCP ef"), "{line}");
    assert!(
        line.contains("Accept 3, some aspect of the request is not supported"),
        "{line}"
    );
    let expected = Advice::AskForLess {
        without_addresses: false,
    };
    let Err(ControlError::Refused { advice, .. }) = outcome.result else {
        panic!("{line}");
    };
    assert_eq!(advice, expected);
    let events = rig.events();
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, ServerEvent::Start(_)))
    );
}

#[test]
fn what_is_accepted_is_measured_though_another_class_is_refused() {
    for features in [Modes::default(), Modes::INDIVIDUAL_CONTROL] {
        let mut script = offering(features);
        script.answer = Box::new(|_, number, port| match number {
            1 => Err(Accept::PermanentLimit),
            _ => Ok(opened(number, port)),
        });
        let rig = serve(script);
        let outcome = control(plan(rig.plan(), &[Dscp::BE, Dscp::EF, Dscp::BE]));
        let report = outcome.report();
        let classes: Vec<_> = outcome
            .sessions
            .iter()
            .map(|s| s.identity.tos.dscp())
            .collect();
        assert_eq!(classes, [Dscp::BE, Dscp::BE]);
        let numbers: Vec<_> = outcome.sessions.iter().map(|s| s.identity.number).collect();
        assert_eq!(numbers, [1, 3], "as in the records of packets");
        assert_eq!(outcome.keys(), ["session-refused"]);
        let expected = Control::SessionRefused {
            server: report.server,
            dscp: Dscp::EF,
            step: Step::Request,
            accept: 4,
            advice: Advice::AsRefused,
        };
        assert_eq!(report.findings, [expected.into()]);
        let events = rig.events();
        assert_eq!((stops(&events), slips(&events)), (2, Vec::new()));
    }
}

#[test]
fn a_mode_that_is_not_offered_is_said_with_those_that_are() {
    let rig = serve(offering(Modes::INDIVIDUAL_CONTROL));
    let mut wanted = rig.plan();
    wanted.required = Modes::REFLECT_OCTETS;
    let line = control(plan(wanted, &[Dscp::BE])).line();
    assert!(
        line.contains("offers unauthenticated, individual session control"),
        "{line}"
    );
    assert!(
        line.contains("required: unauthenticated, reflect octets"),
        "{line}"
    );
}

#[test]
fn a_strict_client_takes_no_other_port() {
    let rig = serve(Script::default());
    let mut wanted = rig.plan();
    wanted.receiver_port = Some(9);
    wanted.strict = true;
    let line = control(plan(wanted, &[Dscp::BE])).line();
    assert!(line.contains("instead of 9"), "{line}");
}

#[test]
fn nobody_on_the_port_is_said() {
    let (_held, gone) = crate::closed_tcp_port();
    let line = towards(gone).line();
    assert_eq!(
        line,
        format!("cannot connect to {gone}: connection refused")
    );
}

#[test]
fn another_service_is_told_by_its_banner() {
    let server = peer(b"SSH-2.0-OpenSSH_9.2p1 \x1bDebian\r\n", false);
    let line = towards(server).line();
    assert!(line.contains("is not a TWAMP server"), "{line}");
    assert!(
        line.contains("SSH-2.0-OpenSSH_9.2p1 \\x1bDebian\""),
        "{line}"
    );
    // A short one, and one longer than a greeting.
    assert!(
        towards(peer(b"220 x\r\n", true))
            .line()
            .contains("\"220 x\"")
    );
    let long = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
    let line = towards(peer(long, true)).line();
    assert!(
        line.contains("sends \"HTTP/1.1 400 Bad Request\" instead"),
        "{line}"
    );
}

#[test]
fn a_service_that_waits_for_its_client_is_said() {
    let line = towards(peer(b"", false)).line();
    assert!(
        line.contains("sends no Server Greeting within 3 s"),
        "{line}"
    );
    let line = towards(peer(b"\0\0\0\0\0", false)).line();
    assert!(line.contains("is not a TWAMP server"), "{line}");
}

#[test]
fn octets_of_anything_are_an_error_and_no_more() {
    for octet in [0_u8, 1, 0x55, 0xff] {
        let octets: &'static [u8] = vec![octet; 512].leak();
        for closes in [true, false] {
            let outcome = towards(peer(octets, closes));
            assert!(outcome.result.is_err(), "{octet}");
            let _ = outcome.line();
        }
    }
}

#[test]
fn a_server_that_closes_before_its_greeting_is_said() {
    let line = towards(peer(b"", true)).line();
    assert!(line.contains("before Server Greeting arrived"), "{line}");
}

#[test]
fn a_local_address_of_another_host_is_said() {
    let rig = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wanted = ControlPlan::to(rig.local_addr().unwrap());
    wanted.near = Some("192.0.2.1".parse().unwrap());
    let error = super::rig::start(plan(wanted, &[Dscp::BE])).unwrap_err();
    assert!(error.to_string().contains("192.0.2.1"), "{error}");
}

#[test]
fn nobody_who_answers_is_waited_for_no_longer_than_was_said() {
    // A listener whose queue is full takes no connection and refuses none.
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let server = listener.local_addr().unwrap().as_socket().unwrap();
    let patience = Duration::from_millis(100);
    let held: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect_timeout(&server, patience))
        .collect();
    if held.iter().all(Result::is_ok) {
        eprintln!("skipped: this system's queue has no end");
        return;
    }
    let mut wanted = ControlPlan::to(server);
    wanted.connect_timeout = patience;
    let outcome = control(plan(wanted, &[Dscp::BE]));
    assert!(matches!(
        outcome.result,
        Err(ControlError::Unanswered { .. })
    ));
    assert!(outcome.line().contains("no answer within 0.1 s"));
}
