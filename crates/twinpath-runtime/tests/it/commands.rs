//! What a session is asked for as it goes on: a packet at once, figures from 0.

use std::time::{Duration, Instant};

use twinpath_proto::sender::{Limit, Schedule};
use twinpath_runtime::SenderPlan;
use twinpath_runtime::measure::{Engine, Progress, SessionHandle};
use twinpath_wire::Fate;

use crate::{PATIENCE, reflect, responder_plan, sender_plan};

fn hourly(far: std::net::SocketAddr) -> SenderPlan {
    SenderPlan {
        limit: Limit::Endless,
        schedule: Schedule::every(Duration::from_hours(1)),
        phase: Some(Duration::ZERO),
        rows: Some(PATIENCE * 3),
        ..sender_plan(far)
    }
}

fn wait_for(session: &SessionHandle, is_so: impl Fn(&Progress) -> bool) -> Progress {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = session.progress();
        if is_so(&progress) {
            return progress;
        }
        assert!(Instant::now() < deadline, "{progress:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// On a thread of its own, and beside others.
#[test]
fn a_packet_leaves_when_it_is_asked_for_and_figures_are_reset() {
    let (_reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let engine = Engine::start(1).unwrap();
    for exact in [true, false] {
        let mut session = engine
            .begin(SenderPlan {
                exact,
                records: true,
                ..hourly(far)
            })
            .unwrap();
        wait_for(&session, |progress| progress.received == 1);
        for count in 2..4 {
            session.send_now();
            wait_for(&session, |progress| progress.received == count);
        }
        session.clear();
        let cleared = wait_for(&session, |progress| progress.sent == 0);
        assert_eq!((cleared.received, cleared.lost), (0, 0));
        session.send_now();
        let again = wait_for(&session, |progress| progress.received == 1);
        assert_eq!(again.sent, 1);
        session.stop();
        let ended = session.ended().unwrap();
        let samples = std::iter::from_fn(|| session.next_sample());
        let numbers: Vec<_> = samples.map(|sample| (sample.seq, sample.fate)).collect();
        let received = [0, 1, 2, 3].map(|seq| (seq, Fate::Received));
        assert_eq!(numbers, received);
        let report = ended.report();
        assert_eq!((report.counters.sent, report.figures.received), (1, 1));
    }
}
