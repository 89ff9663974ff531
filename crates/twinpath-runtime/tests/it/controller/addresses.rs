//! A Server with several addresses.

use std::net::{SocketAddr, TcpListener};

use twinpath_report::Attempt;
use twinpath_runtime::controller::{ControlError, ControlPlan, reach};

use crate::closed_tcp_port;

#[test]
fn the_first_address_that_takes_the_connection_is_used_and_those_before_are_told() {
    let [(_held, one), (_too, other)] = [(); 2].map(|()| closed_tcp_port());
    let (first, second) = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let answers = [&first, &second].map(|listener| listener.local_addr().unwrap());
    let plans = [one, other, answers[0], answers[1]].map(ControlPlan::to);
    let (index, made) = reach(plans.iter(), &|| false).unwrap();
    let error = "connection refused".to_owned();
    let attempt = |server| Attempt {
        server,
        error: error.clone(),
    };
    assert_eq!(index, 2);
    assert_eq!(made.attempts(), [one, other].map(attempt));
    assert!(first.accept().is_ok());
    second.set_nonblocking(true).unwrap();
    assert!(second.accept().is_err(), "it is not tried");
}

#[test]
fn where_no_address_takes_the_connection_each_is_said_with_its_cause() {
    let [(_held, one), (_too, other)] = [(); 2].map(|()| closed_tcp_port());
    let plans = [one, other].map(ControlPlan::to);
    let error = reach(plans.iter(), &|| false).unwrap_err();
    let line =
        format!("cannot connect to {one}: connection refused; to {other}: connection refused");
    assert_eq!(error.to_string(), line);
}

#[test]
fn who_is_told_to_stop_tries_no_more_addresses() {
    // Its queue of connections is full, so that it does not answer.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let silent = socket.local_addr().unwrap().as_socket().unwrap();
    let _queued = std::net::TcpStream::connect(silent).unwrap();
    let plans = [silent, silent].map(ControlPlan::to);
    let error = reach(plans.iter(), &|| true).unwrap_err();
    assert!(matches!(error, ControlError::Interrupted { .. }), "{error}");
    let said = error.to_string();
    assert!(said.ends_with(" answered"), "{said}");
}
