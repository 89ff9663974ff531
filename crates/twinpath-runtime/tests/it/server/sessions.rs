//! Sessions from request to end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use twinpath_net::{RecvBatch, SocketOptions, TestSocket};
use twinpath_proto::reflector::Ignored;
use twinpath_runtime::server::ServerCounters;
use twinpath_wire::Tos;
use twinpath_wire::control::{Accept, Command, Modes, RequestSession, Sid, TypeP, WireInterval};

use super::{
    Client, OPEN, exchange, in_vain, own_ports, plan, port, sender, serve, until, until_empty,
};
use crate::{has_v6, portable_build};

#[test]
fn a_session_is_reflected_from_start_to_stop_and_for_its_timeout() {
    let mut near = vec!["127.0.0.1:0"];
    if has_v6() {
        near.push("[::1]:0");
    }
    let (run, _) = serve(plan(&near));
    for far in run.listening().to_vec() {
        let socket = sender(far.ip());
        let mut client = Client::new(far, OPEN);
        let mut wish = client.wish(port(&socket), 0);
        wish.timeout = WireInterval::from_duration(Duration::from_secs(3));
        let session = client.ask(&wish).unwrap();
        let ignored = |counters: &ServerCounters| counters.packets.ignored_as(Ignored::NotStarted);
        let before = ignored(&run.counters());
        in_vain(&socket, session.far);
        until(&run, |counters| ignored(counters) > before);
        assert_eq!(client.start(), Accept::Ok);
        for seq in 0..50 {
            let reply = exchange(&socket, session.far, seq);
            assert_eq!(reply.len(), 41);
            assert_eq!(reply[..4], seq.to_be_bytes());
        }
        // From nobody else.
        in_vain(&sender(far.ip()), session.far);
        client.stop(1);
        exchange(&socket, session.far, 50);
        until(&run, |counters| counters.sessions == 0);
        in_vain(&socket, session.far);
    }
    let counters = until_empty(&run);
    let rounds = run.listening().len() as u64;
    assert_eq!(counters.packets.reflected, 51 * rounds);
    assert_eq!(counters.packets.ignored_as(Ignored::NotStarted), rounds);
    assert_eq!(counters.sessions_made, rounds);
    let report = run.join().unwrap();
    assert_eq!(report.counters.sessions_started, rounds);
}

#[test]
fn a_test_packet_may_overtake_start_ack() {
    // Row TC-53: by the time that Start-Ack is there, the session is reflected.
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut client = Client::new(far, OPEN);
    let socket = sender(far.ip());
    for round in 0..200 {
        let mut wish = client.wish(port(&socket), 0);
        wish.timeout = WireInterval::default();
        let session = client.ask(&wish).unwrap();
        assert_eq!(client.start(), Accept::Ok);
        exchange(&socket, session.far, round);
        client.stop(1);
    }
    assert_eq!(run.counters().packets.ignored_as(Ignored::NotStarted), 0);
}

#[test]
fn the_wished_port_is_granted_where_it_is_free_and_shared_by_other_senders() {
    // Rows TC-40 and TC-41.
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.allow_any_port = true;
    let (low, high) = plan.test_ports;
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    let (free, _) = own_ports();
    let sockets = [sender(far.ip()), sender(far.ip())];
    let one = client.ask(&client.wish(port(&sockets[0]), free)).unwrap();
    let two = client.ask(&client.wish(port(&sockets[1]), free)).unwrap();
    assert_eq!((one.far.port(), two.far.port()), (free, free));
    assert_eq!(run.counters().ports, 1);
    // The same sender once more, a port of another program, one below 1024, none: another one.
    let taken = sender(far.ip());
    for wished in [free, port(&taken), 80, 0] {
        let other = client.ask(&client.wish(port(&sockets[0]), wished)).unwrap();
        assert!((low..=high).contains(&other.far.port()), "{wished}");
    }
    assert_eq!(client.start(), Accept::Ok);
    exchange(&sockets[0], one.far, 0);
    exchange(&sockets[1], two.far, 0);
    client.stop(6);
    until(&run, |counters| {
        (counters.sessions, counters.ports) == (0, 0)
    });
}

