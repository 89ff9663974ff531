//! The tree of a state in which everything is known.

mod twamp;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use twinpath_metrics::{
    DelayFigures, EcnCounts, Figures, IntervalFigures, LossChange, LossPeriods, RemarkCounts,
    RungCounts, Suspect, TtlFigures, Value,
};
use twinpath_proto::reflector::ReflectorCounters;
use twinpath_runtime::OneWayReport;
use twinpath_wire::Wall;
use twinpath_yang::json::{Layout, ReadOptions, read, write};
use twinpath_yang::{Path, Scope, Select, validate};

use super::*;
use crate::daemon::exports::ExportCounters;
use crate::daemon::mesh::MeshState;
use crate::daemon::model::model;
use crate::daemon::status::LastInterval;
use crate::store::{RawCounters, StoreCounters};

const AT: i64 = 1_800_000_000_123_456_789;

const CONFIG: &str = r#"{"twinpath-measurement:measurement":{
    "mesh":{"url":"/x"},
    "session":[{"name":"a","address":"192.0.2.1"},{"name":"off","address":"192.0.2.2","enabled":false}],
    "responder":[{"name":"r"}],"server":[{"name":"s"}],
    "alert":[{"name":"slow","when":"lost > 0"},{"name":"quiet","when":"silent"}],
    "export":[{"name":"e","kind":"webhook","url":"http://127.0.0.1:1/"}]},
    "ietf-twamp:twamp":{"client":{"ctrl-connection":[{"name":"c","server-ip":"192.0.2.1",
    "test-session-request":[{"name":"t","reflector-ip":"192.0.2.1","repeat":2},{"name":"u","reflector-ip":"192.0.2.1"}]}]},
    "session-sender":{"test-session":[{"name":"t","number-of-packets":7,"lambda":"1.0"}]},"server":{"servwait":60}}}"#;

fn config() -> Children {
    let options = ReadOptions::default();
    read(&model().unwrap().schema, CONFIG.as_bytes(), &options).unwrap()
}

fn delay(median_ns: i64) -> DelayFigures {
    DelayFigures {
        count: 9,
        min_ns: -5,
        max_ns: 70,
        mean_ns: 40,
        median_ns,
        stddev_ns: 6,
        p90_ns: 50,
        p95_ns: 55,
        p99_ns: 60,
        p999_ns: 65,
        jitter_ns: Some(7),
        pdv_p99_ns: Some(66),
        ipdv_mean_abs_ns: Some(8),
        reference_ns: Some(30),
        bins_per_octave: 128,
        mad_ns: 3,
    }
}

fn interval() -> IntervalFigures {
    let ttl = |min| TtlFigures {
        min,
        max: 64,
        changes: 1,
    };
    let ecn = EcnCounts {
        not_ect: 1,
        ect_0: 2,
        ect_1: 3,
        ce: 4,
    };
    let remarked = RemarkCounts { dscp: 5, ecn: 6 };
    let rungs = RungCounts {
        hardware: 1,
        kernel: 2,
        queue: 3,
        user: 4,
    };
    IntervalFigures {
        index: 3,
        intervals: 1,
        start: Wall::from_unix_ns(AT),
        end: Wall::from_unix_ns(AT + 10_000_000_000),
        is_cut: false,
        figures: Figures {
            received: 9,
            lost: 1,
            loss_periods: LossPeriods {
                losses: 1,
                periods: 1,
                longest: 1,
                ..LossPeriods::default()
            },
            round_trip: Some(delay(41)),
            forward: Some(delay(-42)),
            backward: Some(delay(43)),
            residence: Some(delay(44)),
            departure: Some(delay(45)),
            ttl_forward: Some(ttl(61)),
            ttl_backward: Some(ttl(62)),
            congestion_forward: Some(2),
            ecn_forward: Some(ecn),
            ecn_backward: Some(ecn),
            remarked_forward: Some(remarked),
            remarked_backward: Some(remarked),
            far_resolution_ns: Some(1_000),
            stamps_transmit: rungs,
            stamps_receive: rungs,
            ..Figures::default()
        },
        loss: LossChange {
            forward: Some(2),
            backward: Some(-1),
            unattributed: 0,
        },
        not_sent: 0,
        missed: 0,
        strays: 0,
        suspect: vec![Suspect::FewPackets, Suspect::ClockStep],
    }
}

fn entry(kind: &'static str, name: &str) -> Entry {
    Entry {
        kind,
        name: name.to_owned(),
        state: "running",
        failure: Some("a control\u{7}character\nand a line".to_owned()),
        listening: vec!["127.0.0.1:862".to_owned(), "[::1]:862".to_owned()],
        replies: Some(7),
        labels: BTreeMap::new(),
        measures: Vec::new(),
        counts: None,
    }
}

fn measured(dscp: u8, path: Option<u16>) -> Measured {
    Measured {
        reflector: "192.0.2.1:862".to_owned(),
        dscp,
        path,
        sent: 10,
        received: 9,
        lost: 1,
        interval: Some(LastInterval::of(&Arc::new(interval()))),
        is_silent: true,
        cause: Some("nothing listens there".to_owned()),
        sender: "192.0.2.9:20000".to_owned(),
        ssid: Some(4_242),
        unawaited: 0,
        unsent: 0,
        answered_until: None,
        far_clock: Some(CLOCK),
    }
}

