use twinpath_yang::json::{Layout, write};
use twinpath_yang::tree::validate_below;
use twinpath_yang::{Path, Select};

use super::*;
use crate::daemon::alarms::ShownRow;
use crate::daemon::model::model;

const AT: Wall = Wall::from_unix_ns(1_800_000_000_000_000_000);

/// The name of a notification and its content, which is valid.
fn shown(event: &Event) -> (String, String) {
    let model = model().unwrap();
    let (node, content) = event.tree(model).unwrap();
    let mut path = Path::root();
    path.push(node, Select::All);
    let faults = validate_below(&model.schema, &Children::new(), &path, &content);
    let faults: Vec<_> = faults.iter().map(|fault| &fault.what).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let json = write(&model.schema, Some(node), &content, Layout::Compact);
    let json = json.replace("\"twinpath-measurement:", "\"");
    (model.schema.qualified_name(node), json)
}

#[test]
fn alerts_are_notified_with_what_raised_them() {
    let evidence = vec![ShownRow {
        start: "2027-01-15T07:59:50Z".to_owned(),
        end: "2027-01-15T08:00:00Z".to_owned(),
        value: Some(twinpath_metrics::Value::Signed(63_000_000)),
    }];
    for (is_raised, name) in [(true, "alert-raised"), (false, "alert-cleared")] {
        let event = Event::Alert {
            is_raised,
            at: AT,
            alarm: ActiveAlarm {
                alert: "slow".to_owned(),
                session: "fra".to_owned(),
                dscp: 46,
                path: None,
                when: "round-trip.p95 > 50ms".to_owned(),
                since: "2027-01-15T08:00:00Z".to_owned(),
                raised: AT,
                evidence: evidence.clone(),
            },
        };
        assert_eq!(event.at(), AT);
        let (shown_name, json) = shown(&event);
        assert_eq!(shown_name, format!("twinpath-measurement:{name}"));
        assert_eq!(
            json,
            r#"{"alert":"slow","when":"round-trip.p95 > 50ms","time":"2027-01-15T08:00:00Z","session":"fra","class":46,"path":0,"since":"2027-01-15T08:00:00Z","evidence":[{"start":"2027-01-15T07:59:50Z","end":"2027-01-15T08:00:00Z","value":"63000000"}]}"#
        );
    }
}

#[test]
fn states_of_sessions_and_of_their_replies_are_notified() {
    let name: Arc<str> = "fra".into();
    let entry = SessionChange {
        at: AT,
        ..SessionChange::entry(&name, ["running", "waiting"], Some("no route"))
    };
    let (shown_name, json) = shown(&Event::Session(entry));
    assert_eq!(shown_name, "twinpath-measurement:session-state-changed");
    assert_eq!(
        json,
        r#"{"session":"fra","time":"2027-01-15T08:00:00Z","from":"running","to":"waiting","failure":"no route"}"#
    );
    let class = Tos(0xb8);
    let replies = |is_silent| SessionChange {
        at: AT,
        ..SessionChange::replies(&name, (class, Some(3)), is_silent)
    };
    let (_, json) = shown(&Event::Session(replies(true)));
    assert_eq!(
        json,
        r#"{"session":"fra","time":"2027-01-15T08:00:00Z","from":"answering","to":"silent","class":46,"path":3}"#
    );
    let (_, json) = shown(&Event::Session(replies(false)));
    assert!(
        json.contains(r#""from":"silent","to":"answering""#),
        "{json}"
    );
}

#[test]
fn of_too_many_events_the_oldest_are_dropped_and_counted() {
    let name: Arc<str> = "fra".into();
    let mut events = Events::default();
    for number in 0..MOST_WAITING + 3 {
        let class = Tos(u8::try_from(number % 64).unwrap() << 2);
        events.push(Event::Session(SessionChange::replies(
            &name,
            (class, None),
            true,
        )));
    }
    assert_eq!(events.dropped(), 3);
    let all = events.take();
    assert_eq!(all.len(), MOST_WAITING);
    let Some(Event::Session(first)) = all.first() else {
        panic!("{:?}", all.first());
    };
    assert_eq!(first.measurement, Some((3, None)));
    assert!(events.take().is_empty());
}
