//! Who is refused, and how (rows TC-78, TC-79).

use std::time::Duration;

use twinpath_wire::control::{Accept, Modes, WireInterval};

use super::{Client, OPEN, exchange, plan, port, sender, serve, until, until_empty};

#[test]
fn a_client_over_its_connections_is_told_a_permanent_limit() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.max_connections_per_client = 2;
    let (run, far) = serve(plan);
    let held = [Client::new(far, OPEN), Client::new(far, OPEN)];
    let (mut third, offered) = Client::greeted(far);
    assert!(offered.contains(OPEN));
    assert_eq!(third.set_up(OPEN), Accept::PermanentLimit);
    assert!(third.is_closed());
    drop((held, third));
    until_empty(&run);
    let counters = run.counters();
    let seen = (counters.connections_served, counters.connections_refused());
    assert_eq!(seen, (2, 1));
    drop(Client::new(far, OPEN));
}

#[test]
fn when_all_connections_are_taken_a_few_are_told_and_the_rest_is_sent_off() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.max_connections = 10;
    let (run, far) = serve(plan);
    let held = [(); 10].map(|()| Client::new(far, OPEN));
    let (mut told, offered) = Client::greeted(far);
    assert!(offered.contains(OPEN));
    let (mut sent_off, offered) = Client::greeted(far);
    assert_eq!(offered, Modes::default());
    assert!(sent_off.is_closed());
    // Beyond the reserve too: nobody is closed without a word.
    let many = [(); 40].map(|()| Client::greeted(far));
    for (mut client, offered) in many {
        assert_eq!(offered, Modes::default());
        assert!(client.is_closed());
    }
    assert_eq!(told.set_up(OPEN), Accept::TemporaryLimit);
    assert!(told.is_closed());
    drop((held, told, sent_off));
    let counters = until_empty(&run);
    let refused = (
        counters.connections_when_full,
        counters.connections_made_room,
    );
    assert_eq!(refused, (42, 0));
}

#[test]
fn a_full_server_closes_idle_connections_of_the_client_who_has_most() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.max_connections = 4;
    let (run, far) = serve(plan);
    // Its first connection has a session that runs, its second one that is agreed, two are idle: the
    // first of them is set up, the other one says nothing at all.
    let socket = sender(far.ip());
    let mut running = Client::new(far, OPEN);
    let session = running.ask(&running.wish(port(&socket), 0)).unwrap();
    assert_eq!(running.start(), Accept::Ok);
    let mut negotiated = Client::new(far, OPEN);
    let waits = negotiated.ask(&negotiated.wish(port(&socket), 0)).unwrap();
    let mut idle = Client::new(far, OPEN);
    let (mut mute, _) = Client::greeted(far);
    let from = |number: u8| Client::from([127, 0, 0, number].into(), far, OPEN);
    let _second = from(2);
    assert!(idle.is_closed());
    let _third = from(3);
    assert!(mute.is_closed());
    let counters = until(&run, |counters| counters.connections == 4);
    assert_eq!(
        (
            counters.connections_made_room,
            counters.connections_refused()
        ),
        (2, 0)
    );
    exchange(&socket, session.far, 0);
    assert_eq!(negotiated.start(), Accept::Ok);
    exchange(&socket, waits.far, 0);
    // Once its sessions are stopped a connection may go.
    negotiated.stop(1);
    until(&run, |counters| counters.sessions == 1);
    let _fourth = from(4);
    assert!(negotiated.is_closed());
    exchange(&socket, session.far, 1);
    // All have one: the idle one that is oldest makes room, never the one with a session.
    let _fifth = from(5);
    exchange(&socket, session.far, 2);
    assert_eq!(run.counters().connections_made_room, 4);
}

#[test]
fn who_may_not_connect_is_told_so_by_the_reserve() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.allow = vec!["192.0.2.0/24".parse().unwrap()];
    let (run, far) = serve(plan);
    let (mut stranger, _) = Client::greeted(far);
    assert_eq!(stranger.set_up(OPEN), Accept::PermanentLimit);
    assert!(stranger.is_closed());
    let counters = until(&run, |counters| counters.connections_not_allowed == 1);
    assert_eq!(
        (counters.connections_served, counters.connections_refused()),
        (0, 0)
    );
}

#[test]
fn sessions_are_limited_for_each_client_and_for_all() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.max_sessions = 3;
    plan.limits.max_sessions_per_client = 3;
    let (run, far) = serve(plan.clone());
    let sockets = [(); 4].map(|()| sender(far.ip()));
    // On two connections of one client.
    let mut clients = [Client::new(far, OPEN), Client::new(far, OPEN)];
    for (k, socket) in sockets.iter().take(3).enumerate() {
        let client = &mut clients[k % 2];
        assert!(client.ask(&client.wish(port(socket), 0)).is_ok());
    }
    let wish = clients[1].wish(port(&sockets[3]), 0);
    assert_eq!(clients[1].ask(&wish).unwrap_err(), Accept::PermanentLimit);
    drop(run);
    plan.limits.max_sessions_per_client = 4;
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    for socket in &sockets[..3] {
        assert!(client.ask(&client.wish(port(socket), 0)).is_ok());
    }
    let wish = client.wish(port(&sockets[3]), 0);
    assert_eq!(client.ask(&wish).unwrap_err(), Accept::TemporaryLimit);
    assert_eq!(run.counters().sessions_refused, 1);
}

#[test]
fn by_default_a_client_has_a_hundred_connections_and_sessions() {
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut held: Vec<Client> = (0..100).map(|_| Client::new(far, OPEN)).collect();
    let (mut further, _) = Client::greeted(far);
    assert_eq!(further.set_up(OPEN), Accept::PermanentLimit);
    let of = |number: u16| held[usize::from(number)].wish(5_000 + number, 0);
    let wishes: Vec<_> = (0..100).map(of).collect();
    for (client, wish) in held.iter_mut().zip(&wishes) {
        assert!(client.ask(wish).is_ok());
    }
    let wish = held[0].wish(6_000, 0);
    assert_eq!(held[0].ask(&wish).unwrap_err(), Accept::PermanentLimit);
    let mut other = Client::from([127, 0, 0, 2].into(), far, OPEN);
    let mut wish = other.wish(6_000, 0);
    wish.sender_address[..4].copy_from_slice(&[127, 0, 0, 2]);
    assert!(other.ask(&wish).is_ok());
    assert_eq!(run.counters().sessions, 101);
}

#[test]
fn a_request_that_the_engine_refuses_counts_as_refused() {
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut client = Client::new(far, OPEN);
    let mut foreign = client.wish(20_000, 0);
    foreign.sender_address[..4].copy_from_slice(&[192, 0, 2, 1]);
    assert_eq!(client.ask(&foreign).unwrap_err(), Accept::NotSupported);
    assert_eq!(client.start(), Accept::NotSupported);
    until(&run, |counters| counters.sessions_refused == 2);
}

#[test]
fn a_client_whose_own_sessions_linger_may_ask_later() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.max_sessions_per_client = 1;
    let (_run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    let mut wish = client.wish(port(&sender(far.ip())), 0);
    wish.timeout = WireInterval::from_duration(Duration::from_mins(1));
    client.ask(&wish).unwrap();
    assert_eq!(client.start(), Accept::Ok);
    client.stop(1);
    let other = client.wish(port(&sender(far.ip())), 0);
    assert_eq!(client.ask(&other).unwrap_err(), Accept::TemporaryLimit);
}
