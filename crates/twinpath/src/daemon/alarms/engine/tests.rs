//! Tables of intervals: `B` bad, `G` good, `?` not known, `s` a stretch without packets, `m` bad within maintenance.
//! Expected: `R` raised, `C` cleared, `.` nothing.

use std::time::Duration;

use twinpath_metrics::{Figures, LossChange};

use super::super::condition::Condition;
use super::*;
use crate::selector::Selector;

fn spec(name: &str, when: &str) -> Arc<AlertSpec> {
    Arc::new(AlertSpec {
        name: name.into(),
        selector: Selector::new("*"),
        except: Vec::new(),
        condition: Condition::parse(when).unwrap(),
        actions: Vec::new(),
    })
}

fn key(name: &str) -> SessionKey {
    SessionKey {
        name: name.into(),
        class: Tos(0),
        path: None,
    }
}

fn sessions(names: &[&str]) -> Vec<(Arc<str>, BTreeMap<String, String>)> {
    let sessions = names.iter().map(|name| (Arc::from(*name), BTreeMap::new()));
    sessions.collect()
}

fn engine(when: &str) -> Engine {
    let mut engine = Engine::default();
    engine.apply(&[spec("slow", when)], &sessions(&["a"]));
    engine
}

/// The interval of this number, in which so many packets were sent and received.
fn interval(number: i64, sent: u64, received: u64) -> IntervalFigures {
    let ten = Duration::from_secs(10).as_nanos();
    let ten = i64::try_from(ten).unwrap();
    IntervalFigures {
        index: 0,
        intervals: 1,
        start: Wall::from_unix_ns(number * ten),
        end: Wall::from_unix_ns((number + 1) * ten),
        is_cut: false,
        figures: Figures {
            received,
            lost: sent - received,
            ..Figures::default()
        },
        loss: LossChange::default(),
        not_sent: 0,
        missed: 0,
        strays: 0,
        suspect: Vec::new(),
    }
}

fn observe(engine: &mut Engine, number: i64, kind: char) -> (char, Vec<Change>) {
    let (sent, received) = match kind {
        'G' => (10, 10),
        'B' | 'm' => (10, 0),
        _ => (0, 0),
    };
    let interval = IntervalFigures {
        intervals: if kind == 's' { 5 } else { 1 },
        ..interval(number, sent, received)
    };
    let changes = engine.observe(&key("a"), &interval, kind == 'm', true);
    let sign = match changes.as_slice() {
        [] => '.',
        [change] if change.is_raised => 'R',
        [_] => 'C',
        [_, ..] => panic!("{changes:?}"),
    };
    (sign, changes)
}

fn run(engine: &mut Engine, kinds: &str) -> String {
    let kinds = (0..).zip(kinds.chars());
    kinds
        .map(|(number, kind)| observe(engine, number, kind).0)
        .collect()
}

#[test]
fn an_alarm_is_raised_by_k_of_n_and_cleared_by_n_good_ones() {
    for (condition, kinds, changes) in [
        ("silent", "GBGB", ".RCR"),
        ("silent", "BBBG", "R..C"),
        ("silent for 3 of 5", "BBGGBGGGGG", "....R....C"),
        ("silent for 3 of 5", "BBGGGBB", "......."),
        ("silent for 3 of 5", "BBBGGGGBGGGGG", "..R.........C"),
        ("silent for 2 of 2", "BGBB", "...R"),
        ("silent for 2 of 2", "BBGBGG", ".R...C"),
        // What is not known neither raises nor clears, and bad intervals become too old meanwhile.
        ("silent for 2 of 3", "B?B", "..R"),
        ("silent for 2 of 3", "B??B", "...."),
        ("silent for 2 of 3", "BsB", "..."),
        ("silent for 2 of 2", "BBsGG", ".R..C"),
        ("silent for 2 of 3", "BB?????G?G?G", ".R.........C"),
        // Maintenance.
        ("silent for 2 of 2", "mmmmBB", ".....R"),
        ("silent for 2 of 2", "BBmmGG", ".R...C"),
        ("silent for 2 of 2", "BmB", "..."),
    ] {
        assert_eq!(
            run(&mut engine(condition), kinds),
            changes,
            "{condition}: {kinds}"
        );
    }
}

