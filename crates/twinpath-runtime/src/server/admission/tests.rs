//! Who is served when a Server is full, and what is listed.

use super::*;

fn limits(max_connections: usize, max_connections_per_client: usize) -> ServerLimits {
    ServerLimits {
        max_connections,
        max_connections_per_client,
        ..ServerLimits::default()
    }
}

fn of(most: usize, most_per_client: usize) -> Arc<ConnectionLimit> {
    ConnectionLimit::new(&limits(most, most_per_client))
}

fn client(number: u8) -> IpAddr {
    [192, 0, 2, number].into()
}

/// One of the /64 of that number.
fn host(prefix: u16, host: u16) -> IpAddr {
    [0x2001, 0xdb8, 0, prefix, host, 0, 0, 1].into()
}

fn at(second: u64) -> Mono {
    Mono::from_ns(second * 1_000_000_000)
}

fn admit(connections: &Arc<ConnectionLimit>, client: IpAddr) -> AdmissionResult {
    connections.admit(client, true, at(0))
}

fn admission(verdict: &AdmissionResult) -> Option<Admission> {
    verdict.permit.as_ref().map(|permit| permit.admission)
}

/// Whether its place was given to another.
fn is_out(verdict: &AdmissionResult) -> bool {
    let (number, _) = verdict.permit.as_ref().unwrap().place.as_ref().unwrap();
    let permit = verdict.permit.as_ref().unwrap();
    !permit.connections.state().places.contains_key(number)
}

#[test]
fn connections_are_listed_with_their_ends_and_what_they_do_until_they_are_over() {
    let connections = of(3, 3);
    let mut permit = admit(&connections, client(1)).permit.unwrap();
    assert_eq!(connections.listed(), []);
    let [near, far] = ["192.0.2.9:862", "192.0.2.1:40000"].map(|it| it.parse().unwrap());
    permit.list(far, near);
    let listed = |stage, modes| ListedConnection {
        client: far,
        server: near,
        stage,
        modes,
    };
    let first = listed(ConnectionStage::SettingUp, Modes::default());
    assert_eq!(connections.listed(), [first]);
    permit.count_as(ConnectionStage::Running, Modes::ENCRYPTED);
    let second = listed(ConnectionStage::Running, Modes::ENCRYPTED);
    assert_eq!(connections.listed(), [second]);
    drop(permit);
    assert_eq!(connections.listed(), []);
}

#[test]
fn over_its_own_limit_a_client_is_refused_for_good_and_others_are_served() {
    let connections = of(30, 2);
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    let first = admit(&connections, client(1));
    let _second = admit(&connections, mapped);
    let third = admit(&connections, client(1));
    let refused = Admission::Refused(Accept::PermanentLimit);
    assert_eq!(admission(&third), Some(refused));
    assert_eq!(third.refusal, Some(Refusal::ClientLimit));
    assert_eq!(admit(&connections, client(2)).refusal, None);
    drop(first);
    assert_eq!(admit(&connections, client(1)).refusal, None);
}

#[test]
fn the_addresses_of_one_64_are_one_client() {
    let connections = of(30, 2);
    let _held = [
        admit(&connections, host(1, 1)),
        admit(&connections, host(1, 2)),
    ];
    let third = admit(&connections, host(1, 3));
    assert_eq!(third.refusal, Some(Refusal::ClientLimit));
    assert_eq!(admit(&connections, host(2, 1)).refusal, None);
}

#[test]
fn who_is_not_allowed_is_told_so_by_the_reserve() {
    let connections = of(10, 2);
    let stranger = connections.admit(client(1), false, at(0));
    let refused = Admission::Refused(Accept::PermanentLimit);
    assert_eq!(admission(&stranger), Some(refused));
    let next = connections.admit(client(1), false, at(0));
    assert_eq!(admission(&next), Some(Admission::TurnedAway));
    let third = connections.admit(client(1), false, at(0));
    assert!(third.permit.is_none());
    assert_eq!(third.refusal, Some(Refusal::NotAllowed));
    assert_eq!(admit(&connections, client(2)).refusal, None);
}

#[test]
fn when_all_is_taken_a_reserve_is_told_so_and_the_rest_is_sent_off() {
    let connections = of(20, 100);
    let held: Vec<_> = (0..24).map(|_| admit(&connections, client(1))).collect();
    let admissions: Vec<_> = held.iter().filter_map(admission).collect();
    assert_eq!(admissions[..20], [Admission::Served; 20]);
    let refused = Admission::Refused(Accept::TemporaryLimit);
    assert_eq!(admissions[20..22], [refused; 2]);
    assert_eq!(admissions[22..], [Admission::TurnedAway; 2]);
    assert!(admit(&connections, client(1)).permit.is_none());
    assert_eq!(connections.counts().total(), 24);
    drop(held);
    assert_eq!(connections.counts(), ConnectionCounts::default());
    assert_eq!(connections.made_room(), 0);
    assert!(connections.state().clients.is_empty());
}

#[test]
fn a_full_house_makes_room_for_those_who_have_less() {
    let connections = of(6, 100);
    // Of the client that has most: the first has a session, the others are idle.
    let greedy: Vec<_> = (1..=4)
        .map(|n| connections.admit(host(1, n), true, at(9 - u64::from(n))))
        .collect();
    let _modest = [
        admit(&connections, client(1)),
        admit(&connections, client(1)),
    ];
    assert!(greedy[3].permit.as_ref().unwrap().hold());
    let _first = admit(&connections, client(2));
    let out: Vec<_> = greedy.iter().map(is_out).collect();
    assert_eq!(out, [false, false, true, false], "the one idle for longest");
    let _second = admit(&connections, client(3));
    assert!(is_out(&greedy[1]) && !is_out(&greedy[0]));
    assert_eq!(connections.made_room(), 2);
    // Displaced, it cannot begin a session any more.
    assert!(!greedy[1].permit.as_ref().unwrap().hold());
    // Now both have two, and one more would have as many: it is refused.
    let third = admit(&connections, host(1, 5));
    assert_eq!(third.refusal, Some(Refusal::Full));
    drop(greedy);
    assert_eq!(admit(&connections, host(1, 5)).refusal, None);
}

#[test]
fn connections_with_sessions_are_never_closed_for_others() {
    let connections = of(3, 100);
    let held: Vec<_> = (0..3).map(|_| admit(&connections, client(1))).collect();
    for verdict in &held {
        assert!(verdict.permit.as_ref().unwrap().hold());
    }
    assert_eq!(admit(&connections, client(2)).refusal, Some(Refusal::Full));
    // Its sessions are over.
    held[1].permit.as_ref().unwrap().release(at(5));
    assert_eq!(admit(&connections, client(2)).refusal, None);
    assert!(is_out(&held[1]) && !is_out(&held[0]) && !is_out(&held[2]));
}

#[test]
fn a_thousand_idle_connections_of_a_thousand_clients_keep_nobody_out() {
    let connections = of(1_000, 100);
    let held: Vec<_> = (0..1_000)
        .map(|n| connections.admit(host(n, 1), true, at(n.into())))
        .collect();
    let late = admit(&connections, client(1));
    assert_eq!(late.refusal, None);
    assert!(is_out(&held[0]) && held[1..].iter().all(|verdict| !is_out(verdict)));
}