const CLOCK: ClockState = ClockState {
    synchronized: true,
    error_ns: Some(15_000),
};

fn report() -> ResponderReport {
    let mut counters = ReflectorCounters {
        reflected: 7,
        ..ReflectorCounters::default()
    };
    counters.ignored[0] = 3;
    ResponderReport {
        listening: Vec::new(),
        duration: Duration::ZERO,
        counters,
        send_errors: 1,
        rebinds: 0,
        receive_drops: 2,
        one_way: OneWayReport::default(),
        receive_rungs: RungCounts::default(),
        t3_advance_ns: None,
    }
}

fn alarm_of(alert: &str, session: &str, value: Option<Value>) -> ActiveAlarm {
    let row = ShownRow {
        start: "2027-01-15T08:00:00Z".to_owned(),
        end: "2027-01-15T08:00:10Z".to_owned(),
        value,
    };
    ActiveAlarm {
        alert: alert.to_owned(),
        session: session.to_owned(),
        dscp: 46,
        path: Some(2),
        when: "lost > 0".to_owned(),
        since: "2027-01-15T08:00:10Z".to_owned(),
        raised: Wall::from_unix_ns(1_800_000_010_000_000_000),
        evidence: vec![row; 30],
    }
}

fn state() -> State {
    let counters = report().counters;
    let server = ServerCounters {
        packets: counters,
        connections: 2,
        ..ServerCounters::default()
    };
    State {
        name: "probe1".to_owned(),
        entries: vec![
            Entry {
                counts: Some(Counts::Responder(Box::new(report()))),
                ..entry("responder", "r")
            },
            Entry {
                counts: Some(Counts::Server(Box::new(server))),
                ..entry("server", "s")
            },
            Entry {
                measures: vec![measured(0, None), measured(46, Some(2))],
                ..entry("session", "a")
            },
            entry("session", "no longer configured"),
            Entry {
                measures: vec![measured(0, None)],
                ..entry("session", "t")
            },
            Entry {
                counts: Some(Counts::Server(Box::new(server))),
                ..entry("server", "ietf-twamp")
            },
        ],
        alarms: vec![
            alarm_of("slow", "a", Some(Value::Float(0.125))),
            alarm_of("slow", "b", Some(Value::Unsigned(3))),
            alarm_of("slow", "c", None),
        ],
        alerts: BTreeMap::from([("slow".into(), 3), ("quiet".into(), 0), ("gone".into(), 1)]),
        started: Wall::from_unix_ns(AT),
        uptime: Duration::from_secs(3),
        clock: CLOCK,
        store: Some(StoreCounters {
            rows: 12,
            error: Some("No space left on device".to_owned()),
            raw: Some(RawCounters::default()),
            ..StoreCounters::default()
        }),
        exports: vec![export("e"), export("gone")],
        mesh: Some(MeshState::example()),
        events_dropped: 4,
        needs_restart: vec!["[store]"],
        twamp: twamp::state(),
    }
}

fn export(name: &str) -> ExportCounters {
    ExportCounters {
        name: name.to_owned(),
        kind: "webhook",
        sent: 1,
        batches: 2,
        waiting: 3,
        octets: 4,
        dropped: 5,
        refused: 6,
        error: Some("answered 500".to_owned()),
        last_error: Some("answered 500".to_owned()),
        last_success: Some(Wall::from_unix_ns(AT)),
    }
}

/// The text of a leaf.
fn text(root: &Children, path: &str) -> Option<String> {
    let model = model().unwrap();
    let path = format!("/twinpath-measurement:measurement/{path}");
    let path = Path::parse(&model.schema, &path).unwrap();
    let value = root.value(&model.schema, &path)?;
    Some(model.schema.text(value).into_owned())
}

/// What is wrong with the data of measurements. Other modules have state too.
pub(in crate::daemon) fn faults(root: &Children) -> Vec<String> {
    let model = model().unwrap();
    let faults = validate(&model.schema, root, Scope::All).into_iter();
    let own = [model.roots.main, model.twamp];
    let own = faults.filter(|fault| own.contains(&fault.path.steps()[0].node));
    own.map(|fault| fault.what).collect()
}

#[test]
fn the_tree_of_a_state_is_valid_and_comes_back_from_json() {
    let model = model().unwrap();
    let tree = with_state_of(model, &config(), &state(), |_, _| true);
    assert_eq!(faults(&tree), [""; 0]);
    let json = write(&model.schema, None, &tree, Layout::Compact);
    let options = ReadOptions {
        scope: Scope::All,
        ..ReadOptions::default()
    };
    let again = read(&model.schema, json.as_bytes(), &options).unwrap();
    assert_eq!(again, tree);
}

