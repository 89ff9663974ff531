//! Notices of a session whose far end comes and goes (row SL-87).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::far_end::{FarEnd, now, ntp, reply};
use crate::program::Running;

/// A far end that answers while the flag is set.
fn far_end() -> (FarEnd, Arc<AtomicBool>) {
    let answers = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&answers);
    let far = FarEnd::answering(move |request| {
        if asked.load(Ordering::Relaxed) {
            let t2 = now();
            reply(request, |_| [t2, now()].map(ntp))
        } else {
            Vec::new()
        }
    });
    (far, answers)
}

fn line(far: SocketAddr, options: &str) -> String {
    format!("sender {far} 127.0.0.1:0 -i 20 --timeout 0.2 --failed-after 3 {options}")
}

#[test]
fn an_endless_run_tells_when_its_far_end_no_longer_answers_and_when_it_does_again() {
    let (far, answers) = far_end();
    let mut sender = Running::start(&line(far.at, "-c inf --json"));
    std::thread::sleep(Duration::from_secs(2));
    answers.store(false, Ordering::Relaxed);
    let silent = sender.wait_for_error("no replies");
    let (silent, lost) = silent.trim().rsplit_once(": ").unwrap();
    assert!(
        silent.starts_with("warning: no replies to packets sent after "),
        "{silent}"
    );
    let (count, what) = lost.split_once(' ').unwrap();
    assert!(count.parse::<u64>().unwrap() >= 3, "{lost}");
    assert_eq!(what, "packets lost in a row");
    answers.store(true, Ordering::Relaxed);
    let again = sender.wait_for_error("again");
    assert_eq!(again.trim(), "note: the far end answers again");
    sender.signal(&["INT"]);
    let done = sender.finish();
    assert_eq!(done.session()["state"], "active");
    assert!(done.session()["packets"]["lost"].as_u64() >= Some(3));
}

#[test]
fn a_short_run_tells_it_in_its_report_alone() {
    let (far, answers) = far_end();
    answers.store(false, Ordering::Relaxed);
    let done = Running::start(&line(far.at, "-c 100 --json")).finish();
    assert_eq!(done.session()["state"], "failed");
    assert_eq!(done.session()["packets"]["lost_since_reply"], 100);
    assert!(!done.stderr.contains("no reply so far"), "{}", done.stderr);
}
