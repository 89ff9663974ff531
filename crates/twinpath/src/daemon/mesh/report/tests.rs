use super::*;

const NOW: i64 = 1_800_000_000_000_000_000;

fn cell(from: &str, to: &str, by: &str, state: CellState, answered_ns: Option<i64>) -> Cell {
    Cell {
        mesh: "m".to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        by: by.to_owned(),
        state,
        loss_ratio: None,
        is_two_way_loss: false,
        median_ns: None,
        is_round_trip: false,
        answered_ns,
        fresh_until_ns: NOW + 1,
    }
}

fn report(cells: Vec<Cell>) -> MeshReport {
    let mut report = MeshReport {
        schema: SCHEMA.to_owned(),
        name: "prod".to_owned(),
        serial: 1,
        node: Some("a".to_owned()),
        at_ns: NOW,
        gone: Vec::new(),
        cells,
    };
    report.judge();
    report
}

fn gone(report: &MeshReport) -> Vec<(&str, Option<i64>)> {
    let gone = report.gone.iter();
    gone.map(|it| (it.node.as_str(), it.answered_ns)).collect()
}

#[test]
fn a_node_is_gone_if_nothing_of_it_is_answered() {
    use CellState::{Alarm, Good, Lossy, Silent};
    let to_c = [
        cell("a", "c", "a", Silent, Some(5)),
        cell("c", "a", "a", Silent, Some(7)),
    ];
    let to_b = |state| {
        [
            cell("a", "b", "a", state, Some(9)),
            cell("b", "a", "a", Silent, Some(9)),
        ]
    };
    for state in [Good, Lossy, Alarm] {
        let report = report([to_b(state), to_c.clone()].concat());
        assert_eq!(gone(&report), [("c", Some(7))], "{state:?}");
    }
    // Of what others measure it answers one.
    let more = [cell("c", "b", "b", Good, Some(8))];
    let known = report([&to_b(Good)[..], &to_c, &more].concat());
    assert_eq!(gone(&known), []);
    // This host runs, whatever answers it.
    let alone = report(to_c.to_vec());
    assert_eq!(gone(&alone), [("c", Some(7))]);
}

#[test]
fn what_is_old_is_unknown_and_says_nothing_of_a_node() {
    let mut old = cell("a", "b", "a", CellState::Good, Some(3));
    old.fresh_until_ns = NOW - 1;
    let mut silent = cell("a", "c", "a", CellState::Silent, None);
    silent.fresh_until_ns = NOW - 1;
    let report = report(vec![
        old,
        silent,
        cell("a", "d", "a", CellState::Silent, None),
    ]);
    assert_eq!(report.cells[0].state, CellState::Unknown);
    assert_eq!(report.cells[1].state, CellState::Unknown);
    assert_eq!(gone(&report), [("d", None)]);
}

#[test]
fn of_two_measurements_of_a_direction_the_senders_counts() {
    let one = cell("b", "a", "a", CellState::Good, None);
    let other = cell("b", "a", "b", CellState::Lossy, None);
    for cells in [vec![one.clone(), other.clone()], vec![other, one]] {
        let report = report(cells);
        assert_eq!(report.by_pair("m")[&("b", "a")].by, "b");
        assert!(report.by_pair("other").is_empty());
    }
}

#[test]
fn a_report_comes_back_from_json() {
    let report = report(vec![cell("a", "b", "a", CellState::Silent, Some(1))]);
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains(r#""state":"silent""#), "{text}");
    let again: MeshReport = serde_json::from_str(&text).unwrap();
    assert_eq!(again.cells, report.cells);
    assert_eq!(again.gone, report.gone);
}