#[test]
fn each_figure_is_in_its_leaf() {
    let tree = with_state_of(model().unwrap(), &config(), &state(), |_, _| true);
    let of_session = |leaf: &str| {
        let path = format!("session[name='a']/state/measurement[class='46'][path='2']/{leaf}");
        text(&tree, &path).unwrap()
    };
    for (leaf, value) in [
        ("reflector", "192.0.2.1:862"),
        ("ssid", "4242"),
        ("silent", "true"),
        ("interval/start", "2027-01-15T08:00:00.123456Z"),
        ("interval/sent", "10"),
        ("interval/loss-ratio", "0.1"),
        ("interval/lost-backward", "-1"),
        ("interval/round-trip/median", "41"),
        ("interval/forward/median", "-42"),
        ("interval/backward/min", "-5"),
        ("interval/residence/p999", "65"),
        ("interval/departure/mad", "3"),
        ("interval/ttl-backward/min", "62"),
        ("interval/marking-forward/ect-1", "3"),
        ("interval/timestamps/receive/queue", "3"),
        ("interval/far-resolution", "1000"),
        ("far-clock/error", "15000"),
    ] {
        assert_eq!(of_session(leaf), value, "{leaf}");
    }
    let one = "session[name='a']/state/measurement[class='0'][path='0']/lost";
    assert_eq!(text(&tree, one).as_deref(), Some("1"));
    assert_eq!(
        text(&tree, "session[name='a']/state/failure").as_deref(),
        Some("a control character and a line")
    );
    let alarm = "alert[name='slow']/state/alarm[session='a'][class='46'][path='2']";
    let value = |session: &str| {
        let alarm = alarm.replace("='a'", &format!("='{session}'"));
        text(&tree, &format!("{alarm}/evidence[1]/value"))
    };
    assert_eq!(value("a").as_deref(), Some("0.125"));
    assert_eq!(value("b").as_deref(), Some("3"));
    assert_eq!(value("c"), None);
    assert_eq!(
        text(&tree, "alert[name='quiet']/state/active").as_deref(),
        Some("false")
    );
    assert_eq!(text(&tree, "state/alarms").as_deref(), Some("4"));
    assert_eq!(
        text(&tree, "session[name='off']/state/status"),
        None,
        "it does not run"
    );
}

/// Nodes of state below a node.
fn nodes_of_state(model: &Model, node: NodeId, all: &mut BTreeSet<NodeId>) {
    for child in model.schema.data_children(Some(node)) {
        if !model.schema.node(*child).is_config {
            all.insert(*child);
        }
        nodes_of_state(model, *child, all);
    }
}

fn nodes_of(data: &Children, all: &mut BTreeSet<NodeId>) {
    for (node, data) in data.iter() {
        all.insert(node);
        match data {
            Data::Container(inner) => nodes_of(inner, all),
            Data::List(entries) => entries.values().for_each(|entry| nodes_of(entry, all)),
            Data::Keyless(entries) => entries.iter().for_each(|entry| nodes_of(entry, all)),
            Data::Leaf(_) | Data::LeafList(_) | Data::Any(_) => {}
        }
    }
}

#[test]
fn every_node_of_state_is_set() {
    let model = model().unwrap();
    let tree = with_state_of(model, &config(), &state(), |_, _| true);
    let (mut wanted, mut set) = (BTreeSet::new(), BTreeSet::new());
    nodes_of_state(model, model.roots.main, &mut wanted);
    nodes_of_state(model, model.twamp, &mut wanted);
    nodes_of(&tree, &mut set);
    assert!(wanted.len() > 200, "{}", wanted.len());
    let missing = wanted.difference(&set);
    let missing: Vec<String> = missing
        .map(|node| {
            let above = model.schema.node(*node).parent;
            let above = above.map(|above| model.schema.qualified_name(above));
            format!(
                "{} of {}",
                model.schema.node(*node).name,
                above.unwrap_or_default()
            )
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn entries_that_are_not_configured_or_not_wanted_are_left_out() {
    let model = model().unwrap();
    let all = with_state_of(model, &config(), &state(), |_, _| true);
    assert_eq!(model.entries(&all, "session").count(), 2);
    assert_eq!(model.entries(&all, "alert").count(), 2);
    let one = with_state_of(model, &config(), &state(), |kind, name| {
        (kind, name) == ("session", "a")
    });
    let has_state = |root: &Children, list: &str, name: &str| {
        let path = model.path(list, Some(name));
        let state = model.child(path.node().unwrap(), "state").unwrap();
        root.has(&path.join(state, Select::All))
    };
    assert!(has_state(&one, "session", "a"));
    for (list, name) in [("responder", "r"), ("server", "s"), ("alert", "slow")] {
        assert!(!has_state(&one, list, name), "{name}");
        assert!(has_state(&all, list, name), "{name}");
    }
    // Without a configuration there is nothing to add to.
    let none = Children::new();
    let tree = with_state_of(model, &none, &state(), |_, _| true);
    assert_eq!(
        text(&tree, "state/name").as_deref(),
        Some("probe1"),
        "{tree:?}"
    );
    assert_eq!(model.entries(&tree, "session").count(), 0);
}
