//! Many sessions, one after the other and at once, in a process of their own: descriptors are
//! counted.

use std::time::Instant;

use twinpath_wire::control::{Accept, WireInterval};

use super::{Client, OPEN, exchange, plan, port, sender, serve, until_empty};
use crate::process::{alone, descriptors, memory};

#[test]
fn sessions_one_after_the_other_leave_no_descriptor_behind() {
    alone("server::soak::one_after_the_other");
}

#[test]
fn five_hundred_connections_with_a_session_each_are_served_at_once() {
    alone("server::soak::at_once");
}

#[test]
#[ignore = "counts the descriptors of its process: run by the test above, alone"]
fn one_after_the_other() {
    let count = std::env::var("TWINPATH_SOAK").map_or(1_000, |count| count.parse().unwrap());
    let (run, far) = serve(plan(&["127.0.0.1:0"]));
    let socket = sender(far.ip());
    let round = |seq: u32| {
        let mut client = Client::new(far, OPEN);
        // Some at the wished port, some at another, some never started.
        let wished = if seq.is_multiple_of(2) { 33_000 } else { 0 };
        let mut wish = client.wish(port(&socket), wished);
        wish.timeout = WireInterval::default();
        let session = client.ask(&wish).unwrap();
        if seq.is_multiple_of(5) {
            return;
        }
        assert_eq!(client.start(), Accept::Ok);
        exchange(&socket, session.far, seq);
        if !seq.is_multiple_of(3) {
            client.stop(1);
        }
    };
    (0..20).for_each(round);
    until_empty(&run);
    let before = (descriptors(), memory());
    let began = Instant::now();
    for seq in 0..count {
        round(seq);
        // On a busy host the end of a session may come long after that of its connection.
        if seq % 50 == 49 {
            until_empty(&run);
        }
    }
    until_empty(&run);
    let after = (descriptors(), memory());
    let took = began.elapsed();
    eprintln!("{count} sessions in {took:?}; descriptors and KiB {before:?}, then {after:?}");
    assert_eq!(before.0, after.0);
    let counters = run.join().unwrap().counters;
    assert_eq!(counters.sessions_made, u64::from(count) + 20);
    assert_eq!(counters.sessions_refused, 0);
}

#[test]
#[ignore = "counts the descriptors of its process: run by the test above, alone"]
fn at_once() {
    let count = std::env::var("TWINPATH_SOAK").map_or(500, |count| count.parse().unwrap());
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.limits.max_connections = count;
    plan.limits.max_connections_per_client = count;
    plan.limits.max_sessions = count;
    plan.limits.max_sessions_per_client = count;
    let (run, far) = serve(plan);
    let socket = sender(far.ip());
    drop(Client::new(far, OPEN));
    until_empty(&run);
    let before = (descriptors(), memory());
    let began = Instant::now();
    let mut held = Vec::new();
    for number in 0..count {
        let mut client = Client::new(far, OPEN);
        // The last one is the tests' sender.
        let last = number + 1 == count;
        let other = u16::try_from(1_024 + number).unwrap();
        let sender = if last { port(&socket) } else { other };
        let session = client.ask(&client.wish(sender, 0)).unwrap();
        assert_eq!(client.start(), Accept::Ok);
        held.push((client, session));
    }
    let took = began.elapsed();
    let counters = run.counters();
    let number = count as u64;
    assert_eq!((counters.connections, counters.sessions), (number, number));
    let at_most = memory();
    exchange(&socket, held.last().unwrap().1.far, 0);
    held.clear();
    until_empty(&run);
    let after = (descriptors(), memory());
    eprintln!(
        "{count} connections and sessions in {took:?}; descriptors and KiB {before:?}, \
         {at_most:?} KiB, then {after:?}"
    );
    assert_eq!(before.0, after.0);
}