#[test]
fn without_a_key_a_client_gets_no_port_beyond_those_of_the_range() {
    let plan = plan(&["127.0.0.1:0"]);
    let (low, high) = plan.test_ports;
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    for (number, wished) in (0..).zip([low + 7, high, low]) {
        let session = client.ask(&client.wish(5_000 + number, wished)).unwrap();
        assert_eq!(session.far.port(), wished, "free, and within the range");
    }
    // A free one, one of another program's, those around the range, TWAMP's own, the last of all.
    let taken = sender(far.ip());
    let (free, _) = own_ports();
    for wished in [free, port(&taken), low - 1, high + 1, 862, 1_024, 65_535] {
        let session = client.ask(&client.wish(6_000, wished)).unwrap();
        let offered = session.far.port();
        assert!((low..=high).contains(&offered), "{wished}: {offered}");
        // No other program finds the port that was wished for in use.
        if wished != port(&taken) && wished >= 1_024 {
            drop(UdpSocket::bind((far.ip(), wished)).unwrap());
        }
    }
    drop(client);
    until_empty(&run);
}

#[test]
fn a_rerun_of_a_client_and_sender_gets_the_port_of_the_session_that_only_lingers() {
    // Peers that ignore the port of Accept-Session would lose all packets else.
    let plan = plan(&["127.0.0.1:0"]);
    let (_, free) = plan.test_ports;
    let (run, far) = serve(plan);
    let socket = sender(far.ip());
    for round in 0..3 {
        let mut client = Client::new(far, OPEN);
        let mut wish = client.wish(port(&socket), free);
        wish.timeout = WireInterval::from_duration(Duration::from_mins(1));
        let session = client.ask(&wish).unwrap();
        assert_eq!(session.far.port(), free, "round {round}");
        assert_eq!(client.start(), Accept::Ok);
        let reply = exchange(&socket, session.far, 7);
        assert_eq!(reply[..4], [0; 4], "a session of its own");
        if round != 1 {
            client.stop(1);
        }
        // It is stopped when its successor asks.
        drop(client);
        until(&run, |counters| counters.connections == 0);
    }
    let counters = until(&run, |counters| counters.sessions == 1);
    assert_eq!((counters.sessions_made, counters.ports), (3, 1));
}

#[test]
fn five_thousand_sessions_of_one_client_share_a_port() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.max_sessions_per_client = 5_000;
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    let socket = sender(far.ip());
    let mine = port(&socket);
    let senders = (1_024..=u16::MAX)
        .filter(|other| *other != mine)
        .take(4_999);
    let session = client.ask(&client.wish(mine, 0)).unwrap();
    for other in senders {
        let other = client.ask(&client.wish(other, 0)).unwrap();
        assert_eq!(other.far, session.far);
    }
    assert_eq!(
        client.ask(&client.wish(1, 0)).unwrap_err(),
        Accept::PermanentLimit
    );
    assert_eq!(client.start(), Accept::Ok);
    exchange(&socket, session.far, 0);
    let counters = run.counters();
    assert_eq!((counters.sessions, counters.ports), (5_000, 1));
    client.stop(5_000);
    drop(client);
    until_empty(&run);
}

#[test]
fn one_session_of_two_is_started_and_stopped_by_its_identifier() {
    // RFC 5938.
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut client = Client::new(far, OPEN | Modes::INDIVIDUAL_CONTROL);
    let sockets = [sender(far.ip()), sender(far.ip())];
    let sessions = [0, 1].map(|k| client.ask(&client.wish(port(&sockets[k]), 0)).unwrap());
    let start = client.individually(Command::StartMany, sessions[1].sid);
    assert_eq!(start, Accept::Ok);
    exchange(&sockets[1], sessions[1].far, 0);
    in_vain(&sockets[0], sessions[0].far);
    let stop = client.individually(Command::StopMany, sessions[1].sid);
    assert_eq!(stop, Accept::Ok);
    until(&run, |counters| counters.sessions == 1);
    let unknown = client.individually(Command::StopMany, Sid::default());
    assert_eq!(unknown, Accept::NotSupported);
    drop(client);
    until_empty(&run);
}

#[test]
fn a_receiver_that_is_not_this_host_alone_is_refused() {
    // Row TC-39.
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut client = Client::new(far, OPEN);
    for receiver in ["192.0.2.77", "255.255.255.255", "127.255.255.255"] {
        let mut wish = client.wish(5_000, 0);
        wish.receiver_address = RequestSession::field(receiver.parse().unwrap());
        assert_eq!(client.ask(&wish).unwrap_err(), Accept::NotSupported);
    }
    // Another address of this host is served.
    let mut wish = client.wish(5_000, 0);
    wish.receiver_address = RequestSession::field(Ipv4Addr::new(127, 0, 0, 2).into());
    let session = client.ask(&wish).unwrap();
    assert_eq!(session.far.ip(), Ipv4Addr::new(127, 0, 0, 2));
    let counters = run.counters();
    assert_eq!((counters.sessions_made, counters.sessions_refused), (1, 3));
}