#[test]
fn a_change_has_the_rows_by_which_it_came() {
    let mut engine = engine("silent for 2 of 3");
    assert_eq!(run(&mut engine, "BG"), "..");
    let (_, raised) = observe(&mut engine, 2, 'B');
    let starts = |change: &Change| {
        let rows = change
            .evidence
            .iter()
            .map(|row| row.start.unix_ns() / 10_000_000_000);
        rows.collect::<Vec<_>>()
    };
    assert_eq!(starts(&raised[0]), [0, 2]);
    assert_eq!(raised[0].since, raised[0].at);
    assert_eq!(raised[0].evidence[0].value, Some(Value::Unsigned(0)));
    let [_, _, cleared] = [3, 4, 5].map(|number| observe(&mut engine, number, 'G').1);
    assert_eq!(starts(&cleared[0]), [3, 4, 5]);
    assert_eq!(cleared[0].since, raised[0].since);
    assert_eq!(engine.active().count(), 0);
}

#[test]
fn an_alarm_that_was_active_before_a_restart_is_not_raised_again() {
    let mut before = engine("silent for 2 of 3");
    assert_eq!(run(&mut before, "BB"), ".R");
    let (_, session, active) = before.active().next().unwrap();
    let mut after = engine("silent for 2 of 3");
    let when = "silent for 2 of 3";
    assert!(after.restore("slow", when, session.clone(), active.clone()));
    assert_eq!(run(&mut after, "BBGGG"), "....C");
    assert_eq!(run(&mut after, "BB"), ".R");
    assert!(!after.restore("slow", "silent", session.clone(), active.clone()));
    assert!(!after.restore("slow", when, key("b"), active.clone()));
    assert!(!after.restore("other", when, session.clone(), active.clone()));
}

/// The conditions of alarms that ended.
fn conditions(ended: &[Ended]) -> Vec<&str> {
    let alerts = ended.iter().map(|ended| &ended.alert);
    alerts.map(|alert| &*alert.condition.text).collect()
}

#[test]
fn a_changed_configuration_keeps_what_it_does_not_change() {
    let raised = || {
        let mut engine = engine("silent for 2 of 2");
        assert_eq!(run(&mut engine, "BB"), ".R");
        engine
    };
    let both = sessions(&["a", "b"]);
    let mut same = raised();
    let ended = same.apply(
        &[spec("other", "remarked"), spec("slow", "silent for 2 of 2")],
        &both,
    );
    assert!(ended.is_empty(), "{ended:?}");
    assert_eq!(run(&mut same, "BBGG"), "...C");
    // An alert whose condition changed starts with nothing.
    let mut changed = raised();
    let ended = changed.apply(&[spec("slow", "silent for 1 of 2")], &both);
    assert_eq!(conditions(&ended), ["silent for 2 of 2"]);
    assert_eq!(run(&mut changed, "GGB"), "..R");
    for (specs, names) in [
        (vec![spec("slow", "silent for 2 of 2")], ["b"]),
        (Vec::new(), ["a"]),
    ] {
        let mut gone = raised();
        let ended = gone.apply(&specs, &sessions(&names));
        assert_eq!(conditions(&ended), ["silent for 2 of 2"]);
        assert_eq!(gone.active().count(), 0);
        assert_eq!(run(&mut gone, "GGBB"), "....");
    }
    let mut unmeasured = raised();
    assert!(unmeasured.retain(|_| true).is_empty());
    let ended = unmeasured.retain(|session| session.path.is_some());
    assert_eq!(conditions(&ended), ["silent for 2 of 2"]);
    assert_eq!(&*ended[0].session.name, "a");
    assert_eq!(unmeasured.active().count(), 0);
}

#[test]
fn classes_and_paths_are_apart() {
    let mut engine = engine("silent for 2 of 2");
    let other = SessionKey {
        path: Some(2),
        ..key("a")
    };
    for number in 0..2 {
        assert_eq!(
            observe(&mut engine, number, if number == 0 { 'B' } else { 'G' }).0,
            '.'
        );
        let changes = engine.observe(&other, &interval(number, 10, 0), false, true);
        assert_eq!(changes.len(), usize::from(number == 1));
    }
    assert_eq!(engine.active().count(), 1);
}

#[test]
fn an_alert_is_not_for_sessions_that_it_excepts() {
    let of = |name: &str, except: &str| {
        let spec = spec(name, "silent");
        Arc::new(AlertSpec {
            except: vec![Selector::new(except)],
            ..AlertSpec::clone(&spec)
        })
    };
    let mut engine = Engine::default();
    engine.apply(
        &[of("one", "a"), of("other", "b*")],
        &sessions(&["a", "b1"]),
    );
    for (session, alert) in [("a", "other"), ("b1", "one")] {
        let changes = engine.observe(&key(session), &interval(0, 10, 0), false, true);
        let names = changes.iter().map(|change| &*change.alert.name);
        assert_eq!(names.collect::<Vec<_>>(), [alert], "{session}");
    }
}
