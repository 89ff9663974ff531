use super::*;

fn limits() -> ServerLimits {
    ServerLimits {
        max_sessions: 3,
        max_open_sessions: 3,
        max_sessions_per_client: 2,
        ..ServerLimits::default()
    }
}

fn sid(number: u32) -> Sid {
    Sid(u128::from(number).to_be_bytes())
}

fn registry() -> (SessionRegistry, SocketAddr, mpsc::UnboundedSender<Sid>) {
    let (owner, _) = mpsc::unbounded_channel();
    let near = "192.0.2.2:18760".parse().unwrap();
    (SessionRegistry::new(limits(), 2), near, owner)
}

fn enter(
    registry: &mut SessionRegistry,
    number: u32,
    sender: &str,
    owner: &mpsc::UnboundedSender<Sid>,
) -> Result<(), OpenError> {
    let sender: SocketAddr = sender.parse().unwrap();
    registry.enter(sid(number), sender.ip(), true, sender, owner.clone())
}

#[test]
fn a_port_is_shared_by_senders_and_closed_with_the_last() {
    let (mut registry, near, owner) = registry();
    enter(&mut registry, 1, "192.0.2.1:5000", &owner).unwrap();
    enter(&mut registry, 2, "192.0.2.7:5001", &owner).unwrap();
    enter(&mut registry, 3, "[::ffff:192.0.2.1]:5000", &owner).unwrap();
    assert_eq!(registry.join(sid(1), near), PortState::Unknown);
    let (thread, socket_index) = registry.add(near);
    let shared = PortState::Shared {
        thread,
        socket_index,
        replaced: None,
    };
    assert_eq!(registry.join(sid(1), near), shared);
    assert_eq!(registry.join(sid(2), near), shared);
    // The same sender, however it is written.
    assert_eq!(registry.join(sid(3), near), PortState::Taken);
    assert_eq!(registry.leave_port(sid(1)), None);
    assert!(registry.remove(sid(1)).is_some());
    assert_eq!(registry.join(sid(3), near), shared);
    assert_eq!(registry.leave_port(sid(2)), None);
    assert_eq!(
        registry.leave_port(sid(3)),
        Some(FreedSocket {
            thread,
            socket_index
        })
    );
    assert_eq!(registry.leave_port(sid(3)), None);
    assert_eq!(registry.join(sid(3), near), PortState::Closing);
    registry.closed(socket_index);
    registry.closed(socket_index);
    assert_eq!(registry.join(sid(3), near), PortState::Unknown);
    assert_eq!(registry.ports(), 0);
}

#[test]
fn a_session_that_is_ending_gives_way_to_the_next_of_its_client_and_sender() {
    let (mut registry, near, owner) = registry();
    let sender: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    let (client, other) = (sender.ip(), "192.0.2.9".parse().unwrap());
    for (number, client) in [(1, client), (2, other), (3, client)] {
        let entered = registry.enter(sid(number), client, true, sender, owner.clone());
        assert_eq!(entered, Ok(()));
    }
    let (thread, socket_index) = registry.add(near);
    assert!(matches!(
        registry.join(sid(1), near),
        PortState::Shared { .. }
    ));
    assert_eq!(registry.join(sid(3), near), PortState::Taken);
    registry.ending(sid(1));
    // Another client's session of that sender does not.
    assert_eq!(registry.join(sid(2), near), PortState::Taken);
    let replaced = Some(sid(1));
    let shared = PortState::Shared {
        thread,
        socket_index,
        replaced,
    };
    assert_eq!(registry.join(sid(3), near), shared);
    // The old one's end does not touch the new one's port.
    assert_eq!(registry.leave_port(sid(1)), None);
    assert!(registry.remove(sid(1)).is_some());
    assert_eq!(registry.thread_of(sid(3)), Some(thread));
    assert_eq!(
        registry.leave_port(sid(3)),
        Some(FreedSocket {
            thread,
            socket_index
        })
    );
}

#[test]
fn a_client_whose_sessions_linger_is_to_wait() {
    let (mut registry, _, owner) = registry();
    enter(&mut registry, 1, "192.0.2.1:1", &owner).unwrap();
    enter(&mut registry, 2, "192.0.2.1:2", &owner).unwrap();
    let mut third = || enter(&mut registry, 3, "192.0.2.1:3", &owner);
    assert_eq!(third(), Err(OpenError::ClientLimit));
    registry.ending(sid(1));
    registry.ending(sid(1));
    let mut third = || enter(&mut registry, 3, "192.0.2.1:3", &owner);
    assert_eq!(third(), Err(OpenError::ClientLingers));
    registry.remove(sid(1));
    enter(&mut registry, 3, "192.0.2.1:3", &owner).unwrap();
    let mut fourth = || enter(&mut registry, 4, "192.0.2.1:4", &owner);
    assert_eq!(fourth(), Err(OpenError::ClientLimit));
}

#[test]
fn limits_hold_for_each_client_and_for_all() {
    let (mut registry, _, owner) = registry();
    enter(&mut registry, 1, "192.0.2.1:1", &owner).unwrap();
    assert_eq!(
        enter(&mut registry, 1, "192.0.2.9:1", &owner),
        Err(OpenError::SidTaken)
    );
    enter(&mut registry, 2, "192.0.2.1:2", &owner).unwrap();
    assert_eq!(
        enter(&mut registry, 3, "192.0.2.1:3", &owner),
        Err(OpenError::ClientLimit)
    );
    enter(&mut registry, 4, "192.0.2.3:1", &owner).unwrap();
    assert_eq!(
        enter(&mut registry, 5, "192.0.2.4:1", &owner),
        Err(OpenError::Limit)
    );
    assert!(registry.remove(sid(2)).is_some());
    assert!(registry.remove(sid(2)).is_none());
    enter(&mut registry, 5, "192.0.2.1:4", &owner).unwrap();
    for number in [1, 4, 5] {
        assert!(registry.remove(sid(number)).is_some());
    }
    assert_eq!(registry.sessions(), 0);
    assert!(registry.clients.is_empty());
}

#[test]
fn hosts_of_one_64_share_their_limit_and_one_takes_no_session_of_the_other() {
    let (mut registry, near, owner) = registry();
    enter(&mut registry, 1, "[2001:db8::1]:5000", &owner).unwrap();
    enter(&mut registry, 2, "[2001:db8::ffff:2]:5000", &owner).unwrap();
    let mut third = || enter(&mut registry, 3, "[2001:db8::3:0:0:3]:5000", &owner);
    assert_eq!(third(), Err(OpenError::ClientLimit));
    enter(&mut registry, 4, "[2001:db8:0:1::1]:5000", &owner).unwrap();
    registry.remove(sid(2)).unwrap();
    registry.add(near);
    assert!(matches!(
        registry.join(sid(1), near),
        PortState::Shared { .. }
    ));
    registry.ending(sid(1));
    // A neighbour that names the same sender.
    let sender = "[2001:db8::1]:5000".parse().unwrap();
    let neighbour = "2001:db8::9".parse().unwrap();
    registry
        .enter(sid(5), neighbour, true, sender, owner)
        .unwrap();
    assert_eq!(registry.join(sid(5), near), PortState::Taken);
}

#[test]
fn ports_spread_over_the_threads_and_places_are_used_again() {
    let (mut registry, ..) = registry();
    let at = |port: u16| SocketAddr::from(([192, 0, 2, 2], port));
    assert_eq!(registry.add(at(1)), (0, 0));
    assert_eq!(registry.add(at(2)), (1, 1));
    registry.closed(0);
    assert_eq!(registry.add(at(3)), (0, 0));
}