#[test]
fn a_sender_elsewhere_is_served_where_the_operator_allows_it() {
    // Row TC-39.
    let mut plan = plan(&["127.0.0.1:0"]);
    for allowed in [false, true] {
        if allowed {
            plan.limits.allow_sender = vec!["127.0.0.8/30".parse().unwrap()];
        }
        let (run, far) = serve(plan.clone());
        let mut client = Client::new(far, OPEN);
        let ask = |client: &mut Client, address: [u8; 4]| {
            let mut wish = client.wish(5_000, 0);
            wish.sender_address = RequestSession::field(Ipv4Addr::from(address).into());
            client.ask(&wish)
        };
        let elsewhere = ask(&mut client, [127, 0, 0, 9]).map(drop);
        let expected = if allowed {
            Ok(())
        } else {
            Err(Accept::NotSupported)
        };
        assert_eq!(elsewhere, expected);
        let beyond = ask(&mut client, [127, 0, 0, 12]).map(drop);
        assert_eq!(beyond, Err(Accept::NotSupported));
        drop(client);
        until_empty(&run);
    }
}

#[test]
fn port_862_may_be_wished_for() {
    // Row TC-42, at an address that no other test uses.
    let near = Ipv4Addr::new(127, 0, 0, 62);
    if let Err(error) = UdpSocket::bind((near, 862)) {
        println!("skipped: port 862 cannot be had ({error})");
        return;
    }
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.allow_any_port = true;
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    let socket = sender(far.ip());
    let mut wish = client.wish(port(&socket), 862);
    wish.receiver_address = RequestSession::field(near.into());
    let session = client.ask(&wish).unwrap();
    assert_eq!(session.far, SocketAddr::from((near, 862)));
    assert_eq!(client.start(), Accept::Ok);
    exchange(&socket, session.far, 0);
    drop(client);
    until_empty(&run);
}

#[test]
fn a_sid_begins_with_this_hosts_address_and_no_two_are_alike() {
    // Row TC-43: loopback's address would tell nothing.
    let (_run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut client = Client::new(far, OPEN);
    let mut sids: Vec<Sid> = (5_000..5_050)
        .map(|port| client.ask(&client.wish(port, 0)).unwrap().sid)
        .collect();
    let far_away = "192.0.2.1:862".parse().unwrap();
    let host = match twinpath_net::local_address_towards(far_away, None) {
        Ok(IpAddr::V4(host)) => host,
        _ => Ipv4Addr::LOCALHOST,
    };
    assert!(sids.iter().all(|sid| sid.0[..4] == host.octets()));
    // By their last four octets, which are random.
    sids.sort_unstable_by_key(|sid| sid.0[12..].to_vec());
    sids.dedup_by_key(|sid| sid.0[12..].to_vec());
    assert!(sids.len() >= 49, "{sids:?}");
}

#[test]
fn server_octets_need_the_operators_word_and_room_for_two() {
    // Row TC-83.
    for (wanted, reflected, given) in [(false, 2, false), (true, 1, false), (true, 2, true)] {
        let mut plan = plan(&["127.0.0.1:0"]);
        plan.server_octets = wanted;
        let (_run, far) = serve(plan);
        let mut client = Client::new(far, OPEN | Modes::REFLECT_OCTETS);
        let mut wish = client.wish(5_000, 0);
        wish.padding_length = 40.into();
        wish.padding_to_reflect = reflected.into();
        let session = client.ask(&wish).unwrap();
        assert_eq!(session.server_octets != 0, given, "{wanted} {reflected}");
    }
}

#[test]
fn a_sender_behind_nat_is_known_by_its_first_packet() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.nat = true;
    plan.server_octets = true;
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN | Modes::REFLECT_OCTETS);
    let mut wish = client.wish(0, 0);
    wish.padding_length = 40.into();
    wish.padding_to_reflect = 2.into();
    let session = client.ask(&wish).unwrap();
    assert_ne!(session.server_octets, 0);
    assert_eq!(client.start(), Accept::Ok);
    let socket = sender(far.ip());
    // The tests' sender has no Server octets in its padding: a session with them does not answer.
    in_vain(&socket, session.far);
    let mut packet = [0_u8; 54];
    packet[12..14].copy_from_slice(&[0, 1]);
    packet[14..16].copy_from_slice(&session.server_octets.to_be_bytes());
    socket.send_to(&packet, session.far).unwrap();
    assert!(socket.recv(&mut packet).is_ok());
    exchange(&socket, session.far, 2);
    in_vain(&sender(far.ip()), session.far);
    drop(client);
    until_empty(&run);
}

