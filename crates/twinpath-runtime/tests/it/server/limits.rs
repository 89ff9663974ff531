//! Who is refused, and how (rows TC-78, TC-79).

use std::time::Duration;

use twinpath_wire::control::{Accept, Modes, WireInterval};

use super::{Client, OPEN, plan, port, sender, serve, until, until_empty};

#[test]
fn a_client_over_its_connections_is_told_a_permanent_limit() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.max_connections_per_client = 2;
    let (run, far) = serve(plan);
    let held = [Client::new(far, OPEN), Client::new(far, OPEN)];
    let (mut third, offered) = Client::greeted(far);
    assert!(offered.contains(OPEN));
    assert_eq!(third.set_up(OPEN), Accept::PermanentLimit);
    assert!(third.is_closed());
    drop((held, third));
    until_empty(&run);
    let tally = run.tally();
    let seen = (tally.connections_served, tally.connections_refused);
    assert_eq!(seen, (2, 1));
    drop(Client::new(far, OPEN));
}

#[test]
fn when_all_connections_are_taken_a_few_are_told_and_the_rest_is_sent_off() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.max_connections = 10;
    let (run, far) = serve(plan);
    let held = [(); 10].map(|()| Client::new(far, OPEN));
    let (mut told, offered) = Client::greeted(far);
    assert!(offered.contains(OPEN));
    let (mut sent_off, offered) = Client::greeted(far);
    assert_eq!(offered, Modes::default());
    assert!(sent_off.is_closed());
    assert_eq!(told.set_up(OPEN), Accept::TemporaryLimit);
    assert!(told.is_closed());
    drop((held, told, sent_off));
    until_empty(&run);
}

#[test]
fn who_may_not_connect_is_told_so_by_the_reserve() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.allow = vec!["192.0.2.0/24".parse().unwrap()];
    let (run, far) = serve(plan);
    let (mut stranger, _) = Client::greeted(far);
    assert_eq!(stranger.set_up(OPEN), Accept::PermanentLimit);
    assert!(stranger.is_closed());
    let tally = until(&run, |tally| tally.connections_not_allowed == 1);
    assert_eq!(
        (tally.connections_served, tally.connections_refused),
        (0, 0)
    );
}

#[test]
fn sessions_are_limited_for_each_client_and_for_all() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.max_sessions = 3;
    plan.max_sessions_per_client = 3;
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
    plan.max_sessions_per_client = 4;
    let (run, far) = serve(plan);
    let mut client = Client::new(far, OPEN);
    for socket in &sockets[..3] {
        assert!(client.ask(&client.wish(port(socket), 0)).is_ok());
    }
    let wish = client.wish(port(&sockets[3]), 0);
    assert_eq!(client.ask(&wish).unwrap_err(), Accept::TemporaryLimit);
    assert_eq!(run.tally().sessions_refused, 1);
}

#[test]
fn a_request_that_the_engine_refuses_counts_as_refused() {
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let mut client = Client::new(far, OPEN);
    let mut foreign = client.wish(20_000, 0);
    foreign.sender_address[..4].copy_from_slice(&[192, 0, 2, 1]);
    assert_eq!(client.ask(&foreign).unwrap_err(), Accept::NotSupported);
    assert_eq!(client.start(), Accept::NotSupported);
    until(&run, |tally| tally.sessions_refused == 2);
}

#[test]
fn a_client_whose_own_sessions_linger_may_ask_later() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.max_sessions_per_client = 1;
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
