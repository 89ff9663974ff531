//! Sessions that share sockets: their ports, and whose a datagram is.

use super::*;

#[test]
fn sessions_to_one_far_end_have_a_port_each() {
    let (reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let engine = Engine::start(2).unwrap();
    let sessions: Vec<SessionHandle> = (0..16).map(|_| engine.begin(plan(far)).unwrap()).collect();
    let mut ports: Vec<u16> = sessions.iter().map(|one| one.sender().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 16);
    for report in all_reports(sessions) {
        assert_eq!(report.counters.received, 10);
    }
    reflector.join().unwrap();
}

#[test]
fn a_session_that_goes_on_for_another_has_its_port_too() {
    let silent: Vec<UdpSocket> = (0..3)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    let far: Vec<SocketAddr> = silent.iter().map(|it| it.local_addr().unwrap()).collect();
    let taken = PortChoice::Prefer(far[0].port());
    let engine = Engine::start(3).unwrap();
    for exact in [false, true] {
        for choice in [PortChoice::Exact(0), taken] {
            let begin = |to: usize, earlier_port| {
                let plan = SenderPlan {
                    exact,
                    port: choice,
                    earlier_port,
                    timeout: Duration::from_millis(50),
                    ..plan(far[to])
                };
                engine.begin(plan).unwrap()
            };
            // One that ends its socket with it, and one that does not.
            let earlier = begin(0, None);
            let port = earlier.sender().port();
            earlier.stop();
            let _report = earlier.join();
            let next = begin(1, Some(port));
            assert_eq!(next.sender().port(), port, "{choice:?}");
            if !exact {
                let beside = begin(2, Some(port));
                assert_eq!(beside.sender().port(), port, "{choice:?}");
            }
            // A port that another has is not fought for.
            let other = begin(1, Some(port));
            assert_ne!(other.sender().port(), port, "{choice:?}");
        }
    }
}

#[test]
fn an_answer_from_another_address_is_that_of_its_session() {
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    answers_elsewhere(&elsewhere, &[]);
}

#[test]
fn an_answer_from_another_session_s_far_end_is_that_of_its_session_too() {
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    answers_elsewhere(&elsewhere, &[elsewhere.local_addr().unwrap()]);
}

/// One far end answers from `elsewhere`; `others` and 20 more, that are silent, are measured too.
fn answers_elsewhere(elsewhere: &UdpSocket, others: &[SocketAddr]) {
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let silent: Vec<UdpSocket> = (0..20)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    let engine = Engine::start(1).unwrap();
    let silent = silent.iter().map(|socket| socket.local_addr().unwrap());
    let mut sessions: Vec<SessionHandle> = silent
        .chain(others.iter().copied())
        .map(|far| engine.begin(plan(far)).unwrap())
        .collect();
    let one = engine.begin(plan(far.local_addr().unwrap())).unwrap();
    sessions.push(one);
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut packet = [0; 1_500];
    for seq in 0..3_u32 {
        let (octets, from) = far.recv_from(&mut packet).unwrap();
        let mut reply = vec![0; octets.max(41)];
        reply[..4].copy_from_slice(&seq.to_be_bytes());
        reply[24..38].copy_from_slice(&packet[..14]);
        elsewhere.send_to(&reply, from).unwrap();
    }
    let reports = all_reports(sessions);
    let (one, others) = reports.split_last().unwrap();
    assert_eq!(one.counters.anomalies.answers_elsewhere, 3);
    let from = one.counters.anomalies.last_elsewhere.unwrap();
    assert_eq!(from.port(), port);
    for other in others {
        let odd = other.counters.anomalies;
        assert_eq!((odd.foreign_address, odd.foreign_t1), (0, 0), "{odd:?}");
        assert_eq!(odd.unknown_seq, 0);
    }
}

#[test]
fn a_port_that_is_given_is_one_thread_s_and_all_far_ends_share_it() {
    if portable_build() {
        return;
    }
    let (reflector, far) = reflect(&responder_plan(&["0.0.0.0:0"]));
    let (port, _) = own_ports();
    let engine = Engine::start(2).unwrap();
    let sessions = (0..20).map(|index| {
        let far = SocketAddr::new(loopback(index), far.port());
        let plan = SenderPlan {
            near: Some(Ipv4Addr::LOCALHOST.into()),
            port: PortChoice::Exact(port),
            ..plan(far)
        };
        engine.begin(plan).unwrap()
    });
    let sessions: Vec<SessionHandle> = sessions.collect();
    assert!(sessions.iter().all(|one| one.sender().port() == port));
    for report in all_reports(sessions) {
        assert_eq!(report.counters.received, 10);
    }
    reflector.join().unwrap();
}