#[test]
fn behind_nat_a_stranger_s_first_packet_takes_no_session() {
    for (stranger, prefix, allowed) in [
        ("127.0.0.9", None, false),
        ("127.9.0.9", Some("127.9.0.0/16"), true),
        ("127.8.0.9", Some("127.9.0.0/16"), false),
    ] {
        let mut plan = plan(&["127.0.0.1:0"]);
        plan.nat = true;
        plan.limits.allow_sender = prefix.into_iter().map(|net| net.parse().unwrap()).collect();
        let (run, far) = serve(plan);
        let mut client = Client::new(far, OPEN);
        let session = client.ask(&client.wish(0, 0)).unwrap();
        assert_eq!(client.start(), Accept::Ok);
        let stranger = sender(stranger.parse().unwrap());
        let own = sender(far.ip());
        if allowed {
            exchange(&stranger, session.far, 0);
            in_vain(&own, session.far);
        } else {
            in_vain(&stranger, session.far);
            exchange(&own, session.far, 0);
            in_vain(&stranger, session.far);
        }
        drop(client);
        until_empty(&run);
    }
}

#[test]
fn replies_are_marked_as_the_session_was_agreed() {
    // Row TC-31.
    if portable_build() {
        return;
    }
    let (_run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut client = Client::new(far, OPEN);
    let socket =
        TestSocket::open(&SocketOptions::reflector("127.0.0.1:0".parse().unwrap())).unwrap();
    let mut wish = client.wish(socket.local().port(), 0);
    wish.type_p = TypeP::dscp(twinpath_wire::Dscp::EF);
    let session = client.ask(&wish).unwrap();
    assert_eq!(client.start(), Accept::Ok);
    let out = twinpath_net::Outbound {
        to: session.far,
        from: None,
        tos: None,
        interface: 0,
        mac: None,
        stamp: false,
    };
    // More at once than leave by one system call each.
    for _ in 0..40 {
        socket.send(&[0; 41], &out).unwrap();
    }
    let mut batch = RecvBatch::new(64, 2_048);
    let mut seen = 0;
    for _ in 0..2_000 {
        let count = socket.receive(&mut batch).unwrap();
        for slot in 0..count {
            let (_, octets, arrival) = batch.packet(slot).unwrap();
            assert_eq!((octets, arrival.tos), (41, Some(Tos(0xb8))));
        }
        seen += count;
        if seen == 40 {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{seen} of 40 replies");
}

#[test]
fn several_threads_share_the_ports() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.threads = 3;
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    let socket = sender(far.ip());
    // One sender: each session needs a port of its own.
    let sessions = [(); 9].map(|()| client.ask(&client.wish(port(&socket), 0)).unwrap());
    assert_eq!(client.start(), Accept::Ok);
    for session in &sessions {
        exchange(&socket, session.far, 0);
    }
    assert_eq!(run.counters().ports, 9);
    client.stop(9);
    until(&run, |counters| {
        (counters.sessions, counters.ports) == (0, 0)
    });
    let report = run.join().unwrap();
    assert_eq!(report.counters.packets.reflected, 9);
}

#[test]
fn where_no_port_is_free_the_client_may_ask_later() {
    let mut plan = plan(&["127.0.0.1:0"]);
    let (one, _) = plan.test_ports;
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, one)).unwrap();
    plan.test_ports = (one, one);
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    let wish = client.wish(5_000, port(&taken));
    assert_eq!(client.ask(&wish).unwrap_err(), Accept::TemporaryLimit);
    let near = taken.local_addr().unwrap();
    drop(taken);
    let session = client.ask(&wish).unwrap();
    assert_eq!(session.far, near);
    // Gone with the connection, and the port is anybody's again.
    drop(client);
    until_empty(&run);
    let again: std::io::Result<UdpSocket> = UdpSocket::bind::<SocketAddr>(near);
    assert!(again.is_ok());
}
