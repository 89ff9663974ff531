//! A daemon in this process, with a responder and a session to it.

use std::thread;
use std::time::{Duration, Instant};

use twinpath_yang::Children;
use twinpath_yang::json::{ReadOptions, read};

use super::*;
use crate::daemon::events::Event;
use crate::daemon::model::model;
use crate::daemon::settings::Settings;
use crate::daemon::status::Measured;
use crate::daemon::tree::tests::faults;
use crate::daemon::tree::with_state_of;

const PATIENCE: Duration = Duration::from_mins(1);

fn tree(lists: &str) -> Children {
    let text = format!(r#"{{"twinpath-measurement:measurement":{{{lists}}}}}"#);
    let options = ReadOptions::default();
    read(&model().unwrap().schema, text.as_bytes(), &options).unwrap()
}

fn settings(tree: &Children) -> Settings {
    Settings::of(model().unwrap(), tree).unwrap()
}

fn turn_until(daemon: &mut Daemon, is_so: impl Fn(&Daemon) -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so(daemon) {
        assert!(Instant::now() < until, "{:?}", daemon.entries());
        daemon.turn();
        thread::sleep(Duration::from_millis(5));
    }
}

fn measured(daemon: &Daemon, name: &str) -> Option<Measured> {
    let entries = daemon.entries().into_iter();
    let mut named = entries.filter(|entry| entry.kind == "session" && entry.name == name);
    named.next()?.measures.first().cloned()
}

#[test]
fn a_session_sends_a_packet_when_asked_and_counts_from_0() {
    let responder = r#""responder":[{"name":"r","address":["127.0.0.1:0"]}]"#;
    let mut daemon = Daemon::start(&settings(&tree(responder))).unwrap();
    daemon.apply(&settings(&tree(responder)));
    turn_until(&mut daemon, |daemon| {
        daemon
            .entries()
            .iter()
            .any(|entry| !entry.listening.is_empty())
    });
    let far = daemon.entries()[0].listening[0].clone();
    // One packet at the start, the next one much later.
    let config = tree(&format!(
        r#"{responder},"session":[{{"name":"a","address":"{far}","interval":"1h","report-interval":"2h"}},
        {{"name":"refused","address":"127.0.0.1:1","protocol":"twamp"}}]"#
    ));
    daemon.apply(&settings(&config));
    let has = |sent, received| {
        move |daemon: &Daemon| {
            measured(daemon, "a").is_some_and(|it| (it.sent, it.received) == (sent, received))
        }
    };
    turn_until(&mut daemon, has(1, 1));
    daemon.act("a", SessionAction::RunNow).unwrap();
    turn_until(&mut daemon, has(2, 2));
    daemon.act("a", SessionAction::Clear).unwrap();
    turn_until(&mut daemon, has(0, 0));
    daemon.act("a", SessionAction::RunNow).unwrap();
    turn_until(&mut daemon, has(1, 1));
    let unknown = daemon.act("b", SessionAction::Clear).unwrap_err();
    assert!(
        unknown.starts_with("session b: nothing of this name runs"),
        "{unknown}"
    );
    turn_until(&mut daemon, |daemon| {
        let refused = daemon.act("refused", SessionAction::RunNow).unwrap_err();
        refused.contains("does not run: ") && refused.contains("127.0.0.1:1")
    });
    let states: Vec<_> = daemon
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Session(change) if &*change.session == "a" => Some((change.from, change.to)),
            Event::Session(_) | Event::Alert { .. } => None,
        })
        .collect();
    assert_eq!(states, [("waiting", "running")]);
    let whole = with_state_of(model().unwrap(), &config, &daemon.state(), |_, _| true);
    assert_eq!(faults(&whole), [""; 0]);
    daemon.stop();
    turn_until(&mut daemon, Daemon::is_over);
    let events = daemon.take_events();
    let ended = events.iter().any(
        |event| matches!(event, Event::Session(it) if (it.from, it.to) == ("running", "ending")),
    );
    assert!(ended, "{events:?}");
    daemon.close();
}
