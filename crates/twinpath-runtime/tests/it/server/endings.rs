//! However a client goes, nothing of it is left behind (rows TC-73 to TC-77).

use std::io::Read;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use socket2::SockRef;
use twinpath_wire::control::Accept;
use twinpath_wire::{Delta, WireTime};

use super::client::Session;
use super::{Client, OPEN, exchange, in_vain, plan, port, sender, serve, until, until_empty};

/// How far a client comes before it is killed.
#[derive(Clone, Copy, Debug)]
enum At {
    Greeting,
    SetUp,
    HalfMessage,
    BeforeStart,
    MidRun,
    BeforeStop,
    AfterStop,
}

const ALL: [At; 7] = [
    At::Greeting,
    At::SetUp,
    At::HalfMessage,
    At::BeforeStart,
    At::MidRun,
    At::BeforeStop,
    At::AfterStop,
];

fn bring(far: SocketAddr, socket: &UdpSocket, at: At) -> (Client, Option<Session>) {
    let (mut client, _) = Client::greeted(far);
    if matches!(at, At::Greeting) {
        return (client, None);
    }
    assert_eq!(client.set_up(OPEN), Accept::Ok);
    if matches!(at, At::SetUp) {
        return (client, None);
    }
    let session = client.ask(&client.wish(port(socket), 0)).unwrap();
    match at {
        At::HalfMessage => client.say(&[5; 40]),
        At::MidRun | At::BeforeStop | At::AfterStop => {
            assert_eq!(client.start(), Accept::Ok);
            for seq in 0..10 {
                exchange(socket, session.far, seq);
            }
        }
        At::Greeting | At::SetUp | At::BeforeStart => {}
    }
    if matches!(at, At::AfterStop) {
        client.stop(1);
    }
    (client, Some(session))
}

#[test]
fn a_client_that_dies_at_any_point_leaves_no_session_port_or_task() {
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    for reset in [false, true] {
        for at in ALL {
            let socket = sender(far.ip());
            let (client, session) = bring(far, &socket, at);
            if reset {
                let linger = Some(Duration::ZERO);
                SockRef::from(&client.stream).set_linger(linger).unwrap();
            }
            if let (At::MidRun, Some(session)) = (at, session) {
                // Its packets are under way.
                super::send(&socket, session.far, 10);
            }
            drop(client);
            until_empty(&run);
            if let Some(session) = session {
                let again = UdpSocket::bind(session.far);
                assert!(again.is_ok(), "{at:?}");
                drop(again);
                super::send(&socket, session.far, 99);
            }
        }
    }
    let counters = run.join().unwrap().counters;
    assert_eq!(counters.sessions_made, 10);
    assert_eq!(
        (counters.sessions, counters.connections, counters.ports),
        (0, 0, 0)
    );
}

#[test]
fn a_session_without_packets_ends_by_refwait_and_its_connection_by_servwait() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.refwait = Duration::from_secs(3);
    plan.servwait = Duration::from_secs(3);
    let (run, far) = serve(plan);
    let socket = sender(far.ip());
    let (mut client, session) = bring(far, &socket, At::MidRun);
    // As long as packets come, neither time passes.
    for seq in 10..40 {
        exchange(&socket, session.unwrap().far, seq);
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(run.counters().sessions, 1);
    until(&run, |counters| counters.sessions_expired == 1);
    in_vain(&socket, session.unwrap().far);
    assert!(client.is_closed());
    drop(client);
    until_empty(&run);
}

#[test]
fn after_refwait_the_session_still_counts_as_started() {
    // Row TC-76: and the connection goes on.
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.refwait = Duration::from_secs(3);
    plan.strict = true;
    let (run, far) = serve(plan);
    let socket = sender(far.ip());
    let (mut client, _) = bring(far, &socket, At::MidRun);
    until(&run, |counters| counters.sessions_expired == 1);
    client.stop(1);
    let session = client.ask(&client.wish(port(&socket), 0)).unwrap();
    assert_eq!(client.start(), Accept::Ok);
    exchange(&socket, session.far, 0);
    drop(client);
    until_empty(&run);
}

#[test]
fn a_session_that_is_to_start_later_is_reflected_at_once_and_waited_for() {
    // Rows TC-47, TC-48: a time to come moves REFWAIT, one that is past is none.
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.refwait = Duration::from_secs(3);
    let (run, far) = serve(plan);
    let now = twinpath_net::clock::wall();
    let hour = Delta::from_ns(3_600_000_000_000);
    let mut client = Client::new(far, OPEN);
    let sockets = [(); 3].map(|()| sender(far.ip()));
    let times = [Some(now + hour), Some(now - hour), None];
    let sessions = std::array::from_fn::<_, 3, _>(|k| {
        let mut wish = client.wish(port(&sockets[k]), 0);
        wish.start_time = times[k].map_or(wish.start_time, WireTime::ntp);
        client.ask(&wish).unwrap()
    });
    assert_eq!(client.start(), Accept::Ok);
    for (socket, session) in sockets.iter().zip(sessions) {
        exchange(socket, session.far, 0);
    }
    let counters = until(&run, |counters| counters.sessions_expired == 2);
    assert_eq!(counters.sessions, 1);
    exchange(&sockets[0], sessions[0].far, 1);
    for k in [1, 2] {
        in_vain(&sockets[k], sessions[k].far);
    }
}

#[test]
fn half_a_message_and_then_silence_is_not_waited_for() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.message_patience = Duration::from_secs(3);
    let (run, far) = serve(plan);
    let socket = sender(far.ip());
    for at in [At::Greeting, At::HalfMessage] {
        let (mut client, _) = bring(far, &socket, at);
        let mut rest = Vec::new();
        // The Server ends it; nothing else ends this wait.
        client.stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }
    until_empty(&run);
}

#[test]
fn messages_in_pieces_and_several_in_one_are_served() {
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut client = Client::new(far, OPEN);
    let wish = client.wish(5_000, 0);
    let other = client.wish(5_001, 0);
    let octets = zerocopy::IntoBytes::as_bytes(&wish).to_vec();
    for octet in &octets {
        client.say(std::slice::from_ref(octet));
    }
    let both = [zerocopy::IntoBytes::as_bytes(&other), &[2; 1], &[0; 31]].concat();
    client.say(&both);
    for _ in 0..2 {
        let answer: twinpath_wire::control::AcceptSession = client.message();
        assert_eq!(answer.accept, 0);
    }
    let ack: twinpath_wire::control::StartAck = client.message();
    assert_eq!(ack.accept, 0);
    drop(client);
    until_empty(&run);
}

#[test]
fn a_server_that_stops_says_farewell_and_leaves_nothing() {
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let socket = sender(far.ip());
    let (mut running, session) = bring(far, &socket, At::MidRun);
    let (mut idle, _) = bring(far, &socket, At::SetUp);
    run.stop();
    let report = run.join().unwrap();
    assert_eq!(report.counters.packets.reflected, 10);
    assert_eq!(report.counters.connections, 0);
    assert!(running.is_closed());
    assert!(idle.is_closed());
    assert!(UdpSocket::bind(session.unwrap().far).is_ok());
    assert!(std::net::TcpListener::bind(far).is_ok());
}
